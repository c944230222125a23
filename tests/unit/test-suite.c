/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit tests of crypto/suite against the known answers of RFC 9605, of the drafts after it, and of DAVE. */
#include "crypto/suite.h"

#include "crypto/arena.h"
#include "runner.h"
#include "vector-file.h"

#define SAMPLES_MAX 32u

/* One sealed text. */
typedef struct Sample {
        const SuiteInfo *suite;
        VectorBytes key, nonce, aad, plain, sealed; /* sealed: ciphertext || tag */
} Sample;

static Sample samples[SAMPLES_MAX];
static size_t n_samples;

static Sample *sample_new(uint64_t suite, const json_t *entry, const char *key) {
        Sample *s = &samples[n_samples++];

        ck_assert_uint_le(n_samples, SAMPLES_MAX);
        s->suite = suite_find((uint32_t)suite);
        ck_assert_ptr_nonnull(s->suite);
        s->key = vector_hex(entry, key);
        ck_assert_uint_eq(s->key.len, s->suite->key_len);
        return s;
}

/* aes_ctr_hmac[]: the cipher alone. */
static void add_aead(const json_t *array) {
        const json_t *entry;
        size_t i;

        json_array_foreach(array, i, entry) {
                Sample *s = sample_new(vector_number(entry, "cipher_suite"), entry, "key");

                s->nonce = vector_hex(entry, "nonce");
                s->aad = vector_hex(entry, "aad");
                s->plain = vector_hex(entry, "pt");
                s->sealed = vector_hex(entry, "ct");
        }
}

/* sframe[]: the same behind a header, with which the additional data begins. */
static void add_frames(const json_t *array) {
        const json_t *entry;
        size_t i;

        json_array_foreach(array, i, entry) {
                Sample *s = sample_new(vector_number(entry, "cipher_suite"), entry, "sframe_key");
                size_t header_len = vector_hex(entry, "aad").len - vector_hex(entry, "metadata").len;

                s->nonce = vector_hex(entry, "nonce");
                s->aad = vector_hex(entry, "aad");
                s->plain = vector_hex(entry, "pt");
                s->sealed = vector_hex(entry, "ct");
                s->sealed.len -= header_len;
                memmove(s->sealed.bytes, s->sealed.bytes + header_len, s->sealed.len);
        }
}

/* DAVE's frames that are encrypted as a whole; the rest follows with the ranges. */
static void add_dave(const json_t *array) {
        const json_t *entry;
        size_t i;

        json_array_foreach(array, i, entry) {
                uint64_t nonce = vector_number(entry, "nonce");
                VectorBytes tag = vector_hex(entry, "tag");
                Sample *s;

                if (json_array_size(json_object_get(entry, "clear_ranges")) > 0)
                        continue;
                s = sample_new(SUITE_DAVE, entry, "key");
                s->nonce.len = SUITE_NONCE_LEN;
                for (size_t k = 0; k < 4; k++)
                        s->nonce.bytes[8 + k] = (uint8_t)(nonce >> (8 * k));
                s->plain = vector_hex(entry, "input");
                s->sealed = vector_hex(entry, "encrypted");
                ck_assert_uint_eq(tag.len, s->suite->tag_len);
                ck_assert_mem_eq(s->sealed.bytes + s->plain.len, tag.bytes, tag.len);
                s->sealed.len = s->plain.len + tag.len;
        }
}

static void load(void) {
        json_t *rfc = vector_load("sframe-rfc9605.json"), *dave = vector_load("dave.json");
        const json_t *post = json_object_get(rfc, "post_rfc");
        Arena *arena;

        if (!arena_installed()) {
                ck_assert_int_eq(arena_new(&arena, 1024 * 1024, ARENA_PROTECTION_SECRETMEM), 0);
                ck_assert_int_eq(arena_install(arena), 0);
        }
        n_samples = 0;
        add_aead(vector_array(rfc, "aes_ctr_hmac"));
        add_aead(vector_array(post, "aes_256_ctr_hmac"));
        add_frames(vector_array(rfc, "sframe"));
        add_frames(vector_array(post, "sframe_aes_256_ctr_hmac"));
        add_dave(vector_array(dave, "frames"));
        json_decref(rfc);
        json_decref(dave);
        for (size_t i = 0; i < n_samples; i++) {
                ck_assert_uint_eq(samples[i].nonce.len, SUITE_NONCE_LEN);
                ck_assert_uint_eq(samples[i].sealed.len, samples[i].plain.len + samples[i].suite->tag_len);
        }
}

