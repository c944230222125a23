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
/* Bytes by which the replay windows of a session may grow beyond SESSION_REPLAY_MIN frames each: 227 receivers have all
 * that they may, a thousand have 512 frames, some 1024. */
#define SESSION_REPLAY_ROOM (UINT64_C(10) << 20)
#define SESSION_STEP_MAX    65536u /* largest step an import may ask for */
/* Bounds of SessionConfig.send_limit and its default (security 4.1): NIST allows 2^32 random IVs over all users of a
 * key (SP 800-38D, 8.3); with 2^26 for each sender, 64 senders of one key stay within. */
#define SESSION_SEND_LIMIT_MIN 16u
#define SESSION_SEND_LIMIT_MAX (UINT64_C(1) << 26)
/* The formats that count: no counter repeats, and a limit of 2^48 keeps headers short. */
#define SESSION_COUNTER_MAX (UINT64_C(1) << 48)
/* Forged frames under one key index after which the key is given up (security 4.2). */
#define SESSION_FAILURE_LIMIT (UINT64_C(1) << 36)
/* An old key that is still in use after a rotation lives this long at most. */
#define SESSION_SUPERSEDED_MAX_USEC (30 * USEC_PER_SEC)
/* Longest wait for a stream's key frame, once a key is due that is to be used from one on. */
#define SESSION_KEY_FRAME_WAIT_USEC (10 * USEC_PER_SEC)
/* Instead of a participant's id: the key all participants share. */
#define SESSION_SHARED UINT32_MAX
/* Instead of a participant's id: every key that is sent under. */
#define SESSION_SENDERS (UINT32_MAX - 1)
/* Instead of a key index: the one that is sent under. */
#define SESSION_ACTIVE UINT32_MAX

typedef struct Session Session;

/* When a sending key steps by itself. Any combination; 0 means never. A step needs at least one frame sent under the
 * current one, because peers without a window follow one step a frame. Times are CLOCK_BOOTTIME. */
typedef struct RatchetPolicy {
        uint64_t interval_usec; /* since the key was activated or stepped; one step an expiry, however late */
        bool only_if_followed;  /* the timer steps only while all remote participants follow by a window, and asks for
                                 * a rotation otherwise (SESSION_REASON_TIMER) */
        uint64_t frames;        /* sealed under the current step */
        uint64_t bytes;
} RatchetPolicy;

typedef struct SessionConfig {
        enum framekey_format format;
        bool shared;               /* one key for everybody, else a keyring a participant */
        uint32_t account;          /* whose it is: derivations of several accounts take turns */
        uint32_t ring_size;        /* 1..SESSION_RING_MAX */
        uint32_t ratchet_window;   /* 0..SESSION_WINDOW_MAX steps */
        uint64_t grace_usec;       /* life of the previous generation at a receiver */
        uint32_t replay_window;    /* remembered IVs, SESSION_REPLAY_MIN..MAX; 0: no replay protection */
        size_t server_trailer_len; /* 0: no server-injected frames */
        uint8_t server_trailer[SESSION_SERVER_TRAILER_MAX];

        RatchetPolicy ratchet;
        uint64_t rotate_after_usec;   /* age of a sending key at which its rotation is due; 0: never */
        uint64_t maximum_age_usec;    /* age at which a sending key is refused; 0: never */
        uint64_t activate_after_usec; /* from the installation of a rotated key to its use */
        bool activate_at_key_frame;   /* ... and then each video stream at its next key frame */
        bool activate_by_hand;        /* ... or not before session_activate() */
        uint64_t coalesce_usec;       /* joins, or leaves, within this time of one another cost one step, or rotation */
        uint64_t send_limit;          /* frames sealed under one step: from half of it on a rotation is asked for, at
                                       * three quarters the key steps by itself, at all of it frames are refused */
        uint64_t failure_limit;       /* forged frames under a key index after which its key is wiped */
        bool retain_root;             /* receivers keep all steps, so that a sender may start again at the first: no
                                       * forward secrecy */
        bool retire_superseded;       /* a key dies the grace time after a newer one took its place */

        /* FRAMEKEY_FORMAT_SFRAME: keys of an MLS group, one for all members of an epoch (RFC 9605, 5.2). Implies
         * `shared`; the key index is the epoch's low bits, so ring_size is 2^epoch_bits, and participants are added by
         * session_add_member(). Both 0: sender keys. */
        uint8_t mls_index_bits; /* 1..48 */
        uint8_t mls_epoch_bits; /* 1..8 */
        /* FRAMEKEY_FORMAT_SFRAME: what all keys of the session have, those in packages too. Suite 0: each its own. */
        uint8_t suite;
        uint8_t ratchet_bits;
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
        SESSION_FORGED,     /* a wrapped key that does not open here */
        SESSION_KEY_EXISTS, /* another key is live under this KID, and it is not to be replaced */
        SESSION_BOTH_WAYS,  /* this key is received under, and must not be sent under; or the other way round */
        SESSION_SPENT,      /* was sent under by a daemon whose counters are lost: good for receiving only */
        SESSION_NO_MEMBER,  /* an MLS session needs the participant's place in the group; others have none */
        SESSION_NO_STEPS,   /* keys of this kind do not step, or not by hand */
} SessionOutcome;

