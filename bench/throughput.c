/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Many frames in flight: daemon and client on a core each, the client spinning, since it is what fills the pipe. Both
 * copies of the client, in and out, are in the time; the references seal in place.
 */
#include "bench/endpoint.h"
#include "bench/figures.h"
#include "bench/machine.h"
#include "bench/parts.h"
#include "bench/pipe.h"
#include "bench/reference.h"

#include <stdlib.h>
#include <string.h>

typedef struct Throughput {
        Endpoint endpoint;
        pid_t daemon;
        unsigned n;
} Throughput;

static unsigned frames_of(const Throughput *t, size_t size) {
        return size > 10000 ? t->n / 10 : t->n;
}

static void time_daemon(const Throughput *t, size_t size) {
        unsigned n = frames_of(t, size);
        ThreadUse before = frames_threads_use(t->daemon), after;
        double nsec = pipe_run(&t->endpoint.port, size, n);

        after = frames_threads_use(t->daemon);
        record(nsec, "ns", "pipelined_encrypt", size);
        record((double)(after.cpu_nsec - before.cpu_nsec) / n, "ns", "pipelined_server_cpu", size);
        record((double)(after.wakeups - before.wakeups) / n, "count", "pipelined_wakeups", size);
}

static void round_of(void *userdata, unsigned round) {
        const Throughput *t = userdata;

        (void)round;
        for (size_t i = 0; i < N_SIZES; i++) {
                size_t size = bench_sizes[i];

                record(libgcrypt_seal(size, frames_of(t, size)), "ns", "libgcrypt_seal", size);
#ifdef HAVE_OPENSSL
                record(openssl_seal(size, frames_of(t, size)), "ns", "openssl_seal", size);
                record(openssl_seal_afresh(size, frames_of(t, size)), "ns", "openssl_seal_afresh", size);
#endif
                time_daemon(t, size);
        }
}

void part_throughput(bool quick) {
        static const char *const options[] = { "small-slots=128", "video-slots=128", "jumbo-slots=1", NULL };
        Throughput t = { .daemon = daemon_pid(), .n = quick ? 5000 : 20000 };

        endpoint_open(&t.endpoint, options);
        pin(t.daemon, 1, 0);
        /* Every slot is touched once: what a page costs the first time is no part of a call's steady state. */
        for (size_t i = 0; i < N_SIZES; i++)
                (void)pipe_run(&t.endpoint.port, bench_sizes[i], 4 * PIPE_DEPTH);
        run_rounds(t.daemon, quick ? 7 : 15, round_of, &t);
        for (size_t i = 0; i < N_SIZES; i++) {
                size_t size = bench_sizes[i];

                print_figure("throughput_share_of_libgcrypt", size,
                             figure_ratio("libgcrypt_seal", size, "pipelined_encrypt", size), "ratio");
#ifdef HAVE_OPENSSL
                print_figure("throughput_over_openssl", size,
                             figure_ratio("openssl_seal", size, "pipelined_encrypt", size), "ratio");
                print_figure("throughput_over_openssl_afresh", size,
                             figure_ratio("openssl_seal_afresh", size, "pipelined_encrypt", size), "ratio");
#endif
        }
        endpoint_close(&t.endpoint);
}
