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

/** Opens a session. `profile` is a format ("livekit", "realtimekit", "jitsi", "sframe", "dave") or a preset
 * ("livekit-passphrase", "livekit-bytes", "livekit-native", "element-call"). SFrame has the options `cipher-suite`, and
 * `ratchet-bits` or, for an MLS group, `mls-index-bits` and `mls-epoch-bits`; framekey-sframe(7) says when which. */
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

/** Adds somebody without touching any key. Option `follows` of a remote participant: "window" if framekeyd is at the
 * other end, "one-step" (the default) for anything else. In an MLS group `member-index`, and `context` if there is one:
 * the place in it, which its frames name. -EDESTADDRREQ the place is missing; -EADDRINUSE somebody has it. */
int framekey_session_add_participant(framekey_session *session, const char *identity, enum framekey_role role,
                                     const char *const *options);
/** Wipes the participant's keys and refuses its streams. `rotate=yes` does the same as framekey_session_leave(). */
int framekey_session_remove_participant(framekey_session *session, const char *identity, const char *const *options);
/** Somebody joined the call: adds a remote participant and moves the sending keys on, so that it cannot read what was
 * said before. Keys made in a daemon step; `ratchet=yes` asks for a rotation of the others, which a joiner cannot be
 * handed at a later step. Joins that follow one another within `coalesce-usec` cost one step. Give it the keys after
 * `ret_when` (may be NULL; microseconds, CLOCK_REALTIME), when that has happened. Option `follows`: as above. */
int framekey_session_join(framekey_session *session, const char *identity, const char *const *options,
                          uint64_t *ret_when);
/** Somebody left the call: removes it and rotates every key that is sent under, as framekey_session_rotate() with the
 * reason "member-left". Leaves within `coalesce-usec` cost one rotation. `ret_when`: when that is; may be NULL. */
int framekey_session_leave(framekey_session *session, const char *identity, const char *const *options,
                           uint64_t *ret_when);
/** Under DAVE, what of a remote participant may pass without a key for so long: "silence" (the frame of silence that
 * media servers send; at most 24 hours), "all" (while a call goes over to encryption or from it; at most 60 seconds) or
 * "nothing". Such frames are delivered with the verdicts FRAMEKEY_VERDICT_SERVER_INJECTED and _UNENCRYPTED. Whoever is
 * in the network can make them. Audited. */
int framekey_session_allow_unencrypted(framekey_session *session, const char *identity, const char *what,
                                       uint64_t usec);

/** In place of a key index: the key that is sent under. */
#define FRAMEKEY_KEY_ACTIVE UINT32_MAX

/** Imports a passphrase or byte key; `identity` NULL or "" is the shared key. Waits for the derivation. The first key
 * of a sender is sent under at once, a later one when it is activated: options `activate`, `activate-after-usec`,
 * `at-key-frame`. SFrame: `kid`, `ssrc` (the key of one RTP stream) and `replace`; in an MLS group the exporter's
 * secret of an epoch as the shared key, under the epoch's low bits. DAVE: `user-id`, if the secret is the group's.
 * -EEXIST another key is in use under this KID; -EALREADY a key is sent or received under, not both; -EKEYREVOKED the
 * key was sent under before and its counters are lost: it is good for receiving only. */
int framekey_session_import_key(framekey_session *session, const char *identity, uint32_t index, const void *secret,
                                size_t length, const char *const *options);
/** The same from a descriptor (pipe, or sealed memfd) that the daemon reads to its end; closed by neither side's doing
 * but the caller's. */
int framekey_session_import_key_fd(framekey_session *session, const char *identity, uint32_t index, int fd,
                                   const char *const *options);
/** The same for administrators, in anybody's session (by its id), with a credential that the service was started with,
 * by its name; no secret passes through here. -EACCES not an administrator; -ENODATA there is no such credential. */
int framekey_client_import_credential(framekey_client *client, const char *session, const char *identity,
                                      uint32_t index, const char *name, const char *const *options);
/** A random key made in the daemon. No app ever sees it; framekey_session_export_wrapped() hands it to other daemons.
 */
int framekey_session_generate_key(framekey_session *session, const char *identity, uint32_t index,
                                  const char *const *options);
/** Sends under this index: from now on, or with the options `after-usec` (so much later, when everybody has the key)
 * and `at-key-frame` (each video stream at its next key frame from then on). The encoder learns of the change by
 * FRAMEKEY_RESULT_KEYFRAME_WANTED. */
