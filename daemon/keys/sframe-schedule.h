/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * SFrame's key schedule (RFC 9605, 4.4.2 and 5.1; draft-ietf-avtcore-rtp-sframe, 7 and 8). All
 * lengths and the hash are the cipher suite's. Any thread; every secret lies in the arena.
 *
 *   secret         = extract("", base key)
 *   key, salt      = expand(secret, "SFrame 1.0 Secret key " or "... salt " || KID || suite)
 *   next base key  = expand(secret, "SFrame 1.0 Ratchet")
 *   stream's base  = expand(extract(SSRC, base key), "SFrame 1.0 RTP Stream")
 *
 * One extraction serves a step, or an MLS epoch with all its members, as a whole. The base key of MLS is the group's
 * exporter output of suite->key_len bytes with label "SFrame 1.0 Base Key", one for all senders of an epoch.
 */
#pragma once

#include "crypto/suite.h"

/* Longest derived base key; imported ones may be of any length. */
#define SFRAME_BASE_KEY_MAX 64u

/* What frames of one KID need, and the base key one ratchet step on. 172 bytes, in the arena. */
typedef struct SFrameStep {
        uint8_t key[SUITE_KEY_MAX];        /* the first suite->key_len bytes count */
        uint8_t salt[SUITE_NONCE_LEN];     /* XOR the counter: the nonce */
        uint8_t next[SFRAME_BASE_KEY_MAX]; /* the first bytes, as many as the hash has, count */
} SFrameStep;

/* `base_key` and `ret` in the arena. 0; -ENOMEM; -EIO. */
int sframe_schedule_derive(const SuiteInfo *suite, const void *base_key, size_t base_key_len, uint64_t kid,
                           SFrameStep *ret);
/* The base key of one RTP stream; kdf_hash_len(suite->hash) bytes in the arena. As above. */
int sframe_schedule_stream(const SuiteInfo *suite, const void *base_key, size_t base_key_len, uint32_t ssrc,
                           uint8_t *ret);
/* MLS, whose epochs do not ratchet. The secret of an epoch goes to ret->next, and makes the key of each member; key and
 * salt of an epoch are zero, and so is what would be next of a member. As sframe_schedule_derive(). */
int sframe_schedule_epoch(const SuiteInfo *suite, const void *base_key, size_t base_key_len, SFrameStep *ret);
int sframe_schedule_member(const SuiteInfo *suite, const SFrameStep *epoch, uint64_t kid, SFrameStep *ret);
void sframe_schedule_nonce(const uint8_t salt[SUITE_NONCE_LEN], uint64_t ctr, uint8_t ret[SUITE_NONCE_LEN]);
