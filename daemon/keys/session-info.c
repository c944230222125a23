/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What can be asked about a session's keys: numbers, never a key and nothing made of one. */
#include "keys/session-internal.h"

#include "util/clock.h"

static void describe_life(Session *session, uint32_t id, uint32_t index, uint64_t last_good_usec, SessionKeyInfo *ret) {
        const KeyLife *life = life_find(session, id, index);
        const Sender *sender = sender_find(session, id);

        ret->origin = life->origin;
        ret->installed_usec = life->installed_usec;
        ret->next_step_usec = ret->active ? life->next_step_usec : USEC_INFINITY;
        ret->dies_usec = life_dies(session, life, last_good_usec);
        ret->activates_usec = USEC_INFINITY;
        if (sender->planned == index)
                ret->activates_usec = sender->planned_usec;
        else if (sender->moving == index)
                ret->activates_usec = sender->moving_until_usec;
}

int session_key_info(Session *session, uint32_t id, uint32_t index, SessionKeyInfo *ret) {
        const Participant *participant = session_find(session, id);
        Chain *chain;
        uint32_t step;
        int r;

        session_lock(session);
        r = session_position(session, id, index, &chain, &step);
        if (r == 0) {
                *ret = (SessionKeyInfo){ .index = index, .step = step };
                if (session->config.format == FRAMEKEY_FORMAT_SFRAME)
                        ret->kid = schedule_kid(chain_schedule(chain), step);
                ret->active = session_active(session, id) == index;
                if (participant) {
                        const KeySlot *slot = &participant->slots[index];

                        ret->generation = slot->current->id;
                        ret->frames = slot->current->frames;
                        ret->previous = slot->previous;
                } else
                        ret->generation = session->shared[index].generation;
                describe_life(session, id, index, participant ? participant->slots[index].last_good_usec : 0, ret);
        }
        session_unlock(session);
        return r;
}

/* A stream that fails is worse than one that works, and that is more than one without frames. */
static SessionStreamState worst_state(const Participant *participant, uint64_t now_usec) {
        SessionStreamState worst = SESSION_STREAM_IDLE;

        for (const FrameGrant *grant = participant->grants; grant; grant = grant->next)
                worst = MAX_OF(worst, stream_state(&grant->health, now_usec));
        return worst;
}

int session_participant_info(Session *session, uint32_t id, SessionParticipantInfo *ret) {
        const Participant *participant = session_find(session, id);

        if (!participant)
                return SESSION_NO_PARTICIPANT;
        session_lock(session);
        *ret = (SessionParticipantInfo){
                .local = participant->local,
                .active_index = participant->sender.active,
                .last_verdict = participant->last_verdict,
                .last_frame_usec = participant->last_frame_usec,
                .wanted_index = participant->wanted_index,
                .state = worst_state(participant, clock_boottime_usec()),
                .follows_window = participant->follows_window,
                .clear = participant->clear_until_usec > clock_boottime_usec() ? participant->clear
                                                                               : SESSION_CLEAR_NOTHING,
                .clear_until_usec = participant->clear_until_usec,
                .counters = participant->counters,
        };
        for (uint32_t i = 0; i < session->config.ring_size; i++)
                ret->n_keys += participant->slots[i].chain != NULL;
        session_unlock(session);
        return 0;
}

uint32_t session_n_keys(Session *session) {
        uint32_t n = 0;

        session_lock(session);
        for (uint32_t i = 0; i < session->config.ring_size; i++) {
                n += session->shared && session->shared[i].chain;
                for (size_t p = 0; !session->shared && p < session->n_participants; p++)
                        n += session->participants[p] && session->participants[p]->slots[i].chain;
        }
        session_unlock(session);
        return n;
}
