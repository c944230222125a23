/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who owns polkit's name on the bus of a test, and does not do what polkit does: denies all, hangs, dies over
 * a question, talks nonsense. That the real one is understood is shown in tests/nspawn.
 */
#pragma once

#include "call.h"

typedef enum PolkitMood {
        POLKIT_HANGS, /* questions wait until the mood changes */
        POLKIT_GRANTS,
        POLKIT_DENIES,
        POLKIT_CHALLENGES,
        POLKIT_FAILS,    /* an error of polkit's */
        POLKIT_BABBLES,  /* an answer of another type */
        POLKIT_VANISHES, /* leaves the bus when asked */
} PolkitMood;

/* A process of its own; what is in here is shared with it. */
typedef struct Polkit {
        volatile PolkitMood mood;
        volatile unsigned n_asked, n_cancelled, n_waiting;
        volatile uint32_t flags; /* of the last question, like the next two */
        char action[64];
        char subject[64];
        pid_t pid;
} Polkit;

/* Takes the name, and answers from then on. */
Polkit *polkit_start(PolkitMood mood);
/* Leaves the bus. Takes NULL. */
void polkit_stop(Polkit *polkit);
static inline void polkit_stop_p(Polkit **polkit) {
        polkit_stop(*polkit);
}
#define _polkit_ _cleanup_(polkit_stop_p) Polkit *
/* Waits until so many have been asked, at most five seconds; then the case ends. */
void polkit_wait(const volatile unsigned *count, unsigned n);
