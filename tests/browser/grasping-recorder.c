/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * examples/gstreamer-recorder in the hands of an attacker: started in its place, with what it inherits. It takes a
 * frame as the recorder would, to see that it can, and then wants more: to encrypt, and every stream that it was not
 * granted. Past the library, on the shared memory itself. Its last line is what it got.
 *
 *   grasping-recorder FILE [video=STREAM,PIPE,FD,FD,FD,FD] [audio=STREAM,...]
 */
#include "tests/hostile/raw-channel.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE_USEC 5000000

static uint8_t frame[FRAMEKEY_FRAME_MAX];

static int read_all(int fd, uint8_t *bytes, size_t size) {
        for (ssize_t n; size > 0; bytes += n, size -= (size_t)n) {
                n = read(fd, bytes, size);
                if (n <= 0)
                        return failed("no frame comes: %s", n < 0 ? strerror(errno) : "the pipe ended");
        }
        return 0;
}

/* The next frame that gdppay wrote: a header of 62 bytes with the payload's type (1: a buffer) at 4 and its length at
 * 6, and the payload. */
static int next_frame(int pipe, uint32_t *ret_length) {
        uint8_t header[62];

        do {
                if (read_all(pipe, header, sizeof(header)) < 0)
                        return -1;
                *ret_length =
                        (uint32_t)header[6] << 24 | (uint32_t)header[7] << 16 | (uint32_t)header[8] << 8 | header[9];
                if (*ret_length > sizeof(frame) || read_all(pipe, frame, *ret_length) < 0)
                        return -1;
        } while ((header[4] << 8 | header[5]) != 1);
        return 0;
}

/* What it is for. By the library it can do no more. */
static int as_granted(const int fds[RAW_N_FDS], uint32_t stream, uint32_t length) {
        const struct framekey_frame what = { .size = sizeof(what), .stream = stream };
        framekey_channel *channel = NULL;
        static uint8_t plain[FRAMEKEY_FRAME_MAX];
        size_t plain_length = 0;
        int r;

        r = framekey_channel_new_from_fds(&channel, fds, RAW_N_FDS);
        if (r < 0)
                return failed("the channel cannot be taken over: %s", strerror(-r));
        r = framekey_decrypt(channel, &what, frame, length, plain, sizeof(plain), &plain_length, NULL, PATIENCE_USEC);
        if (r != 0)
                failed("a frame does not open: %s", framekey_verdict_text(r));
        else if ((r = framekey_encrypt(channel, &what, plain, plain_length, frame, sizeof(frame), NULL, NULL,
                                       PATIENCE_USEC)) != FRAMEKEY_VERDICT_REFUSED)
                failed("encryption is answered: %s", framekey_verdict_text(r));
        (void)framekey_channel_free(channel);
        return r == FRAMEKEY_VERDICT_REFUSED ? 0 : -1;
}

/* The ring has no verb: what is done to a frame is the stream's direction. So a plain frame is one to decrypt. */
static int encrypt(RawChannel *raw, uint32_t stream) {
        static const uint8_t plain[100] = "a frame that I would like to say in somebody's name";
        struct framekey_abi_completion c = { 0 };

        if (raw_call(raw, stream, 0, plain, sizeof(plain), &c) < 0)
                return -1;
        if (framekey_verdict_delivers(c.verdict) || c.frame_len != 0)
                return failed("a plain frame came back as %u bytes", c.frame_len);
        return 0;
}

/* To any other stream, by itself and as what a frame is transcrypted for. */
static int reach(RawChannel *raw, uint32_t own, uint32_t other) {
        struct framekey_abi_completion c = { 0 };

        if (raw_call(raw, other, 0, frame, 100, &c) < 0)
                return -1;
        if (c.verdict != FRAMEKEY_VERDICT_REFUSED || c.frame_len != 0)
                return failed("stream %u answers: %s", other, framekey_verdict_text(c.verdict));
        raw_push(raw, own, 0, 100);
        raw_descriptor(raw, raw->submitted - 1)->flags = FRAMEKEY_ABI_TRANSCRYPT;
        raw_descriptor(raw, raw->submitted - 1)->to_stream = other;
        raw_submit(raw);
        if (raw_wait_pop(raw, &c) < 0)
                return -1;
        if (framekey_verdict_delivers(c.verdict) || c.frame_len != 0)
                return failed("a frame was transcrypted for stream %u", other);
        return 0;
}

static int grasp(const char *grant) {
        int fds[RAW_N_FDS], pipe, result;
        uint32_t stream, length, n = 0;
        RawChannel raw;

        if (sscanf(grant, "%*[a-z]=%u,%d,%d,%d,%d,%d", &stream, &pipe, &fds[0], &fds[1], &fds[2], &fds[3]) != 6)
                return failed("%s is no grant", grant);
        if (next_frame(pipe, &length) < 0 || as_granted(fds, stream, length) < 0 || raw_adopt(&raw, fds) < 0)
                return -1;
        result = encrypt(&raw, stream);
        for (uint32_t other = 0; other < FRAMEKEY_ABI_STREAMS_MAX + 2 && result == 0; other++)
                if (other != stream) {
                        result = reach(&raw, stream, other);
                        n++;
                }
        if (result == 0)
                result = reach(&raw, stream, UINT32_MAX);
        raw_drop(&raw);
        if (result == 0)
                (void)fprintf(stderr, "decrypted one frame of stream %u; %u others refused, encryption too\n", stream,
                              n + 1);
        return result;
}

int main(int argc, char **argv) {
        static uint8_t rest[4096];
        int result = argc < 3 ? 2 : 0;

        for (int i = 2; i < argc && result == 0; i++)
                result = grasp(argv[i]);
        /* As the recorder does: until there are no more frames. */
        for (int i = 2; i < argc && result == 0; i++)
                while (read((int)strtol(strchr(argv[i], ',') + 1, NULL, 10), rest, sizeof(rest)) > 0)
                        ;
        return result == 0 ? 0 : 1;
}
