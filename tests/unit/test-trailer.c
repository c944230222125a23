/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Frame metadata trailers: made as the peers make them, and taken off hostile frames. */
#include <errno.h>
#include <string.h>

#include <framekey.h>

#include "runner.h"

#define TRAILER(...)                                                                                                   \
        (struct framekey_trailer) {                                                                                    \
                .size = sizeof(struct framekey_trailer), __VA_ARGS__                                                   \
        }

/* 3 bytes of frame, timestamp 0x0102030405060708, frame id 0x0a0b0c0d: written down by hand from the layout. */
static const uint8_t known[] = {
        0xaa, 0xbb, 0xcc,                                           /* frame */
        0xfe, 0xf7, 0xfe, 0xfd, 0xfc, 0xfb, 0xfa, 0xf9, 0xf8, 0xf7, /* tag 1, length 8 */
        0xfd, 0xfb, 0xf5, 0xf4, 0xf3, 0xf2,                         /* tag 2, length 4 */
        0xea, 'L',  'K',  'T',  'S',                                /* 21 in all */
};

START_TEST(appends_what_the_peers_append) {
        struct framekey_trailer trailer =
                TRAILER(.fields = FRAMEKEY_TRAILER_USER_TIMESTAMP | FRAMEKEY_TRAILER_FRAME_ID,
                        .user_timestamp = UINT64_C(0x0102030405060708), .frame_id = 0x0a0b0c0d);
        uint8_t frame[sizeof(known)] = { 0xaa, 0xbb, 0xcc };
        size_t length;

        ck_assert_int_eq(framekey_trailer_append(frame, 3, sizeof(frame), &trailer, &length), 0);
        ck_assert_uint_eq(length, sizeof(known));
        ck_assert_mem_eq(frame, known, sizeof(known));
        ck_assert_int_eq(framekey_trailer_append(frame, 3, sizeof(frame) - 1, &trailer, &length), -ENOBUFS);
}
END_TEST

START_TEST(strips_what_the_peers_append) {
        struct framekey_trailer trailer = TRAILER(0);
        size_t length;

        ck_assert_int_eq(framekey_trailer_strip(known, sizeof(known), &trailer, &length), 1);
        ck_assert_uint_eq(length, 3);
        ck_assert_uint_eq(trailer.fields, FRAMEKEY_TRAILER_USER_TIMESTAMP | FRAMEKEY_TRAILER_FRAME_ID);
        ck_assert_uint_eq(trailer.user_timestamp, UINT64_C(0x0102030405060708));
        ck_assert_uint_eq(trailer.frame_id, 0x0a0b0c0d);
}
END_TEST

START_TEST(every_field_survives) {
        uint8_t frame[8 + FRAMEKEY_TRAILER_MAX];

        for (uint32_t fields = 0; fields < 8; fields++)
                for (uint32_t n = 0; n <= FRAMEKEY_TRAILER_USER_DATA_MAX; n++) {
                        struct framekey_trailer in = TRAILER(.fields = fields, .user_timestamp = UINT64_MAX - n,
                                                             .frame_id = n * 7919, .user_data_length = n);
                        struct framekey_trailer out = TRAILER(0);
                        size_t length, stripped;
                        int r;

                        memset(frame, 0x5a, sizeof(frame));
                        memset(in.user_data, (int)n, n);
                        r = framekey_trailer_append(frame, 8, sizeof(frame), &in, &length);
                        if (r == -EINVAL) {
                                /* Over 255 bytes: only beside other fields, and only near the end. */
                                ck_assert_uint_gt(n, 225);
                                ck_assert_uint_gt(fields, FRAMEKEY_TRAILER_USER_DATA);
                                continue;
                        }
                        ck_assert_int_eq(r, 0);
                        r = framekey_trailer_strip(frame, length, &out, &stripped);
                        ck_assert_int_eq(r, fields != 0);
                        if (r == 0)
                                continue;
                        ck_assert_uint_eq(stripped, 8);
                        ck_assert_uint_eq(out.fields, fields);
                        if (fields & FRAMEKEY_TRAILER_USER_TIMESTAMP)
                                ck_assert_uint_eq(out.user_timestamp, in.user_timestamp);
                        if (fields & FRAMEKEY_TRAILER_FRAME_ID)
                                ck_assert_uint_eq(out.frame_id, in.frame_id);
                        if (fields & FRAMEKEY_TRAILER_USER_DATA) {
                                ck_assert_uint_eq(out.user_data_length, n);
                                ck_assert(memcmp(out.user_data, in.user_data, n) == 0);
                        }
                }
}
END_TEST

