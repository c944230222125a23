/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The suites on libgcrypt, which takes both handles (round keys, HMAC states, running tag) from the
 * arena; what is allocated here beside them holds no secret.
 *
 * GCM:  key -> cipher;  tag = first tag_len bytes of GCM's
 * CTR:  key = cipher key || MAC key;  first counter block = nonce || 00000000
 *       tag = first tag_len bytes of HMAC(u64(aad) u64(text) u64(tag_len) nonce aad ciphertext)   (RFC 9605, 4.5.1)
 *
 * Nothing is allocated per frame, but for the digest that libgcrypt keeps for a moment when it
 * finishes an HMAC; the arena has a reserve for that.
 */
#include "crypto/suite.h"

#include "crypto/secret.h"

#include <gcrypt.h>

static const SuiteInfo suites[] = {
        { 1, KDF_SHA256, "AES_128_CTR_HMAC_SHA256_80", 16, 48, 10 },
        { 2, KDF_SHA256, "AES_128_CTR_HMAC_SHA256_64", 16, 48, 8 },
        { 3, KDF_SHA256, "AES_128_CTR_HMAC_SHA256_32", 16, 48, 4 },
        { 4, KDF_SHA256, "AES_128_GCM_SHA256_128", 0, 16, 16 },
        { 5, KDF_SHA512, "AES_256_GCM_SHA512_128", 0, 32, 16 },
        { 6, KDF_SHA512, "AES_256_CTR_HMAC_SHA512_80", 32, 96, 10 },
        { 7, KDF_SHA512, "AES_256_CTR_HMAC_SHA512_64", 32, 96, 8 },
        { 8, KDF_SHA512, "AES_256_CTR_HMAC_SHA512_32", 32, 96, 4 },
        { SUITE_DAVE, KDF_SHA256, "DAVE_AES_128_GCM_64", 0, 16, 8 },
};

struct SuiteCipher {
        const SuiteInfo *suite;
        gcry_cipher_hd_t cipher;
        gcry_mac_hd_t mac; /* NULL with GCM */
};

/* Which end of the text is the ciphertext. */
typedef enum Ciphertext {
        CIPHERTEXT_IN,
        CIPHERTEXT_OUT,
} Ciphertext;

/* The way out of every call that touched a key. */
static int leave(gcry_error_t error) {
        wipe_registers();
        switch (gcry_err_code(error)) {
        case GPG_ERR_NO_ERROR:
                return 0;
        case GPG_ERR_CHECKSUM:
                return SUITE_FORGED;
        case GPG_ERR_ENOMEM:
                return -ENOMEM;
        default:
                return -EIO;
        }
}

const SuiteInfo *suite_find(uint32_t id) {
        for (size_t i = 0; i < ELEMENTS(suites); i++)
                if (suites[i].id == id)
                        return &suites[i];
        return NULL;
}

const SuiteInfo *suite_find_by_name(const char *name) {
        for (size_t i = 0; i < ELEMENTS(suites); i++)
                if (strcmp(suites[i].name, name) == 0)
                        return &suites[i];
        return NULL;
}

const SuiteInfo *suite_at(size_t i) {
        return i < ELEMENTS(suites) ? &suites[i] : NULL;
}

static bool is_gcm(const SuiteInfo *suite) {
        return suite->cipher_key_len == 0;
}

static gcry_error_t open_handles(SuiteCipher *cipher) {
        const SuiteInfo *suite = cipher->suite;
        size_t cipher_key_len = is_gcm(suite) ? suite->key_len : suite->cipher_key_len;
        gcry_error_t error;

        error = gcry_cipher_open(&cipher->cipher, cipher_key_len == 16 ? GCRY_CIPHER_AES128 : GCRY_CIPHER_AES256,
                                 is_gcm(suite) ? GCRY_CIPHER_MODE_GCM : GCRY_CIPHER_MODE_CTR, GCRY_CIPHER_SECURE);
        if (!error && !is_gcm(suite))
                error = gcry_mac_open(&cipher->mac,
                                      suite->hash == KDF_SHA256 ? GCRY_MAC_HMAC_SHA256 : GCRY_MAC_HMAC_SHA512,
                                      GCRY_MAC_FLAG_SECURE, NULL);
        return error;
}

int suite_cipher_new(SuiteCipher **ret, const SuiteInfo *suite, const uint8_t *key) {
        _cleanup_(suite_cipher_free_p) SuiteCipher *cipher = NULL;
        gcry_error_t error;
        int r;

        cipher = calloc(1, sizeof(*cipher));
        if (!cipher)
                return -ENOMEM;
        cipher->suite = suite;
        error = open_handles(cipher);
        if (error)
                return leave(error);
        r = suite_cipher_rekey(cipher, key);
        if (r < 0)
                return r;
        *ret = take_ptr(cipher);
        return 0;
}

SuiteCipher *suite_cipher_free(SuiteCipher *cipher) {
        if (cipher) {
                gcry_cipher_close(cipher->cipher);
                gcry_mac_close(cipher->mac);
                free(cipher);
        }
        return NULL;
}

int suite_cipher_rekey(SuiteCipher *cipher, const uint8_t *key) {
        const SuiteInfo *suite = cipher->suite;
        gcry_error_t error;

        if (is_gcm(suite))
                return leave(gcry_cipher_setkey(cipher->cipher, key, suite->key_len));
        error = gcry_cipher_setkey(cipher->cipher, key, suite->cipher_key_len);
        if (!error)
                error = gcry_mac_setkey(cipher->mac, key + suite->cipher_key_len,
                                        suite->key_len - suite->cipher_key_len);
        return leave(error);
}

