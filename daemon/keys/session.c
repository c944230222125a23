/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who is in the call and which keys they have: participants, shared keys, activation, removal. */
#include "keys/session-internal.h"

#include "format/sframe.h"
#include "keys/plane-internal.h"
#include "util/clock.h"

/* The main thread's way in; see session_enter() for the data threads'. */
void session_lock(Session *session) {
        turnstile_lock(&session->lock);
}

void session_unlock(Session *session) {
        turnstile_leave(&session->lock);
}

/* SFrame's and DAVE's keys have one sender each; of MLS each member makes its own of the epoch's. */
static bool mode_valid(const SessionConfig *config) {
        bool mls = config->mls_index_bits > 0 || config->mls_epoch_bits > 0;

        if (!mls)
                return !config->shared || !frame_counts(config->format);
        return config->format == FRAMEKEY_FORMAT_SFRAME && config->shared && config->mls_index_bits >= 1 &&
               config->mls_index_bits <= 48 && config->mls_epoch_bits >= 1 && config->mls_epoch_bits <= 8 &&
               config->ring_size == 1u << config->mls_epoch_bits;
}

static bool config_valid(const SessionConfig *config) {
        uint64_t send_limit_max = frame_counts(config->format) ? SESSION_COUNTER_MAX : SESSION_SEND_LIMIT_MAX;
        uint32_t window = config->replay_window;

        return mode_valid(config) && frame_overhead(config->format) > 0 && config->ring_size >= 1 &&
               config->ring_size <= SESSION_RING_MAX && config->ratchet_window <= SESSION_WINDOW_MAX &&
               config->server_trailer_len <= SESSION_SERVER_TRAILER_MAX &&
               config->send_limit >= SESSION_SEND_LIMIT_MIN && config->send_limit <= send_limit_max &&
               config->failure_limit > 0 &&
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
        session->replay_room = SESSION_REPLAY_ROOM;
        session->shared_sender = sender_none;
        session->attend_usec = session->joined.due_usec = session->left.due_usec = USEC_INFINITY;
        session->events_end = &session->events;
        turnstile_init(&session->lock);
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
        session_cancel_codes(session);
        plane_remove_session(session->plane, session);

        for (size_t i = 0; i < session->n_participants; i++)
                if (session->participants[i])
                        participant_free(session, session->participants[i]);
        for (uint32_t i = 0; session->shared && i < session->config.ring_size; i++)
                chain_unref(session->shared[i].chain);
        while (session->events) {
                QueuedEvent *queued = session->events;

                session->events = queued->next;
                free(queued);
        }
        replay_free(session->packages);
        free(session->shared);
        free(session->participants);
        turnstile_destroy(&session->lock);
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

static int claim(Session *session, Chain *chain, SessionOrigin origin) {
        int r = chain_claim(chain, plane_ledger(session->plane), origin == SESSION_GENERATED);

        return r == LEDGER_SPENT ? SESSION_SPENT : r == LEDGER_FULL ? -ENOSPC : r;
}

/* A member's key of an MLS epoch, as a chain of its own. */
static int member_chain(Session *session, const Participant *participant, uint32_t index, Chain *epoch,
                        SessionOrigin origin, Chain **ret) {
        _cleanup_(chain_unref_p) Chain *chain = NULL;
        const Ledger *ledger = plane_ledger(session->plane);
        Schedule schedule = *chain_schedule(epoch);
        uint8_t name[LEDGER_NAME_LEN];
        ScheduleStep *step = arena_alloc(arena_installed(), schedule_step_size(&schedule));
        int r;

        if (!step)
                return -ENOMEM;
        schedule.kid = participant->member | index;
        r = schedule_derive_member(&schedule, chain_at(epoch, 0), schedule.kid, step);
        if (r == 0)
                r = chain_new(&chain, &schedule, 0, step);
        if (r < 0) {
                arena_release(arena_installed(), step);
                return r;
        }
        if (participant->local && ledger) {
                r = ledger_name(ledger, step->sframe.key, schedule_key_len(&schedule), name);
                if (r < 0)
                        return r;
                chain_set_name(chain, name);
        }
        if (participant->local)
                r = claim(session, chain, origin);
        if (r == 0)
                *ret = take_ptr(chain);
        return r;
}

/* Puts the shared key under `index` at a participant. */
static int install_for(Session *session, Participant *participant, uint32_t index, Chain *chain, uint32_t step,
                       SessionOrigin origin, uint64_t generation) {
        _cleanup_(chain_unref_p) Chain *own = NULL;
        int r;

        if (chain_schedule(chain)->kdf == SCHEDULE_EPOCH) {
                r = member_chain(session, participant, index, chain, origin, &own);
                if (r != 0)
                        return r;
                chain = own;
        }
        return slot_install(participant, &participant->slots[index], chain, step, generation);
}

/* Gives a newcomer the shared keys: a sender where senders stand, a receiver at the oldest step that is left, so that
 * the window can find a sender that is behind. */
static int install_shared(Session *session, Participant *participant) {
        for (uint32_t i = 0; session->shared && i < session->config.ring_size; i++) {
                SharedKey *key = &session->shared[i];
                int r;

                if (!key->chain)
                        continue;
                r = install_for(session, participant, i, key->chain,
                                participant->local ? key->step : chain_first(key->chain), key->life.origin,
                                generation_next_id());
                if (r != 0)
                        return r;
                participant->slots[i].life = key->life;
        }
        if (participant->local)
                participant->sender = session->shared_sender;
        return 0;
}

static int add_participant(Session *session, bool local, uint64_t member, uint32_t *ret_participant) {
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
        participant->member = member;
        participant->sender = sender_none;
        participant->attend_usec = USEC_INFINITY;
        participant->good_index = participant->wanted_index = SESSION_ACTIVE;

        session_lock(session);
        r = reserve_participant(session);
        if (r == 0)
                r = install_shared(session, participant);
        if (r != 0)
                participant_free(session, participant);
        else {
                participant->id = (uint32_t)session->n_participants;
                session->participants[session->n_participants++] = participant;
                *ret_participant = participant->id;
        }
        session_unlock(session);
        return r;
}

int session_add_participant(Session *session, bool local, uint32_t *ret_participant) {
        return session->config.mls_index_bits > 0 ? SESSION_NO_MEMBER
                                                  : add_participant(session, local, 0, ret_participant);
}

int session_add_member(Session *session, bool local, uint64_t context, uint64_t index, uint32_t *ret_participant) {
        const SFrameMlsLayout layout = { .index_bits = session->config.mls_index_bits,
                                         .epoch_bits = session->config.mls_epoch_bits };
        const SFrameMlsKid parts = { .context = context, .index = index };
        uint64_t member;

        if (layout.index_bits == 0)
                return SESSION_NO_MEMBER;
        if (sframe_mls_pack(layout, &parts, &member) != 0)
                return -ERANGE;
        for (size_t i = 0; i < session->n_participants; i++)
                if (session->participants[i] && session->participants[i]->member == member)
                        return SESSION_KEY_EXISTS;
        return add_participant(session, local, member, ret_participant);
}

int session_allow_clear(Session *session, uint32_t id, SessionClear what, uint64_t usec) {
        Participant *participant = session_find(session, id);
        uint64_t now = clock_boottime_usec();

        if (!participant)
                return SESSION_NO_PARTICIPANT;
        if (session->config.format != FRAMEKEY_FORMAT_DAVE)
                return -EOPNOTSUPP;
        if (participant->local)
                return SESSION_WRONG_ROLE;
        session_lock(session);
        participant->clear = what;
        participant->clear_until_usec = usec > USEC_INFINITY - now ? USEC_INFINITY : now + usec;
        session_unlock(session);
        return 0;
}

int session_set_follows_window(Session *session, uint32_t id, bool follows) {
        Participant *participant = session_find(session, id);

        if (!participant)
                return SESSION_NO_PARTICIPANT;
        participant->follows_window = follows; /* main thread only */
        return 0;
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

/* Wipes the shared key under `index` at everybody. */
static void clear_everywhere(Session *session, uint32_t index) {
        for (size_t i = 0; i < session->n_participants; i++)
                if (session->participants[i])
                        slot_clear(session->participants[i], &session->participants[i]->slots[index]);
        session->shared[index].chain = chain_unref(session->shared[index].chain);
}

/* What a fresh key under this index has a new life for; the same key again goes on with its old one. */
static void begin_life(Session *session, Participant *participant, uint32_t index, SessionOrigin origin,
                       uint64_t generation) {
        KeySlot *slot = &participant->slots[index];

        if (slot->current->id == generation) {
                life_start(session, &slot->life, origin);
                if (participant->good_index == index)
                        participant->good_index = SESSION_ACTIVE; /* that was another key */
        } else
                slot->life.superseded_usec = 0;
        session_mark(session, participant);
}

static int install_everywhere(Session *session, uint32_t index, Chain *chain, uint32_t step, SessionOrigin origin) {
        SharedKey *key = &session->shared[index];
        int r = 0;

        for (size_t i = 0; i < session->n_participants && r == 0; i++) {
                Participant *participant = session->participants[i];
                uint64_t generation = generation_next_id();

                if (!participant)
                        continue;
                r = install_for(session, participant, index, chain, step, origin, generation);
                if (r == 0)
                        begin_life(session, participant, index, origin, generation);
        }
        if (r != 0) { /* a key that some have and some have not is worse than none */
                clear_everywhere(session, index);
                return r;
        }

        chain_ref(chain);
        chain_unref(key->chain);
        *key = (SharedKey){ .chain = chain, .step = step, .generation = generation_next_id() };
        life_start(session, &key->life, origin);
        return 0;
}

/* Another key under a KID that is in use is an accident as a rule, and costs whatever is on the way under the old one:
 * it has to be asked for. */
static int admit_kid(Participant *participant, uint32_t ring_size, uint32_t index, Chain *chain) {
        const Schedule *schedule = chain_schedule(chain);

        for (uint32_t i = 0; i < ring_size; i++) {
                KeySlot *slot = &participant->slots[i];

                if (!slot->chain || slot->kid != schedule->kid || (i == index && chain_same_name(slot->chain, chain)))
                        continue;
                if (!schedule->replace)
                        return SESSION_KEY_EXISTS;
                if (i != index)
                        slot_clear(participant, slot);
        }
        return 0;
}

/* What a key that counts has to pass: one sender, one key under a KID, no counter twice (RFC 9605, 9.1). */
static int admit(Session *session, Participant *participant, uint32_t index, Chain *chain, SessionOrigin origin) {
        for (size_t i = 0; i < session->n_participants; i++) {
                const Participant *other = session->participants[i];

                if (!other || other->local == participant->local)
                        continue;
                for (uint32_t k = 0; k < session->config.ring_size; k++)
                        if (other->slots[k].chain && chain_same_name(other->slots[k].chain, chain))
                                return SESSION_BOTH_WAYS;
        }
        if (participant->local) {
                int r = claim(session, chain, origin);

                if (r != 0)
                        return r;
        }
        return session->config.format == FRAMEKEY_FORMAT_SFRAME
                       ? admit_kid(participant, session->config.ring_size, index, chain)
                       : 0;
}

int session_install(Session *session, uint32_t id, uint32_t index, Chain *chain, uint32_t step, SessionOrigin origin,
                    uint64_t *ret_generation) {
        uint64_t now = clock_boottime_usec(), generation = generation_next_id();
        Participant *participant = session_find(session, id);
        int r;

        if (id != SESSION_SHARED && !participant)
                return SESSION_NO_PARTICIPANT;
        session->last_sequence++;
        if (id == SESSION_SHARED) {
                r = install_everywhere(session, index, chain, step, origin);
                if (r != 0)
                        return r;
                *ret_generation = session->shared[index].generation;
        } else {
                r = frame_counts(session->config.format) ? admit(session, participant, index, chain, origin) : 0;
                if (r == 0)
                        r = slot_install(participant, &participant->slots[index], chain, step, generation);
                if (r != 0)
                        return r;
                begin_life(session, participant, index, origin, generation);
                *ret_generation = participant->slots[index].current->id;
        }

        session->follow_pending = true;
        session_mark(session, participant);
        /* The first key, or another one in the place of what is sent under. */
        if ((id == SESSION_SHARED || participant->local) &&
            (session_active(session, id) == SESSION_ACTIVE || session_active(session, id) == index))
                sender_activate(session, id, index, now);
        return 0;
}

int session_find_key(Session *session, uint32_t id, uint32_t index, Participant **ret_participant) {
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

int session_position(Session *session, uint32_t id, uint32_t index, Chain **ret_chain, uint32_t *ret_step) {
        Participant *participant;
        int r;

        r = session_find_key(session, id, index, &participant);
        if (r != 0)
                return r;
        *ret_chain = participant ? participant->slots[index].chain : session->shared[index].chain;
        *ret_step = participant ? participant->slots[index].current->step : session->shared[index].step;
        return 0;
}

static uint64_t grace_until(const Session *session, uint64_t now_usec) {
        return session->config.retain_root ? USEC_INFINITY : now_usec + session->config.grace_usec;
}

static int move(Session *session, Participant *participant, uint32_t index, uint32_t step, uint64_t now_usec) {
        KeySlot *slot = &participant->slots[index];
        /* A sender's old key is of no use to anybody; a receiver's still opens what is on the way. */
        int r = slot_step(participant, slot, step, participant->local ? 0 : grace_until(session, now_usec));

        if (r == 0)
                slot->reported_step = step;
        return r;
}

int session_move(Session *session, uint32_t id, uint32_t index, uint32_t step) {
        Participant *participant = session_find(session, id);
        uint64_t now = clock_boottime_usec();
        int r = 0;

        session->follow_pending = true;
        session_mark(session, participant); /* a grace may have begun */
        if (participant) {
                r = move(session, participant, index, step, now);
                if (r == 0)
                        life_restart(session, &participant->slots[index].life, now);
                return r;
        }

        session->shared[index].step = step;
        life_restart(session, &session->shared[index].life, now);
        for (size_t i = 0; i < session->n_participants && r == 0; i++) {
                participant = session->participants[i];
                /* Receivers follow by their window; without one they have to be moved. */
                if (participant && participant->slots[index].chain == session->shared[index].chain &&
                    (participant->local || session->config.ratchet_window == 0)) {
                        r = move(session, participant, index, step, now);
                        session_mark(session, participant);
                }
        }
        return r;
}

int session_retire(Session *session, uint32_t id, uint32_t index) {
        Participant *participant;
        int r;

        session_lock(session);
        r = session_find_key(session, id, index, &participant);
        if (r == 0 && participant)
                slot_clear(participant, &participant->slots[index]);
        else if (r == 0)
                clear_everywhere(session, index);
        /* Nothing is sent until a key comes, and the first that comes is sent under again. */
        if (r == 0 && session_active(session, id) == index)
                sender_stop(session, id);
        session_unlock(session);
        return r;
}

void session_mark(Session *session, Participant *participant) {
        if (participant)
                participant->dirty = true;
        if (!atomic_exchange(&session->dirty, true))
                plane_wake(session->plane);
}
