/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sealing and opening of SFrame (RFC 9605, 4.4). The KID names the key and its step, so nothing is
 * tried: one step is looked up, or walked to, and either it opens the frame or nothing has changed.
 */
#include "format/sframe.h"
#include "keys/frame-internal.h"

/* Steps that a receiver which has not heard of its sender for long goes forward by one frame. */
#define WALK_MAX 2048u
/* So many steps ahead cost a sender nothing, so that no flood of bogus frames can keep a real step from being followed;
 * longer walks are rationed. */
#define WALK_FREE 2u
/* Late frames are of one of so many steps, if the KID has bits for them. */
#define BEHIND_MAX 8u

/* The frame in hand. */
typedef struct Parts {
        uint8_t nonce[SUITE_NONCE_LEN];
        SuitePiece aad[2];
        SuiteText text;
} Parts;

static SuiteFrame assemble(Parts *parts, const ChainHandle *handle, const FrameRequest *request,
                           const SFrameHeader *header, const uint8_t *header_bytes) {
        sframe_schedule_nonce(handle->salt, header->ctr, parts->nonce);
        parts->aad[0] = (SuitePiece){ header_bytes, header->len };
        parts->aad[1] = (SuitePiece){ request->metadata, request->metadata_len };
        return (SuiteFrame){ parts->nonce, parts->aad, ELEMENTS(parts->aad), &parts->text, 1 };
}

/* ---- sealing ---- */

void sframe_frame_seal(FrameGrant *grant, const FrameRequest *request, uint8_t *out, size_t out_max, FrameResult *ret) {
        SFrameHeader header;
        const Generation *generation;
        const SuiteInfo *suite;
        const Schedule *schedule;
        Sealing sealing;
        SuiteFrame frame;
        Parts parts;
        int r;

        if (!frame_seal_begin(grant, request, SFRAME_HEADER_MAX + SUITE_TAG_MAX, out_max, &sealing, ret))
                return;
        schedule = chain_schedule(sealing.slot->chain);
        suite = suite_find(schedule->suite);
        generation = sealing.slot->current;
        header.kid = schedule_kid(schedule, generation->step);
        ret->key_index = (uint16_t)header.kid;
        /* Before the cipher runs, and not given back whatever comes. */
        header.ctr = ledger_take(chain_counter(sealing.slot->chain));
        if (header.ctr >= SESSION_COUNTER_MAX) {
                ret->verdict = FRAMEKEY_VERDICT_LIMIT;
                return;
        }

        header.len = sframe_header_write(header.kid, header.ctr, out);
        parts.text = (SuiteText){ request->frame, out + header.len, request->len };
        frame = assemble(&parts, generation->handle, request, &header, out);
        r = suite_seal(generation->handle->cipher, &frame, out + header.len + request->len);
        if (r < 0) {
                ret->verdict = r;
                return;
        }
        frame_seal_end(grant, request, &sealing, header.len + request->len + suite->tag_len, 0, ret);
}

/* ---- opening ---- */

typedef struct Opening {
        FrameGrant *grant;
        const FrameRequest *request;
        SFrame shape;
        KeySlot *slot;
        uint8_t *out;
} Opening;

static bool has_kid(const KeySlot *slot, uint64_t kid) {
        return (slot->chain || slot->retired) && slot->kid >> slot->ratchet_bits == kid >> slot->ratchet_bits;
}

/* The slot of this KID; a live one before one that is retired. */
static KeySlot *find_slot(FrameGrant *grant, uint64_t kid) {
        Participant *participant = grant->participant;
        uint32_t ring_size = grant->session->config.ring_size;
        KeySlot *found = &participant->slots[grant->last_index], *retired = NULL;

        if (found->chain && has_kid(found, kid))
                return found;
        for (uint32_t i = 0; i < ring_size; i++) {
                found = &participant->slots[i];
                if (!has_kid(found, kid))
                        continue;
                if (found->chain) {
                        grant->last_index = i;
                        return found;
                }
                retired = found;
        }
        return retired;
}

