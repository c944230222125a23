/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Participants by name and by number; see participant-object.h. */
#include "control/participant-object.h"

#include "control/session-object.h"

#include <assert.h>

static int table_add(ParticipantObject *participant) {
        SessionObject *session = participant->session;

        HASH_ADD_KEYPTR(by_identity, session->by_identity, participant->identity, strlen(participant->identity),
                        participant);
        if (!participant->by_identity.tbl)
                return -ENOMEM;
        HASH_ADD(by_id, session->by_id, id, sizeof(participant->id), participant);
        return participant->by_id.tbl ? 0 : -ENOMEM;
}

int participant_object_new(ParticipantObject **ret, SessionObject *session, const char *identity, bool local,
                           const ParticipantMember *member) {
        _cleanup_(participant_object_free_p) ParticipantObject *participant = NULL;
        int r;

        if (session_object_participant(session, identity))
                return PARTICIPANT_EXISTS;
        participant = calloc(1, sizeof(*participant));
        if (!participant)
                return -ENOMEM;
        *participant = (ParticipantObject){ .session = session, .local = local, .id = SESSION_SHARED };
        r = quota_charge(session->daemon->quota, session->owner.uid, QUOTA_PARTICIPANTS, 1, &participant->charge);
        if (r != 0)
                return r < 0 ? r : PARTICIPANT_QUOTA;
        participant->identity = strdup(identity);
        if (!participant->identity)
                return -ENOMEM;
        r = sd_bus_path_encode_many(&participant->path, SESSION_PATH "/%/participant/%", session->id, identity);
        if (r < 0)
                return r;
        r = member->given
                    ? session_add_member(session->session, local, member->context, member->index, &participant->id)
                    : session_add_participant(session->session, local, &participant->id);
        if (r != 0)
                return r < 0 ? r : PARTICIPANT_PLANE + r;
        r = table_add(participant);
        if (r < 0)
                return r;
        *ret = take_ptr(participant);
        return 0;
}

ParticipantObject *participant_object_free(ParticipantObject *participant) {
        SessionObject *session;

        if (!participant)
                return NULL;
        session = participant->session;
        if (participant->by_id.tbl)
                HASH_DELETE(by_id, session->by_id, participant);
        if (participant->by_identity.tbl)
                HASH_DELETE(by_identity, session->by_identity, participant);
        channel_object_forget(participant);
        if (session->session && participant->id != SESSION_SHARED) {
                (void)session_remove_participant(session->session, participant->id); /* it was there */
                (void)session_object_settle_keys(session);                           /* fewer keys: never refused */
        }
        charge_release(&participant->charge);
        free(participant->path);
        free(participant->identity);
        free(participant);
        return NULL;
}

void participant_totals(const SessionCounters *counters, uint64_t *ret_ok, uint64_t *ret_failed) {
        uint64_t ok = 0, failed = counters->failures;

        for (int verdict = 0; verdict < FRAMEKEY_VERDICT_MAX; verdict++) {
                if (framekey_verdict_delivers(verdict))
                        ok += counters->frames[verdict];
                else
                        failed += counters->frames[verdict];
        }
        *ret_ok = ok;
        *ret_failed = failed;
}
