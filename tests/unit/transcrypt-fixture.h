/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What tests of transcryption share: library, ring, data threads and keys in one process, with every
 * format at every corner.
 *
 *   source --> | in: opens   (transcrypt)   out: seals | --> sink
 *
 * Each corner has a session of its own, all guests on one channel. One translation unit a test program
 * includes it.
 */
#pragma once

#include "channel/channel.h"
#include "keyplane-fixture.h"
#include "runner.h"

#include <framekey.h>
#include <stdio.h>

#define DEADLINE  (20 * USEC_PER_SEC)
#define PLAIN_MAX 1024u
#define ROOM      (3 * PLAIN_MAX)

enum {
        LK = FRAMEKEY_FORMAT_LIVEKIT,
        RTK = FRAMEKEY_FORMAT_REALTIMEKIT,
        SF = FRAMEKEY_FORMAT_SFRAME,
        DV = FRAMEKEY_FORMAT_DAVE,
        FORMATS_END,
};

/* By format. */
static const char *const presets[FORMATS_END] = { NULL, "livekit", "realtimekit", "jitsi", "sframe", "dave" };
static const uint8_t marker[] = "server's marker";

/* ---- the stage ---- */

typedef struct Corner {
        Session *session;
        uint32_t participant;
        uint32_t stream[FRAMEKEY_MEDIA_DATA + 1]; /* by media */
} Corner;

static Plane *plane;
static Ledger *ledger;
static char directory[] = "/tmp/framekeyd-test-XXXXXX";
static ChannelServer *server;
static Session *home; /* the channel's own */
static Channel *channel;
static RingFds ring_fds;
static framekey_channel *client;
static Corner source[FORMATS_END], in[FORMATS_END], out[FORMATS_END], sink[FORMATS_END];

static void put_key(const Corner *corner, const char *preset, uint32_t index, const char *key) {
        Waited waited = { false };
        Schedule schedule;
        Secret *secret;

        schedule_quick(&schedule, preset);
        ck_assert_int_eq(secret_new_copy(&secret, key, 16), 0);
        ck_assert_int_eq(
                session_import(corner->session, corner->participant, index, secret, &schedule, 0, waited_done, &waited),
                0);
        await(plane, &waited);
        ck_assert_int_eq(waited.result, 0);
}

static void add_stream(const Corner *corner, enum framekey_direction direction, enum framekey_media media,
                       enum framekey_codec codec, uint32_t *ret) {
        ck_assert_int_eq(
                channel_add_stream(channel, corner->session, corner->participant, direction, media, codec, ret), 0);
}

static void corner_open(Corner *corner, const char *preset, enum framekey_direction direction, const char *key) {
        SessionConfig config;

        preset_session_config(preset_find(preset), &config);
        config.shared = false;
        if (config.format == FRAMEKEY_FORMAT_LIVEKIT) {
                config.server_trailer_len = sizeof(marker);
                memcpy(config.server_trailer, marker, sizeof(marker));
        }
        ck_assert_int_eq(session_new(&corner->session, plane, &config, NULL, NULL), 0);
        ck_assert_int_eq(session_add_participant(corner->session, direction == FRAMEKEY_ENCRYPT, &corner->participant),
                         0);
        put_key(corner, preset, 1, key);
        for (int media = FRAMEKEY_MEDIA_AUDIO; media <= FRAMEKEY_MEDIA_DATA; media++)
                add_stream(corner, direction, (enum framekey_media)media, FRAMEKEY_CODEC_UNKNOWN,
                           &corner->stream[media]);
}

/* As control does it: first the streams, then the session. */
static void corner_close(Corner *corner) {
        if (!corner->session)
                return;
        for (int media = FRAMEKEY_MEDIA_AUDIO; media <= FRAMEKEY_MEDIA_DATA; media++)
                ck_assert_int_eq(channel_remove_stream(channel, corner->stream[media]), 0);
        corner->session = session_free(corner->session);
}

static void on_gone(Channel *gone, ChannelGone why, void *userdata) {
        ck_abort_msg("a channel went away: %d", why);
}

static void channel_open(Session *session, Channel **ret, RingFds *ret_fds, framekey_channel **ret_client) {
        const RingConfig config = { .n_slots = { 8, 4, 1 }, .n_streams = 80, .same_uid = true };

        ck_assert_int_eq(channel_new(ret, server, session, &config, ret_fds, on_gone, NULL), 0);
        ck_assert_int_eq(framekey_channel_new_from_fds(ret_client,
                                                       (const int[]){ ret_fds->request, ret_fds->response,
                                                                      ret_fds->doorbell, ret_fds->wakeup },
                                                       4),
                         0);
}

