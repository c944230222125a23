/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What one user may hold, that it is given back, and that it is nobody else's loss. */
#include "client.h"

#include <fcntl.h>
#include <stdio.h>

#define SESSION  "org.framekey1.Session"
#define MANAGER  "org.framekey1.Manager"
#define CHANNELS 16u

START_TEST(sixteen_sessions_a_user) {
        _client_ bus = client_open();
        TestSession last = { 0 };

        for (unsigned i = 0; i < 16; i++)
                last = client_open_session(bus, "livekit", 0);
        client_fail(bus, MANAGER_PATH, MANAGER, "OpenSession", ERROR("QuotaExceeded"), "ssa{sv}", "livekit", "test", 0);
        client_do(bus, last.path, SESSION, "Close", NULL);
        (void)client_open_session(bus, "livekit", 0);
        if (geteuid() == 0) {
                _client_ other = client_open_as(FOREIGN_UID);

                (void)client_open_session(other, "livekit", 0);
        }
}
END_TEST

START_TEST(sixteen_channels_a_user) {
        _client_ bus = client_open();
        TestSession session = client_open_session(bus, "livekit", 0);
        sd_bus_message *held[CHANNELS]; /* with their descriptors, so that the channels stay */
        const char *channel;

        for (size_t i = 0; i < CHANNELS; i++)
                held[i] = client_session(bus, session.path, "OpenChannel", "a{sv}", 2, "jumbo-slots", "u", 0, "streams",
                                         "u", 1);
        client_fail(bus, session.path, SESSION, "OpenChannel", ERROR("QuotaExceeded"), "a{sv}", 0);
        ck_assert_int_ge(sd_bus_message_read(held[0], "o", &channel), 0);
        client_do(bus, channel, "org.framekey1.Channel", "Close", NULL);
        client_do(bus, session.path, SESSION, "OpenChannel", "a{sv}", 1, "jumbo-slots", "u", 0);
        for (size_t i = 0; i < CHANNELS; i++)
                sd_bus_message_unref(held[i]);
}
END_TEST

START_TEST(region_bytes_are_counted) {
        _client_ bus = client_open();
        TestSession session = client_open_session(bus, "livekit", 0);
        sd_bus_message *held;

        client_fail(bus, session.path, SESSION, "OpenChannel", ERROR("QuotaExceeded"), "a{sv}", 1, "jumbo-slots", "u",
                    64);
        held = client_session(bus, session.path, "OpenChannel", "a{sv}", 1, "jumbo-slots", "u", 16);
        client_fail(bus, session.path, SESSION, "OpenChannel", ERROR("QuotaExceeded"), "a{sv}", 1, "jumbo-slots", "u",
                    16);
        client_fail(bus, session.path, SESSION, "OpenChannel", INVALID_ARGS, "a{sv}", 1, "small-slots", "u", 1023);
        sd_bus_message_unref(held);
}
END_TEST

START_TEST(a_channel_nobody_holds_gives_its_charge_back) {
        _client_ bus = client_open();
        TestSession session = client_open_session(bus, "livekit", 0);

        /* The descriptors die with each reply; the daemon hears of it by the pipe. */
        for (unsigned i = 0; i < 64; i++) {
                _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
                int r = -EDQUOT;

                for (unsigned wait = 0; r < 0 && wait < 300; wait++) {
                        sd_bus_error_free(&error);
                        r = sd_bus_call_method(bus, "org.framekey1", session.path, SESSION, "OpenChannel", &error, NULL,
                                               "a{sv}", 0);
                        if (r < 0)
                                (void)usleep(10 * USEC_PER_MSEC);
                }
                ck_assert_msg(r >= 0, "%s", error.message);
        }
}
END_TEST

