/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What ratchet steps cost the frames: their latency while the timer steps the key every 50 ms, beside their latency
 * while it does not, in the same session.
 *
 * Needs a running daemon that allows such an interval (bench/run starts one). Five frames a millisecond are encrypted
 * and decrypted one after the other, 250 of them a step: what audio and video of one sender are in three seconds. In
 * each round the key rests for 10 intervals and steps for 10; a figure is the median over the rounds. Two more figures
 * show what a 99th percentile would hide: the first frames under each step, and the delay from the moment a frame was
 * due, in which those behind a slow frame have their part (and any other program of this machine).
 */
#include "bench/reference.h"

#include <framekey-bus.h>

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define INTERVAL_USEC 50000u
#define PACE_NSEC     200000u
#define N_INTERVALS   10u /* in one block */
#define N_FRAMES      (N_INTERVALS * INTERVAL_USEC / (PACE_NSEC / 1000))
#define ROUNDS        120u
#define ROUNDS_QUICK  20u
#define FRAME_LEN     1200u

typedef enum Part { PART_FRAME, PART_ENCRYPT, PART_DECRYPT, PART_DELAYED, N_PARTS } Part;

static const char *const part_names[N_PARTS] = { "frame", "encrypt", "decrypt", "frame_from_due" };

/* Latencies of first frames in the whole run, ns. */
static double firsts[N_PARTS][ROUNDS * N_INTERVALS * 2];
static unsigned n_firsts;

/* Latencies of one block, ns. */
typedef struct Block {
        double p50[N_PARTS];
        double p99[N_PARTS];
        unsigned n_steps;
} Block;

typedef struct Link {
        framekey_client *client;
        framekey_session *session;
        framekey_channel *channel;
        uint32_t seal;
        uint32_t open;
        uint32_t step;
} Link;

static void fail(const char *what, int r) {
        (void)fprintf(stderr, "ratchet: %s: %s\n", what, r < 0 ? strerror(-r) : framekey_verdict_text(r));
        exit(1);
}

static int by_value(const void *a, const void *b) {
        double x = *(const double *)a, y = *(const double *)b;

        return (x > y) - (x < y);
}