static void fds_close(RingFds *fds) {
        close_fd(fds->request);
        close_fd(fds->response);
        close_fd(fds->doorbell);
        close_fd(fds->wakeup);
}

static void setup(void) {
        SessionConfig config;

        plane = plane_start();
        ck_assert_ptr_nonnull(mkdtemp(directory));
        ck_assert_int_eq(ledger_open(&ledger, directory, directory), 0);
        plane_set_ledger(plane, ledger);
        ck_assert_int_eq(channel_server_new(&server, plane, 2), 0);
        preset_session_config(preset_find("livekit"), &config);
        ck_assert_int_eq(session_new(&home, plane, &config, NULL, NULL), 0);
        channel_open(home, &channel, &ring_fds, &client);
        for (size_t i = 1; i < FORMATS_END; i++) {
                corner_open(&source[i], presets[i], FRAMEKEY_ENCRYPT, "to the bridge, 1");
                corner_open(&in[i], presets[i], FRAMEKEY_DECRYPT, "to the bridge, 1");
                corner_open(&out[i], presets[i], FRAMEKEY_ENCRYPT, "from the bridge.");
                corner_open(&sink[i], presets[i], FRAMEKEY_DECRYPT, "from the bridge.");
        }
}

static void teardown(void) {
        char command[sizeof(directory) + 8];

        for (size_t i = 1; i < FORMATS_END; i++) {
                corner_close(&source[i]);
                corner_close(&in[i]);
                corner_close(&out[i]);
                corner_close(&sink[i]);
        }
        framekey_channel_free(client);
        channel_free(channel);
        fds_close(&ring_fds);
        session_free(home);
        channel_server_free(server);
        plane_free(plane);
        ledger_close(ledger);
        (void)snprintf(command, sizeof(command), "rm -r %s", directory);
        ck_assert_int_eq(system(command), 0);
}

/* ---- frames ---- */

typedef struct Bytes {
        uint8_t bytes[ROOM];
        size_t len;
} Bytes;

typedef struct Kind {
        const char *name;
        enum framekey_media media;
        enum framekey_codec codec;
        enum framekey_frame_type type;
        const char *head;
        size_t head_len;
        bool rewritten; /* formats that leave start codes clear make them long */
} Kind;

#define AUDIO(codec)       FRAMEKEY_MEDIA_AUDIO, FRAMEKEY_CODEC_##codec, FRAMEKEY_FRAME_UNSPECIFIED
#define VIDEO(codec, type) FRAMEKEY_MEDIA_VIDEO, FRAMEKEY_CODEC_##codec, FRAMEKEY_FRAME_##type
#define HEAD(text)         text, sizeof(text) - 1
#define LONG_CODE          "\0\0\0\1"
#define SHORT_CODE         "\0\0\1"
/* An escape of the encoder's, which must come back as it is. */
#define ESCAPED "\x42\0\0\3\1"

static const Kind kinds[] = {
        { "opus", AUDIO(OPUS), HEAD("\x78"), false },
        { "pcmu", AUDIO(PCMU), HEAD("\xff"), false },
        { "data", FRAMEKEY_MEDIA_DATA, FRAMEKEY_CODEC_DATA, FRAMEKEY_FRAME_UNSPECIFIED, HEAD(SHORT_CODE), false },
        { "vp8 key", VIDEO(VP8, KEY), HEAD("\x50\xa2\0\x9d\1\x2a\x40\1\xb4\0"), false },
        { "vp8 delta", VIDEO(VP8, DELTA), HEAD("\x31\2\0"), false },
        { "vp9 key", VIDEO(VP9, KEY), HEAD("\x82\x49\x83\x42"), false },
        { "vp9 delta", VIDEO(VP9, DELTA), HEAD("\x86\0"), false },
        { "av1 key", VIDEO(AV1, KEY), HEAD("\x0a\x0b\0\0\0\4\x3c\xff\xbc\xdb\xe0\x20\x40\x30"), false },
        { "av1 delta", VIDEO(AV1, DELTA), HEAD("\x30\x14"), false },
        { "h264 key", VIDEO(H264, KEY),
          HEAD(LONG_CODE "\x67\x42\xc0\x1f" LONG_CODE "\x68\xce\x3c\x80" LONG_CODE "\x65\x88\x84" ESCAPED), false },
        { "h264 delta", VIDEO(H264, DELTA), HEAD(LONG_CODE "\x41\x9a\x24" ESCAPED), false },
        { "h264 slices", VIDEO(H264, KEY),
          HEAD(SHORT_CODE "\x67\x42\xc0\x1f" SHORT_CODE "\x68\xce\x3c\x80" SHORT_CODE "\x65\x88\x84" SHORT_CODE
                          "\x65\x48\x84"),
          true },
        { "h265 key", VIDEO(H265, KEY),
          HEAD(LONG_CODE "\x40\1\x0c\1" LONG_CODE "\x42\1\1\1" LONG_CODE "\x44\1\xc1\x73" LONG_CODE
                         "\x26\1\xaf" ESCAPED),
          false },
        { "h265 delta", VIDEO(H265, DELTA), HEAD(LONG_CODE "\2\1\xd0\x09"), false },
};

