/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The library against the daemon's real ring: frames of all kinds, one at a time and many, and every way to fail. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "echo-server.h"
#include "runner.h"

#define SECOND UINT64_C(1000000)
#define LONG   (20 * SECOND)

enum { AUDIO_OUT, AUDIO_IN, VIDEO_OUT, VIDEO_IN, DATA_OUT, DATA_IN, SFRAME_OUT, SFRAME_IN, RTK_OUT, NO_STREAM };

static EchoServer server;
static framekey_channel *channel;

static void setup(uint32_t small, uint32_t video, uint32_t jumbo) {
        enum {
                LK = FRAMEKEY_FORMAT_LIVEKIT,
                SF = FRAMEKEY_FORMAT_SFRAME,
                OUT = FRAMEKEY_ENCRYPT,
                IN = FRAMEKEY_DECRYPT
        };

        echo_start(&server, small, video, jumbo);
        echo_stream(&server, AUDIO_OUT, OUT, LK, FRAMEKEY_MEDIA_AUDIO, FRAMEKEY_CODEC_OPUS);
        echo_stream(&server, AUDIO_IN, IN, LK, FRAMEKEY_MEDIA_AUDIO, FRAMEKEY_CODEC_OPUS);
        echo_stream(&server, VIDEO_OUT, OUT, LK, FRAMEKEY_MEDIA_VIDEO, FRAMEKEY_CODEC_H264);
        echo_stream(&server, VIDEO_IN, IN, LK, FRAMEKEY_MEDIA_VIDEO, FRAMEKEY_CODEC_H264);
        echo_stream(&server, DATA_OUT, OUT, LK, FRAMEKEY_MEDIA_DATA, FRAMEKEY_CODEC_DATA);
        echo_stream(&server, DATA_IN, IN, LK, FRAMEKEY_MEDIA_DATA, FRAMEKEY_CODEC_DATA);
        echo_stream(&server, SFRAME_OUT, OUT, SF, FRAMEKEY_MEDIA_VIDEO, FRAMEKEY_CODEC_VP8);
        echo_stream(&server, SFRAME_IN, IN, SF, FRAMEKEY_MEDIA_VIDEO, FRAMEKEY_CODEC_VP8);
        echo_stream(&server, RTK_OUT, OUT, FRAMEKEY_FORMAT_REALTIMEKIT, FRAMEKEY_MEDIA_VIDEO, FRAMEKEY_CODEC_VP8);
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

static uint8_t *pattern(size_t len, uint32_t seed) {
        uint8_t *bytes = malloc(len + 1);

        for (size_t i = 0; i < len; i++) {
                seed = seed * 1664525u + 1013904223u;
                bytes[i] = (uint8_t)(seed >> 24);
        }
        return bytes;
}

static int encrypt(uint32_t stream, const void *in, size_t len, void *out, size_t room, size_t *ret_len) {
        struct framekey_frame frame = frame_of(stream);

        return framekey_encrypt(channel, &frame, in, len, out, room, ret_len, NULL, LONG);
}

static int decrypt(uint32_t stream, const void *in, size_t len, void *out, size_t room, size_t *ret_len) {
        struct framekey_frame frame = frame_of(stream);

        return framekey_decrypt(channel, &frame, in, len, out, room, ret_len, NULL, LONG);
}

static bool readable(int timeout_msec) {
        struct pollfd pollfd = { .fd = framekey_channel_get_fd(channel), .events = POLLIN };

        return poll(&pollfd, 1, timeout_msec) == 1;
}

/* ---- one at a time ---- */

START_TEST(frames_of_every_size_come_back) {
        static const size_t sizes[] = {
                1,    2,     29,    30,    31,    80,    1200,  2017,     2018,           2019,
                2048, 65505, 65506, 65507, 65536, 65537, 99999, 1u << 19, (1u << 20) - 1, 1u << 20
        };
        setup(4, 4, 2);
        for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
                for (uint32_t stream = AUDIO_OUT; stream <= DATA_OUT; stream += DATA_OUT) {
                        uint8_t *plain = pattern(sizes[i], (uint32_t)i);
                        size_t sealed_max = framekey_sealed_max(channel, stream, sizes[i]), sealed_len, back_len;
                        uint8_t *sealed = malloc(sealed_max);

                        ck_assert_int_eq(encrypt(stream, plain, sizes[i], sealed, sealed_max, &sealed_len), 0);
                        ck_assert_uint_eq(sealed_len, sizes[i] + ECHO_OVERHEAD);
                        ck_assert_int_eq(decrypt(stream + 1, sealed, sealed_len, sealed, sealed_len, &back_len), 0);
                        ck_assert_uint_eq(back_len, sizes[i]);
                        ck_assert(memcmp(sealed, plain, sizes[i]) == 0);
                        free(plain);
                        free(sealed);
                }
        teardown();
}
END_TEST

START_TEST(empty_frames_come_back_empty) {
        size_t len = 99;

        setup(2, 0, 0);
        ck_assert_int_eq(encrypt(AUDIO_OUT, NULL, 0, NULL, 0, &len), FRAMEKEY_VERDICT_EMPTY);
        ck_assert_uint_eq(len, 0);
        len = 99;
        ck_assert_int_eq(decrypt(VIDEO_IN, NULL, 0, NULL, 0, &len), FRAMEKEY_VERDICT_EMPTY);
        ck_assert_uint_eq(len, 0);
        teardown();
}
END_TEST

START_TEST(results_say_what_the_daemon_said) {
        struct framekey_result result = { .size = sizeof(result) };
        struct framekey_frame frame = frame_of(AUDIO_OUT);
        uint8_t out[64];

        setup(2, 0, 0);
        ck_assert_int_eq(framekey_encrypt(channel, &frame, "abc", 3, out, sizeof(out), NULL, &result, LONG), 0);
        ck_assert_uint_eq(result.size, sizeof(result));
        ck_assert_int_eq(result.verdict, 0);
        ck_assert_uint_eq(result.stream, AUDIO_OUT);
        ck_assert_uint_eq(result.length, 3 + ECHO_OVERHEAD);
        ck_assert_uint_eq(result.key_index, 7);
        ck_assert_uint_eq(result.step, 3);
        ck_assert_ptr_null(result.data);
        teardown();
}
END_TEST

/* 3-byte start codes become long in the clear part; chance start codes behind it are escaped, and come back. */
START_TEST(h264_goes_through_all_steps) {
        static const uint8_t plain[] = { 0, 0, 0, 1, 0x67, 1, 2, 3, 0, 0, 1, 0x65, 0x88, 0, 0, 1, 9, 0, 0, 0, 0, 3, 7 };
        static const uint8_t clear[] = { 0, 0, 0, 1, 0x67, 1, 2, 3, 0, 0, 0, 1, 0x65, 0x88 };
        static const uint8_t rest[] = { 0, 0, 3, 1, 9, 0, 0, 3, 0, 0, 3, 3, 7, 0xee };
        uint8_t sealed[128], back[128];
        size_t sealed_len, back_len;

        setup(2, 0, 0);
        ck_assert_int_eq(encrypt(VIDEO_OUT, plain, sizeof(plain), sealed, sizeof(sealed), &sealed_len), 0);
        ck_assert_mem_eq(sealed, clear, sizeof(clear));
        ck_assert_mem_eq(sealed + sizeof(clear), rest, sizeof(rest));
        ck_assert_int_eq(decrypt(VIDEO_IN, sealed, sealed_len, back, sizeof(back), &back_len), 0);
        ck_assert_uint_eq(back_len, sizeof(plain) + 1);
        ck_assert_mem_eq(back, clear, sizeof(clear));
        ck_assert_mem_eq(back + sizeof(clear), plain + sizeof(clear) - 1, sizeof(plain) - sizeof(clear) + 1);
        teardown();
}
END_TEST

START_TEST(sealed_max_is_enough_for_the_worst_frame) {
        static const uint8_t sets[] = { 0, 0, 1, 0x67 }, slice[] = { 0, 0, 1, 0x65, 1, 2, 3, 4 };
        size_t len = 3000, max, sealed_len;
        uint8_t *plain = malloc(len), *sealed;

        setup(2, 2, 0);
        max = framekey_sealed_max(channel, VIDEO_OUT, len);
        sealed = malloc(max);
        for (unsigned kind = 0; kind < 2; kind++) {
                memset(plain, 0, len);
                /* Nothing but start codes up to a slice at the end, or a slice of nothing but zeros. */
                for (size_t i = 0; kind == 0 && i + 8 < len; i += 4)
                        memcpy(plain + i, sets, sizeof(sets));
                memcpy(plain + (kind == 0 ? len - 8 : 0), slice, sizeof(slice));
                ck_assert_int_eq(encrypt(VIDEO_OUT, plain, len, sealed, max, &sealed_len), 0);
                ck_assert_uint_gt(sealed_len, len + len / 8);
                ck_assert_int_eq(decrypt(VIDEO_IN, sealed, sealed_len, sealed, max, &sealed_len), 0);
        }
        ck_assert_uint_eq(framekey_sealed_max(channel, NO_STREAM, 10), 0);
        ck_assert_uint_eq(framekey_opened_max(channel, NO_STREAM, 10), 0);
        ck_assert_uint_eq(framekey_sealed_max(channel, AUDIO_OUT, 10), 10 + ECHO_OVERHEAD);
        free(plain);
        free(sealed);
        teardown();
}
END_TEST

START_TEST(what_the_library_refuses_is_counted_by_the_daemon) {
        struct framekey_frame frame = frame_of(RTK_OUT);
        uint8_t out[64] = { 0 }, *big = pattern(FRAMEKEY_FRAME_MAX + 1, 1);
        size_t len = 99;

        setup(2, 0, 1);
        frame.frame_type = FRAMEKEY_FRAME_KEY;
        ck_assert_int_eq(framekey_encrypt(channel, &frame, "short", 5, out, 64, &len, NULL, LONG),
                         FRAMEKEY_VERDICT_TOO_SHORT);
        ck_assert_uint_eq(atomic_load(&server.notes[FRAMEKEY_VERDICT_TOO_SHORT]), 1);
        frame = frame_of(VIDEO_OUT);
        frame.codec = FRAMEKEY_CODEC_AV1;
        ck_assert_int_eq(framekey_encrypt(channel, &frame, "123456789012", 12, out, 64, &len, NULL, LONG),
                         FRAMEKEY_VERDICT_UNSUPPORTED);
        ck_assert_int_eq(encrypt(AUDIO_OUT, big, FRAMEKEY_FRAME_MAX + 1, out, 64, &len), FRAMEKEY_VERDICT_TOO_LONG);
        ck_assert_uint_eq(atomic_load(&server.notes[FRAMEKEY_VERDICT_TOO_LONG]), 1);
        ck_assert_int_eq(encrypt(AUDIO_IN, "1234", 4, out, 64, &len), FRAMEKEY_VERDICT_REFUSED);
        ck_assert_int_eq(decrypt(AUDIO_OUT, "1234", 4, out, 64, &len), FRAMEKEY_VERDICT_REFUSED);
        ck_assert_int_eq(encrypt(NO_STREAM, "1234", 4, out, 64, &len), FRAMEKEY_VERDICT_REFUSED);
        ck_assert_int_eq(encrypt(UINT32_MAX, "1234", 4, out, 64, &len), FRAMEKEY_VERDICT_REFUSED);
        ck_assert_uint_eq(len, 99);
        for (size_t i = 0; i < sizeof(out); i++)
                ck_assert_uint_eq(out[i], 0);
        free(big);
        teardown();
}
END_TEST

START_TEST(frames_longer_than_every_slot_are_too_long) {
        uint8_t *big = pattern(70000, 1);
        void *buffer;
        uint32_t slot;
        struct framekey_frame frame = frame_of(AUDIO_OUT);

        setup(2, 1, 0);
        ck_assert_int_eq(encrypt(AUDIO_OUT, big, 70000, big, 70000, NULL), FRAMEKEY_VERDICT_TOO_LONG);
        ck_assert_int_eq(framekey_reserve(channel, &frame, 65536, &slot, &buffer), -EMSGSIZE);
        free(big);
        teardown();
}
END_TEST

START_TEST(short_garbage_reaches_the_daemon_for_its_verdict) {
        uint8_t garbage[64] = { 1 }, out[64] = { 0 };

        setup(2, 0, 0);
        for (size_t len = 1; len < sizeof(garbage); len++)
                for (uint32_t stream = AUDIO_IN; stream <= DATA_IN; stream += 2)
                        ck_assert_int_eq(decrypt(stream, garbage, len, out, sizeof(out), NULL),
                                         FRAMEKEY_VERDICT_MALFORMED);
        garbage[62] = 12;
        ck_assert_int_eq(decrypt(AUDIO_IN, garbage, 64, out, sizeof(out), NULL), FRAMEKEY_VERDICT_FORGED);
        ck_assert_uint_eq(out[0], 0);
        teardown();
}
END_TEST

START_TEST(a_small_buffer_costs_no_decrypted_frame) {
        uint8_t sealed[64], out[64] = { 0 };
        size_t sealed_len, len = 99;
        unsigned frames;

        setup(2, 0, 0);
        ck_assert_int_eq(encrypt(AUDIO_OUT, "abcdefgh", 8, sealed, sizeof(sealed), &sealed_len), 0);
        frames = atomic_load(&server.frames);
        ck_assert_int_eq(decrypt(AUDIO_IN, sealed, sealed_len, out, 7, &len), -ENOBUFS);
        ck_assert_uint_eq(atomic_load(&server.frames), frames);
        ck_assert_uint_eq(len, 99);
        ck_assert_uint_eq(out[0], 0);
        ck_assert_int_eq(decrypt(AUDIO_IN, sealed, sealed_len, out, 8, &len), 0);
        ck_assert_int_eq(encrypt(AUDIO_OUT, "abcdefgh", 8, sealed, 37, &len), -ENOBUFS);
        ck_assert_int_eq(encrypt(AUDIO_OUT, "abcdefgh", 8, sealed, 38, &len), 0);
        teardown();
}
END_TEST

START_TEST(malformed_arguments_are_refused) {
        struct framekey_result result = { .size = sizeof(result) - 1 };
        struct framekey_frame frame = frame_of(AUDIO_OUT), bad;
        uint8_t out[64];

        setup(2, 0, 0);
#define CHECK_BAD(change)                                                                                              \
        do {                                                                                                           \
                bad = frame;                                                                                           \
                change;                                                                                                \
                ck_assert_int_eq(framekey_encrypt(channel, &bad, "abc", 3, out, 64, NULL, NULL, LONG), -EINVAL);       \
        } while (0)
        CHECK_BAD(bad.size--);
        CHECK_BAD(bad.reserved = 1);
        CHECK_BAD(bad.frame_type = 4);
        CHECK_BAD(bad.codec = 9);
        CHECK_BAD((bad.metadata_len = 513, bad.metadata = out));
        CHECK_BAD(bad.metadata_len = 1);
        ck_assert_int_eq(framekey_encrypt(channel, &frame, "abc", 3, out, 64, NULL, &result, LONG), -EINVAL);
        ck_assert_int_eq(framekey_encrypt(channel, NULL, "abc", 3, out, 64, NULL, NULL, LONG), -EINVAL);
        ck_assert_int_eq(framekey_encrypt(channel, &frame, NULL, 3, out, 64, NULL, NULL, LONG), -EINVAL);
        teardown();
}
END_TEST

/* ---- timeouts ---- */

static uint64_t now_usec(void) {
        struct timespec ts;

        (void)clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t)ts.tv_sec * SECOND + (uint64_t)ts.tv_nsec / 1000;
}

