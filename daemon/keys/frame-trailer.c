/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sealing and opening of trailer frames (formats/trailer-frames, sections 1 to 5). */
#include "format/injected.h"
#include "format/trailer.h"
#include "keys/frame-internal.h"
#include "keys/plane-internal.h"

/* Estimated CPU time of trying one key on a frame: key set-up, and GCM at 2 bytes a nanosecond. */
#define TRIAL_NSEC(len) (UINT64_C(1000) + (len) / 2)
/* A sender's bogus frames may cost 5 % of one core, 1 s of it saved up. */
static const BudgetLimit trial_limit_sender = { .slowdown = 20, .burst_nsec = 1000000000 };
/* Those of all senders in one session 10 %; of all sessions together: plane_take_trials(). */
static const BudgetLimit trial_limit_session = { .slowdown = 10, .burst_nsec = 1000000000 };

/* ---- sealing ---- */

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

void trailer_frame_seal(FrameGrant *grant, const FrameRequest *request, uint8_t *out, size_t out_max,
                        FrameResult *ret) {
        Participant *participant = grant->participant;
        Session *session = grant->session;
        size_t clear = request->clear_len, text = request->len - clear;
        bool key_frame_wanted;
        uint32_t index =
                sender_index(grant, request->frame_type == FRAMEKEY_FRAME_KEY, request->now_usec, &key_frame_wanted);
        KeySlot *slot = index == SESSION_ACTIVE ? NULL : &participant->slots[index];
        KeyLife *life;
        int r;

        if (!slot || !slot->current) {
                ret->verdict = slot && slot->retired ? FRAMEKEY_VERDICT_LIMIT : FRAMEKEY_VERDICT_UNKNOWN_KEY;
                return;
        }
        life = session->shared ? &session->shared[index].life : &slot->life;
        ret->key_index = (uint16_t)index;
        ret->step = slot->current->step;
        grant->health.seen_index = index;
        if (request->len > FRAMEKEY_FRAME_MAX || out_max < TRAILER_OVERHEAD ||
            request->len > out_max - TRAILER_OVERHEAD) {
                ret->verdict = FRAMEKEY_VERDICT_TOO_LONG;
                return;
        }
        if (!life_may_seal(session, life, request->now_usec)) {
                ret->verdict = FRAMEKEY_VERDICT_LIMIT;
                return;
        }

        memcpy(out, request->frame, clear);
        r = aead_seal(slot->current->handle->aead, request->iv, request->frame, clear, request->frame + clear, text,
                      out + clear, out + clear + text);
        if (r < 0) {
                ret->verdict = r;
                return;
        }
        trailer_finish(out + clear + text + TRAILER_TAG_LEN, request->iv, (uint8_t)index);

        slot->current->frames++;
        slot->current->bytes += request->len;
        if (life_count(life, request->len))
                session_mark(session, session->shared ? NULL : participant);
        if (life->frames >= session->config.send_limit / 2)
                ret->flags |= FRAMEKEY_RESULT_RATCHET_SOON;
        if (key_frame_wanted)
                ret->flags |= FRAMEKEY_RESULT_KEYFRAME_WANTED;
        note_new_key(grant, request, slot, ret);
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

/* What the stream's and the participant's later frames are judged by. */
static void note_good(const Opening *o, const Generation *generation) {
        FrameGrant *grant = o->grant;
        Participant *participant = grant->participant;

        o->slot->last_good_usec = o->request->now_usec;
        if (participant->good_index != o->shape.key_index) {
                participant->good_index = o->shape.key_index;
                session_mark(grant->session, participant);
        }
        if (generation != o->slot->current || grant->last_generation == generation->id)
                return;
        grant->has_horizon = true;
        grant->horizon_ssrc = o->request->ssrc;
        grant->horizon_timestamp = o->request->rtp_timestamp;
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
        note_good(o, generation);
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
        Session *session = o->grant->session;

        return n == 0 || (budget_take(&o->slot->trials, &trial_limit_sender, now, cost) &&
                          budget_take(&session->trials, &trial_limit_session, now, cost) &&
                          plane_take_trials(session->plane, now, cost));
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

/* A key that is wiped cannot tell its frames any more. That a frame is of its time, and so too old, can be told of
 * copies, and of frames that the client says were sent before the first one that opened under the current step. */
static int failed(const Opening *o) {
        const FrameGrant *grant = o->grant;
        const FrameRequest *request = o->request;

        if (o->slot->dead && replay_seen(o->slot->dead, o->iv_tag))
                return FRAMEKEY_VERDICT_TOO_OLD;
        if (o->slot->current->step > 0 && grant->has_horizon && grant->horizon_ssrc == request->ssrc &&
            (int32_t)(request->rtp_timestamp - grant->horizon_timestamp) < 0)
                return FRAMEKEY_VERDICT_TOO_OLD;
        return FRAMEKEY_VERDICT_FORGED;
}

/* With retain-root a sender may start again: the steps after the one it stands at will be wanted. */
static void note_behind(const Opening *o, const Generation *generation) {
        Session *session = o->grant->session;
        KeySlot *slot = o->slot;
        uint32_t n_kept, root = chain_root(slot->chain, &n_kept);

        if (!session->config.retain_root || generation->step == slot->behind_step)
                return;
        slot->behind_step = generation->step;
        slot->behind = true;
        chain_keep_first(slot->chain, generation->step - root + 1 + session->config.ratchet_window);
        session_mark(session, o->grant->participant);
}

/* Tries the generations from this one on, as long as they live. True: `ret` has the answer. */
static bool try_older(const Opening *o, Generation *older, FrameResult *ret) {
        for (; older && older->dies_usec > o->request->now_usec; older = older->next) {
                o->grant->participant->counters.trials++;
                if (settle_with(o, older, ret)) {
                        if (ret->verdict == FRAMEKEY_OK)
                                note_behind(o, older);
                        return true;
                }
        }
        return false;
}

static uint32_t count_older(const Generation *older, uint64_t now_usec) {
        uint32_t n = 0;

        for (; older && older->dies_usec > now_usec; older = older->next)
                n++;
        return n;
}

/* The sender stands at a step that the slot does not stand at: follow it forward, or (retain-root) get to know a step
 * behind. Previous generations live on for the grace time, or for ever with retain-root. */
static void follow(const Opening *o, uint32_t step, FrameResult *ret) {
        const SessionConfig *config = &o->grant->session->config;
        Participant *participant = o->grant->participant;
        Generation *generation = NULL;
        int r;

        if (step < o->slot->current->step)
                r = slot_know(participant, o->slot, step, &generation);
        else {
                r = slot_step(participant, o->slot, step,
                              config->retain_root ? USEC_INFINITY : o->request->now_usec + config->grace_usec);
                generation = o->slot->current;
        }
        if (r != 0) {
                ret->verdict = r;
                return;
        }
        o->grant->session->follow_pending = true;
        session_mark(o->grant->session, participant);
        if (generation != o->slot->current)
                note_behind(o, generation);
        accept(o, generation, ret);
}

/*
 * The order of security 4.3: current, previous ones in their grace, steps ahead; with retain-root the first steps too.
 * The current key, the one before it and the next one cost a sender nothing, so that no flood of bogus frames can keep
 * a real step from being followed; all other trials are rationed. None derives anything.
 */
static void open_slot(const Opening *o, FrameResult *ret) {
        Session *session = o->grant->session;
        KeySlot *slot = o->slot;
        Generation *previous = slot->previous;
        uint64_t now = o->request->now_usec;
        uint32_t from = slot->current->step + 1, step = 0, older, n_kept;
        uint32_t end = chain_end(slot->chain), root = chain_root(slot->chain, &n_kept), again;
        uint32_t next = session->config.ratchet_window > 0 ? MIN_OF(from + 1, end) : from;
        uint32_t to = MAX_OF(next, MIN_OF(from + session->config.ratchet_window, end));
        int r;

        again = n_kept > 0 && slot->behind_step > root ? slot->behind_step + 1 : root;
        again = MIN_OF(again, root + n_kept);
        n_kept = MIN_OF(root + n_kept - again, session->config.ratchet_window + 1);
        if (settle_with(o, slot->current, ret))
                return;
        if (previous && previous->dies_usec > now) {
                if (settle_with(o, previous, ret))
                        return;
                previous = previous->next;
        }
        r = try_ahead(o, from, next, &step);
        if (r == FRAMEKEY_VERDICT_FORGED) {
                older = count_older(previous, now);
                if (!afford(o, older + (to - next) + n_kept)) {
                        ret->verdict = FRAMEKEY_VERDICT_BUDGET;
                        return;
                }
                if (try_older(o, previous, ret))
                        return;
                r = try_ahead(o, next, to, &step);
        }
        if (r == FRAMEKEY_VERDICT_FORGED)
                r = try_ahead(o, again, again + n_kept, &step);
        if (r == 0)
                follow(o, step, ret);
        else if (r < 0)
                ret->verdict = r;
        else {
                ret->verdict = failed(o);
                if (++slot->forged >= session->config.failure_limit)
                        session_mark(session, o->grant->participant);
        }
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

void trailer_frame_open(FrameGrant *grant, const FrameRequest *request, uint8_t *out, size_t out_max,
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
        grant->health.seen_index = o.shape.key_index;
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
