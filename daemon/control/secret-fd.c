/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A client's pipe is drained through a pipe of our own:
 *
 *   client's pipe --splice(NONBLOCK)--> own pipe --read--> arena
 *
 * because O_NONBLOCK of the client's pipe lies in a description it shares with us: it could clear
 * the flag between our poll and our read, and the read would hang the daemon. splice() takes the
 * wish as an argument, and only moves page references; the read is of a description nobody else has.
 */
#include "control/secret-fd.h"

#include <fcntl.h>
#include <sys/stat.h>

#define SEALS_WANTED (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

struct SecretRead {
        int fd;
        int own[2]; /* the pipe between; -EBADF for a memfd */
        Secret *buffer;
        size_t len;
        sd_event_source *input; /* the pipe's io, or a memfd's deferred read */
        sd_event_source *deadline;
        SecretReadDone done;
        void *userdata;
};

SecretRead *secret_read_free(SecretRead *reading) {
        if (!reading)
                return NULL;
        sd_event_source_disable_unref(reading->input);
        sd_event_source_disable_unref(reading->deadline);
        (void)secret_free(reading->buffer);
        (void)close_fd(reading->own[0]);
        (void)close_fd(reading->own[1]);
        (void)close_fd(reading->fd);
        free(reading);
        return NULL;
}

static void finish(SecretRead *reading, int result) {
        _cleanup_(secret_free_p) Secret *secret = NULL;

        (void)sd_event_source_set_enabled(reading->input, SD_EVENT_OFF);
        if (reading->deadline)
                (void)sd_event_source_set_enabled(reading->deadline, SD_EVENT_OFF);
        if (result == 0 && reading->len == 0)
                result = SECRET_READ_EMPTY;
        if (result == 0)
                result = secret_new_copy(&secret, reading->buffer->bytes, reading->len);
        reading->buffer = secret_free(reading->buffer);
        reading->done(reading, result, take_ptr(secret), reading->userdata);
}

typedef enum Drained {
        DRAINED_END,
        DRAINED_MORE,
        DRAINED_TOO_LONG,
        DRAINED_FAILED,
} Drained;

/* Takes what the pipe holds now. */
static Drained drain(SecretRead *reading) {
        size_t room = SECRET_MAX - reading->len;
        ssize_t moved, n;

        /* One byte more than there is room for tells a secret of the full length from one that is too long. */
        moved = splice(reading->fd, NULL, reading->own[1], NULL, room + 1, SPLICE_F_NONBLOCK);
        if (moved == 0)
                return DRAINED_END;
        if (moved < 0)
                return errno == EAGAIN || errno == EINTR ? DRAINED_MORE : DRAINED_FAILED;
        if ((size_t)moved > room)
                return DRAINED_TOO_LONG;
        for (ssize_t left = moved; left > 0; left -= n) {
                n = read(reading->own[0], reading->buffer->bytes + reading->len, (size_t)left);
                if (n <= 0)
                        return DRAINED_FAILED;
                reading->len += (size_t)n;
        }
        return DRAINED_MORE;
}

static int on_readable(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        SecretRead *reading = userdata;

        switch (drain(reading)) {
        case DRAINED_MORE:
                return 0;
        case DRAINED_END:
                finish(reading, 0);
                return 0;
        case DRAINED_TOO_LONG:
                finish(reading, SECRET_READ_TOO_LONG);
                return 0;
        default:
                finish(reading, SECRET_READ_FAILED);
                return 0;
        }
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata) {
        finish(userdata, SECRET_READ_TIMEOUT);
        return 0;
}

/* The size of a sealed memfd is fixed, and so are its bytes. */
static int on_memfd(sd_event_source *source, void *userdata) {
        SecretRead *reading = userdata;
        struct stat st;
        ssize_t n;

        if (fstat(reading->fd, &st) < 0) {
                finish(reading, SECRET_READ_FAILED);
                return 0;
        }
        if (st.st_size > (off_t)SECRET_MAX) {
                finish(reading, SECRET_READ_TOO_LONG);
                return 0;
        }
        n = pread(reading->fd, reading->buffer->bytes, (size_t)st.st_size, 0);
        if (n != st.st_size) {
                finish(reading, SECRET_READ_FAILED);
                return 0;
        }
        reading->len = (size_t)n;
        finish(reading, 0);
        return 0;
}

static int start_pipe(SecretRead *reading, sd_event *event) {
        int r;

        if (pipe2(reading->own, O_CLOEXEC | O_NONBLOCK) < 0)
                return -errno;
        r = sd_event_add_time_relative(event, &reading->deadline, CLOCK_MONOTONIC, SECRET_READ_USEC, USEC_PER_MSEC,
                                       on_deadline, reading);
        if (r < 0)
                return r;
        return sd_event_add_io(event, &reading->input, reading->fd, EPOLLIN, on_readable, reading);
}

/* Which way to read a descriptor: S_IFIFO, S_IFREG for a sealed memfd, 0 for none. */
static mode_t kind_of(int fd) {
        struct stat st;
        int flags, seals;

        flags = fcntl(fd, F_GETFL);
        if (flags < 0 || fstat(fd, &st) < 0)
                return 0;
        if ((flags & O_ACCMODE) == O_WRONLY || (flags & O_PATH) != 0)
                return 0;
        if (S_ISFIFO(st.st_mode))
                return S_IFIFO;
        if (!S_ISREG(st.st_mode))
                return 0;
        seals = fcntl(fd, F_GET_SEALS);
        return seals >= 0 && (seals & SEALS_WANTED) == SEALS_WANTED ? S_IFREG : 0;
}

int secret_read_new(SecretRead **ret, sd_event *event, int fd, SecretReadDone done, void *userdata) {
        _cleanup_(secret_read_free_p) SecretRead *reading = NULL;
        mode_t kind = kind_of(fd);
        int r;

        if (kind == 0)
                return SECRET_READ_KIND;
        reading = calloc(1, sizeof(*reading));
        if (!reading)
                return -ENOMEM;
        *reading = (SecretRead){ .fd = -EBADF, .own = { -EBADF, -EBADF }, .done = done, .userdata = userdata };
        r = secret_new(&reading->buffer, SECRET_MAX);
        if (r < 0)
                return r;
        reading->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        if (reading->fd < 0)
                return -errno;

        r = kind == S_IFIFO ? start_pipe(reading, event)
                            : sd_event_add_defer(event, &reading->input, on_memfd, reading);
        if (r < 0)
                return r;
        *ret = take_ptr(reading);
        return 0;
}
