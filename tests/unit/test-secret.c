/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Unit tests of crypto/secret and of the daemon's random bytes and clock.
 */
#include "crypto/secret.h"
#include "util/clock.h"
#include "util/entropy.h"

#include <check.h>
#include <time.h>

static void setup(void) {
        Arena *arena = NULL;

        if (arena_installed()) /* without fork, from the case before */
                return;
        ck_assert_int_eq(arena_new(&arena, 1024 * 1024, ARENA_PROTECTION_SECRETMEM), 0);
        ck_assert_int_eq(arena_install(arena), 0);
}

static bool arena_holds(const void *pattern, size_t len) {
        const uint8_t *base;
        size_t extent;

        arena_extent(arena_installed(), &base, &extent);
        return memmem(base, extent, pattern, len) != NULL;
}

START_TEST(secret_is_zero_at_first_and_lies_in_the_arena) {
        static const uint8_t zeros[SECRET_MAX];
        static const size_t lens[] = { 0, 1, 16, 32, 4095, SECRET_MAX };

        for (size_t i = 0; i < ELEMENTS(lens); i++) {
                _cleanup_(secret_free_p) Secret *secret = NULL;

                ck_assert_int_eq(secret_new(&secret, lens[i]), 0);
                ck_assert_uint_eq(secret->len, lens[i]);
                ck_assert_int_eq(memcmp(secret->bytes, zeros, lens[i]), 0);
                ck_assert(arena_owns(arena_installed(), secret));
                ck_assert(arena_owns(arena_installed(), secret->bytes + lens[i]));
        }
        ck_assert_uint_eq(arena_in_use(arena_installed()), 0);
}
END_TEST

START_TEST(longer_secrets_are_refused) {
        static const uint8_t bytes[SECRET_MAX + 1];
        Secret *secret = NULL;

        ck_assert_int_eq(secret_new(&secret, SECRET_MAX + 1), -EINVAL);
        ck_assert_int_eq(secret_new(&secret, SIZE_MAX), -EINVAL);
        ck_assert_int_eq(secret_new_random(&secret, SECRET_MAX + 1), -EINVAL);
        ck_assert_int_eq(secret_new_copy(&secret, bytes, sizeof(bytes)), -EINVAL);
        ck_assert_ptr_null(secret);
        ck_assert_ptr_null(secret_free(NULL));
}
END_TEST

START_TEST(a_full_arena_is_an_error_and_no_other_memory) {
        Arena *arena = arena_installed();
        Secret *secret = NULL;
        static void *blocks[1024 * 1024 / 64];
        size_t n = 0;

        while ((blocks[n] = arena_alloc(arena, 64)) != NULL)
                n++;
        ck_assert_int_eq(secret_new(&secret, 16), -ENOMEM);
        ck_assert_int_eq(secret_new_random(&secret, 16), -ENOMEM);
        ck_assert_int_eq(secret_new_copy(&secret, "x", 1), -ENOMEM);
        ck_assert_ptr_null(secret);
        while (n > 0)
                arena_release(arena, blocks[--n]);
}
END_TEST

START_TEST(random_secrets_differ_in_every_part) {
        _cleanup_(secret_free_p) Secret *a = NULL, *b = NULL;

        ck_assert_int_eq(secret_new_random(&a, SECRET_MAX), 0);
        ck_assert_int_eq(secret_new_random(&b, SECRET_MAX), 0);
        /* 8 equal bytes at one of 512 places: 2^-55. */
        for (size_t i = 0; i < SECRET_MAX; i += 8)
                ck_assert_int_ne(memcmp(a->bytes + i, b->bytes + i, 8), 0);
}
END_TEST

