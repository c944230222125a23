/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is the same for frames of all formats: grants, empty frames, the panic lock, counting.
 */
#include "keys/frame-internal.h"

#include "format/sframe.h"
#include "format/trailer.h"
#include "keys/plane-internal.h"

/* Estimated CPU time of trying one key on a frame: key set-up, and GCM at 2 bytes a nanosecond; a derivation of the
 * counter formats is not more. */
#define TRIAL_NSEC(len) (UINT64_C(1000) + (len) / 2)
/* A sender's bogus frames may cost 5 % of one core, 1 s of it saved up. */
static const BudgetLimit trial_limit_sender = { .slowdown = 20, .burst_nsec = 1000000000 };
/* Those of all senders in one session 10 %; of all sessions together: plane_take_trials(). */
static const BudgetLimit trial_limit_session = { .slowdown = 10, .burst_nsec = 1000000000 };

typedef struct FormatOps {
        enum framekey_format format;
        uint32_t overhead;
        bool carries_av1;
        bool counts;   /* frames carry a counter, which the daemon owns */
        bool metadata; /* can be authenticated with a frame */
        void (*seal)(FrameGrant *grant, const FrameRequest *request, uint8_t *out, size_t out_max, FrameResult *ret);
        void (*open)(FrameGrant *grant, const FrameRequest *request, uint8_t *out, size_t out_max, FrameResult *ret);
} FormatOps;

