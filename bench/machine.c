/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What /proc says; see machine.h. */
#include "bench/machine.h"

#include <dirent.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define NSEC_PER_SEC 1000000000u
/* Of both cores together. */
#define OTHERS_SHARE 0.04

uint64_t now_nsec(void) {
        struct timespec t;

        (void)clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t)t.tv_sec * NSEC_PER_SEC + (uint64_t)t.tv_nsec;
}

void sleep_until(uint64_t nsec) {
        const struct timespec time = { (time_t)(nsec / NSEC_PER_SEC), (long)(nsec % NSEC_PER_SEC) };

        (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL);
}

static FILE *open_proc(pid_t pid, pid_t tid, const char *name) {
        char path[96];

        if (tid > 0)
                (void)snprintf(path, sizeof(path), "/proc/%d/task/%d/%s", (int)pid, (int)tid, name);
        else
                (void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
        return fopen(path, "re");
}

/* ---- threads ---- */

static bool serves_frames(pid_t daemon, pid_t tid) {
        FILE *file = open_proc(daemon, tid, "comm");
        char name[32] = "";

        if (!file)
                return false;
        (void)!fgets(name, sizeof(name), file);
        (void)fclose(file);
        return strcmp(name, "frames\n") == 0;
}

typedef void ThreadVisitor(pid_t daemon, pid_t tid, void *userdata);

static void visit_threads(pid_t daemon, ThreadVisitor *visit, void *userdata) {
        struct dirent *entry;
        char path[64];
        DIR *tasks;

        (void)snprintf(path, sizeof(path), "/proc/%d/task", (int)daemon);
        tasks = opendir(path);
        while (tasks && (entry = readdir(tasks)))
                if (entry->d_name[0] != '.')
                        visit(daemon, (pid_t)strtol(entry->d_name, NULL, 10), userdata);
        if (tasks)
                (void)closedir(tasks);
}

static void pin_one(pid_t tid, int core) {
        cpu_set_t set;

        CPU_ZERO(&set);
        CPU_SET(core, &set);
        (void)sched_setaffinity(tid, sizeof(set), &set);
}

typedef struct Cores {
        int frames, others;
} Cores;

static void pin_thread(pid_t daemon, pid_t tid, void *userdata) {
        const Cores *cores = userdata;

        pin_one(tid, serves_frames(daemon, tid) ? cores->frames : cores->others);
}

void pin(pid_t daemon, int daemon_core, int own_core) {
        Cores cores = { daemon_core, daemon_core };

        visit_threads(daemon, pin_thread, &cores);
        pin_one(0, own_core);
}

void pin_planes(pid_t daemon) {
        Cores cores = { 0, 1 };

        visit_threads(daemon, pin_thread, &cores);
        pin_one(0, 0);
}

static void add_use(pid_t daemon, pid_t tid, void *userdata) {
        ThreadUse *use = userdata;
        uint64_t value;
        char line[160];
        FILE *file;

        if (!serves_frames(daemon, tid))
                return;
        file = open_proc(daemon, tid, "schedstat");
        if (file) {
                if (fgets(line, sizeof(line), file))
                        use->cpu_nsec += strtoull(line, NULL, 10);
                (void)fclose(file);
        }
        file = open_proc(daemon, tid, "status");
        while (file && fgets(line, sizeof(line), file))
                if (sscanf(line, "voluntary_ctxt_switches: %" SCNu64, &value) == 1) /* NOLINT(cert-err34-c) */
                        use->wakeups += value;
        if (file)
                (void)fclose(file);
}

ThreadUse frames_threads_use(pid_t daemon) {
        ThreadUse use = { 0 };

        visit_threads(daemon, add_use, &use);
        return use;
}

/* ---- memory ---- */

typedef enum MappingKind {
        MAPPING_ORDINARY,
        MAPPING_SECRET,
        MAPPING_STATE,
        MAPPING_RING,
} MappingKind;

static MappingKind mapping_kind(const char *line) {
        if (strstr(line, "secretmem"))
                return MAPPING_SECRET;
        if (strstr(line, "framekey-request") || strstr(line, "framekey-response"))
                return MAPPING_RING;
        return strstr(line, "memfd:") || strstr(line, "/counters") ? MAPPING_STATE : MAPPING_ORDINARY;
}

MemoryUse memory_use(pid_t daemon) {
        FILE *file = open_proc(daemon, 0, "smaps");
        MappingKind kind = MAPPING_ORDINARY;
        MemoryUse use = { 0 };
        char line[512];

        while (file && fgets(line, sizeof(line), file)) {
                uint64_t from, to, kib;

                if (sscanf(line, "%" SCNx64 "-%" SCNx64 " ", &from, &to) == 2) { /* NOLINT(cert-err34-c) */
                        kind = mapping_kind(line);
                        use.secret += kind == MAPPING_SECRET ? to - from : 0;
                } else if (sscanf(line, "Rss: %" SCNu64, &kib) == 1) { /* NOLINT(cert-err34-c) */
                        use.rings += kind == MAPPING_RING ? kib * 1024 : 0;
                        use.state += kind == MAPPING_STATE ? kib * 1024 : 0;
                } else if (sscanf(line, "Anonymous: %" SCNu64, &kib) == 1) /* NOLINT(cert-err34-c) */
                        use.anonymous += kind == MAPPING_ORDINARY ? kib * 1024 : 0;
        }
        if (file)
                (void)fclose(file);
        return use;
}

/* ---- other programs ---- */

static uint64_t tick_nsec(void) {
        return NSEC_PER_SEC / (uint64_t)sysconf(_SC_CLK_TCK);
}

/* What all of the machine has computed, and what was stolen from it. */
static uint64_t busy_nsec(void) {
        uint64_t user = 0, nice = 0, system = 0, idle, wait, irq = 0, soft = 0, steal = 0;
        FILE *file = fopen("/proc/stat", "re");

        if (!file)
                return 0;
        if (fscanf(file, /* NOLINT(cert-err34-c) */
                   "cpu %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64,
                   &user, &nice, &system, &idle, &wait, &irq, &soft, &steal) != 8)
                user = 0;
        (void)fclose(file);
        return (user + nice + system + irq + soft + steal) * tick_nsec();
}

static uint64_t usage_nsec(int who) {
        struct rusage usage;

        if (getrusage(who, &usage) < 0)
                return 0;
        return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * NSEC_PER_SEC +
               (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000;
}

static uint64_t daemon_nsec(pid_t daemon) {
        FILE *file = open_proc(daemon, 0, "stat");
        uint64_t user = 0, system = 0;

        if (!file)
                return 0;
        if (fscanf(file, /* NOLINT(cert-err34-c) */
                   "%*d %*s %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64, &user, &system) != 2)
                user = system = 0;
        (void)fclose(file);
        return (user + system) * tick_nsec();
}

static uint64_t others_nsec(pid_t daemon) {
        return busy_nsec() - usage_nsec(RUSAGE_SELF) - usage_nsec(RUSAGE_CHILDREN) - daemon_nsec(daemon);
}

Quiet quiet_begin(pid_t daemon) {
        return (Quiet){ now_nsec(), others_nsec(daemon) };
}

bool quiet_end(const Quiet *quiet, pid_t daemon) {
        double wall = (double)(now_nsec() - quiet->start_nsec) * (double)sysconf(_SC_NPROCESSORS_ONLN);
        double others = (double)(int64_t)(others_nsec(daemon) - quiet->others_nsec);

        return others < OTHERS_SHARE * wall + 2 * (double)tick_nsec();
}
