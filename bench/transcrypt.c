/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a bridge saves by one request: frames that go from LiveKit to SFrame by framekey_transcrypt(), beside others
 * that are decrypted and encrypted by two requests, turn by turn, on one core.
 */
#include "bench/endpoint.h"
#include "bench/figures.h"
#include "bench/machine.h"
#include "bench/parts.h"

#include <stdlib.h>

#define FRAMES_MAX 2000u

typedef struct Bridge {
        Endpoint livekit;
        framekey_session *sframe;
        uint32_t out; /* stream */
        unsigned n;
} Bridge;

static void bridge_open(Bridge *bridge) {
        framekey_client *client;

        endpoint_open(&bridge->livekit, NULL);
        client = bridge->livekit.client;
        check(client, framekey_session_open(client, "sframe", "bench", NULL, &bridge->sframe));
        check(client, framekey_session_add_participant(bridge->sframe, "me", FRAMEKEY_LOCAL, NULL));
        check(client, framekey_session_generate_key(bridge->sframe, "me", 0, NULL));
        check(client, framekey_session_add_stream(bridge->sframe, bridge->livekit.port.path, "me", FRAMEKEY_ENCRYPT,
                                                  FRAMEKEY_MEDIA_DATA, FRAMEKEY_CODEC_DATA, NULL, &bridge->out));
}

/* One frame's way, in place; the time it took, ns. */
static double pass(const Bridge *bridge, uint8_t *frame, size_t room, size_t len, bool at_once) {
        const Port *port = &bridge->livekit.port;
        const struct framekey_frame in = { .size = sizeof(in), .stream = port->open };
        const struct framekey_frame out = { .size = sizeof(out), .stream = bridge->out };
        uint64_t start = now_nsec();
        int r;

        if (at_once)
                r = framekey_transcrypt(port->channel, &in, &out, frame, len, frame, room, &len, NULL,
                                        BENCH_DEADLINE_USEC);
        else {
                len = open_frame(port, frame, len, frame);
                r = framekey_encrypt(port->channel, &out, frame, len, frame, room, &len, NULL, BENCH_DEADLINE_USEC);
        }
        if (r != 0)
                fail(at_once ? "one request" : "two requests", r);
        return (double)(now_nsec() - start);
}

static void round_of(void *userdata, unsigned round) {
        static double one[FRAMES_MAX], two[FRAMES_MAX];
        const Bridge *bridge = userdata;

        (void)round;
        for (size_t s = 0; s < N_SIZES; s++) {
                size_t size = bench_sizes[s], room = size + 4 * BENCH_OVERHEAD;
                uint8_t *plain = calloc(1, size), *frame = malloc(room);

                for (unsigned i = 0; i < 2 * bridge->n; i++) {
                        size_t len = seal_frame(&bridge->livekit.port, plain, size, frame, NULL);

                        *(i % 2 ? &one[i / 2] : &two[i / 2]) = pass(bridge, frame, room, len, i % 2);
                }
                record(median(one, bridge->n) / 1000, "us", "transcrypt_p50", size);
                record(median(two, bridge->n) / 1000, "us", "decrypt_and_encrypt_p50", size);
                free(plain);
                free(frame);
        }
}

void part_transcrypt(bool quick) {
        Bridge bridge = { .n = quick ? 300 : FRAMES_MAX };

        bridge_open(&bridge);
        pin(daemon_pid(), 0, 0);
        run_rounds(daemon_pid(), quick ? 7 : 15, round_of, &bridge);
        for (size_t i = 0; i < N_SIZES; i++)
                print_figure("transcrypt_over_two_requests", bench_sizes[i],
                             figure_ratio("transcrypt_p50", bench_sizes[i], "decrypt_and_encrypt_p50", bench_sizes[i]),
                             "ratio");
        framekey_session_close(bridge.sframe);
        endpoint_close(&bridge.livekit);
}
