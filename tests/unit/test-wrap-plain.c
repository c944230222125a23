/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is inside of a package with a wrapped key: the layouts of org.framekey1(5), and what a hostile
 * sender can put into a package that opens.
 */
#include "runner.h"
#include "wrap-fixture.h"

#define KEY  "KKKKKKKKKKKKKKKK"
#define NEXT "NNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNN"
/* What a package for alice of LiveKit is bound to. */
#define INFO                                                                                                           \
        "org.framekey1.WrappedKey\x01\x00\x05"                                                                         \
        "alice"
#define ZEROS_10 "\0\0\0\0\0\0\0\0\0\0"

/* index 4, step 0x00010203, HKDF, 16-byte key, iterations 5, salt "sa", ratchet salt "rat", info "i". */
static const uint8_t plain_good[] = "\x00\x00\x00\x04\x00\x01\x02\x03\x02\x10\x00\x00\x00\x05\x00\x02\x00\x03\x00\x01"
                                    "sarati" KEY NEXT;
#define PLAIN_LEN (sizeof(plain_good) - 1)

/* The same, SFrame, suite 4, 32 ratchet bits, KID 0x0123456700000000. */
static const uint8_t plain_sframe[] =
        "\0\0\0\4\0\1\2\3\3\x10" ZEROS_10 "\0\4\x20\x01\x23\x45\x67\0\0\0\0" KEY "SSSSSSSSSSSS" NEXT;
/* MLS epoch, suite 4. */
static const uint8_t plain_epoch[] = "\0\0\0\4\0\0\0\0\4\0" ZEROS_10 "\0\4\0\0\0\0\0\0\0\0\0" NEXT;
static const uint8_t plain_dave[] = "\0\0\0\4\0\1\2\3\5\x10" ZEROS_10 KEY NEXT;

/* A package made from the description in org.framekey1(5) alone, as a peer would: any plain text. */
static Package package_of_plain(const HpkePair *recipient, const uint8_t *plain, size_t len) {
        const HpkeMessage message = { INFO, sizeof(INFO) - 1, "FKW1", 4, plain, len };
        Package package = { .bytes = "FKW1", .len = OUTER_LEN + len };

        ck_assert_int_eq(hpke_seal(hpke_pair_public(recipient), NULL, &message, package.bytes + 4, package.bytes + 36),
                         0);
        return package;
}

/* The other direction: the plain text of a package, which is in the arena. */
static uint8_t *plain_of_package(const HpkePair *pair, const Package *package) {
        const HpkeMessage message = { INFO, sizeof(INFO) - 1, "FKW1", 4, package->bytes + 36, package->len - 36 };
        uint8_t *plain = arena_alloc(arena_installed(), package->len - OUTER_LEN);

        ck_assert_ptr_nonnull(plain);
        ck_assert_int_eq(hpke_open(pair, package->bytes + 4, &message, plain), 0);
        return plain;
}

