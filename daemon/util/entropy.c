/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Random bytes by getrandom(2). Never gcry_create_nonce(): that is a chain inside the process, which
 * repeats in two clones of one virtual machine snapshot. Any thread.
 */
#include "util/entropy.h"

#include "util/util.h"

#include <assert.h>
#include <sys/random.h>

#define IV_LEN 12u

void entropy_fill(void *bytes, size_t len) {
        ssize_t n;

        assert(len <= ENTROPY_MAX);
        do
                n = getrandom(bytes, len, 0);
        while (n < 0 && errno == EINTR); /* possible only while the pool is not seeded yet */
        if (n < 0 || (size_t)n != len)
                abort();
}

void entropy_fill_ivs(uint8_t *ivs, size_t n) {
        assert(n <= ENTROPY_MAX / IV_LEN);
        entropy_fill(ivs, n * IV_LEN);
}
