/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Lets calls of a running tests/framekeyd-faulty fail, one by one, while a call goes through its whole life:
 *
 *   fault-run SEED SAMPLES             SAMPLES of each kind of call, chosen by the seed; 0: every one
 *   fault-run PROFILE KIND FIRST LAST   those, to look at a finding
 *
 * After each failure: what was refused was refused with a proper error and works when asked again, nothing went out
 * unencrypted, a second client's call goes on, and descriptors, memory for secrets and quotas are as before.
 */
#include "tests/faults/scenario.h"

#include "util/util.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define SETTLE_ROUNDS 200u
#define SETTLE_NSEC   (20L * 1000 * 1000)

static const char *const kind_names[FAULT_KINDS] = {
        [FAULT_MEMORY] = "memory",     [FAULT_ARENA] = "arena",         [FAULT_DESCRIPTORS] = "descriptors",
        [FAULT_MAPPINGS] = "mappings", [FAULT_TRANSFERS] = "transfers", [FAULT_THREADS] = "threads",
        [FAULT_ENTROPY] = "entropy",   [FAULT_CRYPTO] = "crypto",       [FAULT_BUS] = "bus"
};
static const char *const profiles[] = { "element-call", "sframe", "dave", "jitsi" };

typedef struct Usage {
        unsigned n_fds;
        uint64_t arena;
} Usage;

typedef struct Test {
        Faults *faults;
        pid_t pid;
        sd_bus *bus;
        Call neighbour;
        unsigned n_calls;
        Usage usage;
        uint64_t random;
} Test;

