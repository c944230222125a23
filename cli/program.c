/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Other programs that are run for what they print.
 */
#include "cli.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

int program_start(char *const *argv, pid_t *ret_pid, FILE **ret_stream) {
        int ends[2];
        pid_t pid;

        if (pipe2(ends, O_CLOEXEC) < 0)
                return cli_fail("Cannot make a pipe: %s.", strerror(errno));
        pid = fork();
        if (pid == 0) {
                (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
                (void)setenv("SYSTEMD_COLORS", "0", 1); /* journalctl would colour JSON too */
                if (dup2(ends[1], STDOUT_FILENO) >= 0)
                        (void)execvp(argv[0], argv);
                cli_tell("Cannot run %s: %s.", argv[0], strerror(errno));
                _exit(CLI_FAILED);
        }
        (void)close(ends[1]);
        *ret_stream = pid < 0 ? NULL : fdopen(ends[0], "r");
        if (!*ret_stream)
                return cli_fail("Cannot run %s: %s.", argv[0], strerror(errno));
        *ret_pid = pid;
        return CLI_OK;
}

int program_wait(pid_t pid) {
        int status;

        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        return -1;
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
