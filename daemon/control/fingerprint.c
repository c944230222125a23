/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Hex digits in groups of four; see fingerprint.h. */
#include "control/fingerprint.h"

#include "crypto/kdf.h"
#include "util/util.h"

#include <stdio.h>

#define BYTES       16u
#define GROUP_BYTES 2u

void fingerprint_format(const void *key, size_t len, char ret[FINGERPRINT_MAX]) {
        uint8_t digest[32] = { 0 };
        char *end = ret;

        (void)kdf_sha256(key, len, digest); /* cannot fail for SHA-256 */
        for (size_t i = 0; i < BYTES; i += GROUP_BYTES)
                end += snprintf(end, FINGERPRINT_MAX - (size_t)(end - ret), "%s%02x%02x", i > 0 ? " " : "", digest[i],
                                digest[i + 1]);
}
