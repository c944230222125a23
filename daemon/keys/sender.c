/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is sent under: one active key index a sender, and how another takes its place - at once, at
 * a time, or stream by stream at key frames:
 *
 *   planned --(time)--> moving --(every stream had its key frame, or waited long enough)--> active
 *
 * In shared mode the session has the one sender, and its local participants have copies.
 */
#include "keys/session-internal.h"

#include "util/clock.h"

const Sender sender_none = {
        .active = SESSION_ACTIVE, .planned = SESSION_ACTIVE, .moving = SESSION_ACTIVE, .making = SESSION_ACTIVE
};

Sender *sender_find(Session *session, uint32_t id) {
        Participant *participant;

        if (id == SESSION_SHARED)
                return &session->shared_sender;
        participant = session_find(session, id);
        return participant ? &participant->sender : NULL;
}

uint32_t session_active(const Session *session, uint32_t id) {
        const Participant *participant = session_find(session, id);

        if (id == SESSION_SHARED)
                return session->shared_sender.active;
        return participant ? participant->sender.active : SESSION_ACTIVE;
}

/* Streams start anew with what they send under. */
static void forget_moves(Participant *participant) {
        for (FrameGrant *grant = participant->grants; grant; grant = grant->next)
                grant->moved = false;
}

/* Makes the senders of all it concerns what the one sender is. */
static void spread(Session *session, uint32_t id) {
        if (id != SESSION_SHARED) {
                forget_moves(session_find(session, id));
                return;
        }
        for (size_t i = 0; i < session->n_participants; i++) {
                Participant *participant = session->participants[i];

                if (participant && participant->local) {
                        participant->sender = session->shared_sender;
                        forget_moves(participant);
                }
        }
}

static void supersede(Session *session, Participant *participant, uint64_t sequence, uint64_t now_usec) {
        for (uint32_t i = 0; i < session->config.ring_size; i++) {
                KeySlot *slot = &participant->slots[i];

                if (slot->chain && slot->life.sequence < sequence && slot->life.superseded_usec == 0) {
                        slot->life.superseded_usec = now_usec;
                        session_mark(session, participant);
                }
        }
}

/* Older keys than the active one have no use any more, but for what is on its way. */
static void supersede_older(Session *session, uint32_t id, uint64_t sequence, uint64_t now_usec) {
        if (!session->config.retire_superseded)
                return;
        if (id != SESSION_SHARED) {
                supersede(session, session_find(session, id), sequence, now_usec);
                return;
        }
        for (uint32_t i = 0; i < session->config.ring_size; i++) {
                SharedKey *key = &session->shared[i];

                if (key->chain && key->life.sequence < sequence && key->life.superseded_usec == 0)
                        key->life.superseded_usec = now_usec;
        }
        for (size_t i = 0; i < session->n_participants; i++)
                if (session->participants[i] && !session->participants[i]->local)
                        supersede(session, session->participants[i], sequence, now_usec);
}

void sender_activate(Session *session, uint32_t id, uint32_t index, uint64_t now_usec) {
        Sender *sender = sender_find(session, id);
        uint32_t making = sender->making;
        KeyLife *life;

        *sender = sender_none;
        sender->making = making;
        sender->active = index;
        spread(session, id);
        session->follow_pending = true;
        session_mark(session, session_find(session, id));
        life = life_find(session, id, index);
        life->superseded_usec = 0;
        life_restart(session, life, now_usec);
        supersede_older(session, id, life->sequence, now_usec);
}

void sender_stop(Session *session, uint32_t id) {
        sender_find(session, id)->active = SESSION_ACTIVE;
        spread(session, id);
        session_mark(session, session_find(session, id));
}

static bool all_moved(const Session *session, uint32_t id) {
        for (size_t i = 0; i < session->n_participants; i++) {
                const Participant *participant = session->participants[i];

                if (!participant || !participant->local || (id != SESSION_SHARED && participant->id != id))
                        continue;
                for (const FrameGrant *grant = participant->grants; grant; grant = grant->next)
                        if (!grant->moved)
                                return false;
        }
        return true;
}

