/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Figures of the data path, every one beside its reference from the same run.
 *
 * Needs a running daemon (bench/run starts one). Each figure is the median over interleaved rounds:
 * in a round everything is timed once, so that a machine that changes its speed changes all of it.
 * Latency is measured with daemon and client pinned to one core, since waking a sleeping process on
 * another core costs tens of microseconds in a virtual machine and says nothing about us.
 */
#include "bench/reference.h"

#include <framekey-bus.h>

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROUNDS_MAX 31
#define DEPTH      64u

/* The last still fits a video slot of 64 KiB when it is sealed; a frame of 65,536 bytes takes a jumbo slot, of which a
 * channel has few. */
static const size_t sizes[] = { 80, 1200, 16384, 65000 };
#define N_SIZES (sizeof(sizes) / sizeof(*sizes))

/* One figure: a value a round. */
typedef struct Figure {
        char name[64];
        const char *unit;
        double values[ROUNDS_MAX];
        unsigned n;
} Figure;

static Figure figures[64];
static unsigned n_figures;

static void record(double value, const char *unit, const char *name, size_t size) {
        char full[64];
        unsigned i;

        if (size > 0)
                (void)snprintf(full, sizeof(full), "%s_%zu", name, size);
        else
                (void)snprintf(full, sizeof(full), "%s", name);
        for (i = 0; i < n_figures && strcmp(figures[i].name, full) != 0; i++)
                ;
        if (i == n_figures) {
                if (n_figures == sizeof(figures) / sizeof(*figures))
                        return;
                n_figures++;
                memcpy(figures[i].name, full, sizeof(full));
                figures[i].unit = unit;
        }
        if (figures[i].n < ROUNDS_MAX)
                figures[i].values[figures[i].n++] = value;
}

static int by_value(const void *a, const void *b) {
        double x = *(const double *)a, y = *(const double *)b;

        return (x > y) - (x < y);
}

