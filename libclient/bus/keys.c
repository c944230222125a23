/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Keys: how they come, step, are replaced and go, and how they travel wrapped.
 *
 * A secret goes through a pipe that is full and closed before the call is sent, so that the daemon
 * never waits for us; it is never part of a message.
 */
#include "bus-internal.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>

/* ---- coming ---- */

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

int framekey_client_import_credential(framekey_client *client, const char *session, const char *identity,
                                      uint32_t index, const char *name, const char *const *options) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const char *path;
        int r;

        r = client_call(client, MANAGER_PATH, MANAGER_INTERFACE, "GetSession", options_none, &reply, "s", session);
        if (r < 0)
                return r;
        r = sd_bus_message_read(reply, "o", &path);
        if (r < 0)
                return client_bad_reply(client, r);
        return client_call(client, path, SESSION_INTERFACE, "ImportCredential", options, NULL, "sus",
                           identity_or_shared(identity), index, name);
}

int framekey_session_generate_key(framekey_session *session, const char *identity, uint32_t index,
                                  const char *const *options) {
        return session_call(session, "GenerateKey", options, NULL, "su", identity_or_shared(identity), index);
}

/* ---- changing ---- */

int framekey_session_activate(framekey_session *session, const char *identity, uint32_t index,
                              const char *const *options) {
        return session_call(session, "Activate", options, NULL, "su", identity_or_shared(identity), index);
}

/* "index=N" in front of the caller's options, or these alone for FRAMEKEY_KEY_ACTIVE, which the daemon takes for
 * granted. `text` keeps the new one; the array is to be freed. */
#define INDEX_OPTION_SIZE sizeof("index=4294967295")
static int options_with_index(framekey_client *client, uint32_t index, const char *const *options,
                              char text[INDEX_OPTION_SIZE], const char ***ret) {
        const char **all;
        size_t n = 0;

        while (options && options[n])
                n++;
        all = calloc(n + 2, sizeof(*all));
        if (!all)
                return client_fail(client, -ENOMEM, "Out of memory.");
        if (n > 0)
                memcpy(all, options, n * sizeof(*all));
        if (index != FRAMEKEY_KEY_ACTIVE) {
                (void)snprintf(text, INDEX_OPTION_SIZE, "index=%" PRIu32, index);
                all[n] = text;
        }
        *ret = all;
        return 0;
}

int framekey_session_ratchet(framekey_session *session, const char *identity, uint32_t index, uint32_t *ret_step) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_free_ const char **options = NULL;
        char text[INDEX_OPTION_SIZE];
        uint32_t step;
        int r;

        r = options_with_index(session->client, index, NULL, text, &options);
        if (r < 0)
                return r;
        r = session_call(session, "Ratchet", options, &reply, "s", identity_or_shared(identity));
        if (r < 0)
                return r;
        r = sd_bus_message_read(reply, "u", &step);
        if (r < 0)
                return client_bad_reply(session->client, r);
        if (ret_step)
                *ret_step = step;
        return 0;
}

int framekey_session_set_ratchet(framekey_session *session, uint64_t interval_usec, uint64_t frames, uint64_t bytes) {
        const struct {
                const char *property;
                uint64_t value;
        } settings[] = {
                { "RatchetIntervalUSec", interval_usec },
                { "RatchetFrames", frames },
                { "RatchetBytes", bytes },
        };
        int r;

        for (size_t i = 0; i < ELEMENTS(settings); i++) {
                if (settings[i].value == UINT64_MAX)
                        continue;
                r = client_call(session->client, session->path, PROPERTIES_INTERFACE, "Set", options_none, NULL, "ssv",
                                SESSION_INTERFACE, settings[i].property, "t", settings[i].value);
                if (r < 0)
                        return r;
        }
        return 0;
}

