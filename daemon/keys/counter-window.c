/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The window as a ring of bits: each counter has its place whatever the newest is, so that moving on
 * only clears the places of the numbers passed over.
 */
#include "keys/counter-window.h"

#include <assert.h>

static uint64_t bit_of(uint64_t counter) {
        return UINT64_C(1) << (counter % 64);
}

static uint64_t *word_of(CounterWindow *window, uint64_t counter) {
        return &window->seen[counter / 64 % ELEMENTS(window->seen)];
}

static bool is_seen(const CounterWindow *window, uint64_t counter) {
        return window->seen[counter / 64 % ELEMENTS(window->seen)] & bit_of(counter);
}

void counter_window_init(CounterWindow *window, uint32_t reach, CounterWindowStart start) {
        assert(reach <= COUNTER_WINDOW_REACH);
        *window = (CounterWindow){ .reach = reach, .start = (uint8_t)start };
}

int counter_window_check(const CounterWindow *window, uint64_t counter) {
        if (!window->in_use || counter > window->newest)
                return 0;
        if (window->newest - counter > window->reach)
                return COUNTER_WINDOW_TOO_OLD;
        return is_seen(window, counter) ? COUNTER_WINDOW_REPLAYED : 0;
}

/* Makes `counter` the newest; the numbers between have not been seen. */
static void move_to(CounterWindow *window, uint64_t counter) {
        if (counter - window->newest >= COUNTER_WINDOW_BITS)
                memset(window->seen, 0, sizeof(window->seen));
        else
                for (uint64_t passed = window->newest + 1; passed != counter; passed++)
                        *word_of(window, passed) &= ~bit_of(passed);
        window->newest = counter;
}

void counter_window_accept(CounterWindow *window, uint64_t counter) {
        if (!window->in_use) {
                memset(window->seen, window->start == COUNTER_WINDOW_FROM_FIRST ? 0xff : 0, sizeof(window->seen));
                window->newest = counter;
                window->in_use = true;
        } else if (counter > window->newest) {
                move_to(window, counter);
        }
        *word_of(window, counter) |= bit_of(counter);
}

void counter_window_merge(CounterWindow *window, const CounterWindow *from) {
        if (!from->in_use)
                return;
        if (!window->in_use) {
                *window = *from;
                return;
        }
        if (from->newest > window->newest)
                move_to(window, from->newest);
        for (uint64_t behind = window->newest - from->newest; behind < COUNTER_WINDOW_BITS; behind++)
                if (is_seen(from, window->newest - behind))
                        *word_of(window, window->newest - behind) |= bit_of(window->newest - behind);
}
