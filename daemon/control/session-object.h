/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A session on the bus: who owns it, its participants, channels and running key operations by
 * their names. The keys themselves are the key plane's.
 *
 * Main thread. Freeing a session ends everything below it, in this order: channels, calls that
 * wait for a secret, the key plane's session (whose waiting derivations answer at once), participants.
 */
#pragma once

#include "control/channel-object.h"
#include "control/daemon.h"
#include "control/participant-object.h"
#include "keys/preset.h"

#define SESSION_LABEL_MAX     128u
#define SESSION_PATH          DAEMON_PATH "/session"
#define SESSION_INTERFACE     DAEMON_BUS_NAME ".Session"
#define PARTICIPANT_INTERFACE DAEMON_BUS_NAME ".Participant"

/* Connections that may attach to one session: more than a call's processes need, and a bound to what is remembered. */
#define SESSION_ATTACHED_MAX 32u

typedef struct Operation Operation;

typedef struct Attached {
        char name[CALLER_NAME_MAX];
        struct Attached *prev, *next;
} Attached;

typedef struct SessionRequest {
        const Preset *preset;
        const char *label;
        SessionConfig config;
        Schedule schedule; /* defaults of its imports */
        bool exclusive;
        bool linger;
} SessionRequest;

struct SessionObject {
        Daemon *daemon;
        Session *session; /* NULL while it closes */
        const Preset *preset;
        Schedule schedule;
        char *id;
        char *path;
        char *label;
        Caller owner;
        bool exclusive;        /* nobody can attach */
        bool linger;           /* outlives its owner */
        bool orphaned;         /* the owner left */
        uint64_t created_usec; /* CLOCK_REALTIME */
        Attached *attached;    /* other connections that may change it */
        ParticipantObject *by_identity;
        ParticipantObject *by_id;
        ChannelObject *channels;
        uint32_t last_channel;
        Operation *operations;
        unsigned n_pending_keys; /* imports on their way to a slot that is empty now */
        unsigned n_guests;       /* its streams on channels of other sessions */
        Charge charge;
        Charge keys;
        UT_hash_handle hh;
};

typedef enum SessionObjectOutcome {
        SESSION_OBJECT_QUOTA = 1,
} SessionObjectOutcome;

/* Opens a session for `owner` and adds it to the daemon's. 0; SESSION_OBJECT_QUOTA; negative errno. */
int session_object_new(SessionObject **ret, Daemon *daemon, const Caller *owner, const SessionRequest *request);
/* Takes NULL; returns NULL. */
SessionObject *session_object_free(SessionObject *session);
DEFINE_CLEANUP(SessionObject, session_object_free)

/* By id, if this caller may see it; else NULL, for absent and foreign ones alike. */
SessionObject *session_object_find(Daemon *daemon, const Caller *caller, const char *id);
bool session_object_is_owner(const SessionObject *session, const Caller *caller);
/* The owner, and connections it let in. */
bool session_object_may_change(const SessionObject *session, const Caller *caller);
/* Lets another connection of the owner's uid change the session. 0; -EPERM exclusive; -EDQUOT too many; -ENOMEM. */
int session_object_attach(SessionObject *session, const Caller *caller);
/* A connection left the bus: its sessions end unless they linger, and it is attached nowhere any more. */
void session_object_name_left(Daemon *daemon, const char *name);

ParticipantObject *session_object_participant(const SessionObject *session, const char *identity);
/* "" for SESSION_SHARED; NULL for a participant that is gone. */
const char *session_object_identity(const SessionObject *session, uint32_t id);
ChannelObject *session_object_channel(const SessionObject *session, uint32_t number);

/* Brings the charge for keys in line with what the session holds and expects. 0 or QUOTA_REFUSED; less is never
 * refused. */
int session_object_settle_keys(SessionObject *session);

/* The same after the daemon made a key by itself under `index`, which cannot be refused any more: over the quota, keys
 * of that participant that are neither this one nor sent under go first. */
void session_object_settle_made(SessionObject *session, uint32_t participant, uint32_t index);

/* Sends a signal to the owner and to whoever attached, and to nobody else. */
void session_object_emit(SessionObject *session, const char *member, const char *types, ...);
/* The same for a property that must be read anew. */
void session_object_invalidate(SessionObject *session, const char *property);
/* KeyInstalled, and KeyActivated if that made it the one that is sent under. */
void session_object_tell_installed(SessionObject *session, uint32_t participant, uint32_t index, uint64_t generation,
                                   uint32_t step);

/* session-events.c: what the key plane does by itself. A SessionEventHandler. */
void session_events_handle(Session *plane_session, const SessionEvent *event, void *userdata);
