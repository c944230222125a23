/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which frames of one key generation were accepted: by their IVs where these are random (replay.h), by
 * their counters where they count (counter-window.h). One thread at a time.
 */
#pragma once

#include "keys/counter-window.h"
#include "keys/replay.h"

typedef struct Seen Seen;

typedef struct SeenKind {
        uint32_t n_ivs; /* most IVs that are remembered; 0: counters */
        size_t *room;   /* of IVs, see replay_new() */
        uint32_t reach; /* see counter_window_init() */
        CounterWindowStart start;
} SeenKind;

/* 0; -ENOMEM; -EINVAL. */
int seen_new(Seen **ret, const SeenKind *kind);
/* Another one of the same kind that has accepted the same. 0; -ENOMEM. */
int seen_copy(Seen **ret, const Seen *from);
/* Takes NULL; returns NULL. */
Seen *seen_free(Seen *seen);
DEFINE_CLEANUP(Seen, seen_free)
/* `number`: replay_tag() of the IV, or the counter. 0: not yet; FRAMEKEY_VERDICT_REPLAYED; FRAMEKEY_VERDICT_TOO_OLD
 * nobody knows any more. */
int seen_check(const Seen *seen, uint64_t number);
/* After authentication, of a number that passed the check. */
void seen_add(Seen *seen, uint64_t number);
/* Both of the same kind. */
void seen_merge(Seen *seen, const Seen *from);
/* The IVs, of that kind. */
const ReplaySet *seen_ivs(const Seen *seen);
