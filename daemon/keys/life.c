/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What time and use do to keys: steps of the ratchet policy, requests for fresh keys, the deaths of
 * old ones; and the events by which the owner hears of it.
 *
 *   installed ... rotation due (age) ... expiring told (9/10 of the maximum age) ... refused, wiped
 *   frames 0 ... rotation due (1/2 of the limit) ... steps by itself (3/4) ... refused
 *
 * Data threads count and mark; everything is done by session_attend() on the main thread. Times
 * are CLOCK_BOOTTIME, so a suspend counts and a set clock does not; one late expiry is one step.
 */
#include "keys/session-internal.h"

#include "util/clock.h"

/* Participants without an opened frame for this long do not have to have followed. */
#define FOLLOW_IDLE_USEC (10 * USEC_PER_SEC)

KeyLife *life_find(Session *session, uint32_t id, uint32_t index) {
        Participant *participant;

        participant = session_find(session, id);
        if (!participant && !session->shared)
                return NULL;
        if (!participant || (participant->local && session->shared))
                return session->shared[index].chain ? &session->shared[index].life : NULL;
        return participant->slots[index].chain ? &participant->slots[index].life : NULL;
}

void life_start(Session *session, KeyLife *life, SessionOrigin origin) {
        *life = (KeyLife){
                .origin = origin,
                .installed_usec = clock_boottime_usec(),
                .sequence = session->last_sequence,
                .next_step_usec = USEC_INFINITY,
                .attend_frames = UINT64_MAX,
                .attend_bytes = UINT64_MAX,
        };
}

static uint64_t use_asks(const Session *session) {
        return session->config.send_limit / 2;
}

static uint64_t use_steps(const Session *session) {
        return session->config.send_limit / 4 * 3;
}

/* At which counts the main thread has something to do next. */
static void plan_counts(const Session *session, KeyLife *life) {
        const RatchetPolicy *policy = &session->config.ratchet;

        life->attend_frames = life->attend_bytes = UINT64_MAX;
        if (!life->asked_use)
                life->attend_frames = use_asks(session);
        if (life->step_wanted)
                return;
        life->attend_frames = MIN_OF(life->attend_frames, use_steps(session));
        if (policy->frames > 0)
                life->attend_frames = MIN_OF(life->attend_frames, policy->frames);
        if (policy->bytes > 0)
                life->attend_bytes = policy->bytes;
}

void life_restart(Session *session, KeyLife *life, uint64_t now_usec) {
        uint64_t interval = session->config.ratchet.interval_usec;

        life->frames = life->bytes = 0;
        life->step_wanted = 0;
        life->asked_use = false;
        life->next_step_usec = interval > 0 ? now_usec + interval : USEC_INFINITY;
        plan_counts(session, life);
}

bool life_count(KeyLife *life, size_t len) {
        life->frames++;
        life->bytes += len;
        if (life->frames < life->attend_frames && life->bytes < life->attend_bytes)
                return false;
        life->attend_frames = life->attend_bytes = UINT64_MAX; /* once is enough */
        return true;
}

bool life_may_seal(const Session *session, const KeyLife *life, uint64_t now_usec) {
        uint64_t age = session->config.maximum_age_usec;

        return life->frames < session->config.send_limit && (age == 0 || now_usec < life->installed_usec + age);
}

uint64_t life_dies(const Session *session, const KeyLife *life, uint64_t last_good_usec) {
        const SessionConfig *config = &session->config;
        uint64_t dies = USEC_INFINITY, used = MAX_OF(life->superseded_usec, last_good_usec);

        if (config->maximum_age_usec > 0)
                dies = life->installed_usec + config->maximum_age_usec + config->grace_usec;
        if (life->superseded_usec > 0) {
                dies = MIN_OF(dies, used + config->grace_usec);
                dies = MIN_OF(dies, life->superseded_usec + MAX_OF(SESSION_SUPERSEDED_MAX_USEC, config->grace_usec));
        }
        return dies;
}

/* ---- events ---- */

void session_post(Session *session, const SessionEvent *event) {
        QueuedEvent *queued = malloc(sizeof(*queued));

        if (!queued)
                return; /* no memory: the owner misses it, and sees the state in the properties */
        *queued = (QueuedEvent){ .event = *event };
        *session->events_end = queued;
        session->events_end = &queued->next;
}

void session_flush(Session *session) {
        while (session->events) {
                QueuedEvent *queued = session->events;

                session->events = queued->next;
                if (!session->events)
                        session->events_end = &session->events;
                if (session->handler)
                        session->handler(session, &queued->event, session->userdata);
                free(queued);
        }
}