START_TEST(a_silent_daemon_times_out_and_late_answers_are_dropped) {
        struct framekey_frame frame = frame_of(AUDIO_OUT);
        struct framekey_result result = { .size = sizeof(result) };
        uint8_t out[64] = { 0 };
        uint64_t start;
        void *buffer;
        uint32_t slot;

        setup(3, 0, 0);
        echo_hold(&server, true);
        start = now_usec();
        ck_assert_int_eq(framekey_encrypt(channel, &frame, "aaa", 3, out, 64, NULL, NULL, 30000), -ETIMEDOUT);
        ck_assert_uint_ge(now_usec() - start, 30000);
        ck_assert_int_eq(framekey_encrypt(channel, &frame, "bbb", 3, out, 64, NULL, NULL, 0), -ETIMEDOUT);
        /* Two slots are still with the daemon, one is left. */
        ck_assert_int_eq(framekey_reserve(channel, &frame, 3, &slot, &buffer), 0);
        ck_assert_int_eq(framekey_encrypt(channel, &frame, "ccc", 3, out, 64, NULL, NULL, 0), -ETIMEDOUT);
        framekey_release(channel, slot);

        echo_hold(&server, false);
        ck_assert_int_eq(framekey_encrypt(channel, &frame, "ddd", 3, out, 64, NULL, &result, LONG), 0);
        ck_assert_mem_eq(out, "ddd", 3);
        ck_assert_int_eq(framekey_reap(channel, &result), 0);
        /* All three are free again. */
        for (unsigned i = 0; i < 3; i++)
                ck_assert_int_eq(framekey_reserve(channel, &frame, 3, &slot, &buffer), 0);
        ck_assert_int_eq(framekey_reserve(channel, &frame, 3, &slot, &buffer), -EAGAIN);
        teardown();
}
END_TEST

