/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Processes that the demo starts: buses, daemons, ffmpeg. One thread.
 *
 * A child has an empty standard input and a process group of its own, so that Ctrl-C reaches the
 * demo alone and it can tidy up; it is killed when the demo dies in any other way.
 */
#pragma once

#include "util/util.h"

#include <signal.h>
#include <sys/types.h>

/* Whom a child runs as. */
typedef struct User {
        bool drop; /* otherwise who we are */
        uid_t uid;
        gid_t gid;
        char name[32];
} User;

typedef struct Child {
        pid_t pid; /* 0: not running */
} Child;

typedef struct ChildSetup {
        int out_fd;           /* standard output; -EBADF: nowhere */
        int err_fd;           /* standard error */
        const User *user;     /* NULL: who we are */
        const sigset_t *mask; /* signals that the child blocks */
} ChildSetup;

/* Full path of a program in $PATH, or in the usual places. 0; -ENOENT; -ENOMEM. Free it. */
int program_find(const char *name, char **ret);

/* The user for processes that need no rights: if we are root, one that can run `program`, else ourselves. */
void user_choose(User *ret, const char *program);

/* Starts argv[0], a full path. 0; negative errno, also of a failing exec. */
int child_start(Child *ret, const char *const *argv, const ChildSetup *setup);
/* Whether it has ended by itself; *ret_status as of waitpid(). */
bool child_ended(Child *child, int *ret_status);
/* Waits until it ends by itself, or for `timeout_usec`. Whether it has. */
bool child_wait(Child *child, uint64_t timeout_usec, int *ret_status);
/* Asks it to stop, and kills it if it does not; true if it stopped when asked, with status 0. Takes stopped ones. */
bool child_stop(Child *child);
/* For people: "ended with status 1", "was killed by signal 9". */
void child_describe(int status, char *text, size_t size);
/* Whether a signal waits that asks the demo to end. It blocks these signals, so that it ends in order. */
bool demo_interrupted(void);