int framekey_session_activate(framekey_session *session, const char *identity, uint32_t index,
                              const char *const *options);
/** One ratchet step of the key under `index` (FRAMEKEY_KEY_ACTIVE at a sender). */
int framekey_session_ratchet(framekey_session *session, const char *identity, uint32_t index, uint32_t *ret_step);
/** When sending keys step by themselves: after a time, a number of frames, or of bytes, whichever comes first.
 * 0: never; UINT64_MAX: as it is. Three settings: what stands before one that is refused stays set. -EACCES shorter
 * than the administrator lets it be. */
int framekey_session_set_ratchet(framekey_session *session, uint64_t interval_usec, uint64_t frames, uint64_t bytes);
/** Replaces the sending key of `identity`, or of all senders (NULL; in a shared session: the shared key) by a fresh
 * one. Keys made in a daemon get their successor here: KeyInstalled says under which index, hand it out, it is
 * activated as the session was opened. For imported keys RotationRequested asks the owner for one. `reason` is for the
 * log. The counts may be NULL. */
int framekey_session_rotate(framekey_session *session, const char *identity, const char *reason, uint32_t *ret_rotated,
                            uint32_t *ret_requested);
/** Wipes the key under `index`. */
int framekey_session_retire_key(framekey_session *session, const char *identity, uint32_t index);

/** Bytes of a daemon's transport key. */
#define FRAMEKEY_TRANSPORT_KEY_LENGTH 32u

/** The public key to which other daemons wrap keys for this one; new at every start of the daemon. `ret_fingerprint`
 * (may be NULL) gets malloc'd hex digits in groups of four for people, who compare them with those in the other
 * daemon's log. Whoever gives the key to another app vouches for it: whom to wrap for is that app's decision. */
int framekey_session_get_transport_key(framekey_session *session, uint8_t ret_key[FRAMEKEY_TRANSPORT_KEY_LENGTH],
                                       char **ret_fingerprint);
/** The sending key under `index` as it stands now, for the daemon whose transport key is `recipient` and nobody else.
 * The receiver can follow it from here on, and not back. `ret_package` is malloc'd and public: forward it as it is. For
 * the connection that opened the session only, and audited; -EACCES the administrator allows no export. */
int framekey_session_export_wrapped(framekey_session *session, const char *identity, uint32_t index,
                                    const uint8_t recipient[FRAMEKEY_TRANSPORT_KEY_LENGTH], uint8_t **ret_package,
                                    size_t *ret_length);
/** Installs a key that framekey_session_export_wrapped() made elsewhere, for the same identity. `index`
 * FRAMEKEY_KEY_ACTIVE: as in the package; `ret_index` (may be NULL) gets it. Options `activate`, `activate-after-usec`,
 * `at-key-frame`, for the shared key. -EBADMSG it is not for this daemon, participant or format, or was changed. */
int framekey_session_import_wrapped(framekey_session *session, const char *identity, uint32_t index,
                                    const void *package, size_t length, const char *const *options,
                                    uint32_t *ret_index);

/** Digits in groups of three, spaces and the end. */
#define FRAMEKEY_SECURITY_CODE_SIZE 32
/** A key that counts in a security code. Valid during the call; `size` tells which members there are. */
struct framekey_code_key {
        uint32_t size;
        uint32_t key_index;
        uint32_t step;
        const char *participant; /**< who sends under it */
        uint64_t kid;            /**< SFrame: of step 0; else 0 */
};
typedef void (*framekey_code_key_handler)(framekey_session *session, const struct framekey_code_key *key,
                                          void *userdata);
/** What two people read to each other to see that they hold the same keys: equal at both ends if the same participants
 * send under the same keys at the same steps. framekey(7) tells how to compare, and what it proves. `handler` (may be
 * NULL) is called with each key that counts, by name, so that people can see why two codes differ. Takes a quarter
 * of a second; -EBUSY asked too often; -ENOKEY nobody has a key. Show it to the user alone: whoever has it can test
 * guesses of a weak passphrase, and wipe it after. */
int framekey_session_get_security_code(framekey_session *session, char ret_code[FRAMEKEY_SECURITY_CODE_SIZE],
                                       framekey_code_key_handler handler, void *userdata);

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

