/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * @file framekey-bus.h
 * The control plane of framekeyd over D-Bus (sd-bus): sessions, participants, keys, channels,
 * events. The interface itself is org.framekey1(5); these calls are its C form.
 *
 * Results: 0 (or a positive value where it says so) and negative errno. After a negative result
 * framekey_client_error() holds the daemon's sentence, which says what to do.
 * Threads: a client and its sessions belong to one thread at a time. All calls block until the
 * daemon answers (`framekey_client_set_timeout`).
 * Options are `"name=value"` strings, the array ends with NULL, NULL means none; names and types
 * are those of org.framekey1(5): numbers in decimal, booleans yes/no, byte strings in hex.
 * Secrets travel through a pipe, never in a message.
 */
#ifndef FRAMEKEY_BUS_H
#define FRAMEKEY_BUS_H

#include <framekey.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct framekey_client framekey_client;
typedef struct framekey_session framekey_session;

enum framekey_bus {
        FRAMEKEY_BUS_SYSTEM = 0,
        FRAMEKEY_BUS_USER = 1,
        FRAMEKEY_BUS_ADDRESS = 2, /**< `where` is a D-Bus address of a bus */
        FRAMEKEY_BUS_HOST = 3,    /**< `where` is [user@]host, over ssh */
        FRAMEKEY_BUS_MACHINE = 4, /**< `where` is a local container's name */
};

/** Connects. -ENOENT/-ECONNREFUSED there is no such bus; other negative errno. On failure
 * `ret_error` (may be NULL) gets a malloc'd sentence for people. */
int framekey_client_open(framekey_client **ret, enum framekey_bus bus, const char *where, char **ret_error);
/** Uses the caller's connection (one reference is taken). */
int framekey_client_new_from_bus(framekey_client **ret, sd_bus *bus);
/** Closes the connection; its sessions end unless opened with `linger`. Takes NULL; returns NULL. */
framekey_client *framekey_client_free(framekey_client *client);
/** The connection, for everything this library has no call for. Borrowed. */
sd_bus *framekey_client_get_bus(framekey_client *client);
/** Lets the caller's loop deliver events. */
int framekey_client_attach_event(framekey_client *client, sd_event *event, int64_t priority);
/** Delivers waiting events without blocking; for callers that poll sd_bus_get_fd() themselves. */
int framekey_client_process(framekey_client *client);
/** Reply deadline of each call, default 30 s (a passphrase costs about 20 ms for each derivation). */
void framekey_client_set_timeout(framekey_client *client, uint64_t timeout_usec);
/** Text of the last failure on this client, "" if none. Valid until the next call. */
const char *framekey_client_error(const framekey_client *client);
/** D-Bus error name of the last failure ("org.framekey1.Error.NoSuchKey"), "" if none. */
const char *framekey_client_error_name(const framekey_client *client);
/** Makes the failure of a call that was made on framekey_client_get_bus() the client's last failure, worded as those of
 * this library's own calls. `r` is what sd_bus_call() answered. Returns its negative errno. */
int framekey_client_note_error(framekey_client *client, int r, const sd_bus_error *error);

/** Opens a session. `profile` is a format ("livekit", "realtimekit") or a preset
 * ("livekit-passphrase", "livekit-bytes", "livekit-native", "element-call"). */
int framekey_session_open(framekey_client *client, const char *profile, const char *label, const char *const *options,
                          framekey_session **ret);
/** Uses a session that exists (by id), after AttachSession where it is not this connection's. */
int framekey_session_attach(framekey_client *client, const char *id, framekey_session **ret);
/** Closes the session in the daemon and frees. Takes NULL; returns NULL. */
framekey_session *framekey_session_close(framekey_session *session);
/** Frees the handle; the session lives as long as the connection. Takes NULL; returns NULL. */
framekey_session *framekey_session_free(framekey_session *session);
const char *framekey_session_get_id(const framekey_session *session);
const char *framekey_session_get_path(const framekey_session *session);
framekey_client *framekey_session_get_client(framekey_session *session);

enum framekey_role {
        FRAMEKEY_LOCAL = 1,  /**< we send as this participant */
        FRAMEKEY_REMOTE = 2, /**< we receive from this participant */
};

int framekey_session_add_participant(framekey_session *session, const char *identity, enum framekey_role role,
                                     const char *const *options);
int framekey_session_remove_participant(framekey_session *session, const char *identity, const char *const *options);

/** Imports a passphrase or byte key; `identity` NULL or "" is the shared key. Waits for the derivation. */
int framekey_session_import_key(framekey_session *session, const char *identity, uint32_t index, const void *secret,
                                size_t length, const char *const *options);
/** The same from a descriptor (pipe, or sealed memfd) that the daemon reads to its end; closed by neither side's doing
 * but the caller's. */
int framekey_session_import_key_fd(framekey_session *session, const char *identity, uint32_t index, int fd,
                                   const char *const *options);
/** A random key made in the daemon, for participants of this daemon only. */
int framekey_session_generate_key(framekey_session *session, const char *identity, uint32_t index,
                                  const char *const *options);
/** Sends under this index from now on. */
int framekey_session_activate(framekey_session *session, const char *identity, uint32_t index);
/** One ratchet step of the key under `index` (UINT32_MAX: the active one). */
int framekey_session_ratchet(framekey_session *session, const char *identity, uint32_t index, uint32_t *ret_step);
/** Wipes the key under `index`. */
int framekey_session_retire_key(framekey_session *session, const char *identity, uint32_t index);

/** Opens a channel. `ret_path` (may be NULL) gets its malloc'd object path for AddStream. */
int framekey_session_open_channel(framekey_session *session, const char *const *options, framekey_channel **ret,
                                  char **ret_path);
/** The same, giving the descriptors to pass on to another process; the caller closes them. */
int framekey_session_open_channel_fds(framekey_session *session, const char *const *options, int ret_fds[4],
                                      char **ret_path);
int framekey_session_close_channel(framekey_session *session, const char *channel_path);
/** Grants a stream on a channel. */
int framekey_session_add_stream(framekey_session *session, const char *channel_path, const char *identity,
                                enum framekey_direction direction, enum framekey_media media, enum framekey_codec codec,
                                const char *const *options, uint32_t *ret_stream);
int framekey_session_remove_stream(framekey_session *session, const char *channel_path, uint32_t stream);

/** A signal of the session. Strings are valid during the call. */
struct framekey_event {
        uint32_t size;
        const char *name;        /**< D-Bus member: "KeyInstalled", "KeyActivated", "KeyRatcheted", ... */
        const char *participant; /**< "" for the shared key */
        uint32_t key_index;
        uint32_t step;
};
typedef void (*framekey_event_handler)(framekey_session *session, const struct framekey_event *event, void *userdata);
/** Called from framekey_client_process() or the attached event loop. NULL takes it away. */
int framekey_session_set_handler(framekey_session *session, framekey_event_handler handler, void *userdata);

#ifdef __cplusplus
}
#endif
#endif
