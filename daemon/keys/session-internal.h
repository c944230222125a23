/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The structs behind session.h, for the files that implement it: session.c (who is in the call),
 * slot.c (one key index of one participant), window.c (replay windows), frame.c and trailer-frame.c
 * (a frame), stream.c (how a stream fares), sender.c (what is sent under), life.c (what time and
 * use do to keys), rotate.c (fresh keys), derive.c (what waits for a derivation), security-code.c.
 * Everything here is guarded by Session.lock, except where said.
 */
#pragma once

#include "keys/budget.h"
#include "keys/chain.h"
#include "keys/deriver.h"
#include "keys/frame.h"
#include "keys/seen.h"
#include "keys/session.h"
#include "util/turnstile.h"

/* What time and use do to a key. A sending key's is at its slot, the shared sending key's at SharedKey. */
typedef struct KeyLife {
        SessionOrigin origin;
        uint64_t installed_usec;
        uint64_t sequence;        /* of installations in this session: a larger one is newer */
        uint64_t superseded_usec; /* since when a newer key is used in its place; 0: it is not */
        /* Sending keys: */
        uint64_t next_step_usec; /* by timer */
        uint64_t frames;         /* sealed under the current step */
        uint64_t bytes;
        uint64_t attend_frames; /* from here on the main thread has something to do */
        uint64_t attend_bytes;
        SessionReason step_wanted; /* as soon as the next step is derived; 0: not wanted */
        bool asked_use;            /* a rotation, for its use */
        bool asked_age;            /* ... for its age */
        bool told_expiring;
} KeyLife;

/* What is sent under. */
typedef struct Sender {
        uint32_t active;  /* SESSION_ACTIVE: none */
        uint32_t planned; /* becomes active at planned_usec; SESSION_ACTIVE: none */
        uint64_t planned_usec;
        bool at_key_frame;
        uint32_t moving; /* streams go over to this index, each at its next key frame; SESSION_ACTIVE: none */
        uint64_t moving_until_usec;
        uint32_t making; /* a fresh key for this index is on its way; SESSION_ACTIVE: none */
} Sender;

/* One derived key in use at a participant. */
typedef struct Generation {
        struct Generation *next; /* in KeySlot.previous: the one before */
        uint64_t id;             /* never used twice */
        uint32_t step;
        ChainHandle *handle;
        uint64_t frames;
        uint64_t bytes;
        uint64_t dies_usec; /* of a previous generation: when its grace ends */
        Seen *merged;       /* what channels that are gone have accepted; NULL: nothing */
} Generation;

/* One key index of one participant. An empty slot has no chain. */
typedef struct KeySlot {
        Chain *chain;
        Generation *current;
        Generation *previous; /* receivers only: through the grace time, newest first, skipped steps among them */
        Budget trials;
        KeyLife life;
        uint64_t kid;            /* SFrame: of step 0 of the key that is, or was here */
        uint32_t ratchet_bits;   /* ... of its KID */
        uint64_t last_good_usec; /* of an opened frame */
        uint64_t forged;         /* frames */
        ReplaySet *dead;         /* some IVs of the generation that died last: its frames are too old, not forged */
        uint32_t behind_step;    /* retain-root: last step before the current one that opened a frame */
        bool behind;             /* ... and further ones are to be derived from there */
        uint32_t reported_step;  /* what the last SESSION_EVENT_RATCHETED said */
        bool retired;            /* there was a key here that has been wiped */
} KeySlot;

/* Replay windows of one participant on one channel, one for each generation. */
typedef struct WindowGroup {
        struct WindowGroup *next;
        const void *channel; /* identity only */
        unsigned n_refs;     /* grants of this channel that receive from this participant */
        size_t n;
        size_t allocated;
        struct Window {
                uint64_t generation;
                Seen *seen;
        } * windows;
} WindowGroup;

typedef struct Participant {
        uint32_t id;
        bool local;
        bool follows_window;
        bool dirty;           /* a data thread changed something here, see session_mark() */
        uint64_t attend_usec; /* when time changes something here; main thread */
        Sender sender;        /* shared mode: a copy of the session's */
        KeySlot *slots;       /* ring_size of them */
        uint32_t good_index;  /* of the last frame that opened; SESSION_ACTIVE: none yet */
        FrameGrant *grants;
        WindowGroup *groups;
        int last_verdict;
        uint64_t last_frame_usec;
        uint32_t wanted_index;
        uint64_t member; /* MLS: context and index as they stand in the KID, without the epoch */
        SessionClear clear;
        uint64_t clear_until_usec;
        SessionCounters counters;
} Participant;

/* The key all participants have, by index; participants' slots refer to the same chain. Of an MLS epoch it is what
 * their keys are made of, and each has a chain of its own. */
typedef struct SharedKey {
        Chain *chain;
        uint32_t step; /* where senders stand */
        uint64_t generation;
        KeyLife life;
        uint32_t reported_step;
} SharedKey;

typedef struct SessionJob SessionJob;