/** A signal of the session; org.framekey1(5) says when each is sent. "Restarted" is the library's own: another daemon
 * serves from now on, with this session if it kept it; else its calls answer -ENXIO, and it is to be opened anew. What
 * a signal does not carry is 0 or "", and UINT32_MAX for `key_index`. Strings are valid during the call. None holds a
 * secret. */
struct framekey_event {
        uint32_t size;
        const char *name;        /**< D-Bus member: "KeyInstalled", "RotationRequested", "DecryptionStalled", ... */
        const char *participant; /**< "" for the shared key */
        uint32_t key_index;      /**< RotationRequested: the one to use next; DecryptionStalled: seen in the frames */
        uint32_t step;
        uint64_t generation;    /**< KeyInstalled */
        const char *reason;     /**< RotationRequested: "member-left", "age", ... */
        uint64_t deadline_usec; /**< RotationRequested, KeyExpiring: frames are refused from then on; CLOCK_REALTIME */
        const char *channel;    /**< object path, where it is about a stream */
        uint32_t stream;
        const char *state; /**< DecryptionStalled: "missing-key", "wrong-key", ... */
        uint64_t frames;   /**< that failed in a row */
};
typedef void (*framekey_event_handler)(framekey_session *session, const struct framekey_event *event, void *userdata);
/** Called from framekey_client_process() or the attached event loop; the handler may call this library, but not free
 * the session. NULL takes it away. */
int framekey_session_set_handler(framekey_session *session, framekey_event_handler handler, void *userdata);

/**
 * A key provider: a session's keys as developers of web clients know them. It derives a key as its kind asks for (a
 * passphrase by PBKDF2, bytes by HKDF), keeps count of the key indices, uses what it is given, and turns rotation
 * requests into one callback. `identity` NULL is the shared key (LiveKit's ExternalE2EEKeyProvider, RealtimeKit's
 * SharedKeyProvider), a name a participant's own one (ParticipantKeyProvider, onSetEncryptionKey()). The session
 * decides by its key mode which of them there is. framekey-migration(7) compares them option by option.
 */
typedef struct framekey_provider framekey_provider;

/** In place of a key index: the one behind the last that was set for this identity; 0 at first and after the last. */
#define FRAMEKEY_KEY_NEXT (UINT32_MAX - 1)

/** The session must outlive the provider. */
int framekey_provider_new(framekey_session *session, framekey_provider **ret);
/** Keys stay. Takes NULL; returns NULL. */
framekey_provider *framekey_provider_free(framekey_provider *provider);
/** setKey(string): the passphrase's bytes as they are (UTF-8), through PBKDF2. With an index as there: no index is 0,
 * so 0 is what web clients use that never name one; FRAMEKEY_KEY_NEXT leaves the old key to frames that are under way.
 * A key that can be sent under is, at once, unless the options (those of framekey_session_import_key()) say when.
 * `ret_index` (may be NULL) gets the index. An empty passphrase needs `allow-empty=yes`. */
int framekey_provider_set_passphrase(framekey_provider *provider, const char *identity, uint32_t index,
                                     const char *passphrase, const char *const *options, uint32_t *ret_index);
/** setKey(ArrayBuffer): bytes, through HKDF; under the preset livekit-native through PBKDF2, as native clients do;
 * under SFrame and DAVE by the format's own derivation. */
int framekey_provider_set_key(framekey_provider *provider, const char *identity, uint32_t index, const void *key,
                              size_t length, const char *const *options, uint32_t *ret_index);
/** ratchetKey(participant, keyIndex): one step. FRAMEKEY_KEY_ACTIVE: at a sender the key that is sent under, for a
 * remote participant the one set last. */
int framekey_provider_ratchet(framekey_provider *provider, const char *identity, uint32_t index, uint32_t *ret_step);

/** A key is to be replaced by a new one under `next_index`: invent or fetch it, give it to the others, and set it with
 * `activate-after-usec`, within the call or later. The old one serves until then, or until `deadline_usec`
 * (CLOCK_REALTIME; 0: none). `identity` is NULL for the shared key. */
typedef void (*framekey_rotate_handler)(framekey_provider *provider, const char *identity, uint32_t next_index,
                                        const char *reason, uint64_t deadline_usec, void *userdata);
/** Called like the handler of framekey_session_set_handler(), and beside it. NULL takes it away. */
int framekey_provider_set_rotate_handler(framekey_provider *provider, framekey_rotate_handler handler, void *userdata);

#ifdef __cplusplus
}
#endif
#endif
