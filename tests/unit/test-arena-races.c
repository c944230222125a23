/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The arena's allocator with a possible change of thread at each of its atomic operations, so that
 * races of a few instructions happen many times a second. Includes the source for that, and to look
 * at its tables. A unit that changes its class between a thread's look and its compare-and-swap is
 * made likely: few units, few classes, whose words can be equal.
 */
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

static _Thread_local unsigned chance;
/* What to do just before the n-th atomic operation from now. */
static _Thread_local unsigned until_hook;
static _Thread_local void (*hook)(void);

static void interleave(void) {
        if (until_hook > 0 && --until_hook == 0)
                hook();
        chance = chance * 1664525u + 1013904223u;
        if (chance >> 22 == 0)
                (void)nanosleep(&(struct timespec){ .tv_nsec = 20000 }, NULL); /* others do a hundred steps */
        else if (chance >> 28 == 0)
                (void)sched_yield(); /* always succeeds on Linux */
}

#undef atomic_load
#undef atomic_store
#undef atomic_fetch_and
#undef atomic_fetch_or
#undef atomic_compare_exchange_weak
#undef atomic_compare_exchange_strong
#define atomic_load(p)         (interleave(), atomic_load_explicit(p, memory_order_seq_cst))
#define atomic_store(p, v)     (interleave(), atomic_store_explicit(p, v, memory_order_seq_cst))
#define atomic_fetch_and(p, v) (interleave(), atomic_fetch_and_explicit(p, v, memory_order_seq_cst))
#define atomic_fetch_or(p, v)  (interleave(), atomic_fetch_or_explicit(p, v, memory_order_seq_cst))
#define atomic_compare_exchange_weak(p, e, v)                                                                          \
        (interleave(), atomic_compare_exchange_weak_explicit(p, e, v, memory_order_seq_cst, memory_order_seq_cst))
#define atomic_compare_exchange_strong(p, e, v)                                                                        \
        (interleave(), atomic_compare_exchange_strong_explicit(p, e, v, memory_order_seq_cst, memory_order_seq_cst))

#include "crypto/arena.c" /* NOLINT(bugprone-suspicious-include): see above */

#include <check.h>
#include <pthread.h>

#define N_THREADS 4u
#define N_ROUNDS  40u
#define N_STEPS   4000u
#define N_HELD    10u

static const size_t lengths[] = { 2048, 1344, 1024, 704, 2048, 1344, 4096, 8192 };

typedef struct Worker {
        Arena *arena;
        unsigned seed;
        uint8_t mark;
        uint8_t *held[N_HELD];
        const char *fault;
} Worker;

static unsigned next_random(unsigned *seed) {
        *seed = *seed * 1664525u + 1013904223u;
        return *seed >> 8;
}

static bool is_all(const uint8_t *bytes, size_t len, uint8_t value) {
        for (size_t i = 0; i < len; i++)
                if (bytes[i] != value)
                        return false;
        return true;
}

static void *work(void *userdata) {
        Worker *w = userdata;

        chance = w->seed;
        for (unsigned i = 0; i < N_STEPS && !w->fault; i++) {
                uint8_t **held = &w->held[next_random(&w->seed) % N_HELD];
                size_t len = lengths[next_random(&w->seed) % ELEMENTS(lengths)];

                if (*held) {
                        if (!is_all(*held, arena_block_len(w->arena, *held), w->mark))
                                w->fault = "a block has two owners";
                        arena_release(w->arena, *held);
                        *held = NULL;
                } else {
                        *held = arena_alloc(w->arena, len);
                        if (!*held)
                                continue;
                        if (!is_all(*held, arena_block_len(w->arena, *held), 0))
                                w->fault = "a new block is not zero";
                        if (arena_block_len(w->arena, *held) < len)
                                w->fault = "a block is too short";
                        memset(*held, w->mark, arena_block_len(w->arena, *held));
                }
        }
        return NULL;
}