/* How a stream fares (stream.c). */
typedef struct StreamHealth {
        SessionStreamState state; /* by its last frame that tells */
        SessionStreamState told;  /* what the last event said; OK: all is well */
        uint64_t told_usec;
        uint64_t failed; /* frames in a row */
        uint64_t failing_since_usec;
        uint64_t resumed_after; /* `failed` when it recovered */
        uint64_t last_frame_usec;
        uint32_t seen_index;
        bool news; /* for the main thread */
} StreamHealth;

struct FrameGrant {
        FrameGrant *next; /* of the same participant */
        uint32_t
                last_index; /* SFrame: of the slot whose key opened a frame last; another stream may have replaced it */
        Session *session;
        const struct FormatOps *ops; /* of the session's format; frame.c */
        Participant *participant;    /* NULL: it left, everything is refused */
        WindowGroup *group;          /* decrypting grants only */
        enum framekey_direction direction;
        enum framekey_media media;
        const void *channel;
        uint32_t id; /* of the stream */
        StreamHealth health;
        uint64_t last_generation; /* of the last good frame */
        const Chain *last_chain;  /* identity only */
        bool failing;             /* the last frame did not open */
        bool moved;               /* sends under Sender.moving already */
        /* DAVE: the highest count of a frame that opened, and under which epoch's key. */
        uint64_t newest_count;
        const Chain *newest_chain; /* identity only */
        /* Where the frames of the newest generation begin, as far as the client tells. */
        bool has_horizon;
        uint32_t horizon_ssrc;
        uint32_t horizon_timestamp;
};

/* Joins, or leaves, that are answered together. */
typedef struct Coalesced {
        uint64_t due_usec;  /* USEC_INFINITY: nothing is asked for */
        uint64_t last_usec; /* when it was done last; 0: never */
        bool must;
} Coalesced;

typedef struct QueuedEvent {
        struct QueuedEvent *next;
        SessionEvent event;
} QueuedEvent;

struct Session {
        Plane *plane;
        Session *next; /* in the plane's list; main thread */
        SessionConfig config;
        SessionEventHandler handler;
        void *userdata;
        SessionJob *jobs;           /* derivations on their way; main thread */
        struct SecurityCode *codes; /* codes on their way; main thread */

        Turnstile lock;
        atomic_bool dirty;        /* a data thread changed something the main thread must look at */
        uint64_t attend_usec;     /* when time changes something; main thread */
        uint64_t look_again_usec; /* when to look ahead again, after that failed; 0: it did not; main thread */

        Participant **participants; /* by id; NULL: gone */
        size_t n_participants;
        size_t allocated;
        Sender shared_sender;
        SharedKey *shared; /* ring_size of them; NULL in participant mode */
        uint64_t last_sequence;
        Budget trials;
        size_t replay_room;  /* bytes by which replay windows may still grow */
        bool follow_pending; /* a key changed and SESSION_EVENT_ALL_FOLLOWED has not come */
        Coalesced joined, left;
        ReplaySet *packages; /* wrapped keys that were imported; NULL: none; main thread */
        QueuedEvent *events; /* oldest first; main thread */
        QueuedEvent **events_end;
};

/* slot.c */
/* Puts the key at `step` of `chain` here. The same key again keeps its generation, so that its counters and replay
 * windows live on. 0; -ENOENT; -ENOMEM, the slot unchanged. */
int slot_install(Participant *participant, KeySlot *slot, Chain *chain, uint32_t step, uint64_t generation);
/* Moves to `step` of the slot's chain. With `grace_until_usec` the current generation stays until then, else it is
 * wiped. A step that still has a generation gets that one back. */
int slot_step(Participant *participant, KeySlot *slot, uint32_t step, uint64_t grace_until_usec);
/* Adds a generation for an earlier step that the chain knows (retain-root), behind the current one and never to die.
 * 0; -ENOENT; -ENOMEM. */
int slot_know(Participant *participant, KeySlot *slot, uint32_t step, Generation **ret);
/* Wipes previous generations that are due. True if one was wiped, and the last step of those. */
bool slot_expire(Participant *participant, KeySlot *slot, uint64_t now_usec, uint32_t *ret_step);
/* Wipes everything. */
void slot_clear(Participant *participant, KeySlot *slot);
uint64_t generation_next_id(void);

/* window.c */
int window_group_get(Participant *participant, const void *channel, uint32_t ring_size, WindowGroup **ret);
/* Gives a reference back; the last one merges the windows into the generations. Takes NULL. */
void window_group_put(Participant *participant, WindowGroup *group, uint32_t ring_size);
/* As seen_check(), over what this channel has accepted, and all others had when it came. */
int window_check(const WindowGroup *group, const Generation *generation, uint64_t number);
/* 0; -ENOMEM: not added, so the frame must not be delivered. */
int window_add(WindowGroup *group, const Generation *generation, const SeenKind *kind, uint64_t number);
/* Adds all IVs that any channel has accepted under this generation. */
void window_collect_ivs(const Participant *participant, const Generation *generation, ReplaySet *into);
/* Forgets a generation everywhere. */
void window_drop(Participant *participant, Generation *generation);

