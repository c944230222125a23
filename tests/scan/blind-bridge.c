/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Frames through a bridge in a process and a daemon of its own, for somebody who looks into both meanwhile.
 *
 *   blind-bridge far DIRECTORY    the far ends, on the bus of DBUS_SYSTEM_BUS_ADDRESS_2: sends frames to standard
 *                                 output, and compares what comes back on standard input; writes what to look for
 *                                 to DIRECTORY/patterns, and ends when DIRECTORY/stop is there
 *   blind-bridge pass             the bridge, on the bus of DBUS_SYSTEM_BUS_ADDRESS; waits for a signal in the end
 *   blind-bridge open             a bridge that decrypts and encrypts instead, and so has the plain frames
 */
#include "tests/call/bridge.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define N_FRAMES  48u /* different ones */
#define PIECE_LEN 32u
#define CLEAR_MAX 64u /* whatever a format leaves in clear lies before this */

static const struct {
        enum framekey_codec codec;
        const char *head;
        size_t head_len, len;
} kinds[] = {
        { FRAMEKEY_CODEC_OPUS, "\x78", 1, 160 },
        { FRAMEKEY_CODEC_VP8, "\x50\xa2\0\x9d\1\x2a\x40\1\xb4\0", 10, 3000 },
        { FRAMEKEY_CODEC_H264, "\0\0\0\1\x67\x42\xc0\x1f\0\0\0\1\x68\xce\x3c\x80\0\0\0\1\x65\x88\x84", 23, 9000 },
};
#define N_KINDS (sizeof(kinds) / sizeof(*kinds))

static void frame_make(Frame *frame, unsigned number) {
        unsigned kind = number % N_KINDS;

        frame->codec = kinds[kind].codec;
        frame->video = kind > 0;
        frame->type = frame->video ? FRAMEKEY_FRAME_KEY : FRAMEKEY_FRAME_UNSPECIFIED;
        frame->len = kinds[kind].len;
        side_fill(frame->bytes, frame->len, number);
        for (size_t i = 0; i < frame->len; i++)
                frame->bytes[i] |= 1; /* no start codes */
        memcpy(frame->bytes, kinds[kind].head, kinds[kind].head_len);
}

/* ---- pipes ---- */

static void send_frame(const Frame *frame) {
        if (fwrite(frame, sizeof(*frame), 1, stdout) != 1 || fflush(stdout) != 0)
                side_fail("cannot send: %s", strerror(errno));
}

static bool receive_frame(Frame *ret) {
        return fread(ret, sizeof(*ret), 1, stdin) == 1;
}

/* ---- the far ends ---- */

static void print_piece(FILE *file, const Frame *frame, unsigned number, size_t at) {
        (void)fprintf(file, "%s-%u+%zu ", framekey_codec_name(frame->codec), number, at);
        for (size_t i = 0; i < PIECE_LEN; i++)
                (void)fprintf(file, "%02x", frame->bytes[at + i]);
        (void)fputc('\n', file);
}

/* There at once as a whole. */
static void write_patterns(const char *directory) {
        char path[4096], unfinished[sizeof(path)];
        static Frame frame;
        FILE *file;

        (void)snprintf(path, sizeof(path), "%s/patterns", directory);
        (void)snprintf(unfinished, sizeof(unfinished), "%s/patterns.new", directory);
        file = fopen(unfinished, "we");
        if (!file)
                side_fail("%s: %s", unfinished, strerror(errno));
        for (unsigned number = 0; number < N_FRAMES; number++) {
                frame_make(&frame, number);
                print_piece(file, &frame, number, CLEAR_MAX);
                print_piece(file, &frame, number, frame.len / 2);
                print_piece(file, &frame, number, frame.len - PIECE_LEN);
        }
        if (fclose(file) != 0 || rename(unfinished, path) < 0)
                side_fail("%s: %s", path, strerror(errno));
}

static void play_far_ends(const char *directory) {
        static Frame plain, frame;
        char stop[4096];
        FarEnds ends;

        (void)snprintf(stop, sizeof(stop), "%s/stop", directory);
        far_ends_open(&ends, "DBUS_SYSTEM_BUS_ADDRESS_2", "livekit");
        for (unsigned number = 0; number < 2 * N_FRAMES || access(stop, F_OK) != 0; number++) {
                frame_make(&plain, number % N_FRAMES);
                far_ends_seal(&ends, &plain, &frame);
                /* What is left of the plain frame behind the sealed one is not sent along. */
                memset(frame.bytes + frame.len, 0, sizeof(frame.bytes) - frame.len);
                send_frame(&frame);
                if (!receive_frame(&frame))
                        side_fail("the bridge is gone");
                far_ends_compare(&ends, &plain, &frame);
                if (number == N_FRAMES)
                        write_patterns(directory); /* from now on, look */
        }
        far_ends_close(&ends);
}

/* ---- the bridge ---- */

/* As two requests: the plain frame comes here. */
static void open_and_seal(const Bridge *bridge, Frame *frame) {
        const System *in = &bridge->systems[LIVEKIT_IN], *out = &bridge->systems[LIVEKIT_OUT];
        struct framekey_frame before = frame_describe(frame, in->stream[frame->video]);
        struct framekey_frame after = frame_describe(frame, out->stream[frame->video]);

        side_check(&bridge->side,
                   -framekey_decrypt(bridge->side.channel, &before, frame->bytes, frame->len, frame->bytes,
                                     sizeof(frame->bytes), &frame->len, NULL, BRIDGE_DEADLINE_USEC),
                   "decrypt");
        side_check(&bridge->side,
                   -framekey_encrypt(bridge->side.channel, &after, frame->bytes, frame->len, frame->bytes,
                                     sizeof(frame->bytes), &frame->len, NULL, BRIDGE_DEADLINE_USEC),
                   "encrypt");
}

static void play_bridge(bool blind) {
        static Bridge bridge;
        static Frame frame;

        bridge_open(&bridge, "DBUS_SYSTEM_BUS_ADDRESS", "livekit");
        while (receive_frame(&frame)) {
                (blind ? bridge_pass : open_and_seal)(&bridge, &frame);
                send_frame(&frame);
        }
        (void)pause();
}

int main(int argc, char **argv) {
        if (argc == 3 && strcmp(argv[1], "far") == 0)
                play_far_ends(argv[2]);
        else if (argc == 2 && (strcmp(argv[1], "pass") == 0 || strcmp(argv[1], "open") == 0))
                play_bridge(strcmp(argv[1], "pass") == 0);
        else
                side_fail("usage: blind-bridge far DIRECTORY | pass | open");
        return EXIT_SUCCESS;
}
