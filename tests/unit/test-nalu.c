/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* NAL search: what LiveKit's worker sees, and what it does not. */
#include <string.h>

#include "codec/nalu.h"
#include "runner.h"

#define NONE SIZE_MAX

#define ROW(...) { __VA_ARGS__ }, sizeof((uint8_t[]){ __VA_ARGS__ })

static const struct {
        const char *claim;
        uint8_t bytes[40];
        size_t len;
        size_t offset; /* NONE: no slice */
        NaluCodec codec;
        bool intra;
} rows[] = {
        { "IDR behind a 4-byte start code", ROW(0, 0, 0, 1, 0x65, 1, 2, 3), 4, NALU_H264, true },
        { "slice behind a 3-byte start code", ROW(0, 0, 1, 0x41, 1, 2, 3), 3, NALU_H264, false },
        { "any number of leading zeros", ROW(0, 0, 0, 0, 0, 0, 1, 0x41, 1, 2, 3), 7, NALU_H264, false },
        { "slice behind SPS and PPS", ROW(0, 0, 0, 1, 0x67, 9, 9, 0, 0, 0, 1, 0x68, 9, 9, 0, 0, 1, 0x65, 1, 2, 3), 17,
          NALU_H264, true },
        { "the first of two slices", ROW(0, 0, 1, 0x41, 9, 9, 9, 0, 0, 1, 0x65, 1, 2, 3), 3, NALU_H264, false },
        { "H.265 IDR", ROW(0, 0, 0, 1, 0x26, 1, 2, 3), 4, NALU_H265, true },
        { "H.265 trailing picture", ROW(0, 0, 0, 1, 0x02, 1, 2, 3), 4, NALU_H265, false },
        { "H.265 behind VPS", ROW(0, 0, 0, 1, 0x40, 1, 2, 3, 0, 0, 1, 0x28, 1, 2, 3), 11, NALU_H265, true },
        /* Quirks (formats/trailer-frames, section 2). */
        { "AUD reads as H.265, but the H.264 slice behind it wins",
          ROW(0, 0, 0, 1, 0x09, 0x10, 9, 9, 0, 0, 0, 1, 0x65, 1, 2, 3), 12, NALU_H264, true },
        { "SEI alone is H.265", ROW(0, 0, 0, 1, 0x06, 1, 2, 3), 4, NALU_H265, false },
        { "AUD alone is H.265", ROW(0, 0, 0, 1, 0x09, 0x10, 2, 3), 4, NALU_H265, false },
        { "a last unit of 4 bytes is seen", ROW(0, 0, 1, 0x65, 1, 2, 3), 3, NALU_H264, true },
        { "a last unit of 3 bytes is not", ROW(0, 0, 1, 0x65, 1, 2), NONE, 0, false },
        { "a first slice too short, the second seen", ROW(0, 0, 1, 0x41, 0, 0, 1, 0x65, 1, 2, 3), 3, NALU_H264, false },
        { "parameter sets only", ROW(0, 0, 0, 1, 0x67, 1, 2, 3, 4, 0, 0, 0, 1, 0x68, 1, 2, 3, 4), NONE, 0, false },
        { "data before the first start code", ROW(7, 0, 0, 1, 0x65, 1, 2, 3), NONE, 0, false },
        { "zero and data before the first start code", ROW(0, 7, 0, 0, 1, 0x65, 1, 2, 3), NONE, 0, false },
        { "no start code", ROW(0x67, 0x42, 0xc0, 0x1f, 0, 0, 3, 0, 4), NONE, 0, false },
        { "all zeros", ROW(0, 0, 0, 0, 0, 0, 0, 0), NONE, 0, false },
        { "one alone is no start code", ROW(0, 1, 0x65, 1, 2, 3), NONE, 0, false },
};

START_TEST(finds_the_first_slice) {
        NaluSlice slice;

        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
                int r = nalu_find_slice(rows[i].bytes, rows[i].len, &slice);

                if (rows[i].offset == NONE) {
                        ck_assert_msg(r == NALU_NONE, "%s", rows[i].claim);
                        continue;
                }
                ck_assert_msg(r == 0, "%s", rows[i].claim);
                ck_assert_msg(slice.offset == rows[i].offset, "%s: %zu", rows[i].claim, slice.offset);
                ck_assert_msg(slice.codec == rows[i].codec, "%s", rows[i].claim);
                ck_assert_msg(slice.intra == rows[i].intra, "%s", rows[i].claim);
        }
}
END_TEST