enum { OPUS = 0, DATA = 2, VP8_KEY = 3, VP8_DELTA = 4, AV1_KEY = 7, H264_KEY = 9 };

/* Behind its head what encoders put there, as far as anybody looks: no zeros. */
_unused_ static Bytes plain_of(const Kind *kind, size_t len) {
        Bytes plain = { .len = len };

        for (size_t i = 0; i < len; i++)
                plain.bytes[i] = i < kind->head_len ? (uint8_t)kind->head[i] : (uint8_t)(1 + i * i * 31 % 251);
        return plain;
}

_unused_ static struct framekey_frame about(const Corner *corner, const Kind *kind, enum framekey_frame_type type) {
        return (struct framekey_frame){ .size = sizeof(struct framekey_frame),
                                        .stream = corner->stream[kind->media],
                                        .codec = (uint8_t)kind->codec,
                                        .frame_type = (uint8_t)type };
}

_unused_ static int seal(const Corner *corner, const Kind *kind, const Bytes *plain, Bytes *ret) {
        struct framekey_frame frame = about(corner, kind, kind->type);

        return framekey_encrypt(client, &frame, plain->bytes, plain->len, ret->bytes, ROOM, &ret->len, NULL, DEADLINE);
}

_unused_ static int open_at(const Corner *corner, const Kind *kind, const Bytes *sealed, Bytes *ret) {
        struct framekey_frame frame = about(corner, kind, kind->type);

        return framekey_decrypt(client, &frame, sealed->bytes, sealed->len, ret->bytes, ROOM, &ret->len, NULL,
                                DEADLINE);
}

_unused_ static int transcrypt(const struct framekey_frame *from, const struct framekey_frame *to, const Bytes *sealed,
                               Bytes *ret, struct framekey_result *ret_result) {
        ret_result->size = sizeof(*ret_result);
        return framekey_transcrypt(client, from, to, sealed->bytes, sealed->len, ret->bytes, ROOM, &ret->len,
                                   ret_result, DEADLINE);
}

/* What a bridge knows of a frame as it comes; of the plain one nothing. */
_unused_ static int pass(const Corner *from, const Corner *to, const Kind *kind, const Bytes *sealed, Bytes *ret,
                         bool *ret_outgoing) {
        struct framekey_frame before = about(from, kind, kind->type);
        struct framekey_frame after = about(to, kind, FRAMEKEY_FRAME_UNSPECIFIED);
        struct framekey_result result;
        int r;

        after.codec = FRAMEKEY_CODEC_UNKNOWN;
        r = transcrypt(&before, &after, sealed, ret, &result);
        *ret_outgoing = result.flags & FRAMEKEY_RESULT_OUTGOING;
        return r;
}

_unused_ static void expect_pass(const Corner *from, const Corner *to, const Kind *kind, const Bytes *sealed,
                                 int verdict, bool outgoing) {
        static const Bytes untouched = { .bytes = "untouched", .len = 9 };
        Bytes got = untouched;
        bool got_outgoing;

        ck_assert_int_eq(pass(from, to, kind, sealed, &got, &got_outgoing), verdict);
        ck_assert_int_eq(got_outgoing, outgoing);
        ck_assert_uint_eq(got.len, framekey_verdict_delivers(verdict) ? 0 : untouched.len);
        ck_assert_mem_eq(got.bytes, untouched.bytes, ROOM);
}

/* The main() of both test programs. */
_unused_ static int run_on_stage(const char *noun, const TTest *const *tests, size_t n_tests) {
        TCase *tcase = tcase_create(noun);
        Suite *suite = suite_create(noun);
        SRunner *runner;
        int failed;

        tcase_set_timeout(tcase, RUNNER_TIMEOUT);
        tcase_add_checked_fixture(tcase, setup, teardown);
        for (size_t i = 0; i < n_tests; i++)
                tcase_add_test(tcase, tests[i]);
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
