/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One frame after the other, each as its caller sees it, beside other ways to a process that holds the key. All on one
 * core, since waking a sleeping process on another costs tens of microseconds in a virtual machine and says nothing
 * about us.
 */
#include "bench/endpoint.h"
#include "bench/figures.h"
#include "bench/machine.h"
#include "bench/parts.h"
#include "bench/reference.h"
#include "bench/softhsm.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#define FRAMES_MAX 2000u
#define PLOTTED    1200u /* the size whose whole distribution is printed */

typedef struct Latency {
        Endpoint endpoint;
        Agent agent;
        BusAgent *bus_agent;
#ifdef HAVE_PKCS11
        SoftHsm *hsm; /* NULL: there is none */
#endif
        unsigned n;
} Latency;

static const unsigned percents[] = { 1, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 99 };

/* The median, and of one size the others. */
static void record_distribution(double *nsec, unsigned n, const char *name, size_t size) {
        char full[40];

        for (size_t i = 0; i < sizeof(percents) / sizeof(*percents); i++) {
                unsigned percent = percents[i];

                if (percent != 50 && percent != 99 && size != PLOTTED)
                        continue;
                (void)snprintf(full, sizeof(full), "%s_p%02u", name, percent);
                record(percentile(nsec, n, percent) / 1000, "us", full, size);
        }
}

static void time_daemon(const Port *port, size_t size, unsigned n) {
        static double encrypt[FRAMES_MAX], decrypt[FRAMES_MAX];
        uint8_t *plain = calloc(1, size), *sealed = malloc(size + BENCH_OVERHEAD);

        for (unsigned i = 0; i < n; i++) {
                uint64_t t0 = now_nsec(), t1;
                size_t len = seal_frame(port, plain, size, sealed, NULL);

                t1 = now_nsec();
                (void)open_frame(port, sealed, len, sealed);
                encrypt[i] = (double)(t1 - t0);
                decrypt[i] = (double)(now_nsec() - t1);
        }
        record_distribution(encrypt, n, "sync_encrypt", size);
        record_distribution(decrypt, n, "sync_decrypt", size);
        free(plain);
        free(sealed);
}

static void time_agents(const Latency *l, size_t size) {
        static double agent[FRAMES_MAX], bus[FRAMES_MAX];
        unsigned n_bus = l->n / 10;

        for (unsigned i = 0; i < l->n; i++)
                agent[i] = agent_seal(&l->agent, size);
        for (unsigned i = 0; i < n_bus; i++)
                bus[i] = bus_agent_seal(l->bus_agent, size);
        record_distribution(agent, l->n, "seqpacket", size);
        record(median(bus, n_bus) / 1000, "us", "bus_call_p50", size);
#ifdef HAVE_PKCS11
        if (l->hsm)
                record(softhsm_seal(l->hsm, size, n_bus) / 1000, "us", "softhsm", size);
#endif
}

static void round_of(void *userdata, unsigned round) {
        const Latency *l = userdata;
        double raw = eventfd_round_trip(l->n) / 1000;

        (void)round;
        record(raw, "us", "eventfd_round_trip", 0);
        for (size_t i = 0; i < N_SIZES; i++) {
                size_t size = bench_sizes[i];
                double seal = libgcrypt_seal(size, l->n) / 1000;

                record(seal, "us", "libgcrypt_seal", size);
                record(raw + seal, "us", "sync_floor", size);
                time_daemon(&l->endpoint.port, size, l->n);
                time_agents(l, size);
        }
}

static pid_t broker_pid(framekey_client *client) {
        sd_bus_creds *creds = NULL;
        pid_t pid = 0;

        if (sd_bus_get_owner_creds(framekey_client_get_bus(client), SD_BUS_CREDS_PID, &creds) >= 0)
                (void)sd_bus_creds_get_pid(creds, &pid);
        sd_bus_creds_unref(creds);
        return pid;
}

void part_latency(bool quick) {
        Latency l = { .n = quick ? 300 : FRAMES_MAX };
        pid_t daemon = daemon_pid();

        endpoint_open(&l.endpoint, NULL);
        pin(daemon, 0, 0);
        pin(broker_pid(l.endpoint.client), 0, 0);
        l.agent = agent_start(); /* on our core */
        l.bus_agent = bus_agent_start();
#ifdef HAVE_PKCS11
        l.hsm = softhsm_start();
#endif
        run_rounds(daemon, quick ? 7 : 15, round_of, &l);
        for (size_t i = 0; i < N_SIZES; i++) {
                size_t size = bench_sizes[i];

                print_figure("sync_encrypt_over_floor", size,
                             figure_ratio("sync_encrypt_p50", size, "sync_floor", size), "ratio");
                print_figure("sync_decrypt_over_floor", size,
                             figure_ratio("sync_decrypt_p50", size, "sync_floor", size), "ratio");
                print_figure("sync_over_seqpacket", size, figure_ratio("sync_encrypt_p50", size, "seqpacket_p50", size),
                             "ratio");
                print_figure("bus_call_over_sync", size, figure_ratio("bus_call_p50", size, "sync_encrypt_p50", size),
                             "ratio");
#ifdef HAVE_PKCS11
                if (l.hsm)
                        print_figure("softhsm_over_sync", size, figure_ratio("softhsm", size, "sync_encrypt_p50", size),
                                     "ratio");
#endif
        }
#ifdef HAVE_PKCS11
        softhsm_stop(l.hsm);
#endif
        bus_agent_stop(l.bus_agent);
        agent_stop(&l.agent);
        endpoint_close(&l.endpoint);
}
