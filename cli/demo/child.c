/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fork, exec and wait; see child.h. */
#include "cli/demo/child.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>

/* A daemon that is asked to stop finishes the derivation in hand first, at the lowest priority, and wipes its keys:
 * milliseconds, but seconds where something else wants every processor. */
#define STOP_USEC (30 * USEC_PER_SEC)
/* Where programs are that $PATH may lack, as root's often does for a user. */
#define USUAL_PLACES "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"

static int find_in(const char *places, const char *name, char **ret) {
        for (const char *place = places; *place;) {
                size_t len = strcspn(place, ":");
                char *path;

                if (len > 0) {
                        if (asprintf(&path, "%.*s/%s", (int)len, place, name) < 0)
                                return -ENOMEM;
                        if (access(path, X_OK) == 0) {
                                *ret = path;
                                return 0;
                        }
                        free(path);
                }
                place += len + (place[len] == ':');
        }
        return -ENOENT;
}

int program_find(const char *name, char **ret) {
        const char *places = getenv("PATH");
        int r;

        r = places ? find_in(places, name, ret) : -ENOENT;
        return r == -ENOENT ? find_in(USUAL_PLACES, name, ret) : r;
}

static int become(const User *user) {
        if (!user || !user->drop)
                return 0;
        if (setgroups(0, NULL) < 0 || setresgid(user->gid, user->gid, user->gid) < 0 ||
            setresuid(user->uid, user->uid, user->uid) < 0)
                return -errno;
        return 0;
}

void user_choose(User *ret, const char *program) {
        const struct passwd *entry;
        int status;
        pid_t pid;

        *ret = (User){ .uid = geteuid(), .gid = getegid() };
        entry = getpwuid(ret->uid);
        (void)snprintf(ret->name, sizeof(ret->name), "%s", entry ? entry->pw_name : "?");
        entry = ret->uid == 0 ? getpwnam("nobody") : NULL;
        if (!entry || entry->pw_uid == 0)
                return;

        User nobody = { .drop = true, .uid = entry->pw_uid, .gid = entry->pw_gid, .name = "nobody" };

        /* A build in somebody's home directory may be out of that user's reach: only trying tells. */
        pid = fork();
        if (pid < 0)
                return;
        if (pid == 0)
                _exit(become(&nobody) == 0 && access(program, X_OK) == 0 ? 0 : 1);
        if (waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0)
                *ret = nobody;
}

static int redirect(const ChildSetup *setup) {
        _cleanup_close_ int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        int out = setup->out_fd >= 0 ? setup->out_fd : null, err = setup->err_fd >= 0 ? setup->err_fd : null;

        if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 || dup2(err, STDERR_FILENO) < 0)
                return -errno;
        return 0;
}

/* In the child: everything between fork and exec. Returns only if something fails. */
static int child_exec(const char *const *argv, const ChildSetup *setup, pid_t parent) {
        int r;

        r = become(setup->user);
        if (r < 0)
                return r;
        /* After the change of user, which clears it; and the parent may have died before. */
        if (prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0) < 0 || setpgid(0, 0) < 0)
                return -errno;
        if (getppid() != parent)
                return -ECANCELED;
        r = redirect(setup);
        if (r < 0)
                return r;
        if (signal(SIGPIPE, SIG_DFL) == SIG_ERR || sigprocmask(SIG_SETMASK, setup->mask, NULL) < 0)
                return -errno;
        execv(argv[0], (char *const *)argv);
        return -errno;
}

int child_start(Child *ret, const char *const *argv, const ChildSetup *setup) {
        _cleanup_close_ int result = -EBADF, report = -EBADF;
        pid_t parent = getpid(), pid;
        int fds[2], r = 0;
        ssize_t n;

        /* The write end closes with a successful exec, so reading to the end tells how it went. */
        if (pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        result = fds[0];
        report = fds[1];
        pid = fork();
        if (pid < 0)
                return -errno;
        if (pid == 0) {
                r = child_exec(argv, setup, parent);
                (void)!write(report, &r, sizeof(r)); /* if this fails too, the parent notices that we ended */
                _exit(127);
        }

        close_p(&report);
        do
                n = read(result, &r, sizeof(r));
        while (n < 0 && errno == EINTR);
        if (n == (ssize_t)sizeof(r)) {
                (void)waitpid(pid, NULL, 0);
                return r;
        }
        ret->pid = pid;
        return 0;
}

bool child_ended(Child *child, int *ret_status) {
        if (child->pid <= 0 || waitpid(child->pid, ret_status, WNOHANG) != child->pid)
                return false;
        child->pid = 0;
        return true;
}

bool child_wait(Child *child, uint64_t timeout_usec, int *ret_status) {
        _cleanup_close_ int fd = -EBADF;
        struct pollfd end;

        if (child->pid <= 0)
                return false;
        fd = pidfd_open(child->pid, 0);
        if (fd < 0)
                return false;
        end = (struct pollfd){ .fd = fd, .events = POLLIN };
        (void)poll(&end, 1, (int)(timeout_usec / USEC_PER_MSEC)); /* what counts is whether it has ended */
        return child_ended(child, ret_status);
}

bool child_stop(Child *child) {
        int status = 0;

        if (child->pid <= 0)
                return true;
        (void)kill(child->pid, SIGTERM); /* it is not reaped, so the number is still its own */
        if (child_wait(child, STOP_USEC, &status))
                return WIFEXITED(status) && WEXITSTATUS(status) == 0;
        (void)kill(child->pid, SIGKILL);
        (void)waitpid(child->pid, &status, 0);
        child->pid = 0;
        return false;
}

void child_describe(int status, char *text, size_t size) {
        if (WIFEXITED(status))
                (void)snprintf(text, size, "ended with status %d", WEXITSTATUS(status));
        else
                (void)snprintf(text, size, "was killed by signal %d", WTERMSIG(status));
}

bool demo_interrupted(void) {
        sigset_t pending;

        return sigpending(&pending) == 0 && (sigismember(&pending, SIGINT) == 1 ||
                                             sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGHUP) == 1);
}
