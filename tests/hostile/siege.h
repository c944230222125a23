/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Many attackers at random, and the daemon's footprint before and after; see siege.c. */
#pragma once

#include "hostile.h"

typedef struct SiegeConfig {
        const Attack *const *attacks;
        size_t n_attacks;
        uint32_t seed;
        uint64_t seconds;
        uint64_t bound_usec; /* of the victim's 99th percentile */
        pid_t daemon;
} SiegeConfig;

/* 0; -1 the daemon did what it must not, said on standard error. */
int siege_run(const SiegeConfig *config);