/* Where a key came from, and so who can replace it. */
typedef enum SessionOrigin {
        SESSION_IMPORTED = 1, /* others gave it to us: only they can invent its successor */
        SESSION_GENERATED,    /* made here */
        SESSION_UNWRAPPED,    /* made in another daemon */
} SessionOrigin;

/* Why a key has to be replaced. Names: session_reason_name(). */
typedef enum SessionReason {
        SESSION_REASON_REQUEST = 1, /* "request": the owner asked */
        SESSION_REASON_ADMIN,       /* "admin" */
        SESSION_REASON_LEFT,        /* "member-left" */
        SESSION_REASON_JOINED,      /* "member-joined": it cannot be handed a stepped key */
        SESSION_REASON_TIMER,       /* "timer": the interval passed, and the peers could not follow a step */
        SESSION_REASON_AGE,         /* "age" */
        SESSION_REASON_USE,         /* "use-limit" */
        SESSION_REASON_FORGERIES,   /* "forgeries": the receive failure limit */
} SessionReason;

const char *session_reason_name(SessionReason reason);

/* How a stream fares. Names as in org.framekey1(5): session_stream_state_name(). */
typedef enum SessionStreamState {
        SESSION_STREAM_IDLE = 1,    /* "idle": no frames */
        SESSION_STREAM_OK,          /* "ok" */
        SESSION_STREAM_MISSING_KEY, /* "missing-key": no key under the frames' index */
        SESSION_STREAM_WRONG_KEY,   /* "wrong-key": the key there does not open them */
        SESSION_STREAM_REPLAYED,    /* "replayed" */
        SESSION_STREAM_EXPIRED,     /* "expired": their key is dead; sending: its limit or age is reached */
        SESSION_STREAM_UNENCRYPTED, /* "unencrypted": not frames of this format */
        SESSION_STREAM_STALLED,     /* "stalled": anything else */
} SessionStreamState;

const char *session_stream_state_name(SessionStreamState state);

/* What happened without a call that asked for it. `participant` is SESSION_SHARED for the shared sending key. */
typedef enum SessionEventType {
        SESSION_EVENT_INSTALLED = 1,      /* a rotation: hand the key out; activates at `usec` (0: by hand) */
        SESSION_EVENT_ACTIVATED,          /* a key that was installed before is sent under now */
        SESSION_EVENT_RATCHETED,          /* a receiver followed its sender, or a sending key stepped by itself */
        SESSION_EVENT_EXPIRING,           /* frames will be refused at `usec` */
        SESSION_EVENT_WIPED,              /* a generation died */
        SESSION_EVENT_ROTATION_REQUESTED, /* import a new key under `index`; `reason`; `usec`: refused from then on, or
                                             0 */
        SESSION_EVENT_ALL_FOLLOWED, /* every participant that sends uses its newest key; shared: our step or later */
        SESSION_EVENT_STALLED,      /* `channel`, `stream`, `state`, `index` seen, `frames` failed in a row */
        SESSION_EVENT_RESUMED,      /* `channel`, `stream`; `frames` as above */
        SESSION_EVENT_UNENCRYPTED,  /* `channel`, `stream`: frames come that are not encrypted; also STALLED */
} SessionEventType;

