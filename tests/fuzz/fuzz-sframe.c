/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fuzz target: headers and KIDs of hostile SFrame frames. The first three bytes choose length of the
 * tag and layout of the KID. What is read is what would be written, byte for byte.
 */
#include "format/sframe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool truth) {
        if (!truth)
                abort();
}

static void check_kid(uint64_t kid, SFrameMlsLayout layout, unsigned ratchet_bits) {
        unsigned bits = (unsigned)layout.index_bits + layout.epoch_bits;
        uint64_t again, step;
        SFrameMlsKid parts;
        int r;

        r = sframe_mls_unpack(layout, kid, &parts);
        must(r == (bits > 64 ? SFRAME_OUT_OF_RANGE : 0));
        must(r != 0 || (sframe_mls_pack(layout, &parts, &again) == 0 && again == kid));

        step = sframe_sender_step(kid, ratchet_bits, kid / 3, 2);
        must(sframe_sender_kid(sframe_sender_generation(kid, ratchet_bits), step, ratchet_bits, &again) == 0);
        must(again == kid);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        uint8_t written[SFRAME_HEADER_MAX];
        SFrameHeader header;
        uint8_t *frame;
        SFrame parsed;
        size_t len, tag_len;
        int r;

        if (size < 3)
                return 0;
        len = size - 3;
        tag_len = data[0] % 17;
        /* Of its exact length, so that the address sanitizer sees every step outside. */
        frame = malloc(len ? len : 1);
        memcpy(frame, data + 3, len);

        r = sframe_header_parse(frame, len, &header);
        must(r >= 0 && r <= SFRAME_NOT_MINIMAL);
        if (r == 0) {
                must(header.len <= len && header.len <= SFRAME_HEADER_MAX);
                must(sframe_header_write(header.kid, header.ctr, written) == header.len);
                must(memcmp(written, frame, header.len) == 0);
                check_kid(header.kid, (SFrameMlsLayout){ data[1], data[2] }, 3 + data[1] % 30);
        }
        if (sframe_parse(frame, len, tag_len, &parsed) == 0) {
                must(parsed.header.len <= parsed.tag_offset && parsed.tag_offset <= len);
                must(parsed.tag_offset - parsed.header.len == parsed.text_len && len - parsed.tag_offset == tag_len);
        } else
                must(r != 0 || len - header.len < tag_len);
        free(frame);
        return 0;
}
