/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit tests of keys/counter-window, among them DAVE's sequences, and a comparison with a plain list. */
#include "keys/counter-window.h"

#include "format/dave.h"
#include "runner.h"
#include "vector-file.h"

static CounterWindow window_of(uint32_t reach, CounterWindowStart start) {
        CounterWindow window;

        counter_window_init(&window, reach, start);
        return window;
}

/* As a receiver does with an authentic frame. */
static int take(CounterWindow *window, uint64_t counter) {
        int r = counter_window_check(window, counter);

        if (r == 0)
                counter_window_accept(window, counter);
        return r;
}

START_TEST(nothing_is_accepted_twice) {
        CounterWindow window = window_of(COUNTER_WINDOW_REACH, COUNTER_WINDOW_BELOW_FIRST);

        for (uint64_t counter = 0; counter < 5000; counter++) {
                ck_assert_int_eq(take(&window, counter), 0);
                ck_assert_int_eq(take(&window, counter), COUNTER_WINDOW_REPLAYED);
        }
}
END_TEST

START_TEST(asking_changes_nothing) {
        CounterWindow window = window_of(COUNTER_WINDOW_REACH, COUNTER_WINDOW_BELOW_FIRST), before;

        ck_assert_int_eq(take(&window, 10), 0);
        before = window;
        ck_assert_int_eq(counter_window_check(&window, UINT64_MAX), 0);
        ck_assert_int_eq(counter_window_check(&window, 11), 0);
        ck_assert_int_eq(counter_window_check(&window, 9), 0);
        ck_assert_mem_eq(&window, &before, sizeof(window));
}
END_TEST

START_TEST(stragglers_are_accepted_within_reach) {
        static const uint32_t reaches[] = { 0, 1, 63, 64, 65, COUNTER_WINDOW_REACH_DAVE, COUNTER_WINDOW_REACH };

        for (size_t i = 0; i < ELEMENTS(reaches); i++)
                for (uint64_t newest = 2000; newest < 2000 + COUNTER_WINDOW_BITS; newest += 61) {
                        CounterWindow window = window_of(reaches[i], COUNTER_WINDOW_BELOW_FIRST);

                        ck_assert_int_eq(take(&window, newest), 0);
                        ck_assert_int_eq(take(&window, newest - reaches[i] - 1), COUNTER_WINDOW_TOO_OLD);
                        ck_assert_int_eq(take(&window, 0), COUNTER_WINDOW_TOO_OLD);
                        for (uint32_t behind = reaches[i]; behind > 0; behind--)
                                ck_assert_int_eq(take(&window, newest - behind), 0);
                        for (uint32_t behind = 0; behind <= reaches[i]; behind++)
                                ck_assert_int_eq(take(&window, newest - behind), COUNTER_WINDOW_REPLAYED);
                }
}
END_TEST

/* The places of the ring are used again, and must be empty then. */
START_TEST(far_jumps_forget_what_was_seen_and_nothing_else) {
        static const uint64_t jumps[] = {
                1, 2, 63, 64, 65, 1022, 1023, 1024, 1025, 2047, 2048, 1u << 24, UINT64_C(1) << 32, UINT64_MAX - 3000
        };

        for (size_t i = 0; i < ELEMENTS(jumps); i++) {
                CounterWindow window = window_of(COUNTER_WINDOW_REACH, COUNTER_WINDOW_BELOW_FIRST);
                uint64_t newest = 2000 + jumps[i];

                for (uint64_t counter = 2000 - COUNTER_WINDOW_REACH; counter <= 2000; counter++)
                        ck_assert_int_eq(take(&window, counter), 0);
                ck_assert_int_eq(take(&window, newest), 0);
                for (uint64_t counter = newest - COUNTER_WINDOW_REACH; counter < newest; counter++)
                        ck_assert_int_eq(take(&window, counter), counter <= 2000 ? COUNTER_WINDOW_REPLAYED : 0);
        }
}
END_TEST

START_TEST(counters_end_where_64_bits_end) {
        CounterWindow window = window_of(COUNTER_WINDOW_REACH, COUNTER_WINDOW_BELOW_FIRST);

        ck_assert_int_eq(take(&window, UINT64_MAX - 1), 0);
        ck_assert_int_eq(take(&window, UINT64_MAX), 0);
        ck_assert_int_eq(take(&window, UINT64_MAX), COUNTER_WINDOW_REPLAYED);
        ck_assert_int_eq(take(&window, UINT64_MAX - 2), 0);
        ck_assert_int_eq(take(&window, 0), COUNTER_WINDOW_TOO_OLD);
}
END_TEST

