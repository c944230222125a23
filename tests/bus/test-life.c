/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The life of a key as a session's owner sees it: rotation, joins and leaves, and who is told. */
#include "call.h"

#include <inttypes.h>
#include <stdio.h>

typedef struct KeyTimes {
        char origin[16];
        uint64_t installed, activates, dies;
} KeyTimes;

/* False: there is no key under this index. */
static bool key_times(sd_bus *bus, const char *participant, uint32_t wanted, KeyTimes *ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const char *origin;
        uint32_t index;
        bool found = false;

        ck_assert_int_ge(sd_bus_get_property(bus, "org.framekey1", participant, PARTICIPANT, "KeyTimes", NULL, &reply,
                                             "a(usttt)"),
                         0);
        ck_assert_int_gt(sd_bus_message_enter_container(reply, 'a', "(usttt)"), 0);
        while (!found && sd_bus_message_read(reply, "(usttt)", &index, &origin, &ret->installed, &ret->activates,
                                             &ret->dies) > 0) {
                (void)snprintf(ret->origin, sizeof(ret->origin), "%s", origin);
                found = index == wanted;
        }
        return found;
}

/* ---- rotation ---- */

START_TEST(a_key_made_here_is_replaced_distribute_first_then_use) {
        _client_ bus = client_open();
        _call_ call = { 0 };
        uint32_t rotated = 0, requested = 0;
        KeyTimes old = { 0 }, fresh = { 0 };

        call_open(bus, &call, 2, "activate-after-usec", "t", 2 * SOON, "grace-usec", "t", 100 * MSEC);
        call_generate(bus, &call, 0);
        ck_assert_uint_eq(call_send(&call), 0);
        call_rotate(bus, &call.session, "", &rotated, &requested);
        ck_assert_uint_eq(rotated, 1);
        ck_assert_uint_eq(requested, 0);

        heard_wait(bus, &call.heard, "KeyInstalled me 1 ");
        ck_assert_uint_eq(call_send(&call), 0); /* nobody else has the new one yet */
        ck_assert(key_times(bus, call.me, 1, &fresh));
        ck_assert_str_eq(fresh.origin, "generated");
        ck_assert_uint_gt(fresh.activates, fresh.installed);
        ck_assert_uint_le(fresh.activates, fresh.installed + 2 * SOON + LATE);

        heard_wait(bus, &call.heard, "KeyActivated me 1\n");
        ck_assert_uint_ge(call_realtime_usec() + MSEC, fresh.activates);
        ck_assert_uint_eq(call_send(&call), 1);
        ck_assert(!key_times(bus, call.me, 0, &old) || old.dies > 0);
        heard_wait(bus, &call.heard, "KeyWiped me 0 0\n");
        ck_assert(!key_times(bus, call.me, 0, &old));
        ck_assert_uint_gt(call_logged("audit: rotate", call.session.id, "reason=\"test\" uid="), 0);
        ck_assert_uint_gt(call_logged("audit: rotate", call.session.id, "index=1 step=0 reason=\"request\" owner="), 0);
        ck_assert_uint_gt(call_logged("audit: activate", call.session.id, "index=1 owner="), 0);
        ck_assert_uint_gt(call_logged("audit: retire-key", call.session.id, "index=0 step=0 owner="), 0);
}
END_TEST

START_TEST(for_imported_keys_their_owner_is_asked) {
        _client_ bus = client_open();
        _call_ call = { 0 };
        uint32_t rotated = 0, requested = 0;
        uint64_t now, deadline = 0;

        call_open(bus, &call, 1, "maximum-key-age-usec", "t", 3600 * USEC_PER_SEC);
        (void)client_import(bus, call.session.path, "me", 3, "sixteen bytes...");
        now = call_realtime_usec();
        call_rotate(bus, &call.session, "me", &rotated, &requested);
        ck_assert_uint_eq(rotated, 0);
        ck_assert_uint_eq(requested, 1);
        heard_wait(bus, &call.heard, "RotationRequested me 4 request ");
        (void)sscanf(strstr(call.heard.lines, "RotationRequested"), "%*s %*s %*s %*s %" SCNu64, &deadline);
        ck_assert_uint_ge(deadline + LATE, now + 3600 * USEC_PER_SEC);
        ck_assert_uint_le(deadline, now + 3600 * USEC_PER_SEC + LATE);
        ck_assert_uint_eq(call_send(&call), 3);
        (void)client_import(bus, call.session.path, "me", 4, "sixteen others..");
        ck_assert_uint_eq(call_send(&call), 3);
        client_do(bus, call.session.path, SESSION, "Activate", "sua{sv}", "me", 4, 0);
        ck_assert_uint_eq(call_send(&call), 4);
        ck_assert_uint_gt(call_logged("audit: rotate", call.session.id, "owner=0 result=\"requested\""), 0);
}
END_TEST

