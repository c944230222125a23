/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * SFrame's key schedule against all chains and frames of the vectors: derived, sealed byte for byte,
 * and opened, with the header and the cipher that belong to it.
 */
#include "keys/sframe-schedule.h"

#include "crypto/arena.h"
#include "crypto/secret.h"
#include "format/sframe.h"
#include "outside-arena.h"
#include "runner.h"
#include "vector-file.h"

/* What a receiver holds: one KID of one base key. */
typedef struct Holder {
        const SuiteInfo *suite;
        uint64_t kid;
        SFrameStep *step;
        SuiteCipher *cipher;
} Holder;

static void install(void) {
        Arena *arena;

        if (arena_installed())
                return;
        ck_assert_int_eq(arena_new(&arena, 1024 * 1024, ARENA_PROTECTION_SECRETMEM), 0);
        ck_assert_int_eq(arena_install(arena), 0);
}

static Holder hold(uint64_t suite, const VectorBytes *base_key, uint64_t kid) {
        Holder holder = { suite_find((uint32_t)suite), kid, arena_alloc(arena_installed(), sizeof(SFrameStep)), NULL };
        Secret *secret;

        ck_assert_ptr_nonnull(holder.suite);
        ck_assert_int_eq(secret_new_copy(&secret, base_key->bytes, base_key->len), 0);
        ck_assert_int_eq(sframe_schedule_derive(holder.suite, secret->bytes, secret->len, kid, holder.step), 0);
        ck_assert_int_eq(suite_cipher_new(&holder.cipher, holder.suite, holder.step->key), 0);
        secret_free(secret);
        return holder;
}

static void let_go(Holder *holder) {
        suite_cipher_free(holder->cipher);
        arena_release(arena_installed(), holder->step);
}

/* Header || ciphertext || tag. */
static size_t seal(const Holder *holder, uint64_t ctr, const VectorBytes *metadata, const VectorBytes *plain,
                   uint8_t *out) {
        uint8_t nonce[SUITE_NONCE_LEN];
        size_t header_len = sframe_header_write(holder->kid, ctr, out);
        const SuitePiece aad[] = { { out, header_len }, { metadata->bytes, metadata->len } };
        const SuiteText text = { plain->bytes, out + header_len, plain->len };

        sframe_schedule_nonce(holder->step->salt, ctr, nonce);
        ck_assert_int_eq(
                suite_seal(holder->cipher, &(SuiteFrame){ nonce, aad, 2, &text, 1 }, out + header_len + plain->len), 0);
        return header_len + plain->len + holder->suite->tag_len;
}

/* 0 and the plain text in `out`, or why not. */
static int open_frame(const Holder *holder, const VectorBytes *metadata, const VectorBytes *sealed, uint8_t *out,
                      size_t *ret_len) {
        uint8_t nonce[SUITE_NONCE_LEN];
        SFrame frame;

        if (sframe_parse(sealed->bytes, sealed->len, holder->suite->tag_len, &frame) != 0)
                return -EBADMSG;
        if (frame.header.kid != holder->kid)
                return -ENOKEY;

        const SuitePiece aad[] = { { sealed->bytes, frame.header.len }, { metadata->bytes, metadata->len } };
        const SuiteText text = { sealed->bytes + frame.header.len, out, frame.text_len };

        sframe_schedule_nonce(holder->step->salt, frame.header.ctr, nonce);
        *ret_len = frame.text_len;
        return suite_open(holder->cipher, &(SuiteFrame){ nonce, aad, 2, &text, 1 }, sealed->bytes + frame.tag_offset);
}

/* An entry with ctr, pt, ct and perhaps metadata, in both directions. */
static void check_frame(const Holder *holder, const json_t *entry) {
        VectorBytes metadata = { 0 }, plain = vector_hex(entry, "pt"), sealed = vector_hex(entry, "ct");
        uint8_t out[VECTOR_BYTES_MAX];
        size_t len;

        if (json_object_get(entry, "metadata"))
                metadata = vector_hex(entry, "metadata");
        ck_assert_uint_eq(seal(holder, vector_u64(entry, "ctr"), &metadata, &plain, out), sealed.len);
        ck_assert_mem_eq(out, sealed.bytes, sealed.len);
        memset(out, 0, sizeof(out));
        ck_assert_int_eq(open_frame(holder, &metadata, &sealed, out, &len), 0);
        ck_assert_uint_eq(len, plain.len);
        ck_assert_mem_eq(out, plain.bytes, len);
}

