/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The daemon's error names: one table with name, errno and the sentence that says what to do next.
 *
 * A refusal never says what the daemon holds: absent and foreign sessions are the same error with
 * the same text. Main thread.
 */
#pragma once

#include "util/util.h"

#include <systemd/sd-bus.h>

#define ERROR_PREFIX "org.framekey1.Error."

/* id, name, errno, sentence. Each errno stands for one name, so that the table reads both ways. */
#define ERROR_TABLE(X)                                                                                                 \
        X(NO_SUCH_SESSION, "NoSuchSession", ENXIO,                                                                     \
          "You have no session of that name; open one with OpenSession, or look with ListSessions.")                   \
        X(NO_SUCH_PARTICIPANT, "NoSuchParticipant", ESRCH,                                                             \
          "The session has no such participant; add it with AddParticipant.")                                          \
        X(NO_SUCH_KEY, "NoSuchKey", ENOKEY,                                                                            \
          "There is no key under this index; import one with ImportKey, or make one with GenerateKey.")                \
        X(NO_SUCH_CHANNEL, "NoSuchChannel", ENODEV,                                                                    \
          "The session has no such channel; open one with OpenChannel and pass its object path.")                      \
        X(NO_SUCH_STREAM, "NoSuchStream", ENOENT, "The channel has no such stream; its property Streams lists them.")  \
        X(NO_SUCH_PROFILE, "NoSuchProfile", ENOPROTOOPT,                                                               \
          "There is no such profile; the Manager's property Profiles lists them.")                                     \
        X(PARTICIPANT_EXISTS, "ParticipantExists", ENOTUNIQ,                                                           \
          "The session has this participant already; remove it first to give it another role.")                        \
        X(KEY_EXISTS, "KeyExists", EEXIST,                                                                             \
          "Another key is in use under this KID; import with replace=true if it is to take its place, or choose "      \
          "another kid.")                                                                                              \
        X(KEY_DIRECTION, "KeyDirection", EALREADY,                                                                     \
          "The session has this key for the other direction; a key of this format has one sender. Give each "          \
          "participant a key of its own.")                                                                             \
        X(KEY_SPENT, "KeySpent", EKEYREVOKED,                                                                          \
          "This key was sent under before, and its counters are not known any more, or the daemon keeps none: it can " \
          "be imported for a remote participant only. Use a fresh key, or one that GenerateKey makes.")                \
        X(NO_MEMBER, "NoMember", EDESTADDRREQ,                                                                         \
          "In a session of an MLS group participants are added with the option member-index, in others without.")      \
        X(MEMBER_EXISTS, "MemberExists", EADDRINUSE,                                                                   \
          "The session has a participant with this member index and context already; remove it first.")                \
        X(NO_STEPS, "NoSteps", EPROTONOSUPPORT,                                                                        \
          "Keys of this session do not step by hand: SFrame needs the option ratchet-bits, MLS groups have epochs "    \
          "instead, and DAVE's generations follow from the count of frames. Rotate the key.")                          \
        X(WRONG_KEY_MODE, "WrongKeyMode", EPROTOTYPE,                                                                  \
          "The session's key mode does not fit: a shared session takes keys for the empty participant, the others "    \
          "for named ones. Open the session with the option key-mode to change that.")                                 \
        X(WRONG_ROLE, "WrongRole", EMEDIUMTYPE,                                                                        \
          "The role does not fit: encrypt for local participants, decrypt for remote ones.")                           \
        X(INVALID_INDEX, "InvalidIndex", ERANGE,                                                                       \
          "The key index is outside the ring; use one below the session's RingSize, or open the session with a "       \
          "larger ring-size.")                                                                                         \
        X(UNSUPPORTED_CODEC, "UnsupportedCodec", EOPNOTSUPP,                                                           \
          "The session's format cannot carry this codec; negotiate another codec for the track.")                      \
        X(QUOTA_EXCEEDED, "QuotaExceeded", EDQUOT,                                                                     \
          "Your quota is used up; close what you no longer need, or ask the administrator for more.")                  \
        X(LOCKED, "Locked", ESHUTDOWN,                                                                                 \
          "An administrator locked the service; wait until the Manager's property Locked is false.")                   \
        X(NOT_OWNER, "NotOwner", EPERM,                                                                                \
          "Only the connection that opened the session may change it, or one that called AttachSession if the "        \
          "session was opened with exclusive=false; administrators act through the Manager.")                          \
        X(SECRET_INVALID, "SecretInvalid", EKEYREJECTED,                                                               \
          "The secret could not be read; pass the read end of a pipe with 1 to 4096 bytes in it and its write end "    \
          "closed, or a memfd sealed against shrinking, growing and writing.")                                         \
        X(SECRET_TIMEOUT, "SecretTimeout", ETIME,                                                                      \
          "The secret did not end within one second; write it and close the pipe's write end before the call.")        \
        X(SECRET_MEMORY_FULL, "SecretMemoryFull", ENOSPC,                                                              \
          "The memory for secrets is full; retire keys, or have the administrator raise --arena-size and "             \
          "LimitMEMLOCK.")                                                                                             \
        X(BUSY, "Busy", EBUSY, "The same key is being derived already; wait for that call to end, then try again.")    \
        X(WRAPPED_KEY_INVALID, "WrappedKeyInvalid", EBADMSG,                                                           \
          "The package does not open here: it was wrapped for another daemon, participant or format, changed on the "  \
          "way, or imported before; have it wrapped anew for the key that GetTransportKey gives now.")                 \
        X(CREDENTIAL_NOT_FOUND, "CredentialNotFound", ENODATA,                                                         \
          "The service has no credential of that name; give it one with LoadCredential= in a drop-in of its unit, "    \
          "and "                                                                                                       \
          "restart it.")                                                                                               \
        X(POLICY_FORBIDS, "PolicyForbids", EACCES,                                                                     \
          "The administrator does not allow this; ask for another setting in framekeyd.conf.")                         \
        X(CONFIGURATION_INVALID, "ConfigurationInvalid", EUCLEAN,                                                      \
          "The configuration is wrong, and what was read before applies; see framekeyd --check-config.")

