/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What can be asked about a session's keys: numbers, never a key and nothing made of one. */
#include "keys/session-internal.h"

int session_key_info(Session *session, uint32_t id, uint32_t index, SessionKeyInfo *ret) {
        const Participant *participant = session_find(session, id);
        Chain *chain;
        uint32_t step;
        int r;

        session_lock(session);
        r = session_position(session, id, index, &chain, &step);
        if (r == 0) {
                *ret = (SessionKeyInfo){ .index = index, .step = step };
                ret->active = session_active(session, id) == index;
                if (participant) {
                        const KeySlot *slot = &participant->slots[index];

                        ret->generation = slot->current->id;
                        ret->frames = slot->current->frames;
                        ret->previous = slot->previous;
                } else
                        ret->generation = session->shared[index].generation;
        }
        session_unlock(session);
        return r;
}

int session_participant_info(Session *session, uint32_t id, SessionParticipantInfo *ret) {
        const Participant *participant = session_find(session, id);

        if (!participant)
                return SESSION_NO_PARTICIPANT;
        session_lock(session);
        *ret = (SessionParticipantInfo){
                .local = participant->local,
                .active_index = participant->active,
                .last_verdict = participant->last_verdict,
                .last_frame_usec = participant->last_frame_usec,
                .wanted_index = participant->wanted_index,
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
