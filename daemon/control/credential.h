/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Secrets that the administrator gives the service: systemd's credentials, one file each in
 * $CREDENTIALS_DIRECTORY, by the name that LoadCredential= or SetCredentialEncrypted= gave them.
 *
 * Main thread. Read straight into the arena; the directory's files lie in memory, so nothing waits.
 */
#pragma once

#include "crypto/secret.h"

typedef enum CredentialOutcome {
        CREDENTIAL_NAME = 1, /* no name that a credential can have */
        CREDENTIAL_ABSENT,   /* the service was started without it */
        CREDENTIAL_EMPTY,
        CREDENTIAL_TOO_LONG, /* over SECRET_MAX */
} CredentialOutcome;

/* Longest name, without its end; systemd's limit. */
#define CREDENTIAL_NAME_MAX 255u

/* The whole credential. 0; CredentialOutcome; negative errno (-ENOMEM: arena full). */
int credential_read(Secret **ret, const char *name);
