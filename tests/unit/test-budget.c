/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A share of CPU time is what it says, and saved-up time has an end. */
#include "keys/budget.h"
#include "runner.h"

#define SECOND UINT64_C(1000000)

static const BudgetLimit tenth = { .slowdown = 10, .burst_nsec = 1000000000 };

START_TEST(long_run_share_is_kept) {
        Budget budget = { 0 };
        uint64_t taken = 0;

        for (uint64_t now = 1000 * SECOND; now < 1100 * SECOND; now += 100)
                if (budget_take(&budget, &tenth, now, 100000))
                        taken += 100000;
        /* 100 s at a tenth, and the burst of 0.1 s of CPU */
        ck_assert_uint_ge(taken, UINT64_C(10000000000));
        ck_assert_uint_le(taken, UINT64_C(10200000000));
}
END_TEST

START_TEST(burst_is_bounded_and_refills) {
        Budget budget = { 0 };
        unsigned n = 0;

        while (budget_take(&budget, &tenth, 1000 * SECOND, 1000000))
                n++;
        ck_assert_uint_eq(n, 100);
        ck_assert(!budget_take(&budget, &tenth, 1000 * SECOND + 9999, 1000000));
        ck_assert(budget_take(&budget, &tenth, 1000 * SECOND + 10000, 1000000));
        ck_assert(!budget_take(&budget, &tenth, 1000 * SECOND + 10000, 1));
}
END_TEST

START_TEST(more_than_the_burst_is_never_taken) {
        Budget budget = { 0 };

        ck_assert(!budget_take(&budget, &tenth, 1000 * SECOND, 100000001));
        ck_assert(budget_take(&budget, &tenth, 1000 * SECOND, 100000000));
}
END_TEST

RUN_TESTS("budget", long_run_share_is_kept, burst_is_bounded_and_refills, more_than_the_burst_is_never_taken)