int framekey_session_rotate(framekey_session *session, const char *identity, const char *reason, uint32_t *ret_rotated,
                            uint32_t *ret_requested) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        uint32_t rotated, requested;
        int r;

        r = session_call(session, "Rotate", NULL, &reply, "ss", identity_or_shared(identity), reason ?: "");
        if (r < 0)
                return r;
        r = sd_bus_message_read(reply, "uu", &rotated, &requested);
        if (r < 0)
                return client_bad_reply(session->client, r);
        if (ret_rotated)
                *ret_rotated = rotated;
        if (ret_requested)
                *ret_requested = requested;
        return 0;
}

int framekey_session_retire_key(framekey_session *session, const char *identity, uint32_t index) {
        return session_call(session, "RetireKey", options_none, NULL, "su", identity_or_shared(identity), index);
}

/* ---- wrapped ---- */

int framekey_session_get_transport_key(framekey_session *session, uint8_t ret_key[FRAMEKEY_TRANSPORT_KEY_LENGTH],
                                       char **ret_fingerprint) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_free_ char *copy = NULL;
        const char *fingerprint;
        const void *key;
        size_t length;
        int r;

        r = session_call(session, "GetTransportKey", options_none, &reply, "");
        if (r < 0)
                return r;
        r = sd_bus_message_read_array(reply, 'y', &key, &length);
        if (r >= 0)
                r = length == FRAMEKEY_TRANSPORT_KEY_LENGTH ? sd_bus_message_read(reply, "s", &fingerprint) : -EPROTO;
        if (r < 0)
                return client_bad_reply(session->client, r);
        if (ret_fingerprint) {
                copy = strdup(fingerprint);
                if (!copy)
                        return client_fail(session->client, -ENOMEM, "Out of memory.");
                *ret_fingerprint = take_ptr(copy);
        }
        memcpy(ret_key, key, FRAMEKEY_TRANSPORT_KEY_LENGTH);
        return 0;
}

/* Byte arrays have no place in client_call()'s list of arguments: they are appended in a call of their own. */
static int bytes_call(framekey_session *session, const char *member, const char *identity, const void *bytes,
                      size_t length, uint32_t index, const char *const *options, sd_bus_message **ret_reply) {
        _cleanup_free_ const char **all = NULL;
        char text[INDEX_OPTION_SIZE];
        const ClientBytes argument = { .bytes = bytes, .length = length };
        int r;

        r = options_with_index(session->client, index, options, text, &all);
        if (r < 0)
                return r;
        return client_call_bytes(session->client, session->path, SESSION_INTERFACE, member, all, ret_reply, &argument,
                                 "s", identity_or_shared(identity));
}

int framekey_session_export_wrapped(framekey_session *session, const char *identity, uint32_t index,
                                    const uint8_t recipient[FRAMEKEY_TRANSPORT_KEY_LENGTH], uint8_t **ret_package,
                                    size_t *ret_length) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const void *package;
        uint8_t *copy;
        size_t length;
        int r;

        r = bytes_call(session, "ExportWrapped", identity, recipient, FRAMEKEY_TRANSPORT_KEY_LENGTH, index, NULL,
                       &reply);
        if (r < 0)
                return r;
        r = sd_bus_message_read_array(reply, 'y', &package, &length);
        if (r < 0)
                return client_bad_reply(session->client, r);
        copy = malloc(length + 1); /* not NULL for nothing */
        if (!copy)
                return client_fail(session->client, -ENOMEM, "Out of memory.");
        if (length > 0)
                memcpy(copy, package, length);
        *ret_package = copy;
        *ret_length = length;
        return 0;
}

int framekey_session_import_wrapped(framekey_session *session, const char *identity, uint32_t index,
                                    const void *package, size_t length, const char *const *options,
                                    uint32_t *ret_index) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        uint32_t installed;
        int r;

        r = bytes_call(session, "ImportWrapped", identity, package, length, index, options, &reply);
        if (r < 0)
                return r;
        r = sd_bus_message_read(reply, "u", &installed);
        if (r < 0)
                return client_bad_reply(session->client, r);
        if (ret_index)
                *ret_index = installed;
        return 0;
}
