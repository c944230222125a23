/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is the same for frames of all formats: grants, empty frames, the panic lock, counting.
 */
#include "keys/frame-internal.h"

#include "format/trailer.h"
#include "keys/plane-internal.h"

#include <sched.h>

typedef struct FormatOps {
        enum framekey_format format;
        uint32_t overhead;
        bool carries_av1;
        void (*seal)(FrameGrant *grant, const FrameRequest *request, uint8_t *out, size_t out_max, FrameResult *ret);
        void (*open)(FrameGrant *grant, const FrameRequest *request, uint8_t *out, size_t out_max, FrameResult *ret);
} FormatOps;

static const FormatOps formats[] = {
        /* LiveKit's own clients refuse AV1: a clear OBU header would have to be agreed on first. */
        { FRAMEKEY_FORMAT_LIVEKIT, TRAILER_OVERHEAD, false, trailer_frame_seal, trailer_frame_open },
        { FRAMEKEY_FORMAT_REALTIMEKIT, TRAILER_OVERHEAD, true, trailer_frame_seal, trailer_frame_open },
        { FRAMEKEY_FORMAT_JITSI, TRAILER_OVERHEAD, true, trailer_frame_seal, trailer_frame_open },
};

static const FormatOps *format_find(enum framekey_format format) {
        for (size_t i = 0; i < ELEMENTS(formats); i++)
                if (formats[i].format == format)
                        return &formats[i];
        return NULL;
}

uint32_t frame_overhead(enum framekey_format format) {
        const FormatOps *ops = format_find(format);

        return ops ? ops->overhead : 0;
}

bool frame_codec_supported(enum framekey_format format, enum framekey_media media, enum framekey_codec codec) {
        const FormatOps *ops = format_find(format);

        return ops && (media != FRAMEKEY_MEDIA_VIDEO || codec != FRAMEKEY_CODEC_AV1 || ops->carries_av1);
}

static void count(FrameGrant *grant, uint64_t now_usec, uint32_t plain_len, FrameResult *ret) {
        Participant *participant = grant->participant;
        int verdict = ret->verdict;

        if (!participant)
                return;
        if (stream_note(&grant->health, verdict, now_usec) && grant->direction == FRAMEKEY_DECRYPT)
                session_mark(grant->session, participant);
        if (verdict < 0 || verdict >= FRAMEKEY_VERDICT_MAX)
                participant->counters.failures++;
        else
                participant->counters.frames[verdict]++;
        if (verdict == FRAMEKEY_OK)
                participant->counters.bytes += plain_len;
        if (verdict == FRAMEKEY_OK)
                grant->failing = false;
        else if (verdict == FRAMEKEY_VERDICT_FORGED || verdict == FRAMEKEY_VERDICT_UNKNOWN_KEY)
                grant->failing = true;
        participant->last_verdict = verdict;
        participant->last_frame_usec = now_usec;
}

/* Answers what needs no key. True: answered. */
static bool settle(const FrameGrant *grant, const FrameRequest *request, FrameResult *ret) {
        *ret = (FrameResult){ .verdict = FRAMEKEY_VERDICT_REFUSED };
        if (!grant->participant)
                return true;
        if (plane_locked(grant->session->plane)) {
                ret->verdict = FRAMEKEY_VERDICT_LOCKED;
                return true;
        }
        if (request->len == 0 && !request->packet) {
                ret->verdict = FRAMEKEY_VERDICT_EMPTY;
                return true;
        }
        return false;
}

void frame_process(FrameGrant *grant, const FrameRequest *request, uint8_t *out, size_t out_max, FrameResult *ret) {
        bool sealing = grant->direction == FRAMEKEY_ENCRYPT;

        if (!settle(grant, request, ret)) {
                const FormatOps *ops = format_find(grant->session->config.format);

                (sealing ? ops->seal : ops->open)(grant, request, out, out_max, ret);
        }
        count(grant, request->now_usec, sealing ? (uint32_t)request->len : ret->len, ret);
}

void frame_note(FrameGrant *grant, uint8_t verdict, uint64_t now_usec, FrameResult *ret) {
        /* Only what the library can know; a client must not count itself authentic frames. */
        bool known = verdict == FRAMEKEY_VERDICT_TOO_SHORT || verdict == FRAMEKEY_VERDICT_UNSUPPORTED ||
                     verdict == FRAMEKEY_VERDICT_MALFORMED || verdict == FRAMEKEY_VERDICT_TOO_LONG;

        *ret = (FrameResult){ .verdict = known ? verdict : FRAMEKEY_VERDICT_REFUSED };
        count(grant, now_usec, 0, ret);
}

int frame_grant_new(FrameGrant **ret, Session *session, const void *channel, uint32_t id, uint32_t participant_id,
                    enum framekey_direction direction, enum framekey_media media) {
        Participant *participant = session_find(session, participant_id);
        FrameGrant *grant;
        int r;

        if (!participant)
                return SESSION_NO_PARTICIPANT;
        if (participant->local != (direction == FRAMEKEY_ENCRYPT))
                return SESSION_WRONG_ROLE;
        grant = calloc(1, sizeof(*grant));
        if (!grant)
                return -ENOMEM;
        if (direction == FRAMEKEY_DECRYPT) {
                r = window_group_get(participant, channel, &grant->group);
                if (r < 0) {
                        free(grant);
                        return r;
                }
        }

        grant->session = session;
        grant->channel = channel;
        grant->id = id;
        grant->health.seen_index = SESSION_ACTIVE;
        grant->participant = participant;
        grant->direction = direction;
        grant->media = media;
        grant->next = participant->grants;
        participant->grants = grant;
        *ret = grant;
        return 0;
}

FrameGrant *frame_grant_free(FrameGrant *grant) {
        Participant *participant;

        if (!grant)
                return NULL;
        participant = grant->participant;
        if (participant) {
                FrameGrant **link = &participant->grants;

                while (*link != grant)
                        link = &(*link)->next;
                *link = grant->next;
                window_group_put(participant, grant->group, grant->session->config.ring_size);
        }
        free(grant);
        return NULL;
}

enum framekey_direction frame_grant_direction(const FrameGrant *grant) {
        return grant->direction;
}

void frame_grant_info(const FrameGrant *grant, uint64_t now_usec, FrameGrantInfo *ret) {
        *ret = (FrameGrantInfo){
                .state = stream_state(&grant->health, now_usec),
                .failed = grant->health.failed,
                .seen_index = grant->health.seen_index,
                .last_frame_usec = grant->health.last_frame_usec,
        };
}

void session_enter(Session *session) {
        /* A mutex is not fair: a busy data thread could take it again and again before a woken main thread
         * runs. The bound keeps a main thread that lost the CPU from stopping media. */
        for (unsigned i = 0; i < 64 && atomic_load_explicit(&session->n_waiting, memory_order_relaxed) > 0; i++)
                (void)sched_yield();
        (void)pthread_mutex_lock(&session->lock);
}

void session_leave(Session *session) {
        (void)pthread_mutex_unlock(&session->lock);
}
