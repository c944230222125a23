/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The blank payloads that LiveKit's media server sends, and the test for them. */
#include "format/injected.h"

/* Black key frame of 8x8 pixels. */
static const uint8_t blank_vp8[] = {
        0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0x08, 0x00, 0x08, 0x00, 0x00, 0x47, 0x08, 0x85, 0x85, 0x88,
        0x85, 0x84, 0x88, 0x02, 0x02, 0x00, 0x0c, 0x0d, 0x60, 0x00, 0xfe, 0xff, 0xab, 0x50, 0x80,
};
/* The three NAL units of a 2x2 picture; each comes as a frame of its own, without start code. */
static const uint8_t blank_h264_sps[] = {
        0x67, 0x42, 0xc0, 0x1f, 0x0f, 0xd9, 0x1f, 0x88, 0x88, 0x84, 0x00, 0x00,
        0x03, 0x00, 0x04, 0x00, 0x00, 0x03, 0x00, 0xc8, 0x3c, 0x60, 0xc9, 0x20,
};
static const uint8_t blank_h264_pps[] = { 0x68, 0x87, 0xcb, 0x83, 0xcb, 0x20 };
static const uint8_t blank_h264_idr[] = { 0x65, 0x88, 0x84, 0x0a, 0xf2, 0x62, 0x80, 0x00, 0xa7, 0xbe };
/* Opus silence: the packet itself and zero padding. */
static const uint8_t blank_opus[80] = { 0xf8, 0xff, 0xfe };

static const struct {
        const uint8_t *bytes;
        size_t len;
} blanks[] = {
        { blank_vp8, sizeof(blank_vp8) },           { blank_h264_sps, sizeof(blank_h264_sps) },
        { blank_h264_pps, sizeof(blank_h264_pps) }, { blank_h264_idr, sizeof(blank_h264_idr) },
        { blank_opus, sizeof(blank_opus) },
};

InjectedOutcome injected_match(const uint8_t *frame, size_t len, const uint8_t *marker, size_t marker_len,
                               size_t *ret_len) {
        size_t body;

        if (marker_len == 0 || len < marker_len)
                return INJECTED_NO;
        body = len - marker_len;
        if (memcmp(frame + body, marker, marker_len) != 0)
                return INJECTED_NO;

        for (size_t i = 0; i < ELEMENTS(blanks); i++)
                if (blanks[i].len == body && memcmp(frame, blanks[i].bytes, body) == 0) {
                        *ret_len = body;
                        return INJECTED_KNOWN;
                }
        return INJECTED_UNKNOWN;
}
