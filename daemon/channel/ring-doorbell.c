/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Doorbell and wake-up of a channel, see ring-doorbell.h. Rung on data threads. */
#include "channel/ring-doorbell.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>

/* The kernel raises this to its minimum, which a handful of hints fill: the client has not looked since the first. */
#define WAKEUP_BUFFER 1

int doorbell_new(int *ret_fd, int *ret_client_fd) {
        _cleanup_close_ int fd = -EBADF;
        int client_fd;

        fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (fd < 0)
                return -errno;
        client_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        if (client_fd < 0)
                return -errno;
        *ret_fd = take_fd(&fd);
        *ret_client_fd = client_fd;
        return 0;
}

int wakeup_new(int *ret_fd, int *ret_client_fd) {
        _cleanup_close_ int fd = -EBADF, client_fd = -EBADF;
        int pair[2], size = WAKEUP_BUFFER;

        /* A stream, so that one read() takes all hints. */
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
                return -errno;
        fd = pair[0];
        client_fd = pair[1];
        if (setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) < 0)
                return -errno;
        /* No way in: the client cannot make us keep its bytes or descriptors. */
        if (shutdown(fd, SHUT_RD) < 0)
                return -errno;
        *ret_fd = take_fd(&fd);
        *ret_client_fd = take_fd(&client_fd);
        return 0;
}

void wakeup_ring(int wakeup_fd) {
        /* EAGAIN: full, so rung already. EPIPE: the client is gone. Nothing else can be done about either. */
        (void)send(wakeup_fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

bool doorbell_is(int fd) {
        struct stat st;

        /* An eventfd is no file of any kind. */
        return fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == 0;
}

static bool socket_is(int fd, int option, int value) {
        socklen_t len = sizeof(int);
        int is;

        return getsockopt(fd, SOL_SOCKET, option, &is, &len) == 0 && is == value;
}

bool wakeup_is(int fd) {
        return socket_is(fd, SO_DOMAIN, AF_UNIX) && socket_is(fd, SO_TYPE, SOCK_STREAM);
}
