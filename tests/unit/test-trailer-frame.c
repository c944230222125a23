/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Shapes of trailer frames: both sides of every limit. */
#include "format/injected.h"
#include "format/trailer.h"
#include "runner.h"

static void make(uint8_t *frame, size_t len) {
        for (size_t i = 0; i < len; i++)
                frame[i] = (uint8_t)i;
        if (len >= 2)
                frame[len - 2] = 12;
}

START_TEST(parts_are_found) {
        uint8_t frame[100];
        TrailerFrame shape;

        make(frame, sizeof(frame));
        frame[99] = 7;
        ck_assert_int_eq(trailer_parse(frame, 100, 10, &shape), 0);
        ck_assert_uint_eq(shape.text_offset, 10);
        ck_assert_uint_eq(shape.text_len, 60);
        ck_assert_uint_eq(shape.tag_offset, 70);
        ck_assert_uint_eq(shape.iv_offset, 86);
        ck_assert_uint_eq(shape.key_index, 7);
}
END_TEST

START_TEST(every_length_and_clear_length_is_in_bounds_or_refused) {
        uint8_t frame[64];
        TrailerFrame shape;

        for (size_t len = 0; len <= sizeof(frame); len++)
                for (size_t clear = 0; clear <= len; clear++) {
                        int r;

                        make(frame, len);
                        r = trailer_parse(frame, len, clear, &shape);
                        ck_assert_int_eq(r == 0, len >= 30 && clear <= len - 30);
                        if (r == 0)
                                ck_assert_uint_eq(shape.text_offset + shape.text_len + 30, len);
                }
}
END_TEST

START_TEST(only_iv_length_12_is_taken) {
        uint8_t frame[64];
        TrailerFrame shape;

        make(frame, sizeof(frame));
        for (unsigned iv_len = 0; iv_len < 256; iv_len++) {
                frame[62] = (uint8_t)iv_len;
                ck_assert_int_eq(trailer_parse(frame, 64, 1, &shape) == 0, iv_len == 12);
        }
}
END_TEST

START_TEST(finish_writes_what_parse_reads) {
        uint8_t frame[40] = { 0 }, iv[12] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 };
        TrailerFrame shape;

        trailer_finish(frame + 26, iv, 255);
        ck_assert_int_eq(trailer_parse(frame, sizeof(frame), 0, &shape), 0);
        ck_assert_mem_eq(frame + shape.iv_offset, iv, 12);
        ck_assert_uint_eq(shape.key_index, 255);
}
END_TEST

START_TEST(injected_needs_marker_and_known_content) {
        static const uint8_t frame[] = { 0x68, 0x87, 0xcb, 0x83, 0xcb, 0x20, 'x', 'y' };
        size_t len = 0;

        ck_assert_int_eq(injected_match(frame, 8, (const uint8_t *)"xy", 2, &len), INJECTED_KNOWN);
        ck_assert_uint_eq(len, 6);
        ck_assert_int_eq(injected_match(frame, 8, (const uint8_t *)"xz", 2, &len), INJECTED_NO);
        ck_assert_int_eq(injected_match(frame, 8, (const uint8_t *)"", 0, &len), INJECTED_NO);
        ck_assert_int_eq(injected_match(frame + 1, 7, (const uint8_t *)"xy", 2, &len), INJECTED_UNKNOWN);
        ck_assert_int_eq(injected_match(frame + 6, 2, (const uint8_t *)"xy", 2, &len), INJECTED_UNKNOWN);
        ck_assert_int_eq(injected_match(frame + 7, 1, (const uint8_t *)"xy", 2, &len), INJECTED_NO);
}
END_TEST

RUN_TESTS("trailer-frame", parts_are_found, every_length_and_clear_length_is_in_bounds_or_refused,
          only_iv_length_12_is_taken, finish_writes_what_parse_reads, injected_needs_marker_and_known_content)
