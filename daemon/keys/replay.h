/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Replay window for frames with random IVs: the last N accepted IVs of one key generation
 * (design 5, "Replay"; security 4.3).
 *
 * Such frames carry no order, so this is a set and not a sliding window: an old frame is refused
 * until N newer ones were accepted. An IV is stood for by its low 64 bits; two of 4096 random ones
 * agree with probability 2^-41. Grows from 256 to its limit as it fills. One thread at a time.
 */
#pragma once

#include "util/util.h"

typedef struct ReplaySet ReplaySet;

/* `limit`: a power of two, 256..32768. `room`, if not NULL: bytes that this set and others may grow by together; it
 * outlives them. Where it is used up a set stays as it is. 0; -EINVAL; -ENOMEM. */
int replay_new(ReplaySet **ret, uint32_t limit, size_t *room);
/* Takes NULL; returns NULL. */
ReplaySet *replay_free(ReplaySet *set);
DEFINE_CLEANUP(ReplaySet, replay_free)

/* The 64 bits that stand for an IV of 12 bytes. */
uint64_t replay_tag(const uint8_t iv[12]);
bool replay_seen(const ReplaySet *set, uint64_t tag);
/* Adds a tag that is not in the set; the oldest goes when the set is full. Only after authentication. */
void replay_add(ReplaySet *set, uint64_t tag);
/* Adds all of `from` that are missing, oldest first. */
void replay_merge(ReplaySet *set, const ReplaySet *from);
uint32_t replay_count(const ReplaySet *set);