static void check_rfc(const json_t *array, size_t n) {
        const json_t *entry;
        size_t i;

        ck_assert_uint_eq(json_array_size(array), n);
        json_array_foreach(array, i, entry) {
                VectorBytes base_key = vector_hex(entry, "base_key"), key = vector_hex(entry, "sframe_key");
                VectorBytes salt = vector_hex(entry, "sframe_salt"), expected = vector_hex(entry, "nonce");
                Holder holder = hold(vector_number(entry, "cipher_suite"), &base_key, vector_u64(entry, "kid"));
                uint8_t nonce[SUITE_NONCE_LEN];

                ck_assert_uint_eq(key.len, holder.suite->key_len);
                ck_assert_mem_eq(holder.step->key, key.bytes, key.len);
                ck_assert_mem_eq(holder.step->salt, salt.bytes, SUITE_NONCE_LEN);
                sframe_schedule_nonce(holder.step->salt, vector_u64(entry, "ctr"), nonce);
                ck_assert_mem_eq(nonce, expected.bytes, SUITE_NONCE_LEN);
                check_frame(&holder, entry);
                let_go(&holder);
        }
}

START_TEST(frames_of_the_rfc_and_the_draft_after_it) {
        json_t *root = vector_load("sframe-rfc9605.json");

        install();
        check_rfc(json_object_get(root, "sframe"), 5);
        check_rfc(json_object_get(json_object_get(root, "post_rfc"), "sframe_aes_256_ctr_hmac"), 3);
        json_decref(root);
}
END_TEST

START_TEST(sealed_frames_both_ways) {
        json_t *root = vector_load("sframe-extra.json");
        const json_t *entry;
        size_t i;

        install();
        json_array_foreach(vector_array(root, "sealed"), i, entry) {
                VectorBytes base_key = vector_hex(entry, "base_key");
                Holder holder = hold(vector_number(entry, "cipher_suite"), &base_key, vector_u64(entry, "kid"));

                check_frame(&holder, entry);
                let_go(&holder);
        }
        json_decref(root);
}
END_TEST

START_TEST(changed_frames_do_not_open) {
        json_t *root = vector_load("sframe-extra.json");
        const json_t *entry;
        size_t i;

        install();
        json_array_foreach(vector_array(root, "open_reject"), i, entry) {
                VectorBytes base_key = vector_hex(entry, "base_key"), metadata = vector_hex(entry, "metadata");
                VectorBytes sealed = vector_hex(entry, "ct");
                Holder holder = hold(vector_number(entry, "cipher_suite"), &base_key, vector_u64(entry, "kid"));
                uint8_t out[VECTOR_BYTES_MAX];
                size_t len;

                ck_assert_msg(open_frame(&holder, &metadata, &sealed, out, &len) != 0, "%s opens",
                              vector_text(entry, "name"));
                let_go(&holder);
        }
        json_decref(root);
}
END_TEST

/* Step by step from step 0, also over steps the vectors leave out. */
static void check_chain(const json_t *chain) {
        unsigned bits = (unsigned)vector_number(chain, "ratchet_bits");
        uint64_t suite = vector_number(chain, "cipher_suite"), generation = vector_number(chain, "key_generation");
        VectorBytes base_key = vector_hex(chain, "base_key");
        const json_t *entry;
        uint64_t at = 0, kid;
        size_t i;

        json_array_foreach(vector_array(chain, "steps"), i, entry) {
                VectorBytes expected = vector_hex(entry, "base_key");
                Holder holder;

                for (; at < vector_number(entry, "step"); at++) {
                        holder = hold(suite, &base_key, 0);
                        base_key.len = kdf_hash_len(holder.suite->hash);
                        memcpy(base_key.bytes, holder.step->next, base_key.len);
                        let_go(&holder);
                }
                ck_assert_uint_eq(base_key.len, expected.len);
                ck_assert_mem_eq(base_key.bytes, expected.bytes, expected.len);
                ck_assert_int_eq(sframe_sender_kid(generation, at, bits, &kid), 0);
                holder = hold(suite, &base_key, kid);
                check_frame(&holder, entry);
                let_go(&holder);
        }
}

START_TEST(ratchet_chains) {
        json_t *root = vector_load("sframe-extra.json");
        const json_t *chain;
        size_t i;

        install();
        json_array_foreach(vector_array(root, "ratchet"), i, chain) check_chain(chain);
        json_decref(root);
}
END_TEST

START_TEST(streams_have_keys_of_their_own) {
        json_t *root = vector_load("sframe-extra.json");
        const json_t *entry;
        size_t i;

        install();
        json_array_foreach(vector_array(root, "ssrc"), i, entry) {
                VectorBytes base_key = vector_hex(entry, "base_key"), expected = vector_hex(entry, "ssrc_key");
                VectorBytes ratcheted = vector_hex(entry, "ratcheted_once"), stream_key = { 0 };
                const SuiteInfo *suite = suite_find((uint32_t)vector_number(entry, "cipher_suite"));
                uint8_t *derived = arena_alloc(arena_installed(), SFRAME_BASE_KEY_MAX);
                Holder holder;

                stream_key.len = kdf_hash_len(suite->hash);
                ck_assert_int_eq(sframe_schedule_stream(suite, base_key.bytes, base_key.len,
                                                        (uint32_t)vector_number(entry, "ssrc"), derived),
                                 0);
                memcpy(stream_key.bytes, derived, stream_key.len);
                ck_assert_uint_eq(expected.len, stream_key.len);
                ck_assert_mem_eq(stream_key.bytes, expected.bytes, expected.len);
                holder = hold(suite->id, &stream_key, vector_u64(entry, "kid"));
                ck_assert_uint_eq(ratcheted.len, stream_key.len);
                ck_assert_mem_eq(holder.step->next, ratcheted.bytes, ratcheted.len);
                check_frame(&holder, entry);
                let_go(&holder);
                arena_release(arena_installed(), derived);
        }
        json_decref(root);
}
END_TEST

