/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Wrapped keys: what goes in comes out where it belongs and nowhere else. */
#include "outside-arena.h"
#include "runner.h"
#include "wrap-fixture.h"

static ScheduleStep *secrets_new(void) {
        ScheduleStep *secrets = arena_alloc(arena_installed(), sizeof(*secrets));
        Secret *random;

        ck_assert_ptr_nonnull(secrets);
        ck_assert_int_eq(secret_new_random(&random, sizeof(*secrets)), 0);
        memcpy(secrets, random->bytes, sizeof(*secrets));
        secret_free(random);
        wipe_registers();
        return secrets;
}

/* Each field differs from the others, so that none can stand for another. */
static WrappedKey key_small(void) {
        return (WrappedKey){ .index = 3,
                             .step = 7,
                             .schedule = { .kdf = SCHEDULE_HKDF, .key_bits = 128, .salt_len = 2, .salt = { 1, 2 } },
                             .secrets = secrets_new() };
}

static WrappedKey key_large(void) {
        WrappedKey key = { .index = WRAP_INDEX_MAX,
                           .step = WRAP_STEP_MAX,
                           .schedule = { .kdf = SCHEDULE_PBKDF2,
                                         .iterations = SCHEDULE_ITERATIONS_MAX,
                                         .key_bits = 256,
                                         .salt_len = SCHEDULE_SALT_MAX,
                                         .ratchet_salt_len = SCHEDULE_SALT_MAX,
                                         .info_len = SCHEDULE_SALT_MAX },
                           .secrets = secrets_new() };

        for (size_t i = 0; i < SCHEDULE_SALT_MAX; i++) {
                key.schedule.salt[i] = (uint8_t)(i + 1);
                key.schedule.ratchet_salt[i] = (uint8_t)(3 * i);
                key.schedule.info[i] = (uint8_t)(7 * i + 5);
        }
        return key;
}

static WrappedKey key_sframe(uint32_t suite) {
        return (WrappedKey){ .index = 9,
                             .step = 5,
                             .schedule = { .kdf = SCHEDULE_SFRAME,
                                           .suite = suite,
                                           .ratchet_bits = 8,
                                           .kid = UINT64_C(0x0123456789abcd00) },
                             .secrets = secrets_new() };
}

/* Of a suite whose hash has 64 bytes. */
static WrappedKey key_epoch(void) {
        return (WrappedKey){ .index = 1, .schedule = { .kdf = SCHEDULE_EPOCH, .suite = 5 }, .secrets = secrets_new() };
}

static WrappedKey key_dave(void) {
        return (WrappedKey){ .index = 2, .step = 600, .schedule = { .kdf = SCHEDULE_DAVE }, .secrets = secrets_new() };
}

static void check_same(const WrappedKey *a, const WrappedKey *b) {
        const uint8_t *next;
        size_t len;

        ck_assert_uint_eq(a->index, b->index);
        ck_assert_uint_eq(a->step, b->step);
        ck_assert_int_eq(a->schedule.kdf, b->schedule.kdf);
        ck_assert_uint_eq(a->schedule.iterations, b->schedule.iterations);
        ck_assert_uint_eq(a->schedule.key_bits, b->schedule.key_bits);
        ck_assert_uint_eq(a->schedule.salt_len, b->schedule.salt_len);
        ck_assert_uint_eq(a->schedule.ratchet_salt_len, b->schedule.ratchet_salt_len);
        ck_assert_uint_eq(a->schedule.info_len, b->schedule.info_len);
        ck_assert_mem_eq(a->schedule.salt, b->schedule.salt, SCHEDULE_SALT_MAX);
        ck_assert_mem_eq(a->schedule.ratchet_salt, b->schedule.ratchet_salt, SCHEDULE_SALT_MAX);
        ck_assert_mem_eq(a->schedule.info, b->schedule.info, SCHEDULE_SALT_MAX);
        ck_assert_uint_eq(a->schedule.suite, b->schedule.suite);
        ck_assert_uint_eq(a->schedule.ratchet_bits, b->schedule.ratchet_bits);
        ck_assert_uint_eq(a->schedule.kid, b->schedule.kid);
        if (a->schedule.kdf == SCHEDULE_EPOCH) {
                ck_assert_mem_eq(a->secrets->sframe.next, b->secrets->sframe.next, 64);
                return;
        }
        ck_assert_mem_eq(a->secrets->bytes, b->secrets->bytes, schedule_key_len(&a->schedule));
        if (a->schedule.kdf == SCHEDULE_SFRAME)
                ck_assert_mem_eq(a->secrets->sframe.salt, b->secrets->sframe.salt, SUITE_NONCE_LEN);
        next = schedule_next(&a->schedule, a->secrets, &len);
        ck_assert_mem_eq(next, schedule_next(&b->schedule, b->secrets, &len), len);
}

