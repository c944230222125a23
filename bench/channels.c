/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a channel costs to begin with, and whether many of them get what few get, each its share. */
#include "bench/endpoint.h"
#include "bench/figures.h"
#include "bench/machine.h"
#include "bench/parts.h"
#include "bench/pipe.h"
#include "bench/reference.h"

#include <errno.h>
#include <stdlib.h>

#define CHANNELS  256u
#define FEW       64u
#define IN_FLIGHT 8u
#define SIZE      80u
#define SET_UPS   20u /* a round */

static const char *const channel_options[] = { "small-slots=16", "video-slots=1", "jumbo-slots=1", NULL };

typedef struct Channels {
        Endpoint endpoint;
        Agent agent;
        Port ports[CHANNELS];
        pid_t daemon;
        uint64_t block_nsec;
} Channels;

/* From descriptors in hand to the first frame back, on one core. */
static double set_up(const Endpoint *endpoint) {
        static uint8_t plain[SIZE], sealed[SIZE + BENCH_OVERHEAD];
        Port port = { 0 };
        uint64_t t0;
        double nsec;
        int fds[4];

        check(endpoint->client, framekey_session_open_channel_fds(endpoint->session, channel_options, fds, &port.path));
        check(endpoint->client,
              framekey_session_add_stream(endpoint->session, port.path, "me", FRAMEKEY_ENCRYPT, FRAMEKEY_MEDIA_DATA,
                                          FRAMEKEY_CODEC_DATA, NULL, &port.seal));
        t0 = now_nsec();
        if (framekey_channel_new_from_fds(&port.channel, fds, 4) < 0)
                fail("channel", -EBADF);
        (void)seal_frame(&port, plain, SIZE, sealed, NULL);
        nsec = (double)(now_nsec() - t0);
        (void)framekey_session_close_channel(endpoint->session, port.path);
        port_close(&port);
        return nsec;
}

static void time_set_up(const Channels *c) {
        double times[SET_UPS], trips[SET_UPS];

        pin(c->daemon, 0, 0);
        for (unsigned i = 0; i < SET_UPS; i++)
                times[i] = set_up(&c->endpoint);
        for (unsigned i = 0; i < SET_UPS; i++)
                trips[i] = agent_seal(&c->agent, SIZE);
        record(median(times, SET_UPS) / 1000, "us", "channel_set_up", 0);
        record(median(trips, SET_UPS) / 1000, "us", "seqpacket_p50", SIZE);
}

/* Keeps the first `n` channels full; frames a second of all. */
static double saturate(Channels *c, unsigned n, double *ret_worst) {
        static const uint8_t plain[SIZE];
        unsigned in_flight[CHANNELS] = { 0 }, done[CHANNELS] = { 0 }, sum = 0, worst = UINT32_MAX;
        uint64_t start = now_nsec(), end = start + c->block_nsec;

        while (now_nsec() < end)
                for (unsigned i = 0; i < n; i++) {
                        unsigned drained;

                        in_flight[i] += pipe_fill(&c->ports[i], plain, SIZE, IN_FLIGHT - in_flight[i]);
                        drained = pipe_drain(&c->ports[i]);
                        in_flight[i] -= drained;
                        done[i] += drained;
                }
        end = now_nsec();
        for (unsigned i = 0; i < n; i++) {
                sum += done[i];
                worst = done[i] < worst ? done[i] : worst;
                while (in_flight[i] > 0)
                        in_flight[i] -= pipe_drain(&c->ports[i]);
        }
        *ret_worst = (double)worst * n / sum;
        return (double)sum * 1e9 / (double)(end - start);
}

static void round_of(void *userdata, unsigned round) {
        Channels *c = userdata;
        double worst;

        (void)round;
        time_set_up(c);
        pin(c->daemon, 1, 0);
        record(saturate(c, FEW, &worst), "frames/s", "channels_frames", FEW);
        record(worst, "ratio", "channels_worst_over_mean", FEW);
        record(saturate(c, CHANNELS, &worst), "frames/s", "channels_frames", CHANNELS);
        record(worst, "ratio", "channels_worst_over_mean", CHANNELS);
}

void part_channels(bool quick) {
        static Channels c;

        c.daemon = daemon_pid();
        c.block_nsec = quick ? 150000000u : 500000000u;
        endpoint_open_session(&c.endpoint);
        for (unsigned i = 0; i < CHANNELS; i++)
                port_open(&c.endpoint, &c.ports[i], channel_options, "me", "peer", FRAMEKEY_MEDIA_DATA,
                          FRAMEKEY_CODEC_DATA);
        pin(c.daemon, 0, 0);
        c.agent = agent_start(); /* on core 0 */
        run_rounds(c.daemon, 7, round_of, &c);
        print_figure("channel_set_up_over_seqpacket", 0, figure_ratio("channel_set_up", 0, "seqpacket_p50", SIZE),
                     "ratio");
        print_figure("channels_256_over_64", 0, figure_ratio("channels_frames", CHANNELS, "channels_frames", FEW),
                     "ratio");
        agent_stop(&c.agent);
        for (unsigned i = 0; i < CHANNELS; i++)
                port_close(&c.ports[i]);
        endpoint_close(&c.endpoint);
}
