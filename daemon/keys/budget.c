/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Virtual scheduling of rationed work; see budget.h. */
#include "keys/budget.h"

bool budget_take(Budget *budget, const BudgetLimit *limit, uint64_t now_usec, uint64_t cost_nsec) {
        uint64_t now = now_usec * NSEC_PER_USEC;
        uint64_t paid = atomic_load_explicit(&budget->paid_nsec, memory_order_relaxed);
        uint64_t after;

        /* Relaxed: the number guards nothing but itself; a lost race only means another round. */
        do {
                uint64_t from = MAX_OF(paid, now);

                after = from + cost_nsec * limit->slowdown;
                if (after - now > limit->burst_nsec)
                        return false;
        } while (!atomic_compare_exchange_weak_explicit(&budget->paid_nsec, &paid, after, memory_order_relaxed,
                                                        memory_order_relaxed));
        return true;
}
