/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An unfriendly owner of polkit's name; see polkit.h. */
#include "polkit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define NAME          "org.freedesktop.PolicyKit1"
#define QUESTIONS_MAX 128u

typedef struct Desk {
        Polkit *shared;
        sd_bus_message *waiting[QUESTIONS_MAX];
        unsigned n;
} Desk;

static int answer(const Desk *desk, sd_bus_message *question) {
        switch (desk->shared->mood) {
        case POLKIT_FAILS:
                return sd_bus_reply_method_errorf(question, NAME ".Error.Failed", "Action is not registered");
        case POLKIT_BABBLES:
                return sd_bus_reply_method_return(question, "s", "yes");
        case POLKIT_VANISHES:
                _exit(0);
        default:
                return sd_bus_reply_method_return(question, "(bba{ss})", desk->shared->mood == POLKIT_GRANTS,
                                                  desk->shared->mood == POLKIT_CHALLENGES, 0);
        }
}

static int on_check(sd_bus_message *message, Desk *desk) {
        const char *kind, *key, *subject, *action;
        uint32_t flags;
        int r;

        r = sd_bus_message_read(message, "(sa{sv})s", &kind, 1, &key, "s", &subject, &action);
        if (r >= 0)
                r = sd_bus_message_skip(message, "a{ss}");
        if (r >= 0)
                r = sd_bus_message_read(message, "u", &flags);
        if (r < 0 || strcmp(kind, "system-bus-name") != 0 || strcmp(key, "name") != 0 || desk->n >= QUESTIONS_MAX)
                return -EINVAL;
        desk->shared->flags = flags;
        (void)snprintf(desk->shared->action, sizeof(desk->shared->action), "%s", action);
        (void)snprintf(desk->shared->subject, sizeof(desk->shared->subject), "%s", subject);
        desk->waiting[desk->n++] = sd_bus_message_ref(message);
        desk->shared->n_waiting = desk->n;
        desk->shared->n_asked++;
        return 1;
}

/* Not a vtable: one would not let a wrong answer out. */
static int on_call(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        Desk *desk = userdata;

        if (sd_bus_message_is_method_call(message, NAME ".Authority", "CheckAuthorization") > 0)
                return on_check(message, desk);
        if (sd_bus_message_is_method_call(message, NAME ".Authority", "CancelCheckAuthorization") <= 0)
                return 0;
        desk->shared->n_cancelled++;
        return sd_bus_reply_method_return(message, NULL);
}

static void serve(Polkit *shared, int ready) {
        Desk desk = { .shared = shared };
        sd_bus *bus = NULL;

        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || sd_bus_open_system(&bus) < 0 ||
            sd_bus_add_object(bus, NULL, "/org/freedesktop/PolicyKit1/Authority", on_call, &desk) < 0 ||
            sd_bus_request_name(bus, NAME, 0) < 0 || write(ready, "x", 1) != 1)
                _exit(1);
        for (;;) {
                int r = sd_bus_process(bus, NULL);

                if (r == 0)
                        r = sd_bus_wait(bus, 5 * MSEC); /* the mood may change */
                if (r < 0 && r != -EINTR)
                        _exit(1);
                while (desk.n > 0 && shared->mood != POLKIT_HANGS) {
                        (void)answer(&desk, desk.waiting[--desk.n]); /* who asked may be gone */
                        sd_bus_message_unref(desk.waiting[desk.n]);
                        shared->n_waiting = desk.n;
                }
        }
}

Polkit *polkit_start(PolkitMood mood) {
        Polkit *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        int ready[2];
        pid_t pid;
        char byte;

        ck_assert_ptr_ne(shared, MAP_FAILED);
        ck_assert_int_eq(pipe2(ready, O_CLOEXEC), 0);
        shared->mood = mood;
        pid = fork();
        ck_assert_int_ge(pid, 0);
        if (pid == 0)
                serve(shared, ready[1]);
        shared->pid = pid;
        (void)close_fd(ready[1]);
        ck_assert_int_eq((int)read(ready[0], &byte, 1), 1);
        (void)close_fd(ready[0]);
        return shared;
}

void polkit_stop(Polkit *polkit) {
        if (!polkit)
                return;
        (void)kill(polkit->pid, SIGKILL); /* it may have vanished by itself */
        (void)waitpid(polkit->pid, NULL, 0);
        (void)munmap(polkit, sizeof(*polkit));
}

void polkit_wait(const volatile unsigned *count, unsigned n) {
        for (unsigned i = 0; i < 500 && *count < n; i++)
                (void)usleep(10 * MSEC);
        ck_assert_uint_ge(*count, n);
}
