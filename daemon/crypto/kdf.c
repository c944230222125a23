/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * PBKDF2 and Argon2id by libgcrypt; HKDF composed from its HMAC, because 1.10 has none. All running state is in
 * libgcrypt's handles, hence in the arena; partial results only ever lie in the caller's output.
 */
#include "crypto/kdf.h"

#include "crypto/arena.h"
#include "crypto/secret.h"

#include <gcrypt.h>
#include <sys/mman.h>

typedef struct HashInfo {
        size_t len;
        int mac;
} HashInfo;

static const HashInfo hashes[] = {
        [KDF_SHA256] = { 32, GCRY_MAC_HMAC_SHA256 },
        [KDF_SHA512] = { 64, GCRY_MAC_HMAC_SHA512 },
};

/* The way out of every call that touched a secret. */
static int leave(gcry_error_t error) {
        wipe_registers();
        switch (gcry_err_code(error)) {
        case GPG_ERR_NO_ERROR:
                return 0;
        case GPG_ERR_ENOMEM:
                return -ENOMEM;
        case GPG_ERR_INV_VALUE:
        case GPG_ERR_INV_DATA:
                return -EINVAL;
        default:
                return -EIO;
        }
}

static void mac_close_p(gcry_mac_hd_t *mac) {
        gcry_mac_close(*mac);
}

/* Bytes to an HMAC. An empty piece may come as NULL. */
typedef struct Piece {
        const void *bytes;
        size_t len;
} Piece;

static gcry_error_t hmac_open(gcry_mac_hd_t *ret, KdfHash hash, const void *key, size_t key_len) {
        _cleanup_(mac_close_p) gcry_mac_hd_t mac = NULL;
        gcry_error_t error;

        error = gcry_mac_open(&mac, hashes[hash].mac, GCRY_MAC_FLAG_SECURE, NULL);
        if (!error)
                error = gcry_mac_setkey(mac, key_len > 0 ? key : "", key_len);
        if (!error)
                *ret = take_ptr(mac);
        return error;
}

/* One HMAC under the handle's key; the first `out_len` bytes of it. `out` may be one of the pieces. */
static gcry_error_t hmac_run(gcry_mac_hd_t mac, const Piece *pieces, size_t n_pieces, void *out, size_t out_len) {
        gcry_error_t error;

        error = gcry_mac_reset(mac);
        for (size_t i = 0; i < n_pieces && !error; i++)
                if (pieces[i].len > 0)
                        error = gcry_mac_write(mac, pieces[i].bytes, pieces[i].len);
        if (!error)
                error = gcry_mac_read(mac, out, &out_len);
        return error;
}

size_t kdf_hash_len(KdfHash hash) {
        return hashes[hash].len;
}

