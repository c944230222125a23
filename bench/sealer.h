/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* AES-128-GCM by libgcrypt with a handle that is kept, as who writes a server of one's own would do it. */
#pragma once

#include <gcrypt.h>
#include <stddef.h>
#include <stdint.h>

#define SEALER_OVERHEAD 28u /* tag and IV behind the text */

typedef struct Sealer {
        gcry_cipher_hd_t handle;
} Sealer;

Sealer sealer_new(void);
/* In place; room for the overhead. */
void sealer_seal(const Sealer *sealer, uint8_t *text, size_t size);
void sealer_free(Sealer *sealer);
/* 12 bytes. */
void random_iv(uint8_t *ret);
