/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A bridge between three systems, with a session for each and one channel: frames go from LiveKit to
 * SFrame, to DAVE and back to LiveKit, and are what they were; and nothing goes that may not.
 *
 *   transcrypt FRAMES    lines "CODEC TYPE HEX" of encoded frames
 */
#include "side.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRAME_MAX     (1u << 18)
#define DEADLINE_USEC 10000000u

/* One side of a system as the bridge is in it. A key has one direction, so that what the bridge sends into a system and
 * what it receives there again, as if somebody had sent it on, are two sessions. */
typedef struct System {
        framekey_session *session;
        const char *profile;
        enum framekey_direction direction;
        uint32_t stream[2]; /* audio, video */
} System;

enum { LIVEKIT_IN, SFRAME_OUT, SFRAME_IN, DAVE_OUT, DAVE_IN, LIVEKIT_OUT, SYSTEMS };

static Side side; /* the bridge: a channel for all its sessions */
static System systems[SYSTEMS];
/* The far ends: where frames come from, and where they arrive. */
static Side source, sink;
static uint32_t source_stream[2], sink_stream[2];

static void check(int r, const char *what) {
        side_check(&side, r, what);
}

static void add_streams(const Side *owner, framekey_session *session, enum framekey_direction direction,
                        uint32_t ret[2]) {
        for (unsigned video = 0; video < 2; video++)
                check(framekey_session_add_stream(session, owner->path, "it", direction,
                                                  video ? FRAMEKEY_MEDIA_VIDEO : FRAMEKEY_MEDIA_AUDIO,
                                                  video ? FRAMEKEY_CODEC_UNKNOWN : FRAMEKEY_CODEC_OPUS, NULL,
                                                  &ret[video]),
                      "AddStream");
}

static void add_key(framekey_session *session, enum framekey_direction direction, const char *key) {
        check(framekey_session_add_participant(session, "it",
                                               direction == FRAMEKEY_ENCRYPT ? FRAMEKEY_LOCAL : FRAMEKEY_REMOTE, NULL),
              "AddParticipant");
        check(framekey_session_import_key(session, "it", 1, key, 16, NULL), "ImportKey");
}

static const char *const participant_mode[] = { "key-mode=participant", NULL };

static void open_far_end(Side *end, const char *profile, enum framekey_direction direction, const char *key,
                         uint32_t ret_streams[2]) {
        side_open(end, "DBUS_SYSTEM_BUS_ADDRESS", profile, participant_mode);
        add_key(end->session, direction, key);
        add_streams(end, end->session, direction, ret_streams);
}

static void open_all(const char *first_profile) {
        const struct {
                const char *profile;
                enum framekey_direction direction;
                const char *key;
        } rows[SYSTEMS] = {
                [LIVEKIT_IN] = { first_profile, FRAMEKEY_DECRYPT, "livekit, to us.." },
                [SFRAME_OUT] = { "sframe", FRAMEKEY_ENCRYPT, "sframe, 16 bytes" },
                [SFRAME_IN] = { "sframe", FRAMEKEY_DECRYPT, "sframe, 16 bytes" },
                [DAVE_OUT] = { "dave", FRAMEKEY_ENCRYPT, "dave, 16 bytes.." },
                [DAVE_IN] = { "dave", FRAMEKEY_DECRYPT, "dave, 16 bytes.." },
                [LIVEKIT_OUT] = { first_profile, FRAMEKEY_ENCRYPT, "livekit, from us" },
        };

        side_open(&side, "DBUS_SYSTEM_BUS_ADDRESS", first_profile, participant_mode);
        for (size_t i = 0; i < SYSTEMS; i++) {
                systems[i] = (System){ .profile = rows[i].profile, .direction = rows[i].direction };
                if (i == 0)
                        systems[i].session = side.session;
                else
                        check(framekey_session_open(side.client, rows[i].profile, "test",
                                                    i == LIVEKIT_OUT ? participant_mode : NULL, &systems[i].session),
                              "OpenSession");
                add_key(systems[i].session, rows[i].direction, rows[i].key);
                add_streams(&side, systems[i].session, rows[i].direction, systems[i].stream);
        }
        open_far_end(&source, first_profile, FRAMEKEY_ENCRYPT, rows[LIVEKIT_IN].key, source_stream);
        open_far_end(&sink, first_profile, FRAMEKEY_DECRYPT, rows[LIVEKIT_OUT].key, sink_stream);
}