/* ---- many at a time ---- */

static uint32_t submit_text(uint32_t stream, const char *text, uint64_t cookie) {
        struct framekey_frame frame = frame_of(stream);
        uint32_t slot;
        void *buffer;

        ck_assert_int_eq(framekey_reserve(channel, &frame, strlen(text), &slot, &buffer), 0);
        memcpy(buffer, text, strlen(text));
        ck_assert_int_eq(framekey_submit(channel, slot, &frame, strlen(text), cookie), 0);
        return slot;
}

static void reap_one(struct framekey_result *ret) {
        *ret = (struct framekey_result){ .size = sizeof(*ret) };
        for (;;) {
                int r = framekey_reap(channel, ret);

                ck_assert_int_ge(r, 0);
                if (r == 1)
                        return;
                ck_assert_msg(readable(20000), "lost wake-up");
        }
}

START_TEST(submitted_frames_are_reaped_in_order) {
        struct framekey_result result;

        setup(8, 0, 0);
        for (unsigned round = 0; round < 100; round++) {
                for (unsigned i = 0; i < 8; i++)
                        (void)submit_text(AUDIO_OUT, "hello", round * 8 + i);
                ck_assert_int_eq(framekey_flush(channel), 0);
                for (unsigned i = 0; i < 8; i++) {
                        reap_one(&result);
                        ck_assert_uint_eq(result.cookie, round * 8 + i);
                        ck_assert_int_eq(result.verdict, 0);
                        ck_assert_uint_eq(result.length, 5 + ECHO_OVERHEAD);
                        ck_assert_mem_eq(result.data, "hello", 5);
                        framekey_release(channel, result.slot);
                }
                ck_assert_int_eq(framekey_reap(channel, &result), 0);
        }
        teardown();
}
END_TEST