void session_attend_at(Session *session, Participant *participant, uint64_t usec) {
        if (participant)
                participant->attend_usec = MIN_OF(participant->attend_usec, usec);
        session->attend_usec = MIN_OF(session->attend_usec, usec);
}

/* ---- sending keys ---- */

static bool windows_follow(const Session *session) {
        bool any = false;

        for (size_t i = 0; i < session->n_participants; i++) {
                const Participant *participant = session->participants[i];

                if (!participant || participant->local)
                        continue;
                if (!participant->follows_window)
                        return false;
                any = true;
        }
        return any;
}

static void timer(Session *session, uint32_t id, KeyLife *life, uint64_t now_usec) {
        const RatchetPolicy *policy = &session->config.ratchet;

        if (life->next_step_usec > now_usec)
                return;
        life->next_step_usec = now_usec + policy->interval_usec;
        if (life->frames == 0)
                return; /* nothing to protect, and a peer without a window would miss the step */
        if (policy->only_if_followed && !windows_follow(session))
                rotate_key(session, id, SESSION_REASON_TIMER, NULL);
        else
                life->step_wanted = SESSION_REASON_TIMER;
}

static void use(Session *session, uint32_t id, KeyLife *life) {
        const RatchetPolicy *policy = &session->config.ratchet;

        if ((policy->frames > 0 && life->frames >= policy->frames) ||
            (policy->bytes > 0 && life->bytes >= policy->bytes) || life->frames >= use_steps(session))
                life->step_wanted = SESSION_REASON_USE;
        if (life->frames >= use_asks(session) && !life->asked_use) {
                life->asked_use = true;
                rotate_key(session, id, SESSION_REASON_USE, NULL);
        }
}

static uint64_t rotation_age(const Session *session) {
        uint64_t age = session->config.rotate_after_usec > 0 ? session->config.rotate_after_usec : USEC_INFINITY;

        if (session->config.maximum_age_usec > 0)
                age = MIN_OF(age, session->config.maximum_age_usec / 4 * 3);
        return age;
}

/* A time of the key's life; USEC_INFINITY stays that. */
static uint64_t at_age(const KeyLife *life, uint64_t age_usec) {
        return age_usec > USEC_INFINITY - life->installed_usec ? USEC_INFINITY : life->installed_usec + age_usec;
}

static void age(Session *session, uint32_t id, uint32_t index, KeyLife *life, uint64_t now_usec) {
        Participant *participant = session_find(session, id);
        uint64_t due = at_age(life, rotation_age(session)), maximum = session->config.maximum_age_usec;

        if (!life->asked_age && due <= now_usec) {
                life->asked_age = true;
                rotate_key(session, id, SESSION_REASON_AGE, NULL);
        }
        if (!life->asked_age)
                session_attend_at(session, participant, due);
        if (maximum == 0)
                return;
        if (!life->told_expiring && now_usec >= at_age(life, maximum / 10 * 9)) {
                life->told_expiring = true;
                session_post(session, &(SessionEvent){ .type = SESSION_EVENT_EXPIRING,
                                                       .participant = id,
                                                       .index = index,
                                                       .usec = at_age(life, maximum) });
        }
        if (!life->told_expiring)
                session_attend_at(session, participant, at_age(life, maximum / 10 * 9));
}

/* Takes the step that is due, if it is derived. If not, ahead_done() marks the session again. */
static void step(Session *session, uint32_t id, uint32_t index, SessionReason reason) {
        Chain *chain;
        uint32_t at;

        if (session_position(session, id, index, &chain, &at) != 0 || !schedule_steps_at_will(chain_schedule(chain)))
                return;
        if (chain_at(chain, at + 1) && session_move(session, id, index, at + 1) == 0)
                session_post(session, &(SessionEvent){ .type = SESSION_EVENT_RATCHETED,
                                                       .participant = id,
                                                       .index = index,
                                                       .step = at + 1,
                                                       .reason = reason });
        session_look_ahead(session, index, chain);
}

static void attend_sending(Session *session, uint32_t id, uint64_t now_usec) {
        Participant *participant = session_find(session, id);
        uint32_t index;
        KeyLife *life;

        sender_attend(session, id, now_usec);
        index = session_active(session, id);
        life = index == SESSION_ACTIVE ? NULL : life_find(session, id, index);
        if (!life)
                return;
        timer(session, id, life, now_usec);
        use(session, id, life);
        age(session, id, index, life, now_usec);
        if (life->step_wanted)
                step(session, id, index, life->step_wanted);
        plan_counts(session, life);
        session_attend_at(session, participant, life->next_step_usec);
}

/* ---- all keys ---- */

