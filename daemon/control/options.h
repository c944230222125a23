/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The trailing `a{sv} options` of methods, read by a table into a struct that holds the defaults.
 *
 * What is not in the table, has the wrong type, is out of bounds or comes twice is refused as
 * InvalidArgs with the option's name: a misspelt option must not pass as its default.
 */
#pragma once

#include "util/util.h"

#include <systemd/sd-bus.h>

typedef enum OptionType {
        OPTION_BOOL,  /* b into bool */
        OPTION_U32,   /* u into uint32_t, min..max */
        OPTION_U64,   /* t into uint64_t, min..max */
        OPTION_WORD,  /* s into uint32_t, one of `words` */
        OPTION_BYTES, /* ay into an array of max bytes and a size_t at len_offset */
        OPTION_TEXT,  /* s into a const char *, borrowed from the message */
} OptionType;

/* What an option may be about, for tables that serve several; bits. */
typedef unsigned OptionKinds;
#define OPTION_FOR_ALL 0u

typedef struct OptionWord {
        const char *word; /* NULL ends the list */
        uint32_t value;
} OptionWord;

typedef struct Option {
        const char *name; /* NULL ends the table; at most 64 rows */
        OptionType type;
        OptionKinds only; /* OPTION_FOR_ALL, or which kinds it goes with */
        size_t offset;
        uint64_t min, max;
        size_t len_offset;
        const OptionWord *words;
        size_t given_offset; /* numbers: of a bool that tells that it was given; 0: nowhere */
} Option;

/* Reads the dictionary that comes next in the message. 0; negative errno with `error` set; `target` may be half
 * written then. */
int options_read(sd_bus_message *message, const Option *table, void *target, sd_bus_error *error);
/* As above, for a target of this kind: options that are only for others are refused. */
int options_read_for(sd_bus_message *message, const Option *table, OptionKinds kind, void *target, sd_bus_error *error);
/* For methods whose options come later: an empty table. */
extern const Option options_none[];