START_TEST(slots_run_out_lowest_first_and_larger_ones_help) {
        struct framekey_frame frame = frame_of(AUDIO_OUT);
        uint32_t slots[4];
        void *buffer;

        setup(2, 1, 1);
        for (uint32_t i = 0; i < 4; i++) {
                ck_assert_int_eq(framekey_reserve(channel, &frame, 100, &slots[i], &buffer), 0);
                ck_assert_uint_eq(slots[i], i);
        }
        ck_assert_int_eq(framekey_reserve(channel, &frame, 100, &slots[0], &buffer), -EAGAIN);
        ck_assert_int_eq(encrypt(AUDIO_OUT, "x", 1, buffer, 0, NULL), -EAGAIN);
        framekey_release(channel, 1);
        framekey_release(channel, 1);
        framekey_release(channel, 77);
        ck_assert_int_eq(framekey_reserve(channel, &frame, 3000, &slots[1], &buffer), -EAGAIN);
        ck_assert_int_eq(framekey_reserve(channel, &frame, 2018, &slots[1], &buffer), 0);
        ck_assert_uint_eq(slots[1], 1);
        teardown();
}
END_TEST

START_TEST(taking_escapes_and_releases) {
        static const char plain[] = "\0\0\1\x65\x88\0\0\1\0\0\0\0\0\7";
        struct framekey_frame frame = frame_of(VIDEO_OUT);
        struct framekey_result result;
        uint8_t out[128], direct[128];
        size_t len, direct_len;
        uint32_t slot;
        void *buffer;

        setup(1, 0, 0);
        ck_assert_int_eq(encrypt(VIDEO_OUT, plain, sizeof(plain), direct, sizeof(direct), &direct_len), 0);
        ck_assert_int_eq(framekey_reserve(channel, &frame, sizeof(plain), &slot, &buffer), 0);
        memcpy(buffer, plain, sizeof(plain));
        ck_assert_int_eq(framekey_submit(channel, slot, &frame, sizeof(plain), 1), 0);
        ck_assert_int_eq(framekey_flush(channel), 0);
        reap_one(&result);
        ck_assert_ptr_null(result.data);
        ck_assert_uint_eq(result.length, direct_len);
        ck_assert_int_eq(framekey_take(channel, &result, out, direct_len - 1, &len), -ENOBUFS);
        ck_assert_int_eq(framekey_take(channel, &result, out, direct_len, &len), 0);
        ck_assert_uint_eq(len, direct_len);
        ck_assert_mem_eq(out, direct, direct_len);
        ck_assert_int_eq(framekey_take(channel, &result, out, direct_len, &len), -EINVAL);
        ck_assert_int_eq(encrypt(VIDEO_OUT, plain, sizeof(plain), direct, sizeof(direct), &direct_len), 0);
        teardown();
}
END_TEST

