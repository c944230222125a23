/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The machine under the timings: clocks, cores, what the daemon's threads and memory cost, and who else is busy. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

uint64_t now_nsec(void);
/* Until this time of now_nsec(). */
void sleep_until(uint64_t nsec);

/* Puts all threads of `daemon` on one core and the caller on another (or the same). Ignored where there is only one. */
void pin(pid_t daemon, int daemon_core, int own_core);
/* Puts the threads of `daemon` that serve frames on one core with the caller, all its others on another. */
void pin_planes(pid_t daemon);

/* What the daemon's threads that serve frames have used since they were born. */
typedef struct ThreadUse {
        uint64_t cpu_nsec;
        uint64_t wakeups; /* how often they slept, in effect */
} ThreadUse;

ThreadUse frames_threads_use(pid_t daemon);

/* The daemon's memory, in bytes. */
typedef struct MemoryUse {
        uint64_t anonymous; /* heap, stacks, private data */
        uint64_t secret;    /* mapped as memfd_secret, resident or not */
        uint64_t state;     /* other shared memory that is not a ring's */
        uint64_t rings;
} MemoryUse;

MemoryUse memory_use(pid_t daemon);

/* How much of both cores others took, the hypervisor included. */
typedef struct Quiet {
        uint64_t start_nsec;
        uint64_t others_nsec;
} Quiet;

Quiet quiet_begin(pid_t daemon);
/* Whether that was so little that a timing may be believed. */
bool quiet_end(const Quiet *quiet, pid_t daemon);