START_TEST(the_first_frame_can_be_the_floor) {
        CounterWindow window = window_of(COUNTER_WINDOW_REACH, COUNTER_WINDOW_FROM_FIRST);

        ck_assert_int_eq(take(&window, 500), 0);
        for (uint64_t counter = 0; counter <= 500; counter++)
                ck_assert_int_eq(take(&window, counter), COUNTER_WINDOW_REPLAYED);
        ck_assert_int_eq(take(&window, 700), 0);
        for (uint64_t counter = 501; counter < 700; counter++)
                ck_assert_int_eq(take(&window, counter), 0);
        ck_assert_int_eq(take(&window, 499), COUNTER_WINDOW_REPLAYED);
}
END_TEST

/* Generations that a receiver's age forbids are none of the window's business. */
START_TEST(sequences_of_dave) {
        json_t *root = vector_load("dave.json");
        const json_t *sequence, *step;
        size_t i, k, n_refused = 0;

        json_array_foreach(vector_array(root, "sequences"), i, sequence) {
                CounterWindow window = window_of(COUNTER_WINDOW_REACH_DAVE, COUNTER_WINDOW_FROM_FIRST);

                json_array_foreach(vector_array(sequence, "steps"), k, step) {
                        uint64_t counter = dave_count((uint32_t)vector_number(step, "nonce"), 0);
                        const char *expected = vector_text(step, "decrypt");
                        int r;

                        if (strcmp(expected, "no-cryptor") == 0)
                                continue;
                        r = take(&window, counter);
                        ck_assert_msg((r == 0) == (strcmp(expected, "ok") == 0), "%s, nonce %" PRIu64 ": %d",
                                      vector_text(sequence, "name"), counter, r);
                        n_refused += r != 0;
                }
        }
        ck_assert_uint_ge(n_refused, 8);
        json_decref(root);
}
END_TEST

/* ---- merging ---- */

START_TEST(merged_windows_know_what_each_knew) {
        uint64_t seed = 1;

        for (unsigned round = 0; round < 400; round++) {
                CounterWindow a = window_of(COUNTER_WINDOW_REACH, COUNTER_WINDOW_BELOW_FIRST), b = a, merged;
                uint64_t base_a = 3000, base_b = 3000 + round * 17 % 4000;
                bool in_a[8192] = { false }, in_b[8192] = { false };
                uint64_t newest;

                for (unsigned n = 0; n < round; n++) {
                        uint64_t counter;

                        seed = seed * 6364136223846793005u + 1442695040888963407u;
                        counter = (seed & 1 ? base_a : base_b) + (seed >> 33) % 700;
                        if (seed & 1)
                                in_a[counter] |= take(&a, counter) == 0;
                        else
                                in_b[counter] |= take(&b, counter) == 0;
                }
                merged = a;
                counter_window_merge(&merged, &b);
                newest = MAX_OF(a.newest, b.newest);
                ck_assert_uint_eq(merged.newest, newest);
                ck_assert_uint_eq(merged.in_use, round > 0);
                for (uint64_t counter = newest; round > 0 && newest - counter <= COUNTER_WINDOW_REACH; counter--)
                        ck_assert_int_eq(counter_window_check(&merged, counter),
                                         in_a[counter] || in_b[counter] ? COUNTER_WINDOW_REPLAYED : 0);
        }
}
END_TEST

/* ---- against the obvious ---- */

START_TEST(a_window_answers_as_a_list_does) {
        static bool seen[1 << 20];
        CounterWindow window = window_of(COUNTER_WINDOW_REACH, COUNTER_WINDOW_BELOW_FIRST);
        uint64_t seed = 7, newest = 0;
        bool any = false;

        for (unsigned round = 0; round < 200000; round++) {
                uint64_t counter;
                int expected = 0;

                seed = seed * 6364136223846793005u + 1442695040888963407u;
                counter = newest + (seed >> 40) % 8;
                if ((seed >> 33) % 4 == 0)
                        counter = newest > 1500 ? newest - (seed >> 45) % 1500 : newest;
                if ((seed >> 33) % 1000 == 1)
                        counter = newest + (seed >> 45) % 3000;
                if (counter >= ELEMENTS(seen))
                        break;
                if (any && counter <= newest)
                        expected = newest - counter > COUNTER_WINDOW_REACH ? COUNTER_WINDOW_TOO_OLD
                                   : seen[counter]                         ? COUNTER_WINDOW_REPLAYED
                                                                           : 0;
                ck_assert_int_eq(take(&window, counter), expected);
                if (expected == 0)
                        seen[counter] = true;
                newest = any ? MAX_OF(newest, counter) : counter;
                any = true;
        }
        ck_assert_uint_gt(newest, 100000);
}
END_TEST

RUN_TESTS("counter-window", nothing_is_accepted_twice, asking_changes_nothing, stragglers_are_accepted_within_reach,
          far_jumps_forget_what_was_seen_and_nothing_else, counters_end_where_64_bits_end,
          the_first_frame_can_be_the_floor, sequences_of_dave, merged_windows_know_what_each_knew,
          a_window_answers_as_a_list_does)
