/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fuzz target: the trailers of hostile frames of LiveKit, RealtimeKit and Jitsi, and the marker of the
 * media server. The first two bytes choose clear bytes and the marker, which is taken from the frame's
 * own end or start.
 */
#include "format/injected.h"
#include "format/trailer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool truth) {
        if (!truth)
                abort();
}

static void check_trailer(const uint8_t *frame, size_t len, size_t clear_len) {
        TrailerFrame shape;
        uint8_t end[TRAILER_IV_LEN + 2];

        if (trailer_parse(frame, len, clear_len, &shape) != 0)
                return;
        must(shape.text_offset == clear_len && shape.tag_offset <= len && shape.text_offset <= shape.tag_offset);
        must(shape.text_len == shape.tag_offset - shape.text_offset);
        must(shape.iv_offset == shape.tag_offset + TRAILER_TAG_LEN);
        must(shape.iv_offset + sizeof(end) == len);
        trailer_finish(end, frame + shape.iv_offset, shape.key_index);
        must(memcmp(end, frame + shape.iv_offset, sizeof(end)) == 0);
}

static void check_injected(const uint8_t *frame, size_t len, const uint8_t *marker, size_t marker_len) {
        size_t plain_len = SIZE_MAX;
        InjectedOutcome outcome = injected_match(frame, len, marker, marker_len, &plain_len);

        must(outcome != INJECTED_NO || marker_len == 0 || len < marker_len ||
             memcmp(frame + len - marker_len, marker, marker_len) != 0);
        must((outcome == INJECTED_KNOWN) == (plain_len != SIZE_MAX));
        must(outcome != INJECTED_KNOWN || plain_len + marker_len == len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        size_t len, marker_len;
        uint8_t *frame;

        if (size < 2)
                return 0;
        len = size - 2;
        /* Of its exact length, so that the address sanitizer sees every step outside. */
        frame = malloc(len ? len : 1);
        memcpy(frame, data + 2, len);
        check_trailer(frame, len, data[0] <= len ? data[0] : len);
        marker_len = data[1] % 65 <= len ? data[1] % 65 : len;
        check_injected(frame, len, frame + len - marker_len, marker_len);
        check_injected(frame, len, frame, marker_len);
        free(frame);
        return 0;
}
