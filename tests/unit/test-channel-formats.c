/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the library puts into a payload under SFrame and DAVE, against the daemon's real ring. */
#include <errno.h>
#include <time.h>

#include "echo-server.h"
#include "runner.h"

#define LONG UINT64_C(20000000)

enum { SFRAME_OUT, SFRAME_IN, DAVE_VIDEO_OUT, DAVE_AUDIO_OUT, DAVE_IN, LIVEKIT_OUT };

static EchoServer server;
static framekey_channel *channel;

static void setup(uint32_t small, uint32_t video, uint32_t jumbo) {
        enum { SF = FRAMEKEY_FORMAT_SFRAME, DV = FRAMEKEY_FORMAT_DAVE, OUT = FRAMEKEY_ENCRYPT, IN = FRAMEKEY_DECRYPT };

        echo_start(&server, small, video, jumbo);
        echo_stream(&server, SFRAME_OUT, OUT, SF, FRAMEKEY_MEDIA_VIDEO, FRAMEKEY_CODEC_H264);
        echo_stream(&server, SFRAME_IN, IN, SF, FRAMEKEY_MEDIA_VIDEO, FRAMEKEY_CODEC_H264);
        echo_stream(&server, DAVE_VIDEO_OUT, OUT, DV, FRAMEKEY_MEDIA_VIDEO, FRAMEKEY_CODEC_H264);
        echo_stream(&server, DAVE_AUDIO_OUT, OUT, DV, FRAMEKEY_MEDIA_AUDIO, FRAMEKEY_CODEC_OPUS);
        echo_stream(&server, DAVE_IN, IN, DV, FRAMEKEY_MEDIA_VIDEO, FRAMEKEY_CODEC_H264);
        echo_stream(&server, LIVEKIT_OUT, OUT, FRAMEKEY_FORMAT_LIVEKIT, FRAMEKEY_MEDIA_AUDIO, FRAMEKEY_CODEC_OPUS);
        channel = echo_connect(&server);
}

static void teardown(void) {
        channel = framekey_channel_free(channel);
        echo_stop(&server);
        ck_assert(!atomic_load(&server.broken));
        ck_assert_uint_eq(atomic_load(&server.bad_requests), 0);
}

static struct framekey_frame frame_of(uint32_t stream) {
        return (struct framekey_frame){ .size = sizeof(struct framekey_frame), .stream = stream };
}

static int encrypt(const struct framekey_frame *frame, const void *in, size_t len, void *out, size_t room,
                   size_t *ret_len) {
        return framekey_encrypt(channel, frame, in, len, out, room, ret_len, NULL, LONG);
}

/* The same frame, written in place. */
static int submit(const struct framekey_frame *frame, const void *in, size_t len, void *out, size_t room,
                  size_t *ret_len) {
        struct framekey_result result = { .size = sizeof(result) };
        uint32_t slot;
        void *buffer;
        int r;

        ck_assert_int_eq(framekey_reserve(channel, frame, len, &slot, &buffer), 0);
        if (len > 0)
                memcpy(buffer, in, len);
        ck_assert_int_eq(framekey_submit(channel, slot, frame, len, 1), 0);
        ck_assert_int_eq(framekey_flush(channel), 0);
        while ((r = framekey_reap(channel, &result)) == 0)
                (void)nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL);
        ck_assert_int_eq(r, 1);
        /* Nothing is to be done on the way out. */
        ck_assert_int_eq(result.data != NULL, framekey_verdict_delivers(result.verdict));
        ck_assert_int_eq(framekey_take(channel, &result, out, room, ret_len), 0);
        return result.verdict;
}

typedef int (*Way)(const struct framekey_frame *frame, const void *in, size_t len, void *out, size_t room,
                   size_t *ret_len);
static const Way ways[] = { encrypt, submit };

/* Slices with short start codes; those that come out are long. */
static const uint8_t slices[] = { 0, 0, 1, 0x67, 0x42, 0, 0, 1, 0x65, 0x88, 0x84, 1, 2, 3, 4, 5 };
static const uint8_t rewritten[] = { 0, 0, 0, 1, 0x67, 0x42, 0, 0, 0, 1, 0x65, 0x88, 0x84, 1, 2, 3, 4, 5 };
/* As rewritten[] begins: all of the parameter set, the other start code, the NAL unit header and three numbers. */
#define SLICES_CLEAR 13u

