/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Clear bytes: the table of clear.h, then sweeps over everything a caller can say. */
#include <string.h>

#include "codec/clear.h"
#include "runner.h"

enum {
        LK = FRAMEKEY_FORMAT_LIVEKIT,
        RTK = FRAMEKEY_FORMAT_REALTIMEKIT,
        JITSI = FRAMEKEY_FORMAT_JITSI,
        SFRAME = FRAMEKEY_FORMAT_SFRAME,
        DAVE = FRAMEKEY_FORMAT_DAVE,
        AUDIO = FRAMEKEY_MEDIA_AUDIO,
        VIDEO = FRAMEKEY_MEDIA_VIDEO,
        DATA = FRAMEKEY_MEDIA_DATA,
        ANY = FRAMEKEY_FRAME_UNSPECIFIED,
        KEY = FRAMEKEY_FRAME_KEY,
        DELTA = FRAMEKEY_FRAME_DELTA,
        EMPTY = FRAMEKEY_FRAME_EMPTY,
        SHORT = FRAMEKEY_VERDICT_TOO_SHORT,
        UNSUP = FRAMEKEY_VERDICT_UNSUPPORTED,
};

#define C(name) FRAMEKEY_CODEC_##name

/* Frames of 40 bytes; what is not listed is 0xee. */
static const uint8_t vp8_key[] = { 0x50, 0xa2, 0, 0x9d, 1, 0x2a };
static const uint8_t vp8_delta[] = { 0x31 };
static const uint8_t vp9_key[] = { 0x82, 0x49, 0x83, 0x42 };
static const uint8_t vp9_delta[] = { 0x86, 0 };
static const uint8_t vp9_shows_old[] = { 0x88 };
static const uint8_t vp9_profile3_key[] = { 0xb0 };
static const uint8_t vp9_profile3_delta[] = { 0xb2 };
static const uint8_t av1_key[] = { 0x0a, 0x0b, 0 };
static const uint8_t av1_delimited_key[] = { 0x12, 0, 0x0a, 0x0b };
static const uint8_t av1_delta[] = { 0x32, 0x10 };
static const uint8_t av1_delimited_delta[] = { 0x12, 0, 0x32 };
static const uint8_t h264_key[] = { 0, 0, 0, 1, 0x67, 0x42, 0xc0, 0, 0, 0, 1, 0x65, 0x88 };
static const uint8_t h264_delta[] = { 0, 0, 0, 1, 0x41, 0x9a };
static const uint8_t h264_sets[] = { 0, 0, 0, 1, 0x67, 0x42, 0xc0 };
static const uint8_t h265_key[] = { 0, 0, 0, 1, 0x40, 1, 0, 0, 1, 0x26, 1 };
static const uint8_t h265_delta[] = { 0, 0, 1, 0x02, 1 };
static const uint8_t sealed_delta[] = { 0, 0, 0, 0x5a, 0x67 };
static const uint8_t no_header[] = { 0x12, 5 };

#define F(bytes) bytes, sizeof(bytes)

