/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * polkit's word on callers that are neither root nor the owner: one CheckAuthorization on the bus
 * for each question, and the call that it is about held back until the answer is there.
 *
 *   call --> authority_ask() --> CheckAuthorization --> the same call again --> authority_ask()
 *            AUTHORITY_HELD      (loop runs on)                                 0 or AUTHORITY_REFUSED
 *
 * The second time the call goes the whole way through sd-bus again, so that no pointer into a
 * session is kept over the question. Who has a right of its own is never asked for, and never waits.
 *
 * Questions are bounded: by QUOTA_AUTHORIZATIONS for each user, by AUTHORITY_QUESTIONS_MAX in all,
 * and by a deadline. A question ends with its caller. Where nothing owns polkit's name, and on a
 * user's bus, there is nobody to ask: all is refused but opening a session of one's own.
 *
 * Main thread. Nothing waits here.
 */
#pragma once

#include "control/owner.h"

typedef struct Daemon Daemon;

/* Half of the calls that dbus-daemon lets one connection have under way on a system bus. */
#define AUTHORITY_QUESTIONS_MAX 64u

typedef enum AuthorityOutcome {
        AUTHORITY_HELD = 1, /* the call comes again: return this to sd-bus at once, and touch nothing */
        AUTHORITY_REFUSED,  /* by polkit, or because there is none; authority_explain() says it */
} AuthorityOutcome;

/* `daemon` must outlive it, and have its bus. 0; -ENOMEM. */
int authority_new(Authority **ret, Daemon *daemon);
/* Forgets all questions. Takes NULL; returns NULL. */
Authority *authority_free(Authority *authority);
DEFINE_CLEANUP(Authority, authority_free)

/*
 * Whether the sender of `message`, which caller_get() made `caller` of, may do this.
 *
 * The message must be small by now: read, and refused if it has more than it needs, because it is
 * kept while polkit thinks. To be called from a method's handler or from a filter, never from a
 * property's getter or setter, which must answer at once: gate.c asks for those before.
 *
 * 0: it may. AuthorityOutcome. Negative errno with `error` set: too many questions.
 */
int authority_ask(Authority *authority, sd_bus_message *message, const Caller *caller, CallerRight right,
                  sd_bus_error *error);
/* The refusal as an error: what would have to be different. Negative errno. */
int authority_explain(const Authority *authority, sd_bus_message *message, CallerRight right, sd_bus_error *error);
/* What the sender may do in this call: bits of CallerRight. Takes NULL. */
unsigned authority_rights(const Authority *authority, sd_bus_message *message);

/* Whether this connection was let inspect a while ago, and that still holds. Takes NULL. */
bool authority_remembers(const Authority *authority, const char *name);

/* To be told of every message before anything else sees it. */
void authority_message_comes(Authority *authority, sd_bus_message *message);
/* A connection left the bus: what it asked for is cancelled, what it was granted is over. */
void authority_name_left(Authority *authority, const char *name);
