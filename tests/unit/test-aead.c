/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Unit tests of crypto/aead, with the test cases of the GCM specification (McGrew and Viega, appendix
 * B) that SP 800-38D refers to: 1 to 4 for AES-128, 13 to 16 for AES-256.
 */
#include "crypto/aead.h"

#include "crypto/arena.h"

#include <check.h>

#define FRAME_MAX ((size_t)1024 * 1024)

static void setup(void) {
        Arena *arena = NULL;

        if (arena_installed()) /* without fork, from the case before */
                return;
        ck_assert_int_eq(arena_new(&arena, 1024 * 1024, ARENA_PROTECTION_SECRETMEM), 0);
        ck_assert_int_eq(arena_install(arena), 0);
}

static size_t unhex(const char *hex, uint8_t *bytes, size_t size) {
        size_t len = strlen(hex) / 2;

        ck_assert_uint_le(len, size);
        for (size_t i = 0; i < len; i++) {
                const char digits[] = { hex[2 * i], hex[2 * i + 1], '\0' };

                bytes[i] = (uint8_t)strtoul(digits, NULL, 16);
        }
        return len;
}

typedef struct Vector {
        const char *key, *iv, *aad, *plain, *cipher, *tag;
} Vector;

static const Vector vectors[] = {
        {
                "00000000000000000000000000000000",
                "000000000000000000000000",
                "",
                "",
                "",
                "58e2fccefa7e3061367f1d57a4e7455a",
        },
        {
                "00000000000000000000000000000000",
                "000000000000000000000000",
                "",
                "00000000000000000000000000000000",
                "0388dace60b6a392f328c2b971b2fe78",
                "ab6e47d42cec13bdf53a67b21257bddf",
        },
        {
                "feffe9928665731c6d6a8f9467308308",
                "cafebabefacedbaddecaf888",
                "",
                "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525"
                "b16aedf5aa0de657ba637b391aafd255",
                "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa05"
                "1ba30b396a0aac973d58e091473f5985",
                "4d5c2af327cd64a62cf35abd2ba6fab4",
        },
        {
                "feffe9928665731c6d6a8f9467308308",
                "cafebabefacedbaddecaf888",
                "feedfacedeadbeeffeedfacedeadbeefabaddad2",
                "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525"
                "b16aedf5aa0de657ba637b39",
                "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa05"
                "1ba30b396a0aac973d58e091",
                "5bc94fbc3221a5db94fae95ae7121a47",
        },
        {
                "0000000000000000000000000000000000000000000000000000000000000000",
                "000000000000000000000000",
                "",
                "",
                "",
                "530f8afbc74536b9a963b4f1c4cb738b",
        },
        {
                "0000000000000000000000000000000000000000000000000000000000000000",
                "000000000000000000000000",
                "",
                "00000000000000000000000000000000",
                "cea7403d4d606b6e074ec5d3baf39d18",
                "d0d1c8a799996bf0265b98b5d48ab919",
        },
        {
                "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
                "cafebabefacedbaddecaf888",
                "",
                "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525"
                "b16aedf5aa0de657ba637b391aafd255",
                "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838"
                "c5f61e6393ba7a0abcc9f662898015ad",
                "b094dac5d93471bdec1a502270e3cc6c",
        },
        {
                "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
                "cafebabefacedbaddecaf888",
                "feedfacedeadbeeffeedfacedeadbeefabaddad2",
                "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525"
                "b16aedf5aa0de657ba637b39",
                "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838"
                "c5f61e6393ba7a0abcc9f662",
                "76fc6ece0f4e1768cddf8853bb2d551b",
        },
};

typedef struct Sample {
        uint8_t key[32], iv[AEAD_IV_LEN], aad[32], plain[64], cipher[64], tag[AEAD_TAG_LEN];
        size_t key_len, aad_len, len;
} Sample;

static Sample sample_of(const Vector *vector) {
        Sample s;

        memset(&s, 0, sizeof(s));
        s.key_len = unhex(vector->key, s.key, sizeof(s.key));
        s.aad_len = unhex(vector->aad, s.aad, sizeof(s.aad));
        s.len = unhex(vector->plain, s.plain, sizeof(s.plain));
        ck_assert_uint_eq(unhex(vector->iv, s.iv, sizeof(s.iv)), sizeof(s.iv));
        ck_assert_uint_eq(unhex(vector->cipher, s.cipher, sizeof(s.cipher)), s.len);
        ck_assert_uint_eq(unhex(vector->tag, s.tag, sizeof(s.tag)), sizeof(s.tag));
        return s;
}

static Aead *handle_of(const Sample *s) {
        Aead *aead = NULL;

        ck_assert_int_eq(aead_new(&aead, s->key, s->key_len), 0);
        return aead;
}

