/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who holds which slot of a channel, and the completions that came but were not asked for yet.
 *
 *   FREE -> RESERVED -> SUBMITTED -> DONE -> REAPED -> FREE
 *                           |                  |
 *                           `-> ABANDONED -----'     the caller stopped waiting: free when it completes
 *
 * Private memory of the library; the channel's lock is held. Every slot has at most one completion
 * on its way, so there is room for all of them here and nothing is allocated per frame.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "framekey-abi.h"

#define SLOT_NONE UINT32_MAX

typedef enum SlotState {
        SLOT_FREE = 0,
        SLOT_RESERVED,
        SLOT_SUBMITTED,
        SLOT_ABANDONED,
        SLOT_DONE,
        SLOT_REAPED,
} SlotState;

typedef struct Slot {
        SlotState state;
        uint32_t stream;
        uint32_t offset;    /* RESERVED: where the frame begins, behind the metadata */
        uint32_t capacity;  /* RESERVED: what was asked for */
        uint32_t clear_len; /* of what was submitted */
        bool escape;        /* the output needs escaping behind its clear part */
        bool transcrypt;    /* ... or not, as its completion says */
        bool blocking;      /* a blocking call waits for it: not for framekey_reap() */
        uint64_t serial;    /* names this use of the slot on the wire */
        uint64_t cookie;    /* the application's */
        uint32_t next;      /* in the queue of done ones */
        struct framekey_abi_completion completion;
} Slot;

typedef struct SlotTable {
        Slot *slots;
        uint32_t n_slots;
        uint32_t first[FRAMEKEY_ABI_CLASSES + 1]; /* first slot of a class; the last entry is n_slots */
        uint32_t size[FRAMEKEY_ABI_CLASSES];
        uint64_t free_map[FRAMEKEY_ABI_ENTRIES_MAX / 64];
        uint32_t n_abandoned;
        uint32_t done_head, done_tail; /* SLOT_NONE: nothing done */
} SlotTable;

/* 0 or -ENOMEM. */
int slots_init(SlotTable *table, const struct framekey_abi_layout *layout);
void slots_deinit(SlotTable *table);

/* Takes the lowest free slot of the smallest class that holds `need` bytes, or of a larger one. The slot is RESERVED.
 * 0; -EAGAIN all of these are taken; -EMSGSIZE there is none of that size. */
int slots_take(SlotTable *table, uint64_t need, uint32_t *ret_slot);
void slots_free(SlotTable *table, uint32_t slot);
/* The caller no longer waits for a submitted slot: its completion frees it. */
void slots_abandon(SlotTable *table, uint32_t slot);
/* The slot if it exists and is in this state, else NULL. */
Slot *slots_get(SlotTable *table, uint32_t slot, SlotState state);

/* Records a completion; those of abandoned slots free them, those of no slot in flight are dropped. True: something
 * waits for framekey_reap(). */
bool slots_complete(SlotTable *table, const struct framekey_abi_completion *completion);
/* Takes the oldest done slot, which is REAPED then; SLOT_NONE if there is none. */
uint32_t slots_pop_done(SlotTable *table);
