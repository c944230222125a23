/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whether so many channels ring, each at its own pace, that a data thread does better to sleep for a
 * moment and then serve the frames of several than to be woken for every one: a wake-up costs more
 * than a frame. Nobody hears the wait in a call of that size. A few channels never get it, however
 * busy they are, since their clients may be waiting for each frame. One thread.
 */
#pragma once

#include "util/util.h"

typedef struct Crowd {
        uint32_t period; /* counts them */
        uint32_t n_channels;
        uint32_t n_wakeups;
        bool large; /* by the last whole period */
        uint64_t ends_usec;
} Crowd;

/* A channel's doorbell rang; `period` is the channel's own, 0 at first. */
void crowd_note(Crowd *crowd, uint32_t *period);
/* The thread had nothing to do and was woken. */
void crowd_woken(Crowd *crowd, uint64_t now_usec);
/* Before the thread waits: sleeps first if there is a crowd. */
void crowd_nap(const Crowd *crowd);
