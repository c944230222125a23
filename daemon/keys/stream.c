/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How each stream fares, so that nobody wonders about a black tile: a state by what its frames'
 * verdicts say, and an event when it stops or goes on.
 *
 * A state never latches: one good frame ends it. An event comes for each change, at most one a
 * second a stream, and only after some frames in a row have failed: a single damaged frame is no news.
 */
#include "keys/session-internal.h"

/* Without a frame for this long nobody is sending: mute, pause or gone. Longer than any frame interval. */
#define IDLE_USEC (5 * USEC_PER_SEC)
/* Failed frames in a row that are news: so many at once, or fewer over some time. */
#define FAILED_BURST 10u
#define FAILED_FEW   3u
#define FAILED_USEC  (500 * USEC_PER_MSEC)
#define EVENT_USEC   (1 * USEC_PER_SEC)

/* 0: the verdict says nothing of the key. */
static const SessionStreamState verdict_states[FRAMEKEY_VERDICT_MAX] = {
        [FRAMEKEY_OK] = SESSION_STREAM_OK,
        [FRAMEKEY_VERDICT_FORGED] = SESSION_STREAM_WRONG_KEY,
        [FRAMEKEY_VERDICT_BUDGET] = SESSION_STREAM_WRONG_KEY,
        [FRAMEKEY_VERDICT_REPLAYED] = SESSION_STREAM_REPLAYED,
        [FRAMEKEY_VERDICT_UNKNOWN_KEY] = SESSION_STREAM_MISSING_KEY,
        [FRAMEKEY_VERDICT_TOO_OLD] = SESSION_STREAM_EXPIRED,
        [FRAMEKEY_VERDICT_LIMIT] = SESSION_STREAM_EXPIRED,
        [FRAMEKEY_VERDICT_MALFORMED] = SESSION_STREAM_UNENCRYPTED,
        [FRAMEKEY_VERDICT_UNENCRYPTED] = SESSION_STREAM_UNENCRYPTED,
        [FRAMEKEY_VERDICT_TOO_SHORT] = SESSION_STREAM_STALLED,
        [FRAMEKEY_VERDICT_UNSUPPORTED] = SESSION_STREAM_STALLED,
        [FRAMEKEY_VERDICT_TOO_LONG] = SESSION_STREAM_STALLED,
        [FRAMEKEY_VERDICT_LOCKED] = SESSION_STREAM_STALLED,
};

const char *session_stream_state_name(SessionStreamState state) {
        static const char *const names[] = {
                [SESSION_STREAM_IDLE] = "idle",
                [SESSION_STREAM_OK] = "ok",
                [SESSION_STREAM_MISSING_KEY] = "missing-key",
                [SESSION_STREAM_WRONG_KEY] = "wrong-key",
                [SESSION_STREAM_REPLAYED] = "replayed",
                [SESSION_STREAM_EXPIRED] = "expired",
                [SESSION_STREAM_UNENCRYPTED] = "unencrypted",
                [SESSION_STREAM_STALLED] = "stalled",
        };

        return state > 0 && state < ELEMENTS(names) ? names[state] : "?";
}

bool stream_note(StreamHealth *health, int verdict, uint64_t now_usec) {
        SessionStreamState state = SESSION_STREAM_STALLED;

        health->last_frame_usec = now_usec;
        if (verdict >= 0 && verdict < FRAMEKEY_VERDICT_MAX)
                state = verdict_states[verdict];
        if (state == 0)
                return false;
        health->state = state;
        if (state == SESSION_STREAM_OK) {
                if (health->failed > 0)
                        health->resumed_after = health->failed;
                health->failed = 0;
        } else if (health->failed++ == 0)
                health->failing_since_usec = now_usec;

        /* Nothing told yet counts as all being well. */
        if (state == MAX_OF(health->told, SESSION_STREAM_OK) || health->news)
                return false;
        health->news = state == SESSION_STREAM_OK || health->failed >= FAILED_BURST ||
                       (health->failed >= FAILED_FEW && now_usec - health->failing_since_usec >= FAILED_USEC);
        return health->news;
}

SessionStreamState stream_state(const StreamHealth *health, uint64_t now_usec) {
        if (health->state == 0 || now_usec - health->last_frame_usec > IDLE_USEC)
                return SESSION_STREAM_IDLE;
        return health->state;
}

static void tell(Session *session, const FrameGrant *grant, SessionEventType type) {
        const StreamHealth *health = &grant->health;

        session_post(session, &(SessionEvent){
                                      .type = type,
                                      .participant = grant->participant->id,
                                      .index = health->seen_index,
                                      .channel = grant->channel,
                                      .stream = grant->id,
                                      .state = health->state,
                                      .frames = type == SESSION_EVENT_RESUMED ? health->resumed_after : health->failed,
                              });
}

void stream_attend(Session *session, Participant *participant, uint64_t now_usec) {
        for (FrameGrant *grant = participant->grants; grant; grant = grant->next) {
                StreamHealth *health = &grant->health;

                if (!health->news || grant->direction != FRAMEKEY_DECRYPT)
                        continue;
                if (health->told_usec > 0 && now_usec - health->told_usec < EVENT_USEC) {
                        session_attend_at(session, participant, health->told_usec + EVENT_USEC);
                        continue;
                }
                health->news = false;
                if (health->state == MAX_OF(health->told, SESSION_STREAM_OK))
                        continue; /* back where it was when the last event was sent */
                health->told = health->state;
                health->told_usec = now_usec;
                tell(session, grant,
                     health->state == SESSION_STREAM_OK ? SESSION_EVENT_RESUMED : SESSION_EVENT_STALLED);
                if (health->state == SESSION_STREAM_UNENCRYPTED)
                        tell(session, grant, SESSION_EVENT_UNENCRYPTED);
        }
}
