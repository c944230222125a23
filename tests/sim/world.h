/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The machine that the key layer runs on in the simulation: its clock, its timers and its random
 * numbers are the test's. world.c defines what the key layer would otherwise take from libc or from
 * util/clock.o and util/entropy.o, so nothing of the real time or of the kernel's entropy gets in.
 *
 * There is one world a process. Main thread, except where said.
 */
#pragma once

#include "util/util.h"

/* Starts anew: the clock, the random numbers. */
void world_start(uint64_t seed);
/* CLOCK_BOOTTIME. Any thread. */
uint64_t world_now(void);
/* Lets time pass, never back. Timers that are due by then become readable. True: there was one. */
bool world_set_now(uint64_t usec);
/* When the next timer is due; USEC_INFINITY: none is armed. */
uint64_t world_next_timer(void);
/* Somebody sets CLOCK_REALTIME. */
void world_jump_realtime(int64_t usec);
/* How often the key layer asked for CLOCK_REALTIME. */
unsigned world_n_realtime_reads(void);
