/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who is told that a session begins or ends: connections that have listed sessions, of those that
 * they would see in the list. A signal to all would tell every user of the machine when somebody
 * has a call, and which ids there are.
 *
 * A connection is forgotten when it leaves the bus, or when its user's others have pushed it out.
 * Main thread.
 */
#pragma once

#include "control/owner.h"

typedef struct SessionObject SessionObject;

/* Connections of a user that are remembered. */
#define WATCHERS_OF_USER_MAX 16u

typedef struct Watchers Watchers;

/* 0; -ENOMEM. */
int watchers_new(Watchers **ret);
/* Takes NULL; returns NULL. */
Watchers *watchers_free(Watchers *watchers);
DEFINE_CLEANUP(Watchers, watchers_free)
/* Nothing happens if it is known already, or memory is short: then it has only the list. */
void watchers_add(Watchers *watchers, const Caller *caller);
void watchers_name_left(Watchers *watchers, const char *name);
/* Sends the Manager's signal about this session to its owner, to who has attached, and to who watches. */
void watchers_tell(Watchers *watchers, const char *member, const SessionObject *session);
