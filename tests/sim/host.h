/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One host: a daemon's key plane with one session, whose local participant is the host's user. Calls
 * of the key layer that have to succeed, and abort the run if they do not. Hosts are numbered; so are participants.
 */
#pragma once

#include "keys/frame.h"
#include "keys/session.h"
#include "tests/sim/model.h"

#define HOST_SECRET_LEN 32u

typedef struct Host {
        unsigned id;
        Plane *plane;
        Session *session; /* NULL: nothing runs */
        SessionConfig config;
        Schedule schedule;
        uint32_t local;
        FrameGrant *send[MODEL_STREAMS];
        uint32_t remote[MODEL_HOSTS_MAX]; /* MODEL_NONE: unknown here */
        FrameGrant *receive[MODEL_HOSTS_MAX][MODEL_STREAMS];
        SessionEvent *events; /* that nobody has looked at yet */
        size_t n_events;
        size_t allocated;
} Host;

/* What a key is made of, where its bytes are known to an app. */
typedef struct HostSecret {
        size_t len;
        uint8_t bytes[HOST_SECRET_LEN];
} HostSecret;

void host_start(Host *host, unsigned id);
void host_end(Host *host);
void host_session_start(Host *host);
void host_session_end(Host *host);
/* Until nothing is left to do at this time: derivations, events of data threads, timers. */
void host_settle(Host *host);
/* The other host's user is a participant of the session. */
void host_add(Host *host, unsigned other, bool follows_window);
void host_remove(Host *host, unsigned other);
/* Whose number the key layer calls so; MODEL_NONE: nobody's. */
unsigned host_other(const Host *host, uint32_t participant);

/* Keys come to be before these return. `of` is the host whose key it is. */
void host_import(Host *host, unsigned of, uint32_t index, const HostSecret *secret, uint32_t step);
void host_generate(Host *host, uint32_t index);
size_t host_export(Host *host, uint32_t index, const Host *to, uint8_t *package);
void host_import_wrapped(Host *host, unsigned of, uint32_t index, const uint8_t *package, size_t len, uint32_t step);
void host_activate(Host *host, uint32_t index, uint64_t after_usec, bool at_key_frame);

/* Seals or opens one frame. */
int host_process(Host *host, FrameGrant *grant, FrameRequest *request, uint8_t *out, size_t out_max, FrameResult *ret);