/* Nothing but the step in hand is left, and a derivation that does not fit says so. */
START_TEST(secrets_are_wiped_and_shortage_is_an_error) {
        VectorBytes base_key = { 32, { 1, 2, 3 } };
        const SuiteInfo *suite = suite_find(8);
        uint8_t *blocks[65536];
        size_t n = 0, in_use;
        SFrameStep *step;

        install();
        step = arena_alloc(arena_installed(), sizeof(*step));
        in_use = arena_in_use(arena_installed());
        ck_assert_int_eq(sframe_schedule_derive(suite, base_key.bytes, base_key.len, 1, step), 0);
        ck_assert_uint_eq(arena_in_use(arena_installed()), in_use);
        while ((blocks[n] = arena_alloc(arena_installed(), 64)) != NULL)
                n++;
        ck_assert_int_eq(sframe_schedule_derive(suite, base_key.bytes, base_key.len, 1, step), -ENOMEM);
        ck_assert_int_eq(sframe_schedule_stream(suite, base_key.bytes, base_key.len, 1, step->next), -ENOMEM);
        while (n > 0)
                arena_release(arena_installed(), blocks[--n]);
        arena_release(arena_installed(), step);
}
END_TEST

/* ---- promise P1 ---- */

typedef struct Passage {
        const SuiteInfo *suite;
        Secret *base_key;
        uint8_t *stream_key;
        SFrameStep *step;
        SuiteCipher *cipher;
} Passage;

static void pass(void *userdata) {
        Passage *p = userdata;
        uint8_t nonce[SUITE_NONCE_LEN], tag[SUITE_TAG_MAX], bytes[100] = { 0 };
        const SuitePiece aad = { "header", 6 };
        const SuiteText text = { bytes, bytes, sizeof(bytes) };
        const SuiteFrame frame = { nonce, &aad, 1, &text, 1 };

        ck_assert_int_eq(sframe_schedule_stream(p->suite, p->base_key->bytes, p->base_key->len, 1, p->stream_key), 0);
        ck_assert_int_eq(sframe_schedule_derive(p->suite, p->stream_key, kdf_hash_len(p->suite->hash), 0x123, p->step),
                         0);
        ck_assert_int_eq(suite_cipher_new(&p->cipher, p->suite, p->step->key), 0);
        sframe_schedule_nonce(p->step->salt, 0x4567, nonce);
        ck_assert_int_eq(suite_seal(p->cipher, &frame, tag), 0);
        ck_assert_int_eq(suite_open(p->cipher, &frame, tag), 0);
        ck_assert_int_eq(suite_cipher_rekey(p->cipher, p->step->key), 0);
        ck_assert_int_eq(suite_seal(p->cipher, &frame, tag), 0);
}

START_TEST(no_secret_is_left_outside_the_arena) {
        for (size_t i = 0; suite_at(i) && suite_at(i)->id != SUITE_DAVE; i++) {
                Passage passage = { .suite = suite_at(i) };
                Outside *outside;

                install();
                outside = outside_new();
                ck_assert_int_eq(secret_new_random(&passage.base_key, 32), 0);
                passage.stream_key = arena_alloc(arena_installed(), SFRAME_BASE_KEY_MAX);
                passage.step = arena_alloc(arena_installed(), sizeof(*passage.step));
                outside_act(pass, &passage);
                outside_add(outside, passage.base_key->bytes, passage.base_key->len);
                outside_add(outside, passage.stream_key, kdf_hash_len(passage.suite->hash));
                outside_add(outside, passage.step->key, passage.suite->key_len);
                outside_add(outside, passage.step->next, kdf_hash_len(passage.suite->hash));
                outside_expect_none(outside);
                outside_free(outside);
                suite_cipher_free(passage.cipher);
                arena_release(arena_installed(), passage.step);
                arena_release(arena_installed(), passage.stream_key);
                secret_free(passage.base_key);
        }
}
END_TEST

RUN_TESTS("sframe-schedule", frames_of_the_rfc_and_the_draft_after_it, sealed_frames_both_ways,
          changed_frames_do_not_open, ratchet_chains, streams_have_keys_of_their_own,
          secrets_are_wiped_and_shortage_is_an_error, no_secret_is_left_outside_the_arena)
