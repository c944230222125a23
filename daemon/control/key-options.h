/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Options that several calls share, as rows for a table: those of a key schedule (OpenSession, as
 * defaults of its imports, ImportKey, GenerateKey) over any struct with a member `schedule`, and
 * those that say when a new key is sent under (ImportKey, GenerateKey, ImportWrapped) over any
 * struct with a member `activation`.
 */
#pragma once

#include "control/options.h"
#include "keys/session.h"

extern const OptionWord key_option_kdfs[];

/* OptionKinds of options that only keys of some formats have. */
#define KEY_OPTION_SALTED (1u << 0) /* the trailer formats */
#define KEY_OPTION_SFRAME (1u << 1) /* sender keys */
#define KEY_OPTION_MLS    (1u << 2) /* SFrame of an MLS group */
#define KEY_OPTION_DAVE   (1u << 3)
/* Which a schedule is of. */
OptionKinds key_options_kind(const Schedule *schedule);

#define KEY_OPTION_BYTES(target, option_name, member)                                                                  \
        {                                                                                                              \
                .name = (option_name), .type = OPTION_BYTES, .offset = offsetof(target, schedule.member),              \
                .len_offset = offsetof(target, schedule.member##_len), .max = SCHEDULE_SALT_MAX,                       \
                .only = KEY_OPTION_SALTED                                                                              \
        }

#define KEY_OPTION_ROWS(target)                                                                                        \
        { .name = "kdf",                                                                                               \
          .type = OPTION_WORD,                                                                                         \
          .offset = offsetof(target, schedule.kdf),                                                                    \
          .words = key_option_kdfs,                                                                                    \
          .only = KEY_OPTION_SALTED },                                                                                 \
                KEY_OPTION_BYTES(target, "salt", salt), KEY_OPTION_BYTES(target, "ratchet-salt", ratchet_salt),        \
                KEY_OPTION_BYTES(target, "info", info),                                                                \
                { .name = "iterations",                                                                                \
                  .type = OPTION_U32,                                                                                  \
                  .offset = offsetof(target, schedule.iterations),                                                     \
                  .min = 1,                                                                                            \
                  .max = SCHEDULE_ITERATIONS_MAX,                                                                      \
                  .only = KEY_OPTION_SALTED },                                                                         \
        {                                                                                                              \
                .name = "key-bits", .type = OPTION_U32, .offset = offsetof(target, schedule.key_bits), .min = 128,     \
                .max = 256, .only = KEY_OPTION_SALTED                                                                  \
        }

/* ImportKey and GenerateKey alone. */
#define SFRAME_OPTION_ROWS(target)                                                                                     \
        { .name = "kid",                                                                                               \
          .type = OPTION_U64,                                                                                          \
          .offset = offsetof(target, schedule.kid),                                                                    \
          .max = UINT64_MAX,                                                                                           \
          .given_offset = offsetof(target, schedule.kid_given),                                                        \
          .only = KEY_OPTION_SFRAME },                                                                                 \
        {                                                                                                              \
                .name = "replace", .type = OPTION_BOOL, .offset = offsetof(target, schedule.replace),                  \
                .only = KEY_OPTION_SFRAME                                                                              \
        }

/* ImportKey: what the secret is that this key is made of. */
#define SOURCE_OPTION_ROWS(target)                                                                                     \
        { .name = "ssrc",                                                                                              \
          .type = OPTION_U32,                                                                                          \
          .offset = offsetof(target, schedule.ssrc),                                                                   \
          .max = UINT32_MAX,                                                                                           \
          .given_offset = offsetof(target, schedule.per_stream),                                                       \
          .only = KEY_OPTION_SFRAME },                                                                                 \
        {                                                                                                              \
                .name = "user-id", .type = OPTION_U64, .offset = offsetof(target, schedule.user_id),                   \
                .max = UINT64_MAX, .given_offset = offsetof(target, schedule.of_group), .only = KEY_OPTION_DAVE        \
        }

/* A key that waits longer for its use was not wanted. */
#define ACTIVATE_AFTER_MAX_USEC (3600 * USEC_PER_SEC)

typedef struct ActivationOptions {
        bool wanted;
        SessionActivation when;
} ActivationOptions;

/* Not told when. */
#define ACTIVATION_OPTIONS_NONE ((ActivationOptions){ .when.after_usec = USEC_INFINITY })

#define ACTIVATION_OPTION_ROWS(target)                                                                                 \
        { .name = "activate", .type = OPTION_BOOL, .offset = offsetof(target, activation.wanted) },                    \
                { .name = "activate-after-usec",                                                                       \
                  .type = OPTION_U64,                                                                                  \
                  .offset = offsetof(target, activation.when.after_usec),                                              \
                  .max = ACTIVATE_AFTER_MAX_USEC },                                                                    \
        {                                                                                                              \
                .name = "at-key-frame", .type = OPTION_BOOL, .offset = offsetof(target, activation.when.at_key_frame)  \
        }

/* After reading: saying when means that it is wanted. */
void activation_options_settle(ActivationOptions *options);
/* Whether frames go under the key from the call on, and not later. */
static inline bool activation_is_now(const SessionActivation *when) {
        return when->after_usec == 0 && !when->at_key_frame;
}

/* Whether a secret of this length is one for the schedule. 0; negative errno with `error` set. */
int key_options_check_secret(const Schedule *schedule, size_t len, sd_bus_error *error);
/* Whether the options fit together. 0; negative errno with `error` set. */
int key_options_check(const Schedule *schedule, sd_bus_error *error);
/* The name of what keys of this schedule encrypt with: "AES_128_GCM", one of SFrame's, ... */
const char *key_options_suite(const Schedule *schedule);
