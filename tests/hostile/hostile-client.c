/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A hostile client of a running daemon, with a victim beside it.
 *
 *   hostile-client [--seconds=N] [--bound-usec=N] all|MODE...
 *   hostile-client --seed=N [--seconds=N] [--bound-usec=N] random
 *
 * Every mode attacks for N seconds (2) and prints one line,
 *
 *   MODE frames=N ok=N forged=N ... victim_frames=N victim_p99_usec=N ok|FAIL
 *
 * FAIL: the daemon did what it must not (said on standard error), or the victim lost a frame or waited too long: its
 * 99th percentile beyond N microseconds twice in a row, by default 20000 (a frame's time) and four times what the mode
 * `quiet`, which attacks nobody, measures at the start. Attackers run at the lowest priority, since it is the daemon's
 * fairness that is measured, not the scheduler's. The bus is the system bus, or what DBUS_SYSTEM_BUS_ADDRESS says.
 * `random` mixes all of them in several attackers at once, and compares what the daemon ($FRAMEKEYD_PID) holds before
 * and after; see siege.c. There the bound is 250000 by default.
 * Exit status: 0; 1 a mode failed; 2 usage; 77 there is no daemon.
 */
#include "siege.h"

#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define SECONDS        2u
#define BOUND_USEC     20000u
#define SIEGE_USEC     250000u
#define QUIET_MULTIPLE 4u
#define CANNOT_RUN     77
#define ATTACKS_MAX    64u

bool stage_goes_on(const Stage *stage) {
        return now_usec() < stage->until_usec;
}

uint32_t stage_random(Stage *stage) {
        stage->random = stage->random * 1664525 + 1013904223;
        return stage->random >> 8;
}

void stage_count(Stage *stage, const struct framekey_abi_completion *completion) {
        int32_t verdict = completion->verdict;

        stage->tally.n_frames++;
        stage->tally.n_verdicts[verdict >= 0 && verdict < FRAMEKEY_VERDICT_MAX ? verdict : FRAMEKEY_VERDICT_MAX]++;
}

int stage_check(Stage *stage, const RawChannel *raw, const struct framekey_abi_completion *c) {
        stage_count(stage, c);
        if (c->verdict < 0 || c->verdict >= FRAMEKEY_VERDICT_MAX)
                return failed("bad input was answered with %d", c->verdict);
        if (!framekey_verdict_delivers(c->verdict) && c->frame_len > 0)
                return failed("verdict %s with %u bytes", framekey_verdict_name(c->verdict), c->frame_len);
        if (c->frame_len > 0 && (c->slot >= raw_n_slots(raw) || c->frame_len > raw_slot_size(raw, c->slot)))
                return failed("%u bytes delivered in slot %u", c->frame_len, c->slot);
        return 0;
}

/* ---- modes ---- */

/* The control: a good client, no attack. */
static int be_quiet(Stage *stage) {
        RawChannel raw;
        int r = raw_open(&raw, stage->session);

        for (; r == 0 && stage_goes_on(stage); stage->tally.n_frames += 2) {
                r = raw_round_trip(&raw, 100);
                (void)usleep(20000);
        }
        raw_close(&raw);
        return r;
}

static const Attack quiet = { "quiet", be_quiet };

#define N_LISTS 5

static const Attack *const attack_lists[N_LISTS] = { attacks_on_rings, attacks_on_payloads, attacks_on_descriptors,
                                                     attacks_on_files, attacks_from_elsewhere };

typedef struct Settings {
        uint64_t seconds;
        uint64_t bound_usec;
        bool bound_given;
        uint32_t seed;
} Settings;

static void print_report(const char *name, const Tally *tally, const VictimReport *victim, bool good) {
        (void)printf("%s frames=%" PRIu64, name, tally->n_frames);
        for (int v = 0; v < FRAMEKEY_VERDICT_MAX; v++)
                if (tally->n_verdicts[v] > 0)
                        (void)printf(" %s=%" PRIu64, framekey_verdict_name(v), tally->n_verdicts[v]);
        if (tally->n_verdicts[FRAMEKEY_VERDICT_MAX] > 0)
                (void)printf(" errors=%" PRIu64, tally->n_verdicts[FRAMEKEY_VERDICT_MAX]);
        (void)printf(" victim_frames=%" PRIu64 " victim_p99_usec=%" PRIu64 " %s\n", victim->n_frames, victim->p99_usec,
                     good ? "ok" : "FAIL");
        (void)fflush(stdout);
}

/* 0; 1: only the victim's time was beyond the bound; -1 it failed. */
static int run_attack_once(const Attack *attack, Stage *stage, Victim *victim, const Settings *settings,
                           VictimReport *ret_report) {
        bool good, late = settings->bound_usec > 0;

        stage->tally = (Tally){ 0 };
        stage->until_usec = now_usec() + settings->seconds * 1000000;
        victim_mark(victim);
        good = attack->run(stage) == 0;
        victim_measure(victim, ret_report);
        if (ret_report->n_wrong + ret_report->n_late > 0)
                good = failed("%s: the victim lost %" PRIu64 " frames", attack->name,
                              ret_report->n_wrong + ret_report->n_late) == 0;
        /* Half of its frames at least: it may be late at times, and must not starve. */
        if (ret_report->n_frames < settings->seconds * 50)
                good = failed("%s: the victim got only %" PRIu64 " frames", attack->name, ret_report->n_frames) == 0;
        late = late && ret_report->p99_usec > settings->bound_usec;
        if (late)
                (void)failed("%s: the victim waited %" PRIu64 " us, more than %" PRIu64, attack->name,
                             ret_report->p99_usec, settings->bound_usec);
        print_report(attack->name, &stage->tally, ret_report, good && !late);
        return !good ? -1 : late;
}

/* A machine that others use, too, is slow at times, a daemon that waits for its clients always. 0; -1 it failed. */
static int run_attack(const Attack *attack, Stage *stage, Victim *victim, const Settings *settings,
                      VictimReport *ret_report) {
        int r = run_attack_once(attack, stage, victim, settings, ret_report);

        if (r > 0)
                r = run_attack_once(attack, stage, victim, settings, ret_report);
        return r == 0 ? 0 : -1;
}

static const Attack *find(const char *name) {
        for (size_t i = 0; i < N_LISTS; i++)
                for (const Attack *a = attack_lists[i]; a->name; a++)
                        if (strcmp(a->name, name) == 0)
                                return a;
        return strcmp(name, quiet.name) == 0 ? &quiet : NULL;
}

static int run_all(Stage *stage, Victim *victim, const Settings *settings) {
        VictimReport report;
        int n_failed = 0;

        for (size_t i = 0; i < N_LISTS; i++)
                for (const Attack *a = attack_lists[i]; a->name; a++)
                        n_failed += run_attack(a, stage, victim, settings, &report) < 0;
        return n_failed;
}

static int run(Settings *settings, char **modes) {
        /* Attacks send the same frame many times, and a window would refuse it for that alone. */
        static const char *const options[] = { "replay-window=0", NULL };
        Stage stage = { .random = (uint32_t)getpid() };
        Settings unbound = *settings;
        framekey_client *client;
        VictimReport report;
        int n_failed = 0;
        Victim *victim;

        victim = victim_start();
        if (!victim)
                return CANNOT_RUN;
        if (call_open(&client, &stage.session, "attacker", options) < 0) {
                victim_stop(victim);
                return CANNOT_RUN;
        }
        unbound.bound_usec = 0;
        if (setpriority(PRIO_PROCESS, 0, PRIO_MAX - 1) < 0)
                (void)failed("cannot lower the priority");
        n_failed += run_attack(&quiet, &stage, victim, &unbound, &report) < 0;
        if (!settings->bound_given)
                settings->bound_usec = BOUND_USEC + QUIET_MULTIPLE * report.p99_usec;
        for (; *modes; modes++) {
                if (strcmp(*modes, "all") == 0)
                        n_failed += run_all(&stage, victim, settings);
                else
                        n_failed += run_attack(find(*modes), &stage, victim, settings, &report) < 0;
        }
        victim_stop(victim);
        framekey_session_close(stage.session);
        framekey_client_free(client);
        return n_failed > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int run_random(const Settings *settings) {
        const char *daemon = getenv("FRAMEKEYD_PID");
        const Attack *attacks[ATTACKS_MAX];
        size_t n = 0;

        for (size_t i = 0; i < N_LISTS; i++)
                for (const Attack *a = attack_lists[i]; a->name && n < ATTACKS_MAX; a++)
                        attacks[n++] = a;
        if (!daemon) {
                (void)failed("FRAMEKEYD_PID is not set");
                return CANNOT_RUN;
        }
        if (setpriority(PRIO_PROCESS, 0, PRIO_MAX - 1) < 0)
                (void)failed("cannot lower the priority");
        return siege_run(&(SiegeConfig){ .attacks = attacks,
                                         .n_attacks = n,
                                         .seed = settings->seed,
                                         .seconds = settings->seconds,
                                         .bound_usec = settings->bound_given ? settings->bound_usec : SIEGE_USEC,
                                         .daemon = (pid_t)strtol(daemon, NULL, 10) }) == 0
                       ? EXIT_SUCCESS
                       : EXIT_FAILURE;
}

static int usage(void) {
        (void)fputs("usage: hostile-client [--seed=N] [--seconds=N] [--bound-usec=N] all|random|MODE...\nmodes: quiet",
                    stderr);
        for (size_t i = 0; i < N_LISTS; i++)
                for (const Attack *a = attack_lists[i]; a->name; a++)
                        (void)fprintf(stderr, " %s", a->name);
        (void)fputc('\n', stderr);
        return 2;
}

int main(int argc, char *argv[]) {
        static const struct option options[] = {
                { "seconds", required_argument, NULL, 's' },
                { "bound-usec", required_argument, NULL, 'b' },
                { "seed", required_argument, NULL, 'r' },
                { 0 },
        };
        Settings settings = { .seconds = SECONDS };
        int option;

        while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
                if (option == 's')
                        settings.seconds = strtoull(optarg, NULL, 10);
                else if (option == 'r')
                        settings.seed = (uint32_t)strtoul(optarg, NULL, 10);
                else if (option == 'b') {
                        settings.bound_usec = strtoull(optarg, NULL, 10);
                        settings.bound_given = true;
                } else
                        return usage();
        }
        if (optind == argc || settings.seconds == 0)
                return usage();
        if (signal(SIGPIPE, SIG_IGN) == SIG_ERR || signal(SIGIO, SIG_IGN) == SIG_ERR) /* what we do to descriptors */
                return EXIT_FAILURE;
        if (optind == argc - 1 && strcmp(argv[optind], "random") == 0)
                return run_random(&settings);
        for (int i = optind; i < argc; i++)
                if (strcmp(argv[i], "all") != 0 && !find(argv[i]))
                        return usage();
        return run(&settings, argv + optind);
}
