/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * encrypt and decrypt: one session with one participant and one channel, fed with JSON lines.
 *
 * filter.c opens it from the command line, filter-lines.c works the lines off, filter-commands.c
 * does those that are commands, filter-fields.c reads their fields.
 */
#pragma once

#include "cli.h"

typedef struct FilterStream {
        enum framekey_media media;
        enum framekey_codec codec;
        bool unsupported; /* by the session's format: it is not asked for again */
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
        uint8_t *metadata;       /* of frames that bring none */
        size_t metadata_length;
        FilterStream *streams; /* made when the first frame of a kind comes */
        size_t n_streams;
        uint8_t *out; /* grows to the largest result */
        size_t out_size;
        uint64_t n_lines, n_errors;
        bool tell_events;              /* signals are written between the answers */
        bool bus_lost;                 /* none will come any more */
        unsigned n_events[EVENTS_MAX]; /* that came, less those that were waited for */
        int written;                   /* CLI_OK, or the status of a failed write of a signal */
} Filter;

/* A line's answer: NULL means that `error` says why there is none. */
typedef struct Reply {
        json_t *value;
        char *error;
} Reply;

/* ---- fields of a line: 0, or -EINVAL with `error` set ---- */

void reply_note(Reply *reply, const char *format, ...) __attribute__((format(printf, 2, 3)));
#define reply_error(reply, ...) (reply_note(reply, __VA_ARGS__), -EINVAL)
/* What the client says of its last failure. */
int reply_client_error(Reply *reply, const Filter *filter, int r);

int get_u64(const json_t *object, const char *key, uint64_t max, uint64_t fallback, uint64_t *ret, Reply *reply);
int get_u32(const json_t *object, const char *key, uint32_t fallback, uint32_t *ret, Reply *reply);
/* False if the key is missing. */
int get_bool(const json_t *object, const char *key, bool *ret, Reply *reply);
/* NULL if the key is missing. */
int get_string(const json_t *object, const char *key, const char **ret, Reply *reply);
/* Must be there. */
int get_hex(const json_t *object, const char *key, uint8_t **ret, size_t *ret_length, Reply *reply);
/* A number as option NAME=N; as a string where JSON's numbers end. Nothing if the key is missing. */
int get_number_option(const json_t *object, const char *key, const char *name, OptionList *options, Reply *reply);
/* Pairs of hex digits. 0; -EINVAL; -ENOMEM. */
int hex_to_bytes(const char *text, uint8_t **ret, size_t *ret_length);

/* Does a line with the member "do". 0 and an answer, or -EINVAL. */
int filter_command(Filter *filter, const char *name, const json_t *line, Reply *reply);
/* Permits "silence", "all" or "nothing" for so long, or with 0 for as long as can be. As
 * framekey_session_allow_unencrypted().
 */
int filter_allow_unencrypted(Filter *filter, const char *what, uint64_t usec);
/* For framekey_session_set_handler(). */
void filter_on_event(framekey_session *session, const struct framekey_event *event, void *userdata);

/* Works standard input off to its end. CLI_OK, or CLI_FAILED if a line was an error. */
int filter_run(Filter *filter);