START_TEST(submit_refuses_what_was_not_reserved) {
        struct framekey_frame frame = frame_of(AUDIO_OUT);
        uint32_t slot;
        void *buffer;

        setup(2, 0, 0);
        ck_assert_int_eq(framekey_submit(channel, 0, &frame, 1, 0), -EINVAL);
        ck_assert_int_eq(framekey_submit(channel, 999, &frame, 1, 0), -EINVAL);
        ck_assert_int_eq(framekey_reserve(channel, &frame, 10, &slot, &buffer), 0);
        ck_assert_int_eq(framekey_submit(channel, slot, &frame, 11, 0), -EINVAL);
        ck_assert_int_eq(framekey_submit(channel, slot, &frame, 10, 0), 0);
        ck_assert_int_eq(framekey_submit(channel, slot, &frame, 10, 0), -EINVAL);
        frame.stream = NO_STREAM;
        ck_assert_int_eq(framekey_reserve(channel, &frame, 10, &slot, &buffer), -ENOENT);
        teardown();
}
END_TEST

START_TEST(metadata_moves_the_frame_behind_it) {
        uint8_t metadata[100];
        struct framekey_frame frame = frame_of(SFRAME_OUT);
        struct framekey_result result;
        uint32_t slot;
        void *buffer;

        setup(2, 0, 0);
        memset(metadata, 0x77, sizeof(metadata));
        for (uint32_t reserved_len = 0; reserved_len <= 100; reserved_len += 50) {
                frame.metadata = metadata;
                frame.metadata_len = reserved_len;
                ck_assert_int_eq(framekey_reserve(channel, &frame, 5, &slot, &buffer), 0);
                memcpy(buffer, "frame", 5);
                frame.metadata_len = 50;
                ck_assert_int_eq(framekey_submit(channel, slot, &frame, 5, 0), 0);
                ck_assert_int_eq(framekey_flush(channel), 0);
                reap_one(&result);
                ck_assert_uint_eq(result.length, 5 + ECHO_OVERHEAD);
                ck_assert_mem_eq(result.data, "frame", 5);
                framekey_release(channel, result.slot);
        }
        teardown();
}
END_TEST

