/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Key schedules of all formats: from the material of a step to its key and the next step's material.
 * Pure parameters plus one derivation, any thread.
 *
 * Trailer formats (formats/trailer-frames 3.1, sframe-dave-jitsi 3):
 *
 *   key(i)        = kdf(material(i), salt)[0 .. key_bits/8)
 *   material(i+1) = kdf(material(i), ratchet_salt)[0 .. 32)
 *
 * With equal salts (LiveKit, RealtimeKit) both are prefixes of one derivation, so one run gives both.
 * SFrame's and DAVE's are in sframe-schedule.h and dave-schedule.h; their key depends on the step's number.
 */
#pragma once

#include "crypto/secret.h"
#include "keys/dave-schedule.h"
#include "keys/sframe-schedule.h"

#define SCHEDULE_SALT_MAX     256u
#define SCHEDULE_MATERIAL_LEN 32u
/* More iterations than any peer uses would let one import hold a deriver for minutes. */
#define SCHEDULE_ITERATIONS_MAX 10000000u

typedef enum ScheduleKdf {
        SCHEDULE_PBKDF2 = 1, /* "pbkdf2": PBKDF2-HMAC-SHA256 */
        SCHEDULE_HKDF = 2,   /* "hkdf": HKDF-SHA256 */
        SCHEDULE_SFRAME = 3, /* "sframe" */
        SCHEDULE_EPOCH = 4,  /* "mls": SFrame's secret of an MLS epoch, of which each member's key is made; no steps */
        SCHEDULE_DAVE = 5,   /* "dave" */
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

        /* SFrame: */
        uint32_t suite;        /* SuiteInfo.id */
        uint32_t ratchet_bits; /* of the KID, see sframe_ratchet_bits_valid() */
        uint64_t kid;          /* of step 0: the low ratchet_bits are 0 */
        bool kid_given;        /* or else importing makes it: key index << ratchet_bits */
        bool per_stream;       /* the material is that of all RTP streams, this key is for `ssrc` */
        bool replace;          /* another live key under this KID */
        uint32_t ssrc;
        /* DAVE: */
        bool of_group; /* the material is the group's exporter secret, this key is for `user_id` */
        uint64_t user_id;
} Schedule;

/* What one step needs, in the arena: a block of schedule_step_size() bytes. */
typedef union ScheduleStep {
        struct {                                     /* trailer formats, 64 bytes: */
                uint8_t key[32];                     /* the first key_bits / 8 bytes count */
                uint8_t next[SCHEDULE_MATERIAL_LEN]; /* material of the next step */
        };
        SFrameStep sframe;
        DaveStep dave;
        uint8_t bytes[SUITE_KEY_MAX]; /* all begin with the key; only its bytes are there */
} ScheduleStep;

/* Whether the parameters are within bounds; NULL or a sentence naming the option that is not. Static. */
const char *schedule_check(const Schedule *schedule);
/* How long an imported secret may be. */
void schedule_secret_len(const Schedule *schedule, size_t *ret_least, size_t *ret_most);
size_t schedule_step_size(const Schedule *schedule);
size_t schedule_key_len(const Schedule *schedule);
/* The material of the next step. `step` may be NULL where only the length matters. */
const uint8_t *schedule_next(const Schedule *schedule, const ScheduleStep *step, size_t *ret_len);
/* Whether there is a next step: not for MLS epochs, nor for SFrame without ratchet bits. */
bool schedule_steps(const Schedule *schedule);
/* Whether a sender may take it when it likes: DAVE's go by the count of frames. */
bool schedule_steps_at_will(const Schedule *schedule);
/* Derives step number `step` from its `material` (in the arena) into `ret_step` (in the arena). 0; -ENOMEM; -EINVAL. */
int schedule_derive(const Schedule *schedule, uint32_t step, const void *material, size_t material_len,
                    ScheduleStep *ret_step);
/* SFrame: the KID of a step. */
uint64_t schedule_kid(const Schedule *schedule, uint32_t step);
/* Of an MLS epoch's step, the step of the member with this KID; `schedule` SCHEDULE_EPOCH. As schedule_derive(). */
int schedule_derive_member(const Schedule *schedule, const ScheduleStep *epoch, uint64_t kid, ScheduleStep *ret_step);
const char *schedule_kdf_name(ScheduleKdf kdf);
/* 0 if unknown. */
ScheduleKdf schedule_kdf_from_name(const char *name);
