/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See steady.h. */
#include "bench/steady.h"

#include "bench/figures.h"
#include "bench/machine.h"

#include <stdio.h>

#define PACE_NSEC 200000u
#define SIZE      1200u

const char *const steady_parts[N_PARTS] = {
        [PART_ENCRYPT] = "encrypt",
        [PART_DECRYPT] = "decrypt",
        [PART_FRAME] = "frame",
        [PART_DELAYED] = "delayed",
};
static const unsigned percents[] = { 50, 99 };

static Steady time_frame(const Port *port, uint64_t due) {
        static const uint8_t plain[SIZE];
        static uint8_t sealed[SIZE + BENCH_OVERHEAD];
        struct framekey_result result = { .size = sizeof(result) };
        uint64_t t0 = now_nsec(), t1, t2;
        size_t len = seal_frame(port, plain, SIZE, sealed, &result);

        t1 = now_nsec();
        (void)open_frame(port, sealed, len, sealed);
        t2 = now_nsec();
        return (Steady){
                .nsec = { [PART_ENCRYPT] = (double)(t1 - t0),
                          [PART_DECRYPT] = (double)(t2 - t1),
                          [PART_FRAME] = (double)(t2 - t0),
                          /* A timer that comes a little late is no latency of ours. */
                          [PART_DELAYED] = (double)(t2 - (t0 > due + PACE_NSEC ? due : t0)) },
                .step = result.step,
        };
}

Steady steady_frame(const Port *port) {
        return time_frame(port, UINT64_MAX - PACE_NSEC);
}

static void part_name(char ret[64], const char *prefix, Part part, unsigned percent) {
        (void)snprintf(ret, 64, "%.20s_%s_p%u", prefix, steady_parts[part], percent);
}

void steady_block(const Port *port, const char *prefix, SteadyWatcher *watch, void *userdata) {
        static double times[N_PARTS][STEADY_FRAMES];
        uint64_t due = now_nsec();
        char name[64];

        for (unsigned i = 0; i < STEADY_FRAMES; i++) {
                Steady frame;

                due += PACE_NSEC;
                sleep_until(due);
                frame = time_frame(port, due);
                for (Part part = 0; part < N_PARTS; part++)
                        times[part][i] = frame.nsec[part];
                if (watch)
                        watch(&frame, userdata);
        }
        for (Part part = 0; part < N_PARTS; part++)
                for (size_t i = 0; i < sizeof(percents) / sizeof(*percents); i++) {
                        part_name(name, prefix, part, percents[i]);
                        record(percentile(times[part], STEADY_FRAMES, percents[i]) / 1000, "us", name, 0);
                }
}

void steady_compare(const char *prefix, const char *over, const char *name) {
        char a[64], b[64], ratio[80];

        for (Part part = 0; part < N_PARTS; part++)
                for (size_t i = 0; i < sizeof(percents) / sizeof(*percents); i++) {
                        part_name(a, prefix, part, percents[i]);
                        part_name(b, over, part, percents[i]);
                        (void)snprintf(ratio, sizeof(ratio), "%s_%s_p%u_ratio", name, steady_parts[part], percents[i]);
                        print_figure(ratio, 0, figure_ratio(a, 0, b, 0), "ratio");
                }
}
