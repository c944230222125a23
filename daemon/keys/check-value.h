/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What two people can compare instead of keys: a value over any number of keys, each with whose it
 * is and where it stands, and a short code made of that.
 *
 *   value(0)  = 32 zero bytes
 *   value(i)  = HKDF-SHA256(ikm = secrets of the step || value(i-1), info = label || name of the key)
 *   code      = Argon2id(PBKDF2(value(n))), as a number of 18 digits
 *
 * The secrets are all that makes the step: its key, SFrame's salt, and the material of the next one. Never of the key
 * alone, of which frames already tell something. The value says whether a guess of a passphrase was right as quickly
 * as the key's own derivation does, so it stays in the arena; the code costs a quarter of a second and 32 MiB more.
 * Any thread.
 */
#pragma once

#include "keys/schedule.h"

#define CHECK_VALUE_LEN 32u
/* Six groups of three digits with a space between, and the end: just under 60 bits. */
#define CHECK_CODE_MAX 24u

/* Whose key it is, and which: what both sides call it by. */
typedef struct CheckName {
        const char *identity;
        uint64_t number; /* key index; where frames carry a KID, that of step 0 */
        uint32_t step;
        uint8_t format; /* enum framekey_format: the same bytes under another format are another key */
} CheckName;

/* Goes on from `value` (in the arena; zeros to begin with) with one more key. The order matters. 0; -ENOMEM; -EIO;
 * -EINVAL an identity of more than 256 bytes. */
int check_value_add(uint8_t value[CHECK_VALUE_LEN], const CheckName *name, const Schedule *schedule,
                    const ScheduleStep *step);
/* Slow, on purpose. 0; -ENOMEM; -EIO. */
int check_value_code(const uint8_t value[CHECK_VALUE_LEN], char ret[CHECK_CODE_MAX]);