/* ---- one frame's way ---- */

typedef struct Frame {
        enum framekey_codec codec;
        enum framekey_frame_type type;
        bool video;
        uint8_t bytes[FRAME_MAX];
        size_t len;
} Frame;

static struct framekey_frame describe(const Frame *frame, uint32_t stream) {
        return (struct framekey_frame){ .size = sizeof(struct framekey_frame),
                                        .stream = stream,
                                        .codec = (uint16_t)frame->codec,
                                        .frame_type = (uint8_t)frame->type };
}

/* From one system to the next; the frame's type is known to the first alone. */
static int hop(const System *from, const System *to, Frame *frame, struct framekey_result *result) {
        struct framekey_frame in = describe(frame, from->stream[frame->video]);
        struct framekey_frame out = describe(frame, to->stream[frame->video]);

        out.frame_type = FRAMEKEY_FRAME_UNSPECIFIED;
        *result = (struct framekey_result){ .size = sizeof(*result) };
        return framekey_transcrypt(side.channel, &in, &out, frame->bytes, frame->len, frame->bytes,
                                   sizeof(frame->bytes), &frame->len, result, DEADLINE_USEC);
}

static void must_hop(const System *from, const System *to, Frame *frame) {
        struct framekey_result result;
        int r = hop(from, to, frame, &result);

        if (r != 0)
                side_fail("%s to %s, %s: %s%s", from->profile, to->profile, framekey_codec_name(frame->codec),
                          r < 0 ? strerror(-r) : framekey_verdict_name(r),
                          result.flags & FRAMEKEY_RESULT_OUTGOING ? ", encrypting" : "");
}

static void seal(const Frame *plain, Frame *sealed) {
        struct framekey_frame frame = describe(plain, source_stream[plain->video]);
        int r;

        *sealed = *plain;
        r = framekey_encrypt(source.channel, &frame, plain->bytes, plain->len, sealed->bytes, sizeof(sealed->bytes),
                             &sealed->len, NULL, DEADLINE_USEC);
        if (r != 0)
                side_fail("the source cannot encrypt %s: %s", framekey_codec_name(plain->codec),
                          r < 0 ? strerror(-r) : framekey_verdict_name(r));
}

static void must_arrive(const Frame *plain, Frame *sealed) {
        struct framekey_frame frame = describe(plain, sink_stream[plain->video]);
        int r;

        r = framekey_decrypt(sink.channel, &frame, sealed->bytes, sealed->len, sealed->bytes, sizeof(sealed->bytes),
                             &sealed->len, NULL, DEADLINE_USEC);
        if (r != 0 || sealed->len != plain->len || memcmp(sealed->bytes, plain->bytes, plain->len) != 0)
                side_fail("a frame of %s, %zu bytes, arrived as another: %s, %zu bytes",
                          framekey_codec_name(plain->codec), plain->len,
                          r < 0 ? strerror(-r) : framekey_verdict_name(r), sealed->len);
}

static void go_round(const Frame *plain) {
        static Frame frame;

        seal(plain, &frame);
        for (size_t i = 0; i < SYSTEMS; i += 2)
                must_hop(&systems[i], &systems[i + 1], &frame);
        must_arrive(plain, &frame);
}

/* ---- what may not pass ---- */

static void expect(const Frame *sealed, const System *from, const System *to, int verdict, bool outgoing,
                   const char *what) {
        static Frame copy;
        struct framekey_result result;
        int r;

        copy = *sealed;
        r = hop(from, to, &copy, &result);
        if (r != verdict || (result.flags & FRAMEKEY_RESULT_OUTGOING) != (outgoing ? FRAMEKEY_RESULT_OUTGOING : 0u))
                side_fail("%s: %s, expected %s", what, r < 0 ? strerror(-r) : framekey_verdict_name(r),
                          framekey_verdict_name(verdict));
        if (memcmp(copy.bytes, sealed->bytes, sealed->len) != 0)
                side_fail("%s: something was written", what);
}

