/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * AES-GCM by libgcrypt, which takes the handle (round keys, hash key, running tag) from the arena;
 * what is allocated here beside it holds no secret.
 */
#include "crypto/aead.h"

#include "crypto/secret.h"

#include <gcrypt.h>

struct Aead {
        gcry_cipher_hd_t cipher;
        size_t key_len;
};

/* The way out of every call that touched a key. */
static int leave(gcry_error_t error) {
        wipe_registers();
        switch (gcry_err_code(error)) {
        case GPG_ERR_NO_ERROR:
                return 0;
        case GPG_ERR_ENOMEM:
                return -ENOMEM;
        case GPG_ERR_INV_KEYLEN:
        case GPG_ERR_INV_LENGTH:
        case GPG_ERR_INV_ARG:
                return -EINVAL;
        default:
                return -EIO;
        }
}

bool aead_is_accelerated(void) {
        /* The names of libgcrypt's hardware features, those with AES. */
        static const char *const features[] = { ":intel-aesni:", ":padlock-aes:", ":arm-aes:", ":ppc-vcrypto:",
                                                ":s390x-msa:" };
        char *list = gcry_get_config(0, "hwflist");
        bool found = false;

        for (size_t i = 0; list && i < ELEMENTS(features); i++)
                found |= strstr(list, features[i]) != NULL;
        /* Not gcry_free(), which would give it to the arena: libgpg-error took it from the C library. */
        free(list);
        return found;
}

int aead_new(Aead **ret, const uint8_t *key, size_t key_len) {
        _cleanup_(aead_free_p) Aead *aead = NULL;
        gcry_error_t error;
        int r;

        if (key_len != 16 && key_len != 32)
                return -EINVAL;
        aead = calloc(1, sizeof(*aead));
        if (!aead)
                return -ENOMEM;
        error = gcry_cipher_open(&aead->cipher, key_len == 16 ? GCRY_CIPHER_AES128 : GCRY_CIPHER_AES256,
                                 GCRY_CIPHER_MODE_GCM, GCRY_CIPHER_SECURE);
        if (error)
                return leave(error);
        aead->key_len = key_len;
        r = aead_rekey(aead, key, key_len);
        if (r < 0)
                return r;
        *ret = take_ptr(aead);
        return 0;
}

Aead *aead_free(Aead *aead) {
        if (aead) {
                gcry_cipher_close(aead->cipher);
                free(aead);
        }
        return NULL;
}

int aead_rekey(Aead *aead, const uint8_t *key, size_t key_len) {
        if (key_len != aead->key_len)
                return -EINVAL;
        return leave(gcry_cipher_setkey(aead->cipher, key, key_len));
}

static gcry_error_t begin(Aead *aead, const uint8_t *iv, const void *aad, size_t aad_len) {
        gcry_error_t error;

        error = gcry_cipher_setiv(aead->cipher, iv, AEAD_IV_LEN);
        if (!error && aad_len > 0)
                error = gcry_cipher_authenticate(aead->cipher, aad, aad_len);
        return error;
}

/* A call that failed half way leaves a rest of its associated data in the handle, which gcry_cipher_setiv() does not
 * clear: the next frame would be sealed with a wrong tag, or a good one refused. */
static int leave_frame(Aead *aead, gcry_error_t error) {
        if (error)
                (void)gcry_cipher_reset(aead->cipher); /* fails for no handle that was opened */
        return leave(error);
}

int aead_seal(Aead *aead, const uint8_t iv[AEAD_IV_LEN], const void *aad, size_t aad_len, const void *in, size_t len,
              void *out, uint8_t ret_tag[AEAD_TAG_LEN]) {
        gcry_error_t error;

        error = begin(aead, iv, aad, aad_len);
        /* No bytes, no call: to libgcrypt a NULL input means "in place". */
        if (!error && len > 0)
                error = gcry_cipher_encrypt(aead->cipher, out, len, in, len);
        if (!error)
                error = gcry_cipher_gettag(aead->cipher, ret_tag, AEAD_TAG_LEN);
        return leave_frame(aead, error);
}

int aead_open(Aead *aead, const uint8_t iv[AEAD_IV_LEN], const void *aad, size_t aad_len, const void *in, size_t len,
              void *out, const uint8_t tag[AEAD_TAG_LEN]) {
        gcry_error_t error;

        error = begin(aead, iv, aad, aad_len);
        if (!error && len > 0)
                error = gcry_cipher_decrypt(aead->cipher, out, len, in, len);
        if (error)
                return leave_frame(aead, error);
        error = gcry_cipher_checktag(aead->cipher, tag, AEAD_TAG_LEN);
        if (gcry_err_code(error) == GPG_ERR_CHECKSUM) {
                wipe_registers();
                return AEAD_FORGED;
        }
        return leave_frame(aead, error);
}