/* What a peer could write in place of what the description says: a header, and as many bytes as it likes. */
START_TEST(every_other_layout_of_keys_that_count_is_forged) {
        static const struct {
                unsigned kdf, key_len;
                const char *behind; /* suite, ratchet bits, KID; 11 bytes, or none */
                size_t n_secrets;
                int expected;
        } rows[] = {
                { 3, 16, "\0\4\0\0\0\0\0\0\0\0\7", 16 + 12 + 32, 0 },
                { 3, 16, "\0\4\0\0\0\0\0\0\0\0\7", 16 + 12 + 31, HPKE_FORGED },
                { 3, 16, "\0\4\0\0\0\0\0\0\0\0\7", 16 + 12 + 33, HPKE_FORGED },
                { 3, 32, "\0\4\0\0\0\0\0\0\0\0\7", 16 + 12 + 32, HPKE_FORGED },
                { 3, 32, "\0\5\0\0\0\0\0\0\0\0\7", 16 + 12 + 32, HPKE_FORGED },
                { 3, 32, "\0\5\0\0\0\0\0\0\0\0\7", 32 + 12 + 64, 0 },
                { 3, 16, "\0\0\0\0\0\0\0\0\0\0\7", 16 + 12 + 32, HPKE_FORGED },
                { 3, 16, "\0\4\2\0\0\0\0\0\0\0\0", 16 + 12 + 32, HPKE_FORGED },
                { 3, 16, "\0\4\10\0\0\0\0\0\0\0\7", 16 + 12 + 32, HPKE_FORGED },
                { 3, 16, NULL, 0, HPKE_FORGED },
                { 4, 0, "\0\4\0\0\0\0\0\0\0\0\0", 32, 0 },
                { 4, 16, "\0\4\0\0\0\0\0\0\0\0\0", 32, HPKE_FORGED },
                { 4, 0, "\0\4\0\0\0\0\0\0\0\0\7", 32, HPKE_FORGED },
                { 4, 0, "\0\4\10\0\0\0\0\0\0\0\0", 32, HPKE_FORGED },
                { 5, 16, NULL, 16 + 32, 0 },
                { 5, 255, NULL, 255 + 32, HPKE_FORGED }, /* would not fit a step's block */
                { 5, 16, NULL, 16 + 31, HPKE_FORGED },
                { 5, 16, NULL, 16 + 33, HPKE_FORGED },
                { 5, 0, NULL, 32, HPKE_FORGED },
                { 6, 16, NULL, 16 + 32, HPKE_FORGED },
        };
        HpkePair *pair = pair_new();

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                uint8_t plain[512] = { [3] = 1, [8] = (uint8_t)rows[i].kdf, [9] = (uint8_t)rows[i].key_len };
                size_t len = 20 + (rows[i].behind ? 11 : 0) + rows[i].n_secrets;
                Package package;

                if (rows[i].behind)
                        memcpy(plain + 20, rows[i].behind, 11);
                package = package_of_plain(pair, plain, len);
                ck_assert_msg(outcome_of(pair, &context, package.bytes, package.len) == rows[i].expected, "row %zu", i);
                if (rows[i].expected != 0)
                        continue;
                for (size_t at = 10; at < 20; at++) { /* iterations and lengths of salts, which mean nothing here */
                        plain[at] = 1;
                        package = package_of_plain(pair, plain, len);
                        ck_assert_int_eq(outcome_of(pair, &context, package.bytes, package.len), HPKE_FORGED);
                        plain[at] = 0;
                }
        }
        hpke_pair_free(pair);
}
END_TEST

/* Opens the plain text as a peer has made it, and checks that we make the same of what came out. */
static WrappedKey open_and_compare(const HpkePair *pair, const uint8_t *plain, size_t len) {
        Package package = package_of_plain(pair, plain, len);
        WrappedKey key;
        uint8_t *again;

        ck_assert_int_eq(wrap_open(pair, &context, package.bytes, package.len, &key), 0);
        package = package_of(pair, &context, &key);
        ck_assert_uint_eq(package.len, OUTER_LEN + len);
        again = plain_of_package(pair, &package);
        ck_assert_mem_eq(again, plain, len);
        arena_release(arena_installed(), again);
        return key;
}

