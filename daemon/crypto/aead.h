/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One key's AES-GCM (SP 800-38D) with its expanded key cached in a libgcrypt handle in the arena:
 * 12-byte IV, 16-byte tag. A handle is used by one thread at a time.
 */
#pragma once

#include "util/util.h"

#define AEAD_IV_LEN  12u
#define AEAD_TAG_LEN 16u

typedef struct Aead Aead;

typedef enum AeadOutcome {
        AEAD_FORGED = 1, /* the tag does not fit */
} AeadOutcome;

/* Whether libgcrypt uses instructions of the processor for AES. Where not it is some ten times slower, and looks up
 * tables at places that depend on the key. */
bool aead_is_accelerated(void);
/* key_len 16 or 32. 0; -EINVAL; -ENOMEM arena full. */
int aead_new(Aead **ret, const uint8_t *key, size_t key_len);
/* Wipes. Takes NULL; returns NULL. */
Aead *aead_free(Aead *aead);
DEFINE_CLEANUP(Aead, aead_free)
/* Gives the handle another key of the same length; ~0.1 us. */
int aead_rekey(Aead *aead, const uint8_t *key, size_t key_len);

/* out may be the same as in (in place), otherwise must not overlap. `len` bytes plus the tag. 0 or -errno. */
int aead_seal(Aead *aead, const uint8_t iv[AEAD_IV_LEN], const void *aad, size_t aad_len, const void *in, size_t len,
              void *out, uint8_t ret_tag[AEAD_TAG_LEN]);
/* As aead_seal(); on AEAD_FORGED `out` holds unverified bytes and must not be released: it has to be private memory.
 * The tag is compared in constant time. 0, AEAD_FORGED or -errno. */
int aead_open(Aead *aead, const uint8_t iv[AEAD_IV_LEN], const void *aad, size_t aad_len, const void *in, size_t len,
              void *out, const uint8_t tag[AEAD_TAG_LEN]);
