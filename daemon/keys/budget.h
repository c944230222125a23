/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A share of CPU time for work that anybody can cause by sending garbage: trying further ratchet
 * steps on a frame that did not open (security 4.3).
 *
 * Virtual scheduling (GCRA): one number, the time at which all work allowed so far would be paid
 * for at the given share. Work is allowed while that time is at most `burst` ahead of now. The
 * cost is estimated by the caller, not measured, so behaviour does not depend on the machine's
 * load. Lock-free, any thread.
 */
#pragma once

#include "util/util.h"

#include <stdatomic.h>

typedef struct Budget {
        _Atomic uint64_t paid_nsec; /* CLOCK_BOOTTIME */
} Budget;

typedef struct BudgetLimit {
        uint32_t slowdown;   /* 1 / share of one core */
        uint64_t burst_nsec; /* how far ahead, in wall time */
} BudgetLimit;

/* Takes `cost_nsec` of CPU time if the budget allows; false changes nothing. */
bool budget_take(Budget *budget, const BudgetLimit *limit, uint64_t now_usec, uint64_t cost_nsec);
