/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Kills a process behind any of its machine instructions: the work is done in a child that is traced
 * instruction by instruction, and ended by SIGKILL after so many. What it shares with the parent is
 * then as a crash would leave it.
 */
#pragma once

#include "sanitizers.h"
#include "util/util.h"

#include <check.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#define NEVER ULONG_MAX

typedef void Work(void *argument);

/* Whether an instruction is one of the work's: sanitizers and valgrind do many for each, and that would take hours. */
_unused_ static bool can_step(void) {
        const char *preloaded = getenv("LD_PRELOAD");

        return PLAIN_MEMORY && !(preloaded && strstr(preloaded, "vgpreload"));
}

/* Starts `work` in a child that stands still before it. On one processor they take turns quickest. */
_unused_ static pid_t step_start(Work *work, void *argument) {
        cpu_set_t one;
        pid_t child;
        int status;

        CPU_ZERO(&one);
        CPU_SET((unsigned)sched_getcpu(), &one);
        (void)sched_setaffinity(0, sizeof(one), &one);
        child = fork();
        ck_assert_int_ge(child, 0);
        if (child == 0) {
                if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
                        _exit(1);
                (void)raise(SIGSTOP);
                work(argument);
                (void)raise(SIGSTOP);
                _exit(0);
        }
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_msg(WIFSTOPPED(status), "this process may not trace its child");
        return child;
}

/* One instruction. False: the work is done. */
_unused_ static bool step_once(pid_t child) {
        int status;

        ck_assert_int_eq(ptrace(PTRACE_SINGLESTEP, child, NULL, NULL), 0);
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert(WIFSTOPPED(status));
        if (WSTOPSIG(status) == SIGSTOP)
                return false; /* the second one */
        ck_assert_int_eq(WSTOPSIG(status), SIGTRAP);
        return true;
}

/* To where the work itself stands still once. */
_unused_ static void step_skip(pid_t child) {
        int status;

        ck_assert_int_eq(ptrace(PTRACE_CONT, child, NULL, NULL), 0);
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
}

_unused_ static void step_kill(pid_t child) {
        ck_assert_int_eq(kill(child, SIGKILL), 0);
        ck_assert_int_eq(waitpid(child, NULL, 0), child);
}

/* Does `work` for `n_steps` instructions. Returns how many it took; less than `n_steps`: it was done. */
_unused_ static unsigned long kill_after(Work *work, void *argument, unsigned long n_steps) {
        pid_t child = step_start(work, argument);
        unsigned long n = 0;

        while (n < n_steps && step_once(child))
                n++;
        step_kill(child);
        return n;
}

/* The same numbers at every run, so that what failed fails again. */
_unused_ static unsigned long random_below(uint64_t *seed, unsigned long limit) {
        *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        return limit > 0 ? (unsigned long)(*seed >> 33) % limit : 0;
}
