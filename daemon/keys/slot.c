/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One key index of one participant: its current generation, and the previous ones through their grace.
 *
 *   current (step 7) -> previous: step 6 -> step 5 -> step 4
 *
 * A receiver that goes from step 4 to 7 by one frame has skipped 5 and 6, whose frames may only be late: they get
 * handles for the grace time too.
 */
#include "keys/session-internal.h"

uint64_t generation_next_id(void) {
        static _Atomic uint64_t last;

        return atomic_fetch_add_explicit(&last, 1, memory_order_relaxed) + 1;
}

static Generation *generation_free(Participant *participant, Generation *generation) {
        if (!generation)
                return NULL;
        window_drop(participant, generation);
        chain_handle_unref(generation->handle);
        replay_free(generation->merged);
        free(generation);
        return NULL;
}

/* Wipes a list of previous generations. */
static Generation *previous_free(Participant *participant, Generation *generation) {
        while (generation) {
                Generation *next = generation->next;

                generation_free(participant, generation);
                generation = next;
        }
        return NULL;
}

static int generation_new(Generation **ret, Chain *chain, uint32_t step, uint64_t id) {
        Generation *generation = calloc(1, sizeof(*generation));
        int r;

        if (!generation)
                return -ENOMEM;
        r = chain_handle(chain, step, &generation->handle);
        if (r < 0) {
                free(generation);
                return r;
        }
        generation->id = id;
        generation->step = step;
        *ret = generation;
        return 0;
}

/* Compares without a data-dependent branch: both are live keys. */
static bool same_key(const Chain *a, uint32_t step_a, const Chain *b, uint32_t step_b) {
        const ScheduleStep *x = a ? chain_at(a, step_a) : NULL, *y = chain_at(b, step_b);
        uint8_t difference = 0;

        if (!x || !y || chain_schedule(a)->key_bits != chain_schedule(b)->key_bits)
                return false;
        for (size_t i = 0; i < sizeof(x->key); i++)
                difference |= x->key[i] ^ y->key[i];
        return difference == 0;
}

int slot_install(Participant *participant, KeySlot *slot, Chain *chain, uint32_t step, uint64_t generation) {
        Generation *fresh = NULL;
        int r;

        if (!slot->current || !same_key(slot->chain, slot->current->step, chain, step)) {
                r = generation_new(&fresh, chain, step, generation);
                if (r < 0)
                        return r;
                slot->previous = previous_free(participant, slot->previous);
                generation_free(participant, slot->current);
                slot->current = fresh;
        } else
                slot->current->step = step;

        chain_ref(chain);
        chain_unref(slot->chain);
        slot->chain = chain;
        slot->reported_step = step;
        slot->retired = false;
        return 0;
}

/* Puts the current generation and the skipped ones in front of the previous ones, and drops those that are too many. */
static void keep_for_grace(Participant *participant, KeySlot *slot, uint32_t step, uint64_t grace_until_usec) {
        uint32_t first_skipped = slot->current->step + 1;
        Generation **link, *skipped;
        unsigned n = 0;

        slot->current->dies_usec = grace_until_usec;
        slot->current->next = slot->previous;
        slot->previous = slot->current;
        for (uint32_t k = first_skipped; k < step; k++) {
                if (generation_new(&skipped, slot->chain, k, generation_next_id()) < 0)
                        continue; /* not derived, or no memory: its late frames are lost */
                skipped->dies_usec = grace_until_usec;
                skipped->next = slot->previous;
                slot->previous = skipped;
        }
        for (link = &slot->previous; *link && n < SESSION_WINDOW_MAX; link = &(*link)->next)
                n++;
        *link = previous_free(participant, *link);
}

int slot_step(Participant *participant, KeySlot *slot, uint32_t step, uint64_t grace_until_usec) {
        Generation *fresh = NULL;
        int r;

        r = generation_new(&fresh, slot->chain, step, generation_next_id());
        if (r < 0)
                return r;
        if (grace_until_usec > 0)
                keep_for_grace(participant, slot, step, grace_until_usec);
        else
                generation_free(participant, slot->current);
        slot->current = fresh;
        return 0;
}

bool slot_expire(Participant *participant, KeySlot *slot, uint64_t now_usec) {
        Generation **link = &slot->previous;
        bool wiped = false;

        while (*link) {
                Generation *generation = *link;

                if (generation->dies_usec > now_usec) {
                        link = &generation->next;
                        continue;
                }
                *link = generation->next;
                generation_free(participant, generation);
                wiped = true;
        }
        return wiped;
}

void slot_clear(Participant *participant, KeySlot *slot) {
        bool had_key = slot->chain;

        slot->previous = previous_free(participant, slot->previous);
        slot->current = generation_free(participant, slot->current);
        slot->chain = chain_unref(slot->chain);
        slot->retired = slot->retired || had_key;
}
