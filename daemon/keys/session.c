/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who is in the call and which keys they have: participants, shared keys, activation, removal. */
#include "keys/session-internal.h"

#include "keys/plane-internal.h"
#include "util/clock.h"

/* The main thread's way in; see session_enter() for the data threads'. */
void session_lock(Session *session) {
        atomic_fetch_add(&session->n_waiting, 1);
        (void)pthread_mutex_lock(&session->lock);
        atomic_fetch_sub(&session->n_waiting, 1);
}

void session_unlock(Session *session) {
        (void)pthread_mutex_unlock(&session->lock);
}

static bool config_valid(const SessionConfig *config) {
        uint32_t window = config->replay_window;

        return frame_overhead(config->format) > 0 && config->ring_size >= 1 && config->ring_size <= SESSION_RING_MAX &&
               config->ratchet_window <= SESSION_WINDOW_MAX &&
               config->server_trailer_len <= SESSION_SERVER_TRAILER_MAX &&
               (window == 0 ||
                (window >= SESSION_REPLAY_MIN && window <= SESSION_REPLAY_MAX && (window & (window - 1)) == 0));
}

int session_new(Session **ret, Plane *plane, const SessionConfig *config, SessionEventHandler handler, void *userdata) {
        Session *session;

        if (!config_valid(config))
                return -EINVAL;
        session = calloc(1, sizeof(*session));
        if (!session)
                return -ENOMEM;
        if (config->shared) {
                session->shared = calloc(config->ring_size, sizeof(*session->shared));
                if (!session->shared) {
                        free(session);
                        return -ENOMEM;
                }
        }

        session->plane = plane;
        session->config = *config;
        session->handler = handler;
        session->userdata = userdata;
        session->shared_active = SESSION_ACTIVE;
        session->attend_usec = USEC_INFINITY;
        (void)pthread_mutex_init(&session->lock, NULL); /* default attributes cannot fail */
        plane_add_session(plane, session);
        *ret = session;
        return 0;
}

static void participant_free(Session *session, Participant *participant) {
        for (FrameGrant *grant = participant->grants; grant; grant = grant->next) {
                grant->participant = NULL;
                grant->group = NULL;
        }
        for (uint32_t i = 0; i < session->config.ring_size; i++)
                slot_clear(participant, &participant->slots[i]);
        while (participant->groups) {
                WindowGroup *group = participant->groups;

                participant->groups = group->next;
                free(group->windows); /* slot_clear() has emptied it */
                free(group);
        }
        free(participant->slots);
        free(participant);
}

Session *session_free(Session *session) {
        if (!session)
                return NULL;
        session_cancel_jobs(session);
        plane_remove_session(session->plane, session);

        for (size_t i = 0; i < session->n_participants; i++)
                if (session->participants[i])
                        participant_free(session, session->participants[i]);
        for (uint32_t i = 0; session->shared && i < session->config.ring_size; i++)
                chain_unref(session->shared[i].chain);
        free(session->shared);
        free(session->participants);
        (void)pthread_mutex_destroy(&session->lock);
        free(session);
        return NULL;
}

const SessionConfig *session_config(const Session *session) {
        return &session->config;
}

Participant *session_find(const Session *session, uint32_t id) {
        return id < session->n_participants ? session->participants[id] : NULL;
}

static int reserve_participant(Session *session) {
        size_t allocated = session->allocated ? session->allocated * 2 : 8;
        Participant **participants;

        if (session->n_participants < session->allocated)
                return 0;
        participants = reallocarray(session->participants, allocated, sizeof(*participants));
        if (!participants)
                return -ENOMEM;
        session->participants = participants;
        session->allocated = allocated;
        return 0;
}

/* Gives a newcomer the shared keys: a sender where senders stand, a receiver at the oldest step that is left, so that
 * the window can find a sender that is behind. */
static int install_shared(Session *session, Participant *participant) {
        for (uint32_t i = 0; session->shared && i < session->config.ring_size; i++) {
                SharedKey *key = &session->shared[i];
                int r;

                if (!key->chain)
                        continue;
                r = slot_install(participant, &participant->slots[i], key->chain,
                                 participant->local ? key->step : chain_first(key->chain), generation_next_id());
                if (r < 0)
                        return r;
        }
        participant->active = participant->local ? session->shared_active : SESSION_ACTIVE;
        return 0;
}

