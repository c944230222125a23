/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* At each limit of one user, administrators and other users are served as ever. Needs root, to be several users. */
#include "client.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define SESSION     "org.framekey1.Session"
#define MANAGER     "org.framekey1.Manager"
#define OTHER_UID   1u /* must have an entry in passwd: dbus-daemon asks for it */
#define FLOODERS    8u
#define FLOOD_CALLS 4000u
#define BOUND_USEC  (2 * USEC_PER_SEC) /* of the slowest call beside a flood, where the machine does much else */

static uint64_t now_usec(void) {
        struct timespec ts;

        (void)clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t)ts.tv_sec * USEC_PER_SEC + (uint64_t)ts.tv_nsec / 1000;
}

static uint64_t calls_refused(sd_bus *admin) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = client_manager(admin, "GetStatistics", NULL);
        uint64_t number, found = UINT64_MAX;
        const char *name;

        ck_assert_int_gt(sd_bus_message_enter_container(reply, 'a', "{sv}"), 0);
        while (sd_bus_message_enter_container(reply, 'e', "sv") > 0) {
                ck_assert_int_gt(sd_bus_message_read(reply, "s", &name), 0);
                if (strcmp(name, "calls-refused") == 0) {
                        ck_assert_int_gt(sd_bus_message_read(reply, "v", "t", &number), 0);
                        found = number;
                } else
                        ck_assert_int_gt(sd_bus_message_skip(reply, "v"), 0);
                ck_assert_int_gt(sd_bus_message_exit_container(reply), 0);
        }
        return found;
}

/* Sends so many calls that nobody waits for. */
static void flood(sd_bus *bus, unsigned n) {
        while (n-- > 0) {
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *message = NULL;

                ck_assert_int_ge(sd_bus_message_new_method_call(bus, &message, "org.framekey1", MANAGER_PATH, MANAGER,
                                                                "GetStatistics"),
                                 0);
                ck_assert_int_ge(sd_bus_message_set_expect_reply(message, 0), 0);
                ck_assert_int_ge(sd_bus_send(bus, message, NULL), 0);
        }
        ck_assert_int_ge(sd_bus_flush(bus), 0);
}

static uint64_t call_takes(sd_bus *bus) {
        uint64_t before = now_usec();

        (void)client_u32(bus, MANAGER_PATH, MANAGER, "Sessions");
        return now_usec() - before;
}

START_TEST(a_flood_of_calls_is_refused_and_delays_nobody) {
        _client_ admin = client_open();
        _client_ other = client_open_as(OTHER_UID);
        sd_bus *flooders[FLOODERS];
        uint64_t worst[2] = { 0, 0 }, refused = calls_refused(admin);

        ck_assert_uint_ne(refused, UINT64_MAX);
        for (unsigned i = 0; i < FLOODERS; i++)
                flooders[i] = client_open_as(FOREIGN_UID);
        for (unsigned round = 0; round < 20; round++) {
                for (unsigned i = 0; i < FLOODERS; i++)
                        flood(flooders[i], FLOOD_CALLS / FLOODERS);
                worst[0] = MAX_OF(worst[0], call_takes(admin));
                worst[1] = MAX_OF(worst[1], call_takes(other));
        }
        (void)printf("calls beside a flood of %u: at most %llu us for an administrator, %llu us for another user\n",
                     20 * FLOOD_CALLS, (unsigned long long)worst[0], (unsigned long long)worst[1]);
        client_fail(flooders[0], MANAGER_PATH, MANAGER, "GetStatistics", ERROR("QuotaExceeded"), NULL);
        ck_assert_uint_ge(calls_refused(admin) - refused, 10 * FLOOD_CALLS);
        ck_assert_uint_le(worst[0], BOUND_USEC);
        ck_assert_uint_le(worst[1], BOUND_USEC);
        (void)usleep(USEC_PER_SEC); /* some are allowed again */
        client_do(flooders[1], MANAGER_PATH, MANAGER, "GetStatistics", NULL);
        for (unsigned i = 0; i < FLOODERS; i++)
                sd_bus_flush_close_unref(flooders[i]);
}
END_TEST

static pid_t daemon_pid(void) {
        const char *pid = getenv("FRAMEKEYD_PID");

        ck_assert_ptr_nonnull(pid);
        return (pid_t)strtol(pid, NULL, 10);
}

START_TEST(the_last_descriptors_are_kept_for_administrators) {
        _client_ admin = client_open();
        _client_ other = client_open_as(FOREIGN_UID);
        TestSession session = client_open_session(other, "livekit", 0), own;
        sd_bus_message *held[16];
        struct rlimit before, few = { .rlim_cur = 120 };
        unsigned n = 0;
        int fd;

        ck_assert_int_eq(prlimit(daemon_pid(), RLIMIT_NOFILE, NULL, &before), 0);
        few.rlim_max = before.rlim_max;
        ck_assert_int_eq(prlimit(daemon_pid(), RLIMIT_NOFILE, &few, NULL), 0);
        for (int r = 0; n < 16 && r >= 0; n += r >= 0) {
                _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;

                r = sd_bus_call_method(other, "org.framekey1", session.path, SESSION, "OpenChannel", &error, &held[n],
                                       "a{sv}", 2, "jumbo-slots", "u", 0, "streams", "u", 1);
                if (r < 0)
                        ck_assert_str_eq(error.name, SD_BUS_ERROR_LIMITS_EXCEEDED);
        }
        ck_assert_uint_gt(n, 0);
        ck_assert_uint_lt(n, 16);
        fd = client_secret("secret");
        client_fail(other, session.path, SESSION, "ImportKey", SD_BUS_ERROR_LIMITS_EXCEEDED, "suha{sv}", "", 0, fd, 0);
        (void)close(fd);

        /* Everything an administrator does, with descriptors in both directions. */
        own = client_open_session(admin, "livekit", 0);
        (void)client_import(admin, own.path, "", 0, "a passphrase");
        client_do(admin, own.path, SESSION, "OpenChannel", "a{sv}", 1, "jumbo-slots", "u", 0);
        client_do(admin, MANAGER_PATH, MANAGER, "CloseSession", "ss", session.id, "test");

        ck_assert_int_eq(prlimit(daemon_pid(), RLIMIT_NOFILE, &before, NULL), 0);
        while (n-- > 0)
                sd_bus_message_unref(held[n]);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("limits");
        TCase *limits = tcase_create("limits");

        if (!client_is_root())
                return 77;
        tcase_set_timeout(limits, 120);
        tcase_add_test(limits, a_flood_of_calls_is_refused_and_delays_nobody);
        tcase_add_test(limits, the_last_descriptors_are_kept_for_administrators);
        suite_add_tcase(suite, limits);
        return client_main(suite);
}
