/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The named presets: which format, key derivation, salt, window and ring size the products in the
 * field use (formats/trailer-frames 3.1, 7). A format's own name is a preset too. Constant table.
 */
#pragma once

#include "keys/session.h"

typedef struct Preset {
        const char *name;
        const char *summary; /* one line for people */
        enum framekey_format format;
        bool shared; /* default key mode */
        uint32_t ring_size;
        uint32_t ratchet_window;
        ScheduleKdf kdf;
        const char *salt;
        size_t info_len;          /* of zero bytes */
        const char *ratchet_salt; /* NULL: the same as salt */
} Preset;

/* NULL if there is none of that name. */
const Preset *preset_find(const char *name);
/* By position, NULL after the last. */
const Preset *preset_at(size_t i);
/* The preset's session parameters and key schedule, to be changed by options. */
void preset_session_config(const Preset *preset, SessionConfig *ret);
void preset_schedule(const Preset *preset, Schedule *ret);