/* T_i = U_1 xor ... xor U_c of RFC 8018, 5.2, for an empty salt. `u`: 32 bytes of scratch in the arena. */
static gcry_error_t pbkdf2_block(gcry_mac_hd_t mac, uint32_t i, uint32_t iterations, uint8_t *u, uint8_t *out,
                                 size_t out_len) {
        const size_t hash_len = hashes[KDF_SHA256].len;
        const uint8_t number[] = { (uint8_t)(i >> 24), (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i };
        Piece piece = { number, sizeof(number) };
        gcry_error_t error;

        error = hmac_run(mac, &piece, 1, u, hash_len);
        if (error)
                return error;
        memcpy(out, u, out_len);
        piece = (Piece){ u, hash_len };
        for (uint32_t c = 1; c < iterations; c++) {
                error = hmac_run(mac, &piece, 1, u, hash_len);
                if (error)
                        return error;
                for (size_t k = 0; k < out_len; k++)
                        out[k] ^= u[k];
        }
        return 0;
}

/* gcry_kdf_derive() refuses an empty salt, which RFC 8018 and WebCrypto allow. */
static int pbkdf2_without_salt(const void *password, size_t password_len, uint32_t iterations, uint8_t *out,
                               size_t out_len) {
        const size_t hash_len = hashes[KDF_SHA256].len;
        _cleanup_(mac_close_p) gcry_mac_hd_t mac = NULL;
        gcry_error_t error;
        uint8_t *u;

        u = arena_alloc(arena_installed(), hash_len);
        if (!u)
                return -ENOMEM;
        error = hmac_open(&mac, KDF_SHA256, password, password_len);
        for (uint32_t i = 1; out_len > 0 && !error; i++) {
                size_t n = MIN_OF(out_len, hash_len);

                error = pbkdf2_block(mac, i, iterations, u, out, n);
                out += n;
                out_len -= n;
        }
        arena_release(arena_installed(), u);
        return leave(error);
}

int kdf_pbkdf2_sha256(const void *password, size_t password_len, const void *salt, size_t salt_len, uint32_t iterations,
                      void *out, size_t out_len) {
        if (iterations == 0 || out_len == 0)
                return -EINVAL;
        if (salt_len == 0)
                return pbkdf2_without_salt(password, password_len, iterations, out, out_len);
        /* An empty password is fine with libgcrypt, a NULL one is not. */
        return leave(gcry_kdf_derive(password_len > 0 ? password : "", password_len, GCRY_KDF_PBKDF2, GCRY_MD_SHA256,
                                     salt, salt_len, iterations, out_len, out));
}

int kdf_hkdf_extract(KdfHash hash, const void *salt, size_t salt_len, const void *ikm, size_t ikm_len, void *prk) {
        _cleanup_(mac_close_p) gcry_mac_hd_t mac = NULL;
        const Piece piece = { ikm, ikm_len };
        gcry_error_t error;

        /* An empty key and one of zeros are the same to HMAC (RFC 2104, 2), so RFC 5869's default salt needs no care.
         */
        error = hmac_open(&mac, hash, salt, salt_len);
        if (!error)
                error = hmac_run(mac, &piece, 1, prk, hashes[hash].len);
        return leave(error);
}

int kdf_hkdf_expand(KdfHash hash, const void *prk, size_t prk_len, const void *info, size_t info_len, void *out,
                    size_t out_len) {
        const size_t hash_len = hashes[hash].len;
        _cleanup_(mac_close_p) gcry_mac_hd_t mac = NULL;
        uint8_t *t = out, number = 1;
        size_t previous_len = 0;
        gcry_error_t error;

        if (out_len > 255 * hash_len)
                return -EINVAL;
        error = hmac_open(&mac, hash, prk, prk_len);
        /* T(i) = HMAC(PRK, T(i-1) | info | i), RFC 5869, 2.3; T(i-1) is read from the output. */
        for (size_t done = 0; done < out_len && !error; done += hash_len, number++) {
                const Piece pieces[] = { { t + done - previous_len, previous_len },
                                         { info, info_len },
                                         { &number, 1 } };

                error = hmac_run(mac, pieces, ELEMENTS(pieces), t + done, MIN_OF(out_len - done, hash_len));
                previous_len = hash_len;
        }
        return leave(error);
}

int kdf_hkdf(KdfHash hash, const void *ikm, size_t ikm_len, const void *salt, size_t salt_len, const void *info,
             size_t info_len, void *out, size_t out_len) {
        uint8_t *prk;
        int r;

        prk = arena_alloc(arena_installed(), hashes[hash].len);
        if (!prk)
                return -ENOMEM;
        r = kdf_hkdf_extract(hash, salt, salt_len, ikm, ikm_len, prk);
        if (r == 0)
                r = kdf_hkdf_expand(hash, prk, hashes[hash].len, info, info_len, out, out_len);
        arena_release(arena_installed(), prk);
        return r;
}

static void kdf_close_p(gcry_kdf_hd_t *kdf) {
        if (*kdf)
                gcry_kdf_close(*kdf);
}

/* In memory that was lent, which the handle needs to its end. */
static gcry_error_t argon2id_run(const unsigned long parameters[4], const Piece *password, const Piece *salt, void *out,
                                 size_t out_len) {
        _cleanup_(kdf_close_p) gcry_kdf_hd_t kdf = NULL;
        gcry_error_t error;

        error = gcry_kdf_open(&kdf, GCRY_KDF_ARGON2, GCRY_KDF_ARGON2ID, parameters, 4, password->bytes, password->len,
                              salt->bytes, salt->len, NULL, 0, NULL, 0);
        if (!error)
                error = gcry_kdf_compute(kdf, NULL);
        if (!error)
                error = gcry_kdf_final(kdf, out_len, out);
        return error;
}

/* The handle and the rest that libgcrypt wants beside the blocks. */
#define ARGON2_EXTRA 4096u

int kdf_argon2id(const void *password, size_t password_len, const void *salt, size_t salt_len, uint32_t kib,
                 uint32_t passes, void *out, size_t out_len) {
        const unsigned long parameters[] = { out_len, passes, kib, 1 };
        const Piece password_piece = { password, password_len }, salt_piece = { salt, salt_len };
        size_t len = (size_t)kib * 1024 + ARGON2_EXTRA;
        gcry_error_t error;
        void *memory;

        if (kib < 8 || passes == 0 || out_len < 4 || out_len > 64)
                return -EINVAL;
        memory = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED)
                return -ENOMEM;
        (void)madvise(memory, len, MADV_DONTDUMP); /* the limit on core files is there too */
        (void)madvise(memory, len, MADV_DONTFORK);
        arena_scratch_lend(memory, len);
        error = argon2id_run(parameters, &password_piece, &salt_piece, out, out_len);
        arena_scratch_end();
        (void)munmap(memory, len); /* cannot fail for a whole mapping of ours */
        return leave(error);
}

int kdf_sha256(const void *bytes, size_t len, uint8_t ret_digest[32]) {
        gcry_md_hash_buffer(GCRY_MD_SHA256, ret_digest, len > 0 ? bytes : "", len);
        return 0;
}