static void check_round_trip(WrappedKey *key) {
        HpkePair *pair = pair_new();
        Package package = package_of(pair, &context, key);
        WrappedKey back;

        ck_assert_int_eq(wrap_open(pair, &context, package.bytes, package.len, &back), 0);
        ck_assert(arena_owns(arena_installed(), back.secrets));
        ck_assert_ptr_ne(back.secrets, key->secrets);
        check_same(key, &back);
        key_done(&back);
        key_done(key);
        hpke_pair_free(pair);
}

START_TEST(a_small_key_comes_back) {
        WrappedKey key;

        arena_start();
        key = key_small();
        check_round_trip(&key);
}
END_TEST

START_TEST(every_field_at_its_largest_comes_back) {
        WrappedKey key;

        arena_start();
        key = key_large();
        check_round_trip(&key);
}
END_TEST

START_TEST(each_salt_stays_in_its_place) {
        arena_start();
        for (unsigned lens = 0; lens < 8; lens++) {
                WrappedKey key = key_large();
                Schedule *schedule = &key.schedule;

                schedule->salt_len = lens & 1 ? 5 : 0;
                schedule->ratchet_salt_len = lens & 2 ? 9 : 0;
                schedule->info_len = lens & 4 ? 128 : 0;
                memset(schedule->salt + schedule->salt_len, 0, SCHEDULE_SALT_MAX - schedule->salt_len);
                memset(schedule->ratchet_salt + schedule->ratchet_salt_len, 0,
                       SCHEDULE_SALT_MAX - schedule->ratchet_salt_len);
                memset(schedule->info + schedule->info_len, 0, SCHEDULE_SALT_MAX - schedule->info_len);
                schedule->kdf = lens & 1 ? SCHEDULE_PBKDF2 : SCHEDULE_HKDF;
                schedule->key_bits = lens & 1 ? 128 : 256;
                check_round_trip(&key);
        }
}
END_TEST

START_TEST(keys_that_count_travel_too) {
        WrappedKey key;

        arena_start();
        for (uint32_t suite = 1; suite <= 8; suite++) {
                key = key_sframe(suite);
                check_round_trip(&key);
        }
        key = key_epoch();
        check_round_trip(&key);
        key = key_dave();
        check_round_trip(&key);
}
END_TEST

/* A session names what is under an index; of an epoch that is nobody's KID. */
START_TEST(an_epoch_travels_without_a_kid) {
        HpkePair *pair = pair_new();
        WrappedKey key = key_epoch(), back;
        Package package;

        key.schedule.kid = key.index;
        package = package_of(pair, &context, &key);
        ck_assert_int_eq(wrap_open(pair, &context, package.bytes, package.len, &back), 0);
        ck_assert_uint_eq(back.schedule.kid, 0);
        key.schedule.kid = 0;
        check_same(&key, &back);
        key_done(&back);
        key_done(&key);
        hpke_pair_free(pair);
}
END_TEST

START_TEST(two_packages_of_one_key_differ) {
        HpkePair *pair = pair_new();
        WrappedKey key = key_small();
        Package a = package_of(pair, &context, &key), b = package_of(pair, &context, &key);

        ck_assert_uint_eq(a.len, b.len);
        ck_assert_mem_eq(a.bytes, "FKW1", 4);
        ck_assert_mem_eq(b.bytes, "FKW1", 4);
        ck_assert_mem_ne(a.bytes + 4, b.bytes + 4, HPKE_KEY_LEN);
        ck_assert_mem_ne(a.bytes + 36, b.bytes + 36, a.len - 36);
        key_done(&key);
        hpke_pair_free(pair);
}
END_TEST

static WrappedKey key_of_kind(ScheduleKdf kdf) {
        arena_start();
        switch (kdf) {
        case SCHEDULE_PBKDF2:
                return key_large();
        case SCHEDULE_SFRAME:
                return key_sframe(6);
        case SCHEDULE_EPOCH:
                return key_epoch();
        case SCHEDULE_DAVE:
                return key_dave();
        default:
                return key_small();
        }
}

