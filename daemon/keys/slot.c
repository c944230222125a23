/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One key index of one participant: its current generation, and the previous ones through their grace.
 *
 *   current (step 7) -> previous: step 6 -> step 5 -> step 4
 *
 * A receiver that goes from step 4 to 7 by one frame has skipped 5 and 6, whose frames may only be late: they get
 * handles for the grace time too.
 */
#include "crypto/secret.h"
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
        seen_free(generation->merged);
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
static bool same_key(Chain *a, uint32_t step_a, Chain *b, uint32_t step_b) {
        const ScheduleStep *x = a ? chain_at(a, step_a) : NULL, *y = chain_at(b, step_b);
        size_t len;

        len = schedule_key_len(chain_schedule(b));
        return x && y && schedule_key_len(chain_schedule(a)) == len && secret_bytes_equal(x->bytes, y->bytes, len);
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
                slot->last_good_usec = 0;
                slot->forged = 0;
                slot->dead = replay_free(slot->dead);
        } else
                slot->current->step = step;

        chain_ref(chain);
        chain_unref(slot->chain);
        slot->chain = chain;
        slot->kid = chain_schedule(chain)->kid;
        slot->ratchet_bits = chain_schedule(chain)->ratchet_bits;
        slot->reported_step = step;
        slot->retired = false;
        return 0;
}

/* Bounds the list; the newest stay, and those of kept steps, whose frames may come again at any time. */
static void bound_previous(Participant *participant, KeySlot *slot) {
        uint32_t n_kept, root = chain_root(slot->chain, &n_kept);
        Generation **link = &slot->previous;
        unsigned n = 0;

        while (*link) {
                Generation *generation = *link;

                if (n++ < SESSION_WINDOW_MAX || generation->step - root < n_kept) {
                        link = &generation->next;
                        continue;
                }
                *link = generation->next;
                generation_free(participant, generation);
        }
}

static Generation *take_previous(KeySlot *slot, uint32_t step) {
        for (Generation **link = &slot->previous; *link; link = &(*link)->next) {
                Generation *generation = *link;

                if (generation->step == step) {
                        *link = generation->next;
                        generation->next = NULL;
                        return generation;
                }
        }
        return NULL;
}

/* Puts the current generation and the skipped ones in front of the previous ones. */
static void keep_for_grace(Participant *participant, KeySlot *slot, uint32_t step, uint64_t grace_until_usec) {
        uint32_t first_skipped = slot->current->step + 1;
        Generation *skipped;

        slot->current->dies_usec = grace_until_usec;
        slot->current->next = slot->previous;
        slot->previous = slot->current;
        for (uint32_t k = first_skipped; k < step; k++) {
                skipped = take_previous(slot, k);
                if (!skipped && generation_new(&skipped, slot->chain, k, generation_next_id()) < 0)
                        continue; /* not derived, or no memory: its late frames are lost */
                skipped->dies_usec = grace_until_usec;
                skipped->next = slot->previous;
                slot->previous = skipped;
        }
        bound_previous(participant, slot);
}

int slot_step(Participant *participant, KeySlot *slot, uint32_t step, uint64_t grace_until_usec) {
        Generation *fresh = take_previous(slot, step);
        int r;

        if (!fresh) {
                r = generation_new(&fresh, slot->chain, step, generation_next_id());
                if (r < 0)
                        return r;
        }
        if (grace_until_usec > 0)
                keep_for_grace(participant, slot, step, grace_until_usec);
        else
                generation_free(participant, slot->current);
        slot->current = fresh;
        return 0;
}

int slot_know(Participant *participant, KeySlot *slot, uint32_t step, Generation **ret) {
        Generation *generation;
        int r;

        r = generation_new(&generation, slot->chain, step, generation_next_id());
        if (r < 0)
                return r;
        generation->dies_usec = USEC_INFINITY;
        generation->next = slot->previous;
        slot->previous = generation;
        bound_previous(participant, slot);
        *ret = generation;
        return 0;
}

/* So many IVs of a dead generation are enough to recognise copies of its last frames. */
#define DEAD_IVS 256u

/* The dead key's frames cannot be told from forged ones any more, but for copies of those that were accepted. */
static void remember(const Participant *participant, KeySlot *slot, const Generation *generation) {
        if (generation->handle->cipher || (!slot->dead && replay_new(&slot->dead, DEAD_IVS, NULL) < 0))
                return; /* they name their step; or they are told as forged */
        window_collect_ivs(participant, generation, slot->dead);
}

bool slot_expire(Participant *participant, KeySlot *slot, uint64_t now_usec, uint32_t *ret_step) {
        Generation **link = &slot->previous;
        bool wiped = false;

        while (*link) {
                Generation *generation = *link;

                if (generation->dies_usec > now_usec) {
                        link = &generation->next;
                        continue;
                }
                *link = generation->next;
                *ret_step = wiped ? MAX_OF(*ret_step, generation->step) : generation->step;
                remember(participant, slot, generation);
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
        slot->dead = replay_free(slot->dead);
        slot->life = (KeyLife){ 0 };
        slot->retired = slot->retired || had_key;
}
