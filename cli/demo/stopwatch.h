/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Time for measuring. */
#pragma once

#include <stdint.h>
#include <time.h>

static inline uint64_t monotonic_nsec(void) {
        struct timespec now;

        (void)clock_gettime(CLOCK_MONOTONIC, &now); /* fails only for clocks that do not exist */
        return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static inline uint64_t monotonic_usec(void) {
        return monotonic_nsec() / 1000;
}
