/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Key schedule of the trailer formats: from material to AES key and next material
 * (formats/trailer-frames 3.1, sframe-dave-jitsi 3). Pure parameters plus one derivation, any thread.
 *
 *   key(i)        = kdf(material(i), salt)[0 .. key_bits/8)
 *   material(i+1) = kdf(material(i), ratchet_salt)[0 .. 32)
 *
 * With equal salts (LiveKit, RealtimeKit) both are prefixes of one derivation, so one run gives both.
 */
#pragma once

#include "crypto/secret.h"

#define SCHEDULE_SALT_MAX     256u
#define SCHEDULE_MATERIAL_LEN 32u
/* More iterations than any peer uses would let one import hold a deriver for minutes. */
#define SCHEDULE_ITERATIONS_MAX 10000000u

typedef enum ScheduleKdf {
        SCHEDULE_PBKDF2 = 1, /* "pbkdf2": PBKDF2-HMAC-SHA256 */
        SCHEDULE_HKDF = 2,   /* "hkdf": HKDF-SHA256 */
} ScheduleKdf;

typedef struct Schedule {
        ScheduleKdf kdf;
        uint32_t iterations; /* PBKDF2 only */
        uint32_t key_bits;   /* 128 or 256 */
        size_t salt_len;
        size_t ratchet_salt_len; /* 0: the same as salt */
        size_t info_len;         /* HKDF only */
        uint8_t salt[SCHEDULE_SALT_MAX];
        uint8_t ratchet_salt[SCHEDULE_SALT_MAX];
        uint8_t info[SCHEDULE_SALT_MAX];
} Schedule;

/* What one step needs, 64 bytes, in the arena. */
typedef struct ScheduleStep {
        uint8_t key[32];                     /* the first key_bits / 8 bytes count */
        uint8_t next[SCHEDULE_MATERIAL_LEN]; /* material of the next step */
} ScheduleStep;

/* Whether the parameters are within bounds; NULL or a sentence naming the option that is not. Static. */
const char *schedule_check(const Schedule *schedule);
/* Derives from `material` (in the arena) into `ret_step` (in the arena). 0; -ENOMEM; -EINVAL. */
int schedule_derive(const Schedule *schedule, const void *material, size_t material_len, ScheduleStep *ret_step);
const char *schedule_kdf_name(ScheduleKdf kdf);
/* 0 if unknown. */
ScheduleKdf schedule_kdf_from_name(const char *name);