static int map_faults(Faults **ret) {
        const char *path = getenv(FAULTS_ENVIRONMENT);
        _cleanup_close_ int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -EBADF;
        void *map;

        if (fd < 0)
                return -ENOENT;
        map = mmap(NULL, sizeof(Faults), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (map == MAP_FAILED)
                return -errno;
        *ret = map;
        return 0;
}

static void arm(Faults *faults, FaultKind kind, uint64_t n) {
        atomic_store(&faults->kind, FAULT_NONE);
        atomic_store(&faults->countdown, (int64_t)n);
        atomic_store(&faults->kind, kind);
}

/* ---- what the daemon holds ---- */

static unsigned count_fds(pid_t pid) {
        char path[64];
        unsigned n = 0;
        DIR *directory;

        (void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
        directory = opendir(path);
        while (directory && readdir(directory))
                n++;
        if (directory)
                (void)closedir(directory);
        return n;
}

static int read_usage(Test *test, Usage *ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const char *name;
        int r;

        r = sd_bus_call_method(test->bus, "org.framekey1", "/org/framekey1", "org.framekey1.Manager", "GetStatistics",
                               NULL, &reply, NULL);
        if (r < 0)
                return r;
        *ret = (Usage){ .n_fds = count_fds(test->pid) };
        r = sd_bus_message_enter_container(reply, 'a', "{sv}");
        while (r >= 0 && (r = sd_bus_message_enter_container(reply, 'e', "sv")) > 0) {
                r = sd_bus_message_read(reply, "s", &name);
                if (r >= 0 && strcmp(name, "arena-bytes-used") == 0)
                        r = sd_bus_message_read(reply, "v", "t", &ret->arena);
                else if (r >= 0)
                        r = sd_bus_message_skip(reply, "v");
                if (r >= 0)
                        r = sd_bus_message_exit_container(reply);
        }
        return r;
}

/* Data threads and derivers give back what they hold a little later. */
static bool settled(Test *test, Usage *ret) {
        for (unsigned i = 0; i < SETTLE_ROUNDS; i++) {
                if (read_usage(test, ret) < 0)
                        return false;
                if (ret->n_fds <= test->usage.n_fds && ret->arena <= test->usage.arena)
                        return true;
                (void)nanosleep(&(struct timespec){ .tv_nsec = SETTLE_NSEC }, NULL);
        }
        return false;
}

/* ---- one call with a failure in it ---- */

static int run_call(Test *test, const char *profile, FaultKind kind, uint64_t n) {
        /* A connection of its own: what a failed call leaves behind ends with it. */
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        Call call = { .profile = profile, .number = ++test->n_calls, .faults = test->faults };
        uint32_t before = atomic_load(&test->faults->n_struck);
        Usage now = { 0 };
        int r;

        if (sd_bus_open_system(&bus) < 0)
                return -1;
        call.bus = bus;
        arm(test->faults, kind, n);
        r = scenario_run(&call);
        arm(test->faults, FAULT_NONE, 0);
        if (r < 0)
                (void)printf("%s, %s %" PRIu64 " (%s): %s\n", profile, kind_names[kind] ? kind_names[kind] : "none", n,
                             atomic_load(&test->faults->n_struck) != before ? test->faults->struck : "none",
                             call.complaint);
        scenario_drop(&call);
        if (r < 0)
                return r;
        if (scenario_frames(&test->neighbour) < 0) {
                (void)printf("%s, %s %" PRIu64 " (%s): the neighbour's call: %s\n", profile, kind_names[kind], n,
                             test->faults->struck, test->neighbour.complaint);
                return -1;
        }
        if (kind == FAULT_NONE || settled(test, &now))
                return atomic_load(&test->faults->n_struck) != before;
        (void)printf("%s, %s %" PRIu64 " (%s, %s): %u descriptors and %" PRIu64 " bytes of the arena are held, not %u "
                     "and %" PRIu64 "\n",
                     profile, kind_names[kind], n, test->faults->struck,
                     call.n_refused > 0 ? call.refused : "nothing refused", now.n_fds, now.arena, test->usage.n_fds,
                     test->usage.arena);
        return -1;
}

static uint64_t next_random(Test *test) {
        test->random = test->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        return test->random >> 33;
}

/* A call without a failure tells how many there can be. */
static int sweep(Test *test, const char *profile, FaultKind kind, uint64_t samples) {
        uint64_t before = atomic_load(&test->faults->calls[kind]), n_calls, n_struck = 0;
        int failed = 0;

        if (run_call(test, profile, FAULT_NONE, 0) < 0)
                return 1;
        n_calls = atomic_load(&test->faults->calls[kind]) - before;
        for (uint64_t i = 1; n_calls > 0 && i <= (samples > 0 ? MIN_OF(samples, n_calls) : n_calls); i++) {
                int r = run_call(test, profile, kind, samples > 0 ? 1 + next_random(test) % n_calls : i);

                failed += r < 0;
                n_struck += r > 0;
                if (r < 0 && samples > 0)
                        return failed;
        }
        (void)printf("%s, %s: %" PRIu64 " of %" PRIu64 " calls failed, %d findings\n", profile, kind_names[kind],
                     n_struck, n_calls, failed);
        (void)fflush(stdout);
        return failed;
}

/* Arguments of a single finding. */
static int repeat(Test *test, char *argv[]) {
        FaultKind kind = FAULT_NONE + 1;
        uint64_t last = strtoull(argv[4], NULL, 10);
        int failed = 0;

        while (kind < FAULT_KINDS && strcmp(kind_names[kind], argv[2]) != 0)
                kind++;
        if (kind == FAULT_KINDS)
                return 2;
        for (unsigned i = 0; i < 2; i++)
                if (run_call(test, argv[1], FAULT_NONE, 0) < 0)
                        return 1;
        if (read_usage(test, &test->usage) < 0)
                return 1;
        for (uint64_t n = strtoull(argv[3], NULL, 10); n <= last; n++)
                failed += run_call(test, argv[1], kind, n) < 0;
        return failed > 0;
}

static int prepare(Test *test) {
        const char *pid = getenv("FRAMEKEYD_PID");

        if (!pid || map_faults(&test->faults) < 0 || !test->faults || test->faults->magic != FAULTS_MAGIC) {
                (void)fprintf(stderr, "fault-run: run me through test-faults.sh\n");
                return -1;
        }
        test->pid = (pid_t)strtol(pid, NULL, 10);
        if (sd_bus_open_system(&test->bus) < 0 || sd_bus_open_system(&test->neighbour.bus) < 0)
                return -1;
        test->neighbour.profile = "element-call";
        test->neighbour.number = 9999;
        if (scenario_begin(&test->neighbour) < 0) {
                (void)printf("the neighbour's call: %s\n", test->neighbour.complaint);
                return -1;
        }
        return 0;
}

int main(int argc, char *argv[]) {
        Test test = { 0 };
        uint64_t samples;
        int failed = 0;

        if (argc != 3 && argc != 5) {
                (void)fprintf(stderr, "Usage: fault-run SEED SAMPLES\n       fault-run PROFILE KIND FIRST LAST\n");
                return 2;
        }
        if (argc == 5)
                return prepare(&test) < 0 ? 1 : repeat(&test, argv);
        test.random = strtoull(argv[1], NULL, 10);
        samples = strtoull(argv[2], NULL, 10);
        if (prepare(&test) < 0)
                return 1;
        for (size_t p = 0; p < ELEMENTS(profiles); p++) {
                /* Twice: what is kept for the next call of its kind is there then. */
                for (unsigned i = 0; i < 2; i++)
                        if (run_call(&test, profiles[p], FAULT_NONE, 0) < 0)
                                return 1;
                if (read_usage(&test, &test.usage) < 0)
                        return 1;
                for (FaultKind kind = FAULT_NONE + 1; kind < FAULT_KINDS; kind++)
                        failed += sweep(&test, profiles[p], kind, samples);
        }
        scenario_drop(&test.neighbour);
        sd_bus_flush_close_unref(test.neighbour.bus);
        sd_bus_flush_close_unref(test.bus);
        return failed > 0;
}
