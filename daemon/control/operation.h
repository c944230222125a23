/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A key operation that outlives its call: the secret comes from a client's pipe, the derivation
 * runs on a deriver thread, and the answer is sent when both are done.
 *
 *   import:    read secret --> derive --> signals, answer
 *   generate:                  derive --> signals, answer
 *   wrapped:                   install -> signals, answer
 *   ratchet:                   derive --> answer
 *
 * An operation belongs to its session and ends with it. That the caller has gone meanwhile does
 * no harm: the answer to a name that is gone is dropped by the bus.
 * Main thread.
 */
#pragma once

#include "control/key-options.h"
#include "control/session-object.h"

/* Options of ImportKey and GenerateKey. */
typedef struct KeyOptions {
        Schedule schedule;
        uint32_t step;
        ActivationOptions activation;
        bool allow_empty; /* an empty passphrase is meant, not a writer that failed */
} KeyOptions;

/* What ImportWrapped is given. */
typedef struct WrappedOptions {
        uint32_t index; /* SESSION_ACTIVE: as in the package */
        ActivationOptions activation;
        const void *package; /* borrowed during the call */
        size_t len;
} WrappedOptions;

/* What the operation is about. Pointers are borrowed during the call. */
typedef struct OperationRequest {
        SessionObject *session;
        sd_bus_message *message;
        const Caller *caller;
        const char *identity; /* "": the shared key */
        uint32_t index;       /* SESSION_ACTIVE only for ratchets and wrapped keys */
} OperationRequest;

/* 0: the message will be answered; negative errno with `error` set: it will not. */
int operation_import(const OperationRequest *request, int fd, const KeyOptions *options, sd_bus_error *error);
/* The same with what the administrator gave the service under that name; the daemon's own policy is no matter then. */
int operation_import_credential(const OperationRequest *request, const char *name, const KeyOptions *options,
                                sd_bus_error *error);
int operation_generate(const OperationRequest *request, const KeyOptions *options, sd_bus_error *error);
int operation_import_wrapped(const OperationRequest *request, const WrappedOptions *options, sd_bus_error *error);
int operation_ratchet(const OperationRequest *request, sd_bus_error *error);

/* Steps every key that is sent under, in one session or (NULL) in all, and answers with how many did. As above. */
int operation_ratchet_all(Daemon *daemon, SessionObject *session, sd_bus_message *message, const Caller *caller,
                          const char *reason, sd_bus_error *error);

/* Answers and forgets what still waits for a secret; for a session that closes. */
void operation_cancel_reading(SessionObject *session);
