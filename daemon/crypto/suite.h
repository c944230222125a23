/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The ciphers of the counter formats as rows of one table, and one key's cipher with its handles
 * cached in the arena: SFrame's suites 1 to 5 (RFC 9605, 4.4), 6 to 8
 * (draft-barnes-sframe-iana-256), and DAVE's AES-128-GCM with a tag of 8 bytes.
 *
 * The length of a tag is the suite's, never the frame's. A cipher is used by one thread at a time.
 */
#pragma once

#include "crypto/kdf.h"

#define SUITE_NONCE_LEN 12u
#define SUITE_KEY_MAX   96u
#define SUITE_TAG_MAX   16u
/* Blocks of both modes are counted in 32 bits; GCM spends two of them (SP 800-38D, 5.2.1.1). */
#define SUITE_TEXT_MAX ((UINT64_C(1) << 36) - 32)

/* Not SFrame's, hence beyond its registry of 16 bits. */
#define SUITE_DAVE UINT32_C(0x10000)

/* In brackets the name in RFC 9605. */
typedef struct SuiteInfo {
        uint32_t id;
        KdfHash hash; /* of key derivation, and of the tag if there is a cipher key */
        const char *name;
        size_t cipher_key_len; /* [Nka] of an encrypt-then-MAC suite, whose keys are cipher || MAC; 0: GCM */
        size_t key_len;        /* [Nk] */
        size_t tag_len;        /* [Nt] */
} SuiteInfo;

typedef struct SuiteCipher SuiteCipher;

typedef enum SuiteOutcome {
        SUITE_FORGED = 1, /* the tag does not fit */
} SuiteOutcome;

/* Additional data, in pieces. */
typedef struct SuitePiece {
        const void *bytes;
        size_t len;
} SuitePiece;

/* A piece of text; `out` may be `in`, otherwise no piece overlaps another. */
typedef struct SuiteText {
        const uint8_t *in;
        uint8_t *out;
        size_t len;
} SuiteText;

typedef struct SuiteFrame {
        const uint8_t *nonce; /* SUITE_NONCE_LEN bytes */
        const SuitePiece *aad;
        size_t n_aad;
        const SuiteText *text;
        size_t n_text;
} SuiteFrame;

/* NULL if there is no such suite. Static. */
const SuiteInfo *suite_find(uint32_t id);
const SuiteInfo *suite_find_by_name(const char *name);
/* All in turn, for listings and tests; NULL at the end. */
const SuiteInfo *suite_at(size_t i);

/* `key`: suite->key_len bytes. 0; -ENOMEM arena full. */
int suite_cipher_new(SuiteCipher **ret, const SuiteInfo *suite, const uint8_t *key);
/* Wipes. Takes NULL; returns NULL. */
SuiteCipher *suite_cipher_free(SuiteCipher *cipher);
DEFINE_CLEANUP(SuiteCipher, suite_cipher_free)
/* Another key of the same suite; below a microsecond. */
int suite_cipher_rekey(SuiteCipher *cipher, const uint8_t *key);

/* Encrypts all pieces as one text; `ret_tag` gets suite->tag_len bytes. 0; -EINVAL more than SUITE_TEXT_MAX; -EIO. */
int suite_seal(SuiteCipher *cipher, const SuiteFrame *frame, uint8_t *ret_tag);
/* As suite_seal(); `tag`: suite->tag_len bytes, compared in constant time. An encrypt-then-MAC suite decrypts nothing
 * before the tag fits. GCM has written unverified bytes on SUITE_FORGED: outputs have to be private memory.
 * 0, SUITE_FORGED or -errno. */
int suite_open(SuiteCipher *cipher, const SuiteFrame *frame, const uint8_t *tag);
