/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * HPKE from libgcrypt's X25519 and what kdf.h and aead.h make of it. The names are those of RFC 9180.
 *
 *   dh             X25519(skE, pkR)
 *   shared_secret  ExtractAndExpand(dh, enc | pkR)                     4.1
 *   key, nonce     KeySchedule(mode_base, shared_secret, info)         5.1
 *   text           Seal(key, nonce, aad, plain): the first message     5.2
 */
#include "crypto/hpke.h"

#include "crypto/aead.h"
#include "crypto/kdf.h"
#include "crypto/secret.h"

#include <assert.h>
#include <gcrypt.h>
#include <pthread.h>

#define HASH_LEN 32u
#define KEY_LEN  16u
/* What libgcrypt 1.10 asks for in one multiplication are 101 pieces of 3.6 KiB together. */
#define SCRATCH_LEN 8192u
/* libgcrypt's field arithmetic keeps its numbers on the stack. It goes down 1.1 KiB, and 3.2 KiB where the dynamic
 * linker binds a function at its first call. */
#define STACK_LEN 8192u

typedef struct Suite {
        uint8_t id[10];
        size_t len;
} Suite;

/* "KEM" | DHKEM(X25519, HKDF-SHA256), and "HPKE" | KEM | HKDF-SHA256 | AES-128-GCM (7.1, 7.2, 7.3). */
static const Suite kem_suite = { { 'K', 'E', 'M', 0x00, 0x20 }, 5 };
static const Suite hpke_suite = { { 'H', 'P', 'K', 'E', 0x00, 0x20, 0x00, 0x01, 0x00, 0x01 }, 10 };

struct HpkePair {
        uint8_t private[HPKE_KEY_LEN];
        uint8_t public[HPKE_KEY_LEN];
};

/* Everything one message needs, in the arena. */
typedef struct Work {
        uint8_t dh[HPKE_KEY_LEN];
        uint8_t kem_context[2 * HPKE_KEY_LEN]; /* enc | pkR */
        uint8_t shared_secret[HASH_LEN];
        uint8_t prk[HASH_LEN];
        uint8_t schedule_context[1 + 2 * HASH_LEN]; /* mode | psk_id_hash | info_hash */
        uint8_t key[KEY_LEN];
        uint8_t nonce[AEAD_IV_LEN];
} Work;

static void block_free_p(void *block) {
        arena_release(arena_installed(), *(void **)block);
}
#define _cleanup_block_ _cleanup_(block_free_p)

/* Overwrites what calls of the caller left below it. */
static __attribute__((noinline)) void wipe_stack(void) {
        uint8_t below[STACK_LEN];

        wipe(below, sizeof(below));
}

/* libgcrypt keeps the prime of a curve from its first use on, in a plain static variable. The daemon's self test comes
 * to this while there is room and one thread. */
static void learn_curve(void) {
        static const uint8_t one[HPKE_KEY_LEN] = { 1 };
        uint8_t out[HPKE_KEY_LEN];

        (void)gcry_ecc_mul_point(GCRY_ECC_CURVE25519, out, one, NULL); /* the real ones will fail likewise */
}

/* RFC 7748, 5. `point` NULL: the base point. All in the arena but for `point`. */
static int x25519(uint8_t *out, const uint8_t *scalar, const uint8_t *point) {
        static pthread_once_t once = PTHREAD_ONCE_INIT;
        gcry_error_t error;
        int r;

        (void)pthread_once(&once, learn_curve); /* fails for a broken argument only */
        r = arena_scratch_begin(SCRATCH_LEN);
        if (r < 0)
                return r;
        error = gcry_ecc_mul_point(GCRY_ECC_CURVE25519, out, scalar, point);
        wipe_registers();
        wipe_stack();
        arena_scratch_end();
        return !error ? 0 : gcry_err_code(error) == GPG_ERR_ENOMEM ? -ENOMEM : -EIO;
}