static double median(double *values, unsigned n) {
        qsort(values, n, sizeof(*values), by_value);
        return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

static double figure_median(const char *name, size_t size) {
        char full[64];

        (void)snprintf(full, sizeof(full), size ? "%s_%zu" : "%s", name, size);
        for (unsigned i = 0; i < n_figures; i++)
                if (strcmp(figures[i].name, full) == 0)
                        return median(figures[i].values, figures[i].n);
        return 0;
}

static void fail(const char *what, int r) {
        (void)fprintf(stderr, "bench: %s: %s\n", what, r < 0 ? strerror(-r) : framekey_verdict_text(r));
        exit(1);
}

typedef struct Link {
        framekey_client *client;
        framekey_session *session;
        framekey_channel *channel;
        uint32_t seal;
        uint32_t open;
} Link;

static void link_open(Link *link) {
        static const char *const channel_options[] = { "small-slots=128", "video-slots=128", "jumbo-slots=1", NULL };
        char *error = NULL, *path = NULL;
        int r;

        r = framekey_client_open(&link->client, FRAMEKEY_BUS_SYSTEM, NULL, &error);
        if (r < 0)
                fail(error ? error : "no bus", r);
        if ((r = framekey_session_open(link->client, "livekit-bytes", "bench", NULL, &link->session)) < 0 ||
            (r = framekey_session_add_participant(link->session, "me", FRAMEKEY_LOCAL, NULL)) < 0 ||
            (r = framekey_session_add_participant(link->session, "peer", FRAMEKEY_REMOTE, NULL)) < 0 ||
            (r = framekey_session_import_key(link->session, NULL, 0, "0123456789abcdef", 16, NULL)) < 0 ||
            (r = framekey_session_open_channel(link->session, channel_options, &link->channel, &path)) < 0 ||
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

/* Encrypt and decrypt calls, one at a time, each as its caller sees it. */
static void sync_latency(Link *link, size_t size, unsigned n) {
        struct framekey_frame frame = { .size = sizeof(frame) };
        uint8_t *plain = calloc(1, size), *sealed = malloc(size + 64);
        double *encrypt = malloc(n * sizeof(*encrypt)), *decrypt = malloc(n * sizeof(*decrypt));
        int r;

        for (unsigned i = 0; i < n; i++) {
                uint64_t t0 = now_nsec(), t1, t2;
                size_t len;

                frame.stream = link->seal;
                r = framekey_encrypt(link->channel, &frame, plain, size, sealed, size + 64, &len, NULL, 1000000);
                if (r != 0)
                        fail("encrypt", r);
                t1 = now_nsec();
                frame.stream = link->open;
                r = framekey_decrypt(link->channel, &frame, sealed, len, plain, size, &len, NULL, 1000000);
                if (r != 0)
                        fail("decrypt", r);
                t2 = now_nsec();
                encrypt[i] = (double)(t1 - t0);
                decrypt[i] = (double)(t2 - t1);
        }
        record(median(encrypt, n) / 1000, "us", "sync_encrypt_p50", size);
        record(median(decrypt, n) / 1000, "us", "sync_decrypt_p50", size);
        record(encrypt[n * 99 / 100] / 1000, "us", "sync_encrypt_p99", size);
        free(plain);
        free(sealed);
        free(encrypt);
        free(decrypt);
}

/* Takes what is there and gives the slots back. Returns how many. */
static unsigned reap(Link *link) {
        struct framekey_result result = { .size = sizeof(result) };
        static uint8_t out[70000];
        unsigned n = 0;
        size_t len;

        while (framekey_reap(link->channel, &result) == 1) {
                if (result.verdict != 0)
                        fail("pipelined encrypt", result.verdict);
                /* The client copies its frame out, as one that sends it on would. */
                if (framekey_take(link->channel, &result, out, sizeof(out), &len) < 0)
                        fail("take", -EIO);
                n++;
        }
        return n;
}

/* Encryption with up to DEPTH frames in flight. The client spins: it is what fills the pipe. */
static void pipelined(Link *link, size_t size, unsigned n) {
        struct framekey_frame frame = { .size = sizeof(frame), .stream = link->seal };
        uint8_t *plain = calloc(1, size);
        unsigned submitted = 0, done = 0;
        uint64_t t0 = now_nsec();
        uint32_t slot;
        void *buffer;

        while (done < n) {
                unsigned batch = 0;

                while (submitted < n && submitted - done < DEPTH &&
                       framekey_reserve(link->channel, &frame, size, &slot, &buffer) == 0) {
                        memcpy(buffer, plain, size);
                        if (framekey_submit(link->channel, slot, &frame, size, submitted) < 0)
                                fail("submit", -EIO);
                        submitted++;
                        if (++batch == DEPTH / 4)
                                break;
                }
                if (batch > 0)
                        (void)framekey_flush(link->channel);
                done += reap(link);
        }
        record((double)(now_nsec() - t0) / n, "ns", "pipelined_encrypt", size);
        free(plain);
}

static void ratio(const char *name, size_t size, double value) {
        (void)printf("%s_%zu %.3f ratio\n", name, size, value);
}

static void report(unsigned rounds) {
        for (unsigned i = 0; i < n_figures; i++)
                (void)printf("%s %.3f %s\n", figures[i].name, median(figures[i].values, figures[i].n), figures[i].unit);
        for (size_t i = 0; i < N_SIZES; i++) {
                size_t s = sizes[i];
                double raw = figure_median("eventfd_round_trip", 0), own = figure_median("libgcrypt_seal", s);

                ratio("sync_encrypt_over_floor", s, figure_median("sync_encrypt_p50", s) / (raw + own / 1000));
                ratio("throughput_share_of_libgcrypt", s, own / figure_median("pipelined_encrypt", s));
#ifdef HAVE_OPENSSL
                ratio("throughput_over_openssl", s,
                      figure_median("openssl_seal", s) / figure_median("pipelined_encrypt", s));
#endif
        }
        (void)printf("rounds %u count\n", rounds);
}

int main(int argc, char **argv) {
        static const struct option options[] = { { "quick", no_argument, NULL, 'q' }, { 0 } };
        const char *pid_text = getenv("FRAMEKEYD_PID");
        unsigned rounds = 15, n_sync = 2000, n_pipe = 20000;
        Link link;
        int c;

        while ((c = getopt_long(argc, argv, "q", options, NULL)) >= 0) {
                if (c != 'q')
                        return 2;
                rounds = 7;
                n_sync = 500;
                n_pipe = 5000;
        }
        if (!pid_text) {
                (void)fprintf(stderr, "bench: start me through bench/run\n");
                return 2;
        }

        link_open(&link);
        /* Every slot is touched once: what a page costs the first time is no part of a call's steady state. */
        for (size_t i = 0; i < N_SIZES; i++)
                pipelined(&link, sizes[i], 4 * DEPTH);
        memset(figures, 0, sizeof(figures));
        n_figures = 0;
        for (unsigned round = 0; round < rounds; round++) {
                (void)fprintf(stderr, "round %u of %u\n", round + 1, rounds);
                pin((pid_t)atoi(pid_text), 0, 0);
                record(eventfd_round_trip(n_sync) / 1000, "us", "eventfd_round_trip", 0);
                for (size_t i = 0; i < N_SIZES; i++) {
                        record(libgcrypt_seal(sizes[i], n_sync), "ns", "libgcrypt_seal", sizes[i]);
#ifdef HAVE_OPENSSL
                        record(openssl_seal(sizes[i], n_sync), "ns", "openssl_seal", sizes[i]);
#endif
                        sync_latency(&link, sizes[i], n_sync);
                }
                pin((pid_t)atoi(pid_text), 1, 0);
                for (size_t i = 0; i < N_SIZES; i++)
                        pipelined(&link, sizes[i], sizes[i] > 10000 ? n_pipe / 10 : n_pipe);
        }
        link_close(&link);
        report(rounds);
        return 0;
}
