/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The ratchet chain of one imported secret: the steps that are derived and not yet dead.
 *
 *   step     first          first+1     ...    end-1
 *   holds    key, next      key, next          key, next       in the arena
 *            [handle]       [handle]
 *
 * A chain belongs to the secret and not to a participant, so a shared passphrase is derived once
 * for everybody, and everybody on the same step uses one cipher handle. Steps are appended by
 * the look-ahead and wiped as soon as nobody stands at or before them; what a dead step leaves behind is no
 * material either: the next material's prefix can be the dead key. All calls under the session's lock.
 */
#pragma once

#include "crypto/aead.h"
#include "keys/deriver.h"
#include "keys/ledger.h"
#include "keys/schedule.h"

/* Most steps a chain holds: the spread of participants on one shared key plus the window. */
#define CHAIN_STEPS_MAX 256u

typedef struct Chain Chain;

/* A cipher handle that outlives its step for the grace time. Counted under the session's lock. */
typedef struct ChainHandle {
        unsigned n_refs;
        Aead *aead;          /* trailer formats */
        SuiteCipher *cipher; /* the others */
        uint8_t *salt;       /* SFrame: of the nonce; in the arena */
} ChainHandle;

/* A chain whose first known step is `first_step`; `step` (arena block) is taken over on success.
 * 0; -ENOMEM. The caller holds one reference. */
int chain_new(Chain **ret, const Schedule *schedule, uint32_t first_step, ScheduleStep *step);
Chain *chain_ref(Chain *chain);
/* Wipes with the last reference. Takes NULL; returns NULL. */
Chain *chain_unref(Chain *chain);
DEFINE_CLEANUP(Chain, chain_unref)

const Schedule *chain_schedule(const Chain *chain);
uint32_t chain_first(const Chain *chain);
/* One after the last derived step. */
uint32_t chain_end(const Chain *chain);
/* NULL if the step is not derived yet, or dead. */
const ScheduleStep *chain_at(Chain *chain, uint32_t step);
/* Appends step chain_end(); `step` is taken over in any case. 0; -ENOSPC; -ENOMEM. */
int chain_append(Chain *chain, ScheduleStep *step);
/* Keeps the first `n` steps from now on (retain-root), at most CHAIN_STEPS_MAX; never fewer than before. */
void chain_keep_first(Chain *chain, uint32_t n);
/* The first step ever, and how many from there on are known and kept. */
uint32_t chain_root(const Chain *chain, uint32_t *ret_n);
/* The step whose material leads to the next kept one that is not known any more; NULL: none is missing. */
const ScheduleStep *chain_before_missing(Chain *chain, uint32_t *ret_missing);
/* Fills in the missing kept step; `step` is taken over in any case. 0; -EEXIST it is not missing; -ENOMEM. */
int chain_fill_in(Chain *chain, uint32_t missing, ScheduleStep *step);
/* Wipes all steps before `step` that are not kept; the last one derived always stays. */
void chain_forget_below(Chain *chain, uint32_t step);
/* Derives the later step `step` >= chain_end() at once, for schedules that cost a microsecond a step, into an arena
 * block of the caller's. The chain stays as it is. 0; -ENOMEM; -EIO. */
int chain_walk(const Chain *chain, uint32_t step, ScheduleStep **ret);
/* Goes over to a step that was walked to; `secrets` is taken over. What is before it is wiped. */
void chain_jump(Chain *chain, uint32_t step, ScheduleStep *secrets);

/* The name of the key in a ledger, of keys that count; given once. */
void chain_set_name(Chain *chain, const uint8_t name[LEDGER_NAME_LEN]);
/* Whether both are the same key of a ledger. */
bool chain_same_name(const Chain *a, const Chain *b);
/* Takes the key's counter, before the first frame is sent under it; more than once does no harm. As ledger_claim();
 * LEDGER_SPENT also without a ledger. */
int chain_claim(Chain *chain, Ledger *ledger, bool fresh);
/* NULL: not claimed. */
LedgerEntry *chain_counter(const Chain *chain);

/* A handle of its own for secrets that belong to no chain (yet). As chain_handle(). */
int chain_handle_new(ChainHandle **ret, const Schedule *schedule, const ScheduleStep *secrets);
/* A reference to the step's cipher handle, made on first use. 0; -ENOENT no such step; -ENOMEM. */
int chain_handle(Chain *chain, uint32_t step, ChainHandle **ret);
/* Takes NULL; returns NULL. */
ChainHandle *chain_handle_unref(ChainHandle *handle);
DEFINE_CLEANUP(ChainHandle, chain_handle_unref)

/* Whether a look-ahead job of this class is on its way (kept here, set by the session). */
bool chain_deriving(const Chain *chain, DeriverClass class);
void chain_set_deriving(Chain *chain, DeriverClass class, bool deriving);