static SuiteCipher *cipher_of(const Sample *s) {
        SuiteCipher *cipher = NULL;

        ck_assert_int_eq(suite_cipher_new(&cipher, s->suite, s->key.bytes), 0);
        return cipher;
}

static int seal(SuiteCipher *cipher, const Sample *s, const uint8_t *in, uint8_t *out, uint8_t *tag) {
        const SuitePiece aad = { s->aad.bytes, s->aad.len };
        const SuiteText text = { in, out, s->plain.len };

        return suite_seal(cipher, &(SuiteFrame){ s->nonce.bytes, &aad, 1, &text, 1 }, tag);
}

static int open_into(SuiteCipher *cipher, const Sample *s, uint8_t *out) {
        const SuitePiece aad = { s->aad.bytes, s->aad.len };
        const SuiteText text = { s->sealed.bytes, out, s->sealed.len - s->suite->tag_len };

        return suite_open(cipher, &(SuiteFrame){ s->nonce.bytes, &aad, 1, &text, 1 }, s->sealed.bytes + text.len);
}

START_TEST(all_known_answers_seal_and_open) {
        uint8_t out[VECTOR_BYTES_MAX], tag[SUITE_TAG_MAX + 1];

        load();
        ck_assert_uint_ge(n_samples, 3 + 3 + 5 + 3 + 8);
        for (size_t i = 0; i < n_samples; i++) {
                const Sample *s = &samples[i];
                _cleanup_(suite_cipher_free_p) SuiteCipher *cipher = cipher_of(s);

                for (int round = 0; round < 2; round++) { /* a cipher is good for many frames */
                        memset(tag, 0xa5, sizeof(tag));
                        ck_assert_int_eq(seal(cipher, s, s->plain.bytes, out, tag), 0);
                        ck_assert_mem_eq(out, s->sealed.bytes, s->plain.len);
                        ck_assert_mem_eq(tag, s->sealed.bytes + s->plain.len, s->suite->tag_len);
                        ck_assert_uint_eq(tag[s->suite->tag_len], 0xa5);
                        memset(out, 0, sizeof(out));
                        ck_assert_int_eq(open_into(cipher, s, out), 0);
                        ck_assert_mem_eq(out, s->plain.bytes, s->plain.len);
                }
                memcpy(out, s->plain.bytes, s->plain.len);
                ck_assert_int_eq(seal(cipher, s, out, out, tag), 0);
                ck_assert_mem_eq(out, s->sealed.bytes, s->plain.len);
        }
}
END_TEST

/* Cuts of every length, around the block size too, and empty pieces. */
START_TEST(pieces_are_one_text) {
        uint8_t out[VECTOR_BYTES_MAX] = { 0 }, tag[SUITE_TAG_MAX] = { 0 };
        SuitePiece aad[64];
        SuiteText text[VECTOR_BYTES_MAX];

        load();
        for (size_t i = 0; i < n_samples; i++)
                for (size_t cut = 1; cut < 40; cut++) {
                        Sample *s = &samples[i];
                        _cleanup_(suite_cipher_free_p) SuiteCipher *cipher = cipher_of(s);
                        SuiteFrame frame = { s->nonce.bytes, aad, 1, text, 1 };

                        aad[0] = (SuitePiece){ NULL, 0 };
                        for (size_t at = 0; at < s->aad.len; at += cut)
                                aad[frame.n_aad++] = (SuitePiece){ s->aad.bytes + at, MIN_OF(cut, s->aad.len - at) };
                        text[0] = (SuiteText){ NULL, NULL, 0 };
                        for (size_t at = 0; at < s->plain.len; at += cut)
                                text[frame.n_text++] =
                                        (SuiteText){ s->plain.bytes + at, out + at, MIN_OF(cut, s->plain.len - at) };
                        ck_assert_int_eq(suite_seal(cipher, &frame, tag), 0);
                        ck_assert_mem_eq(out, s->sealed.bytes, s->plain.len);
                        ck_assert_mem_eq(tag, s->sealed.bytes + s->plain.len, s->suite->tag_len);
                        for (size_t k = 0; k < frame.n_text; k++)
                                text[k].in = text[k].out; /* in place */
                        ck_assert_int_eq(suite_open(cipher, &frame, tag), 0);
                        ck_assert_mem_eq(out, s->plain.bytes, s->plain.len);
                }
}
END_TEST

