/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* DAVE's key schedule against the chains and exports of the vectors. */
#include "keys/dave-schedule.h"

#include "crypto/arena.h"
#include "crypto/secret.h"
#include "outside-arena.h"
#include "runner.h"
#include "vector-file.h"

static void install(void) {
        Arena *arena;

        if (arena_installed())
                return;
        ck_assert_int_eq(arena_new(&arena, 256 * 1024, ARENA_PROTECTION_SECRETMEM), 0);
        ck_assert_int_eq(arena_install(arena), 0);
}

static void check_chain(const json_t *chain) {
        VectorBytes secret = vector_hex(chain, "base_secret");
        DaveStep *step = arena_alloc(arena_installed(), sizeof(*step));
        const json_t *entry;
        uint32_t generation = 0;
        size_t i;

        json_array_foreach(vector_array(chain, "keys"), i, entry) {
                VectorBytes key = vector_hex(entry, "key");

                for (; generation <= vector_number(entry, "generation"); generation++) {
                        ck_assert_int_eq(dave_schedule_derive(secret.bytes, secret.len, generation, step), 0);
                        secret.len = sizeof(step->next);
                        memcpy(secret.bytes, step->next, secret.len);
                }
                ck_assert_uint_eq(key.len, sizeof(step->key));
                ck_assert_mem_eq(step->key, key.bytes, key.len);
        }
        arena_release(arena_installed(), step);
}

START_TEST(generations_follow_each_other) {
        json_t *root = vector_load("dave.json");
        const json_t *chain;
        size_t i;

        install();
        json_array_foreach(vector_array(root, "key_ratchet"), i, chain) check_chain(chain);
        json_decref(root);
}
END_TEST

START_TEST(exports_give_the_base_secret_of_a_user) {
        json_t *root = vector_load("dave.json");
        const json_t *entry;
        size_t i;

        install();
        json_array_foreach(vector_array(root, "mls_export"), i, entry) {
                VectorBytes exporter = vector_hex(entry, "exporter_secret"), base = vector_hex(entry, "base_secret");
                uint64_t user_id = strtoull(vector_text(entry, "user_id"), NULL, 10);
                uint8_t *derived = arena_alloc(arena_installed(), DAVE_BASE_LEN);
                size_t in_use = arena_in_use(arena_installed());

                ck_assert_uint_eq(exporter.len, DAVE_SECRET_LEN);
                ck_assert_uint_eq(base.len, DAVE_BASE_LEN);
                ck_assert_int_eq(dave_schedule_base(exporter.bytes, user_id, derived), 0);
                ck_assert_mem_eq(derived, base.bytes, base.len);
                ck_assert_uint_eq(arena_in_use(arena_installed()), in_use);
                arena_release(arena_installed(), derived);
        }
        json_decref(root);
}
END_TEST

START_TEST(only_the_base_secret_is_short) {
        static const uint8_t secret[DAVE_SECRET_LEN];
        DaveStep *step;

        install();
        step = arena_alloc(arena_installed(), sizeof(*step));
        for (size_t len = 0; len <= sizeof(secret); len++) {
                ck_assert_int_eq(dave_schedule_derive(secret, len, 0, step), len == DAVE_BASE_LEN ? 0 : -EINVAL);
                ck_assert_int_eq(dave_schedule_derive(secret, len, 1, step), len == DAVE_SECRET_LEN ? 0 : -EINVAL);
        }
        arena_release(arena_installed(), step);
}
END_TEST

START_TEST(shortage_is_an_error) {
        static const uint8_t secret[DAVE_SECRET_LEN];
        uint8_t *blocks[16384];
        DaveStep *step;
        size_t n = 0;

        install();
        step = arena_alloc(arena_installed(), sizeof(*step));
        while ((blocks[n] = arena_alloc(arena_installed(), 64)) != NULL)
                n++;
        ck_assert_int_eq(dave_schedule_derive(secret, DAVE_BASE_LEN, 0, step), -ENOMEM);
        ck_assert_int_eq(dave_schedule_base(secret, 1, step->key), -ENOMEM);
        while (n > 0)
                arena_release(arena_installed(), blocks[--n]);
        arena_release(arena_installed(), step);
}
END_TEST

/* ---- promise P1 ---- */

typedef struct Passage {
        Secret *exporter;
        uint8_t *base;
        DaveStep *steps;
} Passage;

static void pass(void *userdata) {
        Passage *p = userdata;

        ck_assert_int_eq(dave_schedule_base(p->exporter->bytes, 158049329150427136, p->base), 0);
        ck_assert_int_eq(dave_schedule_derive(p->base, DAVE_BASE_LEN, 0, &p->steps[0]), 0);
        ck_assert_int_eq(dave_schedule_derive(p->steps[0].next, DAVE_SECRET_LEN, 1, &p->steps[1]), 0);
}

START_TEST(no_secret_is_left_outside_the_arena) {
        Passage passage;
        Outside *outside;

        install();
        outside = outside_new();
        ck_assert_int_eq(secret_new_random(&passage.exporter, DAVE_SECRET_LEN), 0);
        passage.base = arena_alloc(arena_installed(), DAVE_BASE_LEN);
        passage.steps = arena_alloc(arena_installed(), 2 * sizeof(*passage.steps));
        outside_act(pass, &passage);
        outside_add(outside, passage.exporter->bytes, DAVE_SECRET_LEN);
        outside_add(outside, passage.base, DAVE_BASE_LEN);
        outside_add(outside, passage.steps, 2 * sizeof(*passage.steps));
        outside_expect_none(outside);
        outside_free(outside);
        arena_release(arena_installed(), passage.steps);
        arena_release(arena_installed(), passage.base);
        secret_free(passage.exporter);
}
END_TEST

RUN_TESTS("dave-schedule", generations_follow_each_other, exports_give_the_base_secret_of_a_user,
          only_the_base_secret_is_short, shortage_is_an_error, no_secret_is_left_outside_the_arena)
