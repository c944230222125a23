/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Replay window for frames that carry a counter (RFC 3711, 3.3.2): which of the last 1024 numbers up
 * to the newest were accepted. One for each sender, key generation or whatever else the counter
 * counts in.
 *
 * Asked before authentication, moved only after it. Plain data of a fixed size, without pointers,
 * so that it can be kept over a restart. One thread at a time.
 *
 * libdave keeps a list of up to 1000 numbers that it misses, and so accepts a straggler however far
 * behind, while few are missing. Here the reach is 1000 numbers, missing or not: 6 s at its highest
 * rate of frames, and memory that does not grow. What is more than 1000 behind a jump, both refuse.
 */
#pragma once

#include "util/util.h"

#define COUNTER_WINDOW_BITS 1024u
/* How far behind the newest a frame may be. */
#define COUNTER_WINDOW_REACH      (COUNTER_WINDOW_BITS - 1)
#define COUNTER_WINDOW_REACH_DAVE 1000u

typedef enum CounterWindowOutcome {
        COUNTER_WINDOW_REPLAYED = 1, /* accepted before */
        COUNTER_WINDOW_TOO_OLD,      /* behind the window, nobody knows */
} CounterWindowOutcome;

/* Frames that come late at the very start. */
typedef enum CounterWindowStart {
        COUNTER_WINDOW_BELOW_FIRST, /* are accepted like all others */
        COUNTER_WINDOW_FROM_FIRST,  /* count as accepted: nothing below the first frame is, as with libdave */
} CounterWindowStart;

typedef struct CounterWindow {
        uint64_t newest;
        uint64_t seen[COUNTER_WINDOW_BITS / 64]; /* bit: counter mod COUNTER_WINDOW_BITS */
        uint32_t reach;
        uint8_t start;  /* CounterWindowStart */
        uint8_t in_use; /* something was accepted */
        uint8_t pad[2];
} CounterWindow;

/* `reach` <= COUNTER_WINDOW_REACH. */
void counter_window_init(CounterWindow *window, uint32_t reach, CounterWindowStart start);
/* 0: may be accepted once it is authentic. */
int counter_window_check(const CounterWindow *window, uint64_t counter);
/* Only after authentication, of a counter that passed the check. */
void counter_window_accept(CounterWindow *window, uint64_t counter);
/* What `from`, a window of the same kind, has accepted is accepted. */
void counter_window_merge(CounterWindow *window, const CounterWindow *from);
