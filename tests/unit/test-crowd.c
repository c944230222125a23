/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A crowd is many channels that ring again and again, and neither a busy few nor many that rang once. */
#include "channel/crowd.h"
#include "runner.h"

#define N_CHANNELS 512u
#define START_USEC UINT64_C(1000000)

/* For `n_msec`, every 100 us another of `n` channels wakes the thread. */
static uint64_t ring(Crowd *crowd, uint32_t *periods, unsigned n, uint64_t now, unsigned n_msec) {
        for (unsigned i = 0; i < n_msec * 10; i++, now += 100) {
                crowd_woken(crowd, now);
                crowd_note(crowd, &periods[i % n]);
        }
        return now;
}

START_TEST(many_channels_are_a_crowd_until_they_stop) {
        uint32_t periods[N_CHANNELS] = { 0 };
        Crowd crowd = { 0 };
        uint64_t now;

        /* 100 in a period of 10 ms are none, as each rings once in it. */
        now = ring(&crowd, periods, N_CHANNELS, START_USEC, 50);
        ck_assert(!crowd.large);
        for (unsigned i = 0; i < 300; i++, now += 50) { /* 200 in a period are */
                crowd_woken(&crowd, now);
                crowd_note(&crowd, &periods[i % N_CHANNELS]);
        }
        ck_assert(crowd.large);
        (void)ring(&crowd, periods, 1, now, 30);
        ck_assert(!crowd.large);
}
END_TEST

START_TEST(a_few_busy_channels_are_none) {
        uint32_t periods[N_CHANNELS] = { 0 };
        Crowd crowd = { 0 };

        for (unsigned i = 0; i < 100000; i++) {
                crowd_woken(&crowd, START_USEC + i);
                crowd_note(&crowd, &periods[i % 100]);
                ck_assert(!crowd.large);
        }
}
END_TEST

START_TEST(many_frames_of_one_wakeup_are_none) {
        uint32_t periods[N_CHANNELS] = { 0 };
        Crowd crowd = { 0 };

        for (unsigned wakeup = 0; wakeup < 100; wakeup++) {
                crowd_woken(&crowd, START_USEC + UINT64_C(1000) * wakeup);
                for (unsigned i = 0; i < N_CHANNELS; i++)
                        crowd_note(&crowd, &periods[i]);
                ck_assert(!crowd.large);
        }
}
END_TEST

RUN_TESTS("crowd", many_channels_are_a_crowd_until_they_stop, a_few_busy_channels_are_none,
          many_frames_of_one_wakeup_are_none)