START_TEST(a_frame_without_stream_or_rule_gets_its_verdict_by_completion) {
        struct framekey_frame frame = frame_of(RTK_OUT);
        struct framekey_result result;
        uint32_t slot;
        void *buffer;

        setup(4, 0, 0);
        frame.frame_type = FRAMEKEY_FRAME_KEY;
        ck_assert_int_eq(framekey_reserve(channel, &frame, 9, &slot, &buffer), 0);
        ck_assert_int_eq(framekey_submit(channel, slot, &frame, 9, 1), 0);
        (void)submit_text(AUDIO_OUT, "good", 2);
        frame = frame_of(AUDIO_OUT);
        ck_assert_int_eq(framekey_reserve(channel, &frame, 0, &slot, &buffer), 0);
        ck_assert_int_eq(framekey_submit(channel, slot, &frame, 0, 3), 0);
        ck_assert_int_eq(framekey_flush(channel), 0);
        reap_one(&result);
        ck_assert_int_eq(result.verdict, FRAMEKEY_VERDICT_TOO_SHORT);
        ck_assert_ptr_null(result.data);
        reap_one(&result);
        ck_assert_int_eq(result.verdict, 0);
        reap_one(&result);
        ck_assert_int_eq(result.verdict, FRAMEKEY_VERDICT_EMPTY);
        ck_assert_uint_eq(result.length, 0);
        teardown();
}
END_TEST

