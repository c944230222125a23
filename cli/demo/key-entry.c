/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The process that knows a key; see key-entry.h. */
#include "cli/demo/key-entry.h"

#include "cli/demo/stopwatch.h"
#include "util/util.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* 28 letters of 5 bits: more than the 128 bits of the key that is derived from them. */
#define GROUPS         7u
#define GROUP_LEN      4u
#define PASSPHRASE_LEN (GROUPS * GROUP_LEN + GROUPS - 1u)
/* What DAVE takes, and SFrame too. */
#define BYTES_LEN 16u

/* Letters that people do not take for others. */
static void make_passphrase(char text[PASSPHRASE_LEN], const uint8_t random[PASSPHRASE_LEN]) {
        static const char letters[] = "abcdefghijkmnpqrstuvwxyz23456789";

        _Static_assert(sizeof(letters) == 33, "five bits a letter, none more likely than another");
        for (size_t i = 0; i < PASSPHRASE_LEN; i++)
                text[i] = i % (GROUP_LEN + 1) == GROUP_LEN ? '-' : letters[random[i] & 31];
}

/* The whole life of the process. It shall leave no core and be nobody's to look into. */
static int enter(KeyKind kind, const int fds[2]) {
        struct {
                uint8_t random[PASSPHRASE_LEN];
                char text[PASSPHRASE_LEN];
        } secret;
        const void *key = kind == KEY_BYTES ? (const void *)secret.random : secret.text;
        ssize_t len = kind == KEY_BYTES ? BYTES_LEN : PASSPHRASE_LEN;
        int r = 1;

        if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 }) < 0)
                return 1;
        if (mlock(&secret, sizeof(secret)) < 0) /* it must not reach swap space */
                return 1;
        if (getrandom(secret.random, sizeof(secret.random), 0) == (ssize_t)sizeof(secret.random)) {
                make_passphrase(secret.text, secret.random);
                /* A pipe takes so few bytes at once. */
                r = write(fds[0], key, (size_t)len) != len || write(fds[1], key, (size_t)len) != len;
        }
        explicit_bzero(&secret, sizeof(secret));
        return r;
}

int key_entry(KeyKind kind, int ret_fds[2], uint64_t *ret_usec) {
        _cleanup_close_ int read_a = -EBADF, write_a = -EBADF, read_b = -EBADF, write_b = -EBADF;
        uint64_t begun = monotonic_usec();
        int fds[2], status;
        pid_t pid;

        if (pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        read_a = fds[0];
        write_a = fds[1];
        if (pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        read_b = fds[0];
        write_b = fds[1];

        pid = fork();
        if (pid < 0)
                return -errno;
        if (pid == 0)
                _exit(enter(kind, (int[]){ write_a, write_b }));
        if (waitpid(pid, &status, 0) != pid)
                return -errno;
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
                return -EIO;
        *ret_usec = monotonic_usec() - begun;
        ret_fds[0] = take_fd(&read_a);
        ret_fds[1] = take_fd(&read_b);
        return 0;
}
