/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Secrets in the installed arena. Nothing here copies a secret's bytes to other memory. Any thread.
 */
#include "crypto/secret.h"

#include <assert.h>
#include <sys/random.h>

int secret_new(Secret **ret, size_t len) {
        Arena *arena = arena_installed();
        Secret *secret;

        assert(arena);
        if (len > SECRET_MAX)
                return -EINVAL;
        secret = arena_alloc(arena, sizeof(*secret) + len);
        if (!secret)
                return -ENOMEM;
        secret->len = len;
        *ret = secret;
        return 0;
}

int secret_new_random(Secret **ret, size_t len) {
        _cleanup_(secret_free_p) Secret *secret = NULL;
        size_t filled = 0;
        int r;

        r = secret_new(&secret, len);
        if (r < 0)
                return r;
        while (filled < len) {
                /* Straight into the arena; more than 256 bytes can come in parts. */
                ssize_t n = getrandom(secret->bytes + filled, len - filled, 0);

                if (n < 0 && errno != EINTR)
                        return -errno;
                if (n > 0)
                        filled += (size_t)n;
        }
        *ret = take_ptr(secret);
        return 0;
}

int secret_new_copy(Secret **ret, const void *bytes, size_t len) {
        Secret *secret;
        int r;

        r = secret_new(&secret, len);
        if (r < 0)
                return r;
        if (len > 0)
                memcpy(secret->bytes, bytes, len);
        wipe_registers();
        *ret = secret;
        return 0;
}

Secret *secret_free(Secret *secret) {
        if (secret)
                arena_release(arena_installed(), secret);
        return NULL;
}

bool secret_bytes_equal(const void *a, const void *b, size_t len) {
        const uint8_t *left = a, *right = b;
        uint64_t difference = 0;
        size_t i = 0;

        for (; i + sizeof(uint64_t) <= len; i += sizeof(uint64_t)) {
                uint64_t one, other;

                memcpy(&one, left + i, sizeof(one));
                memcpy(&other, right + i, sizeof(other));
                difference |= one ^ other;
                /* The compiler cannot know what comes out, so it cannot stop at the first difference. */
                __asm__("" : "+r"(difference));
        }
        for (; i < len; i++) {
                difference |= (uint64_t)(left[i] ^ right[i]);
                __asm__("" : "+r"(difference));
        }
        return difference == 0;
}

bool secret_equal(const Secret *a, const Secret *b) {
        return a->len == b->len && secret_bytes_equal(a->bytes, b->bytes, a->len);
}

void wipe(void *bytes, size_t len) {
        if (len > 0)
                explicit_bzero(bytes, len);
}
