/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Counts wake-ups, and the channels that ring, by periods. */
#include "channel/crowd.h"

#include <time.h>

#define PERIOD_USEC  10000u
#define CHANNELS_MIN 128u /* that rang in one period */
#define WAKEUPS_MIN  20u
#define NAP_NSEC     150000

void crowd_note(Crowd *crowd, uint32_t *period) {
        crowd->n_channels += *period != crowd->period;
        *period = crowd->period;
}

void crowd_woken(Crowd *crowd, uint64_t now_usec) {
        crowd->n_wakeups++;
        if (now_usec < crowd->ends_usec)
                return;
        /* After a long sleep the period was no period, but then there was no crowd either. */
        crowd->large = crowd->n_channels >= CHANNELS_MIN && crowd->n_wakeups >= WAKEUPS_MIN;
        crowd->n_channels = crowd->n_wakeups = 0;
        crowd->ends_usec = now_usec + PERIOD_USEC;
        crowd->period++;
}

void crowd_nap(const Crowd *crowd) {
        const struct timespec time = { .tv_nsec = NAP_NSEC };

        if (crowd->large)
                (void)nanosleep(&time, NULL); /* signals are blocked; should it end early, no harm is done */
}