/* Whether the other side's point was of small order (7.1.4). Volatile, so that all bytes are looked at. */
static bool is_zero(const uint8_t *dh) {
        volatile uint8_t bits = 0;

        for (size_t i = 0; i < HPKE_KEY_LEN; i++)
                bits |= dh[i];
        return bits == 0;
}

static uint8_t *append(uint8_t *at, const void *bytes, size_t len) {
        if (len > 0)
                memcpy(at, bytes, len);
        return at + len;
}

/* LabeledExtract (4). */
static int extract(const Suite *suite, const void *salt, size_t salt_len, const char *label, const void *ikm,
                   size_t ikm_len, uint8_t prk[HASH_LEN]) {
        _cleanup_block_ uint8_t *labeled = NULL;
        uint8_t *end;

        labeled = arena_alloc(arena_installed(), 7 + suite->len + strlen(label) + ikm_len);
        if (!labeled)
                return -ENOMEM;
        end = append(labeled, "HPKE-v1", 7);
        end = append(end, suite->id, suite->len);
        end = append(end, label, strlen(label));
        end = append(end, ikm, ikm_len);
        return kdf_hkdf_extract(KDF_SHA256, salt, salt_len, labeled, (size_t)(end - labeled), prk);
}

/* LabeledExpand (4). What is expanded with is public. */
static int expand(const Suite *suite, const uint8_t prk[HASH_LEN], const char *label, const void *info, size_t info_len,
                  uint8_t *out, size_t out_len) {
        uint8_t labeled[128], *end = labeled;

        assert(2 + 7 + suite->len + strlen(label) + info_len <= sizeof(labeled));
        *end++ = (uint8_t)(out_len >> 8);
        *end++ = (uint8_t)out_len;
        end = append(end, "HPKE-v1", 7);
        end = append(end, suite->id, suite->len);
        end = append(end, label, strlen(label));
        end = append(end, info, info_len);
        return kdf_hkdf_expand(KDF_SHA256, prk, HASH_LEN, labeled, (size_t)(end - labeled), out, out_len);
}

int hpke_pair_derive(HpkePair **ret, const void *ikm, size_t ikm_len) {
        _cleanup_(hpke_pair_free_p) HpkePair *pair = NULL;
        _cleanup_block_ uint8_t *prk = NULL;
        int r;

        pair = arena_alloc(arena_installed(), sizeof(*pair));
        prk = arena_alloc(arena_installed(), HASH_LEN);
        if (!pair || !prk)
                return -ENOMEM;
        r = extract(&kem_suite, NULL, 0, "dkp_prk", ikm, ikm_len, prk);
        if (r == 0)
                r = expand(&kem_suite, prk, "sk", NULL, 0, pair->private, sizeof(pair->private));
        if (r == 0)
                r = x25519(pair->public, pair->private, NULL);
        if (r < 0)
                return r;
        *ret = take_ptr(pair);
        return 0;
}

int hpke_pair_new(HpkePair **ret) {
        _cleanup_(secret_free_p) Secret *ikm = NULL;
        int r;

        r = secret_new_random(&ikm, HPKE_KEY_LEN);
        if (r < 0)
                return r;
        return hpke_pair_derive(ret, ikm->bytes, ikm->len);
}

HpkePair *hpke_pair_free(HpkePair *pair) {
        arena_release(arena_installed(), pair);
        return NULL;
}

const uint8_t *hpke_pair_public(const HpkePair *pair) {
        return pair->public;
}

