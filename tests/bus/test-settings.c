/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* When keys step and die by themselves: what a session is opened with, what can be set later, and by whom. */
#include "call.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- the policy of a session ---- */

START_TEST(the_timer_steps_what_was_used) {
        const uint64_t interval = USEC_PER_SEC;
        _client_ bus = client_open();
        _call_ call = { 0 };
        uint64_t start, next;

        call_open(bus, &call, 1, "ratchet-interval-usec", "t", interval);
        ck_assert_uint_eq(client_u64(bus, call.session.path, SESSION, "RatchetIntervalUSec"), interval);
        ck_assert_uint_eq(client_u64(bus, call.session.path, SESSION, "NextRatchetUSec"), 0);
        start = call_now_usec();
        call_generate(bus, &call, 0);
        next = client_u64(bus, call.session.path, SESSION, "NextRatchetUSecMonotonic");
        ck_assert_uint_ge(next, start + interval);
        ck_assert_uint_le(next, call_now_usec() + interval);
        call_same_time(client_u64(bus, call.session.path, SESSION, "NextRatchetUSec"),
                       call_realtime_usec() + next - call_now_usec());
        for (unsigned step = 1; step <= 2; step++) {
                char line[64];

                (void)call_send(&call);
                (void)snprintf(line, sizeof(line), "KeyRatcheted me 0 %u\n", step);
                heard_wait(bus, &call.heard, line);
                ck_assert_uint_ge(call_now_usec() - start, step * interval);
        }
        /* Nothing is sent: nothing needs protection, and peers that follow one step a frame are not lost. */
        client_settle(bus, interval + SOON);
        ck_assert_uint_eq(heard_count(&call.heard, "KeyRatcheted"), 2);
}
END_TEST

START_TEST(frames_and_bytes_step_too) {
        _client_ bus = client_open();
        _call_ frames = { 0 }, bytes = { 0 };

        call_open(bus, &frames, 1, "ratchet-frames", "t", UINT64_C(5));
        call_open(bus, &bytes, 1, "ratchet-bytes", "t", UINT64_C(200));
        call_generate(bus, &frames, 0);
        call_generate(bus, &bytes, 0);
        for (unsigned i = 0; i < 4; i++) {
                (void)call_send(&frames);
                (void)call_send(&bytes);
        }
        client_settle(bus, SOON);
        ck_assert_uint_eq(heard_count(&frames.heard, "KeyRatcheted"), 0);
        ck_assert_uint_eq(heard_count(&bytes.heard, "KeyRatcheted"), 0);
        (void)call_send(&frames);
        (void)call_send(&bytes);
        heard_wait(bus, &frames.heard, "KeyRatcheted me 0 1\n");
        heard_wait(bus, &bytes.heard, "KeyRatcheted me 0 1\n");
}
END_TEST

START_TEST(the_use_limit_asks_then_steps) {
        _client_ bus = client_open();
        _call_ call = { 0 };

        call_open(bus, &call, 1, "send-limit", "t", UINT64_C(16));
        (void)client_import(bus, call.session.path, "me", 0, "sixteen bytes...");
        for (unsigned i = 0; i < 8; i++)
                (void)call_send(&call);
        heard_wait(bus, &call.heard, "RotationRequested me 1 use-limit 0\n");
        ck_assert_uint_eq(heard_count(&call.heard, "KeyRatcheted"), 0);
        for (unsigned i = 0; i < 4; i++)
                (void)call_send(&call);
        heard_wait(bus, &call.heard, "KeyRatcheted me 0 1\n");
}
END_TEST

START_TEST(a_key_that_grows_too_old_is_told_and_refused) {
        const uint64_t age = 2 * USEC_PER_SEC;
        _client_ bus = client_open();
        _call_ call = { 0 };
        uint64_t installed, dies = 0;
        Frame frame;

        call_open(bus, &call, 2, "maximum-key-age-usec", "t", age, "grace-usec", "t", 100 * MSEC);
        (void)client_import(bus, call.session.path, "me", 0, "sixteen bytes...");
        installed = call_realtime_usec();
        ck_assert_uint_eq(call_send(&call), 0);
        heard_wait(bus, &call.heard, "RotationRequested me 1 age ");
        heard_wait(bus, &call.heard, "KeyExpiring me 0 ");
        (void)sscanf(strstr(call.heard.lines, "KeyExpiring"), "%*s %*s %*s %" SCNu64, &dies);
        call_same_time(dies, installed + age);
        heard_wait(bus, &call.heard, "KeyWiped me 0 0\n");
        ck_assert_int_ne(media_send(&call.media, call.audio, FRAMEKEY_FRAME_UNSPECIFIED, &frame), 0);
        ck_assert_uint_ge(call_realtime_usec(), dies);
        ck_assert_uint_eq(client_u64(bus, call.session.path, SESSION, "MaximumKeyAgeUSec"), age);
}
END_TEST

