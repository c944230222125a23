/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The options of a key schedule, which OpenSession (as defaults of its imports), ImportKey and
 * GenerateKey share: rows for a table over any struct with a member `schedule`.
 */
#pragma once

#include "control/options.h"
#include "keys/schedule.h"

extern const OptionWord key_option_kdfs[];

#define KEY_OPTION_BYTES(target, option_name, member)                                                                  \
        {                                                                                                              \
                .name = (option_name), .type = OPTION_BYTES, .offset = offsetof(target, schedule.member),              \
                .len_offset = offsetof(target, schedule.member##_len), .max = SCHEDULE_SALT_MAX                        \
        }

#define KEY_OPTION_ROWS(target)                                                                                        \
        { .name = "kdf", .type = OPTION_WORD, .offset = offsetof(target, schedule.kdf), .words = key_option_kdfs },    \
                KEY_OPTION_BYTES(target, "salt", salt), KEY_OPTION_BYTES(target, "ratchet-salt", ratchet_salt),        \
                KEY_OPTION_BYTES(target, "info", info),                                                                \
                { .name = "iterations",                                                                                \
                  .type = OPTION_U32,                                                                                  \
                  .offset = offsetof(target, schedule.iterations),                                                     \
                  .min = 1,                                                                                            \
                  .max = SCHEDULE_ITERATIONS_MAX },                                                                    \
        {                                                                                                              \
                .name = "key-bits", .type = OPTION_U32, .offset = offsetof(target, schedule.key_bits), .min = 128,     \
                .max = 256                                                                                             \
        }

/* Whether the options fit together. 0; negative errno with `error` set. */
int key_options_check(const Schedule *schedule, sd_bus_error *error);
/* "AES_128_GCM" or "AES_256_GCM". */
const char *key_options_suite(const Schedule *schedule);