START_TEST(copy_is_equal_and_every_difference_counts) {
        _cleanup_(secret_free_p) Secret *a = NULL, *b = NULL, *shorter = NULL;

        ck_assert_int_eq(secret_new_random(&a, 33), 0);
        ck_assert_int_eq(secret_new_copy(&b, a->bytes, a->len), 0);
        ck_assert_int_eq(secret_new_copy(&shorter, a->bytes, a->len - 1), 0);
        ck_assert(secret_equal(a, b));
        ck_assert(!secret_equal(a, shorter));
        for (size_t bit = 0; bit < a->len * 8; bit++) {
                b->bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
                ck_assert(!secret_equal(a, b));
                b->bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        }
        ck_assert(secret_equal(a, b));
}
END_TEST

START_TEST(free_wipes) {
        static const char pattern[] = "found before and gone after";
        Secret *secret = NULL;

        ck_assert_int_eq(secret_new_copy(&secret, pattern, sizeof(pattern)), 0);
        ck_assert(arena_holds(pattern, sizeof(pattern)));
        secret = secret_free(secret);
        ck_assert_ptr_null(secret);
        ck_assert(!arena_holds(pattern, sizeof(pattern)));
}
END_TEST

START_TEST(wipe_zeroes_exactly_its_range) {
        uint8_t bytes[64];

        memset(bytes, 0xEE, sizeof(bytes));
        wipe(bytes + 8, 48);
        wipe(NULL, 0);
        for (size_t i = 0; i < sizeof(bytes); i++)
                ck_assert_int_eq(bytes[i], i >= 8 && i < 56 ? 0 : 0xEE);
}
END_TEST

START_TEST(entropy_fills_exactly_its_range) {
        uint8_t bytes[ENTROPY_MAX + 2] = { 0 }, ivs[21 * 12] = { 0 };
        size_t changed[ENTROPY_MAX + 2] = { 0 };

        for (int round = 0; round < 16; round++) {
                entropy_fill(bytes + 1, ENTROPY_MAX);
                for (size_t i = 0; i < sizeof(bytes); i++)
                        changed[i] += bytes[i] != 0;
        }
        for (size_t i = 0; i < sizeof(bytes); i++)
                ck_assert_int_eq(changed[i] > 0, i >= 1 && i <= ENTROPY_MAX);
        entropy_fill_ivs(ivs, 21);
        for (size_t i = 0; i < 21; i++)
                for (size_t k = 0; k < i; k++)
                        ck_assert_int_ne(memcmp(ivs + i * 12, ivs + k * 12, 12), 0);
}
END_TEST

START_TEST(clock_runs_in_microseconds_since_boot) {
        struct timespec before, after;
        uint64_t now;

        ck_assert_int_eq(clock_gettime(CLOCK_BOOTTIME, &before), 0);
        now = clock_boottime_usec();
        ck_assert_int_eq(clock_gettime(CLOCK_BOOTTIME, &after), 0);
        ck_assert_uint_ge(now, (uint64_t)before.tv_sec * 1000000 + (uint64_t)before.tv_nsec / 1000);
        ck_assert_uint_le(now, (uint64_t)after.tv_sec * 1000000 + (uint64_t)after.tv_nsec / 1000);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("secret");
        TCase *tcase = tcase_create("secret");
        SRunner *runner = srunner_create(suite);
        int failed;

        tcase_add_checked_fixture(tcase, setup, NULL);
        tcase_add_test(tcase, secret_is_zero_at_first_and_lies_in_the_arena);
        tcase_add_test(tcase, longer_secrets_are_refused);
        tcase_add_test(tcase, a_full_arena_is_an_error_and_no_other_memory);
        tcase_add_test(tcase, random_secrets_differ_in_every_part);
        tcase_add_test(tcase, copy_is_equal_and_every_difference_counts);
        tcase_add_test(tcase, free_wipes);
        tcase_add_test(tcase, wipe_zeroes_exactly_its_range);
        tcase_add_test(tcase, entropy_fills_exactly_its_range);
        tcase_add_test(tcase, clock_runs_in_microseconds_since_boot);
        suite_add_tcase(suite, tcase);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
