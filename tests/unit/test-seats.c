/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Each hot seat of an account has a turn before any has two, whatever heats and cools, and accounts know nothing of
 * each other. */
#include "channel/seats.h"
#include "runner.h"

#define N 40u

static Channel *channel(unsigned i) {
        return (Channel *)(uintptr_t)(i + 1); /* never looked into */
}

static size_t take(Seats *seats, unsigned i, uint32_t account) {
        size_t n;

        ck_assert_int_eq(seats_take(seats, channel(i), account, &n), 0);
        ck_assert_ptr_eq(seats->seats[n].channel, channel(i));
        return n;
}

static void take_hot(Seats *seats, unsigned i, uint32_t account) {
        size_t n = take(seats, i, account);

        seats_heat(seats, &seats->seats[n]);
}

START_TEST(each_hot_seat_has_its_turn_before_any_has_two) {
        unsigned turns[N] = { 0 }, random = 1;
        Seats seats = { 0 };
        Account *account;

        for (unsigned i = 0; i < N; i++)
                ck_assert_uint_eq(take(&seats, i, 7), i);
        account = seats.seats[0].account;
        for (unsigned pass = 0; pass < 1000; pass++) {
                bool hot[N] = { false };

                for (unsigned i = 0; i < N; i++) {
                        random = random * 1103515245 + 12345;
                        if (random >> 16 & 1)
                                seats_heat(&seats, &seats.seats[i]);
                        hot[i] = seats.seats[i].hot_at != SEAT_COLD;
                        turns[i] = 0;
                }
                for (uint32_t left = account->n_hot; left > 0; left--) {
                        Seat *seat = seats_next(&seats, account);

                        turns[seat - seats.seats]++;
                        random = random * 1103515245 + 12345;
                        if (random >> 16 & 1)
                                seats_cool(&seats, seat);
                }
                for (unsigned i = 0; i < N; i++)
                        ck_assert_uint_eq(turns[i], hot[i]);
                ck_assert_uint_eq(seats.n_hot, account->n_hot);
        }
        seats_deinit(&seats);
}
END_TEST

START_TEST(who_has_no_time_left_goes_on_where_it_stopped) {
        unsigned turns[N] = { 0 };
        Seats seats = { 0 };

        for (unsigned i = 0; i < N; i++)
                take_hot(&seats, i, 7);
        for (unsigned i = 0; i < 3 * N; i++) /* one turn at a time, as with the smallest share */
                turns[seats_next(&seats, seats.accounts[0]) - seats.seats]++;
        for (unsigned i = 0; i < N; i++)
                ck_assert_uint_eq(turns[i], 3);
        seats_deinit(&seats);
}
END_TEST

START_TEST(accounts_come_and_go_with_their_seats) {
        Seats seats = { 0 };
        uint32_t use;

        for (unsigned i = 0; i < N; i++)
                take_hot(&seats, i, i % 4);
        ck_assert_uint_eq(seats.n_accounts, 4);
        for (size_t a = 0; a < 4; a++)
                for (unsigned i = 0; i < N / 4; i++)
                        ck_assert_uint_eq((size_t)(seats_next(&seats, seats.accounts[a]) - seats.seats) % 4,
                                          seats.accounts[a]->id);
        for (unsigned i = 0; i < N; i++)
                if (i % 4 != 2)
                        seats_leave(&seats, &seats.seats[i]);
        ck_assert_uint_eq(seats.n_accounts, 1);
        ck_assert_uint_eq(seats.accounts[0]->id, 2);
        ck_assert_uint_eq(seats.n_hot, N / 4);
        /* A seat is used again, and tells apart who used it before. */
        use = seats.seats[0].use;
        ck_assert_uint_eq(take(&seats, 0, 9), 0);
        ck_assert_uint_ne(seats.seats[0].use, use);
        ck_assert_uint_eq(seats.n_accounts, 2);
        seats_deinit(&seats);
}
END_TEST

RUN_TESTS("seats", each_hot_seat_has_its_turn_before_any_has_two, who_has_no_time_left_goes_on_where_it_stopped,
          accounts_come_and_go_with_their_seats)