/* Encap and Decap (4.1) after their one difference: with whose keys `dh` is made. */
static int agree(Work *work, const HpkePair *pair, const uint8_t *peer, const uint8_t *enc, const uint8_t *recipient) {
        int r;

        r = x25519(work->dh, pair->private, peer);
        if (r < 0)
                return r;
        if (is_zero(work->dh))
                return HPKE_BAD_KEY;
        append(append(work->kem_context, enc, HPKE_KEY_LEN), recipient, HPKE_KEY_LEN);
        r = extract(&kem_suite, NULL, 0, "eae_prk", work->dh, sizeof(work->dh), work->prk);
        if (r < 0)
                return r;
        return expand(&kem_suite, work->prk, "shared_secret", work->kem_context, sizeof(work->kem_context),
                      work->shared_secret, sizeof(work->shared_secret));
}

/* KeySchedule (5.1) with mode_base, hence without psk and psk_id. */
static int schedule(Work *work, const HpkeMessage *message) {
        uint8_t *context = work->schedule_context;
        int r;

        context[0] = 0;
        r = extract(&hpke_suite, NULL, 0, "psk_id_hash", NULL, 0, context + 1);
        if (r == 0)
                r = extract(&hpke_suite, NULL, 0, "info_hash", message->info, message->info_len,
                            context + 1 + HASH_LEN);
        if (r == 0)
                r = extract(&hpke_suite, work->shared_secret, sizeof(work->shared_secret), "secret", NULL, 0,
                            work->prk);
        if (r == 0)
                r = expand(&hpke_suite, work->prk, "key", context, sizeof(work->schedule_context), work->key,
                           sizeof(work->key));
        if (r == 0)
                r = expand(&hpke_suite, work->prk, "base_nonce", context, sizeof(work->schedule_context), work->nonce,
                           sizeof(work->nonce));
        return r;
}

int hpke_seal(const uint8_t recipient[HPKE_KEY_LEN], const HpkePair *ephemeral, const HpkeMessage *message,
              uint8_t ret_enc[HPKE_KEY_LEN], uint8_t *out) {
        _cleanup_block_ Work *work = arena_alloc(arena_installed(), sizeof(*work));
        _cleanup_(hpke_pair_free_p) HpkePair *fresh = NULL;
        _cleanup_(aead_free_p) Aead *aead = NULL;
        int r = 0;

        if (!work)
                return -ENOMEM;
        if (!ephemeral) {
                r = hpke_pair_new(&fresh);
                if (r < 0)
                        return r;
                ephemeral = fresh;
        }
        r = agree(work, ephemeral, recipient, ephemeral->public, recipient);
        if (r == 0)
                r = schedule(work, message);
        if (r == 0)
                r = aead_new(&aead, work->key, sizeof(work->key));
        if (r == 0)
                r = aead_seal(aead, work->nonce, message->aad, message->aad_len, message->text, message->text_len, out,
                              out + message->text_len);
        if (r == 0)
                memcpy(ret_enc, ephemeral->public, HPKE_KEY_LEN);
        return r;
}

int hpke_open(const HpkePair *pair, const uint8_t enc[HPKE_KEY_LEN], const HpkeMessage *message, uint8_t *out) {
        _cleanup_block_ Work *work = arena_alloc(arena_installed(), sizeof(*work));
        _cleanup_block_ uint8_t *plain = NULL;
        _cleanup_(aead_free_p) Aead *aead = NULL;
        const uint8_t *text = message->text;
        size_t len;
        int r;

        if (message->text_len < HPKE_TAG_LEN)
                return HPKE_FORGED;
        len = message->text_len - HPKE_TAG_LEN;
        plain = arena_alloc(arena_installed(), len);
        if (!work || !plain)
                return -ENOMEM;
        r = agree(work, pair, enc, enc, pair->public);
        if (r == 0)
                r = schedule(work, message);
        if (r == 0)
                r = aead_new(&aead, work->key, sizeof(work->key));
        if (r != 0)
                return r;
        r = aead_open(aead, work->nonce, message->aad, message->aad_len, text, len, plain, text + len);
        if (r != 0)
                return r == AEAD_FORGED ? HPKE_FORGED : r;
        append(out, plain, len);
        wipe_registers();
        return 0;
}
