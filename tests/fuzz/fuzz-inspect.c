/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fuzz target: captured frames in framekeyctl inspect. Whatever a frame is, the fields of each candidate follow each
 * other from its first byte to its last.
 */
#include "cli/inspect.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool truth) {
        if (!truth)
                abort();
}

static void check_candidate(const json_t *candidate, size_t length) {
        const json_t *unescaped = json_object_get(candidate, "unescaped_length");
        json_int_t at = 0;
        json_t *field;
        size_t i;

        json_array_foreach(json_object_get(candidate, "fields"), i, field) {
                must(json_integer_value(json_object_get(field, "offset")) == at);
                must(json_integer_value(json_object_get(field, "length")) > 0);
                must(*json_text(json_object_get(field, "value")) != '\0');
                at += json_integer_value(json_object_get(field, "length"));
        }
        must(at == (unescaped ? json_integer_value(unescaped) : (json_int_t)length));
        must(!unescaped || json_integer_value(unescaped) <= (json_int_t)length);
}

/* The first four bytes say what is known of the frame, the rest is the frame. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const enum framekey_codec codecs[] = { FRAMEKEY_CODEC_VP8,  FRAMEKEY_CODEC_VP9,  FRAMEKEY_CODEC_AV1,
                                                      FRAMEKEY_CODEC_H264, FRAMEKEY_CODEC_H265, FRAMEKEY_CODEC_OPUS };
        Inspected frame = { .bytes = data + 4, .length = size - 4 };
        json_t *result, *candidate;
        size_t i;

        if (size < 5)
                return 0;
        frame.media = data[0] & 3;
        frame.codec = data[0] & 0x80 ? codecs[(data[0] >> 2) % ELEMENTS(codecs)] : FRAMEKEY_CODEC_UNKNOWN;
        frame.tag_length = data[1] & 15;
        frame.ratchet_bits = data[1] & 0x80 ? (data[1] >> 4) * 4u % 33 : 0;
        frame.index_bits = data[2] % 49;
        frame.epoch_bits = data[3] % 9;
        result = inspect_frame(&frame);
        json_array_foreach(json_object_get(result, "candidates"), i, candidate)
                check_candidate(candidate, frame.length);
        json_decref(result);
        return 0;
}
