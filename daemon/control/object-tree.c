/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Paths to objects and back, through the caller's eyes; see object-tree.h. */
#include "control/object-tree.h"

#include "control/errors.h"
#include "control/request.h"
#include "control/session-object.h"

#include <stdio.h>

/* A session id this caller can see; the same error for absent and foreign ones. 0 without a call that asks. */
static int find_session(Daemon *daemon, const char *id, SessionObject **ret, sd_bus_error *error) {
        sd_bus_message *message = sd_bus_get_current_message(daemon->bus);
        Caller caller;
        int r;

        if (!message)
                return 0;
        r = caller_get(&daemon->callers, message, &caller);
        if (r < 0)
                return r;
        *ret = session_object_find(daemon, &caller, id);
        if (*ret)
                return 1;
        r = error_set(error, ERROR_NO_SUCH_SESSION);
        request_tell_lost(daemon, message, &caller, id, error);
        return r;
}

/* The same for what the session does not have. Negative errno with `error` set. */
static int tell_lost(SessionObject *session, ErrorId id, sd_bus_error *error) {
        sd_bus_message *message = sd_bus_get_current_message(session->daemon->bus);
        int r = error_set(error, id);
        Caller caller;

        if (caller_get(&session->daemon->callers, message, &caller) >= 0)
                request_tell_lost(session->daemon, message, &caller, session->id, error);
        return r;
}

static int on_find_session(sd_bus *bus, const char *path, const char *interface, void *userdata, void **ret_found,
                           sd_bus_error *error) {
        _cleanup_free_ char *id = NULL;
        SessionObject *session = NULL;
        int r;

        r = sd_bus_path_decode_many(path, SESSION_PATH "/%", &id);
        if (r <= 0)
                return r;
        r = find_session(userdata, id, &session, error);
        if (r > 0)
                *ret_found = session;
        return r;
}

static int on_find_participant(sd_bus *bus, const char *path, const char *interface, void *userdata, void **ret_found,
                               sd_bus_error *error) {
        _cleanup_free_ char *id = NULL, *identity = NULL;
        SessionObject *session = NULL;
        ParticipantObject *participant;
        int r;

        r = sd_bus_path_decode_many(path, SESSION_PATH "/%/participant/%", &id, &identity);
        if (r <= 0)
                return r;
        r = find_session(userdata, id, &session, error);
        if (r <= 0)
                return r;
        participant = session_object_participant(session, identity);
        if (!participant)
                return tell_lost(session, ERROR_NO_SUCH_PARTICIPANT, error);
        *ret_found = participant;
        return 1;
}

static uint32_t parse_number(const char *text) {
        unsigned long long number;
        char *end;

        if (text[0] < '1' || text[0] > '9')
                return 0;
        errno = 0;
        number = strtoull(text, &end, 10);
        return errno == 0 && *end == '\0' && number <= UINT32_MAX ? (uint32_t)number : 0;
}

static int on_find_channel(sd_bus *bus, const char *path, const char *interface, void *userdata, void **ret_found,
                           sd_bus_error *error) {
        _cleanup_free_ char *id = NULL, *number = NULL;
        SessionObject *session = NULL;
        ChannelObject *channel;
        int r;

        r = sd_bus_path_decode_many(path, SESSION_PATH "/%/channel/%", &id, &number);
        if (r <= 0)
                return r;
        r = find_session(userdata, id, &session, error);
        if (r <= 0)
                return r;
        channel = session_object_channel(session, parse_number(number));
        if (!channel)
                return tell_lost(session, ERROR_NO_SUCH_CHANNEL, error);
        *ret_found = channel;
        return 1;
}

uint32_t object_tree_channel_number(const SessionObject *session, const char *path) {
        _cleanup_free_ char *id = NULL, *number = NULL;

        if (sd_bus_path_decode_many(path, SESSION_PATH "/%/channel/%", &id, &number) <= 0 ||
            strcmp(id, session->id) != 0)
                return 0;
        return parse_number(number);
}

/* A NULL-terminated array of strings, as sd-bus wants it. */
typedef struct Paths {
        char **paths;
        size_t n, allocated;
} Paths;

static void paths_clear(Paths *paths) {
        for (size_t i = 0; i < paths->n; i++)
                free(paths->paths[i]);
        free(paths->paths);
}

static int paths_add(Paths *paths, const char *path) {
        if (paths->n + 2 > paths->allocated) {
                size_t allocated = 2 * paths->allocated + 16;
                char **grown = realloc(paths->paths, allocated * sizeof(*grown));

                if (!grown)
                        return -ENOMEM;
                paths->paths = grown;
                paths->allocated = allocated;
        }
        paths->paths[paths->n] = strdup(path);
        if (!paths->paths[paths->n])
                return -ENOMEM;
        paths->paths[++paths->n] = NULL;
        return 0;
}

static int add_children(Paths *paths, const SessionObject *session) {
        int r = 0;

        for (const ParticipantObject *p = session->by_identity; p && r >= 0; p = p->by_identity.next)
                r = paths_add(paths, p->path);
        for (const ChannelObject *c = session->channels; c && r >= 0; c = c->hh.next)
                r = paths_add(paths, c->path);
        return r;
}

/* What lies below a session is only listed to whom looks into it: a thousand names are not part of every listing. */
static bool looks_into(const char *prefix, const SessionObject *session) {
        size_t len = strlen(session->path);

        return strncmp(prefix, session->path, len) == 0 && (prefix[len] == '/' || prefix[len] == '\0');
}

static int collect(Daemon *daemon, const Caller *caller, const char *prefix, Paths *paths) {
        int r = 0;

        for (SessionObject *session = daemon->sessions; session && r >= 0; session = session->hh.next) {
                if (!caller_may_read(caller, session->owner.uid))
                        continue;
                r = paths_add(paths, session->path);
                if (r >= 0 && looks_into(prefix, session))
                        r = add_children(paths, session);
        }
        return r;
}

static int on_enumerate(sd_bus *bus, const char *prefix, void *userdata, char ***ret_nodes, sd_bus_error *error) {
        sd_bus_message *message = sd_bus_get_current_message(bus);
        Daemon *daemon = userdata;
        Paths paths = { 0 };
        Caller caller;
        int r;

        if (!message)
                return 0;
        r = caller_get(&daemon->callers, message, &caller);
        if (r < 0)
                return r;
        r = collect(daemon, &caller, prefix, &paths);
        if (r < 0) {
                paths_clear(&paths);
                return r;
        }
        *ret_nodes = paths.paths;
        return 1;
}

int object_tree_export(Daemon *daemon) {
        int r;

        r = sd_bus_add_fallback_vtable(daemon->bus, NULL, SESSION_PATH, SESSION_INTERFACE, session_bus_vtable,
                                       on_find_session, daemon);
        if (r < 0)
                return r;
        r = sd_bus_add_fallback_vtable(daemon->bus, NULL, SESSION_PATH, PARTICIPANT_INTERFACE, participant_bus_vtable,
                                       on_find_participant, daemon);
        if (r < 0)
                return r;
        r = sd_bus_add_fallback_vtable(daemon->bus, NULL, SESSION_PATH, DAEMON_BUS_NAME ".Channel", channel_bus_vtable,
                                       on_find_channel, daemon);
        if (r < 0)
                return r;
        return sd_bus_add_node_enumerator(daemon->bus, NULL, SESSION_PATH, on_enumerate, daemon);
}