static const struct {
        int format, media, codec, type;
        const uint8_t *bytes;
        size_t n_bytes;
        int encrypt, decrypt; /* clear bytes; negative: minus the verdict */
        bool nal;
} rows[] = {
        { LK, AUDIO, C(OPUS), ANY, F(no_header), 1, 1, false },
        { RTK, AUDIO, C(PCMU), ANY, F(no_header), 1, 1, false },
        { JITSI, AUDIO, C(UNKNOWN), ANY, F(no_header), 1, 1, false },
        { SFRAME, AUDIO, C(OPUS), ANY, F(no_header), 0, 0, false },
        { LK, DATA, C(DATA), ANY, F(no_header), 0, 0, false },
        { RTK, DATA, C(UNKNOWN), KEY, F(vp8_key), 0, 0, false },
        { SFRAME, VIDEO, C(H264), KEY, F(h264_key), 0, 0, false },
        { DAVE, VIDEO, C(VP8), KEY, F(vp8_key), 0, 0, false },
        { DAVE, AUDIO, C(OPUS), ANY, F(no_header), 0, 0, false },
        /* By type, as the encoder says. */
        { LK, VIDEO, C(VP8), KEY, F(vp8_delta), 10, 10, false },
        { LK, VIDEO, C(VP8), DELTA, F(vp8_key), 3, 3, false },
        { LK, VIDEO, C(VP8), EMPTY, F(vp8_key), 0, 0, false },
        { LK, VIDEO, C(VP9), KEY, F(vp9_key), 0, 0, false },
        { LK, VIDEO, C(AV1), KEY, F(av1_key), -UNSUP, -UNSUP, false },
        { RTK, VIDEO, C(VP9), KEY, F(vp9_key), 10, 10, false },
        { RTK, VIDEO, C(AV1), DELTA, F(av1_delta), 3, 3, false },
        { RTK, VIDEO, C(H264), KEY, F(h264_key), 10, 10, false },
        { RTK, VIDEO, C(UNKNOWN), DELTA, F(no_header), 3, 3, false },
        { RTK, VIDEO, C(VP8), EMPTY, F(vp8_key), 0, 0, false },
        { JITSI, VIDEO, C(H265), DELTA, F(h265_delta), 3, 3, false },
        { JITSI, VIDEO, C(VP8), EMPTY, F(vp8_key), -UNSUP, 0, false },
        { LK, VIDEO, C(OPUS), KEY, F(vp8_key), -UNSUP, -UNSUP, false },
        /* NAL units: the bytes outrank codec and type. */
        { LK, VIDEO, C(H264), KEY, F(h264_key), 13, 13, true },
        { LK, VIDEO, C(H265), DELTA, F(h264_key), 13, 13, true },
        { LK, VIDEO, C(UNKNOWN), ANY, F(h264_delta), 6, 6, true },
        { LK, VIDEO, C(H265), KEY, F(h265_key), 11, 11, true },
        { LK, VIDEO, C(H264), ANY, F(h265_delta), 5, 5, true },
        { LK, VIDEO, C(H264), KEY, F(h264_sets), 10, 10, false },
        { LK, VIDEO, C(H264), DELTA, F(h264_sets), 3, 3, false },
        { LK, VIDEO, C(UNKNOWN), EMPTY, F(no_header), 0, 0, false },
        /* Type from bytes that are clear. */
        { LK, VIDEO, C(VP8), ANY, F(vp8_key), 10, 10, false },
        { JITSI, VIDEO, C(VP8), ANY, F(vp8_delta), 3, 3, false },
        { RTK, VIDEO, C(VP9), ANY, F(vp9_key), 10, 10, false },
        { RTK, VIDEO, C(VP9), ANY, F(vp9_delta), 3, 3, false },
        { RTK, VIDEO, C(VP9), ANY, F(vp9_shows_old), 3, 3, false },
        { RTK, VIDEO, C(VP9), ANY, F(vp9_profile3_key), 10, 10, false },
        { RTK, VIDEO, C(VP9), ANY, F(vp9_profile3_delta), 3, 3, false },
        { RTK, VIDEO, C(VP9), ANY, F(no_header), -UNSUP, 3, false },
        { RTK, VIDEO, C(AV1), ANY, F(av1_key), 10, 10, false },
        { RTK, VIDEO, C(AV1), ANY, F(av1_delimited_key), 10, 10, false },
        { RTK, VIDEO, C(AV1), ANY, F(av1_delta), 3, 3, false },
        { RTK, VIDEO, C(AV1), ANY, F(av1_delimited_delta), 3, 3, false },
        { RTK, VIDEO, C(AV1), ANY, F(no_header), -UNSUP, 3, false },
        { RTK, VIDEO, C(H264), ANY, F(h264_key), 10, 10, false },
        { RTK, VIDEO, C(H264), ANY, F(sealed_delta), -UNSUP, 3, false },
        { RTK, VIDEO, C(H265), ANY, F(h265_key), 10, 10, false },
        { RTK, VIDEO, C(H265), ANY, F(h265_delta), 3, 3, false },
        { LK, VIDEO, C(H264), ANY, F(h264_sets), -UNSUP, 10, false },
        { RTK, VIDEO, C(UNKNOWN), ANY, F(vp8_key), -UNSUP, 10, false },
        { RTK, VIDEO, C(UNKNOWN), ANY, F(vp8_delta), -UNSUP, 3, false },
        { RTK, VIDEO, C(UNKNOWN), ANY, F(h264_key), 10, 10, false },
        { RTK, VIDEO, C(UNKNOWN), ANY, F(sealed_delta), -UNSUP, 3, false },
};

static int plan(size_t i, int direction, size_t len, ClearPlan *ret) {
        uint8_t bytes[40];
        ClearFrame frame = {
                .direction = (enum framekey_direction)direction,
                .format = (enum framekey_format)rows[i].format,
                .media = (enum framekey_media)rows[i].media,
                .codec = (enum framekey_codec)rows[i].codec,
                .type = (enum framekey_frame_type)rows[i].type,
                .bytes = bytes,
                .len = len,
        };

        memset(bytes, 0xee, sizeof(bytes));
        memcpy(bytes, rows[i].bytes, rows[i].n_bytes);
        return clear_plan(&frame, ret);
}

static void check_row(size_t i, int direction, int expected) {
        ClearPlan got = { .clear_len = 999 };
        int r = plan(i, direction, 40, &got);

        if (expected < 0) {
                ck_assert_msg(r == -expected, "row %zu: %d", i, r);
                ck_assert_uint_eq(got.clear_len, 999);
                return;
        }
        ck_assert_msg(r == 0, "row %zu: %d", i, r);
        ck_assert_msg(got.clear_len == (size_t)expected, "row %zu: %zu", i, got.clear_len);
        ck_assert_msg(got.nal == rows[i].nal, "row %zu", i);
}

START_TEST(follows_the_table) {
        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
                check_row(i, FRAMEKEY_ENCRYPT, rows[i].encrypt);
                check_row(i, FRAMEKEY_DECRYPT, rows[i].decrypt);
        }
}
END_TEST

