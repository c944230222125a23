/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Clear bytes of a frame; the table and the rules for frames of unknown type are in clear.h. */
#include "codec/clear.h"
#include "codec/nalu.h"

#define CLEAR_KEY   10u
#define CLEAR_DELTA 3u
#define CLEAR_AUDIO 1u
/* NAL unit header and the first byte of the slice header: what the peers leave clear of a slice. */
#define CLEAR_SLICE 2u

static bool is_h26x(enum framekey_codec codec) {
        return codec == FRAMEKEY_CODEC_H264 || codec == FRAMEKEY_CODEC_H265;
}

static bool is_video(enum framekey_codec codec) {
        return is_h26x(codec) || codec == FRAMEKEY_CODEC_UNKNOWN || codec == FRAMEKEY_CODEC_VP8 ||
               codec == FRAMEKEY_CODEC_VP9 || codec == FRAMEKEY_CODEC_AV1;
}

static enum framekey_frame_type key_if(bool key) {
        return key ? FRAMEKEY_FRAME_KEY : FRAMEKEY_FRAME_DELTA;
}

/* VP9 bitstream, uncompressed_header(): marker(2) profile(2) [reserved(1) in profile 3] show_existing(1) frame_type(1)
 */
static enum framekey_frame_type vp9_type(const uint8_t *bytes, size_t len) {
        unsigned bits;

        if (len == 0 || bytes[0] >> 6 != 2)
                return FRAMEKEY_FRAME_UNSPECIFIED;
        bits = (bytes[0] & 0x30) == 0x30 ? (bytes[0] >> 1) & 3u : (bytes[0] >> 2) & 3u;
        return key_if(bits == 0);
}

/* AV1 bitstream, obu_header(): forbidden(1) type(4) extension(1) has_size(1) reserved(1) */
static enum framekey_frame_type av1_type(const uint8_t *bytes, size_t len) {
        uint8_t header;

        if (len < CLEAR_DELTA)
                return FRAMEKEY_FRAME_UNSPECIFIED;
        header = bytes[0];
        if (header == 0x12 && bytes[1] == 0) /* temporal delimiter with a size of 0 */
                header = bytes[2];
        if (header & 0x80 || (header >> 3 & 0xf) == 0 || (header >> 3 & 0xf) == 2)
                return FRAMEKEY_FRAME_UNSPECIFIED;
        return key_if((header >> 3 & 0xf) == 1);
}

/* A plain H.26x frame. */
static enum framekey_frame_type slice_type(const ClearFrame *frame) {
        NaluSlice slice;

        if (nalu_find_slice(frame->bytes, frame->len, &slice) != 0)
                return FRAMEKEY_FRAME_UNSPECIFIED;
        return key_if(slice.intra);
}

/* Headers that only an intact start of a key frame shows: in a delta frame this byte is ciphertext. */
static bool opens_key_frame(enum framekey_codec codec, uint8_t header) {
        unsigned h264 = header & 0x1f;
        unsigned h265 = header >> 1 & 0x3f;

        if (header & 0x80) /* forbidden_zero_bit of both */
                return false;
        if (codec != FRAMEKEY_CODEC_H265 && h264 >= 5 && h264 <= 9)
                return true;
        return codec != FRAMEKEY_CODEC_H264 && !(header & 1) &&
               ((h265 >= 16 && h265 <= 21) || (h265 >= 32 && h265 <= 35) || h265 == 39);
}

/* An encrypted H.26x frame under a 10/3 rule. */
static enum framekey_frame_type sealed_h26x_type(const ClearFrame *frame) {
        const uint8_t *b = frame->bytes;

        if (frame->len < 5)
                return FRAMEKEY_FRAME_UNSPECIFIED;
        return key_if(b[0] == 0 && b[1] == 0 && b[2] == 0 && b[3] == 1 && opens_key_frame(frame->codec, b[4]));
}

static enum framekey_frame_type type_from_bytes(const ClearFrame *frame) {
        const uint8_t *b = frame->bytes;