static const FormatOps formats[] = {
        /* LiveKit's own clients refuse AV1: a clear OBU header would have to be agreed on first. */
        { FRAMEKEY_FORMAT_LIVEKIT, TRAILER_OVERHEAD, false, false, false, trailer_frame_seal, trailer_frame_open },
        { FRAMEKEY_FORMAT_REALTIMEKIT, TRAILER_OVERHEAD, true, false, false, trailer_frame_seal, trailer_frame_open },
        { FRAMEKEY_FORMAT_JITSI, TRAILER_OVERHEAD, true, false, false, trailer_frame_seal, trailer_frame_open },
        { FRAMEKEY_FORMAT_SFRAME, SFRAME_HEADER_MAX + SUITE_TAG_MAX, true, true, true, sframe_frame_seal,
          sframe_frame_open },
        { FRAMEKEY_FORMAT_DAVE, DAVE_TRAILER_MAX, true, true, false, dave_frame_seal, dave_frame_open },
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

bool frame_counts(enum framekey_format format) {
        const FormatOps *ops = format_find(format);

        return ops && ops->counts;
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
static bool settle(const FrameGrant *grant, const FrameRequest *request, const FormatOps *ops, FrameResult *ret) {
        *ret = (FrameResult){ .verdict = FRAMEKEY_VERDICT_REFUSED };
        if (!grant->participant)
                return true;
        if (plane_locked(grant->session->plane)) {
                ret->verdict = FRAMEKEY_VERDICT_LOCKED;
                return true;
        }
        if (request->metadata_len > 0 && !ops->metadata) {
                ret->verdict = FRAMEKEY_VERDICT_UNSUPPORTED;
                return true;
        }
        /* The trailer formats' peers pass empty frames by; to the others they are frames like any other. */
        if (request->len == 0 && !request->packet && !(ops->counts && grant->direction == FRAMEKEY_ENCRYPT)) {
                ret->verdict = FRAMEKEY_VERDICT_EMPTY;
                return true;
        }
        return false;
}

/* ---- sealing ---- */

bool frame_seal_begin(FrameGrant *grant, const FrameRequest *request, size_t overhead, size_t out_max, Sealing *sealing,
                      FrameResult *ret) {
        Participant *participant = grant->participant;
        Session *session = grant->session;
        uint32_t index = sender_index(grant, request->frame_type == FRAMEKEY_FRAME_KEY, request->now_usec,
                                      &sealing->key_frame_wanted);
        KeySlot *slot = index == SESSION_ACTIVE ? NULL : &participant->slots[index];

        if (!slot || !slot->current) {
                ret->verdict = slot && slot->retired ? FRAMEKEY_VERDICT_LIMIT : FRAMEKEY_VERDICT_UNKNOWN_KEY;
                return false;
        }
        sealing->slot = slot;
        sealing->life = session->shared ? &session->shared[index].life : &slot->life;
        ret->key_index = (uint16_t)index;
        ret->step = slot->current->step;
        grant->health.seen_index = index;
        if (request->len > FRAMEKEY_FRAME_MAX || out_max < overhead || request->len > out_max - overhead) {
                ret->verdict = FRAMEKEY_VERDICT_TOO_LONG;
                return false;
        }
        if (!life_may_seal(session, sealing->life, request->now_usec)) {
                ret->verdict = FRAMEKEY_VERDICT_LIMIT;
                return false;
        }
        return true;
}

static void note_new_key(FrameGrant *grant, const FrameRequest *request, const KeySlot *slot, FrameResult *ret) {
        if (grant->last_generation == slot->current->id)
                return;
        ret->flags |= FRAMEKEY_RESULT_NEW_KEY;
        /* Receivers that get the new key late can start at a key frame only. A step they take without being given
         * anything. */
        if (grant->last_chain && grant->last_chain != slot->chain && grant->media == FRAMEKEY_MEDIA_VIDEO &&
            request->frame_type != FRAMEKEY_FRAME_KEY)
                ret->flags |= FRAMEKEY_RESULT_KEYFRAME_WANTED;
        grant->last_generation = slot->current->id;
        grant->last_chain = slot->chain;
}

void frame_seal_end(FrameGrant *grant, const FrameRequest *request, const Sealing *sealing, size_t len,
                    size_t clear_len, FrameResult *ret) {
        Session *session = grant->session;
        KeySlot *slot = sealing->slot;

        slot->current->frames++;
        slot->current->bytes += request->len;
        if (life_count(sealing->life, request->len))
                session_mark(session, session->shared ? NULL : grant->participant);
        if (sealing->life->frames >= session->config.send_limit / 2)
                ret->flags |= FRAMEKEY_RESULT_RATCHET_SOON;
        if (sealing->key_frame_wanted)
                ret->flags |= FRAMEKEY_RESULT_KEYFRAME_WANTED;
        note_new_key(grant, request, slot, ret);
        ret->verdict = FRAMEKEY_OK;
        ret->step = slot->current->step;
        ret->len = (uint32_t)len;
        ret->clear_len = (uint32_t)clear_len;
}

/* ---- opening ---- */

/* What the stream's and the participant's later frames are judged by. */
static void note_good(FrameGrant *grant, const FrameRequest *request, const Opened *opened) {
        Participant *participant = grant->participant;
        uint32_t index = (uint32_t)(opened->slot - participant->slots);

        opened->slot->last_good_usec = request->now_usec;
        if (participant->good_index != index) {
                participant->good_index = index;
                session_mark(grant->session, participant);
        }
        if (opened->generation != opened->slot->current || grant->last_generation == opened->generation->id)
                return;
        grant->has_horizon = true;
        grant->horizon_ssrc = request->ssrc;
        grant->horizon_timestamp = request->rtp_timestamp;
}

void frame_open_end(FrameGrant *grant, const FrameRequest *request, const Opened *opened, FrameResult *ret) {
        Generation *generation = opened->generation;
        int r = 0;

        if (opened->seen.n_ivs > 0 || opened->seen.reach > 0)
                r = window_add(grant->group, generation, &opened->seen, opened->number);
        if (r < 0) {
                ret->verdict = r;
                return;
        }

        note_good(grant, request, opened);
        generation->frames++;
        generation->bytes += opened->len;
        if (grant->last_generation != generation->id)
                ret->flags |= FRAMEKEY_RESULT_NEW_KEY;
        if (grant->failing && grant->media == FRAMEKEY_MEDIA_VIDEO)
                ret->flags |= FRAMEKEY_RESULT_REQUEST_KEYFRAME;
        grant->last_generation = generation->id;
        ret->step = generation->step;
        ret->verdict = FRAMEKEY_OK;
        ret->len = (uint32_t)opened->len;
        ret->clear_len = (uint32_t)opened->clear_len;
}

void frame_forged(FrameGrant *grant, KeySlot *slot) {
        if (++slot->forged >= grant->session->config.failure_limit)
                session_mark(grant->session, grant->participant);
}

bool frame_afford(FrameGrant *grant, const FrameRequest *request, KeySlot *slot, uint64_t n) {
        uint64_t cost = n * TRIAL_NSEC(request->len), now = request->now_usec;
        Session *session = grant->session;

        return n == 0 || (budget_take(&slot->trials, &trial_limit_sender, now, cost) &&
                          budget_take(&session->trials, &trial_limit_session, now, cost) &&
                          plane_take_trials(session->plane, now, cost));
}

int frame_follow(FrameGrant *grant, const FrameRequest *request, KeySlot *slot, uint32_t step, ScheduleStep *secrets) {
        const SessionConfig *config = &grant->session->config;
        int r;

        if (secrets && !chain_at(slot->chain, step))
                chain_jump(slot->chain, step, secrets);
        else
                arena_release(arena_installed(), secrets);
        r = slot_step(grant->participant, slot, step,
                      config->retain_root ? USEC_INFINITY : request->now_usec + config->grace_usec);
        if (r < 0)
                return r;
        grant->session->follow_pending = true;
        session_mark(grant->session, grant->participant);
        return 0;
}

int frame_open_ahead(FrameGrant *grant, const FrameRequest *request, KeySlot *slot, uint32_t step, uint32_t n_free,
                     FrameOpener *opener, const void *opening) {
        _cleanup_(chain_handle_unref_p) ChainHandle *handle = NULL;
        const ScheduleStep *secrets = chain_at(slot->chain, step);
        uint32_t distance = step - slot->current->step;
        ScheduleStep *walked = NULL;
        int r = 0;

        if (distance > n_free && !frame_afford(grant, request, slot, secrets ? 1 : distance))
                return FRAMEKEY_VERDICT_BUDGET;
        grant->participant->counters.trials++;
        if (!secrets)
                r = chain_walk(slot->chain, step, &walked);
        if (r == 0)
                r = chain_handle_new(&handle, chain_schedule(slot->chain), walked ? walked : secrets);
        if (r == 0)
                r = opener(opening, handle);
        if (r != 0) {
                arena_release(arena_installed(), walked);
                return r;
        }
        return frame_follow(grant, request, slot, step, walked);
}

void frame_process(FrameGrant *grant, const FrameRequest *request, uint8_t *out, size_t out_max, FrameResult *ret) {
        bool sealing = grant->direction == FRAMEKEY_ENCRYPT;

        if (!settle(grant, request, grant->ops, ret))
                (sealing ? grant->ops->seal : grant->ops->open)(grant, request, out, out_max, ret);
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
                r = window_group_get(participant, channel, session->config.ring_size, &grant->group);
                if (r < 0) {
                        free(grant);
                        return r;
                }
        }

        grant->session = session;
        grant->ops = format_find(session->config.format);
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

enum framekey_format frame_grant_format(const FrameGrant *grant) {
        return grant->ops->format;
}

enum framekey_media frame_grant_media(const FrameGrant *grant) {
        return grant->media;
}

bool frame_grant_wants_iv(const FrameGrant *grant) {
        return grant->direction == FRAMEKEY_ENCRYPT && !grant->ops->counts;
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
        turnstile_enter(&session->lock);
}

void session_leave(Session *session) {
        turnstile_leave(&session->lock);
}
