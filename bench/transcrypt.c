/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a bridge saves by one request: frames that go from LiveKit to SFrame by framekey_transcrypt(),
 * beside others that are decrypted and encrypted by two requests, turn by turn in the same run.
 *
 * Needs a running daemon (bench/run starts one). Client and daemon are pinned to one core, as for the
 * latency in bench.c; a figure is the median over the rounds.
 */
#include "bench/reference.h"

#include <framekey-bus.h>

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEADLINE_USEC 1000000u
#define ROUNDS_MAX    31u
#define FRAMES_MAX    2000u

static const size_t sizes[] = { 80, 1200, 16384, 65000 };
#define N_SIZES (sizeof(sizes) / sizeof(*sizes))

typedef struct Bridge {
        framekey_client *client;
        framekey_session *livekit, *sframe;
        framekey_channel *channel;
        char *path;
        uint32_t source, in, out; /* streams */
} Bridge;

static void fail(const char *what, int r) {
        (void)fprintf(stderr, "transcrypt: %s: %s\n", what, r < 0 ? strerror(-r) : framekey_verdict_text(r));
        exit(1);
}

static void check(const Bridge *bridge, int r) {
        if (r < 0)
                fail(framekey_client_error(bridge->client), r);
}

static uint32_t add_stream(const Bridge *bridge, framekey_session *session, const char *identity,
                           enum framekey_direction direction) {
        uint32_t stream;

        check(bridge, framekey_session_add_stream(session, bridge->path, identity, direction, FRAMEKEY_MEDIA_DATA,
                                                  FRAMEKEY_CODEC_DATA, NULL, &stream));
        return stream;
}

static void bridge_open(Bridge *bridge) {
        char *error = NULL;
        int r = framekey_client_open(&bridge->client, FRAMEKEY_BUS_SYSTEM, NULL, &error);

        if (r < 0)
                fail(error ? error : "no bus", r);
        check(bridge, framekey_session_open(bridge->client, "livekit-bytes", "bench", NULL, &bridge->livekit));
        check(bridge, framekey_session_open(bridge->client, "sframe", "bench", NULL, &bridge->sframe));
        check(bridge, framekey_session_add_participant(bridge->livekit, "me", FRAMEKEY_LOCAL, NULL));
        check(bridge, framekey_session_add_participant(bridge->livekit, "peer", FRAMEKEY_REMOTE, NULL));
        check(bridge, framekey_session_add_participant(bridge->sframe, "me", FRAMEKEY_LOCAL, NULL));
        check(bridge, framekey_session_import_key(bridge->livekit, NULL, 0, "0123456789abcdef", 16, NULL));
        check(bridge, framekey_session_generate_key(bridge->sframe, "me", 0, NULL));
        check(bridge, framekey_session_open_channel(bridge->livekit, NULL, &bridge->channel, &bridge->path));
        bridge->source = add_stream(bridge, bridge->livekit, "me", FRAMEKEY_ENCRYPT);
        bridge->in = add_stream(bridge, bridge->livekit, "peer", FRAMEKEY_DECRYPT);
        bridge->out = add_stream(bridge, bridge->sframe, "me", FRAMEKEY_ENCRYPT);
}

static void bridge_close(Bridge *bridge) {
        framekey_channel_free(bridge->channel);
        framekey_session_close(bridge->sframe);
        framekey_session_close(bridge->livekit);
        framekey_client_free(bridge->client);
        free(bridge->path);
}

static int by_value(const void *a, const void *b) {
        double x = *(const double *)a, y = *(const double *)b;

        return (x > y) - (x < y);
}

static double median(double *values, unsigned n) {
        qsort(values, n, sizeof(*values), by_value);
        return values[n / 2];
}

/* One frame's way, in place; the time it took, ns. */
static double pass(const Bridge *bridge, uint8_t *frame, size_t room, size_t len, bool at_once) {
        struct framekey_frame in = { .size = sizeof(in), .stream = bridge->in };
        struct framekey_frame out = { .size = sizeof(out), .stream = bridge->out };
        uint64_t start = now_nsec();
        int r;

        if (at_once)
                r = framekey_transcrypt(bridge->channel, &in, &out, frame, len, frame, room, &len, NULL, DEADLINE_USEC);
        else {
                r = framekey_decrypt(bridge->channel, &in, frame, len, frame, room, &len, NULL, DEADLINE_USEC);
                if (r == 0)
                        r = framekey_encrypt(bridge->channel, &out, frame, len, frame, room, &len, NULL, DEADLINE_USEC);
        }
        if (r != 0)
                fail(at_once ? "one request" : "two requests", r);
        return (double)(now_nsec() - start);
}

static void round_of(const Bridge *bridge, size_t size, unsigned n, double *ret_one, double *ret_two) {
        struct framekey_frame source = { .size = sizeof(source), .stream = bridge->source };
        static double one[FRAMES_MAX], two[FRAMES_MAX];
        size_t room = size + 256, len;
        uint8_t *plain = calloc(1, size), *frame = malloc(room);
        int r;

        for (unsigned i = 0; i < 2 * n; i++) {
                r = framekey_encrypt(bridge->channel, &source, plain, size, frame, room, &len, NULL, DEADLINE_USEC);
                if (r != 0)
                        fail("source", r);
                *(i % 2 ? &one[i / 2] : &two[i / 2]) = pass(bridge, frame, room, len, i % 2);
        }
        *ret_one = median(one, n);
        *ret_two = median(two, n);
        free(plain);
        free(frame);
}

int main(int argc, char **argv) {
        static const struct option options[] = { { "quick", no_argument, NULL, 'q' }, { 0 } };
        static double one[N_SIZES][ROUNDS_MAX], two[N_SIZES][ROUNDS_MAX];
        const char *pid_text = getenv("FRAMEKEYD_PID");
        unsigned rounds = 15, n = FRAMES_MAX;
        Bridge bridge;
        int c;

        while ((c = getopt_long(argc, argv, "q", options, NULL)) >= 0) {
                if (c != 'q')
                        return 2;
                rounds = 7;
                n = 500;
        }
        if (!pid_text) {
                (void)fprintf(stderr, "transcrypt: start me through bench/run\n");
                return 2;
        }
        bridge_open(&bridge);
        pin((pid_t)atoi(pid_text), 0, 0);
        for (unsigned round = 0; round < rounds; round++) {
                (void)fprintf(stderr, "round %u of %u\n", round + 1, rounds);
                for (size_t i = 0; i < N_SIZES; i++)
                        round_of(&bridge, sizes[i], n, &one[i][round], &two[i][round]);
        }
        for (size_t i = 0; i < N_SIZES; i++) {
                double a = median(one[i], rounds), b = median(two[i], rounds);

                (void)printf("transcrypt_p50_%zu %.3f us\n", sizes[i], a / 1000);
                (void)printf("decrypt_and_encrypt_p50_%zu %.3f us\n", sizes[i], b / 1000);
                (void)printf("transcrypt_over_two_requests_%zu %.3f ratio\n", sizes[i], a / b);
        }
        bridge_close(&bridge);
        return 0;
}