START_TEST(dave_ranges_come_with_the_frame) {
        struct framekey_frame frame = frame_of(DAVE_VIDEO_OUT);
        uint8_t out[128];
        size_t len;

        setup(2, 0, 0);
        for (size_t way = 0; way < 2; way++) {
                ck_assert_int_eq(ways[way](&frame, slices, sizeof(slices), out, sizeof(out), &len), 0);
                ck_assert_uint_eq(len, sizeof(rewritten) + ECHO_OVERHEAD);
                ck_assert_mem_eq(out, rewritten, sizeof(rewritten));
                ck_assert_uint_eq(echo_last(&server)->n_ranges, 1);
                ck_assert_uint_eq(echo_last(&server)->ranges[0][0], 0);
                ck_assert_uint_eq(echo_last(&server)->ranges[0][1], SLICES_CLEAR);
                ck_assert_uint_ne(echo_last(&server)->flags & RING_REQUEST_START_CODES, 0);
                ck_assert_uint_eq(echo_last(&server)->metadata_len, 0);
        }
        teardown();
}
END_TEST

/* The frame's codec counts, and the stream's where the frame has none. */
START_TEST(dave_frames_of_another_codec_have_its_ranges) {
        struct framekey_frame frame = frame_of(DAVE_VIDEO_OUT);
        uint8_t plain[40] = { 0 }, out[128];
        size_t len;

        setup(2, 0, 0);
        frame.codec = FRAMEKEY_CODEC_VP8;
        for (size_t way = 0; way < 2; way++) {
                ck_assert_int_eq(ways[way](&frame, plain, sizeof(plain), out, sizeof(out), &len), 0);
                ck_assert_uint_eq(echo_last(&server)->n_ranges, 1);
                ck_assert_uint_eq(echo_last(&server)->ranges[0][1], 10);
                ck_assert_uint_eq(echo_last(&server)->flags & RING_REQUEST_START_CODES, 0);
        }
        teardown();
}
END_TEST

START_TEST(dave_audio_has_nothing_clear_whatever_codec_it_names) {
        struct framekey_frame frame = frame_of(DAVE_AUDIO_OUT);
        uint8_t out[128];
        size_t len;

        setup(2, 0, 0);
        for (int codec = 0; codec <= FRAMEKEY_CODEC_H265; codec++) {
                frame.codec = (uint8_t)codec;
                if (!framekey_codec_name((enum framekey_codec)codec))
                        continue;
                for (size_t way = 0; way < 2; way++) {
                        size_t max = framekey_sealed_max(channel, DAVE_AUDIO_OUT, sizeof(slices));

                        ck_assert_uint_le(max, sizeof(out));
                        ck_assert_int_eq(ways[way](&frame, slices, sizeof(slices), out, max, &len), 0);
                        ck_assert_uint_eq(len, sizeof(slices) + ECHO_OVERHEAD);
                        ck_assert_mem_eq(out, slices, sizeof(slices));
                        ck_assert_uint_eq(echo_last(&server)->n_ranges, 0);
                        ck_assert_uint_eq(echo_last(&server)->flags & RING_REQUEST_START_CODES, 0);
                }
        }
        teardown();
}
END_TEST

START_TEST(sealed_max_is_enough_where_start_codes_become_long) {
        static const uint8_t unit[] = { 0, 0, 1, 0x67 };
        struct framekey_frame frame = frame_of(DAVE_VIDEO_OUT);
        uint8_t plain[3000], out[5000];
        size_t max, len;

        setup(2, 2, 0);
        /* Nothing but parameter sets of one byte, then nothing but start codes. */
        for (size_t period = 4; period >= 3; period--) {
                for (size_t i = 0; i < sizeof(plain); i++)
                        plain[i] = unit[i % period];
                max = framekey_sealed_max(channel, DAVE_VIDEO_OUT, sizeof(plain));
                ck_assert_uint_le(max, sizeof(out));
                ck_assert_int_eq(encrypt(&frame, plain, sizeof(plain), out, max, &len), 0);
                ck_assert_uint_gt(len, sizeof(plain) + sizeof(plain) / 5);
        }
        teardown();
}
END_TEST

/* A blocking call takes its slot when the frame is known, and finds a larger one. */
START_TEST(what_outgrows_its_reserved_slot_is_too_long) {
        struct framekey_frame frame = frame_of(DAVE_VIDEO_OUT);
        size_t size = 64000, max, len;
        uint8_t *plain = malloc(size), *out;

        setup(0, 1, 1);
        for (size_t i = 0; i < size; i++)
                plain[i] = i % 3 == 2; /* start codes, of which each becomes a byte longer */
        max = framekey_sealed_max(channel, DAVE_VIDEO_OUT, size);
        out = malloc(max);
        ck_assert_int_eq(submit(&frame, plain, size, out, max, &len), FRAMEKEY_VERDICT_TOO_LONG);
        ck_assert_uint_eq(len, 0);
        ck_assert_int_eq(encrypt(&frame, plain, size, out, max, &len), 0);
        ck_assert_uint_gt(len, 65536);
        free(plain);
        free(out);
        teardown();
}
END_TEST

