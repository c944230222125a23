/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * HPKE in base mode (RFC 9180): DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-128-GCM, one message a
 * context. Composed from libgcrypt's primitives; all secrets stay in the arena. Stateless apart
 * from the key pair, any thread.
 */
#pragma once

#include "util/util.h"

#define HPKE_KEY_LEN 32u /* public key, private key, encapsulated key */
#define HPKE_TAG_LEN 16u

typedef enum HpkeOutcome {
        HPKE_FORGED = 1, /* not for this key, other info or aad, or changed on the way */
        HPKE_BAD_KEY,    /* a public key of small order (RFC 9180, 7.1.4) */
} HpkeOutcome;

/* A key pair whose private half lies in the arena. */
typedef struct HpkePair HpkePair;

/* Random. 0; -ENOMEM; -EIO libgcrypt failed. */
int hpke_pair_new(HpkePair **ret);
/* DeriveKeyPair (RFC 9180, 7.1.3) from `ikm`, for tests and the self test. As above. */
int hpke_pair_derive(HpkePair **ret, const void *ikm, size_t ikm_len);
/* Wipes. Takes NULL; returns NULL. */
HpkePair *hpke_pair_free(HpkePair *pair);
DEFINE_CLEANUP(HpkePair, hpke_pair_free)
/* HPKE_KEY_LEN bytes, valid as long as the pair. */
const uint8_t *hpke_pair_public(const HpkePair *pair);

typedef struct HpkeMessage {
        const void *info;
        size_t info_len;
        const void *aad;
        size_t aad_len;
        const void *text; /* to seal: in the arena; to open: ciphertext with its tag */
        size_t text_len;
} HpkeMessage;

/* Seals for `recipient`: `ret_enc` HPKE_KEY_LEN bytes, `out` text_len + HPKE_TAG_LEN bytes. `ephemeral` NULL: a fresh
 * pair, as it must be outside of known-answer tests. 0; HPKE_BAD_KEY; -ENOMEM; -EIO. */
int hpke_seal(const uint8_t recipient[HPKE_KEY_LEN], const HpkePair *ephemeral, const HpkeMessage *message,
              uint8_t ret_enc[HPKE_KEY_LEN], uint8_t *out);
/* Opens: `out` text_len - HPKE_TAG_LEN bytes, in the arena, untouched unless 0. 0; HPKE_FORGED; HPKE_BAD_KEY; -ENOMEM;
 * -EIO. */
int hpke_open(const HpkePair *pair, const uint8_t enc[HPKE_KEY_LEN], const HpkeMessage *message, uint8_t *out);
