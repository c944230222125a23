/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the attacks share: the stage they play on, the tally of what the daemon answered, and the
 * victim beside them.
 */
#pragma once

#include "raw-channel.h"

#include <framekey-bus.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* What the daemon answered an attack, by verdict; the last one counts negative answers. */
typedef struct Tally {
        uint64_t n_frames;
        uint64_t n_verdicts[FRAMEKEY_VERDICT_MAX + 1];
} Tally;

typedef struct Stage {
        framekey_session *session; /* without a replay window: attacks repeat frames */
        Tally tally;
        uint64_t until_usec; /* when the attack shall end, by now_usec() */
        uint32_t random;
        bool brief; /* one of many attacks in a short time: what takes luck need not happen */
} Stage;

typedef struct Attack {
        const char *name;
        /* 0; -1 the daemon did something it must not, as said on standard error. */
        int (*run)(Stage *stage);
} Attack;

extern const Attack attacks_from_elsewhere[];
extern const Attack attacks_on_files[];
extern const Attack attacks_on_rings[];
extern const Attack attacks_on_payloads[];
extern const Attack attacks_on_descriptors[];

uint64_t now_usec(void);
bool stage_goes_on(const Stage *stage);
uint32_t stage_random(Stage *stage);
void stage_count(Stage *stage, const struct framekey_abi_completion *completion);
/* Counts; 0 if the completion can be one of the daemon's. */
int stage_check(Stage *stage, const RawChannel *raw, const struct framekey_abi_completion *completion);

/* A session with a shared key, alice who sends and bob who receives. 0; -1, said on standard error. */
int call_open(framekey_client **ret_client, framekey_session **ret_session, const char *label,
              const char *const *options);

/* ---- the victim ---- */

typedef struct Victim Victim;

/* An honest process with a session of its own: an audio frame encrypted and decrypted 50 times a second, every byte
 * compared. Returns when it runs; NULL if it cannot. To be started before any thread. */
Victim *victim_start(void);
/* Ends the process. NULL on success, as for every free; a victim that came to harm was told by victim_measure(). */
Victim *victim_stop(Victim *victim);

typedef struct VictimReport {
        uint64_t n_frames; /* encrypted, or decrypted */
        uint64_t n_wrong;  /* failed, or not the right bytes */
        uint64_t n_late;   /* beyond a second */
        uint64_t p99_usec;
} VictimReport;

void victim_mark(Victim *victim);
/* Since the mark. */
void victim_measure(Victim *victim, VictimReport *ret);
