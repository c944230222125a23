/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The derived steps of one secret; see chain.h for the picture. */
#include "keys/chain.h"

typedef struct ChainStep {
        ScheduleStep *secrets;
        ChainHandle *handle; /* NULL until somebody uses this step */
} ChainStep;

struct Chain {
        unsigned n_refs;
        uint32_t first;
        uint32_t n;
        uint32_t allocated;
        bool deriving[DERIVER_CLASSES];
        Schedule schedule;
        ChainStep *steps;
        uint32_t root; /* first step ever */
        uint32_t keep; /* so many steps from there are kept */
        uint32_t n_kept;
        ChainStep *kept; /* those of them that are before `first` */
};

static void step_wipe(ChainStep *step) {
        arena_release(arena_installed(), step->secrets);
        step->secrets = NULL;
        step->handle = chain_handle_unref(step->handle);
}

int chain_new(Chain **ret, const Schedule *schedule, uint32_t first_step, ScheduleStep *step) {
        Chain *chain = calloc(1, sizeof(*chain));

        if (!chain)
                return -ENOMEM;
        chain->steps = calloc(4, sizeof(*chain->steps));
        if (!chain->steps) {
                free(chain);
                return -ENOMEM;
        }

        chain->n_refs = 1;
        chain->first = first_step;
        chain->root = first_step;
        chain->n = 1;
        chain->allocated = 4;
        chain->schedule = *schedule;
        chain->steps[0].secrets = step;
        *ret = chain;
        return 0;
}

Chain *chain_ref(Chain *chain) {
        chain->n_refs++;
        return chain;
}

Chain *chain_unref(Chain *chain) {
        if (!chain || --chain->n_refs > 0)
                return NULL;
        for (uint32_t i = 0; i < chain->n; i++)
                step_wipe(&chain->steps[i]);
        for (uint32_t i = 0; i < chain->n_kept; i++)
                step_wipe(&chain->kept[i]);
        free(chain->kept);
        free(chain->steps);
        free(chain);
        return NULL;
}

const Schedule *chain_schedule(const Chain *chain) {
        return &chain->schedule;
}

uint32_t chain_first(const Chain *chain) {
        return chain->first;
}

uint32_t chain_end(const Chain *chain) {
        return chain->first + chain->n;
}

static ChainStep *find(Chain *chain, uint32_t step) {
        if (step >= chain->root && step - chain->root < chain->n_kept)
                return &chain->kept[step - chain->root];
        if (step < chain->first || step - chain->first >= chain->n)
                return NULL;
        return &chain->steps[step - chain->first];
}

const ScheduleStep *chain_at(Chain *chain, uint32_t step) {
        const ChainStep *s = find(chain, step);

        return s ? s->secrets : NULL;
}

int chain_append(Chain *chain, ScheduleStep *step) {
        if (chain->n == CHAIN_STEPS_MAX) {
                arena_release(arena_installed(), step);
                return -ENOSPC;
        }
        if (chain->n == chain->allocated) {
                ChainStep *steps = reallocarray(chain->steps, chain->allocated * 2, sizeof(*steps));

                if (!steps) {
                        arena_release(arena_installed(), step);
                        return -ENOMEM;
                }
                chain->steps = steps;
                chain->allocated *= 2;
        }
        chain->steps[chain->n++] = (ChainStep){ .secrets = step };
        return 0;
}

void chain_keep_first(Chain *chain, uint32_t n) {
        chain->keep = MAX_OF(chain->keep, MIN_OF(n, CHAIN_STEPS_MAX));
}

uint32_t chain_root(const Chain *chain, uint32_t *ret_n) {
        *ret_n = MAX_OF(chain->n_kept, MIN_OF(chain->keep, chain_end(chain) - chain->root));
        if (chain->n_kept < chain->first - chain->root)
                *ret_n = chain->n_kept; /* behind them is a gap */
        return chain->root;
}

static int keep_step(Chain *chain, const ChainStep *step) {
        ChainStep *kept = reallocarray(chain->kept, chain->n_kept + 1, sizeof(*kept));

        if (!kept)
                return -ENOMEM;
        chain->kept = kept;
        chain->kept[chain->n_kept++] = *step;
        return 0;
}

const ScheduleStep *chain_before_missing(Chain *chain, uint32_t *ret_missing) {
        if (chain->n_kept == 0 || chain->n_kept >= chain->keep || chain->root + chain->n_kept >= chain->first)
                return NULL;
        *ret_missing = chain->root + chain->n_kept;
        return chain->kept[chain->n_kept - 1].secrets;
}

int chain_fill_in(Chain *chain, uint32_t missing, ScheduleStep *step) {
        ChainStep kept = { .secrets = step };
        int r = chain->n_kept > 0 && missing == chain->root + chain->n_kept ? keep_step(chain, &kept) : -EEXIST;

        if (r < 0)
                arena_release(arena_installed(), step);
        return r;
}

static void forget(Chain *chain, ChainStep *step, uint32_t number) {
        if (number - chain->root == chain->n_kept && chain->n_kept < chain->keep && keep_step(chain, step) == 0)
                return;
        step_wipe(step);
}

void chain_forget_below(Chain *chain, uint32_t step) {
        uint32_t dead = 0;

        while (dead + 1 < chain->n && chain->first + dead < step) {
                forget(chain, &chain->steps[dead], chain->first + dead);
                dead++;
        }
        if (dead == 0)
                return;
        memmove(chain->steps, chain->steps + dead, (chain->n - dead) * sizeof(*chain->steps));
        chain->first += dead;
        chain->n -= dead;
}

int chain_handle(Chain *chain, uint32_t step, ChainHandle **ret) {
        ChainStep *s = find(chain, step);

        if (!s)
                return -ENOENT;
        if (!s->handle) {
                ChainHandle *handle = calloc(1, sizeof(*handle));
                int r;

                if (!handle)
                        return -ENOMEM;
                r = aead_new(&handle->aead, s->secrets->key, chain->schedule.key_bits / 8);
                if (r < 0) {
                        free(handle);
                        return r;
                }
                handle->n_refs = 1; /* the chain's own */
                s->handle = handle;
        }
        s->handle->n_refs++;
        *ret = s->handle;
        return 0;
}

ChainHandle *chain_handle_unref(ChainHandle *handle) {
        if (!handle || --handle->n_refs > 0)
                return NULL;
        aead_free(handle->aead);
        free(handle);
        return NULL;
}

bool chain_deriving(const Chain *chain, DeriverClass class) {
        return chain->deriving[class];
}

void chain_set_deriving(Chain *chain, DeriverClass class, bool deriving) {
        chain->deriving[class] = deriving;
}