START_TEST(the_layout_is_the_documented_one) {
        HpkePair *pair = pair_new();
        WrappedKey key = open_and_compare(pair, plain_good, PLAIN_LEN);

        ck_assert_uint_eq(key.index, 4);
        ck_assert_uint_eq(key.step, 0x00010203);
        ck_assert_int_eq(key.schedule.kdf, SCHEDULE_HKDF);
        ck_assert_uint_eq(key.schedule.key_bits, 128);
        ck_assert_uint_eq(key.schedule.iterations, 5);
        ck_assert_uint_eq(key.schedule.salt_len, 2);
        ck_assert_mem_eq(key.schedule.salt, "sa", 3);
        ck_assert_uint_eq(key.schedule.ratchet_salt_len, 3);
        ck_assert_mem_eq(key.schedule.ratchet_salt, "rat", 4);
        ck_assert_uint_eq(key.schedule.info_len, 1);
        ck_assert_mem_eq(key.schedule.info, "i", 2);
        ck_assert_mem_eq(key.secrets->key, "KKKKKKKKKKKKKKKK\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 32);
        ck_assert_mem_eq(key.secrets->next, NEXT, 32);
        key_done(&key);
        hpke_pair_free(pair);
}
END_TEST

START_TEST(the_layouts_of_keys_that_count_are_the_documented_ones) {
        HpkePair *pair = pair_new();
        WrappedKey key = open_and_compare(pair, plain_sframe, sizeof(plain_sframe) - 1);

        ck_assert_uint_eq(key.index, 4);
        ck_assert_uint_eq(key.step, 0x00010203);
        ck_assert_int_eq(key.schedule.kdf, SCHEDULE_SFRAME);
        ck_assert_uint_eq(key.schedule.suite, 4);
        ck_assert_uint_eq(key.schedule.ratchet_bits, 32);
        ck_assert_uint_eq(key.schedule.kid, UINT64_C(0x0123456700000000));
        ck_assert(key.schedule.kid_given); /* or else another index would give another KID */
        ck_assert_mem_eq(key.secrets->sframe.key, KEY, 16);
        ck_assert_mem_eq(key.secrets->sframe.salt, "SSSSSSSSSSSS", 12);
        ck_assert_mem_eq(key.secrets->sframe.next, NEXT, 32);
        key_done(&key);

        key = open_and_compare(pair, plain_epoch, sizeof(plain_epoch) - 1);
        ck_assert_uint_eq(key.index, 4);
        ck_assert_uint_eq(key.step, 0);
        ck_assert_int_eq(key.schedule.kdf, SCHEDULE_EPOCH);
        ck_assert_uint_eq(key.schedule.suite, 4);
        ck_assert_mem_eq(key.secrets->sframe.next, NEXT, 32);
        key_done(&key);

        key = open_and_compare(pair, plain_dave, sizeof(plain_dave) - 1);
        ck_assert_uint_eq(key.index, 4);
        ck_assert_uint_eq(key.step, 0x00010203);
        ck_assert_int_eq(key.schedule.kdf, SCHEDULE_DAVE);
        ck_assert_mem_eq(key.secrets->dave.key, KEY, 16);
        ck_assert_mem_eq(key.secrets->dave.next, NEXT, 32);
        key_done(&key);
        hpke_pair_free(pair);
}
END_TEST

/* Other bits of the index, the step and the KID above its steps make another key; all else must be as it is. */
static bool may_differ(ScheduleKdf kdf, size_t byte, unsigned bit) {
        if (byte == 3)
                return true;
        if (byte >= 4 && byte < 8)
                return kdf != SCHEDULE_EPOCH && (byte > 4 || bit < 6);
        return kdf == SCHEDULE_SFRAME && byte >= 23 && byte < 27;
}

static void check_header_bits(const HpkePair *pair, const uint8_t *good, size_t len, size_t header_len) {
        for (size_t i = 0; i < header_len * 8; i++) {
                bool may = may_differ(good[8], i / 8, i % 8);
                uint8_t plain[128];
                Package package;

                memcpy(plain, good, len);
                plain[i / 8] ^= (uint8_t)(1 << i % 8);
                package = package_of_plain(pair, plain, len);
                ck_assert_msg(outcome_of(pair, &context, package.bytes, package.len) == (may ? 0 : HPKE_FORGED),
                              "kind %u, byte %zu, bit %zu", good[8], i / 8, i % 8);
                if (may) {
                        WrappedKey key = open_and_compare(pair, plain, len);

                        key_done(&key);
                }
        }
}

START_TEST(every_bit_of_a_header_counts) {
        HpkePair *pair = pair_new();

        check_header_bits(pair, plain_sframe, sizeof(plain_sframe) - 1, 31);
        check_header_bits(pair, plain_epoch, sizeof(plain_epoch) - 1, 31);
        check_header_bits(pair, plain_dave, sizeof(plain_dave) - 1, 20);
        hpke_pair_free(pair);
}
END_TEST

START_TEST(plain_text_out_of_bounds_is_forged) {
        static const struct {
                size_t at;
                const char *bytes;
                size_t len;
        } changes[] = {
                { 0, "\x00\x00\x01\x00", 4 },   /* index 256 */
                { 0, "\xff\xff\xff\xff", 4 },   /* SESSION_ACTIVE */
                { 4, "\x40\x00\x00\x01", 4 },   /* step 2^30 + 1 */
                { 4, "\xff\xff\xff\xff", 4 },   /* last step there is */
                { 8, "\x00", 1 },               /* no kdf */
                { 8, "\x03", 1 },               /* SFrame, which has no salts */
                { 8, "\x06", 1 },               /* unknown kdf */
                { 8, "\x01\x10\0\0\0\0", 6 },   /* PBKDF2 without iterations */
                { 8, "\x01\x10\xff\0\0\0", 6 }, /* PBKDF2 for hours */
                { 9, "\x00", 1 },               /* no key */
                { 9, "\x18", 1 },               /* 192 bits */
                { 9, "\x20", 1 },               /* 256 bits, but not there */
                { 9, "\xff", 1 },               /* more than fits */
                { 14, "\x00\x01", 2 },          /* lengths that do not add up */
                { 14, "\x01\x01", 2 },          /* ... beyond the limit */
                { 14, "\xff\xff", 2 },
                { 16, "\x00\x04", 2 },
                { 16, "\xff\xff", 2 },
                { 18, "\x00\x00", 2 },
                { 18, "\xff\xff", 2 },
        };
        HpkePair *pair = pair_new();

        for (size_t i = 0; i < ELEMENTS(changes); i++) {
                uint8_t plain[PLAIN_LEN];
                Package package;

                memcpy(plain, plain_good, PLAIN_LEN);
                memcpy(plain + changes[i].at, changes[i].bytes, changes[i].len);
                package = package_of_plain(pair, plain, PLAIN_LEN);
                ck_assert_int_eq(outcome_of(pair, &context, package.bytes, package.len), HPKE_FORGED);
        }
        hpke_pair_free(pair);
}
END_TEST

START_TEST(plain_text_of_another_length_is_forged) {
        const struct {
                const uint8_t *bytes;
                size_t len;
        } plains[] = {
                { plain_good, PLAIN_LEN },
                { plain_sframe, sizeof(plain_sframe) - 1 },
                { plain_epoch, sizeof(plain_epoch) - 1 },
                { plain_dave, sizeof(plain_dave) - 1 },
        };
        HpkePair *pair = pair_new();

        for (size_t i = 0; i < ELEMENTS(plains); i++) {
                uint8_t plain[192] = { 0 };

                memcpy(plain, plains[i].bytes, plains[i].len);
                for (size_t len = 0; len <= sizeof(plain); len++) {
                        Package package = package_of_plain(pair, plain, len);

                        ck_assert_int_eq(outcome_of(pair, &context, package.bytes, package.len),
                                         len == plains[i].len ? 0 : HPKE_FORGED);
                }
        }
        hpke_pair_free(pair);
}
END_TEST

/* The bounds themselves are within. */
START_TEST(plain_text_at_its_bounds_opens) {
        static const uint8_t largest[] = { 0, 0, 0, 0xff, 0x40, 0, 0, 0, SCHEDULE_PBKDF2, 16, 0, 0x98, 0x96, 0x80 };
        HpkePair *pair = pair_new();
        uint8_t plain[PLAIN_LEN];
        Package package;

        memcpy(plain, plain_good, PLAIN_LEN);
        memcpy(plain, largest, sizeof(largest));
        package = package_of_plain(pair, plain, PLAIN_LEN);
        ck_assert_int_eq(outcome_of(pair, &context, package.bytes, package.len), 0);
        hpke_pair_free(pair);
}
END_TEST

RUN_TESTS("wrap-plain", the_layout_is_the_documented_one, the_layouts_of_keys_that_count_are_the_documented_ones,
          every_other_layout_of_keys_that_count_is_forged, every_bit_of_a_header_counts,
          plain_text_out_of_bounds_is_forged, plain_text_of_another_length_is_forged, plain_text_at_its_bounds_opens)