START_TEST(a_shared_key_is_replaced_once_for_all) {
        _client_ bus = client_open();
        TestSession session = client_open_session(bus, "livekit", 2, "activate-after-usec", "t", UINT64_C(0),
                                                  "grace-usec", "t", 100 * MSEC);
        uint32_t rotated = 0, requested = 0;
        Heard heard = { 0 };
        char path[256];

        heard_listen(bus, &session, &heard);
        call_add(bus, &session, "me", "local", path);
        call_add(bus, &session, "too", "local", path);
        call_add(bus, &session, "you", "remote", path);
        client_do(bus, session.path, SESSION, "GenerateKey", "sua{sv}", "", 15, 0);
        call_rotate(bus, &session, "", &rotated, &requested);
        ck_assert_uint_eq(rotated, 1);
        heard_wait(bus, &heard, "KeyInstalled  0 "); /* after the last index comes the first */
        heard_wait(bus, &heard, "KeyActivated  0\n");
        heard_wait(bus, &heard, "KeyWiped  15 0\n");
        client_settle(bus, SOON);
        ck_assert_uint_eq(heard_count(&heard, "KeyInstalled"), 2);
        ck_assert_uint_eq(call_logged("audit: retire-key", session.id, "index=15"), 1);
        ck_assert_uint_eq(client_u32(bus, MANAGER_PATH, MANAGER, "Keys"), 1);
}
END_TEST

START_TEST(rotations_that_cannot_be_are_refused) {
        _client_ bus = client_open();
        _call_ call = { 0 };
        TestSession shared = client_open_session(bus, "livekit", 0);
        uint32_t rotated = 1, requested = 1;
        char path[256];

        call_open(bus, &call, 0);
        call_add(bus, &call.session, "you", "remote", path);
        call_add(bus, &shared, "me", "local", path);
        client_fail(bus, call.session.path, SESSION, "Rotate", ERROR("NoSuchKey"), "ssa{sv}", "me", "test", 0);
        client_fail(bus, call.session.path, SESSION, "Rotate", ERROR("WrongRole"), "ssa{sv}", "you", "test", 0);
        client_fail(bus, call.session.path, SESSION, "Rotate", ERROR("NoSuchParticipant"), "ssa{sv}", "they", "test",
                    0);
        client_fail(bus, shared.path, SESSION, "Rotate", ERROR("WrongKeyMode"), "ssa{sv}", "me", "test", 0);
        call_rotate(bus, &shared, "", &rotated, &requested);
        ck_assert_uint_eq(rotated + requested, 0);
}
END_TEST

START_TEST(a_key_is_used_after_a_while_if_so_asked) {
        _client_ bus = client_open();
        _call_ call = { 0 };
        uint64_t start;

        call_open(bus, &call, 0);
        call_generate(bus, &call, 0);
        call_generate(bus, &call, 1);
        start = call_now_usec();
        client_do(bus, call.session.path, SESSION, "Activate", "sua{sv}", "me", 1, 1, "after-usec", "t", SOON);
        ck_assert_uint_eq(call_send(&call), 0);
        heard_wait(bus, &call.heard, "KeyActivated me 1\n");
        ck_assert_uint_ge(call_now_usec() - start, SOON);
        ck_assert_uint_eq(call_send(&call), 1);

        start = call_now_usec();
        client_do(bus, call.session.path, SESSION, "GenerateKey", "sua{sv}", "me", 2, 1, "activate-after-usec", "t",
                  SOON);
        ck_assert_uint_eq(call_send(&call), 1);
        heard_wait(bus, &call.heard, "KeyActivated me 2\n");
        ck_assert_uint_ge(call_now_usec() - start, SOON);
        /* At once, which the option says too. */
        client_do(bus, call.session.path, SESSION, "GenerateKey", "sua{sv}", "me", 3, 1, "activate-after-usec", "t",
                  UINT64_C(0));
        ck_assert_uint_eq(call_send(&call), 3);
        client_fail(bus, call.session.path, SESSION, "Activate", INVALID_ARGS, "sua{sv}", "me", 3, 1, "after-usec", "t",
                    3601 * USEC_PER_SEC);
}
END_TEST