START_TEST(sessions_have_what_they_were_opened_with) {
        _client_ bus = client_open();
        TestSession plain = client_open_session(bus, "livekit", 0);
        TestSession set =
                client_open_session(bus, "livekit", 8, "ratchet-interval-usec", "t", UINT64_C(0), "ratchet-frames", "t",
                                    UINT64_C(7), "ratchet-bytes", "t", UINT64_C(8), "rotate-after-usec", "t",
                                    9 * USEC_PER_SEC, "activate-after-usec", "t", UINT64_C(10), "coalesce-usec", "t",
                                    UINT64_C(11), "retain-root", "b", 1, "send-limit", "t", UINT64_C(16));

        ck_assert_uint_eq(client_u64(bus, plain.path, SESSION, "RatchetIntervalUSec"),
                          client_u64(bus, MANAGER_PATH, MANAGER, "DefaultRatchetIntervalUSec"));
        ck_assert_uint_eq(client_u64(bus, plain.path, SESSION, "RatchetFrames"), 0);
        ck_assert_uint_eq(client_u64(bus, plain.path, SESSION, "ActivateAfterUSec"), USEC_PER_SEC);
        ck_assert(client_bool(bus, plain.path, SESSION, "ForwardSecrecy"));
        ck_assert(client_bool(bus, plain.path, SESSION, "FullyProtected"));
        ck_assert_uint_eq(client_u64(bus, set.path, SESSION, "RatchetIntervalUSec"), 0);
        ck_assert_uint_eq(client_u64(bus, set.path, SESSION, "RatchetFrames"), 7);
        ck_assert_uint_eq(client_u64(bus, set.path, SESSION, "RatchetBytes"), 8);
        ck_assert_uint_eq(client_u64(bus, set.path, SESSION, "RotateAfterUSec"), 9 * USEC_PER_SEC);
        ck_assert_uint_eq(client_u64(bus, set.path, SESSION, "ActivateAfterUSec"), 10);
        ck_assert_uint_eq(client_u64(bus, set.path, SESSION, "CoalesceUSec"), 11);
        ck_assert(!client_bool(bus, set.path, SESSION, "ForwardSecrecy"));
}
END_TEST

START_TEST(without_a_wish_the_timer_steps_only_for_peers_that_follow) {
        _client_ bus = client_open();
        _call_ call = { 0 };
        uint64_t before = client_u64(bus, MANAGER_PATH, MANAGER, "DefaultRatchetIntervalUSec");
        char path[256];

        ck_assert_int_ge(sd_bus_set_property(bus, "org.framekey1", MANAGER_PATH, MANAGER, "DefaultRatchetIntervalUSec",
                                             NULL, "t", USEC_PER_SEC),
                         0);
        call_open(bus, &call, 0);
        ck_assert_int_ge(sd_bus_set_property(bus, "org.framekey1", MANAGER_PATH, MANAGER, "DefaultRatchetIntervalUSec",
                                             NULL, "t", before),
                         0);
        call_add(bus, &call.session, "web", "remote", path);
        (void)client_import(bus, call.session.path, "me", 0, "sixteen bytes...");
        (void)call_send(&call);
        heard_wait(bus, &call.heard, "RotationRequested me 1 timer 0\n");
        ck_assert_uint_eq(heard_count(&call.heard, "KeyRatcheted"), 0);
        client_do(bus, call.session.path, SESSION, "RemoveParticipant", "sa{sv}", "web", 0);
        client_do(bus, call.session.path, SESSION, "AddParticipant", "ssa{sv}", "host", "remote", 1, "follows", "s",
                  "window");
        heard_wait(bus, &call.heard, "KeyRatcheted me 0 1\n");
}
END_TEST

