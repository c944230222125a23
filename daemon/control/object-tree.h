/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The object paths below /org/framekey1/session: which object a path names for this caller, and
 * which paths this caller gets listed.
 *
 *   /org/framekey1/session/ID
 *   /org/framekey1/session/ID/participant/NAME    NAME as sd_bus_path_encode() writes it
 *   /org/framekey1/session/ID/channel/N
 *
 * Absent and foreign sessions give the same error. Main thread.
 */
#pragma once

#include "control/daemon.h"

/* One vtable a file: session-bus.c, participant-bus.c, channel-bus.c. */
extern const sd_bus_vtable session_bus_vtable[];
extern const sd_bus_vtable participant_bus_vtable[];
extern const sd_bus_vtable channel_bus_vtable[];

/* 0 or negative errno. */
int object_tree_export(Daemon *daemon);
/* The number in a channel's path of this session; 0 if the path is none. */
uint32_t object_tree_channel_number(const SessionObject *session, const char *path);
