/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A session of our own with somebody who sends and somebody who receives under the same key, on one
 * channel: what selftest and bench send their frames through. Needs the system's or user's daemon on
 * this machine. One thread.
 */
#pragma once

#include "cli.h"

typedef struct Loop {
        framekey_client *client; /* borrowed */
        framekey_session *session;
        framekey_channel *channel;
        uint32_t audio[FRAMEKEY_DECRYPT + 1]; /* streams, by direction */
        uint32_t video[FRAMEKEY_DECRYPT + 1];
} Loop;

/* What a frame waits for its answer at most. */
#define LOOP_TIMEOUT_USEC (2 * USEC_PER_SEC)

/* Under the byte key of 16 bytes, or with NULL one that the daemon makes. CLI_OK or told. */
int loop_open(Loop *ret, Context *context, const char *label, uint32_t key_index, const uint8_t *key);
/* Closes the session. Takes one that failed to open. */
void loop_done(Loop *loop);
