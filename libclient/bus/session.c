/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sessions and participants: one function a method, and nothing kept that the daemon knows better.
 */
#include "bus-internal.h"

/* ---- life ---- */

static int session_new(framekey_session **ret, framekey_client *client, const char *id, const char *path,
                       const char *daemon) {
        framekey_session *session;

        session = calloc(1, sizeof(*session));
        if (!session)
                return -ENOMEM;
        session->client = client_ref(client);
        session->id = strdup(id);
        session->path = strdup(path);
        session->daemon = daemon ? strdup(daemon) : NULL;
        if (!session->id || !session->path || (daemon && !session->daemon)) {
                framekey_session_free(session);
                return -ENOMEM;
        }
        *ret = session;
        return 0;
}

framekey_session *framekey_session_free(framekey_session *session) {
        if (!session)
                return NULL;
        session_match_end(&session->match);
        client_unref(session->client);
        free(session->id);
        free(session->path);
        free(session->daemon);
        free(session);
        return NULL;
}

framekey_session *framekey_session_close(framekey_session *session) {
        if (!session)
                return NULL;
        /* A failure means that it has ended already, or ends with the connection. */
        (void)session_call(session, "Close", options_none, NULL, "");
        return framekey_session_free(session);
}

int framekey_session_open(framekey_client *client, const char *profile, const char *label, const char *const *options,
                          framekey_session **ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const char *id, *path;
        int r;

        r = client_call(client, MANAGER_PATH, MANAGER_INTERFACE, "OpenSession", options, &reply, "ss", profile,
                        label ?: "");
        if (r < 0)
                return r;
        r = sd_bus_message_read(reply, "so", &id, &path);
        if (r < 0)
                return client_bad_reply(client, r);
        r = session_new(ret, client, id, path, sd_bus_message_get_sender(reply));
        if (r < 0)
                return client_fail(client, r, "Out of memory.");
        return 0;
}

/* Whether another connection than this one opened the session. */
static int session_is_foreign(framekey_session *session) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        framekey_client *client = session->client;
        const char *owner, *unique;
        int r;

        r = client_get(client, session->path, SESSION_INTERFACE, "Owner", &reply, "s", &owner);
        if (r < 0)
                return r;
        r = sd_bus_get_unique_name(client->bus, &unique);
        if (r < 0)
                return client_fail(client, r, "The bus closed the connection: open a new one.");
        return strcmp(owner, unique) != 0;
}

int framekey_session_attach(framekey_client *client, const char *id, framekey_session **ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        framekey_session *session;
        const char *path;
        int r;

        r = client_call(client, MANAGER_PATH, MANAGER_INTERFACE, "GetSession", options_none, &reply, "s", id);
        if (r < 0)
                return r;
        r = sd_bus_message_read(reply, "o", &path);
        if (r < 0)
                return client_bad_reply(client, r);
        r = session_new(&session, client, id, path, sd_bus_message_get_sender(reply));
        if (r < 0)
                return client_fail(client, r, "Out of memory.");
        r = session_is_foreign(session);
        if (r > 0)
                r = session_call(session, "AttachSession", options_none, NULL, "");
        if (r < 0) {
                framekey_session_free(session);
                return r;
        }
        *ret = session;
        return 0;
}

const char *framekey_session_get_id(const framekey_session *session) {
        return session->id;
}

const char *framekey_session_get_path(const framekey_session *session) {
        return session->path;
}

framekey_client *framekey_session_get_client(framekey_session *session) {
        return session->client;
}

/* ---- participants ---- */

int framekey_session_add_participant(framekey_session *session, const char *identity, enum framekey_role role,
                                     const char *const *options) {
        const char *name = role == FRAMEKEY_LOCAL ? "local" : role == FRAMEKEY_REMOTE ? "remote" : NULL;

        if (!name)
                return client_fail(session->client, -EINVAL, "A participant's role is local or remote.");
        return session_call(session, "AddParticipant", options, NULL, "ss", identity_or_shared(identity), name);
}

int framekey_session_remove_participant(framekey_session *session, const char *identity, const char *const *options) {
        return session_call(session, "RemoveParticipant", options, NULL, "s", identity_or_shared(identity));
}

int framekey_session_allow_unencrypted(framekey_session *session, const char *identity, const char *what,
                                       uint64_t usec) {
        return session_call(session, "AllowUnencrypted", NULL, NULL, "sst", identity_or_shared(identity), what, usec);
}

/* Join and Leave answer when the keys have changed, as the last thing. */
static int session_read_when(framekey_session *session, sd_bus_message *reply, uint64_t *ret_when) {
        uint64_t when;
        int r;

        r = sd_bus_message_read(reply, "t", &when);
        if (r < 0)
                return client_bad_reply(session->client, r);
        if (ret_when)
                *ret_when = when;
        return 0;
}

int framekey_session_join(framekey_session *session, const char *identity, const char *const *options,
                          uint64_t *ret_when) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        r = session_call(session, "Join", options, &reply, "s", identity_or_shared(identity));
        if (r < 0)
                return r;
        r = sd_bus_message_skip(reply, "o");
        if (r < 0)
                return client_bad_reply(session->client, r);
        return session_read_when(session, reply, ret_when);
}

int framekey_session_leave(framekey_session *session, const char *identity, const char *const *options,
                           uint64_t *ret_when) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        r = session_call(session, "Leave", options, &reply, "s", identity_or_shared(identity));
        return r < 0 ? r : session_read_when(session, reply, ret_when);
}
