/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Lets calls of tests/framekeyd-faulty fail while it starts, one by one:
 *
 *   fault-start SEED SAMPLES DAEMON [ARGUMENT...]   SAMPLES of each kind of call, 0: every one
 *
 * Each time it serves all the same, and ends cleanly when asked to, or it ends by itself with one of its exit statuses
 * for that and says why. A signal never ends it.
 */
#include "tests/faults/faults.h"

#include "util/util.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WAIT_ROUNDS 6000u
#define WAIT_NSEC   (5L * 1000 * 1000)

static Faults *map_faults(void) {
        const char *path = getenv(FAULTS_ENVIRONMENT);
        _cleanup_close_ int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -EBADF;
        void *map = MAP_FAILED;

        if (fd >= 0)
                map = mmap(NULL, sizeof(Faults), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (map == MAP_FAILED || ((Faults *)map)->magic != FAULTS_MAGIC) {
                (void)fprintf(stderr, "fault-start: run me through test-start.sh\n");
                exit(2);
        }
        return map;
}

static pid_t start(char **daemon, int log) {
        pid_t pid = fork();

        if (pid != 0)
                return pid;
        (void)dup2(log, STDERR_FILENO);
        (void)execv(daemon[0], daemon);
        _exit(127);
}

/* Waits for its end; asks for it as soon as it serves. The wait status. */
static int attend(const Faults *faults, pid_t pid) {
        bool asked = false;
        int status = 0;

        for (unsigned i = 0; i < WAIT_ROUNDS; i++) {
                if (waitpid(pid, &status, WNOHANG) == pid)
                        return status;
                if (!asked && atomic_load(&faults->serving)) {
                        (void)kill(pid, SIGTERM);
                        asked = true;
                }
                (void)nanosleep(&(struct timespec){ .tv_nsec = WAIT_NSEC }, NULL);
        }
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, &status, 0);
        return status;
}

/* 0; 1: a finding. */
static int start_once(Faults *faults, char **daemon, FaultKind kind, uint64_t n) {
        FILE *log = tmpfile();
        char said[256] = "";
        int status;
        bool told = false, good;

        if (!log)
                exit(1);
        atomic_store(&faults->serving, 0);
        atomic_store(&faults->countdown, (int64_t)n);
        atomic_store(&faults->kind, kind);
        status = attend(faults, start(daemon, fileno(log)));
        atomic_store(&faults->kind, FAULT_NONE);
        rewind(log);
        /* libgcrypt may have its say before. */
        while (!told && fgets(said, sizeof(said), log))
                told = strncmp(said, "framekeyd: ", 11) == 0;
        (void)fclose(log);
        /* 2, 6 and 7 are the user's doing. */
        good = WIFEXITED(status) && (WEXITSTATUS(status) == 0 || (strchr("\1\3\4\5", WEXITSTATUS(status)) && told));
        if (!good)
                (void)printf("kind %d, call %" PRIu64 " (%s): %s %d; it said: %s\n", (int)kind, n, faults->struck,
                             WIFEXITED(status) ? "exit status" : "signal",
                             WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status), said);
        return !good;
}

int main(int argc, char *argv[]) {
        Faults *faults = map_faults();
        uint64_t random, samples;
        int failed = 0;

        if (argc < 4) {
                (void)fprintf(stderr, "Usage: fault-start SEED SAMPLES DAEMON [ARGUMENT...]\n");
                return 2;
        }
        random = strtoull(argv[1], NULL, 10);
        samples = strtoull(argv[2], NULL, 10);
        for (FaultKind kind = FAULT_NONE + 1; kind < FAULT_KINDS; kind++) {
                uint64_t before = atomic_load(&faults->calls[kind]), n_calls;

                failed += start_once(faults, argv + 3, FAULT_NONE, 0);
                n_calls = atomic_load(&faults->calls[kind]) - before;
                for (uint64_t i = 1; n_calls > 0 && i <= (samples > 0 ? MIN_OF(samples, n_calls) : n_calls); i++) {
                        random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
                        failed += start_once(faults, argv + 3, kind, samples > 0 ? 1 + (random >> 33) % n_calls : i);
                }
                (void)printf("kind %d: %" PRIu64 " calls, %d findings so far\n", (int)kind, n_calls, failed);
                (void)fflush(stdout);
        }
        return failed > 0;
}