static double median(double *values, unsigned n) {
        qsort(values, n, sizeof(*values), by_value);
        return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

static void link_open(Link *link) {
        char *error = NULL, *path = NULL;
        int r;

        r = framekey_client_open(&link->client, FRAMEKEY_BUS_SYSTEM, NULL, &error);
        if (r < 0)
                fail(error ? error : "no bus", r);
        if ((r = framekey_session_open(link->client, "livekit-bytes", "bench", NULL, &link->session)) < 0 ||
            (r = framekey_session_add_participant(link->session, "me", FRAMEKEY_LOCAL, NULL)) < 0 ||
            (r = framekey_session_add_participant(link->session, "peer", FRAMEKEY_REMOTE, NULL)) < 0 ||
            (r = framekey_session_import_key(link->session, NULL, 0, "0123456789abcdef", 16, NULL)) < 0 ||
            (r = framekey_session_open_channel(link->session, NULL, &link->channel, &path)) < 0 ||
            (r = framekey_session_add_stream(link->session, path, "me", FRAMEKEY_ENCRYPT, FRAMEKEY_MEDIA_DATA,
                                             FRAMEKEY_CODEC_DATA, NULL, &link->seal)) < 0 ||
            (r = framekey_session_add_stream(link->session, path, "peer", FRAMEKEY_DECRYPT, FRAMEKEY_MEDIA_DATA,
                                             FRAMEKEY_CODEC_DATA, NULL, &link->open)) < 0)
                fail(framekey_client_error(link->client), r);
        free(path);
}

static void link_close(Link *link) {
        framekey_channel_free(link->channel);
        framekey_session_close(link->session);
        framekey_client_free(link->client);
}

static void ratchet_every(Link *link, uint64_t interval_usec) {
        int r = framekey_session_set_ratchet(link->session, interval_usec, UINT64_MAX, UINT64_MAX);

        if (r < 0)
                fail(framekey_client_error(link->client), r);
}

/* One frame there and back, which was due at `due`. */
static void time_frame(Link *link, uint64_t due, double ret[N_PARTS]) {
        static const uint8_t plain[FRAME_LEN];
        static uint8_t sealed[FRAME_LEN + 64], opened[FRAME_LEN + 64];
        struct framekey_frame frame = { .size = sizeof(frame), .stream = link->seal };
        struct framekey_result result = { .size = sizeof(result) };
        uint64_t t0 = now_nsec(), t1, t2;
        size_t len;
        int r;

        r = framekey_encrypt(link->channel, &frame, plain, sizeof(plain), sealed, sizeof(sealed), &len, &result,
                             1000000);
        if (r != 0)
                fail("encrypt", r);
        t1 = now_nsec();
        frame.stream = link->open;
        r = framekey_decrypt(link->channel, &frame, sealed, len, opened, sizeof(opened), &len, NULL, 1000000);
        if (r != 0)
                fail("decrypt", r);
        t2 = now_nsec();
        ret[PART_ENCRYPT] = (double)(t1 - t0);
        ret[PART_DECRYPT] = (double)(t2 - t1);
        ret[PART_FRAME] = (double)(t2 - t0);
        /* A timer that comes a little late is no latency of ours. */
        ret[PART_DELAYED] = (double)(t2 - (t0 > due + PACE_NSEC ? due : t0));
        link->step = result.step;
}

static void note_first(const double *times) {
        if (n_firsts == sizeof(firsts[0]) / sizeof(firsts[0][0]))
                return;
        for (Part part = 0; part < N_PARTS; part++)
                firsts[part][n_firsts] = times[part];
        n_firsts++;
}

static void sleep_until(uint64_t nsec) {
        const struct timespec time = { (time_t)(nsec / 1000000000u), (long)(nsec % 1000000000u) };

        (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL);
}

static Block time_block(Link *link, uint64_t interval_usec) {
        static double times[N_PARTS][N_FRAMES];
        double frame[N_PARTS];
        Block block = { 0 };
        uint32_t step;
        uint64_t due;

        ratchet_every(link, interval_usec);
        time_frame(link, UINT64_MAX - PACE_NSEC, frame); /* warms up */
        step = link->step;
        due = now_nsec();
        for (unsigned i = 0; i < N_FRAMES; i++) {
                due += PACE_NSEC;
                sleep_until(due);
                time_frame(link, due, frame);
                for (Part part = 0; part < N_PARTS; part++)
                        times[part][i] = frame[part];
                if (link->step != step) {
                        note_first(frame);
                        block.n_steps += link->step - step;
                        step = link->step;
                }
        }
        for (Part part = 0; part < N_PARTS; part++) {
                block.p50[part] = median(times[part], N_FRAMES);
                block.p99[part] = times[part][N_FRAMES * 99 / 100];
        }
        return block;
}

/* Medians over the rounds; with `over`, of the quotients in each round. */
static double figure(const Block *blocks, const Block *over, unsigned rounds, Part part, int percentile) {
        double values[ROUNDS];

        for (unsigned i = 0; i < rounds; i++) {
                values[i] = percentile == 50 ? blocks[i].p50[part] : blocks[i].p99[part];
                if (over)
                        values[i] /= percentile == 50 ? over[i].p50[part] : over[i].p99[part];
        }
        return median(values, rounds);
}

static void report(const Block *resting, const Block *stepping, unsigned rounds) {
        static const int percentiles[] = { 50, 99 };
        unsigned n_steps = 0, n_resting = 0;

        for (unsigned i = 0; i < rounds; i++) {
                n_steps += stepping[i].n_steps;
                n_resting += resting[i].n_steps; /* one may be due when the timer is stopped */
        }
        if (n_steps < rounds * N_INTERVALS / 2 || n_resting > rounds)
                fail("the key does not step as it is told", -EPROTO);
        for (Part part = 0; part < N_PARTS; part++)
                for (size_t i = 0; i < 2; i++) {
                        const char *name = part_names[part];
                        int p = percentiles[i];

                        (void)printf("resting_%s_p%d %.3f us\n", name, p,
                                     figure(resting, NULL, rounds, part, p) / 1000);
                        (void)printf("ratchet_%s_p%d %.3f us\n", name, p,
                                     figure(stepping, NULL, rounds, part, p) / 1000);
                        (void)printf("ratchet_%s_p%d_ratio %.3f ratio\n", name, p,
                                     figure(stepping, resting, rounds, part, p));
                }
        for (Part part = 0; part < N_PARTS; part++)
                (void)printf("ratchet_first_%s_p50 %.3f us\n", part_names[part], median(firsts[part], n_firsts) / 1000);
        (void)printf("ratchet_steps %u count\nratchet_rounds %u count\n", n_steps, rounds);
}

int main(int argc, char **argv) {
        static const struct option options[] = { { "quick", no_argument, NULL, 'q' }, { 0 } };
        static Block resting[ROUNDS], stepping[ROUNDS];
        const char *pid_text = getenv("FRAMEKEYD_PID");
        unsigned rounds = ROUNDS;
        Link link;
        int c;

        while ((c = getopt_long(argc, argv, "q", options, NULL)) >= 0) {
                if (c != 'q')
                        return 2;
                rounds = ROUNDS_QUICK;
        }
        if (!pid_text) {
                (void)fprintf(stderr, "ratchet: start me through bench/run\n");
                return 2;
        }
        link_open(&link);
        pin_planes((pid_t)strtol(pid_text, NULL, 10));
        (void)time_block(&link, INTERVAL_USEC); /* for the caches */
        n_firsts = 0;
        for (unsigned round = 0; round < rounds; round++) {
                if (round % 10 == 0)
                        (void)fprintf(stderr, "round %u of %u\n", round + 1, rounds);
                resting[round] = time_block(&link, 0);
                stepping[round] = time_block(&link, INTERVAL_USEC);
        }
        link_close(&link);
        report(resting, stepping, rounds);
        return 0;
}
