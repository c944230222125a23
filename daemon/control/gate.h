/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What sd-bus looks up an object for before any handler runs: properties, introspection, and the
 * methods of sessions that others than the owner may call. None of them can wait for polkit once
 * that has begun, so those of callers without a right of their own are held back here.
 *
 *   session, participant or channel   read: CALLER_INSPECT     set: CALLER_ROTATE
 *   session                           ImportCredential: CALLER_IMPORT, of the owner too
 *   manager                           read: everybody          set: CALLER_POLICY
 *
 * Objects that are absent are asked for like foreign ones. Calls beyond a user's quota end here, too.
 *
 * Main thread.
 */
#pragma once

#include "control/daemon.h"

/* To be exported first. 0 or negative errno. */
int gate_export(Daemon *daemon);
