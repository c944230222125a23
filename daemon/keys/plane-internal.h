/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What sessions use of the plane; the outside uses plane.h. */
#pragma once

#include "crypto/hpke.h"
#include "keys/deriver.h"
#include "keys/plane.h"

typedef struct Session Session;

Deriver *plane_deriver(Plane *plane);
/* NULL: none was set. */
Ledger *plane_ledger(const Plane *plane);
/* Main thread. */
const HpkePair *plane_transport_pair(const Plane *plane);
/* Main thread. Sessions are attended in plane_dispatch(). */
void plane_add_session(Plane *plane, Session *session);
void plane_remove_session(Plane *plane, Session *session);
/* Any thread: makes plane_event_fd() readable. */
void plane_wake(Plane *plane);
/* Any thread: takes CPU time for trials from the share of all senders together. */
bool plane_take_trials(Plane *plane, uint64_t now_usec, uint64_t cost_nsec);