/* ---- waking ---- */

START_TEST(polls_readable_exactly_when_there_is_something) {
        struct framekey_result result = { .size = sizeof(result) };

        setup(4, 0, 0);
        ck_assert_int_eq(framekey_reap(channel, &result), 0);
        ck_assert(!readable(0));
        echo_hold(&server, true);
        (void)submit_text(AUDIO_OUT, "one", 1);
        (void)submit_text(AUDIO_OUT, "two", 2);
        ck_assert_int_eq(framekey_flush(channel), 0);
        ck_assert(!readable(20));
        echo_hold(&server, false);
        ck_assert(readable(20000));
        reap_one(&result);
        reap_one(&result);
        ck_assert_int_eq(framekey_reap(channel, &result), 0);
        ck_assert(!readable(0));
        teardown();
}
END_TEST

START_TEST(a_blocking_call_does_not_swallow_other_completions) {
        struct framekey_result result = { .size = sizeof(result) };
        uint8_t out[64];

        setup(4, 0, 0);
        ck_assert_int_ge(framekey_channel_get_fd(channel), 0);
        for (unsigned i = 0; i < 200; i++) {
                ck_assert_int_eq(framekey_reap(channel, &result), 0);
                (void)submit_text(AUDIO_OUT, "submitted", i);
                ck_assert_int_eq(encrypt(AUDIO_OUT, "blocking", 8, out, sizeof(out), NULL), 0);
                ck_assert_mem_eq(out, "blocking", 8);
                ck_assert_msg(readable(20000), "lost wake-up");
                ck_assert_int_eq(framekey_reap(channel, &result), 1);
                ck_assert_uint_eq(result.cookie, i);
                ck_assert_mem_eq(result.data, "submitted", 9);
                framekey_release(channel, result.slot);
        }
        teardown();
}
END_TEST

START_TEST(the_next_completion_after_a_blocking_call_still_wakes) {
        struct framekey_result result = { .size = sizeof(result) };
        uint8_t out[64];

        setup(4, 0, 0);
        for (unsigned i = 0; i < 200; i++) {
                ck_assert_int_eq(framekey_reap(channel, &result), 0);
                ck_assert_int_eq(encrypt(AUDIO_OUT, "blocking", 8, out, sizeof(out), NULL), 0);
                (void)submit_text(AUDIO_OUT, "submitted", i);
                ck_assert_int_eq(framekey_flush(channel), 0);
                ck_assert_msg(readable(20000), "lost wake-up");
                reap_one(&result);
                framekey_release(channel, result.slot);
        }
        teardown();
}
END_TEST

/* ---- packets ---- */