static void wiped(Session *session, uint32_t id, uint32_t index, uint32_t at, SessionReason reason) {
        session_post(
                session,
                &(SessionEvent){
                        .type = SESSION_EVENT_WIPED, .participant = id, .index = index, .step = at, .reason = reason });
}

/* A receiver that opened frames under a newer key has no use for the older ones. */
static void supersede_received(Session *session, Participant *participant, uint64_t now_usec) {
        const KeySlot *good;

        if (participant->local || participant->good_index == SESSION_ACTIVE || !session->config.retire_superseded)
                return;
        good = &participant->slots[participant->good_index];
        for (uint32_t i = 0; good->chain && i < session->config.ring_size; i++) {
                KeySlot *slot = &participant->slots[i];

                if (slot->chain && slot->life.sequence < good->life.sequence && slot->life.superseded_usec == 0)
                        slot->life.superseded_usec = now_usec;
        }
}

/* A key that is sent under dies of its age, and nobody was asked for another in time: the machine slept. */
static void ask_late(Session *session, uint32_t id, uint32_t index, KeyLife *life) {
        if (session_active(session, id) != index || life->asked_age || life->superseded_usec > 0)
                return;
        life->asked_age = true;
        rotate_key(session, id, SESSION_REASON_AGE, NULL);
}

/* The whole key dies: its time is over, or somebody guesses at it. */
static bool attend_death(Session *session, Participant *participant, uint32_t index, uint64_t now_usec) {
        KeySlot *slot = &participant->slots[index];
        uint64_t dies = life_dies(session, &slot->life, slot->last_good_usec);
        bool guessed = slot->forged >= session->config.failure_limit;

        if (session->shared && participant->local)
                return false; /* attend_shared() */
        if (dies > now_usec && !guessed) {
                session_attend_at(session, participant, dies);
                return false;
        }
        if (participant->local)
                ask_late(session, participant->id, index, &slot->life);
        wiped(session, participant->id, index, slot->current->step, guessed ? SESSION_REASON_FORGERIES : 0);
        if (guessed)
                session_post(session, &(SessionEvent){ .type = SESSION_EVENT_ROTATION_REQUESTED,
                                                       .participant = participant->id,
                                                       .index = (index + 1) % session->config.ring_size,
                                                       .reason = SESSION_REASON_FORGERIES });
        slot_clear(participant, slot);
        return true;
}

static void attend_slot(Session *session, Participant *participant, uint32_t index, uint64_t now_usec) {
        KeySlot *slot = &participant->slots[index];

        if (!slot->chain || attend_death(session, participant, index, now_usec))
                return;
        if (slot->reported_step != slot->current->step) {
                slot->reported_step = slot->current->step;
                session_post(session, &(SessionEvent){ .type = SESSION_EVENT_RATCHETED,
                                                       .participant = participant->id,
                                                       .index = index,
                                                       .step = slot->current->step });
                session_look_ahead(session, index, slot->chain);
        }
        if (slot->behind) {
                slot->behind = false;
                session_look_ahead(session, index, slot->chain);
        }
        if (slot->previous) {
                uint32_t last;

                if (slot_expire(participant, slot, now_usec, &last))
                        wiped(session, participant->id, index, last, 0);
        }
        for (const Generation *previous = slot->previous; previous; previous = previous->next)
                session_attend_at(session, participant, previous->dies_usec);
}

static void attend_participant(Session *session, Participant *participant, uint64_t now_usec) {
        participant->dirty = false;
        participant->attend_usec = USEC_INFINITY;
        supersede_received(session, participant, now_usec);
        for (uint32_t index = 0; index < session->config.ring_size; index++)
                attend_slot(session, participant, index, now_usec);
        if (participant->local && !session->shared)
                attend_sending(session, participant->id, now_usec);
        stream_attend(session, participant, now_usec);
}

static void attend_shared(Session *session, uint64_t now_usec) {
        for (uint32_t index = 0; index < session->config.ring_size; index++) {
                SharedKey *key = &session->shared[index];
                uint64_t dies = key->chain ? life_dies(session, &key->life, 0) : USEC_INFINITY;

                if (dies > now_usec) {
                        session_attend_at(session, NULL, dies);
                        continue;
                }
                ask_late(session, SESSION_SHARED, index, &key->life);
                wiped(session, SESSION_SHARED, index, key->step, 0);
                for (size_t i = 0; i < session->n_participants; i++)
                        if (session->participants[i] && session->participants[i]->local)
                                slot_clear(session->participants[i], &session->participants[i]->slots[index]);
                key->chain = chain_unref(key->chain);
        }
        attend_sending(session, SESSION_SHARED, now_usec);
}