START_TEST(keys_are_counted_and_given_back) {
        _client_ bus = client_open();
        TestSession session = client_open_session(bus, "element-call", 0);
        char name[16];

        for (uint32_t i = 0; i < 1024; i++) {
                (void)snprintf(name, sizeof(name), "p%u", i / 256);
                if (i % 256 == 0)
                        client_do(bus, session.path, SESSION, "AddParticipant", "ssa{sv}", name, "remote", 0);
                client_do(bus, session.path, SESSION, "GenerateKey", "sua{sv}", name, i % 256, 0);
        }
        client_do(bus, session.path, SESSION, "AddParticipant", "ssa{sv}", "more", "remote", 0);
        client_fail(bus, session.path, SESSION, "GenerateKey", ERROR("QuotaExceeded"), "sua{sv}", "more", 0, 0);
        /* In place of one that is there: costs nothing. */
        client_do(bus, session.path, SESSION, "GenerateKey", "sua{sv}", "p0", 0, 0);
        client_do(bus, session.path, SESSION, "RetireKey", "su", "p0", 0);
        client_do(bus, session.path, SESSION, "GenerateKey", "sua{sv}", "more", 0, 0);
        client_fail(bus, session.path, SESSION, "GenerateKey", ERROR("QuotaExceeded"), "sua{sv}", "more", 1, 0);
        client_do(bus, session.path, SESSION, "RemoveParticipant", "sa{sv}", "p1", 0);
        client_do(bus, session.path, SESSION, "GenerateKey", "sua{sv}", "more", 1, 0);
        client_do(bus, session.path, SESSION, "Close", NULL);
        ck_assert_uint_eq(client_u32(bus, MANAGER_PATH, MANAGER, "Keys"), 0);
}
END_TEST

/* So many keys for remote participants. */
static void fill(sd_bus *bus, const TestSession *session, uint32_t n) {
        char name[16];

        for (uint32_t i = 0; i < n; i++) {
                (void)snprintf(name, sizeof(name), "p%u", i / 256);
                if (i % 256 == 0)
                        client_do(bus, session->path, SESSION, "AddParticipant", "ssa{sv}", name, "remote", 0);
                client_do(bus, session->path, SESSION, "GenerateKey", "sua{sv}", name, i % 256, 0);
        }
}

static void wait_for_keys(sd_bus *bus, uint32_t n) {
        for (unsigned i = 0; i < 500 && client_u32(bus, MANAGER_PATH, MANAGER, "Keys") != n; i++)
                (void)usleep(10 * USEC_PER_MSEC);
        ck_assert_uint_eq(client_u32(bus, MANAGER_PATH, MANAGER, "Keys"), n);
}

START_TEST(a_rotation_is_not_refused_but_counts) {
        _client_ bus = client_open();
        TestSession session = client_open_session(bus, "element-call", 2, "activate-after-usec", "t", USEC_PER_SEC,
                                                  "grace-usec", "t", 100 * USEC_PER_MSEC),
                    other = client_open_session(bus, "livekit", 0);
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        uint32_t rotated;

        client_do(bus, session.path, SESSION, "AddParticipant", "ssa{sv}", "me", "local", 0);
        client_do(bus, session.path, SESSION, "GenerateKey", "sua{sv}", "me", 0, 0);
        fill(bus, &session, 1022);
        client_do(bus, other.path, SESSION, "GenerateKey", "sua{sv}", "", 0, 0);
        client_fail(bus, other.path, SESSION, "GenerateKey", ERROR("QuotaExceeded"), "sua{sv}", "", 1, 0);
        reply = client_session(bus, session.path, "Rotate", "ssa{sv}", "me", "test", 0);
        ck_assert_int_gt(sd_bus_message_read(reply, "u", &rotated), 0);
        ck_assert_uint_eq(rotated, 1);
        wait_for_keys(bus, 1025);
        /* One over the limit: giving one back makes no room yet. */
        client_do(bus, other.path, SESSION, "RetireKey", "su", "", 0);
        client_fail(bus, other.path, SESSION, "GenerateKey", ERROR("QuotaExceeded"), "sua{sv}", "", 0, 0);
        wait_for_keys(bus, 1023); /* the old one has died */
        client_do(bus, other.path, SESSION, "GenerateKey", "sua{sv}", "", 0, 0);
        client_fail(bus, other.path, SESSION, "GenerateKey", ERROR("QuotaExceeded"), "sua{sv}", "", 1, 0);
}
END_TEST

