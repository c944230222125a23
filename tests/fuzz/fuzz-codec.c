/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fuzz target: NAL search, clear bytes and escaping over arbitrary frames.
 *
 * The first four bytes choose direction, format, media, codec and frame type, the rest is the frame. Beside
 * memory errors it looks for broken promises: a plan beyond the frame, a length announced wrongly, an escape that
 * cannot be undone, a receiver who finds another place than the sender.
 */
#include <stdlib.h>
#include <string.h>

#include "codec/clear.h"
#include "codec/escape.h"
#include "codec/nalu.h"
#include "payload.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int truth) {
        if (!truth)
                abort();
}

/* What the daemon appends: 30 bytes that cannot be told from the text, and the IV length, which keeps escapes away
 * from the end. */
static size_t seal(uint8_t *frame, size_t len, uint8_t filler) {
        memset(frame + len, filler, 28);
        frame[len + 28] = 12;
        frame[len + 29] = filler & 3;
        return len + 30;
}

static void check_escape(const uint8_t *data, size_t size) {
        uint8_t *out = malloc(ESCAPE_MAX(size) + 1);
        size_t len;

        len = escape_insert(out, data, size);
        must(len == size + escape_count(data, size) && len <= ESCAPE_MAX(size));
        for (size_t i = 2; i < len; i++)
                must(out[i] > 2 || out[i - 1] != 0 || out[i - 2] != 0);

        len = escape_removed_len(data, size);
        must(len <= size && escape_remove(out, data, size) == len);
        free(out);
}

/* Encrypting DAVE: ranges in front of a frame that they fit, and the same where the frame lay. */
static void check_ranged(const ClearFrame *frame, const Payload *payload) {
        size_t head = PAYLOAD_HEAD_LEN(payload), len, end = 0;
        uint8_t *apart = malloc(payload->in_max), *in_place = malloc(payload->in_max);
        ClearFrame moved = *frame;
        FrameRange range;

        len = payload_write(payload, frame, apart);
        must(payload->clear_len == 0 && !payload->escape && head + len <= payload->in_max);
        must(frame->media == FRAMEKEY_MEDIA_VIDEO || (head == 0 && !payload->ranges.scan && len == frame->len));
        for (size_t i = 0; i < payload->ranges.n_ranges; i++) {
                memcpy(&range, apart + i * PAYLOAD_RANGE_SIZE, sizeof(range));
                must(range.size > 0 && range.offset >= end && range.size <= len && range.offset <= len - range.size);
                end = range.offset + range.size;
        }

        memcpy(in_place, frame->bytes, frame->len);
        moved.bytes = in_place;
        must(payload_write(payload, &moved, in_place) == len && memcmp(in_place, apart, head + len) == 0);
        free(apart);
        free(in_place);
}

/* Encrypts as the library does, and decrypts what came out. */
static void check_round_trip(const ClearFrame *frame, const Payload *payload) {
        uint8_t *in = malloc(payload->in_max + 30), *sealed, *back;
        size_t in_len, sealed_len, out_len, back_len;
        ClearFrame received = *frame;
        Payload opening;

        in_len = payload_write(payload, frame, in);
        must(in_len <= payload->in_max && payload->clear_len <= in_len);
        sealed_len = seal(in, in_len, frame->len ? frame->bytes[0] : 0);
        out_len = payload_read_len(in, sealed_len, payload->clear_len, payload->escape);
        must(out_len <= PAYLOAD_OUT_MAX(sealed_len));
        sealed = malloc(out_len);
        must(payload_read(sealed, in, sealed_len, payload->clear_len, payload->escape) == out_len);

        received.direction = FRAMEKEY_DECRYPT;
        received.bytes = sealed;
        received.len = out_len;
        payload_plan(&received, &opening);
        must(opening.verdict == 0 && opening.clear_len <= out_len);
        /* With the type given, or found by start codes, both ends agree on every byte. But for one thing that is in the
         * format: zeros at the end of the clear part can make a start code with the first escaped bytes. */
        if (payload->clear_len > 0 && in[payload->clear_len - 1] == 0)
                goto out;
        if (payload->escape || (frame->type != FRAMEKEY_FRAME_UNSPECIFIED && !opening.unescape)) {
                must(opening.clear_len == payload->clear_len && opening.unescape == payload->escape);
                back = malloc(opening.in_max + 1);
                back_len = payload_write(&opening, &received, back);
                must(back_len == sealed_len && memcmp(back, in, back_len) == 0);
                free(back);
        }
out:
        free(sealed);
        free(in);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const enum framekey_codec codecs[] = {
                FRAMEKEY_CODEC_H264, FRAMEKEY_CODEC_H265, FRAMEKEY_CODEC_UNKNOWN, FRAMEKEY_CODEC_VP8,
                FRAMEKEY_CODEC_VP9,  FRAMEKEY_CODEC_AV1,  FRAMEKEY_CODEC_OPUS,    FRAMEKEY_CODEC_DATA,
        };
        ClearFrame frame;
        Payload payload;
        uint8_t *bytes;

        if (size < 4)
                return 0;
        frame = (ClearFrame){
                .direction = data[0] & 1 ? FRAMEKEY_DECRYPT : FRAMEKEY_ENCRYPT,
                .format = (enum framekey_format)(1 + data[1] % 5),
                .media = (enum framekey_media)(1 + (data[2] >> 4) % 3),
                .codec = codecs[data[2] % 8],
                .type = (enum framekey_frame_type)(data[3] % 4),
                .len = size - 4,
        };
        /* Of its exact length, so that the address sanitizer sees every step outside. */
        bytes = malloc(frame.len ? frame.len : 1);
        memcpy(bytes, data + 4, frame.len);
        frame.bytes = bytes;

        payload_plan(&frame, &payload);
        if (payload.verdict == 0 && frame.len > 0) {
                must(payload.frame_clear <= frame.len);
                if (payload.ranged)
                        check_ranged(&frame, &payload);
                else if (frame.direction == FRAMEKEY_ENCRYPT)
                        check_round_trip(&frame, &payload);
                else {
                        size_t len = payload_write(&payload, &frame, bytes);

                        must(len <= frame.len && payload.clear_len <= len);
                }
        }
        free(bytes);
        check_escape(data + 4, size - 4);
        return 0;
}
