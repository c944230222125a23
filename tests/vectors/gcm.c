/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* AES-GCM for checking the daemon from outside; shares no code with it. */
#include "tests/vectors/vectors.h"

#include <gcrypt.h>
#include <stdlib.h>
#include <string.h>

static gcry_cipher_hd_t begin(const Bytes *key, const uint8_t *iv, const void *aad, size_t aad_len) {
        gcry_cipher_hd_t handle;

        if (gcry_cipher_open(&handle, key->len == 32 ? GCRY_CIPHER_AES256 : GCRY_CIPHER_AES128, GCRY_CIPHER_MODE_GCM,
                             0) != 0 ||
            gcry_cipher_setkey(handle, key->data, key->len) != 0 || gcry_cipher_setiv(handle, iv, 12) != 0 ||
            gcry_cipher_authenticate(handle, aad, aad_len) != 0)
                abort();
        return handle;
}

void gcm_seal(const Bytes *key, const uint8_t *iv, const void *aad, size_t aad_len, const void *text, size_t len,
              uint8_t *out) {
        gcry_cipher_hd_t handle = begin(key, iv, aad, aad_len);

        if (gcry_cipher_encrypt(handle, out, len, text, len) != 0 || gcry_cipher_gettag(handle, out + len, 16) != 0)
                abort();
        gcry_cipher_close(handle);
}

bool gcm_open(const Bytes *key, const uint8_t *iv, const void *aad, size_t aad_len, const void *sealed, size_t len,
              uint8_t *out) {
        gcry_cipher_hd_t handle;
        bool good;

        if (len < 16)
                return false;
        handle = begin(key, iv, aad, aad_len);
        good = gcry_cipher_decrypt(handle, out, len - 16, sealed, len - 16) == 0 &&
               gcry_cipher_checktag(handle, (const uint8_t *)sealed + len - 16, 16) == 0;
        gcry_cipher_close(handle);
        return good;
}
