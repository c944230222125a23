/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sealing and opening of trailer frames (formats/trailer-frames, sections 1 to 5), and what is the
 * same for all formats: grants, empty frames, the panic lock, counting.
 */
#include "keys/frame.h"

#include "format/injected.h"
#include "format/trailer.h"
#include "keys/plane-internal.h"
#include "keys/session-internal.h"

#include <sched.h>

/* NIST allows 2^32 random IVs over all users of a key (SP 800-38D, 8.3); with 2^26 for each sender, 64 senders
 * of one key stay within (security 4.1). */
#define SEAL_LIMIT      (UINT64_C(1) << 26)
#define SEAL_LIMIT_NEAR (SEAL_LIMIT / 2)

/* Estimated CPU time of trying one key on a frame: key set-up, and GCM at 2 bytes a nanosecond. */
#define TRIAL_NSEC(len) (UINT64_C(1000) + (len) / 2)
/* A sender's bogus frames may cost 5 % of one core, 1 s of it saved up. */
static const BudgetLimit trial_limit_sender = { .slowdown = 20, .burst_nsec = 1000000000 };

typedef struct FormatOps {
        enum framekey_format format;
        uint32_t overhead;
        bool carries_av1;
        void (*seal)(FrameGrant *grant, const FrameRequest *request, uint8_t *out, size_t out_max, FrameResult *ret);
        void (*open)(FrameGrant *grant, const FrameRequest *request, uint8_t *out, size_t out_max, FrameResult *ret);
} FormatOps;

static void trailer_seal(FrameGrant *grant, const FrameRequest *request, uint8_t *out, size_t out_max,
                         FrameResult *ret);
static void trailer_open(FrameGrant *grant, const FrameRequest *request, uint8_t *out, size_t out_max,
                         FrameResult *ret);