typedef enum ErrorId {
#define ERROR_ID(id, name, number, text) ERROR_##id,
        ERROR_TABLE(ERROR_ID)
#undef ERROR_ID
                ERROR_MAX,
} ErrorId;

/* Makes sd-bus know the names' errnos. Once a process. */
int errors_register(void);
/* Fill `error` with the name and its sentence, or with `format` if there is more to say. Call them by the names below,
 * which give a negative errno whatever sd-bus makes of the name. */
int error_fill(sd_bus_error *error, ErrorId id);
int error_fillf(sd_bus_error *error, ErrorId id, const char *format, ...) __attribute__((format(printf, 3, 4)));
int error_fill_invalid(sd_bus_error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));
int error_fill_outcome(sd_bus_error *error, int outcome);

static inline int error_negative(int r) {
        return r < 0 ? r : -EIO;
}

#define error_set(error, id)       error_negative(error_fill((error), (id)))
#define error_setf(error, id, ...) error_negative(error_fillf((error), (id), __VA_ARGS__))
/* Bad arguments: org.freedesktop.DBus.Error.InvalidArgs. */
#define error_set_invalid(error, ...) error_negative(error_fill_invalid((error), __VA_ARGS__))
/* A SessionOutcome of the key plane, or its negative errno, as an error. */
#define error_set_outcome(error, outcome) error_negative(error_fill_outcome((error), (outcome)))
/* ERROR_MAX if no name stands for it. */
ErrorId error_from_errno(int number);
const char *error_name(ErrorId id);
/* Name without the prefix, for the log: "NoSuchKey". */
const char *error_short_name(const sd_bus_error *error);
