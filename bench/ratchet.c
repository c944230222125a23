/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What ratchet steps cost the frames: their latency while the timer steps the key every 50 ms, 250 of them a step (what
 * audio and video of one sender are in three seconds), beside their latency while it does not, in the same session.
 * The first frames under each step, which a 99th percentile would hide, have figures of their own. Needs a daemon that
 * allows such an interval.
 */
#include "bench/figures.h"
#include "bench/machine.h"
#include "bench/parts.h"
#include "bench/steady.h"

#include <errno.h>
#include <stdio.h>

#define INTERVAL_USEC 50000u
#define N_INTERVALS   10u /* in one block */
#define ROUNDS        120u
#define ROUNDS_QUICK  15u

typedef struct Stepping {
        Endpoint endpoint;
        uint32_t step;
        unsigned n_steps;
        double firsts[N_PARTS][2 * (ROUNDS + 1) * (N_INTERVALS + 1) * 2];
        size_t n_firsts;
} Stepping;

static void watch(const Steady *frame, void *userdata) {
        Stepping *s = userdata;

        if (frame->step == s->step)
                return;
        s->n_steps += frame->step - s->step;
        s->step = frame->step;
        if (s->n_firsts == sizeof(s->firsts[0]) / sizeof(s->firsts[0][0]))
                return;
        for (Part part = 0; part < N_PARTS; part++)
                s->firsts[part][s->n_firsts] = frame->nsec[part];
        s->n_firsts++;
}

/* Returns how many steps there were. */
static unsigned block(Stepping *s, uint64_t interval_usec, const char *prefix) {
        check(s->endpoint.client,
              framekey_session_set_ratchet(s->endpoint.session, interval_usec, UINT64_MAX, UINT64_MAX));
        s->step = steady_frame(&s->endpoint.port).step; /* warms up, too */
        s->n_steps = 0;
        steady_block(&s->endpoint.port, prefix, watch, s);
        return s->n_steps;
}

static void round_of(void *userdata, unsigned round) {
        Stepping *s = userdata;
        unsigned resting = block(s, 0, "resting"), stepping = block(s, INTERVAL_USEC, "ratchet");

        (void)round;
        /* One may be due when the timer is stopped. */
        if (resting > 1 || stepping < N_INTERVALS / 2)
                fail("the key does not step as it is told", -EPROTO);
        record(stepping, "count", "ratchet_steps_a_round", 0);
}

void part_ratchet(bool quick) {
        static Stepping s;
        char name[64];

        endpoint_open(&s.endpoint, NULL);
        pin_planes(daemon_pid());
        (void)block(&s, INTERVAL_USEC, "ratchet"); /* for the caches */
        figures_forget();
        s.n_firsts = 0;
        run_rounds(daemon_pid(), quick ? ROUNDS_QUICK : ROUNDS, round_of, &s);
        steady_compare("ratchet", "resting", "ratchet");
        for (Part part = 0; part < N_PARTS; part++) {
                (void)snprintf(name, sizeof(name), "ratchet_first_%s_p50", steady_parts[part]);
                print_figure(name, 0, median(s.firsts[part], s.n_firsts) / 1000, "us");
        }
        endpoint_close(&s.endpoint);
}
