/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One call's keys: participants, their key slots, and the rules by which keys come, step and go.
 *
 * This header is the seam between control and key plane: no names, no strings, no bus types.
 * Participants are numbers here. All functions are called by the main thread; each takes the
 * session's lock, which a data thread holds for one turn (at most 1 ms) while it serves a channel
 * of this session. Derivations run on the deriver threads; what has to wait for one ends in a
 * callback from plane_dispatch(), never from within the call.
 */
#pragma once

#include "crypto/secret.h"
#include "keys/plane.h"
#include "keys/schedule.h"

#include <framekey.h>

#define SESSION_RING_MAX           256u /* key indices */
#define SESSION_WINDOW_MAX         32u  /* steps a receiver may be behind */
#define SESSION_SERVER_TRAILER_MAX 64u
#define SESSION_REPLAY_MIN         256u
#define SESSION_REPLAY_MAX         4096u
#define SESSION_STEP_MAX           65536u /* largest step an import may ask for */
/* Instead of a participant's id: the key all participants share. */
#define SESSION_SHARED UINT32_MAX
/* Instead of a key index: the one that is sent under. */
#define SESSION_ACTIVE UINT32_MAX

typedef struct Session Session;

typedef struct SessionConfig {
        enum framekey_format format;
        bool shared;               /* one key for everybody, else a keyring a participant */
        uint32_t ring_size;        /* 1..SESSION_RING_MAX */
        uint32_t ratchet_window;   /* 0..SESSION_WINDOW_MAX steps */
        uint64_t grace_usec;       /* life of the previous generation at a receiver */
        uint32_t replay_window;    /* remembered IVs, SESSION_REPLAY_MIN..MAX; 0: no replay protection */
        size_t server_trailer_len; /* 0: no server-injected frames */
        uint8_t server_trailer[SESSION_SERVER_TRAILER_MAX];
} SessionConfig;

/* Expected answers of the calls below. */
typedef enum SessionOutcome {
        SESSION_NO_PARTICIPANT = 1,
        SESSION_NO_KEY,     /* nothing under this index */
        SESSION_BAD_INDEX,  /* key index >= ring size */
        SESSION_WRONG_MODE, /* shared key in a participant-key session, or the other way round */
        SESSION_WRONG_ROLE, /* encrypt for a remote participant, decrypt for a local one */
        SESSION_BUSY,       /* the same key is being derived already */
        SESSION_CLOSED,     /* the session ended while a derivation ran */
} SessionOutcome;

typedef enum SessionEventType {
        SESSION_EVENT_RATCHETED = 1, /* a receiver followed its sender, or a sending key stepped */
        SESSION_EVENT_WIPED,         /* a previous generation died */
} SessionEventType;

typedef struct SessionEvent {
        SessionEventType type;
        uint32_t participant; /* id; SESSION_SHARED never */
        uint32_t index;
        uint32_t step;
} SessionEvent;

typedef void (*SessionEventHandler)(Session *session, const SessionEvent *event, void *userdata);
/* `result`: 0, a SessionOutcome or -errno. `generation` is a number that is never used twice. */
typedef void (*SessionDone)(Session *session, int result, uint64_t generation, uint32_t step, void *userdata);

/* 0; -EINVAL; -ENOMEM. The handler is called from plane_dispatch(). */
int session_new(Session **ret, Plane *plane, const SessionConfig *config, SessionEventHandler handler, void *userdata);
/* Ends the session: wipes all keys, frames on channels that are still open are refused from now on.
 * Callbacks that are still due get SESSION_CLOSED before this returns. Takes NULL; returns NULL. */
Session *session_free(Session *session);
DEFINE_CLEANUP(Session, session_free)
const SessionConfig *session_config(const Session *session);

/* 0; -ENOMEM. In shared mode a new participant has the shared keys at once. */
int session_add_participant(Session *session, bool local, uint32_t *ret_participant);
/* Wipes the participant's keys; its streams are refused from now on. 0, SESSION_NO_PARTICIPANT. */
int session_remove_participant(Session *session, uint32_t participant);

/* Installs `secret` (taken over, also on failure) under `index` after advancing it `step` steps,
 * replacing what is there. The first key of a sender becomes active; later ones wait for
 * session_activate(). 0: `done` will be called; SESSION_NO_PARTICIPANT, _BAD_INDEX, _WRONG_MODE;
 * -EINVAL schedule; -ENOMEM: `done` will not be called. */
int session_import(Session *session, uint32_t participant, uint32_t index, Secret *secret, const Schedule *schedule,
                   uint32_t step, SessionDone done, void *userdata);
/* Sends under `index` from now on. 0, SESSION_NO_PARTICIPANT, _BAD_INDEX, _NO_KEY, _WRONG_MODE. */
int session_activate(Session *session, uint32_t participant, uint32_t index);
/* Moves the key one step, at a sender or (by hand) at a receiver; the shared key moves for all local participants,
 * and for remote ones if the window is 0. As session_import() for callbacks. */
int session_ratchet(Session *session, uint32_t participant, uint32_t index, SessionDone done, void *userdata);
/* Wipes the key under `index` with all its generations. 0 or as session_activate(). */
int session_retire(Session *session, uint32_t participant, uint32_t index);

typedef struct SessionKeyInfo {
        uint32_t index;
        uint64_t generation;
        uint32_t step;
        uint64_t frames; /* under this generation */
        bool active;     /* sent under */
        bool previous;   /* an older generation lives through its grace */
} SessionKeyInfo;

/* The key under `index`; 0 or as session_activate(). */
int session_key_info(Session *session, uint32_t participant, uint32_t index, SessionKeyInfo *ret);

typedef struct SessionCounters {
        uint64_t frames[FRAMEKEY_VERDICT_MAX]; /* by verdict, [0] the good ones */
        uint64_t bytes;                        /* plain bytes of the good ones */
        uint64_t trials;                       /* keys tried for frames that the current key did not open */
        uint64_t failures;                     /* frames that failed on our side (negative errno) */
} SessionCounters;

typedef struct SessionParticipantInfo {
        bool local;
        uint32_t n_keys;
        uint32_t active_index; /* SESSION_ACTIVE: none */
        int last_verdict;
        uint64_t last_frame_usec; /* CLOCK_BOOTTIME; 0: never */
        uint32_t wanted_index;    /* index of the last frame whose key is missing; SESSION_ACTIVE: none */
        SessionCounters counters;
} SessionParticipantInfo;

int session_participant_info(Session *session, uint32_t participant, SessionParticipantInfo *ret);
/* Keys (slots in use) in the whole session. */
uint32_t session_n_keys(Session *session);
