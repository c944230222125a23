/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads and settings that sd-bus answers in one go: properties, introspection, and methods of
 * objects that only show. None of them can wait for polkit once it has begun, so those of callers
 * without a right of their own are held back here, before sd-bus looks for the object.
 *
 *   session, participant or channel   read: CALLER_INSPECT     set: CALLER_ROTATE
 *   manager                           read: everybody          set: CALLER_POLICY
 *
 * Objects that are absent are asked for like foreign ones. Main thread.
 */
#pragma once

#include "control/daemon.h"

/* To be exported first. 0 or negative errno. */
int gate_export(Daemon *daemon);
