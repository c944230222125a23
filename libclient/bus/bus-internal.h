/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the files of libframekey-bus share: the client's connection with its last failure, and the
 * way a call is made. Not installed.
 */
#pragma once

/* The tree is compiled with hidden symbols; what the public header declares is the library's surface. */
#pragma GCC visibility push(default)
#include <framekey-bus.h>
#pragma GCC visibility pop

#include "util/util.h"

#define BUS_NAME              "org.framekey1"
#define MANAGER_PATH          "/org/framekey1"
#define MANAGER_INTERFACE     "org.framekey1.Manager"
#define SESSION_INTERFACE     "org.framekey1.Session"
#define CHANNEL_INTERFACE     "org.framekey1.Channel"
#define PARTICIPANT_INTERFACE "org.framekey1.Participant"
#define PROPERTIES_INTERFACE  "org.freedesktop.DBus.Properties"
#define ERROR_PREFIX          "org.framekey1.Error."
#define CALL_TIMEOUT_USEC     (30 * USEC_PER_SEC)
/* The daemon takes no longer secret, and so much fits every pipe without blocking (PIPE_BUF). */
#define SECRET_MAX 4096u

struct framekey_client {
        unsigned n_refs; /* the owner's, and one a session */
        sd_bus *bus;     /* NULL after framekey_client_free() while sessions are left */
        bool opened;     /* by us, so closed by us */
        enum framekey_bus kind;
        uint64_t timeout_usec;
        char *error;      /* sentence of the last failure */
        char *error_name; /* and its D-Bus name */
};

/* Somebody who listens to a session's signals. */
typedef struct SessionMatch {
        framekey_session *session;
        sd_bus_slot *slot; /* NULL: nobody */
        sd_bus_slot *owner_slot;
        framekey_event_handler handler;
        void *userdata;
} SessionMatch;

struct framekey_session {
        framekey_client *client;
        char *id;
        char *path;
        char *daemon; /* unique name of the daemon that serves it: only its signals are believed */
        SessionMatch match;
};

framekey_client *client_ref(framekey_client *client);
framekey_client *client_unref(framekey_client *client);
DEFINE_CLEANUP(framekey_client, client_unref)

/* Notes a failure of our own. */
void client_note(framekey_client *client, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same, and answers `r`. A macro, so that static analysis sees the value. */
#define client_fail(client, r, ...) (client_note(client, __VA_ARGS__), (r))
/* Instead of options, for methods that have none. */
extern const char *const options_none[];
/* Makes one call and waits: `types` and what follows as in sd_bus_message_append(), then the options
 * as a{sv} unless they are options_none. A method with descriptors (`h`) is refused where the bus cannot carry them. */
int client_call(framekey_client *client, const char *path, const char *interface, const char *member,
                const char *const *options, sd_bus_message **ret_reply, const char *types, ...);
/* The same with a byte array behind the other arguments. */
typedef struct ClientBytes {
        const void *bytes;
        size_t length;
} ClientBytes;
int client_call_bytes(framekey_client *client, const char *path, const char *interface, const char *member,
                      const char *const *options, sd_bus_message **ret_reply, const ClientBytes *bytes,
                      const char *types, ...);
/* A property of a basic type; `ret_value` points into the reply. */
int client_get(framekey_client *client, const char *path, const char *interface, const char *property,
               sd_bus_message **ret_reply, const char *type, void *ret_value);
/* Notes that a reply was not what the interface says, and answers `r`. */
int client_bad_reply(framekey_client *client, int r);

/* Appends "name=value" strings as a{sv}. 0, -EINVAL (noted on the client), or what sd-bus answers. */
int options_append(framekey_client *client, sd_bus_message *m, const char *const *options);

/* ---- sessions ---- */

static inline const char *identity_or_shared(const char *identity) {
        return identity ?: "";
}

#define session_call(session, member, options, ret_reply, ...)                                                         \
        client_call((session)->client, (session)->path, SESSION_INTERFACE, member, options, ret_reply, __VA_ARGS__)

/* Has the handler called for the session's signals, or not any more (NULL). `match` stays where it is until it is
 * ended. 0 or negative errno, noted on the client. */
void session_match_end(SessionMatch *match);
int session_match(SessionMatch *match, framekey_session *session, framekey_event_handler handler, void *userdata);
