/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Preloaded into framekeyd: a libgcrypt in which the one function that $BROKEN_GCRYPT names gives a wrong bit.
 */
#include <dlfcn.h>
#include <gcrypt.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define EXPORTED __attribute__((visibility("default")))

static bool is_broken(const char *what) {
        const char *broken = getenv("BROKEN_GCRYPT");

        return broken && strcmp(broken, what) == 0;
}

EXPORTED gcry_error_t gcry_cipher_gettag(gcry_cipher_hd_t cipher, void *tag, size_t len) {
        gcry_error_t (*real)(gcry_cipher_hd_t, void *, size_t) = dlsym(RTLD_NEXT, "gcry_cipher_gettag");
        gcry_error_t error = real(cipher, tag, len);

        if (is_broken("tag"))
                ((unsigned char *)tag)[len - 1] ^= 1;
        return error;
}

/* Takes any tag for the right one. */
EXPORTED gcry_error_t gcry_cipher_checktag(gcry_cipher_hd_t cipher, const void *tag, size_t len) {
        gcry_error_t (*real)(gcry_cipher_hd_t, const void *, size_t) = dlsym(RTLD_NEXT, "gcry_cipher_checktag");
        gcry_error_t error = real(cipher, tag, len);

        return is_broken("check") ? 0 : error;
}

EXPORTED gcry_error_t gcry_cipher_encrypt(gcry_cipher_hd_t cipher, void *out, size_t size, const void *in, size_t len) {
        gcry_error_t (*real)(gcry_cipher_hd_t, void *, size_t, const void *, size_t) =
                dlsym(RTLD_NEXT, "gcry_cipher_encrypt");
        gcry_error_t error = real(cipher, out, size, in, len);

        if (is_broken("encrypt") && size > 0)
                ((unsigned char *)out)[0] ^= 0x80;
        return error;
}

EXPORTED gpg_error_t gcry_kdf_derive(const void *passphrase, size_t passphrase_len, int algo, int subalgo,
                                     const void *salt, size_t salt_len, unsigned long iterations, size_t size,
                                     void *key) {
        gpg_error_t (*real)(const void *, size_t, int, int, const void *, size_t, unsigned long, size_t, void *) =
                dlsym(RTLD_NEXT, "gcry_kdf_derive");
        gpg_error_t error = real(passphrase, passphrase_len, algo, subalgo, salt, salt_len, iterations, size, key);

        if (is_broken("kdf"))
                ((unsigned char *)key)[0] ^= 1;
        return error;
}
