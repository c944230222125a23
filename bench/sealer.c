/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See sealer.h. */
#include "bench/sealer.h"

#include <stdlib.h>
#include <sys/random.h>

void random_iv(uint8_t *ret) {
        if (getrandom(ret, 12, 0) != 12)
                abort();
}

Sealer sealer_new(void) {
        Sealer sealer;

        (void)gcry_check_version(NULL);
        if (gcry_cipher_open(&sealer.handle, GCRY_CIPHER_AES128, GCRY_CIPHER_MODE_GCM, 0) != 0 ||
            gcry_cipher_setkey(sealer.handle, "0123456789abcdef", 16) != 0)
                abort();
        return sealer;
}

void sealer_seal(const Sealer *sealer, uint8_t *text, size_t size) {
        uint8_t *tag = text + size, *iv = tag + 16;

        random_iv(iv);
        if (gcry_cipher_setiv(sealer->handle, iv, 12) != 0 ||
            gcry_cipher_encrypt(sealer->handle, text, size, NULL, 0) != 0 ||
            gcry_cipher_gettag(sealer->handle, tag, 16) != 0)
                abort();
}

void sealer_free(Sealer *sealer) {
        gcry_cipher_close(sealer->handle);
}