START_TEST(vectors_seal_and_open) {
        const Sample s = sample_of(&vectors[_i]);
        _cleanup_(aead_free_p) Aead *aead = handle_of(&s);
        uint8_t out[64] = { 0 }, tag[AEAD_TAG_LEN];

        for (int round = 0; round < 2; round++) { /* a handle is good for many frames */
                ck_assert_int_eq(aead_seal(aead, s.iv, s.aad, s.aad_len, s.plain, s.len, out, tag), 0);
                ck_assert_mem_eq(out, s.cipher, s.len);
                ck_assert_mem_eq(tag, s.tag, sizeof(tag));
                memset(out, 0, sizeof(out));
                ck_assert_int_eq(aead_open(aead, s.iv, s.aad, s.aad_len, s.cipher, s.len, out, s.tag), 0);
                ck_assert_mem_eq(out, s.plain, s.len);
        }
}
END_TEST

START_TEST(in_place_is_the_same) {
        const Sample s = sample_of(&vectors[_i]);
        _cleanup_(aead_free_p) Aead *aead = handle_of(&s);
        uint8_t buffer[64], tag[AEAD_TAG_LEN];

        memcpy(buffer, s.plain, s.len);
        ck_assert_int_eq(aead_seal(aead, s.iv, s.aad, s.aad_len, buffer, s.len, buffer, tag), 0);
        ck_assert_mem_eq(buffer, s.cipher, s.len);
        ck_assert_mem_eq(tag, s.tag, sizeof(tag));
        ck_assert_int_eq(aead_open(aead, s.iv, s.aad, s.aad_len, buffer, s.len, buffer, tag), 0);
        ck_assert_mem_eq(buffer, s.plain, s.len);
}
END_TEST

START_TEST(every_flipped_bit_is_forged) {
        Sample s = sample_of(&vectors[_i]);
        _cleanup_(aead_free_p) Aead *aead = handle_of(&s);
        uint8_t *const parts[] = { s.iv, s.aad, s.cipher, s.tag };
        const size_t lens[] = { sizeof(s.iv), s.aad_len, s.len, sizeof(s.tag) };
        uint8_t out[64];

        for (size_t part = 0; part < ELEMENTS(parts); part++)
                for (size_t bit = 0; bit < lens[part] * 8; bit++) {
                        parts[part][bit / 8] ^= (uint8_t)(1u << (bit % 8));
                        ck_assert_int_eq(aead_open(aead, s.iv, s.aad, s.aad_len, s.cipher, s.len, out, s.tag),
                                         AEAD_FORGED);
                        parts[part][bit / 8] ^= (uint8_t)(1u << (bit % 8));
                }
        /* And none of them spoils the handle. */
        ck_assert_int_eq(aead_open(aead, s.iv, s.aad, s.aad_len, s.cipher, s.len, out, s.tag), 0);
        ck_assert_mem_eq(out, s.plain, s.len);
}
END_TEST

START_TEST(every_shorter_frame_and_aad_is_forged) {
        const Sample s = sample_of(&vectors[_i]);
        _cleanup_(aead_free_p) Aead *aead = handle_of(&s);
        uint8_t out[64];

        for (size_t len = 0; len < s.len; len++)
                ck_assert_int_eq(aead_open(aead, s.iv, s.aad, s.aad_len, s.cipher, len, out, s.tag), AEAD_FORGED);
        for (size_t aad_len = 0; aad_len < s.aad_len; aad_len++)
                ck_assert_int_eq(aead_open(aead, s.iv, s.aad, aad_len, s.cipher, s.len, out, s.tag), AEAD_FORGED);
}
END_TEST

START_TEST(nothing_but_a_tag_takes_null_buffers) {
        const Sample s = sample_of(&vectors[0]);
        _cleanup_(aead_free_p) Aead *aead = handle_of(&s);
        uint8_t tag[AEAD_TAG_LEN];

        ck_assert_int_eq(aead_seal(aead, s.iv, NULL, 0, NULL, 0, NULL, tag), 0);
        ck_assert_mem_eq(tag, s.tag, sizeof(tag));
        ck_assert_int_eq(aead_open(aead, s.iv, NULL, 0, NULL, 0, NULL, tag), 0);
        tag[15] ^= 1;
        ck_assert_int_eq(aead_open(aead, s.iv, NULL, 0, NULL, 0, NULL, tag), AEAD_FORGED);
}
END_TEST

/* Lengths round the block sizes of the vector code, with odd alignments, up to the largest frame. */
START_TEST(frames_of_all_sizes_come_back) {
        static const size_t lens[] = { 1, 15, 16, 17, 127, 128, 129, 511, 513, 1200, 65535, FRAME_MAX - 1, FRAME_MAX };
        const Sample s = sample_of(&vectors[7]);
        _cleanup_(aead_free_p) Aead *aead = handle_of(&s);
        _cleanup_free_ uint8_t *in = malloc(FRAME_MAX + 3), *out = malloc(FRAME_MAX + 5), *back = malloc(FRAME_MAX);
        uint8_t tag[AEAD_TAG_LEN];

        for (size_t i = 0; i < FRAME_MAX; i++)
                in[3 + i] = (uint8_t)(i * 7 + i / 251);
        for (size_t i = 0; i < ELEMENTS(lens); i++) {
                size_t len = lens[i];

                ck_assert_int_eq(aead_seal(aead, s.iv, s.aad, s.aad_len, in + 3, len, out + 5, tag), 0);
                ck_assert_int_eq(aead_open(aead, s.iv, s.aad, s.aad_len, out + 5, len, back, tag), 0);
                ck_assert_int_eq(memcmp(in + 3, back, len), 0);
                out[5 + len - 1] ^= 0x80;
                ck_assert_int_eq(aead_open(aead, s.iv, s.aad, s.aad_len, out + 5, len, back, tag), AEAD_FORGED);
        }
}
END_TEST