static void refuse(const Frame *plain) {
        System *in = &systems[LIVEKIT_IN], *out = &systems[SFRAME_OUT], nowhere = *out;
        static Frame sealed;

        seal(plain, &sealed);
        nowhere.stream[plain->video] = 4095;
        expect(&sealed, in, &nowhere, FRAMEKEY_VERDICT_REFUSED, false, "no such target");
        expect(&sealed, in, &systems[SFRAME_IN], FRAMEKEY_VERDICT_REFUSED, false, "a target that decrypts");
        expect(&sealed, &systems[LIVEKIT_OUT], out, FRAMEKEY_VERDICT_REFUSED, false, "a source that encrypts");
        expect(&sealed, &systems[DAVE_IN], out, FRAMEKEY_VERDICT_MALFORMED, false, "another system's frame");
        sealed.bytes[sealed.len - 20] ^= 1;
        expect(&sealed, in, out, FRAMEKEY_VERDICT_FORGED, false, "a frame that was changed");
        sealed.bytes[sealed.len - 20] ^= 1;

        check(framekey_session_retire_key(out->session, "it", 1), "RetireKey");
        expect(&sealed, in, out, FRAMEKEY_VERDICT_UNKNOWN_KEY, true, "no key to encrypt with");
        expect(&sealed, in, out, FRAMEKEY_VERDICT_REPLAYED, false, "a frame that came before");

        /* The other session ends, and the channel lives on. */
        seal(plain, &sealed);
        out->session = framekey_session_close(out->session);
        expect(&sealed, in, out, FRAMEKEY_VERDICT_REFUSED, false, "a session that ended");
        must_hop(in, &systems[DAVE_OUT], &sealed);
}

/* ---- frames from the codecs ---- */

static bool read_frame(FILE *file, Frame *ret) {
        static char hex[2 * FRAME_MAX + 1];
        char codec[16], type[16];

        if (fscanf(file, "%15s %15s %524288s", codec, type, hex) != 3)
                return false;
        ret->codec = framekey_codec_from_name(codec);
        ret->type = framekey_frame_type_from_name(type);
        ret->video = ret->codec >= FRAMEKEY_CODEC_VP8;
        ret->len = strlen(hex) / 2;
        for (size_t i = 0; i < ret->len; i++) {
                const char digits[] = { hex[2 * i], hex[2 * i + 1], '\0' };

                ret->bytes[i] = (uint8_t)strtoul(digits, NULL, 16);
        }
        return true;
}

int main(int argc, char **argv) {
        static Frame frame, last;
        unsigned n[64] = { 0 }, n_all = 0;
        const char *first_profile = argc == 3 ? argv[2] : "livekit";
        FILE *file = argc >= 2 ? fopen(argv[1], "re") : NULL;

        if (!file)
                side_fail("usage: transcrypt FRAMES [PROFILE]");
        open_all(first_profile);
        while (read_frame(file, &frame)) {
                if (frame.codec == FRAMEKEY_CODEC_AV1 && strcmp(first_profile, "livekit") == 0)
                        continue; /* livekit does not carry it */
                go_round(&frame);
                n[frame.codec]++;
                n_all++;
                last = frame;
        }
        (void)fclose(file);
        if (n_all == 0)
                side_fail("%s: no frames", argv[1]);
        refuse(&last);
        (void)printf("%s: %u frames went round:", first_profile, n_all);
        for (size_t i = 0; i < sizeof(n) / sizeof(*n); i++)
                if (n[i] > 0)
                        (void)printf(" %u %s", n[i], framekey_codec_name((enum framekey_codec)i));
        (void)putchar('\n');
        side_close(&source);
        side_close(&sink);
        side_close(&side);
        return EXIT_SUCCESS;
}
