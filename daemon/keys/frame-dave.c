/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sealing and opening of DAVE (formats/sframe-dave-jitsi, section 2). The nonce names the generation;
 * of which epoch it is, a frame does not say, so while an old epoch's keys live they are tried in turn.
 */
#include "format/dave.h"
#include "keys/frame-internal.h"

/* A sender gives up then. */
#define ATTEMPTS_MAX 10u

typedef struct Parts {
        uint8_t nonce[DAVE_NONCE_LEN];
        SuitePiece aad[DAVE_RANGES_MAX];
        SuiteText text[DAVE_RANGES_MAX + 1];
} Parts;

/* Clear pieces are additional data, and copied; what is between them is text. */
static SuiteFrame split(Parts *parts, const DaveFrame *frame, const uint8_t *in, uint8_t *out) {
        DaveRange encrypted[DAVE_RANGES_MAX + 1];
        size_t n_text = dave_encrypted(frame->clear, frame->n_clear, frame->len, encrypted);

        dave_nonce(frame->nonce, parts->nonce);
        for (size_t i = 0; i < frame->n_clear; i++) {
                parts->aad[i] = (SuitePiece){ in + frame->clear[i].offset, frame->clear[i].size };
                memcpy(out + frame->clear[i].offset, in + frame->clear[i].offset, frame->clear[i].size);
        }
        for (size_t i = 0; i < n_text; i++)
                parts->text[i] = (SuiteText){ in + encrypted[i].offset, out + encrypted[i].offset, encrypted[i].size };
        return (SuiteFrame){ parts->nonce, parts->aad, frame->n_clear, parts->text, n_text };
}

/* ---- sealing ---- */

/* The sender's count has come to this generation. */
static int move_sender(FrameGrant *grant, KeySlot *slot, uint32_t generation) {
        ScheduleStep *walked;
        int r;

        if (generation == slot->current->step)
                return 0;
        if (!chain_at(slot->chain, generation)) {
                r = chain_walk(slot->chain, generation, &walked);
                if (r < 0)
                        return r;
                chain_jump(slot->chain, generation, walked);
        }
        session_mark(grant->session, grant->participant);
        return slot_step(grant->participant, slot, generation, 0);
}

/* One attempt, under the next count. 0, FRAMEKEY_VERDICT_LIMIT or -errno. */
static int attempt(FrameGrant *grant, const Sealing *sealing, DaveFrame *frame, const FrameRequest *request,
                   uint8_t *out, size_t *ret_len) {
        uint64_t count = ledger_take(chain_counter(sealing->slot->chain)) + 1;
        SuiteFrame parts;
        Parts pieces;
        int r;

        if (count >= SESSION_COUNTER_MAX)
                return FRAMEKEY_VERDICT_LIMIT;
        r = move_sender(grant, sealing->slot, (uint32_t)dave_generation(count));
        if (r < 0)
                return r;
        frame->nonce = (uint32_t)count;
        parts = split(&pieces, frame, request->frame, out);
        r = suite_seal(sealing->slot->current->handle->cipher, &parts, out + frame->len);
        if (r < 0)
                return r;
        *ret_len = frame->len + DAVE_TAG_LEN +
                   dave_finish(out + frame->len + DAVE_TAG_LEN, frame->nonce, frame->clear, frame->n_clear);
        return 0;
}

void dave_frame_seal(FrameGrant *grant, const FrameRequest *request, uint8_t *out, size_t out_max, FrameResult *ret) {
        DaveFrame frame = { .len = (uint32_t)request->len, .n_clear = request->n_ranges };
        Sealing sealing;
        size_t len;
        int r;

        if (!frame_seal_begin(grant, request, DAVE_TRAILER_MAX, out_max, &sealing, ret))
                return;
        if (request->n_ranges > DAVE_RANGES_MAX ||
            dave_check_ranges(request->ranges, request->n_ranges, (uint32_t)request->len) != 0)
                return; /* refused: not our library's */
        if (request->n_ranges > 0)
                memcpy(frame.clear, request->ranges, request->n_ranges * sizeof(*request->ranges));

        for (unsigned i = 0; i < ATTEMPTS_MAX; i++) {
                r = attempt(grant, &sealing, &frame, request, out, &len);
                if (r != 0) {
                        ret->verdict = r;
                        return;
                }
                if (!request->start_codes || !dave_has_start_code(out, len, frame.len, frame.clear, frame.n_clear)) {
                        frame_seal_end(grant, request, &sealing, len, 0, ret);
                        return;
                }
        }
        ret->verdict = FRAMEKEY_VERDICT_UNSUPPORTED;
}