START_TEST(rekey_makes_it_the_other_key) {
        const Sample s = sample_of(&vectors[7]);
        const Sample before = sample_of(&vectors[5]);
        _cleanup_(aead_free_p) Aead *aead = handle_of(&before);
        uint8_t out[64], tag[AEAD_TAG_LEN];

        ck_assert_int_eq(aead_seal(aead, s.iv, s.aad, s.aad_len, s.plain, s.len, out, tag), 0);
        ck_assert_mem_ne(tag, s.tag, sizeof(tag));
        ck_assert_int_eq(aead_rekey(aead, s.key, s.key_len), 0);
        ck_assert_int_eq(aead_open(aead, s.iv, s.aad, s.aad_len, out, s.len, out, tag), AEAD_FORGED);
        ck_assert_int_eq(aead_seal(aead, s.iv, s.aad, s.aad_len, s.plain, s.len, out, tag), 0);
        ck_assert_mem_eq(out, s.cipher, s.len);
        ck_assert_mem_eq(tag, s.tag, sizeof(tag));
}
END_TEST

START_TEST(other_key_lengths_are_refused) {
        static const uint8_t key[33];
        const Sample s = sample_of(&vectors[0]);
        _cleanup_(aead_free_p) Aead *aead = handle_of(&s);
        Aead *none = NULL;

        for (size_t len = 0; len <= sizeof(key); len++)
                if (len != 16 && len != 32) {
                        ck_assert_int_eq(aead_new(&none, key, len), -EINVAL);
                        ck_assert_int_eq(aead_rekey(aead, key, len), -EINVAL);
                }
        ck_assert_int_eq(aead_rekey(aead, key, 32), -EINVAL); /* the handle is one for 16 */
        ck_assert_ptr_null(none);
        ck_assert_ptr_null(aead_free(NULL));
}
END_TEST

START_TEST(handles_live_in_the_arena_and_are_wiped) {
        const Sample s = sample_of(&vectors[7]);
        Aead *aead = handle_of(&s);
        const uint8_t *base;
        size_t len;

        arena_extent(arena_installed(), &base, &len);
        ck_assert_uint_ge(arena_in_use(arena_installed()), 1900);
        /* The key is the first of the round keys. */
        ck_assert_ptr_nonnull(memmem(base, len, s.key, 16));
        ck_assert_ptr_null(aead_free(aead));
        ck_assert_ptr_null(memmem(base, len, s.key, 16));
        ck_assert_uint_eq(arena_in_use(arena_installed()), 0);
}
END_TEST

START_TEST(a_full_arena_is_an_error) {
        const Sample s = sample_of(&vectors[7]);
        void *last = NULL, *block;
        Aead *aead = NULL;

        while ((block = arena_alloc(arena_installed(), 1345)) != NULL)
                last = block;
        ck_assert_int_eq(aead_new(&aead, s.key, s.key_len), -ENOMEM);
        ck_assert_ptr_null(aead);
        arena_release(arena_installed(), last);
        ck_assert_int_eq(aead_new(&aead, s.key, s.key_len), 0);
        aead_free(aead);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("aead");
        TCase *tcase = tcase_create("aead");
        SRunner *runner = srunner_create(suite);
        int failed;

        tcase_set_timeout(tcase, 60);
        tcase_add_checked_fixture(tcase, setup, NULL);
        tcase_add_loop_test(tcase, vectors_seal_and_open, 0, ELEMENTS(vectors));
        tcase_add_loop_test(tcase, in_place_is_the_same, 0, ELEMENTS(vectors));
        tcase_add_loop_test(tcase, every_flipped_bit_is_forged, 0, ELEMENTS(vectors));
        tcase_add_loop_test(tcase, every_shorter_frame_and_aad_is_forged, 0, ELEMENTS(vectors));
        tcase_add_test(tcase, nothing_but_a_tag_takes_null_buffers);
        tcase_add_test(tcase, frames_of_all_sizes_come_back);
        tcase_add_test(tcase, rekey_makes_it_the_other_key);
        tcase_add_test(tcase, other_key_lengths_are_refused);
        tcase_add_test(tcase, handles_live_in_the_arena_and_are_wiped);
        if (srunner_fork_status(runner) == CK_FORK)
                tcase_add_test(tcase, a_full_arena_is_an_error);
        suite_add_tcase(suite, tcase);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