/* The worker's algorithm, as the format document words it: byte by byte, no cleverness. */
static size_t slow_find(const uint8_t *b, size_t len, bool h265) {
        size_t start = 0, pos = 0, end = len < 3 ? 0 : len - 3, found = NONE;
        bool first = true;

        while (pos < end) {
                size_t last;

                for (; pos < end; pos++) {
                        if (pos + 1 < end && b[pos] == 0 && b[pos + 1] == 0 && b[pos + 2] == 0 && b[pos + 3] == 1)
                                break;
                        if (b[pos] == 0 && b[pos + 1] == 0 && b[pos + 2] == 1)
                                break;
                }
                if (pos >= end)
                        pos = len;
                for (last = pos; last > start && b[last - 1] == 0; last--)
                        ;
                if (first && last != start)
                        return NONE;
                if (!first && found == NONE) {
                        unsigned type = h265 ? b[start] >> 1 & 0x3f : b[start] & 0x1f;

                        if (h265 ? type <= 9 || (type >= 16 && type <= 21) : type == 1 || type == 5)
                                found = start;
                }
                first = false;
                pos += pos < end && b[pos + 2] == 0 ? 4 : 3;
                start = pos;
        }
        return found;
}

static void check_against_slow(const uint8_t *bytes, size_t len) {
        size_t expected = slow_find(bytes, len, false);
        NaluSlice slice = { .offset = NONE };

        if (expected == NONE)
                expected = slow_find(bytes, len, true);
        (void)nalu_find_slice(bytes, len, &slice);
        ck_assert_uint_eq(slice.offset, expected);
        if (expected != NONE)
                ck_assert_uint_le(slice.offset + 2, len);
}

START_TEST(agrees_with_the_worker_on_every_short_frame) {
        /* All frames of up to 9 bytes over an alphabet in which everything happens. */
        static const uint8_t alphabet[] = { 0, 1, 0x65, 0x06 };
        uint8_t bytes[9] = { 0 };

        for (size_t len = 0; len <= sizeof(bytes); len++)
                for (uint32_t n = 0; n < 1u << (2 * len); n++) {
                        for (size_t i = 0; i < len; i++)
                                bytes[i] = alphabet[n >> (2 * i) & 3];
                        check_against_slow(bytes, len);
                }
}
END_TEST

START_TEST(agrees_with_the_worker_on_random_frames) {
        static const uint8_t alphabet[] = { 0, 0, 0, 1, 1, 2, 3, 5, 0x65, 0x41, 0x26, 0x67, 0x09, 0xff, 0x80, 0x06 };
        uint8_t bytes[64];

        srandom(1);
        for (unsigned n = 0; n < 300000; n++) {
                size_t len = (size_t)random() % (sizeof(bytes) + 1);

                for (size_t i = 0; i < len; i++)
                        bytes[i] = i < 3 && n % 2 ? 0 : alphabet[random() % 16];
                check_against_slow(bytes, len);
        }
}
END_TEST

START_TEST(stays_inside_frames_of_every_length) {
        /* At the end of an allocation, so that the address sanitizer sees a byte read too many. */
        for (size_t len = 0; len < 40; len++) {
                uint8_t *bytes = malloc(len ? len : 1);
                NaluSlice slice;

                for (size_t i = 0; i < len; i++)
                        bytes[i] = i % 4 == 3 || i + 1 == len;
                (void)nalu_find_slice(bytes, len, &slice);
                (void)nalu_count_short(bytes, len);
                free(bytes);
        }
}
END_TEST

/* Lengthening as the format document words it. */
static size_t slow_lengthen(uint8_t *ret, const uint8_t *bytes, size_t len) {
        size_t to = 0;

        for (size_t i = 0; i < len; i++) {
                if (len - i >= 3 && bytes[i] == 0 && bytes[i + 1] == 0 && bytes[i + 2] == 1 &&
                    (i == 0 || bytes[i - 1] != 0))
                        ret[to++] = 0;
                ret[to++] = bytes[i];
        }
        return to;
}

START_TEST(lengthens_short_start_codes_in_place) {
        static const uint8_t alphabet[] = { 0, 1, 7, 0 };
        uint8_t bytes[10], expected[20], in_place[20];

        for (size_t len = 0; len <= sizeof(bytes); len++)
                for (uint32_t n = 0; n<1u << (2 * len); n += len> 8 ? 7 : 1) {
                        size_t expected_len, n_short;

                        for (size_t i = 0; i < len; i++)
                                bytes[i] = alphabet[n >> (2 * i) & 3];
                        expected_len = slow_lengthen(expected, bytes, len);
                        n_short = nalu_count_short(bytes, len);
                        ck_assert_uint_eq(len + n_short, expected_len);
                        memcpy(in_place, bytes, len);
                        nalu_lengthen(in_place, len, n_short);
                        ck_assert(memcmp(in_place, expected, expected_len) == 0);
                }
}
END_TEST

RUN_TESTS("nalu", finds_the_first_slice, agrees_with_the_worker_on_every_short_frame,
          agrees_with_the_worker_on_random_frames, stays_inside_frames_of_every_length,
          lengthens_short_start_codes_in_place)
