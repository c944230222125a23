/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who calls, and what that caller may do.
 *
 * Reading a session: its uid, and administrators. Changing it: the unique name that opened it, or
 * one that attached. Administrators (root, and whoever has the daemon's own uid, since both can
 * end the daemon anyway) act through the Manager, and so does whom polkit lets do that very thing.
 * The uid comes from the bus, never from a socket: in a user namespace of its own the daemon would
 * see foreign peers as nobody.
 *
 * Main thread.
 */
#pragma once

#include "util/util.h"

#include <sys/types.h>
#include <systemd/sd-bus.h>

/* Unique names are short (":1.4294967295"); a bus that made longer ones would not be believed. */
#define CALLER_NAME_MAX 64u

/* What polkit can let somebody do; an action each, see authority.h. */
typedef enum CallerRight {
        CALLER_OPEN_SESSION, /* one's own */
        CALLER_INSPECT,      /* the sessions of others */
        CALLER_ROTATE,       /* keys of others; and to revoke, close and lock */
        CALLER_IMPORT,       /* keys that are the administrator's */
        CALLER_POLICY,       /* settings for everybody */
        CALLER_RIGHT_MAX,
} CallerRight;

typedef struct Caller {
        uid_t uid;
        pid_t pid;       /* 0: unknown. For the log only: numbers are reused */
        unsigned rights; /* bits of CallerRight that polkit granted, for the call in hand only */
        char name[CALLER_NAME_MAX];
} Caller;

typedef struct Authority Authority;

/* Remembers callers, since a unique name never changes its uid: one call looks several times, and who calls from many
 * connections at once must not make every call wait for an answer of the bus. */
#define CALLERS_REMEMBERED 1024u
typedef struct CallerCache {
        const Authority *authority;         /* NULL: nobody has rights of polkit's */
        Caller callers[CALLERS_REMEMBERED]; /* by the hash of the name */
} CallerCache;

/* Asks the bus for the sender. 0; negative errno when the sender is gone. */
int caller_get(CallerCache *cache, sd_bus_message *message, Caller *ret);
bool caller_is_admin(const Caller *caller);
/* Administrators may do everything. */
bool caller_may(const Caller *caller, CallerRight right);
/* Whether it may see things of `uid`. */
bool caller_may_read(const Caller *caller, uid_t uid);