START_TEST(every_bit_flipped_is_forged) {
        HpkePair *pair = pair_new();

        for (ScheduleKdf kdf = SCHEDULE_PBKDF2; kdf <= SCHEDULE_DAVE; kdf++) {
                WrappedKey key = key_of_kind(kdf);
                Package package = package_of(pair, &context, &key);

                for (size_t i = 0; i < package.len * 8; i++) {
                        package.bytes[i / 8] ^= (uint8_t)(1 << i % 8);
                        ck_assert_int_eq(outcome_of(pair, &context, package.bytes, package.len), HPKE_FORGED);
                        package.bytes[i / 8] ^= (uint8_t)(1 << i % 8);
                }
                ck_assert_int_eq(outcome_of(pair, &context, package.bytes, package.len), 0);
                key_done(&key);
        }
        hpke_pair_free(pair);
}
END_TEST

START_TEST(every_other_length_is_forged) {
        HpkePair *pair = pair_new();

        for (ScheduleKdf kdf = SCHEDULE_PBKDF2; kdf <= SCHEDULE_DAVE; kdf++) {
                WrappedKey key = key_of_kind(kdf);
                Package package = package_of(pair, &context, &key);

                for (size_t len = 0; len <= WRAP_MAX + 1; len++)
                        ck_assert_int_eq(outcome_of(pair, &context, package.bytes, len),
                                         len == package.len ? 0 : HPKE_FORGED);
                key_done(&key);
        }
        hpke_pair_free(pair);
}
END_TEST

START_TEST(it_opens_in_its_context_only) {
        static const WrapContext others[] = {
                { FRAMEKEY_FORMAT_REALTIMEKIT, "alice" }, { FRAMEKEY_FORMAT_LIVEKIT, "" },
                { FRAMEKEY_FORMAT_LIVEKIT, "alic" },      { FRAMEKEY_FORMAT_LIVEKIT, "alice " },
                { FRAMEKEY_FORMAT_LIVEKIT, "Alice" },     { FRAMEKEY_FORMAT_LIVEKIT, "bob" },
        };
        HpkePair *pair = pair_new(), *other = pair_new();
        WrappedKey key = key_small();
        Package package = package_of(pair, &context, &key);

        for (size_t i = 0; i < ELEMENTS(others); i++)
                ck_assert_int_eq(outcome_of(pair, &others[i], package.bytes, package.len), HPKE_FORGED);
        ck_assert_int_eq(outcome_of(other, &context, package.bytes, package.len), HPKE_FORGED);
        ck_assert_int_eq(outcome_of(pair, &context, package.bytes, package.len), 0);
        key_done(&key);
        hpke_pair_free(pair);
        hpke_pair_free(other);
}
END_TEST

START_TEST(identities_have_any_bytes_up_to_their_limit) {
        char longest[WRAP_IDENTITY_MAX + 2] = { 0 };
        HpkePair *pair = pair_new();
        WrappedKey key = key_small();
        WrapContext mine = { FRAMEKEY_FORMAT_DAVE, "" };
        Package package = package_of(pair, &mine, &key);
        size_t len = 0;

        ck_assert_int_eq(outcome_of(pair, &mine, package.bytes, package.len), 0);
        memset(longest, 0xc3, WRAP_IDENTITY_MAX);
        mine.identity = longest;
        package = package_of(pair, &mine, &key);
        ck_assert_int_eq(outcome_of(pair, &mine, package.bytes, package.len), 0);
        longest[WRAP_IDENTITY_MAX] = 'x';
        ck_assert_int_eq(outcome_of(pair, &mine, package.bytes, package.len), HPKE_FORGED);
        ck_assert_int_eq(wrap_seal(hpke_pair_public(pair), &mine, &key, package.bytes, &len), -EINVAL);
        ck_assert_uint_eq(len, 0);
        key_done(&key);
        hpke_pair_free(pair);
}
END_TEST

START_TEST(what_cannot_be_opened_is_not_sealed) {
        HpkePair *pair = pair_new();
        WrappedKey good = key_small(), counted[7];
        WrappedKey bad[7];
        Package package;

        for (size_t i = 0; i < ELEMENTS(bad); i++)
                bad[i] = good;
        bad[0].index = WRAP_INDEX_MAX + 1;
        bad[1].step = WRAP_STEP_MAX + 1;
        bad[2].schedule.kdf = 0;
        bad[3].schedule.key_bits = 192;
        bad[4].schedule.salt_len = SCHEDULE_SALT_MAX + 1;
        bad[5].schedule.ratchet_salt_len = SCHEDULE_SALT_MAX + 1;
        bad[6].schedule.info_len = 65536;
        for (size_t i = 0; i < ELEMENTS(bad); i++)
                ck_assert_int_eq(wrap_seal(hpke_pair_public(pair), &context, &bad[i], package.bytes, &package.len),
                                 -EINVAL);
        for (size_t i = 0; i < ELEMENTS(counted); i++)
                counted[i] =
                        (WrappedKey){ .schedule = { .kdf = SCHEDULE_SFRAME, .suite = 4 }, .secrets = good.secrets };
        counted[0].schedule.suite = 9;
        counted[1].schedule.suite = SUITE_DAVE;
        counted[2].schedule.ratchet_bits = 2;
        counted[3].step = 1; /* without bits for it */
        counted[4].schedule.ratchet_bits = 4;
        counted[4].schedule.kid = 1;
        counted[5].schedule.kdf = SCHEDULE_EPOCH;
        counted[5].schedule.ratchet_bits = 4;
        counted[6].schedule.kdf = SCHEDULE_EPOCH;
        counted[6].step = 1;
        for (size_t i = 0; i < ELEMENTS(counted); i++)
                ck_assert_msg(wrap_seal(hpke_pair_public(pair), &context, &counted[i], package.bytes, &package.len) ==
                                      -EINVAL,
                              "%zu", i);
        key_done(&good);
        hpke_pair_free(pair);
}
END_TEST