START_TEST(wishes_beyond_the_limits_are_refused) {
        static const struct {
                const char *name;
                uint64_t value;
                const char *said;
        } rows[] = {
                { "ratchet-interval-usec", UINT64_MAX / 2, "at most" },
                { "ratchet-interval-usec", UINT64_MAX, "between" },
                { "maximum-key-age-usec", UINT64_MAX / 2, "at most" },
                { "rotate-after-usec", UINT64_MAX, "between" },
                { "activate-after-usec", 3601 * USEC_PER_SEC, "between" },
                { "coalesce-usec", 61 * USEC_PER_SEC, "between" },
                { "send-limit", 15, "between" },
                { "send-limit", (UINT64_C(1) << 26) + 1, "between" },
        };
        _client_ bus = client_open();

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                _cleanup_free_ char *text =
                        client_refused(bus, MANAGER_PATH, MANAGER, "OpenSession", INVALID_ARGS, "ssa{sv}", "livekit",
                                       "test", 1, rows[i].name, "t", rows[i].value);

                ck_assert_msg(strstr(text, rows[i].said), "%s: %s", rows[i].name, text);
        }
        client_fail(bus, MANAGER_PATH, MANAGER, "OpenSession", ERROR("PolicyForbids"), "ssa{sv}", "livekit", "test", 1,
                    "ratchet-interval-usec", "t", 500 * MSEC);
        client_fail(bus, MANAGER_PATH, MANAGER, "OpenSession", INVALID_ARGS, "ssa{sv}", "livekit", "test", 1,
                    "replay-window", "u", 300);
}
END_TEST

START_TEST(the_administrators_maximum_age_binds) {
        _client_ bus = client_open();
        TestSession session;

        ck_assert_int_ge(sd_bus_set_property(bus, "org.framekey1", MANAGER_PATH, MANAGER, "MaximumKeyAgeUSec", NULL,
                                             "t", 3600 * USEC_PER_SEC),
                         0);
        session = client_open_session(bus, "livekit", 0);
        ck_assert_uint_eq(client_u64(bus, session.path, SESSION, "MaximumKeyAgeUSec"), 3600 * USEC_PER_SEC);
        session = client_open_session(bus, "livekit", 1, "maximum-key-age-usec", "t", 60 * USEC_PER_SEC);
        ck_assert_uint_eq(client_u64(bus, session.path, SESSION, "MaximumKeyAgeUSec"), 60 * USEC_PER_SEC);
        client_fail(bus, MANAGER_PATH, MANAGER, "OpenSession", ERROR("PolicyForbids"), "ssa{sv}", "livekit", "test", 1,
                    "maximum-key-age-usec", "t", 3601 * USEC_PER_SEC);
        client_fail(bus, MANAGER_PATH, MANAGER, "OpenSession", ERROR("PolicyForbids"), "ssa{sv}", "livekit", "test", 1,
                    "maximum-key-age-usec", "t", UINT64_C(0));
        ck_assert_int_ge(sd_bus_set_property(bus, "org.framekey1", MANAGER_PATH, MANAGER, "MaximumKeyAgeUSec", NULL,
                                             "t", UINT64_C(0)),
                         0);
        session = client_open_session(bus, "livekit", 0);
        ck_assert_uint_eq(client_u64(bus, session.path, SESSION, "MaximumKeyAgeUSec"), 0);
}
END_TEST

START_TEST(participants_may_follow_by_a_window) {
        _client_ bus = client_open();
        TestSession session = client_open_session(bus, "livekit", 0);
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = client_session(
                bus, session.path, "AddParticipant", "ssa{sv}", "ann", "remote", 1, "follows", "s", "window");
        const char *path;
        char web[256];

        ck_assert_int_gt(sd_bus_message_read(reply, "o", &path), 0);
        ck_assert(client_bool(bus, path, PARTICIPANT, "FollowsWindow"));
        call_add(bus, &session, "bob", "remote", web);
        ck_assert(!client_bool(bus, web, PARTICIPANT, "FollowsWindow"));
        client_do(bus, session.path, SESSION, "AddParticipant", "ssa{sv}", "cid", "remote", 1, "follows", "s",
                  "one-step");
        client_fail(bus, session.path, SESSION, "AddParticipant", INVALID_ARGS, "ssa{sv}", "me", "local", 1, "follows",
                    "s", "window");
}
END_TEST

/* ---- settings of a running session ---- */

static void set_refused(sd_bus *bus, const TestSession *session, const char *property, uint64_t value, const char *name,
                        const char *text) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        r = sd_bus_set_property(bus, "org.framekey1", session->path, SESSION, property, &error, "t", value);
        ck_assert_msg(r < 0, "%s=%" PRIu64 " was not refused", property, value);
        ck_assert_str_eq(error.name, name);
        ck_assert_msg(strstr(error.message, text), "%s", error.message);
}

static void set(sd_bus *bus, const TestSession *session, const char *property, uint64_t value) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        r = sd_bus_set_property(bus, "org.framekey1", session->path, SESSION, property, &error, "t", value);
        ck_assert_msg(r >= 0, "%s: %s", error.name, error.message);
        ck_assert_uint_eq(client_u64(bus, session->path, SESSION, property), value);
}

