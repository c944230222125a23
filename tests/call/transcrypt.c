/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A bridge between three systems, with a session for each and one channel: frames go from LiveKit to
 * SFrame, to DAVE and back to LiveKit, and are what they were; and nothing goes that may not.
 *
 *   transcrypt FRAMES [PROFILE]    lines "CODEC TYPE HEX" of encoded frames
 */
#include "bridge.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NOBODY 65534u

static Bridge bridge;
static FarEnds ends;

/* ---- what may not pass ---- */

static void expect(const Frame *sealed, const System *from, const System *to, int verdict, bool outgoing,
                   const char *what) {
        static Frame copy;
        struct framekey_result result;
        int r;

        copy = *sealed;
        r = bridge_hop(&bridge, from, to, &copy, &result);
        if (r != verdict || (result.flags & FRAMEKEY_RESULT_OUTGOING) != (outgoing ? FRAMEKEY_RESULT_OUTGOING : 0u))
                side_fail("%s: %s, expected %s", what, r < 0 ? strerror(-r) : framekey_verdict_name(r),
                          framekey_verdict_name(verdict));
        if (memcmp(copy.bytes, sealed->bytes, sealed->len) != 0)
                side_fail("%s: something was written", what);
}

static void refuse(const Frame *plain) {
        System *in = &bridge.systems[LIVEKIT_IN], *out = &bridge.systems[SFRAME_OUT], nowhere = *out;
        static Frame sealed;

        far_ends_seal(&ends, plain, &sealed);
        nowhere.stream[plain->video] = 4095;
        expect(&sealed, in, &nowhere, FRAMEKEY_VERDICT_REFUSED, false, "no such target");
        expect(&sealed, in, &bridge.systems[SFRAME_IN], FRAMEKEY_VERDICT_REFUSED, false, "a target that decrypts");
        expect(&sealed, &bridge.systems[LIVEKIT_OUT], out, FRAMEKEY_VERDICT_REFUSED, false, "a source that encrypts");
        expect(&sealed, &bridge.systems[DAVE_IN], out, FRAMEKEY_VERDICT_MALFORMED, false, "another system's frame");
        sealed.bytes[sealed.len - 20] ^= 1;
        expect(&sealed, in, out, FRAMEKEY_VERDICT_FORGED, false, "a frame that was changed");
        sealed.bytes[sealed.len - 20] ^= 1;

        side_check(&bridge.side, framekey_session_retire_key(out->session, "it", 1), "RetireKey");
        expect(&sealed, in, out, FRAMEKEY_VERDICT_UNKNOWN_KEY, true, "no key to encrypt with");
        expect(&sealed, in, out, FRAMEKEY_VERDICT_REPLAYED, false, "a frame that came before");

        /* The other session ends, and the channel lives on. */
        far_ends_seal(&ends, plain, &sealed);
        out->session = framekey_session_close(out->session);
        expect(&sealed, in, out, FRAMEKEY_VERDICT_REFUSED, false, "a session that ended");
        bridge_must_hop(&bridge, in, &bridge.systems[DAVE_OUT], &sealed);
}

static void refuse_stream(const Side *owner, framekey_session *session, enum framekey_direction direction,
                          const char *what) {
        uint32_t stream;
        int r;

        r = framekey_session_add_stream(session, owner->path, "it", direction, FRAMEKEY_MEDIA_AUDIO,
                                        FRAMEKEY_CODEC_OPUS, NULL, &stream);
        if (r != -ENODEV)
                side_fail("%s: %s", what, r < 0 ? strerror(-r) : "granted");
}

/* Nobody gets a stream of a session onto a channel but who may change both. */
static void refuse_strangers(uid_t uid) {
        framekey_session *ours = bridge.systems[SFRAME_IN].session;
        Side stranger;

        if (seteuid(uid) < 0) /* the bus asks the kernel who connects */
                side_fail("seteuid: %s", strerror(errno));
        side_open(&stranger, "DBUS_SYSTEM_BUS_ADDRESS", "sframe", NULL);
        if (seteuid(getuid()) < 0)
                side_fail("seteuid: %s", strerror(errno));
        session_add_key(&stranger, stranger.session, FRAMEKEY_ENCRYPT, "a stranger's key");
        refuse_stream(&bridge.side, stranger.session, FRAMEKEY_ENCRYPT, "a stranger's stream on our channel");
        refuse_stream(&stranger, ours, FRAMEKEY_DECRYPT, "our stream on a stranger's channel");
        /* Of the channel that it is for, nothing is wrong with it. */
        (void)side_stream(&stranger, "it", FRAMEKEY_ENCRYPT, FRAMEKEY_MEDIA_AUDIO, FRAMEKEY_CODEC_OPUS);
        if (framekey_session_remove_stream(stranger.session, bridge.side.path, bridge.systems[SFRAME_IN].stream[0]) !=
            -ENODEV)
                side_fail("a stranger took a stream from our channel");
        side_close(&stranger);
}

/* ---- frames from the codecs ---- */

static bool read_frame(FILE *file, Frame *ret) {
        static char hex[2 * BRIDGE_FRAME_MAX + 1];
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
        static Frame frame, sealed, last;
        unsigned n[64] = { 0 }, n_all = 0;
        const char *first_profile = argc == 3 ? argv[2] : "livekit";
        FILE *file = argc >= 2 ? fopen(argv[1], "re") : NULL;

        if (!file)
                side_fail("usage: transcrypt FRAMES [PROFILE]");
        bridge_open(&bridge, "DBUS_SYSTEM_BUS_ADDRESS", first_profile);
        far_ends_open(&ends, "DBUS_SYSTEM_BUS_ADDRESS", first_profile);
        while (read_frame(file, &frame)) {
                if (frame.codec == FRAMEKEY_CODEC_AV1 && strcmp(first_profile, "livekit") == 0)
                        continue; /* livekit does not carry it */
                far_ends_seal(&ends, &frame, &sealed);
                bridge_pass(&bridge, &sealed);
                far_ends_compare(&ends, &frame, &sealed);
                n[frame.codec]++;
                n_all++;
                last = frame;
        }
        (void)fclose(file);
        if (n_all == 0)
                side_fail("%s: no frames", argv[1]);
        refuse_strangers(geteuid());
        if (geteuid() == 0)
                refuse_strangers(NOBODY);
        refuse(&last);
        (void)printf("%s: %u frames went round:", first_profile, n_all);
        for (size_t i = 0; i < sizeof(n) / sizeof(*n); i++)
                if (n[i] > 0)
                        (void)printf(" %u %s", n[i], framekey_codec_name((enum framekey_codec)i));
        (void)putchar('\n');
        far_ends_close(&ends);
        bridge_close(&bridge);
        return EXIT_SUCCESS;
}