static void finish(Session *session, uint32_t id, uint32_t index, uint64_t now_usec) {
        const Participant *participant = session_find(session, id);
        Sender *sender = sender_find(session, id), before = *sender;

        sender_activate(session, id, index, now_usec);
        if (before.planned != SESSION_ACTIVE && before.planned != index) {
                /* The next change was planned while streams still went over to this one. */
                sender->planned = before.planned;
                sender->planned_usec = before.planned_usec;
                sender->at_key_frame = before.at_key_frame;
                spread(session, id);
        }
        session_post(session, &(SessionEvent){ .type = SESSION_EVENT_ACTIVATED,
                                               .participant = id,
                                               .index = index,
                                               .generation = participant ? participant->slots[index].current->id
                                                                         : session->shared[index].generation });
}

void sender_attend(Session *session, uint32_t id, uint64_t now_usec) {
        Participant *participant = session_find(session, id);
        Sender *sender = sender_find(session, id);

        if (sender->planned != SESSION_ACTIVE && sender->planned_usec <= now_usec) {
                uint32_t index = sender->planned;

                if (!life_find(session, id, index))
                        sender->planned = SESSION_ACTIVE; /* retired meanwhile */
                else if (sender->at_key_frame) {
                        sender->planned = SESSION_ACTIVE;
                        sender->moving = index;
                        sender->moving_until_usec = now_usec + SESSION_KEY_FRAME_WAIT_USEC;
                        spread(session, id);
                } else
                        finish(session, id, index, now_usec);
        }
        if (sender->moving != SESSION_ACTIVE) {
                if (!life_find(session, id, sender->moving)) {
                        sender->moving = SESSION_ACTIVE;
                        spread(session, id);
                } else if (sender->moving_until_usec <= now_usec || all_moved(session, id))
                        finish(session, id, sender->moving, now_usec);
                else
                        session_attend_at(session, participant, sender->moving_until_usec);
        }
        if (sender->planned != SESSION_ACTIVE)
                session_attend_at(session, participant, sender->planned_usec);
}

uint32_t sender_index(FrameGrant *grant, bool key_frame, uint64_t now_usec, bool *ret_key_frame_wanted) {
        Participant *participant = grant->participant;
        const Sender *sender = &participant->sender;

        *ret_key_frame_wanted = false;
        /* What is due is due, also where a frame is faster than the main thread: after a suspend, say. */
        if (sender->planned != SESSION_ACTIVE && !sender->at_key_frame && sender->planned_usec <= now_usec &&
            participant->slots[sender->planned].current)
                return sender->planned;
        if (sender->moving == SESSION_ACTIVE)
                return sender->active;
        if (sender->moving_until_usec <= now_usec)
                return sender->moving;
        if (!grant->moved) {
                if (grant->media == FRAMEKEY_MEDIA_VIDEO && !key_frame && sender->active != SESSION_ACTIVE) {
                        *ret_key_frame_wanted = true;
                        return sender->active;
                }
                grant->moved = true;
                session_mark(grant->session, participant);
        }
        return sender->moving;
}

int session_activate(Session *session, uint32_t id, uint32_t index, const SessionActivation *when) {
        uint64_t now = clock_boottime_usec();
        Participant *participant;
        int r;

        session_lock(session);
        r = session_find_key(session, id, index, &participant);
        if (r == 0 && participant && session->config.shared)
                r = SESSION_WRONG_MODE;
        else if (r == 0 && participant && !participant->local)
                r = SESSION_WRONG_ROLE;
        if (r == 0 && when && (when->after_usec > 0 || when->at_key_frame)) {
                Sender *sender = sender_find(session, id);

                sender->planned = index;
                sender->planned_usec = now + when->after_usec;
                sender->at_key_frame = when->at_key_frame;
                session_mark(session, participant);
        } else if (r == 0)
                sender_activate(session, id, index, now);
        session_unlock(session);
        return r;
}
