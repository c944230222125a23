/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What an encrypted frame is made of, for each format that it could be of. Without a daemon and without
 * a key: everything here is in clear on the wire. The frame may be hostile.
 */
#pragma once

#include "cli.h"

/* A frame, and what is known of the call it comes from. */
typedef struct Inspected {
        const uint8_t *bytes;
        size_t length;
        enum framekey_format format; /* 0: any */
        enum framekey_media media;   /* 0: unknown, and with it what is clear */
        enum framekey_codec codec;
        unsigned tag_length;             /* SFrame; 0: unknown */
        unsigned ratchet_bits;           /* SFrame; 0: none */
        unsigned index_bits, epoch_bits; /* SFrame of an MLS group; both 0: not one */
} Inspected;

/* {"length": N, "candidates": [...], "refused": [...]}; NULL without memory.
 *
 *   candidate   {"formats": [name...], "summary": text, "evidence": text, FACTS..., "notes": [text...],
 *                "fields": [{"offset": N, "length": N, "name": text, "value": text}...]}
 *   refused     {"format": name, "reason": text}
 *
 * Fields follow each other from the frame's first byte to its last; where a codec's escapes had to be removed first,
 * those of the frame without them, whose length is then "unescaped_length". */
json_t *inspect_frame(const Inspected *frame);

/* A captured frame: of a file (NULL or "-": standard input), or hex digits if `hex` is not NULL. CLI_OK, or an exit
 * status after a message; free it. */
int inspect_read(const char *path, const char *hex, uint8_t **ret, size_t *ret_length);
/* A codec and the media it is for, by its name; CLI_OK, or CLI_USAGE after a message. */
int inspect_take_codec(const char *value, enum framekey_codec *ret, enum framekey_media *ret_media);
/* The values of these options; CLI_OK, or CLI_USAGE after a message. */
int inspect_take_suite(const char *value, Inspected *frame);
int inspect_take_ratchet_bits(const char *value, Inspected *frame);
int inspect_take_mls(const char *value, Inspected *frame);
