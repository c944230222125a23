/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fuzz target: clear ranges of arbitrary frames under DAVE. The first byte chooses the codec and how often
 * the rest makes up the frame: ranges have to be many and far out before a trailer is full. Beside memory errors it
 * looks for ranges out of order, for a frame that is written otherwise in place, for one that changes again when it is
 * written again, and for NAL units that get lost.
 */
#include <stdlib.h>
#include <string.h>

#include "codec/dave-ranges.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int truth) {
        if (!truth)
                abort();
}

static size_t number_len(uint32_t value) {
        return value < 0x80 ? 1 : 1 + number_len(value >> 7);
}

static void check_plan(const DaveRanges *plan, size_t len) {
        size_t end = 0, encoded = 0;

        must(plan->room >= len && plan->room >= plan->len && plan->n_ranges <= DAVE_RANGES_LIMIT);
        for (size_t i = 0; i < plan->n_ranges; i++) {
                const FrameRange *range = &plan->ranges[i];

                must(range->size > 0 && (i == 0 || range->offset > end) && range->offset <= plan->len);
                must(range->size <= plan->len - range->offset);
                end = range->offset + range->size;
                encoded += number_len(range->offset) + number_len(range->size);
        }
        must(encoded <= 239);
}

/* What a frame of NAL units says, whatever its start codes look like. In place. */
static size_t normalise(uint8_t *bytes, size_t len) {
        size_t n = 0, from = 0;

        while (from < len && bytes[from] == 0)
                from++;
        for (size_t i = from; i < len; i++) {
                bytes[n++] = bytes[i];
                if (n >= 4 && bytes[n - 1] == 1 && bytes[n - 2] == 0 && bytes[n - 3] == 0 && bytes[n - 4] == 0)
                        bytes[--n - 1] = 1;
        }
        return n;
}

/* The frame to encrypt is what an encoder could have given, and nothing is left to change in it. */
static void check_again(enum framekey_codec codec, const DaveRanges *plan, const uint8_t *written) {
        DaveRanges again;

        dave_ranges_plan(codec, written, plan->len, &again);
        must(again.len == plan->len && again.n_ranges == plan->n_ranges);
        must(memcmp(again.ranges, plan->ranges, plan->n_ranges * sizeof(*plan->ranges)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const enum framekey_codec codecs[] = { FRAMEKEY_CODEC_H264, FRAMEKEY_CODEC_H265, FRAMEKEY_CODEC_AV1,
                                                      FRAMEKEY_CODEC_VP8, FRAMEKEY_CODEC_OPUS };
        enum framekey_codec codec;
        const size_t n_codecs = sizeof(codecs) / sizeof(*codecs);
        uint8_t *frame, *apart, *in_place;
        DaveRanges plan;
        size_t len, n;

        if (size < 1)
                return 0;
        codec = codecs[data[0] % n_codecs];
        n = 1 + data[0] / n_codecs % 16;
        len = n * (size - 1);
        /* Of their exact lengths, so that the address sanitizer sees every step outside. */
        frame = malloc(len ? len : 1);
        for (size_t i = 0; i < n; i++)
                memcpy(frame + i * (size - 1), data + 1, size - 1);
        dave_ranges_plan(codec, frame, len, &plan);
        check_plan(&plan, len);

        apart = malloc(plan.room ? plan.room : 1);
        in_place = malloc(plan.room ? plan.room : 1);
        memcpy(in_place, frame, len);
        must(dave_ranges_write(&plan, codec, frame, len, apart) == plan.len);
        must(dave_ranges_write(&plan, codec, in_place, len, in_place) == plan.len);
        must(memcmp(apart, in_place, plan.len) == 0);
        if (plan.rewritten)
                check_again(codec, &plan, apart);
        else
                must(plan.len == len && memcmp(apart, frame, len) == 0);
        if (plan.rewritten && plan.scan) {
                n = normalise(frame, len);
                must(normalise(apart, plan.len) == n && memcmp(apart, frame, n) == 0);
        }
        free(frame);
        free(apart);
        free(in_place);
        return 0;
}
