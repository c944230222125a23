/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whom an application's library believes when another process takes the daemon's name: the owner, and nobody else. The
 * owners here are processes that answer OpenSession and send a signal when they are told to, since the claim is about
 * the library; on a bus of their own.
 */
#include <framekey-bus.h>

#include <check.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include "util/util.h"

#define PATH    "/org/framekey1/session/1"
#define SESSION "org.framekey1.Session"

static sd_bus *bus_open(void) {
        sd_bus *bus;

        ck_assert_int_ge(sd_bus_new(&bus), 0);
        ck_assert_int_ge(sd_bus_set_address(bus, getenv("DBUS_SESSION_BUS_ADDRESS")), 0);
        ck_assert_int_ge(sd_bus_set_bus_client(bus, 1), 0);
        ck_assert_int_ge(sd_bus_start(bus), 0);
        return bus;
}

/* ---- an owner of the name ---- */

static int on_call(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        if (!sd_bus_message_is_method_call(m, "org.framekey1.Manager", "OpenSession"))
                return 0;
        return sd_bus_reply_method_return(m, "so", "1", PATH);
}

/* Sends KeyWiped with this step. */
static void send_step(sd_bus *bus, const char *destination, uint32_t step) {
        sd_bus_message *m;

        ck_assert_int_ge(sd_bus_message_new_signal(bus, &m, PATH, SESSION, "KeyWiped"), 0);
        ck_assert_int_ge(sd_bus_message_append(m, "suu", "", 0, step), 0);
        ck_assert_int_ge(sd_bus_send_to(bus, m, destination, NULL), 0);
        ck_assert_int_ge(sd_bus_flush(bus), 0);
        sd_bus_message_unref(m);
}

/* Serves calls; a byte on the pipe is a step to tell everybody. */
_Noreturn static void serve(int orders) {
        sd_bus *bus = bus_open();
        char step;

        ck_assert_int_ge(sd_bus_add_filter(bus, NULL, on_call, NULL), 0);
        ck_assert_int_ge(sd_bus_request_name(bus, "org.framekey1", 0), 0);
        for (;;) {
                struct pollfd fds[2] = { { .fd = sd_bus_get_fd(bus), .events = POLLIN },
                                         { .fd = orders, .events = POLLIN } };

                while (sd_bus_process(bus, NULL) > 0)
                        ;
                (void)sd_bus_flush(bus);
                (void)poll(fds, 2, -1);
                if (fds[1].revents == 0)
                        continue;
                if (read(orders, &step, 1) != 1)
                        _exit(0);
                send_step(bus, NULL, (uint32_t)step);
        }
}

typedef struct Owner {
        pid_t pid;
        int orders;
} Owner;

static Owner owner_start(sd_bus *bus) {
        Owner owner;
        int pair[2];

        ck_assert_int_eq(pipe(pair), 0);
        owner = (Owner){ .pid = fork(), .orders = pair[1] };
        ck_assert_int_ge(owner.pid, 0);
        if (owner.pid == 0) {
                (void)close(pair[1]);
                serve(pair[0]);
        }
        (void)close(pair[0]);
        while (sd_bus_get_name_creds(bus, "org.framekey1", 0, NULL) < 0)
                (void)usleep(1000);
        return owner;
}

static void owner_tell(const Owner *owner, char step) {
        ck_assert_int_eq(write(owner->orders, &step, 1), 1);
}

static void owner_end(Owner *owner) {
        ck_assert_int_eq(kill(owner->pid, SIGKILL), 0);
        ck_assert_int_eq(waitpid(owner->pid, NULL, 0), owner->pid);
        (void)close(owner->orders);
}

/* ---- the application ---- */

typedef struct Heard {
        uint32_t steps[16];
        unsigned n;
        unsigned n_restarts;
} Heard;

static void on_event(framekey_session *session, const struct framekey_event *event, void *userdata) {
        Heard *heard = userdata;

        if (strcmp(event->name, "Restarted") == 0)
                heard->n_restarts++;
        else
                heard->steps[heard->n++ % 16] = event->step;
}

/* Until so much was heard of both. */
static void hear(framekey_client *client, const Heard *heard, unsigned n, unsigned n_restarts) {
        while (heard->n < n || heard->n_restarts < n_restarts) {
                ck_assert_int_ge(framekey_client_process(client), 0);
                ck_assert_int_ge(sd_bus_wait(framekey_client_get_bus(client), 10000), 0);
        }
        ck_assert_int_ge(framekey_client_process(client), 0);
}

START_TEST(signals_of_the_next_daemon_are_believed_and_of_nobody_else) {
        sd_bus *other = bus_open();
        framekey_session *session;
        framekey_client *client;
        Heard heard = { { 0 }, 0, 0 };
        const char *unique;
        Owner owner;

        owner = owner_start(other);
        ck_assert_int_eq(framekey_client_open(&client, FRAMEKEY_BUS_ADDRESS, getenv("DBUS_SESSION_BUS_ADDRESS"), NULL),
                         0);
        ck_assert_int_ge(sd_bus_get_unique_name(framekey_client_get_bus(client), &unique), 0);
        ck_assert_int_eq(framekey_session_open(client, "livekit", "", NULL, &session), 0);
        ck_assert_int_eq(framekey_session_set_handler(session, on_event, &heard), 0);
        for (uint32_t i = 0; i < 4; i++) {
                send_step(other, unique, 100);
                send_step(other, NULL, 100);
                owner_tell(&owner, (char)(1 + i));
                hear(client, &heard, i + 1, i);
                ck_assert_uint_eq(heard.n, i + 1);
                ck_assert_uint_eq(heard.steps[i], i + 1);
                ck_assert_uint_eq(heard.n_restarts, i);

                owner_end(&owner);
                send_step(other, unique, 100); /* while there is none */
                owner = owner_start(other);
                hear(client, &heard, i + 1, i + 1);
        }
        ck_assert_int_eq(framekey_session_set_handler(session, NULL, NULL), 0);
        owner_end(&owner);
        framekey_session_free(session);
        framekey_client_free(client);
        sd_bus_flush_close_unref(other);
}
END_TEST

int main(void) {
        TCase *tcase = tcase_create("restarted");
        Suite *suite = suite_create("restarted");
        SRunner *runner;
        int failed;

        tcase_set_timeout(tcase, 60);
        tcase_add_test(tcase, signals_of_the_next_daemon_are_believed_and_of_nobody_else);
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