START_TEST(the_first_key_is_used_at_once_whatever_was_asked) {
        _client_ bus = client_open();
        _call_ call = { 0 };

        call_open(bus, &call, 0);
        client_do(bus, call.session.path, SESSION, "GenerateKey", "sua{sv}", "me", 0, 1, "activate-after-usec", "t",
                  SOON);
        ck_assert_uint_eq(call_send(&call), 0);
        client_settle(bus, 2 * SOON);
        ck_assert_uint_eq(heard_count(&call.heard, "KeyActivated me 0\n"), 1);
}
END_TEST

START_TEST(each_video_stream_goes_over_at_its_key_frame) {
        _client_ bus = client_open();
        _call_ call = { 0 };
        uint32_t video;
        Frame frame;

        call_open(bus, &call, 0);
        video = media_add(bus, &call.session, &call.media, "me", "encrypt", "video");
        call_generate(bus, &call, 0);
        client_do(bus, call.session.path, SESSION, "GenerateKey", "sua{sv}", "me", 1, 1, "at-key-frame", "b", 1);
        for (unsigned i = 0; i < 500 && call_send(&call) != 1; i++) /* audio: once the daemon has looked at it */
                (void)usleep(10 * MSEC);
        ck_assert_uint_eq(call_send(&call), 1);
        ck_assert_int_eq(media_send(&call.media, video, FRAMEKEY_FRAME_DELTA, &frame), 0);
        ck_assert_uint_eq(frame.result.key_index, 0);
        ck_assert(frame.result.flags & FRAMEKEY_RESULT_KEYFRAME_WANTED);
        client_settle(bus, 50 * MSEC);
        ck_assert_uint_eq(heard_count(&call.heard, "KeyActivated me 1\n"), 0);
        ck_assert_int_eq(media_send(&call.media, video, FRAMEKEY_FRAME_KEY, &frame), 0);
        ck_assert_uint_eq(frame.result.key_index, 1);
        heard_wait(bus, &call.heard, "KeyActivated me 1\n");
        ck_assert_uint_eq(heard_count(&call.heard, "KeyActivated me 1\n"), 1);
}
END_TEST

/* ---- joins and leaves ---- */

static uint64_t join(sd_bus *bus, const Call *call, const char *identity, int ratchet) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply =
                client_session(bus, call->session.path, "Join", "sa{sv}", identity, 2, "follows", "s", "window",
                               "ratchet", "b", ratchet);
        const char *path;
        uint64_t when;

        ck_assert_int_gt(sd_bus_message_read(reply, "ot", &path, &when), 0);
        ck_assert(client_bool(bus, path, PARTICIPANT, "FollowsWindow"));
        return when;
}

static uint64_t leave(sd_bus *bus, const Call *call, const char *identity) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply =
                client_session(bus, call->session.path, "Leave", "sa{sv}", identity, 0);
        uint64_t when;

        ck_assert_int_gt(sd_bus_message_read(reply, "t", &when), 0);
        return when;
}

START_TEST(joins_cost_one_step_and_soon_after_one_more_for_all) {
        _client_ bus = client_open();
        _call_ call = { 0 };
        uint64_t first, second, third;

        call_open(bus, &call, 2, "coalesce-usec", "t", USEC_PER_SEC, "ratchet-interval-usec", "t", UINT64_C(0));
        call_generate(bus, &call, 0);
        (void)call_send(&call);
        first = join(bus, &call, "ann", 0);
        call_same_time(first, call_realtime_usec());
        heard_wait(bus, &call.heard, "KeyRatcheted me 0 1\n");
        (void)call_send(&call);
        second = join(bus, &call, "bob", 0);
        third = join(bus, &call, "cid", 1);
        ck_assert_uint_gt(second, first + USEC_PER_SEC / 2);
        call_same_time(second, third);
        call_same_time(client_u64(bus, call.session.path, SESSION, "NextRatchetUSec"), second);
        heard_wait(bus, &call.heard, "KeyRatcheted me 0 2\n");
        ck_assert_uint_ge(call_realtime_usec() + 100 * MSEC, second);
        client_settle(bus, SOON);
        ck_assert_uint_eq(heard_count(&call.heard, "KeyRatcheted"), 2);
        ck_assert_uint_eq(client_u64(bus, call.session.path, SESSION, "NextRatchetUSec"), 0);
        ck_assert_uint_eq(heard_count(&call.heard, "RotationRequested"), 0);
        ck_assert_uint_eq(call_logged("audit: join", call.session.id, "result=\"ok\""), 3);
        ck_assert_uint_eq(call_logged("audit: ratchet", call.session.id, "owner="), 2);
}
END_TEST