/* ---- everybody in step ---- */

static bool has_followed(const Session *session, const Participant *participant) {
        const KeySlot *good = &participant->slots[participant->good_index];
        uint32_t index = participant->good_index;

        for (uint32_t i = 0; i < session->config.ring_size; i++)
                if (participant->slots[i].chain && participant->slots[i].life.sequence > good->life.sequence)
                        return false;
        return good->chain && (!session->shared || session->shared_sender.active != index ||
                               good->current->step >= session->shared[index].step);
}

static void attend_followers(Session *session, uint64_t now_usec) {
        bool any = false;

        for (size_t i = 0; session->follow_pending && i < session->n_participants; i++) {
                const Participant *participant = session->participants[i];

                if (!participant || participant->local || participant->good_index == SESSION_ACTIVE ||
                    participant->slots[participant->good_index].last_good_usec + FOLLOW_IDLE_USEC < now_usec)
                        continue;
                if (!has_followed(session, participant))
                        return;
                any = true;
        }
        if (!any)
                return;
        session->follow_pending = false;
        session_post(session, &(SessionEvent){ .type = SESSION_EVENT_ALL_FOLLOWED, .participant = SESSION_SHARED });
}

uint64_t session_attend(Session *session, uint64_t now_usec) {
        bool dirty = atomic_exchange(&session->dirty, false);

        if (!dirty && session->attend_usec > now_usec)
                return session->attend_usec;

        session->attend_usec = USEC_INFINITY;
        session_lock(session);
        session_look_again(session, now_usec);
        rotate_attend(session, now_usec);
        if (session->shared)
                attend_shared(session, now_usec);
        for (size_t i = 0; i < session->n_participants; i++) {
                Participant *participant = session->participants[i];

                if (!participant)
                        continue;
                if (participant->dirty || participant->attend_usec <= now_usec)
                        attend_participant(session, participant, now_usec);
                else
                        session->attend_usec = MIN_OF(session->attend_usec, participant->attend_usec);
        }
        attend_followers(session, now_usec);
        session_unlock(session);
        session_flush(session);
        return session->attend_usec;
}

/* ---- what can be asked and set ---- */

void session_set_ratchet(Session *session, const RatchetPolicy *policy) {
        uint64_t now = clock_boottime_usec(), before;

        session_lock(session);
        before = session->config.ratchet.interval_usec;
        session->config.ratchet = *policy;
        for (size_t i = 0; i <= session->n_participants; i++) {
                bool shared = i == session->n_participants;
                uint32_t id = shared ? SESSION_SHARED : (uint32_t)i, index;
                KeyLife *life;

                if (shared ? !session->shared : (!session->participants[i] || session->shared))
                        continue;
                index = session_active(session, id);
                life = index == SESSION_ACTIVE ? NULL : life_find(session, id, index);
                if (!life)
                        continue;
                if (policy->interval_usec == 0)
                        life->next_step_usec = USEC_INFINITY;
                else if (life->next_step_usec == USEC_INFINITY)
                        life->next_step_usec = now + policy->interval_usec;
                else
                        life->next_step_usec = life->next_step_usec - before + policy->interval_usec;
                plan_counts(session, life);
                session_mark(session, session_find(session, id));
        }
        session_unlock(session);
}

static void gather(Session *session, uint32_t id, SessionInfo *info) {
        uint32_t index = session_active(session, id);
        const KeyLife *life = index == SESSION_ACTIVE ? NULL : life_find(session, id, index);

        if (!life)
                return;
        info->next_ratchet_usec = MIN_OF(info->next_ratchet_usec, life->next_step_usec);
        if (!life->asked_age)
                info->next_rotation_usec = MIN_OF(info->next_rotation_usec, at_age(life, rotation_age(session)));
}

void session_info(Session *session, SessionInfo *ret) {
        *ret = (SessionInfo){ .fully_protected = true };
        session_lock(session);
        ret->next_ratchet_usec = session->joined.due_usec;
        ret->next_rotation_usec = session->left.due_usec;
        ret->followed = !session->follow_pending;
        if (session->shared)
                gather(session, SESSION_SHARED, ret);
        for (size_t i = 0; i < session->n_participants; i++) {
                const Participant *participant = session->participants[i];

                if (!participant)
                        continue;
                if (participant->local && !session->shared)
                        gather(session, participant->id, ret);
                for (const FrameGrant *grant = participant->grants; grant; grant = grant->next)
                        if (grant->health.state == SESSION_STREAM_UNENCRYPTED)
                                ret->fully_protected = false;
        }
        session_unlock(session);
}
