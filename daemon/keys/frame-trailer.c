/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sealing and opening of trailer frames (formats/trailer-frames, sections 1 to 5). */
#include "format/injected.h"
#include "format/trailer.h"
#include "keys/frame-internal.h"
#include "keys/plane-internal.h"

/* ---- sealing ---- */

void trailer_frame_seal(FrameGrant *grant, const FrameRequest *request, uint8_t *out, size_t out_max,
                        FrameResult *ret) {
        size_t clear = request->clear_len, text = request->len - clear;
        Sealing sealing;
        int r;

        if (!frame_seal_begin(grant, request, TRAILER_OVERHEAD, out_max, &sealing, ret))
                return;
        memcpy(out, request->frame, clear);
        r = aead_seal(sealing.slot->current->handle->aead, request->iv, request->frame, clear, request->frame + clear,
                      text, out + clear, out + clear + text);
        if (r < 0) {
                ret->verdict = r;
                return;
        }
        trailer_finish(out + clear + text + TRAILER_TAG_LEN, request->iv, (uint8_t)ret->key_index);
        frame_seal_end(grant, request, &sealing, request->len + TRAILER_OVERHEAD, clear, ret);
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
        return o->grant->session->config.replay_window > 0 && window_check(o->grant->group, generation, o->iv_tag) != 0;
}

static void accept(const Opening *o, Generation *generation, FrameResult *ret) {
        const Opened opened = {
                .slot = o->slot,
                .generation = generation,
                .seen = { .n_ivs = o->grant->session->config.replay_window, .room = &o->grant->session->replay_room },
                .number = o->iv_tag,
                .len = o->shape.text_offset + o->shape.text_len,
                .clear_len = o->shape.text_offset,
        };

        memcpy(o->out, o->request->frame, o->shape.text_offset);
        frame_open_end(o->grant, o->request, &opened, ret);
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
        Generation *generation = NULL;
        int r;

        if (step < o->slot->current->step) {
                r = slot_know(o->grant->participant, o->slot, step, &generation);
                if (r == 0) {
                        o->grant->session->follow_pending = true;
                        note_behind(o, generation);
                }
        } else {
                r = frame_follow(o->grant, o->request, o->slot, step, NULL);
                generation = o->slot->current;
        }
        if (r < 0)
                ret->verdict = r;
        else
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
                if (!frame_afford(o->grant, o->request, o->slot, older + (to - next) + n_kept)) {
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
                frame_forged(o->grant, slot);
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