START_TEST(a_point_of_small_order_is_no_recipient_and_no_sender) {
        static const uint8_t zero[HPKE_KEY_LEN];
        HpkePair *pair = pair_new();
        WrappedKey key = key_small();
        Package package = package_of(pair, &context, &key);
        size_t len;

        memcpy(package.bytes + 4, zero, sizeof(zero));
        ck_assert_int_eq(outcome_of(pair, &context, package.bytes, package.len), HPKE_BAD_KEY);
        ck_assert_int_eq(wrap_seal(zero, &context, &key, package.bytes, &len), HPKE_BAD_KEY);
        key_done(&key);
        hpke_pair_free(pair);
}
END_TEST

typedef struct Passage {
        HpkePair *pair;
        WrappedKey key, back;
        Package package;
} Passage;

static void seal(void *userdata) {
        Passage *passage = userdata;

        passage->package = package_of(passage->pair, &context, &passage->key);
}

static void unseal(void *userdata) {
        Passage *passage = userdata;

        ck_assert_int_eq(
                wrap_open(passage->pair, &context, passage->package.bytes, passage->package.len, &passage->back), 0);
}

START_TEST(no_secret_is_left_outside_the_arena) {
        HpkePair *pair = pair_new();

        for (ScheduleKdf kdf = SCHEDULE_PBKDF2; kdf <= SCHEDULE_DAVE; kdf++) {
                Passage passage = { .pair = pair, .key = key_of_kind(kdf) };
                Outside *outside = outside_new();

                outside_add(outside, passage.key.secrets, sizeof(*passage.key.secrets));
                outside_expect_none(outside);
                outside_act(seal, &passage);
                outside_expect_none(outside);
                outside_act(unseal, &passage);
                outside_expect_none(outside);
                check_same(&passage.key, &passage.back);
                key_done(&passage.key);
                key_done(&passage.back);
                outside_free(outside);
        }
        hpke_pair_free(pair);
}
END_TEST

START_TEST(a_full_arena_is_an_error) {
        static void *blocks[4096];
        HpkePair *pair = pair_new();
        WrappedKey key = key_large();
        Package package = package_of(pair, &context, &key), other;
        size_t n = 0, refused = 0;

        while (n < ELEMENTS(blocks) && (blocks[n] = arena_alloc(arena_installed(), 64)) != NULL)
                n++;
        while (n > 0) {
                int r;

                r = wrap_seal(hpke_pair_public(pair), &context, &key, other.bytes, &other.len);
                ck_assert(r == -ENOMEM || r == 0);
                refused += r != 0;
                r = outcome_of(pair, &context, package.bytes, package.len);
                ck_assert(r == -ENOMEM || r == 0);
                refused += r != 0;
                for (size_t i = MIN_OF(n, 8); i > 0; i--)
                        arena_release(arena_installed(), blocks[--n]);
        }
        ck_assert_uint_gt(refused, 16);
        ck_assert_int_eq(outcome_of(pair, &context, package.bytes, package.len), 0);
        key_done(&key);
        hpke_pair_free(pair);
}
END_TEST

RUN_TESTS("wrap", a_small_key_comes_back, every_field_at_its_largest_comes_back, each_salt_stays_in_its_place,
          keys_that_count_travel_too, an_epoch_travels_without_a_kid, two_packages_of_one_key_differ,
          every_bit_flipped_is_forged, every_other_length_is_forged, it_opens_in_its_context_only,
          identities_have_any_bytes_up_to_their_limit, what_cannot_be_opened_is_not_sealed,
          a_point_of_small_order_is_no_recipient_and_no_sender, no_secret_is_left_outside_the_arena,
          a_full_arena_is_an_error)