START_TEST(every_flipped_bit_is_forged) {
        uint8_t out[VECTOR_BYTES_MAX];

        load();
        for (size_t i = 0; i < n_samples; i++) {
                Sample *s = &samples[i];
                _cleanup_(suite_cipher_free_p) SuiteCipher *cipher = cipher_of(s);
                VectorBytes *const parts[] = { &s->nonce, &s->aad, &s->sealed };

                for (size_t part = 0; part < ELEMENTS(parts); part++)
                        for (size_t bit = 0; bit < parts[part]->len * 8; bit++) {
                                parts[part]->bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
                                ck_assert_int_eq(open_into(cipher, s, out), SUITE_FORGED);
                                parts[part]->bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
                        }
                ck_assert_int_eq(open_into(cipher, s, out), 0);
        }
}
END_TEST

/* A byte that moves from the additional data to the text, or back, is another frame. */
START_TEST(lengths_are_authenticated) {
        uint8_t joined[2 * VECTOR_BYTES_MAX], out[VECTOR_BYTES_MAX];

        load();
        for (size_t i = 0; i < n_samples; i++) {
                const Sample *s = &samples[i];
                _cleanup_(suite_cipher_free_p) SuiteCipher *cipher = cipher_of(s);
                size_t text_len = s->plain.len;

                memcpy(joined, s->aad.bytes, s->aad.len);
                memcpy(joined + s->aad.len, s->sealed.bytes, text_len);
                for (size_t aad_len = 0; aad_len <= s->aad.len + text_len; aad_len++) {
                        const SuitePiece aad = { joined, aad_len };
                        const SuiteText text = { joined + aad_len, out, s->aad.len + text_len - aad_len };

                        ck_assert_int_eq(suite_open(cipher, &(SuiteFrame){ s->nonce.bytes, &aad, 1, &text, 1 },
                                                    s->sealed.bytes + text_len),
                                         aad_len == s->aad.len ? 0 : SUITE_FORGED);
                }
        }
}
END_TEST

START_TEST(encrypt_then_mac_decrypts_nothing_forged) {
        uint8_t out[VECTOR_BYTES_MAX], before[VECTOR_BYTES_MAX];

        load();
        memset(before, 0x5a, sizeof(before));
        for (size_t i = 0; i < n_samples; i++) {
                Sample *s = &samples[i];
                _cleanup_(suite_cipher_free_p) SuiteCipher *cipher = cipher_of(s);

                if (s->suite->cipher_key_len == 0)
                        continue;
                memcpy(out, before, sizeof(out));
                s->sealed.bytes[s->sealed.len - 1] ^= 0x80;
                ck_assert_int_eq(open_into(cipher, s, out), SUITE_FORGED);
                ck_assert_mem_eq(out, before, sizeof(out));
        }
}
END_TEST

START_TEST(rekey_makes_it_the_other_key) {
        uint8_t out[VECTOR_BYTES_MAX], other[SUITE_KEY_MAX];

        load();
        for (size_t i = 0; i < n_samples; i++) {
                const Sample *s = &samples[i];
                _cleanup_(suite_cipher_free_p) SuiteCipher *cipher = cipher_of(s);

                /* Each half of the key counts. */
                for (size_t k = 0; k < s->suite->key_len; k += s->suite->key_len / 2) {
                        memcpy(other, s->key.bytes, s->suite->key_len);
                        other[k] ^= 1;
                        ck_assert_int_eq(suite_cipher_rekey(cipher, other), 0);
                        if (s->suite->cipher_key_len > 0 && k < s->suite->cipher_key_len) {
                                /* The tag does not depend on the cipher's key, the text does. */
                                ck_assert_int_eq(open_into(cipher, s, out), 0);
                                ck_assert_mem_ne(out, s->plain.bytes, s->plain.len);
                        } else
                                ck_assert_int_eq(open_into(cipher, s, out), SUITE_FORGED);
                }
                ck_assert_int_eq(suite_cipher_rekey(cipher, s->key.bytes), 0);
                ck_assert_int_eq(open_into(cipher, s, out), 0);
                ck_assert_mem_eq(out, s->plain.bytes, s->plain.len);
        }
}
END_TEST

