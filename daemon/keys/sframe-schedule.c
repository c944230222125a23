/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SFrame's key schedule; see the header for the picture. */
#include "keys/sframe-schedule.h"

#include "crypto/arena.h"

/* Implementations disagree here: capital F, no space at the end, as info of the expansion, and an output as long as
 * the hash (RFC 9605, 5.1). */
#define LABEL_RATCHET "SFrame 1.0 Ratchet"
#define LABEL_STREAM  "SFrame 1.0 RTP Stream"
/* The space belongs to the label. */
#define LABEL_KEY  "SFrame 1.0 Secret key "
#define LABEL_SALT "SFrame 1.0 Secret salt "

static void put_number(uint8_t *to, uint64_t value, size_t len) {
        for (size_t i = 0; i < len; i++)
                to[i] = (uint8_t)(value >> (8 * (len - 1 - i)));
}

/* Key or salt: label || KID as 64 bits || suite as 16. */
static int expand_for_kid(const SuiteInfo *suite, const uint8_t *secret, const char *label, uint64_t kid, uint8_t *ret,
                          size_t len) {
        uint8_t info[sizeof(LABEL_SALT) + 10];
        uint8_t *end = (uint8_t *)stpcpy((char *)info, label);

        put_number(end, kid, 8);
        put_number(end + 8, suite->id, 2);
        return kdf_hkdf_expand(suite->hash, secret, kdf_hash_len(suite->hash), info, (size_t)(end + 10 - info), ret,
                               len);
}

static int expand_key(const SuiteInfo *suite, const uint8_t *secret, uint64_t kid, SFrameStep *ret) {
        int r = expand_for_kid(suite, secret, LABEL_KEY, kid, ret->key, suite->key_len);

        return r == 0 ? expand_for_kid(suite, secret, LABEL_SALT, kid, ret->salt, sizeof(ret->salt)) : r;
}

static int expand_all(const SuiteInfo *suite, const uint8_t *secret, uint64_t kid, SFrameStep *ret) {
        size_t hash_len = kdf_hash_len(suite->hash);
        int r;

        r = expand_key(suite, secret, kid, ret);
        if (r == 0)
                r = kdf_hkdf_expand(suite->hash, secret, hash_len, LABEL_RATCHET, strlen(LABEL_RATCHET), ret->next,
                                    hash_len);
        return r;
}

int sframe_schedule_derive(const SuiteInfo *suite, const void *base_key, size_t base_key_len, uint64_t kid,
                           SFrameStep *ret) {
        uint8_t *secret = arena_alloc(arena_installed(), kdf_hash_len(suite->hash));
        int r;

        if (!secret)
                return -ENOMEM;
        r = kdf_hkdf_extract(suite->hash, NULL, 0, base_key, base_key_len, secret);
        if (r == 0)
                r = expand_all(suite, secret, kid, ret);
        arena_release(arena_installed(), secret);
        return r;
}

int sframe_schedule_epoch(const SuiteInfo *suite, const void *base_key, size_t base_key_len, SFrameStep *ret) {
        return kdf_hkdf_extract(suite->hash, NULL, 0, base_key, base_key_len, ret->next);
}

int sframe_schedule_member(const SuiteInfo *suite, const SFrameStep *epoch, uint64_t kid, SFrameStep *ret) {
        return expand_key(suite, epoch->next, kid, ret);
}

int sframe_schedule_stream(const SuiteInfo *suite, const void *base_key, size_t base_key_len, uint32_t ssrc,
                           uint8_t *ret) {
        uint8_t salt[4];

        put_number(salt, ssrc, sizeof(salt));
        return kdf_hkdf(suite->hash, base_key, base_key_len, salt, sizeof(salt), LABEL_STREAM, strlen(LABEL_STREAM),
                        ret, kdf_hash_len(suite->hash));
}

void sframe_schedule_nonce(const uint8_t salt[SUITE_NONCE_LEN], uint64_t ctr, uint8_t ret[SUITE_NONCE_LEN]) {
        memcpy(ret, salt, SUITE_NONCE_LEN);
        for (size_t i = 0; i < 8; i++)
                ret[SUITE_NONCE_LEN - 1 - i] ^= (uint8_t)(ctr >> (8 * i));
}
