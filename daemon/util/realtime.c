/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The wall clock, seen from the boot-time clock; see realtime.h. */
#include "util/realtime.h"

#include "util/clock.h"
#include "util/util.h"

#include <time.h>

uint64_t realtime_usec(void) {
        struct timespec now;

        if (clock_gettime(CLOCK_REALTIME, &now) < 0 || now.tv_sec < 0)
                return 0;
        return (uint64_t)now.tv_sec * USEC_PER_SEC + (uint64_t)now.tv_nsec / NSEC_PER_USEC;
}

uint64_t realtime_from_boottime(uint64_t boottime_usec) {
        uint64_t now = clock_boottime_usec(), wall = realtime_usec();

        if (boottime_usec == 0 || boottime_usec == USEC_INFINITY)
                return 0;
        if (boottime_usec >= now)
                return boottime_usec - now < USEC_INFINITY - wall ? wall + (boottime_usec - now) : 0;
        /* A wall clock that was set to before the event: the epoch is as good as any time. */
        return wall > now - boottime_usec ? wall - (now - boottime_usec) : 1;
}
