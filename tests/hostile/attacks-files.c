/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What else can be done to the files behind the descriptors: none of it may reach the daemon's end. */
#include "hostile.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define BYTES 65536u

/* Half of a channel's files may be written by its client; the others, and the size of all, are the daemon's. */
static int expect_size(const RawChannel *raw) {
        struct stat request, response;

        if (fstat(raw->fds[RAW_REQUEST], &request) < 0 || fstat(raw->fds[RAW_RESPONSE], &response) < 0)
                return failed("no fstat: %s", strerror(errno));
        if (request.st_size != raw->layout.request_size || response.st_size != raw->layout.response_size)
                return failed("a region changed its size");
        return 0;
}

static int resize(Stage *stage, RawChannel *raw) {
        int fd = raw->fds[stage_random(stage) % 2 ? RAW_REQUEST : RAW_RESPONSE];
        off_t size = (off_t)(stage_random(stage) % (2 * raw->layout.request_size));

        if (ftruncate(fd, size) == 0 && size != raw->layout.request_size && size != raw->layout.response_size)
                return failed("a region could be cut or grown");
        (void)fallocate(fd, 0, size, (off_t)raw->layout.request_size);
        (void)fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE);
        if (fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE) == 0)
                return failed("a client could seal a region");
        return expect_size(raw);
}

/* Every way to bytes that only the daemon writes. */
static int write_response(Stage *stage, RawChannel *raw) {
        int fd = raw->fds[RAW_RESPONSE];
        size_t size = raw->layout.response_size;
        void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

        if (map != MAP_FAILED)
                return failed("the response region can be mapped for writing");
        if (mprotect((void *)raw->response, size, PROT_READ | PROT_WRITE) == 0)
                return failed("the response region's mapping can be made writable");
        if (pwrite(fd, "", 1, (off_t)(stage_random(stage) % size)) >= 0)
                return failed("the response region can be written");
        if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)size) == 0)
                return failed("holes can be punched in the response region");
        if (madvise((void *)raw->response, size, MADV_REMOVE) == 0)
                return failed("the response region can be removed");
        return 0;
}

/* Who is of the daemon's uid, root, or the file's owner, may open it: then only the seal holds. */
static int reopen(Stage *stage, RawChannel *raw) {
        char path[64];
        void *map;
        int fd;

        (void)stage;
        if (getuid() != 0 && fchmod(raw->fds[RAW_RESPONSE], 0666) == 0 &&
            fcntl(raw->fds[RAW_RESPONSE], F_GET_SEALS) < 0)
                return failed("the response region's mode can be changed");
        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", raw->fds[RAW_RESPONSE]);
        fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK); /* there may be a lease */
        if (fd < 0)
                return 0;
        map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (map != MAP_FAILED) {
                (void)munmap(map, 4096);
                /* A channel that shall outlive the daemon has no seal, and a client of its own uid gets in. */
                if (getuid() != raw->daemon_uid && getuid() != 0)
                        map = NULL;
        }
        (void)close(fd);
        return map ? 0 : failed("the response region can be opened for writing");
}

static int lock_and_lease(Stage *stage, RawChannel *raw) {
        int fd = raw->fds[stage_random(stage) % RAW_N_FDS];
        struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

        (void)flock(fd, LOCK_EX | LOCK_NB);
        (void)fcntl(fd, F_SETLK, &whole);
        (void)fcntl(fd, F_OFD_SETLK, &whole);
        (void)fcntl(fd, F_SETLEASE, F_WRLCK);
        (void)fcntl(fd, F_NOTIFY, DN_MODIFY | DN_MULTISHOT);
        (void)lseek(fd, (off_t)stage_random(stage), SEEK_SET);
        return 0;
}

static int signal_io(Stage *stage, RawChannel *raw) {
        int fd = raw->fds[stage_random(stage) % 2 ? RAW_DOORBELL : RAW_WAKEUP];

        (void)fcntl(fd, F_SETSIG, 0);
        (void)fcntl(fd, F_SETOWN, getpid());
        (void)fcntl(fd, F_SETFL, O_ASYNC | (stage_random(stage) % 2 ? O_NONBLOCK : 0) | O_APPEND);
        (void)fcntl(fd, F_SETPIPE_SZ, 1 << 20);
        (void)fcntl(fd, F_SETFL, O_NONBLOCK);
        return 0;
}

static int splice_about(Stage *stage, RawChannel *raw) {
        int pipes[2], from = raw->fds[stage_random(stage) % RAW_N_FDS], to = raw->fds[stage_random(stage) % RAW_N_FDS];
        unsigned flags = SPLICE_F_NONBLOCK | SPLICE_F_MOVE;
        loff_t offset = FRAMEKEY_ABI_HEADER_SIZE;

        if (pipe2(pipes, O_CLOEXEC | O_NONBLOCK) < 0)
                return failed("no pipe: %s", strerror(errno));
        (void)fcntl(raw->fds[RAW_WAKEUP], F_SETFL, O_NONBLOCK);
        (void)fcntl(raw->fds[RAW_DOORBELL], F_SETFL, O_NONBLOCK);
        (void)splice(from, from == raw->fds[RAW_REQUEST] ? &offset : NULL, pipes[1], NULL, BYTES, flags);
        (void)splice(pipes[0], NULL, to, to == raw->fds[RAW_REQUEST] ? &offset : NULL, BYTES, flags);
        (void)splice(from, NULL, to, NULL, BYTES, flags);
        (void)close(pipes[0]);
        (void)close(pipes[1]);
        return expect_size(raw);
}

