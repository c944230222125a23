/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a daemon holds: by its directory in /proc, and by its own word on the bus. Two of them, before and after, show
 * what clients left behind.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef enum FootprintKind {
        FOOTPRINT_FDS,
        FOOTPRINT_MAPPINGS,
        FOOTPRINT_REGIONS, /* mappings of memory that clients share */
        FOOTPRINT_THREADS,
        FOOTPRINT_ARENA, /* bytes */
        FOOTPRINT_QUOTA, /* all that is charged to anybody, bytes and pieces summed up */
        FOOTPRINT_MAX,
} FootprintKind;

typedef struct Footprint {
        uint64_t n[FOOTPRINT_MAX];
} Footprint;

/* 0; -1, said on standard error: most likely the daemon is gone. Needs the rights of an administrator. */
int footprint_take(Footprint *ret, pid_t daemon);
/* The same, when nothing is charged to anybody any more. */
int footprint_settle(Footprint *ret, pid_t daemon, unsigned seconds);
/* Waits until the daemon holds no more than before, or for so long; then complains. `before` may be more: caches. */
int footprint_wait(const Footprint *before, pid_t daemon, unsigned seconds);
void footprint_print(const char *when, const Footprint *footprint);
