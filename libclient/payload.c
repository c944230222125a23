/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The codec's first and last step around the daemon's part, see payload.h. */
#include <string.h>

#include "codec/escape.h"
#include "codec/nalu.h"
#include "payload.h"

/* Nothing of audio or data is clear, whatever codec a frame of theirs names. */
static enum framekey_codec ranged_codec(const ClearFrame *frame) {
        return frame->media == FRAMEKEY_MEDIA_VIDEO ? frame->codec : FRAMEKEY_CODEC_UNKNOWN;
}

void payload_plan(const ClearFrame *frame, Payload *ret) {
        ClearPlan plan = { 0 };

        *ret = (Payload){ .verdict = clear_plan(frame, &plan) };
        if (ret->verdict == 0 && frame->direction == FRAMEKEY_ENCRYPT && frame->len > FRAMEKEY_FRAME_MAX)
                ret->verdict = FRAMEKEY_VERDICT_TOO_LONG;
        if (ret->verdict != 0)
                return;
        if (frame->format == FRAMEKEY_FORMAT_DAVE && frame->direction == FRAMEKEY_ENCRYPT) {
                ret->ranged = true;
                dave_ranges_plan(ranged_codec(frame), frame->bytes, frame->len, &ret->ranges);
                ret->in_max = PAYLOAD_HEAD_LEN(ret) + ret->ranges.room;
                return;
        }

        ret->frame_clear = plan.clear_len;
        ret->clear_len = plan.clear_len;
        ret->in_max = frame->len;
        if (!plan.nal)
                return;
        if (frame->direction == FRAMEKEY_DECRYPT) {
                ret->unescape = true;
                return;
        }
        ret->escape = true;
        ret->n_short = nalu_count_short(frame->bytes, plan.clear_len);
        ret->clear_len += ret->n_short;
        ret->in_max += ret->n_short;
}

static size_t write_ranged(const Payload *payload, const ClearFrame *frame, uint8_t *ret) {
        uint8_t *at = ret + PAYLOAD_HEAD_LEN(payload);
        const uint8_t *from = frame->bytes;
        size_t len;

        if (ret == from) { /* makes way for the ranges */
                memmove(at, from, frame->len);
                from = at;
        }
        len = dave_ranges_write(&payload->ranges, ranged_codec(frame), from, frame->len, at);
        memcpy(ret, payload->ranges.ranges, PAYLOAD_HEAD_LEN(payload));
        return len;
}

size_t payload_write(const Payload *payload, const ClearFrame *frame, uint8_t *ret) {
        size_t rest_len = frame->len - payload->frame_clear;
        const uint8_t *rest;

        if (frame->len == 0)
                return 0;
        if (payload->ranged)
                return write_ranged(payload, frame, ret);
        rest = frame->bytes + payload->frame_clear;
        if (payload->unescape) {
                memmove(ret, frame->bytes, payload->clear_len);
                return payload->clear_len + escape_remove(ret + payload->clear_len, rest, rest_len);
        }
        /* The rest first: in place it makes way for the longer clear part. */
        if (ret + payload->clear_len != rest)
                memmove(ret + payload->clear_len, rest, rest_len);
        if (ret != frame->bytes)
                memmove(ret, frame->bytes, payload->frame_clear);
        if (payload->n_short > 0)
                nalu_lengthen(ret, payload->frame_clear, payload->n_short);
        return payload->clear_len + rest_len;
}

size_t payload_read_len(const uint8_t *out, size_t len, size_t clear_len, bool escape) {
        if (!escape || len <= clear_len)
                return len;
        return len + escape_count(out + clear_len, len - clear_len);
}

size_t payload_read(uint8_t *ret, const uint8_t *out, size_t len, size_t clear_len, bool escape) {
        if (len == 0)
                return 0;
        if (!escape || len <= clear_len) {
                memcpy(ret, out, len);
                return len;
        }
        memcpy(ret, out, clear_len);
        return clear_len + escape_insert(ret + clear_len, out + clear_len, len - clear_len);
}
