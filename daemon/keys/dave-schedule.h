/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * DAVE's key schedule, a hash ratchet as in MLS (RFC 9420, 9.1) with a generation for every 2^24
 * frames. Any thread; every secret lies in the arena.
 *
 *   base     = the group's exporter output for a user, 16 bytes; secret(0) = base, used as it is
 *   key(g)        = expand_with_label(secret(g), "key", g, 16)
 *   secret(g + 1) = expand_with_label(secret(g), "secret", g, 32)
 */
#pragma once

#include "util/util.h"

#define DAVE_KEY_LEN    16u
#define DAVE_BASE_LEN   16u
#define DAVE_SECRET_LEN 32u
/* How far ahead of the newest generation a frame may be; all that a forged frame can make a receiver derive. */
#define DAVE_JUMP_MAX 250u

/* What one generation needs, 48 bytes, in the arena. */
typedef struct DaveStep {
        uint8_t key[DAVE_KEY_LEN];
        uint8_t next[DAVE_SECRET_LEN]; /* secret of the next generation */
} DaveStep;

/* `secret` in the arena: DAVE_BASE_LEN bytes for generation 0, DAVE_SECRET_LEN after. 0; -EINVAL another length;
 * -ENOMEM; -EIO. */
int dave_schedule_derive(const void *secret, size_t secret_len, uint32_t generation, DaveStep *ret);
/* The base secret of a user (MLS exporter, RFC 9420, 8.5) from the group's exporter secret of DAVE_SECRET_LEN bytes;
 * both in the arena. 0; -ENOMEM; -EIO. */
int dave_schedule_base(const void *exporter_secret, uint64_t user_id, uint8_t ret[DAVE_BASE_LEN]);
/* The last generation that a ratchet of this age can have come to, at 170 frames a second: 50 of audio, 60 of two
 * videos each. Whoever restarts has to know the ratchet's age, or refuses good frames after 27 hours. */
uint64_t dave_schedule_last_generation(uint64_t age_usec);