START_TEST(no_longer_text_than_the_counter_has_blocks) {
        const SuiteInfo *suite;
        uint8_t key[SUITE_KEY_MAX] = { 0 }, nonce[SUITE_NONCE_LEN] = { 0 }, tag[SUITE_TAG_MAX];
        const SuiteText text[] = { { NULL, NULL, (size_t)(SUITE_TEXT_MAX / 2) },
                                   { NULL, NULL, (size_t)(SUITE_TEXT_MAX / 2) + 1 } };
        const SuiteFrame frame = { nonce, NULL, 0, text, 2 };

        load();
        for (size_t i = 0; (suite = suite_at(i)) != NULL; i++) {
                _cleanup_(suite_cipher_free_p) SuiteCipher *cipher = NULL;

                ck_assert_int_eq(suite_cipher_new(&cipher, suite, key), 0);
                ck_assert_int_eq(suite_seal(cipher, &frame, tag), -EINVAL);
                ck_assert_int_eq(suite_open(cipher, &frame, tag), -EINVAL);
        }
}
END_TEST

START_TEST(the_table_is_the_specification) {
        json_t *rfc = vector_load("sframe-rfc9605.json");
        const json_t *entry;
        const char *id;

        json_object_foreach(json_object_get(rfc, "suites"), id, entry) {
                const SuiteInfo *suite = suite_find((uint32_t)atoi(id));

                ck_assert_str_eq(suite->name, vector_text(entry, "name"));
                ck_assert_uint_eq(kdf_hash_len(suite->hash), vector_number(entry, "Nh"));
                ck_assert_uint_eq(suite->cipher_key_len, vector_number(entry, "Nka"));
                ck_assert_uint_eq(suite->key_len, vector_number(entry, "Nk"));
                ck_assert_uint_eq(SUITE_NONCE_LEN, vector_number(entry, "Nn"));
                ck_assert_uint_eq(suite->tag_len, vector_number(entry, "Nt"));
        }
        json_decref(rfc);
        for (size_t i = 0; suite_at(i); i++)
                ck_assert_ptr_eq(suite_find(suite_at(i)->id), suite_at(i));
        ck_assert_ptr_null(suite_find(0));
        ck_assert_ptr_null(suite_find(9));
}
END_TEST

START_TEST(ciphers_live_in_the_arena_and_are_wiped) {
        const uint8_t *base;
        size_t len;

        load();
        arena_extent(arena_installed(), &base, &len);
        for (size_t i = 0; i < n_samples; i++) {
                const Sample *s = &samples[i];
                SuiteCipher *cipher = cipher_of(s);

                /* The key is the first of the round keys. */
                ck_assert_ptr_nonnull(memmem(base, len, s->key.bytes, 16));
                ck_assert_uint_gt(arena_in_use(arena_installed()), 0);
                ck_assert_ptr_null(suite_cipher_free(cipher));
                ck_assert_ptr_null(memmem(base, len, s->key.bytes, 16));
                ck_assert_uint_eq(arena_in_use(arena_installed()), 0);
        }
}
END_TEST

/* Whatever part of a cipher does not fit; and one that exists still works without a byte free. */
START_TEST(a_full_arena_is_an_error) {
        static void *blocks[65536];
        uint8_t out[VECTOR_BYTES_MAX];
        size_t n = 0;

        load();
        while ((blocks[n] = arena_alloc(arena_installed(), 64)) != NULL)
                ck_assert_uint_lt(++n, ELEMENTS(blocks));
        for (size_t i = 0; i < n_samples; i++) {
                const Sample *s = &samples[i];
                SuiteCipher *cipher = NULL;
                int r;

                while ((r = suite_cipher_new(&cipher, s->suite, s->key.bytes)) != 0) {
                        ck_assert_int_eq(r, -ENOMEM);
                        ck_assert_ptr_null(cipher);
                        arena_release(arena_installed(), blocks[--n]);
                }
                while ((blocks[n] = arena_alloc(arena_installed(), 64)) != NULL)
                        n++;
                ck_assert_int_eq(open_into(cipher, s, out), 0);
                suite_cipher_free(cipher);
                while ((blocks[n] = arena_alloc(arena_installed(), 64)) != NULL)
                        n++;
        }
}
END_TEST

RUN_TESTS("suite", all_known_answers_seal_and_open, pieces_are_one_text, every_flipped_bit_is_forged,
          lengths_are_authenticated, encrypt_then_mac_decrypts_nothing_forged, rekey_makes_it_the_other_key,
          no_longer_text_than_the_counter_has_blocks, the_table_is_the_specification,
          ciphers_live_in_the_arena_and_are_wiped, a_full_arena_is_an_error)