static const FormatOps formats[] = {
        /* LiveKit's own clients refuse AV1: a clear OBU header would have to be agreed on first. */
        { FRAMEKEY_FORMAT_LIVEKIT, TRAILER_OVERHEAD, false, trailer_seal, trailer_open },
        { FRAMEKEY_FORMAT_REALTIMEKIT, TRAILER_OVERHEAD, true, trailer_seal, trailer_open },
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

/* ---- sealing ---- */

static void note_new_key(FrameGrant *grant, const FrameRequest *request, const Generation *generation,
                         FrameResult *ret) {
        if (grant->last_generation == generation->id)
                return;
        ret->flags |= FRAMEKEY_RESULT_NEW_KEY;
        /* Receivers that get the new key late can start at a key frame only. */
        if (grant->last_generation != 0 && grant->media == FRAMEKEY_MEDIA_VIDEO &&
            request->frame_type != FRAMEKEY_FRAME_KEY)
                ret->flags |= FRAMEKEY_RESULT_KEYFRAME_WANTED;
        grant->last_generation = generation->id;
}

static void trailer_seal(FrameGrant *grant, const FrameRequest *request, uint8_t *out, size_t out_max,
                         FrameResult *ret) {
        Participant *participant = grant->participant;
        Generation *generation;
        size_t clear = request->clear_len, text = request->len - clear;
        int r;

        if (participant->active == SESSION_ACTIVE || !participant->slots[participant->active].current) {
                ret->verdict = FRAMEKEY_VERDICT_UNKNOWN_KEY;
                return;
        }
        generation = participant->slots[participant->active].current;
        ret->key_index = (uint16_t)participant->active;
        ret->step = generation->step;
        if (request->len > FRAMEKEY_FRAME_MAX || out_max < TRAILER_OVERHEAD ||
            request->len > out_max - TRAILER_OVERHEAD) {
                ret->verdict = FRAMEKEY_VERDICT_TOO_LONG;
                return;
        }
        if (generation->frames >= SEAL_LIMIT) {
                ret->verdict = FRAMEKEY_VERDICT_LIMIT;
                return;
        }

        memcpy(out, request->frame, clear);
        r = aead_seal(generation->handle->aead, request->iv, request->frame, clear, request->frame + clear, text,
                      out + clear, out + clear + text);
        if (r < 0) {
                ret->verdict = r;
                return;
        }
        trailer_finish(out + clear + text + TRAILER_TAG_LEN, request->iv, (uint8_t)participant->active);

        generation->frames++;
        generation->bytes += request->len;
        if (generation->frames >= SEAL_LIMIT_NEAR)
                ret->flags |= FRAMEKEY_RESULT_RATCHET_SOON;
        note_new_key(grant, request, generation, ret);
        ret->verdict = FRAMEKEY_OK;
        ret->len = (uint32_t)(request->len + TRAILER_OVERHEAD);
        ret->clear_len = (uint32_t)clear;
}

/* ---- opening ---- */

/* What trailer_open() has found out about the frame in hand. */
typedef struct Opening {
        FrameGrant *grant;
        const FrameRequest *request;
        TrailerFrame shape;
        uint64_t iv_tag;
        KeySlot *slot;
        uint8_t *out;
} Opening;

static int open_with(const Opening *o, Aead *aead) {
        const uint8_t *frame = o->request->frame;

        return aead_open(aead, frame + o->shape.iv_offset, frame, o->shape.text_offset, frame + o->shape.text_offset,
                         o->shape.text_len, o->out + o->shape.text_offset, frame + o->shape.tag_offset);
}

static bool seen(const Opening *o, const Generation *generation) {
        return o->grant->session->config.replay_window > 0 &&
               window_seen(o->grant->participant, o->grant->group, generation, o->iv_tag);
}

/* After authentication: first the window, and only what entered it is delivered. */
static void accept(const Opening *o, Generation *generation, FrameResult *ret) {
        FrameGrant *grant = o->grant;
        uint32_t limit = grant->session->config.replay_window;
        int r = 0;

        if (limit > 0)
                r = window_add(grant->participant, grant->group, generation, limit, o->iv_tag);
        if (r < 0) {
                ret->verdict = r;
                return;
        }

        memcpy(o->out, o->request->frame, o->shape.text_offset);
        generation->frames++;
        generation->bytes += o->shape.text_offset + o->shape.text_len;
        if (grant->last_generation != generation->id)
                ret->flags |= FRAMEKEY_RESULT_NEW_KEY;
        if (grant->failing && grant->media == FRAMEKEY_MEDIA_VIDEO)
                ret->flags |= FRAMEKEY_RESULT_REQUEST_KEYFRAME;
        grant->last_generation = generation->id;
        ret->step = generation->step;
        ret->verdict = FRAMEKEY_OK;
        ret->len = (uint32_t)(o->shape.text_offset + o->shape.text_len);
        ret->clear_len = (uint32_t)o->shape.text_offset;
}

/* One generation of the slot. True: `ret` has the answer. */
static bool settle_with(const Opening *o, Generation *generation, FrameResult *ret) {
        int r;

        if (seen(o, generation)) {
                ret->verdict = FRAMEKEY_VERDICT_REPLAYED;
                return true;
        }
        r = open_with(o, generation->handle->aead);
        if (r == 0)
                accept(o, generation, ret);
        else if (r < 0)
                ret->verdict = r;
        return r <= 0;
}

/* Takes what trying `n` keys costs from the budgets. */
static bool afford(const Opening *o, uint32_t n) {
        uint64_t cost = n * TRIAL_NSEC(o->request->len), now = o->request->now_usec;

        return n == 0 || (budget_take(&o->slot->trials, &trial_limit_sender, now, cost) &&
                          plane_take_trials(o->grant->session->plane, now, cost));
}

/* Tries the steps `from`..`to` - 1 ahead, which are derived. 0 and the step; FRAMEKEY_VERDICT_FORGED; -errno. */
static int try_ahead(const Opening *o, uint32_t from, uint32_t to, uint32_t *ret_step) {
        /* Gone with this call: a handle kept for the next trial would keep a key that may be dead by then. */
        _cleanup_(aead_free_p) Aead *trial = NULL;
        Chain *chain = o->slot->chain;
        size_t key_len = chain_schedule(chain)->key_bits / 8;
        int r;

        for (uint32_t step = from; step < to; step++) {
                const uint8_t *key = chain_at(chain, step)->key;

                o->grant->participant->counters.trials++;
                r = trial ? aead_rekey(trial, key, key_len) : aead_new(&trial, key, key_len);
                if (r == 0)
                        r = open_with(o, trial);
                if (r < 0)
                        return r;
                if (r == 0) {
                        *ret_step = step;
                        return 0;
                }
        }
        return FRAMEKEY_VERDICT_FORGED;
}

/* The order of security 4.3: current, previous ones in their grace, steps ahead. The current key and the one before
 * it cost a sender nothing; all other trials are rationed. */
static void open_slot(const Opening *o, FrameResult *ret) {
        Session *session = o->grant->session;
        KeySlot *slot = o->slot;
        uint64_t now = o->request->now_usec;
        uint32_t from = slot->current->step + 1, step = 0, older = 0;
        uint32_t to = MIN_OF(from + session->config.ratchet_window, chain_end(slot->chain));
        Generation *previous = slot->previous;
        int r;

        if (settle_with(o, slot->current, ret))
                return;
        if (previous && previous->dies_usec > now) {
                if (settle_with(o, previous, ret))
                        return;
                for (previous = previous->next; previous && previous->dies_usec > now; previous = previous->next)
                        older++;
        }
        if (!afford(o, older + (to > from ? to - from : 0))) {
                ret->verdict = FRAMEKEY_VERDICT_BUDGET;
                return;
        }
        for (previous = older > 0 ? slot->previous->next : NULL; older > 0; previous = previous->next, older--) {
                o->grant->participant->counters.trials++;
                if (settle_with(o, previous, ret))
                        return;
        }

        r = try_ahead(o, from, to, &step);
        if (r == 0)
                r = slot_step(o->grant->participant, slot, step, now + session->config.grace_usec);
        if (r != 0) {
                ret->verdict = r;
                return;
        }
        session_mark_dirty(session);
        accept(o, slot->current, ret);
}

static bool deliver_injected(const Opening *o, FrameResult *ret) {
        const SessionConfig *config = &o->grant->session->config;
        size_t len;

        /* The marker behind anything else is tried as a frame of this format: a tag may end in these bytes too. */
        if (injected_match(o->request->frame, o->request->len, config->server_trailer, config->server_trailer_len,
                           &len) != INJECTED_KNOWN)
                return false;
        memcpy(o->out, o->request->frame, len);
        ret->verdict = FRAMEKEY_VERDICT_SERVER_INJECTED;
        ret->len = (uint32_t)len;
        return true;
}

static void trailer_open(FrameGrant *grant, const FrameRequest *request, uint8_t *out, size_t out_max,
                         FrameResult *ret) {
        Participant *participant = grant->participant;
        Opening o = { .grant = grant, .request = request, .out = out };

        if (request->len > out_max) {
                ret->verdict = FRAMEKEY_VERDICT_TOO_LONG;
                return;
        }
        if (deliver_injected(&o, ret))
                return;
        if (trailer_parse(request->frame, request->len, request->clear_len, &o.shape) != 0) {
                ret->verdict = FRAMEKEY_VERDICT_MALFORMED;
                return;
        }

        ret->key_index = o.shape.key_index;
        if (o.shape.key_index >= grant->session->config.ring_size || !participant->slots[o.shape.key_index].current) {
                bool retired = o.shape.key_index < grant->session->config.ring_size &&
                               participant->slots[o.shape.key_index].retired;

                participant->wanted_index = o.shape.key_index;
                ret->verdict = retired ? FRAMEKEY_VERDICT_TOO_OLD : FRAMEKEY_VERDICT_UNKNOWN_KEY;
                return;
        }
        o.slot = &participant->slots[o.shape.key_index];
        o.iv_tag = replay_tag(request->frame + o.shape.iv_offset);
        open_slot(&o, ret);
}

/* ---- all formats ---- */

static void count(FrameGrant *grant, uint64_t now_usec, uint32_t plain_len, FrameResult *ret) {
        Participant *participant = grant->participant;
        int verdict = ret->verdict;

        if (!participant)
                return;
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

int frame_grant_new(FrameGrant **ret, Session *session, const void *channel, uint32_t participant_id,
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