/* ---- opening ---- */

typedef struct Opening {
        FrameGrant *grant;
        const FrameRequest *request;
        DaveFrame shape;
        uint8_t *out;
} Opening;

static int open_with(const void *opening, const ChainHandle *handle) {
        const Opening *o = opening;
        Parts pieces;
        SuiteFrame frame = split(&pieces, &o->shape, o->request->frame, o->out);
        int r = suite_open(handle->cipher, &frame, o->request->frame + o->shape.len);

        return r > 0 ? FRAMEKEY_VERDICT_FORGED : r;
}

static int accept(const Opening *o, KeySlot *slot, Generation *generation, uint64_t count, FrameResult *ret) {
        const Opened opened = {
                .slot = slot,
                .generation = generation,
                /* Of the first generation that is heard of, nothing before the first frame; of later ones, all. */
                .seen = { .reach = COUNTER_WINDOW_REACH_DAVE,
                          .start = slot->last_good_usec == 0 ? COUNTER_WINDOW_FROM_FIRST : COUNTER_WINDOW_BELOW_FIRST },
                .number = count,
                .len = o->shape.len,
        };

        ret->key_index = (uint16_t)(slot - o->grant->participant->slots);
        o->grant->health.seen_index = ret->key_index;
        frame_open_end(o->grant, o->request, &opened, ret);
        if (ret->verdict == FRAMEKEY_OK && (o->grant->newest_chain != slot->chain || count > o->grant->newest_count)) {
                o->grant->newest_chain = slot->chain;
                o->grant->newest_count = count;
        }
        return ret->verdict;
}

static int open_known(const Opening *o, KeySlot *slot, Generation *generation, uint64_t count, FrameResult *ret) {
        int r = window_check(o->grant->group, generation, count);

        if (r == 0)
                r = open_with(o, generation->handle);
        return r == 0 ? accept(o, slot, generation, count, ret) : r;
}

/* The next generation costs a sender nothing; no flood of bogus frames can keep it from being followed. */
static int open_ahead(const Opening *o, KeySlot *slot, uint32_t step, uint64_t count, FrameResult *ret) {
        int r = frame_open_ahead(o->grant, o->request, slot, step, 1, open_with, o);

        return r == 0 ? accept(o, slot, slot->current, count, ret) : r;
}

/* The last generation that the sender of a key can have come to. Where in its first one it was when the key came to us
 * is not known of a key that had been sent under before. */
static uint64_t last_generation(const KeySlot *slot, uint64_t now) {
        uint64_t age = now > slot->life.installed_usec ? now - slot->life.installed_usec : 0;
        uint32_t n_kept, first = chain_root(slot->chain, &n_kept);
        bool begun = first > 0 || slot->life.origin == SESSION_UNWRAPPED;

        return (uint64_t)first + begun + dave_schedule_last_generation(age);
}

/* The frame under the keys of one epoch. 0, a verdict or -errno. */
static int open_slot(const Opening *o, KeySlot *slot, FrameResult *ret) {
        uint64_t now = o->request->now_usec, oldest = slot->current->step, count, generation;
        Generation *known = slot->current;

        for (const Generation *previous = slot->previous; previous; previous = previous->next)
                if (previous->dies_usec > now)
                        oldest = MIN_OF(oldest, previous->step);
        count = dave_count(o->shape.nonce, oldest);
        generation = dave_generation(count);
        /* The window of a generation ends with it; how late a frame may be does not. */
        if (o->grant->newest_chain == slot->chain && count + COUNTER_WINDOW_REACH_DAVE < o->grant->newest_count)
                return FRAMEKEY_VERDICT_TOO_OLD;
        if (generation > slot->current->step + DAVE_JUMP_MAX ||
            (generation > slot->current->step && generation > last_generation(slot, now)))
                return FRAMEKEY_VERDICT_UNKNOWN_KEY;
        if (generation > slot->current->step)
                return open_ahead(o, slot, (uint32_t)generation, count, ret);
        if (generation < slot->current->step)
                for (known = slot->previous; known; known = known->next)
                        if (known->step == generation && known->dies_usec > now)
                                break;
        return known ? open_known(o, slot, known, count, ret) : FRAMEKEY_VERDICT_TOO_OLD;
}

