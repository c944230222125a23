/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * encrypt and decrypt: one session with one participant and one channel, fed with JSON lines.
 *
 * filter.c opens it from the command line, filter-lines.c works the lines off.
 */
#pragma once

#include "cli.h"

typedef struct FilterStream {
        enum framekey_media media;
        enum framekey_codec codec;
        uint32_t id;
} FilterStream;

typedef struct Filter {
        framekey_client *client; /* borrowed */
        framekey_session *session;
        framekey_channel *channel;
        char *channel_path;
        enum framekey_direction direction;
        const char *participant; /* who sends (encrypt) or is received from (decrypt) */
        const char *key_holder;  /* the same, or "" where the session's key is shared */
        uint32_t key_index;      /* of the key imported last */
        FilterStream *streams;   /* made when the first frame of a kind comes */
        size_t n_streams;
        uint8_t *out; /* grows to the largest result */
        size_t out_size;
        uint64_t n_lines, n_errors;
} Filter;

/* Works standard input off to its end. CLI_OK, or CLI_FAILED if a line was an error. */
int filter_run(Filter *filter);