START_TEST(an_empty_frame_gets_none) {
        struct framekey_trailer trailer = TRAILER(.fields = FRAMEKEY_TRAILER_FRAME_ID, .frame_id = 1);
        uint8_t frame[FRAMEKEY_TRAILER_MAX];
        size_t length = 9;

        ck_assert_int_eq(framekey_trailer_append(frame, 0, sizeof(frame), &trailer, &length), 0);
        ck_assert_uint_eq(length, 0);
}
END_TEST

START_TEST(refuses_malformed_arguments) {
        struct framekey_trailer trailer = TRAILER(.fields = 8);
        uint8_t frame[300] = { 1 };
        size_t length;

        ck_assert_int_eq(framekey_trailer_append(frame, 1, sizeof(frame), &trailer, &length), -EINVAL);
        trailer = TRAILER(.fields = FRAMEKEY_TRAILER_USER_DATA, .user_data_length = FRAMEKEY_TRAILER_USER_DATA_MAX + 1);
        ck_assert_int_eq(framekey_trailer_append(frame, 1, sizeof(frame), &trailer, &length), -EINVAL);
        trailer = TRAILER(.fields = FRAMEKEY_TRAILER_FRAME_ID);
        ck_assert_int_eq(framekey_trailer_append(frame, 2, 1, &trailer, &length), -EINVAL);
        trailer.size--;
        ck_assert_int_eq(framekey_trailer_append(frame, 1, sizeof(frame), &trailer, &length), -EINVAL);
        ck_assert_int_eq(framekey_trailer_strip(known, sizeof(known), &trailer, &length), -EINVAL);
}
END_TEST

START_TEST(leaves_frames_without_a_whole_trailer_alone) {
        static const struct {
                const char *claim;
                uint8_t bytes[16];
                size_t len;
        } rows[] = {
                { "no bytes", { 0 }, 0 },
                { "magic alone", { 'L', 'K', 'T', 'S' }, 4 },
                { "length below the envelope", { 1, 0xfb, 'L', 'K', 'T', 'S' }, 6 },
                { "length over the frame", { 1, 0xf8, 'L', 'K', 'T', 'S' }, 6 },
                { "no fields", { 1, 0xfa, 'L', 'K', 'T', 'S' }, 6 },
                { "unknown field", { 1, 0xf6, 0xfe, 7, 0xf7, 'L', 'K', 'T', 'S' }, 9 },
                { "known field of wrong length", { 1, 0xfd, 0xfc, 7, 7, 7, 0xf5, 'L', 'K', 'T', 'S' }, 11 },
                { "field beyond the end", { 1, 0xfd, 0xfb, 7, 0xf7, 'L', 'K', 'T', 'S' }, 9 },
                { "lower case", { 1, 0xfd, 0xfb, 1, 2, 3, 4, 0xf4, 'l', 'k', 't', 's' }, 12 },
        };
        struct framekey_trailer trailer = TRAILER(.frame_id = 77);
        size_t length = 99;

        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
                ck_assert_msg(framekey_trailer_strip(rows[i].bytes, rows[i].len, &trailer, &length) == 0, "%s",
                              rows[i].claim);
                ck_assert_uint_eq(length, 99);
                ck_assert_uint_eq(trailer.frame_id, 77);
        }
}
END_TEST

START_TEST(stays_inside_any_frame) {
        srandom(5);
        for (unsigned n = 0; n < 200000; n++) {
                size_t len = (size_t)random() % 40, length = len;
                uint8_t *frame = malloc(len ? len : 1);
                struct framekey_trailer trailer = TRAILER(0);

                for (size_t i = 0; i < len; i++)
                        frame[i] = (uint8_t) ~(random() % 16);
                if (len >= 5) {
                        memcpy(frame + len - 4, known + sizeof(known) - 4, 4);
                        frame[len - 5] = (uint8_t) ~(random() % 48);
                }
                if (framekey_trailer_strip(frame, len, &trailer, &length) == 1)
                        ck_assert_uint_le(length, len - 5);
                free(frame);
        }
}
END_TEST

RUN_TESTS("trailer", appends_what_the_peers_append, strips_what_the_peers_append, every_field_survives,
          an_empty_frame_gets_none, refuses_malformed_arguments, leaves_frames_without_a_whole_trailer_alone,
          stays_inside_any_frame)