START_TEST(packets_travel_in_parts) {
        uint8_t sealed[64], iv[FRAMEKEY_PACKET_IV_LENGTH], out[64];
        size_t sealed_len, len;
        uint32_t key_index;

        setup(2, 0, 0);
        for (size_t n = 0; n < 20; n += 19) {
                memset(iv, 9, sizeof(iv));
                ck_assert_int_eq(framekey_packet_encrypt(channel, DATA_OUT, "0123456789012345678", n, sealed, n + 16,
                                                         &sealed_len, iv, &key_index, LONG),
                                 0);
                ck_assert_uint_eq(sealed_len, n + 16);
                ck_assert_uint_eq(key_index, 0);
                ck_assert_uint_eq(iv[0], 0);
                ck_assert_int_eq(framekey_packet_decrypt(channel, DATA_IN, sealed, sealed_len, iv, sizeof(iv), 0, out,
                                                         n, &len, LONG),
                                 0);
                ck_assert_uint_eq(len, n);
                ck_assert(memcmp(out, "0123456789012345678", n) == 0);
        }
        ck_assert_int_eq(framekey_packet_encrypt(channel, DATA_OUT, "abc", 3, sealed, 18, &len, iv, NULL, LONG),
                         -ENOBUFS);
        ck_assert_int_eq(framekey_packet_decrypt(channel, DATA_IN, sealed, 35, iv, 11, 0, out, 64, &len, LONG),
                         FRAMEKEY_VERDICT_MALFORMED);
        ck_assert_int_eq(framekey_packet_decrypt(channel, DATA_IN, sealed, 35, iv, 12, 256, out, 64, &len, LONG),
                         FRAMEKEY_VERDICT_MALFORMED);
        ck_assert_int_eq(framekey_packet_decrypt(channel, DATA_IN, sealed, 3, iv, 12, 0, out, 64, &len, LONG),
                         FRAMEKEY_VERDICT_MALFORMED);
        ck_assert_int_eq(framekey_packet_encrypt(channel, AUDIO_OUT, "abc", 3, sealed, 64, &len, iv, NULL, LONG),
                         FRAMEKEY_VERDICT_REFUSED);
        teardown();
}
END_TEST

/* ---- streams ---- */

START_TEST(streams_are_read_from_the_table) {
        enum framekey_direction direction;
        enum framekey_format format;
        enum framekey_media media;
        enum framekey_codec codec;
        uint32_t slot;

        setup(2, 0, 0);
        ck_assert_int_eq(framekey_stream_get(channel, VIDEO_IN, &direction, &format, &media, &codec), 0);
        ck_assert_int_eq(direction, FRAMEKEY_DECRYPT);
        ck_assert_int_eq(format, FRAMEKEY_FORMAT_LIVEKIT);
        ck_assert_int_eq(media, FRAMEKEY_MEDIA_VIDEO);
        ck_assert_int_eq(codec, FRAMEKEY_CODEC_H264);
        ck_assert_int_eq(framekey_stream_get(channel, NO_STREAM, NULL, NULL, NULL, NULL), -ENOENT);
        ck_assert_int_eq(framekey_stream_get(channel, ECHO_STREAMS, NULL, NULL, NULL, NULL), -ENOENT);
        slot = submit_text(AUDIO_OUT, "abc", 0);
        (void)slot;
        echo_stream(&server, VIDEO_IN, 0, 0, 0, 0);
        ck_assert_int_eq(framekey_stream_get(channel, VIDEO_IN, NULL, NULL, NULL, NULL), -ENOENT);
        teardown();
}
END_TEST

RUN_TESTS("channel", frames_of_every_size_come_back, empty_frames_come_back_empty, results_say_what_the_daemon_said,
          h264_goes_through_all_steps, sealed_max_is_enough_for_the_worst_frame,
          what_the_library_refuses_is_counted_by_the_daemon, frames_longer_than_every_slot_are_too_long,
          short_garbage_reaches_the_daemon_for_its_verdict, a_small_buffer_costs_no_decrypted_frame,
          malformed_arguments_are_refused, a_silent_daemon_times_out_and_late_answers_are_dropped,
          submitted_frames_are_reaped_in_order, slots_run_out_lowest_first_and_larger_ones_help,
          taking_escapes_and_releases, submit_refuses_what_was_not_reserved, metadata_moves_the_frame_behind_it,
          a_frame_without_stream_or_rule_gets_its_verdict_by_completion, polls_readable_exactly_when_there_is_something,
          a_blocking_call_does_not_swallow_other_completions, the_next_completion_after_a_blocking_call_still_wakes,
          packets_travel_in_parts, streams_are_read_from_the_table)