START_TEST(a_step_is_taken_when_it_is_derived_and_not_forgotten) {
        _client_ bus = client_open();
        _call_ call = { 0 };

        call_open(bus, &call, 0);
        client_do(bus, call.session.path, SESSION, "GenerateKey", "sua{sv}", "me", 0, 2, "kdf", "s", "pbkdf2",
                  "iterations", "u", 200000); /* long enough for the join to come first */
        (void)call_send(&call);
        (void)join(bus, &call, "ann", 0);
        heard_wait(bus, &call.heard, "KeyRatcheted me 0 1\n");
}
END_TEST

START_TEST(a_joiner_who_cannot_be_handed_a_step_gets_a_new_key_if_it_must) {
        _client_ bus = client_open();
        _call_ call = { 0 };

        call_open(bus, &call, 1, "coalesce-usec", "t", UINT64_C(0));
        (void)client_import(bus, call.session.path, "me", 0, "sixteen bytes...");
        (void)call_send(&call);
        (void)join(bus, &call, "ann", 0);
        client_settle(bus, SOON);
        ck_assert_uint_eq(heard_count(&call.heard, "RotationRequested"), 0);
        ck_assert_uint_eq(heard_count(&call.heard, "KeyRatcheted"), 0);
        (void)join(bus, &call, "bob", 1);
        heard_wait(bus, &call.heard, "RotationRequested me 1 member-joined 0\n");
        client_fail(bus, call.session.path, SESSION, "Join", ERROR("ParticipantExists"), "sa{sv}", "bob", 0);
        client_fail(bus, call.session.path, SESSION, "Join", INVALID_ARGS, "sa{sv}", "", 0);
        client_fail(bus, call.session.path, SESSION, "Join", INVALID_ARGS, "sa{sv}", "x", 1, "follows", "s", "both");
}
END_TEST

START_TEST(leaves_cost_one_rotation_and_soon_after_one_more_for_all) {
        _client_ bus = client_open();
        _call_ call = { 0 };
        uint64_t first, second, third;
        char path[256];

        call_open(bus, &call, 2, "coalesce-usec", "t", USEC_PER_SEC, "activate-after-usec", "t", UINT64_C(0));
        for (size_t i = 0; i < 4; i++)
                call_add(bus, &call.session, (const char *[]){ "ann", "bob", "cid", "dan" }[i], "remote", path);
        call_generate(bus, &call, 0);
        first = leave(bus, &call, "ann");
        call_same_time(first, call_realtime_usec());
        heard_wait(bus, &call.heard, "KeyActivated me 1\n");
        second = leave(bus, &call, "bob");
        third = leave(bus, &call, "cid");
        client_do(bus, call.session.path, SESSION, "RemoveParticipant", "sa{sv}", "dan", 1, "rotate", "b", 1);
        ck_assert_uint_gt(second, first + USEC_PER_SEC / 2);
        call_same_time(second, third);
        call_same_time(client_u64(bus, call.session.path, SESSION, "NextRotationUSec"), second);
        heard_wait(bus, &call.heard, "KeyActivated me 2\n");
        client_settle(bus, SOON);
        ck_assert_uint_eq(heard_count(&call.heard, "KeyInstalled"), 3);
        ck_assert_uint_eq(call_send(&call), 2);
        client_fail(bus, call.session.path, SESSION, "Leave", ERROR("NoSuchParticipant"), "sa{sv}", "dan", 0);
        ck_assert_uint_eq(call_logged("audit: leave", call.session.id, "result=\"ok\""), 4);
        ck_assert_uint_eq(call_logged("audit: rotate", call.session.id, "reason=\"member-left\" owner="), 2);
}
END_TEST

