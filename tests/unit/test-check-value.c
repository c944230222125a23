/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Unit tests of keys/check-value and of Argon2id in crypto/kdf. Known answers: HKDF and PBKDF2 by Python's
 * hmac and hashlib, Argon2id by the command line of its reference implementation.
 */
#include "keys/check-value.h"

#include "crypto/kdf.h"
#include "outside-arena.h"
#include "runner.h"

#include <framekey.h>

static void install(void) {
        Arena *arena;

        if (arena_installed()) /* without fork, from the case before */
                return;
        ck_assert_int_eq(arena_new(&arena, 1024 * 1024, ARENA_PROTECTION_SECRETMEM), 0);
        ck_assert_int_eq(arena_install(arena), 0);
}

static void check_hex(const uint8_t *bytes, size_t len, const char *hex) {
        char text[2 * 64 + 1];

        for (size_t i = 0; i < len; i++)
                (void)snprintf(text + 2 * i, 3, "%02x", bytes[i]);
        ck_assert_str_eq(text, hex);
}

static const Schedule hkdf_128 = { .kdf = SCHEDULE_HKDF, .key_bits = 128 };
static const CheckName alice = { "alice", 3, 1, FRAMEKEY_FORMAT_LIVEKIT };

/* Key 00 01 ..., next material 64 65 ... */
static ScheduleStep *step_new(void) {
        ScheduleStep *step = arena_alloc(arena_installed(), sizeof(*step));

        ck_assert_ptr_nonnull(step);
        for (uint8_t i = 0; i < 32; i++) {
                step->key[i] = i;
                step->next[i] = (uint8_t)(100 + i);
        }
        return step;
}

static void reverse(uint8_t *bytes, size_t len) {
        for (size_t i = 0; i < len / 2; i++) {
                uint8_t other = bytes[i];

                bytes[i] = bytes[len - 1 - i];
                bytes[len - 1 - i] = other;
        }
}

START_TEST(argon2id_meets_the_reference) {
        static const char salt[] = "org.framekey1.test";
        uint8_t out[32];

        install();
        ck_assert_int_eq(kdf_argon2id("password-of-the-test", 20, salt, 18, 1024, 3, out, 32), 0);
        check_hex(out, 32, "8eafe54186f9060061cd6ee47bc2ea2477d6971db92986c18335653f05020d52");
        ck_assert_int_eq(kdf_argon2id("x", 1, salt, 18, 32768, 3, out, 32), 0);
        check_hex(out, 32, "eec6bbac417557335d0ee0ab5e3cd44e280b27e179fba91f76f68ae0283d84c6");
}
END_TEST

START_TEST(argon2id_needs_nothing_of_the_arena) {
        uint8_t *blocks[8192], out[32];
        size_t n = 0;

        install();
        while (n < ELEMENTS(blocks) && (blocks[n] = arena_alloc(arena_installed(), 4096)) != NULL)
                n++;
        ck_assert_uint_gt(n, 0);
        ck_assert_int_eq(kdf_argon2id("password-of-the-test", 20, "org.framekey1.test", 18, 1024, 3, out, 32), 0);
        check_hex(out, 32, "8eafe54186f9060061cd6ee47bc2ea2477d6971db92986c18335653f05020d52");
        while (n > 0)
                arena_release(arena_installed(), blocks[--n]);
        ck_assert_int_eq(kdf_argon2id("x", 1, "org.framekey1.test", 18, 7, 3, out, 32), -EINVAL);
        ck_assert_int_eq(kdf_argon2id("x", 1, "org.framekey1.test", 18, 1024, 0, out, 32), -EINVAL);
        ck_assert_int_eq(kdf_argon2id("x", 1, "org.framekey1.test", 18, 1024, 3, out, 65), -EINVAL);
}
END_TEST

START_TEST(values_and_code_are_those_of_the_definition) {
        uint8_t *value;
        ScheduleStep *step;
        char code[CHECK_CODE_MAX];

        install();
        value = arena_alloc(arena_installed(), CHECK_VALUE_LEN);
        step = step_new();
        ck_assert_int_eq(check_value_add(value, &alice, &hkdf_128, step), 0);
        check_hex(value, CHECK_VALUE_LEN, "d0a932acf36530391ab52ebf4bdf74cba57690ae29448797418154ebdbc22605");
        reverse(step->key, 16);
        reverse(step->next, 32);
        ck_assert_int_eq(check_value_add(value, &(CheckName){ "bob", 7, 0, FRAMEKEY_FORMAT_LIVEKIT }, &hkdf_128, step),
                         0);
        check_hex(value, CHECK_VALUE_LEN, "51d46cd5654de4fd15a1e0c5c144a8e682d9387a3725513440b21dbd1933c693");
        ck_assert_int_eq(check_value_code(value, code), 0);
        ck_assert_str_eq(code, "426 602 904 988 801 409");
        arena_release(arena_installed(), value);
        arena_release(arena_installed(), step);
}
END_TEST