/* stream.c */
/* What a frame's verdict says of its stream; any thread, with the lock. True: the main thread has something to tell. */
bool stream_note(StreamHealth *health, int verdict, uint64_t now_usec);
SessionStreamState stream_state(const StreamHealth *health, uint64_t now_usec);
/* Main thread, with the lock: posts what is to be told of the participant's streams. */
void stream_attend(Session *session, Participant *participant, uint64_t now_usec);

/* session.c */
Participant *session_find(const Session *session, uint32_t id);
/* Checks what all calls on an existing key check. `ret_participant` is NULL for the shared key. */
int session_find_key(Session *session, uint32_t id, uint32_t index, Participant **ret_participant);
/* Any thread that holds the lock: the main thread shall attend to this participant (NULL: to the session). */
void session_mark(Session *session, Participant *participant);

/* What a finished derivation does to the keys. */
int session_install(Session *session, uint32_t participant, uint32_t index, Chain *chain, uint32_t step,
                    SessionOrigin origin, uint64_t *ret_generation);
/* Where the key stands that session_ratchet() would move, and its chain. 0 or a SessionOutcome. */
int session_position(Session *session, uint32_t participant, uint32_t index, Chain **ret_chain, uint32_t *ret_step);
/* Moves it there. */
int session_move(Session *session, uint32_t participant, uint32_t index, uint32_t step);

/* sender.c: with the lock held */
extern const Sender sender_none;
/* The participant's sender, or the shared one (SESSION_SHARED). NULL: no such participant. */
Sender *sender_find(Session *session, uint32_t id);
/* The index that is sent under, SESSION_ACTIVE: none. */
uint32_t session_active(const Session *session, uint32_t id);
/* From now on; what was sent under until now is superseded. */
void sender_activate(Session *session, uint32_t id, uint32_t index, uint64_t now_usec);
/* Nothing is sent until a key comes, or one that is planned is due. */
void sender_stop(Session *session, uint32_t id);
/* Main thread: what is due. */
void sender_attend(Session *session, uint32_t id, uint64_t now_usec);
/* Where a frame of this stream is sent under; decides whether the stream goes over to a new key here. */
uint32_t sender_index(FrameGrant *grant, bool key_frame, uint64_t now_usec, bool *ret_key_frame_wanted);

/* life.c: with the lock held, main thread except where said */
/* The life of the key that is sent under with `index`, or of the slot; NULL: nothing there. */
KeyLife *life_find(Session *session, uint32_t id, uint32_t index);
void life_start(Session *session, KeyLife *life, SessionOrigin origin);
/* A sending key became active, or stepped. */
void life_restart(Session *session, KeyLife *life, uint64_t now_usec);
/* Counts a sealed frame; data threads. True: the main thread shall attend. */
bool life_count(KeyLife *life, size_t len);
/* Whether frames may still be sealed under it; data threads. */
bool life_may_seal(const Session *session, const KeyLife *life, uint64_t now_usec);
/* When the key dies, USEC_INFINITY: not planned. `last_good_usec` 0 for sending keys. */
uint64_t life_dies(const Session *session, const KeyLife *life, uint64_t last_good_usec);
/* Main thread: looks after what data threads changed and what time has ended; reports events. Returns when to call it
 * again (CLOCK_BOOTTIME) or USEC_INFINITY. Takes the lock itself. */
uint64_t session_attend(Session *session, uint64_t now_usec);
/* Main thread: queues an event; session_flush() calls the handler with them, without the lock. */
void session_post(Session *session, const SessionEvent *event);
void session_flush(Session *session);
/* Attend to this participant at that time. */
void session_attend_at(Session *session, Participant *participant, uint64_t usec);

/* rotate.c: main thread, with the lock held */
void rotate_key(Session *session, uint32_t id, SessionReason reason, SessionRotation *rotation);
void rotate_senders(Session *session, SessionReason reason, SessionRotation *rotation);
/* What joins and leaves ask for, when it is due. */
void rotate_attend(Session *session, uint64_t now_usec);

/* derive.c: main thread, with the lock held */
/* Drops the steps of this chain that nobody needs any more, and derives further ones ahead. */
void session_look_ahead(Session *session, uint32_t index, Chain *chain);
/* The same for all keys, some time after that failed for one. */
void session_look_again(Session *session, uint64_t now_usec);
/* As session_import(), for a key of any origin; with or without the lock. */
int derive_import(Session *session, uint32_t participant, uint32_t index, Secret *secret, const Schedule *schedule,
                  uint32_t step, SessionOrigin origin, SessionDone done, void *userdata);
/* How long a fresh secret of this schedule is. */
size_t derive_secret_len(const Schedule *schedule);
/* Installs a key that needs no derivation any more, by way of the deriver; the secrets are taken over. `package` is the
 * replay_tag() of what it came in. */
int derive_install(Session *session, uint32_t participant, uint32_t index, ScheduleStep *secrets,
                   const Schedule *schedule, uint32_t step, uint64_t package, SessionDone done, void *userdata);
/* Ends all derivations of a dying session: their callbacks get SESSION_CLOSED. Without the lock. */
void session_cancel_jobs(Session *session);

/* security-code.c: the same for codes. */
void session_cancel_codes(Session *session);