        switch (frame->codec) {
        case FRAMEKEY_CODEC_VP8:
                return key_if(!(b[0] & 1));
        case FRAMEKEY_CODEC_VP9:
                return vp9_type(b, frame->len);
        case FRAMEKEY_CODEC_AV1:
                return av1_type(b, frame->len);
        default:
                break;
        }
        if (frame->direction == FRAMEKEY_ENCRYPT)
                return slice_type(frame);
        if (is_h26x(frame->codec) || (frame->len > 2 && b[0] == 0 && b[1] == 0 && b[2] <= 1))
                return sealed_h26x_type(frame);
        return key_if(!(b[0] & 1));
}

enum framekey_frame_type clear_frame_type(const ClearFrame *frame) {
        if (frame->type != FRAMEKEY_FRAME_UNSPECIFIED || frame->media != FRAMEKEY_MEDIA_VIDEO || frame->len == 0)
                return frame->type;
        return type_from_bytes(frame);
}

static int clear_by_type(const ClearFrame *frame, ClearPlan *ret) {
        enum framekey_frame_type type = clear_frame_type(frame);

        if (type == FRAMEKEY_FRAME_UNSPECIFIED && frame->direction == FRAMEKEY_DECRYPT)
                type = FRAMEKEY_FRAME_DELTA;

        switch (type) {
        case FRAMEKEY_FRAME_KEY:
                ret->clear_len = CLEAR_KEY;
                return 0;
        case FRAMEKEY_FRAME_DELTA:
                ret->clear_len = CLEAR_DELTA;
                return 0;
        case FRAMEKEY_FRAME_EMPTY:
                if (frame->format == FRAMEKEY_FORMAT_JITSI && frame->direction == FRAMEKEY_ENCRYPT)
                        return FRAMEKEY_VERDICT_UNSUPPORTED;
                ret->clear_len = 0;
                return 0;
        default:
                return FRAMEKEY_VERDICT_UNSUPPORTED;
        }
}

static int clear_livekit_video(const ClearFrame *frame, ClearPlan *ret) {
        NaluSlice slice;

        switch (frame->codec) {
        case FRAMEKEY_CODEC_VP8:
                return clear_by_type(frame, ret);
        case FRAMEKEY_CODEC_VP9:
                return 0;
        case FRAMEKEY_CODEC_AV1:
                return FRAMEKEY_VERDICT_UNSUPPORTED;
        default:
                break;
        }
        /* The bytes outrank the announcement: H.264 or H.265 does not matter from here. */
        if (nalu_find_slice(frame->bytes, frame->len, &slice) != 0)
                return clear_by_type(frame, ret);
        ret->clear_len = slice.offset + CLEAR_SLICE;
        ret->nal = true;
        return 0;
}

static int clear_video(const ClearFrame *frame, ClearPlan *ret) {
        if (!is_video(frame->codec))
                return FRAMEKEY_VERDICT_UNSUPPORTED;

        switch (frame->format) {
        case FRAMEKEY_FORMAT_LIVEKIT:
                return clear_livekit_video(frame, ret);
        case FRAMEKEY_FORMAT_REALTIMEKIT:
        case FRAMEKEY_FORMAT_JITSI:
                return clear_by_type(frame, ret);
        default:
                return FRAMEKEY_VERDICT_UNSUPPORTED;
        }
}

/* Leading bytes are clear in the trailer formats; SFrame has none, and DAVE ranges. */
static bool has_clear_bytes(const ClearFrame *frame) {
        return frame->len > 0 && frame->format != FRAMEKEY_FORMAT_SFRAME && frame->format != FRAMEKEY_FORMAT_DAVE;
}

int clear_plan(const ClearFrame *frame, ClearPlan *ret) {
        ClearPlan plan = { 0 };
        int r = 0;

        if (has_clear_bytes(frame) && frame->media == FRAMEKEY_MEDIA_VIDEO)
                r = clear_video(frame, &plan);
        else if (has_clear_bytes(frame) && frame->media == FRAMEKEY_MEDIA_AUDIO)
                plan.clear_len = CLEAR_AUDIO;
        if (r != 0)
                return r;

        if (plan.clear_len > frame->len) {
                if (frame->direction == FRAMEKEY_ENCRYPT)
                        return FRAMEKEY_VERDICT_TOO_SHORT;
                plan.clear_len = frame->len;
        }
        *ret = plan;
        return 0;
}