static int open_with(const void *opening, const ChainHandle *handle) {
        const Opening *o = opening;
        const FrameRequest *request = o->request;
        Parts parts = { .text = { request->frame + o->shape.header.len, o->out, o->shape.text_len } };
        SuiteFrame frame = assemble(&parts, handle, request, &o->shape.header, request->frame);

        int r = suite_open(handle->cipher, &frame, request->frame + o->shape.tag_offset);

        return r > 0 ? FRAMEKEY_VERDICT_FORGED : r;
}

static void accept(const Opening *o, Generation *generation, FrameResult *ret) {
        const Opened opened = {
                .slot = o->slot,
                .generation = generation,
                .seen = { .reach = COUNTER_WINDOW_REACH, .start = COUNTER_WINDOW_BELOW_FIRST },
                .number = o->shape.header.ctr,
                .len = o->shape.text_len,
        };

        frame_open_end(o->grant, o->request, &opened, ret);
}

/* What did not open. */
static void refuse(const Opening *o, int r, FrameResult *ret) {
        if (r == FRAMEKEY_VERDICT_FORGED)
                frame_forged(o->grant, o->slot);
        ret->verdict = r;
}

/* A step that the receiver has a generation of. */
static void open_known(const Opening *o, Generation *generation, FrameResult *ret) {
        int r = window_check(o->grant->group, generation, o->shape.header.ctr);

        if (r == 0)
                r = open_with(o, generation->handle);
        if (r == 0)
                accept(o, generation, ret);
        else
                refuse(o, r, ret);
}

static void open_ahead(const Opening *o, uint32_t step, FrameResult *ret) {
        int r = frame_open_ahead(o->grant, o->request, o->slot, step, WALK_FREE, open_with, o);

        if (r == 0)
                accept(o, o->slot->current, ret);
        else
                refuse(o, r, ret);
}

static void open_slot(const Opening *o, FrameResult *ret) {
        Generation *generation = o->slot->current;
        unsigned bits = o->slot->ratchet_bits;
        uint64_t behind = MIN_OF((UINT64_C(1) << bits) / 4, BEHIND_MAX), at = generation->step, step;

        step = bits > 0 ? sframe_sender_step(o->shape.header.kid, bits, at, behind) : at;
        if (step > at) {
                if (step - at <= WALK_MAX && step < UINT32_MAX)
                        open_ahead(o, (uint32_t)step, ret);
                else
                        ret->verdict = FRAMEKEY_VERDICT_UNKNOWN_KEY;
                return;
        }
        if (step < at)
                for (generation = o->slot->previous; generation; generation = generation->next)
                        if (generation->step == step && generation->dies_usec > o->request->now_usec)
                                break;
        if (generation)
                open_known(o, generation, ret);
        else
                ret->verdict = FRAMEKEY_VERDICT_TOO_OLD;
}

void sframe_frame_open(FrameGrant *grant, const FrameRequest *request, uint8_t *out, size_t out_max, FrameResult *ret) {
        Opening o = { .grant = grant, .request = request, .out = out };
        const SuiteInfo *suite;

        if (request->len > out_max) {
                ret->verdict = FRAMEKEY_VERDICT_TOO_LONG;
                return;
        }
        if (sframe_header_parse(request->frame, request->len, &o.shape.header) != 0) {
                ret->verdict = FRAMEKEY_VERDICT_MALFORMED;
                return;
        }
        ret->key_index = (uint16_t)o.shape.header.kid;
        grant->health.seen_index = (uint32_t)o.shape.header.kid;
        o.slot = find_slot(grant, o.shape.header.kid);
        if (!o.slot || !o.slot->chain) {
                grant->participant->wanted_index = (uint32_t)o.shape.header.kid;
                ret->verdict = o.slot ? FRAMEKEY_VERDICT_TOO_OLD : FRAMEKEY_VERDICT_UNKNOWN_KEY;
                return;
        }
        suite = suite_find(chain_schedule(o.slot->chain)->suite);
        if (sframe_parse(request->frame, request->len, suite->tag_len, &o.shape) != 0) {
                ret->verdict = FRAMEKEY_VERDICT_MALFORMED;
                return;
        }
        open_slot(&o, ret);
}
