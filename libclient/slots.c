/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The library's table of slots, see slots.h. */
#include <errno.h>
#include <stdlib.h>

#include "slots.h"

static void set_free(SlotTable *table, uint32_t slot, bool is_free) {
        uint64_t bit = UINT64_C(1) << (slot % 64);

        if (is_free)
                table->free_map[slot / 64] |= bit;
        else
                table->free_map[slot / 64] &= ~bit;
}

int slots_init(SlotTable *table, const struct framekey_abi_layout *layout) {
        *table = (SlotTable){ .done_head = SLOT_NONE, .done_tail = SLOT_NONE };
        for (unsigned i = 0; i < FRAMEKEY_ABI_CLASSES; i++) {
                table->first[i] = table->n_slots;
                table->size[i] = layout->slot_size[i];
                table->n_slots += layout->n_slots[i];
        }
        table->first[FRAMEKEY_ABI_CLASSES] = table->n_slots;

        table->slots = calloc(table->n_slots, sizeof(*table->slots));
        if (!table->slots)
                return -ENOMEM;
        for (uint32_t i = 0; i < table->n_slots; i++)
                set_free(table, i, true);
        return 0;
}

void slots_deinit(SlotTable *table) {
        free(table->slots);
        *table = (SlotTable){ .done_head = SLOT_NONE, .done_tail = SLOT_NONE };
}

/* Lowest free slot in [first, end), SLOT_NONE if none. The lowest, so that few slots stay warm in the caches. */
static uint32_t lowest_free(const SlotTable *table, uint32_t first, uint32_t end) {
        for (uint32_t word = first / 64; word * 64 < end; word++) {
                uint64_t bits = table->free_map[word];
                uint32_t slot;

                if (word == first / 64)
                        bits &= UINT64_MAX << (first % 64);
                if (bits == 0)
                        continue;
                slot = word * 64 + (uint32_t)__builtin_ctzll(bits);
                return slot < end ? slot : SLOT_NONE;
        }
        return SLOT_NONE;
}

int slots_take(SlotTable *table, uint64_t need, uint32_t *ret_slot) {
        int r = -EMSGSIZE;

        for (unsigned i = 0; i < FRAMEKEY_ABI_CLASSES; i++) {
                uint32_t slot;

                if (need > table->size[i] || table->first[i] == table->first[i + 1])
                        continue;
                r = -EAGAIN;
                slot = lowest_free(table, table->first[i], table->first[i + 1]);
                if (slot == SLOT_NONE)
                        continue;
                set_free(table, slot, false);
                table->slots[slot] = (Slot){ .state = SLOT_RESERVED, .next = SLOT_NONE };
                *ret_slot = slot;
                return 0;
        }
        return r;
}

void slots_free(SlotTable *table, uint32_t slot) {
        table->slots[slot].state = SLOT_FREE;
        set_free(table, slot, true);
}

void slots_abandon(SlotTable *table, uint32_t slot) {
        table->slots[slot].state = SLOT_ABANDONED;
        table->n_abandoned++;
}

Slot *slots_get(SlotTable *table, uint32_t slot, SlotState state) {
        if (slot >= table->n_slots || table->slots[slot].state != state)
                return NULL;
        return &table->slots[slot];
}

bool slots_complete(SlotTable *table, const struct framekey_abi_completion *completion) {
        uint32_t number = completion->slot;
        Slot *slot;

        /* A former holder of the channel may have left frames behind: their serials are none of ours. */
        if (number >= table->n_slots || table->slots[number].serial != completion->cookie)
                return false;
        slot = &table->slots[number];
        if (slot->state == SLOT_ABANDONED) {
                table->n_abandoned--;
                slots_free(table, number);
                return false;
        }
        if (slot->state != SLOT_SUBMITTED)
                return false;

        slot->completion = *completion;
        slot->state = SLOT_DONE;
        if (slot->blocking)
                return false;
        slot->next = SLOT_NONE;
        if (table->done_tail == SLOT_NONE)
                table->done_head = number;
        else
                table->slots[table->done_tail].next = number;
        table->done_tail = number;
        return true;
}

uint32_t slots_pop_done(SlotTable *table) {
        uint32_t number = table->done_head;

        if (number == SLOT_NONE)
                return SLOT_NONE;
        table->done_head = table->slots[number].next;
        if (table->done_head == SLOT_NONE)
                table->done_tail = SLOT_NONE;
        table->slots[number].state = SLOT_REAPED;
        return number;
}