START_TEST(sframe_metadata_comes_with_the_frame_and_nothing_is_clear) {
        uint8_t metadata[FRAMEKEY_METADATA_MAX], out[128];
        struct framekey_frame frame = frame_of(SFRAME_OUT);
        size_t len;

        setup(2, 0, 0);
        for (size_t i = 0; i < sizeof(metadata); i++)
                metadata[i] = (uint8_t)(i * 7);
        frame.metadata = metadata;
        for (uint32_t metadata_len = 0; metadata_len <= FRAMEKEY_METADATA_MAX; metadata_len += 64)
                for (size_t way = 0; way < 2; way++) {
                        frame.metadata_len = metadata_len;
                        ck_assert_int_eq(ways[way](&frame, slices, sizeof(slices), out, sizeof(out), &len), 0);
                        ck_assert_uint_eq(len, sizeof(slices) + ECHO_OVERHEAD);
                        ck_assert_mem_eq(out, slices, sizeof(slices));
                        ck_assert_uint_eq(echo_last(&server)->n_ranges, 0);
                        ck_assert_uint_eq(echo_last(&server)->metadata_len, metadata_len);
                        ck_assert_mem_eq(echo_last(&server)->metadata, metadata, metadata_len);
                }

        frame.stream = SFRAME_IN;
        ck_assert_int_eq(framekey_decrypt(channel, &frame, out, len, out, sizeof(out), &len, NULL, LONG), 0);
        ck_assert_uint_eq(len, sizeof(slices));
        ck_assert_uint_eq(echo_last(&server)->metadata_len, FRAMEKEY_METADATA_MAX);
        ck_assert_mem_eq(echo_last(&server)->metadata, metadata, FRAMEKEY_METADATA_MAX);
        teardown();
}
END_TEST

/* The daemon has the verdict for it, and counts it. */
START_TEST(metadata_of_other_formats_goes_to_the_daemon) {
        static const uint32_t streams[] = { LIVEKIT_OUT, DAVE_AUDIO_OUT, DAVE_VIDEO_OUT };
        uint8_t out[128];
        size_t len;

        setup(2, 0, 0);
        for (size_t i = 0; i < 3; i++)
                for (size_t way = 0; way < 2; way++) {
                        struct framekey_frame frame = frame_of(streams[i]);

                        frame.metadata = "abc";
                        frame.metadata_len = 3;
                        echo_forget(&server);
                        ck_assert_int_eq(ways[way](&frame, slices, sizeof(slices), out, sizeof(out), &len), 0);
                        ck_assert_uint_eq(echo_last(&server)->metadata_len, 3);
                        ck_assert_mem_eq(echo_last(&server)->metadata, "abc", 3);
                }
        teardown();
}
END_TEST

START_TEST(empty_frames_are_encrypted_like_any_other) {
        static const uint32_t streams[] = { SFRAME_OUT, DAVE_AUDIO_OUT, DAVE_VIDEO_OUT };
        uint8_t out[128];
        size_t len;

        setup(2, 0, 0);
        for (size_t i = 0; i < 3; i++)
                for (size_t way = 0; way < 2; way++) {
                        struct framekey_frame frame = frame_of(streams[i]);
                        size_t max = framekey_sealed_max(channel, streams[i], 0);

                        len = 0;
                        ck_assert_int_eq(ways[way](&frame, NULL, 0, out, max, &len), 0);
                        ck_assert_uint_eq(len, ECHO_OVERHEAD);
                        ck_assert_uint_eq(echo_last(&server)->n_ranges, 0);
                }
        teardown();
}
END_TEST

/* What comes in is the daemon's to take apart. */
START_TEST(dave_frames_are_decrypted_as_they_come) {
        struct framekey_frame frame = frame_of(DAVE_VIDEO_OUT);
        uint8_t sealed[128], out[128];
        size_t len;

        setup(2, 0, 0);
        ck_assert_int_eq(encrypt(&frame, slices, sizeof(slices), sealed, sizeof(sealed), &len), 0);
        frame.stream = DAVE_IN;
        ck_assert_int_eq(framekey_decrypt(channel, &frame, sealed, len, out, sizeof(out), &len, NULL, LONG), 0);
        ck_assert_uint_eq(len, sizeof(rewritten));
        ck_assert_mem_eq(out, rewritten, sizeof(rewritten));
        ck_assert_uint_eq(echo_last(&server)->n_ranges, 0);
        ck_assert_uint_eq(echo_last(&server)->flags & RING_REQUEST_START_CODES, 0);
        teardown();
}
END_TEST

RUN_TESTS("channel-formats", dave_ranges_come_with_the_frame, dave_frames_of_another_codec_have_its_ranges,
          dave_audio_has_nothing_clear_whatever_codec_it_names, sealed_max_is_enough_where_start_codes_become_long,
          what_outgrows_its_reserved_slot_is_too_long, sframe_metadata_comes_with_the_frame_and_nothing_is_clear,
          metadata_of_other_formats_goes_to_the_daemon, empty_frames_are_encrypted_like_any_other,
          dave_frames_are_decrypted_as_they_come)