START_TEST(the_ratchet_can_be_set_while_it_runs) {
        _client_ bus = client_open();
        _call_ call = { 0 };

        call_open(bus, &call, 0);
        (void)client_import(bus, call.session.path, "me", 0, "sixteen bytes...");
        set(bus, &call.session, "RatchetFrames", 100);
        set(bus, &call.session, "RatchetBytes", 1000000);
        set(bus, &call.session, "RatchetIntervalUSec", 5 * USEC_PER_SEC);
        heard_wait(bus, &call.heard, "Changed RatchetFrames\n");
        heard_wait(bus, &call.heard, "Changed RatchetBytes\n");
        heard_wait(bus, &call.heard, "Changed RatchetIntervalUSec\n");
        ck_assert_uint_gt(client_u64(bus, call.session.path, SESSION, "NextRatchetUSec"), call_realtime_usec());
        set_refused(bus, &call.session, "RatchetIntervalUSec", 500 * MSEC, ERROR("PolicyForbids"),
                    "The ratchet interval of 500ms is below MinimumIntervalSec=1s (the default of framekeyd.conf).");
        set_refused(bus, &call.session, "RatchetIntervalUSec", UINT64_MAX, INVALID_ARGS, "too long");
        set_refused(bus, &call.session, "GraceUSec", 1, SD_BUS_ERROR_PROPERTY_READ_ONLY, "GraceUSec");
        ck_assert_uint_eq(client_u64(bus, call.session.path, SESSION, "RatchetIntervalUSec"), 5 * USEC_PER_SEC);
        /* It was said by the owner: it steps, whoever follows or not. */
        (void)call_send(&call);
        set(bus, &call.session, "RatchetIntervalUSec", USEC_PER_SEC);
        heard_wait(bus, &call.heard, "KeyRatcheted me 0 1\n");
        set(bus, &call.session, "RatchetIntervalUSec", 0);
        ck_assert_uint_eq(client_u64(bus, call.session.path, SESSION, "NextRatchetUSec"), 0);
        ck_assert_uint_eq(
                call_logged("audit: set-ratchet", call.session.id, "setting=\"RatchetIntervalUSec=5000000\" uid=0"), 1);
        ck_assert_uint_eq(
                call_logged("audit: set-ratchet", call.session.id, "setting=\"RatchetIntervalUSec=500000\" uid=0"), 1);
}
END_TEST

START_TEST(strangers_set_nothing) {
        static const char *const properties[] = { "RatchetIntervalUSec", "RatchetFrames", "RatchetBytes" };
        _client_ owner = client_open_as(FOREIGN_UID);
        _client_ same_user = client_open_as(FOREIGN_UID);
        _client_ stranger = client_open_as(1);
        _client_ root = client_open();
        TestSession session = client_open_session(owner, "livekit", 1, "exclusive", "b", 0);

        for (size_t i = 0; i < ELEMENTS(properties); i++) {
                set(owner, &session, properties[i], 2 * USEC_PER_SEC);
                set_refused(same_user, &session, properties[i], 3 * USEC_PER_SEC, ERROR("NotOwner"), "AttachSession");
                set_refused(stranger, &session, properties[i], 3 * USEC_PER_SEC, ERROR("NoSuchSession"), "no session");
                ck_assert_uint_eq(client_u64(owner, session.path, SESSION, properties[i]), 2 * USEC_PER_SEC);
                set(root, &session, properties[i], 4 * USEC_PER_SEC);
        }
        client_do(same_user, session.path, SESSION, "AttachSession", NULL);
        set(same_user, &session, "RatchetFrames", 5);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("settings");
        TCase *one = tcase_create("one user"), *several = tcase_create("several users");

        tcase_set_timeout(one, 60);
        tcase_set_timeout(several, 60);
        tcase_add_test(one, the_timer_steps_what_was_used);
        tcase_add_test(one, frames_and_bytes_step_too);
        tcase_add_test(one, the_use_limit_asks_then_steps);
        tcase_add_test(one, a_key_that_grows_too_old_is_told_and_refused);
        tcase_add_test(one, sessions_have_what_they_were_opened_with);
        tcase_add_test(one, without_a_wish_the_timer_steps_only_for_peers_that_follow);
        tcase_add_test(one, wishes_beyond_the_limits_are_refused);
        tcase_add_test(one, the_administrators_maximum_age_binds);
        tcase_add_test(one, participants_may_follow_by_a_window);
        tcase_add_test(one, the_ratchet_can_be_set_while_it_runs);
        suite_add_tcase(suite, one);
        tcase_add_test(several, strangers_set_nothing);
        if (client_is_root())
                suite_add_tcase(suite, several);
        return client_main(suite);
}
