/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The verb bench: how long frames take here and now, through the daemon that runs.
 *
 * What is measured is what a caller waits for: from the call of the library to its return, the ring
 * and two wake-ups included, one frame after the other. It is no limit of the daemon, which serves
 * several channels at once and many frames a wake-up, and whatever else runs here counts.
 */
#include "cli/demo/progress.h"
#include "cli/demo/stopwatch.h"
#include "cli/loop.h"

/* Before measuring: caches, clock speed, the first use of the key. */
#define N_WARM_UP   200u
#define SAMPLES_MAX (1u << 20)
#define FRAME_MAX   16384u

typedef struct Samples {
        uint32_t *nsec;
        size_t n;
} Samples;

/* A frame as calls have many: 20 ms of Opus at 48 kbit/s, and a picture of a video of 3 Mbit/s with 30 a second. */
typedef struct Kind {
        const char *name;
        size_t length;
        bool video;
} Kind;

static const Kind kinds[] = {
        { "audio", 120, false },
        { "video", 12500, true },
};

typedef struct Bench {
        Context *context;
        Loop loop;
        Progress progress;
        uint64_t nsec_each; /* for each kind of frame */
        Samples samples[FRAMEKEY_DECRYPT + 1];
        uint8_t plain[FRAME_MAX], sealed[FRAME_MAX + 128], out[FRAME_MAX];
} Bench;

/* There and back. CLI_OK or told. */
static int send_frame(Bench *bench, const Kind *kind, uint64_t ret_nsec[FRAMEKEY_DECRYPT + 1]) {
        const uint32_t *streams = kind->video ? bench->loop.video : bench->loop.audio;
        struct framekey_frame frame = { .size = sizeof(frame),
                                        .frame_type = kind->video ? FRAMEKEY_FRAME_DELTA : 0,
                                        .stream = streams[FRAMEKEY_ENCRYPT] };
        uint64_t t0, t1, t2, t3;
        size_t sealed, length;
        int r;

        t0 = monotonic_nsec();
        r = framekey_encrypt(bench->loop.channel, &frame, bench->plain, kind->length, bench->sealed,
                             sizeof(bench->sealed), &sealed, NULL, LOOP_TIMEOUT_USEC);
        t1 = monotonic_nsec();
        if (r != 0)
                return cli_fail("A frame was not encrypted: %s", framekey_verdict_text(r));
        frame.stream = streams[FRAMEKEY_DECRYPT];
        t2 = monotonic_nsec();
        r = framekey_decrypt(bench->loop.channel, &frame, bench->sealed, sealed, bench->out, sizeof(bench->out),
                             &length, NULL, LOOP_TIMEOUT_USEC);
        t3 = monotonic_nsec();
        if (r != 0)
                return cli_fail("A frame was not decrypted: %s", framekey_verdict_text(r));
        if (length != kind->length || memcmp(bench->out, bench->plain, length) != 0)
                return cli_fail("A frame came back as another: do not use this build.");
        ret_nsec[FRAMEKEY_ENCRYPT] = t1 - t0;
        ret_nsec[FRAMEKEY_DECRYPT] = t3 - t2;
        return CLI_OK;
}

static int measure(Bench *bench, const Kind *kind) {
        uint64_t nsec[FRAMEKEY_DECRYPT + 1], begun;
        int r = CLI_OK;

        for (unsigned i = 0; i < N_WARM_UP && r == CLI_OK; i++)
                r = send_frame(bench, kind, nsec);
        begun = monotonic_nsec();
        for (size_t n = 0; n < SAMPLES_MAX && r == CLI_OK; n++) {
                uint64_t spent = monotonic_nsec() - begun;

                if (n > 0 && spent >= bench->nsec_each)
                        break;
                if (n % 64 == 0)
                        progress_update(&bench->progress, (double)spent / (double)bench->nsec_each, NULL);
                r = send_frame(bench, kind, nsec);
                for (int d = FRAMEKEY_ENCRYPT; d <= FRAMEKEY_DECRYPT && r == CLI_OK; d++) {
                        bench->samples[d].nsec[n] = (uint32_t)MIN_OF(nsec[d], UINT32_MAX);
                        bench->samples[d].n = n + 1;
                }
        }
        return r;
}

/* ---- figures ---- */

static int by_value(const void *a, const void *b) {
        uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

        return (x > y) - (x < y);
}

/* The smallest value that this share of all values does not exceed. */
static double percentile_usec(const Samples *samples, double share) {
        size_t rank = (size_t)(share * (double)samples->n + 0.999999);

        return samples->nsec[MIN_OF(MAX_OF(rank, 1), samples->n) - 1] / 1000.0;
}

