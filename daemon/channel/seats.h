/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The channels of one data thread: who has a seat, which seats are hot, that is, get turns, and to
 * whose account they go, so that nobody waits for all the channels of somebody else. One thread.
 */
#pragma once

#include "util/util.h"

typedef struct Channel Channel;

/* All seats of one user. */
typedef struct Account {
        uint32_t id;
        uint32_t n_seats;
        uint32_t *hot; /* their numbers; room for n_seats */
        uint32_t n_hot;
        uint32_t next; /* the turn that comes is that of hot[next - 1] */
} Account;

/* Events name a seat and its use count, so that one fetched before a channel was removed does not reach its successor.
 */
typedef struct Seat {
        Channel *channel; /* NULL: free */
        Account *account;
        uint32_t use;
        uint32_t hot_at; /* in the account's list; SEAT_COLD: nowhere */
        uint32_t period; /* for crowd_note() */
} Seat;

#define SEAT_COLD UINT32_MAX

typedef struct Seats {
        Seat *seats;
        size_t n;
        Account **accounts;
        size_t n_accounts;
        size_t n_hot;
} Seats;

/* Gives the channel a cold seat. 0 and its number; -ENOMEM. */
int seats_take(Seats *seats, Channel *channel, uint32_t account, size_t *ret);
void seats_leave(Seats *seats, Seat *seat);
void seats_heat(Seats *seats, Seat *seat);
void seats_cool(Seats *seats, Seat *seat);
/* The account's seat whose turn it is, from the last to the first, and then again; one that cools is replaced by one
 * that had its turn. The account has a hot seat. */
Seat *seats_next(Seats *seats, Account *account);
/* The seat whose turn comes `ahead` turns after that one in this pass, NULL: none. */
const Seat *seats_ahead(const Seats *seats, const Account *account, unsigned ahead);
void seats_deinit(Seats *seats);