START_TEST(rotations_over_the_quota_pile_up_nothing) {
        _client_ bus = client_open();
        TestSession session = client_open_session(bus, "element-call", 3, "activate-by-hand", "b", 1,
                                                  "retire-superseded", "b", 0, "ring-size", "u", 256);

        client_do(bus, session.path, SESSION, "AddParticipant", "ssa{sv}", "me", "local", 0);
        client_do(bus, session.path, SESSION, "GenerateKey", "sua{sv}", "me", 0, 0);
        fill(bus, &session, 1023);
        for (uint32_t i = 1; i < 20; i++) {
                uint64_t deadline = 500;
                int r = -1;

                client_do(bus, session.path, SESSION, "Rotate", "ssa{sv}", "me", "test", 0);
                for (; r < 0 && deadline-- > 0; (void)usleep(USEC_PER_MSEC))
                        r = sd_bus_call_method(bus, "org.framekey1", session.path, SESSION, "Activate", NULL, NULL,
                                               "sua{sv}", "me", i, 0);
                ck_assert_int_ge(r, 0);
                ck_assert_uint_le(client_u32(bus, MANAGER_PATH, MANAGER, "Keys"), 1025);
        }
}
END_TEST

static int on_refused(sd_bus_message *reply, void *userdata, sd_bus_error *unused) {
        const sd_bus_error *error = sd_bus_message_get_error(reply);

        if (error && strcmp(error->name, ERROR("QuotaExceeded")) == 0)
                *(int *)userdata = 1;
        return 0;
}

START_TEST(waiting_imports_are_counted) {
        _client_ bus = client_open();
        _client_ other = client_open();
        TestSession session = client_open_session(bus, "element-call", 0), another;
        int fds[2], refused = 0;

        ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
        client_do(bus, session.path, SESSION, "AddParticipant", "ssa{sv}", "me", "remote", 0);
        for (uint32_t i = 0; i < 65; i++)
                ck_assert_int_ge(sd_bus_call_method_async(bus, NULL, "org.framekey1", session.path, SESSION,
                                                          "ImportKey", on_refused, &refused, "suha{sv}", "me", i,
                                                          fds[0], 0),
                                 0);
        client_wait(bus, &refused);
        /* Other calls of the same user go on; so do imports, once these have ended. */
        another = client_open_session(other, "livekit", 0);
        client_do(bus, session.path, SESSION, "Close", NULL);
        (void)client_import(other, another.path, "", 0, "a passphrase");
        (void)close(fds[0]);
        (void)close(fds[1]);
}
END_TEST

START_TEST(attached_connections_are_bounded) {
        _client_ bus = client_open();
        TestSession session = client_open_session(bus, "livekit", 1, "exclusive", "b", 0);
        sd_bus *attached[33];

        for (size_t i = 0; i < 32; i++) {
                attached[i] = client_open();
                client_do(attached[i], session.path, SESSION, "AttachSession", NULL);
        }
        attached[32] = client_open();
        client_fail(attached[32], session.path, SESSION, "AttachSession", ERROR("QuotaExceeded"), NULL);
        for (size_t i = 0; i < 33; i++)
                sd_bus_flush_close_unref(attached[i]);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("quotas");
        TCase *quotas = tcase_create("quotas");

        tcase_set_timeout(quotas, 120);
        tcase_add_test(quotas, sixteen_sessions_a_user);
        tcase_add_test(quotas, sixteen_channels_a_user);
        tcase_add_test(quotas, region_bytes_are_counted);
        tcase_add_test(quotas, a_channel_nobody_holds_gives_its_charge_back);
        tcase_add_test(quotas, keys_are_counted_and_given_back);
        tcase_add_test(quotas, a_rotation_is_not_refused_but_counts);
        tcase_add_test(quotas, rotations_over_the_quota_pile_up_nothing);
        tcase_add_test(quotas, waiting_imports_are_counted);
        tcase_add_test(quotas, attached_connections_are_bounded);
        suite_add_tcase(suite, quotas);
        return client_main(suite);
}
