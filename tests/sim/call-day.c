/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A day of a call: 50 participants, 24 hours, simulated, through the real key layer with the real
 * libgcrypt. See call.h. A failure says how to repeat it:
 *
 *   call-day [--seed=N] [--participants=N] [--hours=N] [--variant=bytes|passphrase]
 */
#include "tests/sim/call.h"

#include "crypto/arena.h"

#include <getopt.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <sys/resource.h>

#define ARENA_SIZE     (256u * 1024u * 1024u)
#define FEW_ITERATIONS 10u
/* What libgcrypt keeps for itself once it was used. No key of ours is as small with what belongs to it. */
#define KEPT_MAX 512u

typedef struct Options {
        uint64_t seed;
        unsigned participants; /* 0: each call's own number */
        uint64_t hours;
        const char *variant; /* NULL: all */
} Options;

static const CallConfig calls[] = {
        { .name = "bytes", .n_hosts = 50 },
        { .name = "passphrase", .n_hosts = 50, .shared = true, .iterations = FEW_ITERATIONS },
        { .name = "passphrase", .n_hosts = 2, .shared = true }, /* with the peers' 100,000 iterations */
};

static double cpu_seconds(void) {
        struct rusage usage;

        (void)getrusage(RUSAGE_SELF, &usage);
        return (double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec +
               (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void print_stats(const CallConfig *config, const Stats *s, double seconds) {
        (void)printf("%s: %u participants (%.1f present on average), %" PRIu64 " h, seed %" PRIu64
                     ", digest %016" PRIx64 "\n",
                     config->name, config->n_hosts, s->audits > 0 ? (double)s->present / (double)s->audits : 0,
                     config->hours, config->seed, report_digest());
        (void)printf("  people: %" PRIu64 " joins, %" PRIu64 " leaves, %" PRIu64 " mutes, %" PRIu64
                     " times out of sight, %" PRIu64 " suspends, %" PRIu64 " app restarts, %" PRIu64
                     " jumps of the date\n",
                     s->joins, s->leaves, s->mutes, s->deaf, s->sleeps, s->restarts, s->jumps);
        (void)printf("  keys: %" PRIu64 " steps, %" PRIu64 " rotations (%" PRIu64 " asked for), %" PRIu64
                     " handed over, %" PRIu64 " generations wiped, %" PRIu64 " stalls helped by %" PRIu64
                     " requests, everybody followed %" PRIu64 " times\n",
                     s->steps, s->rotations, s->requests, s->handed, s->wiped, s->stalled, s->rehanded,
                     s->all_followed);
        (void)printf("  frames: %" PRIu64 " sealed, %" PRIu64 " opened (%" PRIu64 " of them in their grace), %" PRIu64
                     " lost by the network, %" PRIu64 " refused by the rules, %" PRIu64 " replays and %" PRIu64
                     " bogus ones refused, %" PRIu64 " undecided\n",
                     s->sealed, s->opened, s->graced, s->lost, s->refused, s->replays, s->bogus, s->either);
        (void)printf("  %" PRIu64 " times a receiver was found in step 2 s after it; %.1f s of CPU\n", s->checks,
                     seconds);
}

static void run_one(const CallConfig *variant, const Options *options) {
        CallConfig config = *variant;
        double before = cpu_seconds();
        char command[160];
        Stats stats;

        config.seed = options->seed;
        config.hours = options->hours;
        if (options->participants > 0 && config.n_hosts > 2)
                config.n_hosts = options->participants;
        (void)snprintf(command, sizeof(command),
                       "call-day --seed=%" PRIu64 " --participants=%u --hours=%" PRIu64 " --variant=%s", config.seed,
                       config.n_hosts, config.hours, config.name);
        world_start(config.seed);
        report_start(command);
        call_run(&config, &stats);
        if (world_n_realtime_reads() > 0)
                report_fail(REPORT_NOBODY, REPORT_NOBODY, "the key layer asks for the date");
        if (arena_in_use(arena_installed()) > KEPT_MAX)
                report_fail(REPORT_NOBODY, REPORT_NOBODY, "%zu bytes of secrets are left",
                            arena_in_use(arena_installed()));
        print_stats(&config, &stats, cpu_seconds() - before);
        (void)fflush(stdout);
}

/* All wait for one another all the time: on one CPU that takes half the time of two. */
static void stay_on_one_cpu(uint64_t seed) {
        cpu_set_t allowed, one;
        int nth;

        if (sched_getaffinity(0, sizeof(allowed), &allowed) < 0)
                return;
        nth = (int)(seed % (uint64_t)CPU_COUNT(&allowed));
        for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
                if (CPU_ISSET(cpu, &allowed) && nth-- == 0) {
                        CPU_ZERO(&one);
                        CPU_SET(cpu, &one);
                        (void)sched_setaffinity(0, sizeof(one), &one); /* it only takes longer without */
                        return;
                }
}

static void usage(void) {
        (void)fprintf(stderr, "call-day [--seed=N] [--participants=N] [--hours=N] [--variant=bytes|passphrase]\n");
        exit(EXIT_FAILURE);
}

static uint64_t number(const char *text, uint64_t least, uint64_t most) {
        char *end;
        uint64_t n;

        errno = 0;
        n = strtoull(text, &end, 0);
        if (errno != 0 || end == text || *end != 0 || n < least || n > most)
                usage();
        return n;
}

static void parse(int argc, char **argv, Options *ret) {
        static const struct option names[] = {
                { "seed", required_argument, NULL, 's' },
                { "participants", required_argument, NULL, 'p' },
                { "hours", required_argument, NULL, 'h' },
                { "variant", required_argument, NULL, 'v' },
                { 0 },
        };
        const char *sanitizers = getenv("enable_sanitizers");
        int c;

        /* A sanitized build takes many times as long. */
        *ret = (Options){ .seed = 1, .hours = sanitizers && strcmp(sanitizers, "no") != 0 ? 3 : 24 };
        while ((c = getopt_long(argc, argv, "", names, NULL)) >= 0)
                switch (c) {
                case 's':
                        ret->seed = number(optarg, 0, UINT64_MAX);
                        break;
                case 'p':
                        ret->participants = (unsigned)number(optarg, 2, HOSTS_MAX);
                        break;
                case 'h':
                        ret->hours = number(optarg, 1, 1000);
                        break;
                case 'v':
                        ret->variant = optarg;
                        break;
                default:
                        usage();
                }
        if (optind < argc)
                usage();
}

int main(int argc, char **argv) {
        bool any = false;
        Options options;
        Arena *arena;

        parse(argc, argv, &options);
        stay_on_one_cpu(options.seed);
        if (arena_new(&arena, ARENA_SIZE, ARENA_PROTECTION_LOCKED) < 0) {
                (void)fprintf(stderr, "call-day needs %u MiB of locked memory; raise RLIMIT_MEMLOCK\n",
                              ARENA_SIZE >> 20);
                return 77;
        }
        MUST(arena_install(arena) == 0);
        for (size_t i = 0; i < ELEMENTS(calls); i++)
                if (!options.variant || strcmp(options.variant, calls[i].name) == 0) {
                        any = true;
                        run_one(&calls[i], &options);
                }
        if (!any)
                usage();
        return EXIT_SUCCESS;
}
