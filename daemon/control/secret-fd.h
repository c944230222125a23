/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads one secret from a client's descriptor straight into the arena, without ever waiting for
 * the client.
 *
 * Accepted are pipes, read to their end, and memfds sealed against shrinking, growing and
 * writing. Everything else is refused: a file would be a key on disk, a device or socket can lie
 * about its end, and memory the client can still write is read twice by nobody's rule.
 *
 * Main thread. The bytes are never in the daemon's heap or stack.
 */
#pragma once

#include "crypto/secret.h"

#include <systemd/sd-event.h>

/* How long a client may take from the call to the end of the pipe. */
#define SECRET_READ_USEC USEC_PER_SEC

typedef struct SecretRead SecretRead;

typedef enum SecretReadOutcome {
        SECRET_READ_KIND = 1, /* neither a pipe nor a sealed memfd */
        SECRET_READ_EMPTY,    /* no byte: a writer that failed, which must not become a key everybody knows */
        SECRET_READ_TOO_LONG, /* over SECRET_MAX */
        SECRET_READ_TIMEOUT,
        SECRET_READ_FAILED, /* the descriptor cannot be read */
} SecretReadOutcome;

/* `result`: 0 and a secret the handler owns, a SecretReadOutcome, or negative errno (-ENOMEM: arena full).
 * The handler may free the read. Called once. */
typedef void (*SecretReadDone)(SecretRead *reading, int result, Secret *secret, void *userdata);

/* Starts reading `fd`, which stays the caller's (it is duplicated). `done` comes from the event loop, never from within
 * the call. 0; SECRET_READ_KIND; negative errno: `done` will not be called. */
int secret_read_new(SecretRead **ret, sd_event *event, int fd, SecretReadDone done, void *userdata);
/* Gives up; `done` is not called any more. Takes NULL; returns NULL. */
SecretRead *secret_read_free(SecretRead *reading);
DEFINE_CLEANUP(SecretRead, secret_read_free)
