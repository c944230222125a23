/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The runner's own frames of SFrame and DAVE, for keys that no call gives out and headers that no
 * sender writes. Made with the key plane's library, in this process; nonces and order of the parts
 * are written down once more here.
 */
#include "crypto/arena.h"
#include "crypto/suite.h"
#include "format/dave.h"
#include "keys/sframe-schedule.h"
#include "tests/vectors/vectors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Without these there is nothing to compare with. */
static void must(bool good, const char *what) {
        if (good)
                return;
        (void)fprintf(stderr, "run-vectors: %s\n", what);
        exit(2);
}

void plane_prepare(void) {
        Arena *arena = NULL;

        if (arena_installed())
                return;
        must(arena_new(&arena, 256 * 1024, ARENA_PROTECTION_LOCKED) == 0 && arena_install(arena) == 0, "no arena");
}

/* ---- SFrame ---- */

static SFrameStep *derive(const SuiteInfo *suite, const Bytes *base_key, uint64_t kid) {
        SFrameStep *step = arena_alloc(arena_installed(), sizeof(*step));
        uint8_t *secret = arena_alloc(arena_installed(), base_key->len);

        must(step && secret, "the arena is full");
        memcpy(secret, base_key->data, base_key->len);
        must(sframe_schedule_derive(suite, secret, base_key->len, kid, step) == 0, "no SFrame key");
        arena_release(arena_installed(), secret);
        return step;
}

Bytes plane_seal_sframe(uint32_t suite_id, const Bytes *base_key, uint64_t kid, uint64_t ctr, const Bytes *header,
                        const Bytes *metadata, const Bytes *text) {
        const SuiteInfo *suite = suite_find(suite_id);
        SFrameStep *step = derive(suite, base_key, kid);
        Bytes out = { .len = header->len + text->len + suite->tag_len };
        const SuitePiece aad[] = { { header->data, header->len }, { metadata->data, metadata->len } };
        uint8_t nonce[SUITE_NONCE_LEN];
        SuiteCipher *cipher = NULL;

        out.data = malloc(out.len);
        memcpy(out.data, header->data, header->len);
        memcpy(nonce, step->salt, sizeof(nonce));
        for (size_t i = 0; i < sizeof(ctr); i++)
                nonce[sizeof(nonce) - 1 - i] ^= (uint8_t)(ctr >> (8 * i));
        must(suite_cipher_new(&cipher, suite, step->key) == 0, "no cipher");

        const SuiteText piece = { text->data, out.data + header->len, text->len };
        const SuiteFrame frame = { nonce, aad, ELEMENTS(aad), &piece, 1 };

        must(suite_seal(cipher, &frame, out.data + header->len + text->len) == 0, "sealing failed");
        suite_cipher_free(cipher);
        arena_release(arena_installed(), step);
        return out;
}

/* ---- DAVE ---- */

static SuiteCipher *dave_cipher(const Bytes *key) {
        const SuiteInfo *suite = suite_find(SUITE_DAVE);
        SuiteCipher *cipher = NULL;

        must(key->len == suite->key_len && suite_cipher_new(&cipher, suite, key->data) == 0, "no DAVE cipher");
        return cipher;
}

Bytes plane_seal_dave(const Bytes *key, uint32_t nonce, const Bytes *text) {
        Bytes out = { .data = malloc(text->len + DAVE_TRAILER_MAX) };
        const SuiteText piece = { text->data, out.data, text->len };
        uint8_t iv[DAVE_NONCE_LEN];
        const SuiteFrame frame = { iv, NULL, 0, &piece, 1 };
        SuiteCipher *cipher = dave_cipher(key);

        dave_nonce(nonce, iv);
        must(suite_seal(cipher, &frame, out.data + text->len) == 0, "sealing failed");
        out.len = text->len + DAVE_TAG_LEN;
        out.len += dave_finish(out.data + out.len, nonce, NULL, 0);
        suite_cipher_free(cipher);
        return out;
}

bool plane_opens_dave(const Bytes *key, const uint8_t *bytes, size_t len, const Bytes *text) {
        uint8_t iv[DAVE_NONCE_LEN];
        SuiteCipher *cipher;
        DaveFrame shape;
        uint8_t *out;
        bool good;

        if (dave_parse(bytes, len, &shape) != 0 || shape.len != text->len || shape.n_clear > 0)
                return false;
        cipher = dave_cipher(key);
        out = malloc(shape.len);
        dave_nonce(shape.nonce, iv);

        const SuiteText piece = { bytes, out, shape.len };
        const SuiteFrame frame = { iv, NULL, 0, &piece, 1 };

        good = suite_open(cipher, &frame, bytes + shape.len) == 0 && bytes_equal(text, out, shape.len);
        suite_cipher_free(cipher);
        free(out);
        return good;
}

bool plane_dave_nonce(const Bytes *frame, uint32_t *ret) {
        DaveFrame shape;

        if (dave_parse(frame->data, frame->len, &shape) != 0)
                return false;
        *ret = shape.nonce;
        return true;
}