typedef struct SessionEvent {
        SessionEventType type;
        uint32_t participant;
        uint32_t index;
        uint32_t step;
        uint64_t generation;  /* INSTALLED, ACTIVATED */
        SessionReason reason; /* 0: none */
        uint64_t usec;        /* CLOCK_BOOTTIME */
        const void *channel;  /* identity only, as given to frame_grant_new() */
        uint32_t stream;
        SessionStreamState state;
        uint64_t frames;
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

/* 0; -ENOMEM; SESSION_NO_MEMBER. In shared mode a new participant has the shared keys at once. */
int session_add_participant(Session *session, bool local, uint32_t *ret_participant);
/* As above in an MLS session: the member of this index sends under this context (0 if it has but one). Further:
 * SESSION_KEY_EXISTS somebody else has this place; -ERANGE does not fit into the KID's bits. */
int session_add_member(Session *session, bool local, uint64_t context, uint64_t index, uint32_t *ret_participant);
/* Whether a remote participant catches up several steps (framekeyd at the other end). Default: no. 0,
 * SESSION_NO_PARTICIPANT. */
int session_set_follows_window(Session *session, uint32_t participant, bool follows);
/* Wipes the participant's keys; its streams are refused from now on. 0, SESSION_NO_PARTICIPANT. */
int session_remove_participant(Session *session, uint32_t participant);
/* Somebody came who must not read what was said before: sending keys that can be handed out in their new state (made
 * here) step, for the others a rotation is requested if `must`. At once or, after another join, at the end of
 * coalesce_usec; then RATCHETED and ROTATION_REQUESTED come from plane_dispatch(). Returns when (CLOCK_BOOTTIME). */
uint64_t session_joined(Session *session, bool must);
/* Somebody left who must not read what is said from now on: session_rotate(SESSION_SENDERS, SESSION_REASON_LEFT), at
 * once or, after another leave, at the end of coalesce_usec. Returns when (CLOCK_BOOTTIME). */
uint64_t session_left(Session *session);

/* Installs `secret` (taken over, also on failure) under `index` after advancing it `step` steps,
 * replacing what is there (SFrame: only if schedule->replace, or if it is the same key). The first key of a sender
 * becomes active; later ones wait for session_activate(). 0: `done` will be called; SESSION_NO_PARTICIPANT, _BAD_INDEX,
 * _WRONG_MODE; -EINVAL schedule; -ENOMEM: `done` will not be called. */
int session_import(Session *session, uint32_t participant, uint32_t index, Secret *secret, const Schedule *schedule,
                   uint32_t step, SessionDone done, void *userdata);
/* `done` of both further: SESSION_KEY_EXISTS, _BOTH_WAYS, _SPENT.
 * As session_import() with a random secret made here. */
int session_generate(Session *session, uint32_t participant, uint32_t index, const Schedule *schedule, SessionDone done,
                     void *userdata);
/* As session_import() for a package of another daemon's session_export(), for a remote participant or the shared key;
 * `identity` as there. `index` SESSION_ACTIVE: as in the package; `ret_index` tells. Needs no derivation for the key
 * itself. Further: SESSION_FORGED not for this daemon, another participant or format, changed on the way, or imported
 * before; SESSION_WRONG_ROLE a local participant. */
int session_import_wrapped(Session *session, uint32_t participant, uint32_t index, const char *identity,
                           const uint8_t *package, size_t len, uint32_t *ret_index, SessionDone done, void *userdata);
/* The sending key under `index` (SESSION_ACTIVE: the one sent under) as it stands now, sealed for the daemon whose
 * transport key is `recipient` (32 bytes). `identity` is authenticated: the participant's name, "" for the shared key.
 * `package` has room for WRAP_MAX bytes. 0; SESSION_NO_PARTICIPANT, _BAD_INDEX, _NO_KEY, _WRONG_ROLE, _WRONG_MODE;
 * SESSION_FORGED `recipient` is no public key; -ENOMEM. */
int session_export(Session *session, uint32_t participant, uint32_t index, const char *identity,
                   const uint8_t *recipient, uint8_t *package, size_t *ret_len);

/* When a key is sent under. */
typedef struct SessionActivation {
        uint64_t after_usec;
        bool at_key_frame; /* then each video stream at its next key frame, others at once */
} SessionActivation;

/* Sends under `index` from then on (NULL: now). What waited to be activated before waits no longer. With
 * retire_superseded the key sent under until then dies the grace time later. 0, SESSION_NO_PARTICIPANT, _BAD_INDEX,
 * _NO_KEY, _WRONG_MODE, _WRONG_ROLE. */
int session_activate(Session *session, uint32_t participant, uint32_t index, const SessionActivation *when);

typedef struct SessionRotation {
        uint32_t n_rotated;   /* fresh keys on their way: an INSTALLED event each */
        uint32_t n_requested; /* ROTATION_REQUESTED events, sent before this returns */
} SessionRotation;

/* Replaces a sending key, or (SESSION_SENDERS) all of them: distribute, then use. A key that was made in a daemon gets
 * a successor under the next key index, to be handed out and activated as the configuration says; for others the owner
 * is asked. A successor has its predecessor's schedule. 0; SESSION_NO_PARTICIPANT, _WRONG_MODE, _WRONG_ROLE, _NO_KEY;
 * -ENOMEM. */
int session_rotate(Session *session, uint32_t participant, SessionReason reason, SessionRotation *ret);
/* Moves the key one step, at a sender or (by hand) at a receiver; the shared key moves for all local participants,
 * and for remote ones if the window is 0. As session_import() for callbacks; SESSION_NO_STEPS. */
int session_ratchet(Session *session, uint32_t participant, uint32_t index, SessionDone done, void *userdata);
/* Wipes the key under `index` with all its generations. 0 or as session_activate(). */
int session_retire(Session *session, uint32_t participant, uint32_t index);

/* What a remote participant's stream may deliver without a key, for formats that know it (DAVE). */
typedef enum SessionClear {
        SESSION_CLEAR_NOTHING,
        SESSION_CLEAR_SILENCE, /* the audio frame that media servers send for a sender that is silent */
        SESSION_CLEAR_ALL, /* whatever is no frame of the format: while a call goes over to encryption, or from it */
} SessionClear;

/* Permits it for the time from now on, in place of an earlier permission; each frame is counted under its verdict. 0,
 * SESSION_NO_PARTICIPANT, _WRONG_ROLE a local one; -EOPNOTSUPP the format does not know it. */
int session_allow_clear(Session *session, uint32_t participant, SessionClear what, uint64_t usec);

typedef struct SessionKeyInfo {
        uint32_t index;
        uint64_t kid; /* SFrame: of the frames under this step */
        uint64_t generation;
        uint32_t step;
        uint64_t frames; /* under this generation */
        bool active;     /* sent under */
        bool previous;   /* an older generation lives through its grace */
        SessionOrigin origin;
        uint64_t installed_usec; /* CLOCK_BOOTTIME, like the following */
        uint64_t next_step_usec; /* of a sending key: when the timer steps it; USEC_INFINITY: never */
        uint64_t activates_usec; /* when it will be sent under; USEC_INFINITY: not planned */
        uint64_t dies_usec;      /* when it will be wiped or refused; USEC_INFINITY: not planned */
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
        SessionStreamState state; /* of its worst stream that is not idle */
        bool follows_window;
        SessionClear clear; /* what is permitted without a key */
        uint64_t clear_until_usec;
        SessionCounters counters;
} SessionParticipantInfo;

int session_participant_info(Session *session, uint32_t participant, SessionParticipantInfo *ret);
/* Keys (slots in use) in the whole session. */
uint32_t session_n_keys(Session *session);

typedef struct SessionInfo {
        uint64_t next_ratchet_usec;  /* earliest step by timer or join; USEC_INFINITY: none is due */
        uint64_t next_rotation_usec; /* earliest rotation that is due by age or was put off; USEC_INFINITY: none */
        bool fully_protected;        /* no stream carries frames that are not encrypted */
        bool followed;               /* see SESSION_EVENT_ALL_FOLLOWED */
} SessionInfo;

void session_info(Session *session, SessionInfo *ret);
/* Changes the ratchet policy from now on; intervals count from the last step. */
void session_set_ratchet(Session *session, const RatchetPolicy *policy);