START_TEST(refuses_to_encrypt_below_the_clear_part_and_decrypts_what_there_is) {
        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
                /* The clear part of NAL frames is found in the frame; it is never longer. */
                if (rows[i].encrypt <= 0 || rows[i].nal || rows[i].type == ANY)
                        continue;
                for (size_t len = 1; len < 40; len++) {
                        ClearPlan got;
                        int r = plan(i, FRAMEKEY_ENCRYPT, len, &got);

                        ck_assert_int_eq(r, len < (size_t)rows[i].encrypt ? SHORT : 0);
                        ck_assert_int_eq(plan(i, FRAMEKEY_DECRYPT, len, &got), 0);
                        ck_assert_uint_eq(got.clear_len, len < (size_t)rows[i].decrypt ? len : (size_t)rows[i].decrypt);
                }
        }
}
END_TEST

START_TEST(never_refuses_an_empty_frame) {
        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
                for (int direction = FRAMEKEY_ENCRYPT; direction <= FRAMEKEY_DECRYPT; direction++) {
                        ClearPlan got = { .clear_len = 999 };

                        ck_assert_int_eq(plan(i, direction, 0, &got), 0);
                        ck_assert_uint_eq(got.clear_len, 0);
                }
}
END_TEST

START_TEST(never_plans_more_than_the_frame) {
        static const uint8_t starts[][6] = {
                { 0x50 }, { 0, 0, 0, 1, 0x65, 0x88 }, { 0, 0, 1, 0x26, 1 }, { 0x12, 0, 0x0a }, { 0x82 }, { 0xff },
        };

        for (int format = 0; format <= 6; format++)
                for (int media = 0; media <= 4; media++)
                        for (int codec = 0; codec <= 33; codec++)
                                for (int type = 0; type <= 4; type++)
                                        for (unsigned n = 0; n < 6 * 12 * 2; n++) {
                                                ClearPlan got = { 0 };
                                                uint8_t *bytes = malloc(12);
                                                ClearFrame frame = {
                                                        .direction = (enum framekey_direction)(1 + n % 2),
                                                        .format = (enum framekey_format)format,
                                                        .media = (enum framekey_media)media,
                                                        .codec = (enum framekey_codec)codec,
                                                        .type = (enum framekey_frame_type)type,
                                                        .len = n / 2 % 12,
                                                };

                                                memset(bytes, 0xee, 12);
                                                memcpy(bytes, starts[n / 24], 6);
                                                /* At the end of the allocation, for the address sanitizer. */
                                                memmove(bytes + 12 - frame.len, bytes, frame.len);
                                                frame.bytes = bytes + 12 - frame.len;
                                                ck_assert_int_ge(clear_plan(&frame, &got), 0);
                                                if (got.clear_len > frame.len)
                                                        ck_abort_msg("clear part longer than the frame");
                                                free(bytes);
                                        }
}
END_TEST

/* A receiver must find the same place in the encrypted frame, where everything behind the clear part is noise. */
START_TEST(a_receiver_finds_what_the_sender_left_clear) {
        static const struct {
                int format, codec;
                const uint8_t *bytes;
                size_t n_bytes;
        } cases[] = {
                { LK, C(VP8), F(vp8_key) },    { LK, C(VP8), F(vp8_delta) },          { RTK, C(VP9), F(vp9_key) },
                { RTK, C(VP9), F(vp9_delta) }, { RTK, C(AV1), F(av1_delimited_key) }, { RTK, C(AV1), F(av1_delta) },
                { LK, C(H264), F(h264_key) },  { LK, C(H265), F(h265_key) },          { LK, C(UNKNOWN), F(h264_delta) },
        };

        srandom(4);
        for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
                for (unsigned n = 0; n < 5000; n++) {
                        uint8_t bytes[40];
                        ClearFrame frame = { .direction = FRAMEKEY_ENCRYPT,
                                             .format = (enum framekey_format)cases[i].format,
                                             .media = FRAMEKEY_MEDIA_VIDEO,
                                             .codec = (enum framekey_codec)cases[i].codec,
                                             .bytes = bytes,
                                             .len = sizeof(bytes) };
                        ClearPlan sent, received;

                        memset(bytes, 0xee, sizeof(bytes));
                        memcpy(bytes, cases[i].bytes, cases[i].n_bytes);
                        ck_assert_int_eq(clear_plan(&frame, &sent), 0);
                        for (size_t k = sent.clear_len; k < sizeof(bytes); k++)
                                bytes[k] = (uint8_t)(4 + random() % 252); /* escaped: no start code */
                        frame.direction = FRAMEKEY_DECRYPT;
                        ck_assert_int_eq(clear_plan(&frame, &received), 0);
                        ck_assert_uint_eq(sent.clear_len, received.clear_len);
                        ck_assert_int_eq(sent.nal, received.nal);
                }
}
END_TEST

RUN_TESTS("clear", follows_the_table, refuses_to_encrypt_below_the_clear_part_and_decrypts_what_there_is,
          never_refuses_an_empty_frame, never_plans_more_than_the_frame, a_receiver_finds_what_the_sender_left_clear)