/* Nothing goes in through the wake-up, neither bytes nor descriptors, which the daemon would have to keep. */
static int push_into_wakeup(Stage *stage, RawChannel *raw) {
        int fd = raw->fds[RAW_WAKEUP], size = (int)(stage_random(stage) % (1u << 24)), one = 1;
        char byte = 0, control[CMSG_SPACE(sizeof(int))] = { 0 };
        struct iovec iov = { &byte, 1 };
        struct msghdr message = {
                .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
        };
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);

        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(header), &fd, sizeof(fd));
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
        (void)setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one));
        (void)setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &one, sizeof(one));
        if (sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0 ||
            send(fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
                return failed("the wake-up takes what a client sends");
        return 0;
}

static int unmap_and_remove(Stage *stage, RawChannel *raw) {
        size_t from = FRAMEKEY_ABI_HEADER_SIZE, size = raw->layout.request_size - from;
        uint8_t *slots = (uint8_t *)raw->request + from;

        (void)madvise(slots, size, stage_random(stage) % 2 ? MADV_REMOVE : MADV_DONTNEED);
        (void)madvise(slots, size, MADV_PAGEOUT);
        (void)mprotect(slots, size, PROT_NONE);
        (void)mprotect(slots, size, PROT_READ | PROT_WRITE);
        return expect_size(raw);
}

static int (*const tricks[])(Stage *, RawChannel *) = {
        resize, write_response, reopen, lock_and_lease, signal_io, splice_about, push_into_wakeup, unmap_and_remove,
};

#define N_TRICKS (sizeof(tricks) / sizeof(*tricks))

/* None of them is forbidden, and the channel goes on as before. */
static int misuse_files(Stage *stage) {
        RawChannel raw;
        int r = raw_open(&raw, stage->session);

        while (r == 0 && stage_goes_on(stage)) {
                r = tricks[stage_random(stage) % N_TRICKS](stage, &raw);
                if (r == 0)
                        r = raw_refresh(&raw);
                if (r == 0)
                        r = raw_round_trip(&raw, 300);
                stage->tally.n_frames += 2;
        }
        raw_close(&raw);
        return r;
}

/* The client's end of the wake-up shut in three ways: whichever it is, the daemon does not wait for it. */
static int shut_wakeup(Stage *stage) {
        static const int ways[] = { SHUT_RD, SHUT_WR, SHUT_RDWR };

        while (stage_goes_on(stage)) {
                int way = ways[stage_random(stage) % 3], r;
                RawChannel raw;

                r = raw_open(&raw, stage->session);
                if (r == 0) {
                        r = raw_round_trip(&raw, 50);
                        stage->tally.n_frames += 2;
                        (void)shutdown(raw.fds[RAW_WAKEUP], way);
                        __atomic_store_n(&raw.request->reap.completion_want, raw.reaped, __ATOMIC_SEQ_CST);
                        raw_push(&raw, raw.encrypt, 0, 50);
                        raw_submit(&raw);
                        raw_ring(&raw);
                        if (r == 0 && way != SHUT_WR) /* else we listen still */
                                r = raw_wait_gone(&raw);
                }
                raw_close(&raw);
                if (r < 0)
                        return -1;
        }
        return 0;
}

/* So many mappings of one region that the kernel takes long to punch a hole in it. The daemon's own mapping waits for
 * that as for any file, so what others lose by it is measured here and bounded by the victim's p99. */
#define MAPPINGS 30000u

static int punch_what_is_mapped_often(Stage *stage) {
        void **maps = calloc(MAPPINGS, sizeof(*maps));
        uint32_t n = 0;
        RawChannel raw;
        int r;

        if (!maps)
                return failed("out of memory");
        r = raw_open(&raw, stage->session);
        for (; r == 0 && n < MAPPINGS; n++) {
                maps[n] = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, raw.fds[RAW_REQUEST], 0);
                if (maps[n] == MAP_FAILED) /* vm.max_map_count */
                        break;
                *((volatile uint8_t *)maps[n] + FRAMEKEY_ABI_HEADER_SIZE);
        }
        if (r == 0 && n < MAPPINGS / 2)
                r = failed("only %u mappings: this proves nothing", n);
        while (r == 0 && stage_goes_on(stage)) {
                struct framekey_abi_completion c;

                raw_push(&raw, raw.encrypt, 0, 100);
                raw_submit(&raw);
                (void)fallocate(raw.fds[RAW_REQUEST], FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                FRAMEKEY_ABI_HEADER_SIZE, 4096);
                if (raw_wait_pop(&raw, &c) < 0 || stage_check(stage, &raw, &c) < 0)
                        r = -1;
                for (uint32_t i = 0; i < n && stage_goes_on(stage); i++)
                        *((volatile uint8_t *)maps[i] + FRAMEKEY_ABI_HEADER_SIZE);
        }
        while (n-- > 0)
                (void)munmap(maps[n], 8192);
        free(maps);
        raw_close(&raw);
        return r;
}

const Attack attacks_on_files[] = {
        { "misused-files", misuse_files },
        { "shut-wakeup", shut_wakeup },
        { "many-mappings", punch_what_is_mapped_often },
        { NULL, NULL },
};
