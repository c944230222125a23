/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A secret byte string in the arena: passphrase, byte key, ratchet material.
 *
 * It has a length and bytes, an owner who frees it, and no way to print it. The bytes are only
 * touched by the crypto layer and by the code that reads them from a client's descriptor.
 */
#pragma once

#include "crypto/arena.h"

/* Longest secret that can be imported. */
#define SECRET_MAX 4096u

typedef struct Secret {
        size_t len;
        uint8_t bytes[];
} Secret;

/* `len` zero bytes, len <= SECRET_MAX, in the installed arena. 0, -EINVAL, -ENOMEM (arena full). */
int secret_new(Secret **ret, size_t len);
/* Random bytes from the kernel, read straight into the arena. */
int secret_new_random(Secret **ret, size_t len);
/* A copy of bytes that already are in the arena (or in a test). */
int secret_new_copy(Secret **ret, const void *bytes, size_t len);
/* Wipes. Takes NULL; returns NULL. */
Secret *secret_free(Secret *secret);
DEFINE_CLEANUP(Secret, secret_free)
/* Constant time in the bytes; lengths are not secret. */
bool secret_equal(const Secret *a, const Secret *b);
/* The same for bytes that are not in a Secret: memcmp(3) tells by its time where the first difference is. */
bool secret_bytes_equal(const void *a, const void *b, size_t len);
/* Overwrites memory in a way the compiler keeps. For short-lived copies outside the arena. */
void wipe(void *bytes, size_t len);
/* Clears the vector registers, which whoever saves them next would write to a stack. The functions of
 * the crypto layer do it before they return; needed after copying a secret with memcpy(3). ~5 ns. */
void wipe_registers(void);
