/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What of a ring outlives the process, in state memory that no client sees. Written by ring.c; a later
 * version of the daemon may read it.
 */
#pragma once

#include "channel/ring.h"

#define RING_EPOCH_FIRST 1u
#define RING_SLOT_NONE   UINT16_MAX

struct RingState {
        uint32_t version;
        uint32_t epoch; /* counts the processes that served it */
        uint32_t n_slots[RING_CLASSES];
        uint32_t n_streams;
        uint32_t same_uid;
        uint32_t stream_generation;
        uint64_t done;       /* index behind the last completion of a committed turn */
        uint16_t answered[]; /* by completion index: the slot it is of, or RING_SLOT_NONE */
};

void ring_state_init(RingState *state, const RingConfig *config, uint32_t first_index);
