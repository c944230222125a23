/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Times for people and other programs: CLOCK_REALTIME in microseconds, and what a time of the
 * daemon's own clock (util/clock.h) is in it. Stateless, any thread.
 */
#pragma once

#include <stdint.h>

uint64_t realtime_usec(void);
/* When it will be, or was, as the clocks stand now. What is no time stays none: 0 and USEC_INFINITY give 0. */
uint64_t realtime_from_boottime(uint64_t boottime_usec);
