/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Key derivation on libgcrypt: PBKDF2, HKDF and Argon2id. Inputs and outputs are expected in the arena, so
 * that libgcrypt takes its scratch memory from there too. Stateless, any thread.
 */
#pragma once

#include "util/util.h"

typedef enum KdfHash {
        KDF_SHA256, /* 32 bytes */
        KDF_SHA512, /* 64 bytes */
} KdfHash;

size_t kdf_hash_len(KdfHash hash) _pure_;

/* PBKDF2-HMAC-SHA256 (RFC 8018, 5.2); an empty password is allowed. ~0.18 us an iteration.
 * 0; -EINVAL iterations 0 or out_len 0; -ENOMEM arena full. */
int kdf_pbkdf2_sha256(const void *password, size_t password_len, const void *salt, size_t salt_len, uint32_t iterations,
                      void *out, size_t out_len);
/* HKDF (RFC 5869) extract: PRK of kdf_hash_len() bytes. An empty salt is that many zero bytes. */
int kdf_hkdf_extract(KdfHash hash, const void *salt, size_t salt_len, const void *ikm, size_t ikm_len, void *prk);
/* HKDF expand, out_len <= 255 * kdf_hash_len(). */
int kdf_hkdf_expand(KdfHash hash, const void *prk, size_t prk_len, const void *info, size_t info_len, void *out,
                    size_t out_len);
/* Both in one. */
int kdf_hkdf(KdfHash hash, const void *ikm, size_t ikm_len, const void *salt, size_t salt_len, const void *info,
             size_t info_len, void *out, size_t out_len);
/* Argon2id (RFC 9106) with one lane; its memory of `kib` * 1024 bytes is larger than the arena and lies outside of it,
 * is not dumped, and is gone at the end. So the password must be one that costs as much to guess as is promised for the
 * result: what a quick hash of it lies about is worth no less. 0; -EINVAL out of Argon2's bounds; -ENOMEM. */
int kdf_argon2id(const void *password, size_t password_len, const void *salt, size_t salt_len, uint32_t kib,
                 uint32_t passes, void *out, size_t out_len);
/* SHA-256 of public bytes. */
int kdf_sha256(const void *bytes, size_t len, uint8_t ret_digest[32]);