/* The live key that was installed last before this one, NULL after the oldest. */
static KeySlot *next_older(const FrameGrant *grant, const KeySlot *than) {
        Participant *participant = grant->participant;
        KeySlot *found = NULL;

        for (uint32_t i = 0; i < grant->session->config.ring_size; i++) {
                KeySlot *slot = &participant->slots[i];

                if (slot->chain && (!than || slot->life.sequence < than->life.sequence) &&
                    (!found || slot->life.sequence > found->life.sequence))
                        found = slot;
        }
        return found;
}

/* What is known of a frame that several keys did not open: that one of them has seen it tells more than that another
 * does not fit. */
static int worse(int verdict, int other) {
        bool tells = other == FRAMEKEY_VERDICT_REPLAYED || other == FRAMEKEY_VERDICT_TOO_OLD || other < 0;

        if (verdict == FRAMEKEY_VERDICT_UNKNOWN_KEY || (verdict == FRAMEKEY_VERDICT_FORGED && tells))
                return other;
        return verdict;
}

static void open_any(const Opening *o, FrameResult *ret) {
        FrameGrant *grant = o->grant;
        KeySlot *newest = next_older(grant, NULL);
        int verdict = FRAMEKEY_VERDICT_UNKNOWN_KEY;

        for (KeySlot *slot = newest; slot; slot = next_older(grant, slot)) {
                int r;

                if (slot != newest && !frame_afford(grant, o->request, slot, 1)) {
                        verdict = worse(verdict, FRAMEKEY_VERDICT_BUDGET);
                        break;
                }
                if (slot != newest)
                        grant->participant->counters.trials++;
                r = open_slot(o, slot, ret);
                if (r == FRAMEKEY_OK)
                        return;
                verdict = worse(verdict, r);
        }
        ret->verdict = verdict;
        if (newest)
                ret->key_index = (uint16_t)(newest - grant->participant->slots);
        if (verdict == FRAMEKEY_VERDICT_FORGED)
                frame_forged(grant, newest);
        else if (verdict == FRAMEKEY_VERDICT_UNKNOWN_KEY)
                grant->participant->wanted_index = 0;
}

/* What is no frame of the protocol passes only by the owner's permission, and while that lasts. */
static void deliver_clear(const Opening *o, FrameResult *ret) {
        const Participant *participant = o->grant->participant;
        const FrameRequest *request = o->request;
        bool permitted = participant->clear_until_usec > request->now_usec;
        bool silence = o->grant->media == FRAMEKEY_MEDIA_AUDIO && dave_is_silence(request->frame, request->len);

        ret->verdict = FRAMEKEY_VERDICT_MALFORMED;
        if (!permitted || participant->clear == SESSION_CLEAR_NOTHING ||
            (participant->clear == SESSION_CLEAR_SILENCE && !silence))
                return;
        memcpy(o->out, request->frame, request->len);
        ret->verdict = silence ? FRAMEKEY_VERDICT_SERVER_INJECTED : FRAMEKEY_VERDICT_UNENCRYPTED;
        ret->len = (uint32_t)request->len;
}

void dave_frame_open(FrameGrant *grant, const FrameRequest *request, uint8_t *out, size_t out_max, FrameResult *ret) {
        Opening o = { .grant = grant, .request = request, .out = out };

        if (request->len > out_max)
                ret->verdict = FRAMEKEY_VERDICT_TOO_LONG;
        else if (dave_parse(request->frame, request->len, &o.shape) != 0)
                deliver_clear(&o, ret);
        else
                open_any(&o, ret);
}
