/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Calls that fail on purpose: a small file that a test and tests/framekeyd-faulty both map.
 *
 * The test writes kind and countdown; the countdown-th call of that kind from then on fails, once, as if the system
 * had refused it. Only calls by the daemon's own code count, and what libgcrypt asks the arena for; libsystemd's and
 * the C library's inner calls are their own affair. The path comes in the environment as FRAMEKEYD_FAULTS. The
 * installed daemon has nothing of this.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#define FAULTS_ENVIRONMENT "FRAMEKEYD_FAULTS"
#define FAULTS_MAGIC       0x31544c46u

typedef enum FaultKind {
        FAULT_NONE,
        FAULT_MEMORY,      /* malloc and its like */
        FAULT_ARENA,       /* memory for secrets, ours and libgcrypt's */
        FAULT_DESCRIPTORS, /* what makes a descriptor */
        FAULT_MAPPINGS,    /* what maps, sizes, seals or locks memory */
        FAULT_TRANSFERS,   /* what reads, writes or waits */
        FAULT_THREADS,     /* threads and what they wait on */
        FAULT_ENTROPY,     /* getrandom(2), interrupted */
        FAULT_CRYPTO,      /* libgcrypt */
        FAULT_BUS,         /* libsystemd */
        FAULT_KINDS,
} FaultKind;

typedef struct Faults {
        uint32_t magic;
        _Atomic uint32_t kind;
        _Atomic int64_t countdown;
        _Atomic uint64_t calls[FAULT_KINDS]; /* so far, failed or not */
        _Atomic uint32_t n_struck;
        _Atomic uint32_t serving; /* set by the daemon when its event loop starts */
        char struck[40];          /* the function that failed last */
} Faults;
