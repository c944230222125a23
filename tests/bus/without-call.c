/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs a program that is refused one system call by a seccomp filter, as a unit may refuse it:
 *
 *   without-call NUMBER ERRNO PROGRAM [ARGUMENT...]
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

int main(int argc, char *argv[]) {
        struct sock_filter filter[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        };
        const struct sock_fprog program = { .len = sizeof(filter) / sizeof(filter[0]), .filter = filter };

        if (argc < 4) {
                (void)fprintf(stderr, "Usage: without-call NUMBER ERRNO PROGRAM [ARGUMENT...]\n");
                return 2;
        }
        filter[1].k = (unsigned)strtoul(argv[1], NULL, 10);
        filter[2].k |= (unsigned)strtoul(argv[2], NULL, 10) & SECCOMP_RET_DATA;
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0) {
                perror("without-call");
                return 77;
        }
        (void)execvp(argv[3], argv + 3);
        perror(argv[3]);
        return 127;
}