/* Between rounds nobody works; then the tables must agree with each other and with what is held. */
static void check_tables(Arena *arena, const Worker *workers) {
        size_t held = 0;

        for (size_t i = 0; i < N_THREADS; i++) {
                ck_assert_msg(!workers[i].fault, "%s", workers[i].fault);
                for (size_t k = 0; k < N_HELD; k++)
                        if (workers[i].held[k])
                                held += arena_block_len(arena, workers[i].held[k]);
        }
        ck_assert_uint_eq(arena_in_use(arena), held);
        for (size_t unit = 0; unit < arena->n_units; unit++) {
                unsigned kind = atomic_load(&arena->units[unit].kind);
                uint64_t used = atomic_load(&arena->units[unit].used);
                bool taken = (atomic_load(&arena->taken[unit / WORD_BITS]) & bit_of(unit)) != 0;

                ck_assert_int_eq(taken, kind != KIND_FREE);
                if (!is_slab(kind))
                        ck_assert_uint_eq(used, ALL_USED);
                else if (used != ALL_USED) /* a slab with room that nobody looks at would be lost */
                        ck_assert((atomic_load(open_word(arena, kind, unit)) & bit_of(unit)) != 0);
        }
}

START_TEST(races_leave_the_tables_right) {
        _cleanup_(arena_free_p) Arena *arena = NULL;
        Worker workers[N_THREADS] = { 0 };
        pthread_t threads[N_THREADS];

        ck_assert_int_eq(arena_new(&arena, ARENA_SIZE_MIN, ARENA_PROTECTION_LOCKED), 0);
        for (unsigned round = 0; round < N_ROUNDS; round++) {
                for (unsigned i = 0; i < N_THREADS; i++) {
                        workers[i].arena = arena;
                        workers[i].mark = (uint8_t)(i + 1);
                        workers[i].seed = round * N_THREADS + i;
                        ck_assert_int_eq(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
                }
                for (unsigned i = 0; i < N_THREADS; i++)
                        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
                check_tables(arena, workers);
        }
        for (unsigned i = 0; i < N_THREADS; i++)
                for (unsigned k = 0; k < N_HELD; k++)
                        arena_release(arena, workers[i].held[k]);
        ck_assert_uint_eq(arena_in_use(arena), 0);
        ck_assert_ptr_nonnull(arena_alloc(arena, ARENA_BLOCK_MAX)); /* all units came back */
}
END_TEST

static Arena *swept;
static void *third;

/* The empty slab of two becomes one of three, of which the last is in use: its word now looks as that of
 * the empty slab of two did, since blocks that are not there count as used. */
static void recycle_first_unit(void) {
        void *first, *second;

        ck_assert(sweep(swept));
        first = arena_alloc(swept, 1344);
        second = arena_alloc(swept, 1344);
        third = arena_alloc(swept, 1344);
        ck_assert_ptr_eq(first, swept->base);
        arena_release(swept, first);
        arena_release(swept, second);
}

START_TEST(sweep_lets_go_of_a_slab_that_changed_meanwhile) {
        Arena *arena = NULL;

        ck_assert_int_eq(arena_new(&arena, ARENA_SIZE_MIN, ARENA_PROTECTION_LOCKED), 0);
        swept = arena;
        arena_release(arena, arena_alloc(arena, 2048));
        hook = recycle_first_unit;
        until_hook = 2; /* after the load of the kind, before the exchange */
        ck_assert(!sweep(arena));
        ck_assert_ptr_nonnull(third);
        ck_assert_uint_eq(arena_in_use(arena), 1344);
        ck_assert_uint_eq(arena_block_len(arena, third), 1344);
        ck_assert_ptr_eq(arena_alloc(arena, 1344), arena->base);
        arena_free(arena);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("arena-races");
        TCase *tcase = tcase_create("races");
        SRunner *runner = srunner_create(suite);
        int failed;

        tcase_set_timeout(tcase, 300);
        tcase_add_test(tcase, sweep_lets_go_of_a_slab_that_changed_meanwhile);
        tcase_add_test(tcase, races_leave_the_tables_right);
        suite_add_tcase(suite, tcase);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
