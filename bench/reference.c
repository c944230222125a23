/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Crypto in process, and two context switches; see reference.h. */
#include "bench/reference.h"

#include "bench/figures.h"
#include "bench/machine.h"
#include "bench/sealer.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef HAVE_OPENSSL
#include <openssl/evp.h>
#endif

double eventfd_round_trip(unsigned n) {
        int there = eventfd(0, EFD_CLOEXEC), back = eventfd(0, EFD_CLOEXEC);
        double *times = calloc(n, sizeof(*times)), result;
        eventfd_t value;
        pid_t child;

        child = fork();
        if (child == 0) {
                for (unsigned i = 0; i < n; i++)
                        if (eventfd_read(there, &value) < 0 || eventfd_write(back, 1) < 0)
                                _exit(1);
                _exit(0);
        }
        for (unsigned i = 0; i < n; i++) {
                uint64_t t0 = now_nsec();

                if (eventfd_write(there, 1) < 0 || eventfd_read(back, &value) < 0)
                        abort();
                times[i] = (double)(now_nsec() - t0);
        }
        (void)waitpid(child, NULL, 0);
        (void)close(there);
        (void)close(back);
        result = median(times, n);
        free(times);
        return result;
}

double libgcrypt_seal(size_t size, unsigned n) {
        Sealer sealer = sealer_new();
        uint8_t *text = calloc(1, size + SEALER_OVERHEAD);
        uint64_t t0 = now_nsec();
        double result;

        for (unsigned i = 0; i < n; i++)
                sealer_seal(&sealer, text, size);
        result = (double)(now_nsec() - t0) / n;
        sealer_free(&sealer);
        free(text);
        return result;
}

#ifdef HAVE_OPENSSL
#define KEY ((const uint8_t *)"0123456789abcdef")

static void openssl_one(EVP_CIPHER_CTX *context, uint8_t *text, size_t size) {
        uint8_t *iv = text + size + 16;
        int len;

        random_iv(iv);
        if (EVP_EncryptInit_ex(context, NULL, NULL, NULL, iv) != 1 ||
            EVP_EncryptUpdate(context, text, &len, text, (int)size) != 1 ||
            EVP_EncryptFinal_ex(context, text + len, &len) != 1 ||
            EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, 16, text + size) != 1)
                abort();
}

static EVP_CIPHER_CTX *openssl_context(void) {
        EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();

        if (!context || EVP_EncryptInit_ex(context, EVP_aes_128_gcm(), NULL, KEY, NULL) != 1)
                abort();
        return context;
}

double openssl_seal(size_t size, unsigned n) {
        uint8_t *text = calloc(1, size + SEALER_OVERHEAD);
        EVP_CIPHER_CTX *context = openssl_context();
        uint64_t t0 = now_nsec();
        double result;

        for (unsigned i = 0; i < n; i++)
                openssl_one(context, text, size);
        result = (double)(now_nsec() - t0) / n;
        EVP_CIPHER_CTX_free(context);
        free(text);
        return result;
}

double openssl_seal_afresh(size_t size, unsigned n) {
        uint8_t *text = calloc(1, size);
        uint64_t t0 = now_nsec();
        double result;

        for (unsigned i = 0; i < n; i++) {
                uint8_t *out = malloc(size + SEALER_OVERHEAD);
                EVP_CIPHER_CTX *context = openssl_context();

                memcpy(out, text, size);
                openssl_one(context, out, size);
                EVP_CIPHER_CTX_free(context);
                text[0] = out[0]; /* so that it is not left out */
                free(out);
        }
        result = (double)(now_nsec() - t0) / n;
        free(text);
        return result;
}
#endif