START_TEST(removing_rotates_if_so_asked) {
        _client_ bus = client_open();
        _call_ call = { 0 };
        char path[256];

        call_open(bus, &call, 1, "activate-after-usec", "t", UINT64_C(0));
        call_add(bus, &call.session, "ann", "remote", path);
        call_generate(bus, &call, 0);
        client_do(bus, call.session.path, SESSION, "RemoveParticipant", "sa{sv}", "ann", 0);
        client_settle(bus, SOON);
        ck_assert_uint_eq(heard_count(&call.heard, "KeyInstalled"), 1);
        call_add(bus, &call.session, "ann", "remote", path);
        client_do(bus, call.session.path, SESSION, "RemoveParticipant", "sa{sv}", "ann", 1, "rotate", "b", 1);
        heard_wait(bus, &call.heard, "KeyActivated me 1\n");
}
END_TEST

/* ---- who hears what ---- */

START_TEST(streams_that_stall_and_go_on_are_told) {
        _client_ bus = client_open();
        _call_ call = { 0 };
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        uint32_t received, stream, seen;
        _cleanup_free_ char *state = NULL;
        const char *told;
        uint64_t failed;
        char you[256], line[512];
        Frame frame;

        call_open(bus, &call, 0);
        call_add(bus, &call.session, "you", "remote", you);
        received = media_add(bus, &call.session, &call.media, "you", "decrypt", "audio");
        (void)client_import(bus, call.session.path, "me", 2, "sixteen bytes...");
        for (unsigned i = 0; i < 12; i++) {
                ck_assert_int_eq(media_send(&call.media, call.audio, FRAMEKEY_FRAME_UNSPECIFIED, &frame), 0);
                ck_assert_int_eq(media_receive(&call.media, received, &frame), FRAMEKEY_VERDICT_UNKNOWN_KEY);
        }
        (void)snprintf(line, sizeof(line), "DecryptionStalled you %s %u missing-key 2 ", call.media.path, received);
        heard_wait(bus, &call.heard, line);
        ck_assert_int_ge(sd_bus_get_property(bus, "org.framekey1", call.media.path, CHANNEL, "StreamStates", NULL,
                                             &reply, "a(usut)"),
                         0);
        ck_assert_int_gt(sd_bus_message_enter_container(reply, 'a', "(usut)"), 0);
        ck_assert_int_gt(sd_bus_message_skip(reply, "(usut)"), 0); /* the one that sends */
        ck_assert_int_gt(sd_bus_message_read(reply, "(usut)", &stream, &told, &seen, &failed), 0);
        ck_assert_uint_eq(stream, received);
        ck_assert_str_eq(told, "missing-key");
        ck_assert_uint_eq(seen, 2);
        ck_assert_uint_eq(failed, 12);
        state = client_string(bus, you, PARTICIPANT, "State");
        ck_assert_str_eq(state, "missing-key");

        (void)client_import(bus, call.session.path, "you", 2, "sixteen bytes...");
        (void)usleep(USEC_PER_SEC); /* at most one event a second */
        ck_assert_int_eq(media_send(&call.media, call.audio, FRAMEKEY_FRAME_UNSPECIFIED, &frame), 0);
        ck_assert_int_eq(media_receive(&call.media, received, &frame), 0);
        (void)snprintf(line, sizeof(line), "DecryptionResumed you %s %u 12\n", call.media.path, received);
        heard_wait(bus, &call.heard, line);
        heard_wait(bus, &call.heard, "AllFollowed\n");
        ck_assert(client_bool(bus, call.session.path, SESSION, "Followed"));
        ck_assert(client_bool(bus, call.session.path, SESSION, "FullyProtected"));

        memset(frame.bytes, 7, sizeof(frame.bytes));
        for (unsigned i = 0; i < 12; i++)
                ck_assert_int_eq(media_receive(&call.media, received, &frame), FRAMEKEY_VERDICT_MALFORMED);
        (void)snprintf(line, sizeof(line), "UnencryptedFrame you %s %u\n", call.media.path, received);
        heard_wait(bus, &call.heard, line);
        ck_assert(!client_bool(bus, call.session.path, SESSION, "FullyProtected"));
}
END_TEST

static int count(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        const char *path = sd_bus_message_get_path(message);

        *(unsigned *)userdata += path && strlen(path) > strlen(MANAGER_PATH);
        return 0;
}

