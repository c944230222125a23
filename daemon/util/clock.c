/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kernel's boot-time clock. Any thread.
 */
#include "util/clock.h"

#include "util/util.h"

#include <time.h>

uint64_t clock_boottime_usec(void) {
        struct timespec now;

        if (clock_gettime(CLOCK_BOOTTIME, &now) < 0)
                abort(); /* only a seccomp filter can do this; without time no key would ever die */
        return (uint64_t)now.tv_sec * USEC_PER_SEC + (uint64_t)now.tv_nsec / NSEC_PER_USEC;
}