static uint64_t text_len(const SuiteFrame *frame) {
        uint64_t len = 0;

        for (size_t i = 0; i < frame->n_text; i++)
                len += frame->text[i].len;
        return len;
}

/* No bytes, no call: to libgcrypt a NULL input means "in place". */
static gcry_error_t crypt_text(SuiteCipher *cipher, const SuiteFrame *frame, Ciphertext ciphertext) {
        gcry_error_t error = 0;

        for (size_t i = 0; i < frame->n_text && !error; i++) {
                const SuiteText *text = &frame->text[i];

                if (text->len == 0)
                        continue;
                if (ciphertext == CIPHERTEXT_OUT)
                        error = gcry_cipher_encrypt(cipher->cipher, text->out, text->len, text->in, text->len);
                else
                        error = gcry_cipher_decrypt(cipher->cipher, text->out, text->len, text->in, text->len);
        }
        return error;
}

/* ---- GCM ---- */

static gcry_error_t gcm_run(SuiteCipher *cipher, const SuiteFrame *frame, Ciphertext ciphertext) {
        gcry_error_t error;

        error = gcry_cipher_setiv(cipher->cipher, frame->nonce, SUITE_NONCE_LEN);
        for (size_t i = 0; i < frame->n_aad && !error; i++)
                if (frame->aad[i].len > 0)
                        error = gcry_cipher_authenticate(cipher->cipher, frame->aad[i].bytes, frame->aad[i].len);
        if (!error)
                error = crypt_text(cipher, frame, ciphertext);
        return error;
}

/* A call that failed half way leaves a rest of its associated data in the handle, see aead.c. */
static int gcm_leave(SuiteCipher *cipher, gcry_error_t error) {
        if (error)
                (void)gcry_cipher_reset(cipher->cipher); /* fails for no handle that was opened */
        return leave(error);
}

/* ---- CTR and HMAC ---- */

static gcry_error_t ctr_run(SuiteCipher *cipher, const SuiteFrame *frame, Ciphertext ciphertext) {
        uint8_t block[SUITE_NONCE_LEN + 4] = { 0 };
        gcry_error_t error;

        memcpy(block, frame->nonce, SUITE_NONCE_LEN);
        error = gcry_cipher_setctr(cipher->cipher, block, sizeof(block));
        if (!error)
                error = crypt_text(cipher, frame, ciphertext);
        return error;
}

static void put_u64(uint8_t to[8], uint64_t value) {
        for (size_t i = 0; i < 8; i++)
                to[i] = (uint8_t)(value >> (56 - 8 * i));
}

/* Leaves the HMAC ready to be read or verified. */
static gcry_error_t mac_run(SuiteCipher *cipher, const SuiteFrame *frame, Ciphertext ciphertext) {
        uint8_t head[24 + SUITE_NONCE_LEN];
        uint64_t aad_len = 0;
        gcry_error_t error;

        for (size_t i = 0; i < frame->n_aad; i++)
                aad_len += frame->aad[i].len;
        put_u64(head, aad_len);
        put_u64(head + 8, text_len(frame));
        put_u64(head + 16, cipher->suite->tag_len);
        memcpy(head + 24, frame->nonce, SUITE_NONCE_LEN);

        error = gcry_mac_reset(cipher->mac);
        if (!error)
                error = gcry_mac_write(cipher->mac, head, sizeof(head));
        for (size_t i = 0; i < frame->n_aad && !error; i++)
                if (frame->aad[i].len > 0)
                        error = gcry_mac_write(cipher->mac, frame->aad[i].bytes, frame->aad[i].len);
        for (size_t i = 0; i < frame->n_text && !error; i++)
                if (frame->text[i].len > 0)
                        error = gcry_mac_write(cipher->mac,
                                               ciphertext == CIPHERTEXT_IN ? frame->text[i].in : frame->text[i].out,
                                               frame->text[i].len);
        return error;
}

/* ---- both ---- */

int suite_seal(SuiteCipher *cipher, const SuiteFrame *frame, uint8_t *ret_tag) {
        size_t tag_len = cipher->suite->tag_len;
        gcry_error_t error;

        if (text_len(frame) > SUITE_TEXT_MAX)
                return -EINVAL;
        if (is_gcm(cipher->suite)) {
                error = gcm_run(cipher, frame, CIPHERTEXT_OUT);
                if (!error)
                        error = gcry_cipher_gettag(cipher->cipher, ret_tag, tag_len);
                return gcm_leave(cipher, error);
        }
        error = ctr_run(cipher, frame, CIPHERTEXT_OUT);
        if (!error)
                error = mac_run(cipher, frame, CIPHERTEXT_OUT);
        if (!error)
                error = gcry_mac_read(cipher->mac, ret_tag, &tag_len);
        return leave(error);
}

int suite_open(SuiteCipher *cipher, const SuiteFrame *frame, const uint8_t *tag) {
        size_t tag_len = cipher->suite->tag_len;
        gcry_error_t error;

        if (text_len(frame) > SUITE_TEXT_MAX)
                return -EINVAL;
        if (is_gcm(cipher->suite)) {
                error = gcm_run(cipher, frame, CIPHERTEXT_IN);
                if (!error)
                        error = gcry_cipher_checktag(cipher->cipher, tag, tag_len);
                return gcm_leave(cipher, error);
        }
        error = mac_run(cipher, frame, CIPHERTEXT_IN);
        if (!error)
                error = gcry_mac_verify(cipher->mac, tag, tag_len);
        if (!error)
                error = ctr_run(cipher, frame, CIPHERTEXT_IN);
        return leave(error);
}