START_TEST(what_the_daemon_does_by_itself_reaches_the_owners_alone) {
        _client_ owner = client_open();
        _client_ attached = client_open();
        _client_ same_user = client_open();
        _client_ stranger = client_open_as(FOREIGN_UID);
        sd_bus *const others[] = { same_user, stranger };
        unsigned heard_by_others = 0;
        _call_ call = { 0 };
        Heard by_attached = { 0 };
        char path[256];

        call_open(owner, &call, 2, "exclusive", "b", 0, "activate-after-usec", "t", UINT64_C(0));
        client_do(attached, call.session.path, SESSION, "AttachSession", NULL);
        heard_listen(attached, &call.session, &by_attached);
        for (size_t i = 0; i < ELEMENTS(others); i++)
                ck_assert_int_ge(sd_bus_add_match(others[i], NULL, "type='signal',sender='org.framekey1'", count,
                                                  &heard_by_others),
                                 0);
        call_add(owner, &call.session, "ann", "remote", path);
        call_generate(owner, &call, 0);
        (void)leave(owner, &call, "ann");
        heard_wait(owner, &call.heard, "KeyActivated me 1\n");
        heard_wait(attached, &by_attached, "KeyActivated me 1\n");
        for (size_t i = 0; i < ELEMENTS(others); i++)
                client_settle(others[i], SOON);
        ck_assert_uint_eq(heard_by_others, 0);
}
END_TEST

/* ---- administrators ---- */

static void rotate_keys(sd_bus *bus, const char *id, uint32_t *ret_rotated, uint32_t *ret_requested) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply =
                client_manager(bus, "RotateKeys", "ssa{sv}", id, "incident 7", 0);

        ck_assert_int_gt(sd_bus_message_read(reply, "uu", ret_rotated, ret_requested), 0);
}

START_TEST(an_administrator_rotates_the_keys_of_all) {
        _client_ user = client_open_as(FOREIGN_UID);
        _client_ root = client_open();
        _call_ made = { 0 }, given = { 0 };
        uint32_t rotated = 0, requested = 0;

        call_open(user, &made, 1, "activate-after-usec", "t", UINT64_C(0));
        call_open(user, &given, 0);
        call_generate(user, &made, 0);
        (void)client_import(user, given.session.path, "me", 0, "sixteen bytes...");
        rotate_keys(root, "", &rotated, &requested);
        ck_assert_uint_eq(rotated, 1);
        ck_assert_uint_eq(requested, 1);
        heard_wait(user, &made.heard, "KeyActivated me 1\n");
        heard_wait(user, &given.heard, "RotationRequested me 1 admin 0\n");
        rotate_keys(user, given.session.id, &rotated, &requested);
        ck_assert_uint_eq(requested, 1);
        heard_wait(user, &given.heard, "RotationRequested me 1 request 0\n");
        client_fail(user, MANAGER_PATH, MANAGER, "RotateKeys", ERROR("PolicyForbids"), "ssa{sv}", "", "test", 0);
        ck_assert_uint_gt(call_logged("audit: rotate", made.session.id, "reason=\"incident 7\" uid=0"), 0);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("life");
        TCase *one = tcase_create("one user"), *several = tcase_create("several users");

        tcase_set_timeout(one, 60);
        tcase_set_timeout(several, 60);
        tcase_add_test(one, a_key_made_here_is_replaced_distribute_first_then_use);
        tcase_add_test(one, for_imported_keys_their_owner_is_asked);
        tcase_add_test(one, a_shared_key_is_replaced_once_for_all);
        tcase_add_test(one, rotations_that_cannot_be_are_refused);
        tcase_add_test(one, a_key_is_used_after_a_while_if_so_asked);
        tcase_add_test(one, the_first_key_is_used_at_once_whatever_was_asked);
        tcase_add_test(one, each_video_stream_goes_over_at_its_key_frame);
        tcase_add_test(one, joins_cost_one_step_and_soon_after_one_more_for_all);
        tcase_add_test(one, a_step_is_taken_when_it_is_derived_and_not_forgotten);
        tcase_add_test(one, a_joiner_who_cannot_be_handed_a_step_gets_a_new_key_if_it_must);
        tcase_add_test(one, leaves_cost_one_rotation_and_soon_after_one_more_for_all);
        tcase_add_test(one, removing_rotates_if_so_asked);
        tcase_add_test(one, streams_that_stall_and_go_on_are_told);
        suite_add_tcase(suite, one);
        tcase_add_test(several, what_the_daemon_does_by_itself_reaches_the_owners_alone);
        tcase_add_test(several, an_administrator_rotates_the_keys_of_all);
        if (client_is_root())
                suite_add_tcase(suite, several);
        return client_main(suite);
}
