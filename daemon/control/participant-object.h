/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A participant's name on the bus and its number in the key plane. Main thread.
 */
#pragma once

#include "control/quota.h"
#include "control/table.h"
#include "keys/session.h"

#define PARTICIPANT_IDENTITY_MAX 256u

typedef struct SessionObject SessionObject;

typedef struct ParticipantObject {
        SessionObject *session;
        char *identity;
        char *path;
        uint32_t id;
        bool local;
        Charge charge;
        UT_hash_handle by_identity;
        UT_hash_handle by_id;
} ParticipantObject;

typedef enum ParticipantOutcome {
        PARTICIPANT_EXISTS = 1,
        PARTICIPANT_QUOTA,
        PARTICIPANT_PLANE = 16, /* and from here on a SessionOutcome */
} ParticipantOutcome;

/* A place in an MLS group. */
typedef struct ParticipantMember {
        bool given;
        uint64_t context;
        uint64_t index;
} ParticipantMember;

/* Adds it to the session. 0; ParticipantOutcome; -ENOMEM; -ERANGE the place does not fit into a KID. */
int participant_object_new(ParticipantObject **ret, SessionObject *session, const char *identity, bool local,
                           const ParticipantMember *member);
/* Takes it out of the session and, unless that is closing, out of the key plane. Takes NULL; returns NULL. */
ParticipantObject *participant_object_free(ParticipantObject *participant);
DEFINE_CLEANUP(ParticipantObject, participant_object_free)
/* Frames that were delivered, and those that were not. */
void participant_totals(const SessionCounters *counters, uint64_t *ret_ok, uint64_t *ret_failed);
