/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The derived steps of one secret; see chain.h for the picture. */
#include "keys/chain.h"

#include "crypto/secret.h"

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
        bool named;
        uint8_t name[LEDGER_NAME_LEN];
        LedgerEntry *counter;
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
        ledger_release(chain->counter);
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

int chain_walk(const Chain *chain, uint32_t step, ScheduleStep **ret) {
        const Schedule *schedule = &chain->schedule;
        const ScheduleStep *from = chain->steps[chain->n - 1].secrets;
        /* Two blocks in turn: a step is derived from the one before. */
        ScheduleStep *blocks[2] = { arena_alloc(arena_installed(), schedule_step_size(schedule)),
                                    arena_alloc(arena_installed(), schedule_step_size(schedule)) };
        int r = blocks[0] && blocks[1] ? 0 : -ENOMEM;
        unsigned last = 0;

        for (uint32_t k = chain_end(chain); r == 0 && k <= step; k++) {
                size_t len;
                const uint8_t *material = schedule_next(schedule, from, &len);

                last = !last;
                r = schedule_derive(schedule, k, material, len, blocks[last]);
                from = blocks[last];
        }
        arena_release(arena_installed(), blocks[!last]);
        if (r < 0) {
                arena_release(arena_installed(), blocks[last]);
                return r;
        }
        *ret = blocks[last];
        return 0;
}

void chain_jump(Chain *chain, uint32_t step, ScheduleStep *secrets) {
        for (uint32_t i = 0; i < chain->n; i++)
                forget(chain, &chain->steps[i], chain->first + i);
        chain->steps[0] = (ChainStep){ .secrets = secrets };
        chain->first = step;
        chain->n = 1;
}

void chain_set_name(Chain *chain, const uint8_t name[LEDGER_NAME_LEN]) {
        memcpy(chain->name, name, sizeof(chain->name));
        chain->named = true;
}

bool chain_same_name(const Chain *a, const Chain *b) {
        return a->named && b->named && secret_bytes_equal(a->name, b->name, sizeof(a->name));
}

int chain_claim(Chain *chain, Ledger *ledger, bool fresh) {
        if (chain->counter)
                return 0;
        return ledger && chain->named ? ledger_claim(ledger, chain->name, fresh, &chain->counter) : LEDGER_SPENT;
}

LedgerEntry *chain_counter(const Chain *chain) {
        return chain->counter;
}

static int open_suite(ChainHandle *handle, const SuiteInfo *suite, const uint8_t *key, const uint8_t *salt) {
        if (salt) {
                handle->salt = arena_alloc(arena_installed(), SUITE_NONCE_LEN);
                if (!handle->salt)
                        return -ENOMEM;
                memcpy(handle->salt, salt, SUITE_NONCE_LEN);
        }
        return suite_cipher_new(&handle->cipher, suite, key);
}

int chain_handle_new(ChainHandle **ret, const Schedule *schedule, const ScheduleStep *secrets) {
        _cleanup_(chain_handle_unref_p) ChainHandle *handle = calloc(1, sizeof(*handle));
        int r;

        if (!handle)
                return -ENOMEM;
        handle->n_refs = 1;
        if (schedule->kdf == SCHEDULE_DAVE)
                r = open_suite(handle, suite_find(SUITE_DAVE), secrets->dave.key, NULL);
        else if (schedule->kdf == SCHEDULE_SFRAME || schedule->kdf == SCHEDULE_EPOCH)
                r = open_suite(handle, suite_find(schedule->suite), secrets->sframe.key, secrets->sframe.salt);
        else
                r = aead_new(&handle->aead, secrets->key, schedule->key_bits / 8);
        if (r < 0)
                return r;
        *ret = take_ptr(handle);
        return 0;
}

int chain_handle(Chain *chain, uint32_t step, ChainHandle **ret) {
        ChainStep *s = find(chain, step);
        int r;

        if (!s)
                return -ENOENT;
        if (!s->handle) { /* this reference is the chain's own */
                r = chain_handle_new(&s->handle, &chain->schedule, s->secrets);
                if (r < 0)
                        return r;
        }
        s->handle->n_refs++;
        *ret = s->handle;
        return 0;
}

ChainHandle *chain_handle_unref(ChainHandle *handle) {
        if (!handle || --handle->n_refs > 0)
                return NULL;
        aead_free(handle->aead);
        suite_cipher_free(handle->cipher);
        arena_release(arena_installed(), handle->salt);
        free(handle);
        return NULL;
}

bool chain_deriving(const Chain *chain, DeriverClass class) {
        return chain->deriving[class];
}

void chain_set_deriving(Chain *chain, DeriverClass class, bool deriving) {
        chain->deriving[class] = deriving;
}
