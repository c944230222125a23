/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Doorbell and wake-up of a channel, see ring-doorbell.h. Rung on data threads. */
#include "channel/ring-doorbell.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>

/* Hints between two looks at how many lie unread: rare enough to cost nothing, and fewer than fit a page. */
#define HINTS_UNLOOKED 1024u

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

int wakeup_new(Wakeup *ret, int *ret_client_fd) {
        int ends[2];

        if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) < 0)
                return -errno;
        *ret = (Wakeup){ .fd = ends[1] };
        *ret_client_fd = ends[0];
        return 0;
}

void wakeup_deinit(Wakeup *wakeup) {
        wakeup->fd = close_fd(wakeup->fd);
}

void wakeup_ring(Wakeup *wakeup) {
        int unread = 0;

        /* A client may grow its pipe to a megabyte and never read; it shall not have us fill that. One unread hint is
         * as good as many: the client has yet to take it out and to look at the ring after that. */
        if (wakeup->full || ++wakeup->n_hints % HINTS_UNLOOKED == 0) {
                wakeup->full = ioctl(wakeup->fd, FIONREAD, &unread) == 0 && unread > 0;
                if (wakeup->full)
                        return;
        }
        /* EAGAIN: shrunk and full, so rung already. EPIPE: the client is gone. Nothing else can be done about either.
         */
        (void)!write(wakeup->fd, "", 1);
}