int session_add_participant(Session *session, bool local, uint32_t *ret_participant) {
        Participant *participant = calloc(1, sizeof(*participant));
        int r;

        if (!participant)
                return -ENOMEM;
        participant->slots = calloc(session->config.ring_size, sizeof(*participant->slots));
        if (!participant->slots) {
                free(participant);
                return -ENOMEM;
        }
        participant->local = local;
        participant->active = SESSION_ACTIVE;
        participant->wanted_index = SESSION_ACTIVE;

        session_lock(session);
        r = reserve_participant(session);
        if (r == 0)
                r = install_shared(session, participant);
        if (r < 0)
                participant_free(session, participant);
        else {
                participant->id = (uint32_t)session->n_participants;
                session->participants[session->n_participants++] = participant;
                *ret_participant = participant->id;
        }
        session_unlock(session);
        return r;
}

int session_remove_participant(Session *session, uint32_t id) {
        Participant *participant = session_find(session, id);

        if (!participant)
                return SESSION_NO_PARTICIPANT;
        session_lock(session);
        session->participants[id] = NULL;
        participant_free(session, participant);
        session_unlock(session);
        return 0;
}

static void activate(Session *session, Participant *participant, uint32_t index) {
        if (participant) {
                participant->active = index;
                return;
        }
        session->shared_active = index;
        for (size_t i = 0; i < session->n_participants; i++)
                if (session->participants[i] && session->participants[i]->local)
                        session->participants[i]->active = index;
}

/* Wipes the shared key under `index` at everybody. */
static void clear_everywhere(Session *session, uint32_t index) {
        for (size_t i = 0; i < session->n_participants; i++)
                if (session->participants[i])
                        slot_clear(session->participants[i], &session->participants[i]->slots[index]);
        session->shared[index].chain = chain_unref(session->shared[index].chain);
}

static int install_everywhere(Session *session, uint32_t index, Chain *chain, uint32_t step) {
        SharedKey *key = &session->shared[index];
        int r = 0;

        for (size_t i = 0; i < session->n_participants && r == 0; i++) {
                Participant *participant = session->participants[i];

                if (participant)
                        r = slot_install(participant, &participant->slots[index], chain, step, generation_next_id());
        }
        if (r < 0) { /* a key that some have and some have not is worse than none */
                clear_everywhere(session, index);
                return r;
        }

        chain_ref(chain);
        chain_unref(key->chain);
        *key = (SharedKey){ .chain = chain, .step = step, .generation = generation_next_id() };
        return 0;
}

int session_install(Session *session, uint32_t id, uint32_t index, Chain *chain, uint32_t step,
                    uint64_t *ret_generation) {
        Participant *participant = NULL;
        int r;

        if (id == SESSION_SHARED) {
                r = install_everywhere(session, index, chain, step);
                if (r < 0)
                        return r;
                *ret_generation = session->shared[index].generation;
                if (session->shared_active == SESSION_ACTIVE)
                        activate(session, NULL, index);
                return 0;
        }

        participant = session_find(session, id);
        if (!participant)
                return SESSION_NO_PARTICIPANT;
        r = slot_install(participant, &participant->slots[index], chain, step, generation_next_id());
        if (r < 0)
                return r;
        *ret_generation = participant->slots[index].current->id;
        if (participant->local && participant->active == SESSION_ACTIVE)
                activate(session, participant, index);
        return 0;
}

/* Checks what all calls on an existing key check. `ret_participant` is NULL for the shared key. */
static int find_key(Session *session, uint32_t id, uint32_t index, Participant **ret_participant) {
        Participant *participant = NULL;

        if (id == SESSION_SHARED) {
                if (!session->shared)
                        return SESSION_WRONG_MODE;
        } else {
                participant = session_find(session, id);
                if (!participant)
                        return SESSION_NO_PARTICIPANT;
        }
        if (index >= session->config.ring_size)
                return index == SESSION_ACTIVE ? SESSION_NO_KEY : SESSION_BAD_INDEX;
        if (participant ? !participant->slots[index].chain : !session->shared[index].chain)
                return SESSION_NO_KEY;
        *ret_participant = participant;
        return 0;
}

uint32_t session_active(const Session *session, uint32_t id) {
        const Participant *participant = session_find(session, id);

        if (id == SESSION_SHARED)
                return session->shared_active;
        return participant ? participant->active : SESSION_ACTIVE;
}

