/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sessions, participants, keys and the signals about them: one function a method, and nothing kept
 * that the daemon knows better.
 *
 * A secret goes through a pipe that is full and closed before the call is sent, so that the daemon
 * never waits for us; it is never part of a message.
 */
#include "bus-internal.h"

#include <fcntl.h>
#include <stdio.h>

static const char *identity_or_shared(const char *identity) {
        return identity ?: "";
}

#define session_call(session, member, options, ret_reply, ...)                                                         \
        client_call((session)->client, (session)->path, SESSION_INTERFACE, member, options, ret_reply, __VA_ARGS__)

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
        sd_bus_slot_unref(session->slot);
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

        r = client_call(client, session->path, "org.freedesktop.DBus.Properties", "Get", options_none, &reply, "ss",
                        SESSION_INTERFACE, "Owner");
        if (r < 0)
                return r;
        r = sd_bus_message_read(reply, "v", "s", &owner);
        if (r < 0)
                return client_bad_reply(client, r);
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

/* ---- keys ---- */

/* A pipe's read end that holds the secret and then its end. */
static int secret_pipe(const void *secret, size_t length, int *ret_fd) {
        int fds[2];
        ssize_t n;

        /* Not blocking: a pipe always takes PIPE_BUF bytes at once, and if it ever did not, better an error. */
        if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
                return -errno;
        n = length > 0 ? write(fds[1], secret, length) : 0;
        if (n < 0 || (size_t)n != length) {
                int r = n < 0 ? -errno : -EIO;

                close_fd(fds[0]);
                close_fd(fds[1]);
                return r;
        }
        close_fd(fds[1]);
        *ret_fd = fds[0];
        return 0;
}

int framekey_session_import_key(framekey_session *session, const char *identity, uint32_t index, const void *secret,
                                size_t length, const char *const *options) {
        _cleanup_close_ int fd = -EBADF;
        int r;

        if (length > SECRET_MAX)
                return client_fail(session->client, -EMSGSIZE, "A key has at most %u bytes.", SECRET_MAX);
        r = secret_pipe(secret, length, &fd);
        if (r < 0)
                return client_fail(session->client, r, "Cannot make a pipe for the key: %s.", strerror(-r));
        return framekey_session_import_key_fd(session, identity, index, fd, options);
}

int framekey_session_import_key_fd(framekey_session *session, const char *identity, uint32_t index, int fd,
                                   const char *const *options) {
        return session_call(session, "ImportKey", options, NULL, "suh", identity_or_shared(identity), index, fd);
}

int framekey_session_generate_key(framekey_session *session, const char *identity, uint32_t index,
                                  const char *const *options) {
        return session_call(session, "GenerateKey", options, NULL, "su", identity_or_shared(identity), index);
}

int framekey_session_activate(framekey_session *session, const char *identity, uint32_t index) {
        return session_call(session, "Activate", options_none, NULL, "su", identity_or_shared(identity), index);
}

int framekey_session_ratchet(framekey_session *session, const char *identity, uint32_t index, uint32_t *ret_step) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        char option[sizeof("index=4294967295")];
        const char *options[] = { option, NULL };
        uint32_t step;
        int r;

        (void)snprintf(option, sizeof(option), "index=%u", index);
        r = session_call(session, "Ratchet", index == UINT32_MAX ? NULL : options, &reply, "s",
                         identity_or_shared(identity));
        if (r < 0)
                return r;
        r = sd_bus_message_read(reply, "u", &step);
        if (r < 0)
                return client_bad_reply(session->client, r);
        if (ret_step)
                *ret_step = step;
        return 0;
}

int framekey_session_retire_key(framekey_session *session, const char *identity, uint32_t index) {
        return session_call(session, "RetireKey", options_none, NULL, "su", identity_or_shared(identity), index);
}

/* ---- signals ---- */

/* Signals about a key begin with participant and index; then come, as far as they have them, generation (t) and
 * step (u). Others are of no use in the form of an event. */
static int event_read(sd_bus_message *m, struct framekey_event *ret) {
        const char *types = sd_bus_message_get_signature(m, true);
        struct framekey_event event = { .size = sizeof(event), .name = sd_bus_message_get_member(m) };
        uint64_t generation;
        int r;

        if (!types || strncmp(types, "su", 2) != 0)
                return 0;
        r = sd_bus_message_read(m, "su", &event.participant, &event.key_index);
        if (r < 0)
                return r;
        types += 2;
        if (*types == 't') {
                r = sd_bus_message_read(m, "t", &generation);
                if (r < 0)
                        return r;
                types++;
        }
        if (*types == 'u') {
                r = sd_bus_message_read(m, "u", &event.step);
                if (r < 0)
                        return r;
        }
        *ret = event;
        return 1;
}

static int on_signal(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        framekey_session *session = userdata;
        struct framekey_event event;
        int r;

        r = event_read(m, &event);
        if (r > 0 && session->handler)
                session->handler(session, &event, session->userdata);
        return 0; /* a signal we cannot read is not the loop's failure */
}

int framekey_session_set_handler(framekey_session *session, framekey_event_handler handler, void *userdata) {
        framekey_client *client = session->client;
        int r;

        if (!client->bus)
                return client_fail(client, -ENOTCONN, "This session's connection was closed: open a new one.");
        session->handler = handler;
        session->userdata = userdata;
        if (!handler) {
                session->slot = sd_bus_slot_unref(session->slot);
                return 0;
        }
        if (session->slot)
                return 0;
        /* By the daemon's unique name: any user of the system bus may send a signal in this interface's name. */
        r = sd_bus_match_signal(client->bus, &session->slot, session->daemon ?: BUS_NAME, session->path,
                                SESSION_INTERFACE, NULL, on_signal, session);
        if (r < 0)
                return client_fail(client, r, "Cannot listen to signals: %s.", strerror(-r));
        return 0;
}
