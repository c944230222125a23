/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where the demo's keys come from: a short-lived process of its own, that makes one up, writes it into
 * the pipes of both daemons, wipes it and ends. The process that moves the frames passes the read
 * ends of these pipes on and never reads them.
 *
 * In a call this is the part of an app that asks a person, or a key exchange.
 */
#pragma once

#include <stdint.h>

typedef enum KeyKind {
        KEY_PASSPHRASE, /* text */
        KEY_BYTES,      /* random bytes: for SFrame and DAVE */
} KeyKind;

/* Makes a key; each of the pipes' read ends gives it once. *ret_usec is how long the process that knew it lived,
 * at most. 0; negative errno. The caller closes the descriptors. */
int key_entry(KeyKind kind, int ret_fds[2], uint64_t *ret_usec);
