/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The structs behind session.h, for the files that implement it: session.c (who is in the call),
 * slot.c (one key index of one participant), window.c (replay windows), frame.c (a frame).
 * Everything here is guarded by Session.lock, except where said.
 */
#pragma once

#include "keys/budget.h"
#include "keys/chain.h"
#include "keys/deriver.h"
#include "keys/frame.h"
#include "keys/replay.h"
#include "keys/session.h"

#include <pthread.h>
#include <stdatomic.h>

/* One derived key in use at a participant. */
typedef struct Generation {
        struct Generation *next; /* in KeySlot.previous: the one before */
        uint64_t id;             /* never used twice */
        uint32_t step;
        ChainHandle *handle;
        uint64_t frames;
        uint64_t bytes;
        uint64_t dies_usec; /* of a previous generation: when its grace ends */
        ReplaySet *merged;  /* what channels that are gone have accepted; NULL: nothing */
} Generation;

/* One key index of one participant. An empty slot has no chain. */
typedef struct KeySlot {
        Chain *chain;
        Generation *current;
        Generation *previous; /* receivers only: through the grace time, newest first, skipped steps among them */
        Budget trials;
        uint32_t reported_step; /* what the last SESSION_EVENT_RATCHETED said */
        bool retired;           /* there was a key here that has been wiped */
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
                ReplaySet *set;
        } * windows;
} WindowGroup;

typedef struct Participant {
        uint32_t id;
        bool local;
        uint32_t active; /* index sent under, SESSION_ACTIVE: none */
        KeySlot *slots;  /* ring_size of them */
        FrameGrant *grants;
        WindowGroup *groups;
        int last_verdict;
        uint64_t last_frame_usec;
        uint32_t wanted_index;
        SessionCounters counters;
} Participant;

/* The key all participants have, by index; participants' slots refer to the same chain. */
typedef struct SharedKey {
        Chain *chain;
        uint32_t step; /* where senders stand */
        uint64_t generation;
} SharedKey;

typedef struct SessionJob SessionJob;

struct FrameGrant {
        FrameGrant *next; /* of the same participant */
        Session *session;
        Participant *participant; /* NULL: it left, everything is refused */
        WindowGroup *group;       /* decrypting grants only */
        enum framekey_direction direction;
        enum framekey_media media;
        uint64_t last_generation; /* of the last good frame */
        bool failing;             /* the last frame did not open */
};

struct Session {
        Plane *plane;
        Session *next; /* in the plane's list; main thread */
        SessionConfig config;
        SessionEventHandler handler;
        void *userdata;
        SessionJob *jobs; /* derivations on their way; main thread */

        pthread_mutex_t lock;
        atomic_uint n_waiting; /* main thread wants the lock: data threads step back, see session_enter() */
        atomic_bool dirty;     /* a data thread changed something the main thread must look at */
        uint64_t attend_usec;  /* when the next grace ends; main thread */

        Participant **participants; /* by id; NULL: gone */
        size_t n_participants;
        size_t allocated;
        uint32_t shared_active;
        SharedKey *shared; /* ring_size of them; NULL in participant mode */
};

/* slot.c */
/* Puts the key at `step` of `chain` here. The same key again keeps its generation, so that its counters and replay
 * windows live on. 0; -ENOENT; -ENOMEM, the slot unchanged. */
int slot_install(Participant *participant, KeySlot *slot, Chain *chain, uint32_t step, uint64_t generation);
/* Moves to `step` of the slot's chain. With `grace_until_usec` the current generation stays until then, else it is
 * wiped. */
int slot_step(Participant *participant, KeySlot *slot, uint32_t step, uint64_t grace_until_usec);
/* Wipes previous generations that are due. True if one was wiped. */
bool slot_expire(Participant *participant, KeySlot *slot, uint64_t now_usec);
/* Wipes everything. */
void slot_clear(Participant *participant, KeySlot *slot);
uint64_t generation_next_id(void);

/* window.c */
int window_group_get(Participant *participant, const void *channel, WindowGroup **ret);
/* Gives a reference back; the last one merges the windows into the generations. Takes NULL. */
void window_group_put(Participant *participant, WindowGroup *group, uint32_t ring_size);
bool window_seen(const Participant *participant, const WindowGroup *group, const Generation *generation, uint64_t tag);
/* 0; -ENOMEM: not added, so the frame must not be delivered. */
int window_add(const Participant *participant, WindowGroup *group, const Generation *generation, uint32_t limit,
               uint64_t tag);
/* Forgets a generation everywhere. */
void window_drop(Participant *participant, Generation *generation);

/* session.c */
Participant *session_find(const Session *session, uint32_t id);
/* The index that is sent under, SESSION_ACTIVE: none. */
uint32_t session_active(const Session *session, uint32_t id);
/* Any thread that holds the lock: the main thread shall call session_attend(). */
void session_mark_dirty(Session *session);
/* Main thread: looks after what data threads changed and what time has ended; reports events. Returns when to call it
 * again (CLOCK_BOOTTIME) or USEC_INFINITY. */
uint64_t session_attend(Session *session, uint64_t now_usec);

/* derive.c: main thread, with the lock held */
/* Drops the steps of this chain that nobody needs any more, and derives further ones ahead. */
void session_look_ahead(Session *session, uint32_t index, Chain *chain);
/* Ends all derivations of a dying session: their callbacks get SESSION_CLOSED. Without the lock. */
void session_cancel_jobs(Session *session);

/* What a finished derivation does to the keys. */
int session_install(Session *session, uint32_t participant, uint32_t index, Chain *chain, uint32_t step,
                    uint64_t *ret_generation);
/* Where the key stands that session_ratchet() would move, and its chain. 0 or a SessionOutcome. */
int session_position(Session *session, uint32_t participant, uint32_t index, Chain **ret_chain, uint32_t *ret_step);
/* Moves it there. */
int session_move(Session *session, uint32_t participant, uint32_t index, uint32_t step);
