/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pinned IVs, counters and time for known-answer tests: a small file that a test and
 * tests/framekeyd-hooked both map.
 *
 * The test writes IVs, then `n_armed`; the hooked daemon hands out iv[0], iv[1], ... until `n_armed`
 * are used, and real entropy after that. Counters likewise: a sending key's counter is set to counter[i]
 * and goes on from there. The clock runs ahead by `clock_offset_usec`, from any moment on; timers of the
 * daemon do not. The path comes in the environment as FRAMEKEYD_PINS.
 * The installed daemon has nothing of this: see test-hooks-absent.sh.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#define PINS_ENVIRONMENT "FRAMEKEYD_PINS"
#define PINS_MAGIC       0x31534e50u
#define PINS_MAX         16u

typedef struct Pins {
        uint32_t magic;
        _Atomic uint32_t n_armed;
        _Atomic uint32_t n_used; /* writer: the daemon; the test sets it back to 0 before arming */
        uint8_t iv[PINS_MAX][12];
        _Atomic uint32_t n_counters_armed;
        _Atomic uint32_t n_counters_used; /* as n_used */
        uint64_t counter[PINS_MAX];       /* the next number that counter_take() returns */
        _Atomic uint64_t clock_offset_usec;
} Pins;
