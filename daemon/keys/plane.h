/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What all sessions of one daemon share: the deriver threads, the panic lock, the way events of
 * the data threads reach the main thread. The arena must be installed first.
 *
 * Main thread, except where said.
 */
#pragma once

#include "keys/ledger.h"

typedef struct Plane Plane;

/* Starts the deriver threads. 0; -ENOMEM; -EAGAIN. */
int plane_new(Plane **ret);
/* Ends the threads; all sessions must be freed. Takes NULL; returns NULL. */
Plane *plane_free(Plane *plane);
DEFINE_CLEANUP(Plane, plane_free)

/* Readable when plane_dispatch() has something to do. */
int plane_event_fd(const Plane *plane);
/* Hands finished derivations to their sessions (calling their done callbacks) and reports what data
 * threads did (calling the sessions' event callbacks). Never blocks. */
void plane_dispatch(Plane *plane);

/* Where sending keys of the counter formats have their counters; without one they are all refused as spent. Before the
 * first session; lives longer than the plane. */
void plane_set_ledger(Plane *plane, Ledger *ledger);

/* Refuses every frame of every session (Manager.Lock). Takes effect with the next frame. */
void plane_set_locked(Plane *plane, bool locked);
/* Any thread. */
bool plane_locked(const Plane *plane);

/* Derivations that have not ended: imports, steps, look-ahead. For tests that own the clock. */
unsigned plane_n_deriving(const Plane *plane);

/* Public half of the key pair to which other daemons wrap keys (HPKE, X25519): made at start, gone at the end. */
#define PLANE_TRANSPORT_KEY_LEN 32u
const uint8_t *plane_transport_key(const Plane *plane);