int session_activate(Session *session, uint32_t id, uint32_t index) {
        Participant *participant;
        int r;

        session_lock(session);
        r = find_key(session, id, index, &participant);
        if (r == 0 && participant && session->config.shared)
                r = SESSION_WRONG_MODE;
        else if (r == 0 && participant && !participant->local)
                r = SESSION_WRONG_ROLE;
        if (r == 0)
                activate(session, participant, index);
        session_unlock(session);
        return r;
}

int session_position(Session *session, uint32_t id, uint32_t index, Chain **ret_chain, uint32_t *ret_step) {
        Participant *participant;
        int r;

        r = find_key(session, id, index, &participant);
        if (r != 0)
                return r;
        *ret_chain = participant ? participant->slots[index].chain : session->shared[index].chain;
        *ret_step = participant ? participant->slots[index].current->step : session->shared[index].step;
        return 0;
}

static int move(Session *session, Participant *participant, uint32_t index, uint32_t step) {
        KeySlot *slot = &participant->slots[index];
        /* A sender's old key is of no use to anybody; a receiver's still opens what is on the way. */
        uint64_t grace_until = participant->local ? 0 : clock_boottime_usec() + session->config.grace_usec;
        int r = slot_step(participant, slot, step, grace_until);

        if (r == 0)
                slot->reported_step = step;
        return r;
}

int session_move(Session *session, uint32_t id, uint32_t index, uint32_t step) {
        Participant *participant = session_find(session, id);
        int r = 0;

        atomic_store(&session->dirty, true); /* a grace may have begun */
        if (participant)
                return move(session, participant, index, step);

        session->shared[index].step = step;
        for (size_t i = 0; i < session->n_participants && r == 0; i++) {
                participant = session->participants[i];
                /* Receivers follow by their window; without one they have to be moved. */
                if (participant && participant->slots[index].chain == session->shared[index].chain &&
                    (participant->local || session->config.ratchet_window == 0))
                        r = move(session, participant, index, step);
        }
        return r;
}

int session_retire(Session *session, uint32_t id, uint32_t index) {
        Participant *participant;
        int r;

        session_lock(session);
        r = find_key(session, id, index, &participant);
        if (r == 0 && participant)
                slot_clear(participant, &participant->slots[index]);
        else if (r == 0)
                clear_everywhere(session, index);
        /* Nothing is sent until a key comes, and the first that comes is sent under again. */
        if (r == 0 && session_active(session, id) == index)
                activate(session, participant, SESSION_ACTIVE);
        session_unlock(session);
        return r;
}

void session_mark_dirty(Session *session) {
        if (!atomic_exchange(&session->dirty, true))
                plane_wake(session->plane);
}

/* One slot's part of session_attend(). True: `ret_event` is to be reported. */
static bool attend_slot(Session *session, Participant *participant, uint32_t index, uint64_t now_usec,
                        SessionEvent *ret_event) {
        KeySlot *slot = &participant->slots[index];

        if (!slot->chain)
                return false;
        *ret_event = (SessionEvent){ .participant = participant->id, .index = index };
        if (slot->reported_step != slot->current->step) {
                slot->reported_step = ret_event->step = slot->current->step;
                ret_event->type = SESSION_EVENT_RATCHETED;
                session_look_ahead(session, index, slot->chain);
                return true;
        }
        if (slot->previous) {
                ret_event->step = slot->previous->step; /* the newest that can have died */
                ret_event->type = SESSION_EVENT_WIPED;
                if (slot_expire(participant, slot, now_usec))
                        return true;
        }
        for (const Generation *previous = slot->previous; previous; previous = previous->next)
                session->attend_usec = MIN_OF(session->attend_usec, previous->dies_usec);
        return false;
}

uint64_t session_attend(Session *session, uint64_t now_usec) {
        SessionEvent event;

        if (!atomic_exchange(&session->dirty, false) && session->attend_usec > now_usec)
                return session->attend_usec;

        session->attend_usec = USEC_INFINITY;
        for (size_t i = 0; i < session->n_participants; i++)
                for (uint32_t index = 0; session->participants[i] && index < session->config.ring_size; index++) {
                        bool report;

                        /* The handler may talk to this session, so it is called without the lock. */
                        do {
                                session_lock(session);
                                report = attend_slot(session, session->participants[i], index, now_usec, &event);
                                session_unlock(session);
                                if (report && session->handler)
                                        session->handler(session, &event, session->userdata);
                        } while (report && session->participants[i]);
                }
        return session->attend_usec;
}
