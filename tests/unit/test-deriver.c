/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The order in which derivations are served. */
#include "crypto/arena.h"
#include "keys/deriver.h"
#include "keys/preset.h"
#include "runner.h"

#include <poll.h>

#define JOBS_MAX 40u

static Deriver *deriver;
static DeriveJob jobs[JOBS_MAX];
static Schedule slow, quick;
static uint32_t done[JOBS_MAX]; /* accounts, as they were served */
static size_t n_done, n_submitted;

static void note(DeriveJob *job) {
        ck_assert_int_eq(job->error, 0);
        done[n_done++] = job->account;
        job->material = secret_free(job->material);
        arena_release(arena_installed(), job->result);
}

static void submit(uint32_t account, const Schedule *schedule) {
        DeriveJob *job = &jobs[n_submitted++];

        *job = (DeriveJob){ .schedule = schedule, .n_steps = 1, .account = account, .done = note };
        ck_assert_int_eq(secret_new_copy(&job->material, "passphrase", 10), 0);
        deriver_submit(deriver, job, DERIVER_AWAITED);
}

static void setup(void) {
        Arena *arena;

        ck_assert_int_eq(arena_new(&arena, 1024 * 1024, ARENA_PROTECTION_SECRETMEM), 0);
        ck_assert_int_eq(arena_install(arena), 0);
        ck_assert_int_eq(deriver_new(&deriver), 0);
        preset_schedule(preset_find("livekit-passphrase"), &slow);
        quick = slow;
        slow.iterations = 2000000; /* as long as it takes to put all others into the queue, and far longer */
        quick.iterations = 100;
}

static void finish(void) {
        struct pollfd poll_fd = { .fd = deriver_event_fd(deriver), .events = POLLIN };

        while (n_done < n_submitted) {
                ck_assert_int_gt(poll(&poll_fd, 1, 60000), 0);
                deriver_dispatch(deriver);
        }
        deriver_free(deriver);
}

START_TEST(accounts_take_turns) {
        /* The thread may wake before the others are in its queue, or after. */
        static const uint32_t expected[] = { 1, 3, 7, UINT32_MAX, 3, 7, 7, 7 };

        setup();
        submit(1, &slow);
        for (size_t i = 0; i < 4; i++)
                submit(7, &quick);
        submit(3, &quick);
        submit(UINT32_MAX, &quick);
        submit(3, &quick);
        finish();
        ck_assert_uint_eq(n_done, ELEMENTS(expected));
        ck_assert_mem_eq(done, expected, sizeof(expected));
}
END_TEST

static size_t order[JOBS_MAX], n_order;

static void note_order(DeriveJob *job) {
        order[n_order++] = (size_t)(job - jobs);
        note(job);
}

START_TEST(an_account_is_served_in_order) {
        setup();
        submit(1, &slow);
        for (uint32_t i = 0; i < 30; i++)
                submit(i % 3, &quick);
        for (size_t i = 0; i < n_submitted; i++)
                jobs[i].done = note_order;
        finish();
        for (uint32_t account = 0; account < 3; account++) {
                size_t last = 0;

                for (size_t i = 0; i < n_order; i++)
                        if (jobs[order[i]].account == account) {
                                ck_assert(order[i] >= last);
                                last = order[i];
                        }
        }
}
END_TEST

RUN_TESTS("deriver", accounts_take_turns, an_account_is_served_in_order)
