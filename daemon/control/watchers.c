/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Connections that hear of sessions; see watchers.h. */
#include "control/watchers.h"

#include "control/manager-bus.h"
#include "control/session-object.h"
#include "control/table.h"

typedef struct Watcher {
        Caller caller;
        struct Watcher *prev, *next;
} Watcher;

struct Watchers {
        Watcher *list; /* the oldest first */
};

int watchers_new(Watchers **ret) {
        Watchers *watchers = calloc(1, sizeof(*watchers));

        if (!watchers)
                return -ENOMEM;
        *ret = watchers;
        return 0;
}

static void watcher_drop(Watchers *watchers, Watcher *watcher) {
        DL_DELETE(watchers->list, watcher);
        free(watcher);
}

Watchers *watchers_free(Watchers *watchers) {
        if (!watchers)
                return NULL;
        while (watchers->list)
                watcher_drop(watchers, watchers->list);
        free(watchers);
        return NULL;
}

void watchers_add(Watchers *watchers, const Caller *caller) {
        Watcher *watcher, *oldest = NULL;
        unsigned n = 0;

        DL_FOREACH(watchers->list, watcher) {
                if (strcmp(watcher->caller.name, caller->name) == 0)
                        return;
                if (watcher->caller.uid != caller->uid)
                        continue;
                oldest = oldest ? oldest : watcher;
                n++;
        }
        if (n >= WATCHERS_OF_USER_MAX)
                watcher_drop(watchers, oldest);
        watcher = malloc(sizeof(*watcher));
        if (!watcher)
                return;
        *watcher = (Watcher){ .caller = *caller };
        watcher->caller.rights = 0; /* of that call; what holds longer is asked for anew */
        DL_APPEND(watchers->list, watcher);
}

void watchers_name_left(Watchers *watchers, const char *name) {
        Watcher *watcher, *next;

        DL_FOREACH_SAFE(watchers->list, watcher, next) {
                if (strcmp(watcher->caller.name, name) == 0)
                        watcher_drop(watchers, watcher);
        }
}

/* A lost announcement is no reason to fail a call. */
static void tell(const char *name, const char *member, const SessionObject *session) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *signal = NULL;

        if (sd_bus_message_new_signal(session->daemon->bus, &signal, DAEMON_PATH, MANAGER_INTERFACE, member) >= 0 &&
            sd_bus_message_append(signal, "so", session->id, session->path) >= 0 &&
            sd_bus_message_set_destination(signal, name) >= 0)
                (void)sd_bus_send(NULL, signal, NULL);
}

void watchers_tell(Watchers *watchers, const char *member, const SessionObject *session) {
        const Authority *authority = session->daemon->authority;
        const Attached *attached;
        const Watcher *watcher;

        if (!session->orphaned)
                tell(session->owner.name, member, session);
        DL_FOREACH(session->attached, attached)
        tell(attached->name, member, session);
        DL_FOREACH(watchers->list, watcher) {
                const Caller *caller = &watcher->caller;

                if (!session_object_may_change(session, caller) &&
                    (caller_may_read(caller, session->owner.uid) || authority_remembers(authority, caller->name)))
                        tell(caller->name, member, session);
        }
}