static json_t *figures(Samples *samples, const Kind *kind, enum framekey_direction direction) {
        double sum = 0;

        qsort(samples->nsec, samples->n, sizeof(*samples->nsec), by_value);
        for (size_t i = 0; i < samples->n; i++)
                sum += samples->nsec[i];
        return json_pack("{s:s, s:I, s:s, s:I, s:f, s:f, s:f, s:f}", "frames", kind->name, "bytes",
                         (json_int_t)kind->length, "direction", framekey_direction_name(direction), "count",
                         (json_int_t)samples->n, "per_second", (double)samples->n / (sum / 1e9), "p50_usec",
                         percentile_usec(samples, 0.5), "p99_usec", percentile_usec(samples, 0.99), "max_usec",
                         percentile_usec(samples, 1));
}

static int measure_all(Bench *bench, json_t *rows) {
        int r = CLI_OK;

        for (size_t i = 0; i < sizeof(bench->plain); i++)
                bench->plain[i] = (uint8_t)(1 + i % 251);
        for (size_t k = 0; k < ELEMENTS(kinds) && r == CLI_OK; k++) {
                progress_begin(&bench->progress, kinds[k].name);
                r = measure(bench, &kinds[k]);
                if (r != CLI_OK)
                        return r;
                progress_end(&bench->progress, "%zu frames of %zu bytes, there and back",
                             bench->samples[FRAMEKEY_ENCRYPT].n, kinds[k].length);
                for (int d = FRAMEKEY_ENCRYPT; d <= FRAMEKEY_DECRYPT && r == CLI_OK; d++)
                        if (json_array_append_new(rows, figures(&bench->samples[d], &kinds[k], d)) < 0)
                                r = cli_fail("Out of memory.");
        }
        return r;
}

/* ---- the verb ---- */

static char *text_whole(const json_t *value) {
        char *text;

        return asprintf(&text, "%.0f", json_real_value(value)) < 0 ? NULL : text;
}

static char *text_tenths(const json_t *value) {
        char *text;

        return asprintf(&text, "%.1f", json_real_value(value)) < 0 ? NULL : text;
}

static const Column columns[] = {
        { .key = "frames", .heading = "FRAMES" },
        { .key = "bytes", .heading = "BYTES", .right = true },
        { .key = "direction", .heading = "DIRECTION" },
        { .key = "per_second", .heading = "ONE BY ONE/s", .right = true, .text = text_whole },
        { .key = "p50_usec", .heading = "p50 µs", .right = true, .text = text_tenths },
        { .key = "p99_usec", .heading = "p99 µs", .right = true, .text = text_tenths },
        { .key = "max_usec", .heading = "MAX µs", .right = true, .text = text_tenths },
};

static int print_figures(const Context *context, const json_t *rows) {
        int r;

        if (context->json == JSON_OFF && !context->quiet)
                (void)putchar('\n');
        r = output_rows(context, "figures", columns, ELEMENTS(columns), rows);
        if (r == CLI_OK && context->json == JSON_OFF && context->legend && !context->quiet)
                (void)puts("\nWhat a caller waits for each frame, from the call to its return, through the running "
                           "daemon, with\nAES-128-GCM, one frame after the other; whatever else runs here counts. "
                           "Many channels or batches\ndo more a second than this.");
        return r;
}

static int run(Bench *bench) {
        _cleanup_json_ json_t *rows = json_array();
        int r;

        for (int d = FRAMEKEY_ENCRYPT; d <= FRAMEKEY_DECRYPT; d++) {
                bench->samples[d].nsec = calloc(SAMPLES_MAX, sizeof(uint32_t));
                if (!bench->samples[d].nsec)
                        return cli_fail("Out of memory.");
        }
        progress_init(&bench->progress, bench->context);
        r = loop_open(&bench->loop, bench->context, "framekeyctl bench", 0, NULL);
        if (r == CLI_OK)
                r = measure_all(bench, rows);
        return r == CLI_OK ? print_figures(bench->context, rows) : r;
}

static const CliOption bench_options[] = {
        { "seconds", 's', "N", "How long to measure in all (4)" },
};

static int take_option(Context *context, size_t option, const char *value, void *userdata) {
        return cli_number("seconds", value, 3600, userdata);
}

int verb_bench(int argc, char **argv, Context *context) {
        static const CliUsage usage = {
                .verb = "bench",
                .arguments = "",
                .summary = "Measures what a caller waits for audio and video frames, encrypted and decrypted by the "
                           "running daemon\nin a session of its own. Other sessions go on meanwhile, a little slower.",
                .options = bench_options,
                .n_options = ELEMENTS(bench_options),
                .take = take_option,
        };
        uint64_t seconds = 4;
        Bench *bench;
        int r, first;

        r = cli_parse(context, &usage, argc, argv, &seconds, &first);
        if (r != CLI_OK)
                return cli_parse_status(r);
        bench = calloc(1, sizeof(*bench));
        if (!bench)
                return cli_fail("Out of memory.");
        bench->context = context;
        bench->nsec_each = seconds * UINT64_C(1000000000) / ELEMENTS(kinds);
        r = run(bench);
        loop_done(&bench->loop);
        for (int d = FRAMEKEY_ENCRYPT; d <= FRAMEKEY_DECRYPT; d++)
                free(bench->samples[d].nsec);
        free(bench);
        return r;
}