/* The value of one key from the start, and whether it differs from all before. */
static void check_differs(const CheckName *name, const Schedule *schedule, const ScheduleStep *step) {
        static uint8_t seen[32][CHECK_VALUE_LEN];
        static size_t n;
        uint8_t *value = arena_alloc(arena_installed(), CHECK_VALUE_LEN);

        ck_assert_int_eq(check_value_add(value, name, schedule, step), 0);
        for (size_t i = 0; i < n; i++)
                ck_assert_mem_ne(seen[i], value, CHECK_VALUE_LEN);
        ck_assert_uint_lt(n, ELEMENTS(seen));
        memcpy(seen[n++], value, CHECK_VALUE_LEN);
        arena_release(arena_installed(), value);
}

START_TEST(everything_about_a_key_counts) {
        Schedule long_key = hkdf_128, sframe = { .kdf = SCHEDULE_SFRAME, .suite = 4 };
        CheckName name = alice;
        ScheduleStep *step;

        install();
        step = step_new();
        check_differs(&name, &hkdf_128, step);
        step->key[15] ^= 1;
        check_differs(&name, &hkdf_128, step);
        step->key[15] ^= 1;
        step->next[31] ^= 1; /* a key that goes another way from here on */
        check_differs(&name, &hkdf_128, step);
        step->next[31] ^= 1;
        long_key.key_bits = 256;
        check_differs(&name, &long_key, step);
        check_differs(&name, &sframe, step);
        step->sframe.salt[11] ^= 1;
        check_differs(&name, &sframe, step);
        step->sframe.salt[11] ^= 1;
        name.number = 4;
        check_differs(&name, &hkdf_128, step);
        name = alice;
        name.step = 2;
        check_differs(&name, &hkdf_128, step);
        name = alice;
        name.format = FRAMEKEY_FORMAT_JITSI;
        check_differs(&name, &hkdf_128, step);
        name = alice;
        name.identity = "alicf";
        check_differs(&name, &hkdf_128, step);
        arena_release(arena_installed(), step);
}
END_TEST

START_TEST(what_does_not_count_makes_no_difference) {
        uint8_t *value, *other;
        ScheduleStep *step;
        char identity[258];

        install();
        value = arena_alloc(arena_installed(), CHECK_VALUE_LEN);
        other = arena_alloc(arena_installed(), CHECK_VALUE_LEN);
        step = step_new();
        ck_assert_int_eq(check_value_add(value, &alice, &hkdf_128, step), 0);
        step->key[16] ^= 1; /* behind the key */
        ck_assert_int_eq(check_value_add(other, &alice, &hkdf_128, step), 0);
        ck_assert_mem_eq(value, other, CHECK_VALUE_LEN);
        memset(identity, 'a', 257);
        identity[257] = '\0';
        ck_assert_int_eq(check_value_add(other, &(CheckName){ .identity = identity }, &hkdf_128, step), -EINVAL);
        identity[256] = '\0';
        ck_assert_int_eq(check_value_add(other, &(CheckName){ .identity = identity }, &hkdf_128, step), 0);
        arena_release(arena_installed(), other);
        arena_release(arena_installed(), value);
        arena_release(arena_installed(), step);
}
END_TEST

START_TEST(shortage_is_an_error) {
        uint8_t *blocks[16384], *value;
        ScheduleStep *step;
        char code[CHECK_CODE_MAX];
        size_t n = 0;

        install();
        value = arena_alloc(arena_installed(), CHECK_VALUE_LEN);
        step = step_new();
        while (n < ELEMENTS(blocks) && (blocks[n] = arena_alloc(arena_installed(), 64)) != NULL)
                n++;
        ck_assert_int_eq(check_value_add(value, &alice, &hkdf_128, step), -ENOMEM);
        ck_assert_int_eq(check_value_code(value, code), -ENOMEM);
        while (n > 0)
                arena_release(arena_installed(), blocks[--n]);
        arena_release(arena_installed(), value);
        arena_release(arena_installed(), step);
}
END_TEST

/* ---- promise P1 ---- */

typedef struct Passage {
        Secret *secrets;
        uint8_t *value;
        char code[CHECK_CODE_MAX];
} Passage;

static void pass(void *userdata) {
        Passage *p = userdata;

        ck_assert_int_eq(check_value_add(p->value, &alice, &hkdf_128, (const ScheduleStep *)p->secrets->bytes), 0);
        ck_assert_int_eq(check_value_code(p->value, p->code), 0);
}

START_TEST(nothing_of_the_key_is_left_outside_the_arena) {
        Passage passage;
        Outside *outside;

        install();
        outside = outside_new();
        ck_assert_int_eq(secret_new_random(&passage.secrets, sizeof(ScheduleStep)), 0);
        passage.value = arena_alloc(arena_installed(), CHECK_VALUE_LEN);
        outside_act(pass, &passage);
        outside_add(outside, passage.secrets->bytes, 64);
        outside_add(outside, passage.value, CHECK_VALUE_LEN);
        outside_expect_none(outside);
        outside_free(outside);
        arena_release(arena_installed(), passage.value);
        secret_free(passage.secrets);
}
END_TEST

RUN_TESTS("check-value", argon2id_meets_the_reference, argon2id_needs_nothing_of_the_arena,
          values_and_code_are_those_of_the_definition, everything_about_a_key_counts,
          what_does_not_count_makes_no_difference, shortage_is_an_error, nothing_of_the_key_is_left_outside_the_arena)
