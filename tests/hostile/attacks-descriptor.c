/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Attacks through the file descriptors and by the way a client dies. */
#include "hostile.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- doorbell ---- */

typedef struct Flood {
        int fd;
        atomic_bool stop;
} Flood;

static void *flood_main(void *userdata) {
        Flood *flood = userdata;

        while (!atomic_load(&flood->stop))
                (void)eventfd_write(flood->fd, 1);
        return NULL;
}

static int flood_doorbell(Stage *stage) {
        Flood flood = { 0 };
        pthread_t thread;
        RawChannel raw;
        int r = raw_open(&raw, stage->session);

        flood.fd = raw.fds[RAW_DOORBELL];
        if (r == 0 && pthread_create(&thread, NULL, flood_main, &flood) != 0)
                r = failed("cannot start a thread");
        else if (r == 0) {
                for (; r == 0 && stage_goes_on(stage); stage->tally.n_frames += 2)
                        r = raw_round_trip(&raw, 500);
                atomic_store(&flood.stop, true);
                (void)pthread_join(thread, NULL);
        }
        raw_close(&raw);
        return r;
}

/* Rings, and takes the count back before the daemon may get to it: whoever reads then, sleeps. */
static void ring_and_steal(int fd) {
        eventfd_t counter;
        struct iovec iov = { &counter, sizeof(counter) };

        (void)fcntl(fd, F_SETFL, 0);
        for (unsigned i = 0; i < 100; i++) {
                (void)eventfd_write(fd, 1);
                (void)preadv2(fd, &iov, 1, -1, RWF_NOWAIT); /* ours does not */
        }
}

/* Whoever writes then, sleeps. */
static void fill_counter(int fd) {
        eventfd_t counter;

        (void)fcntl(fd, F_SETFL, O_NONBLOCK);
        (void)eventfd_read(fd, &counter);
        (void)eventfd_write(fd, UINT64_C(0xfffffffffffffffe));
        (void)fcntl(fd, F_SETFL, 0);
}

/* The daemon shares the description, so a read or write of its own would sleep. Nobody's frames but ours may suffer,
 * and ours go on as soon as we behave. */
static int fill_doorbell(Stage *stage) {
        RawChannel raw;
        int r = raw_open(&raw, stage->session);

        while (r == 0 && stage_goes_on(stage)) {
                struct framekey_abi_completion c;
                eventfd_t counter;
                int fd = raw.fds[RAW_DOORBELL];
                bool full = stage_random(stage) % 2;

                for (uint32_t slot = 0; slot < raw_n_slots(&raw); slot++)
                        raw_push(&raw, raw.encrypt, slot, 100);
                if (full)
                        fill_counter(fd);
                __atomic_store_n(&raw.request->submit.submit_index, raw.submitted, __ATOMIC_SEQ_CST);
                if (!full) /* else that would be our own sleep */
                        ring_and_steal(fd);
                (void)usleep(250000); /* long enough to be missed by the victim */
                (void)fcntl(fd, F_SETFL, O_NONBLOCK);
                (void)eventfd_read(fd, &counter);
                raw_ring(&raw);
                while (r == 0 && raw.reaped != raw.submitted)
                        if (raw_wait_pop(&raw, &c) < 0 || stage_check(stage, &raw, &c) < 0)
                                r = -1;
        }
        raw_close(&raw);
        return r;
}

/* ---- wake-up ---- */

/* Wants a hint for every frame and takes none. */
static int leave_hints(Stage *stage, RawChannel *raw) {
        for (unsigned i = 0; i < 3000 && stage_goes_on(stage); i++) {
                struct framekey_abi_completion c;

                __atomic_store_n(&raw->request->reap.completion_want, raw->reaped, __ATOMIC_SEQ_CST);
                raw_push(raw, raw->encrypt, 0, 50);
                raw_submit(raw);
                for (uint64_t late = now_usec() + 2000000; !raw_pop(raw, &c);)
                        if (now_usec() > late)
                                return failed("no completion within two seconds");
                if (stage_check(stage, raw, &c) < 0)
                        return -1;
        }
        return 0;
}

static int misuse_wakeup(Stage *stage) {
        while (stage_goes_on(stage)) {
                int sizes[] = { 0, 1 << 20, 4096 }, r;
                RawChannel raw;

                r = raw_open(&raw, stage->session);
                for (unsigned i = 0; r == 0 && i < 3; i++) {
                        if (sizes[i] > 0)
                                (void)setsockopt(raw.fds[RAW_WAKEUP], SOL_SOCKET, SO_RCVBUF, &sizes[i], sizeof(int));
                        (void)fcntl(raw.fds[RAW_WAKEUP], F_SETFL, i % 2 ? O_NONBLOCK : 0);
                        r = leave_hints(stage, &raw);
                }
                if (r == 0) {
                        (void)close(raw.fds[RAW_WAKEUP]);
                        raw.fds[RAW_WAKEUP] = -1;
                        r = raw_wait_state(&raw, FRAMEKEY_ABI_CLOSED);
                }
                if (r == 0)
                        r = raw_wait_gone(&raw);
                raw_close(&raw);
                if (r < 0)
                        return -1;
        }
        return 0;
}

/* ---- death, and what is left to others ---- */

/* Fills the ring for ever. */
static void hammer(RawChannel *raw) {
        for (;;) {
                struct framekey_abi_completion c;

                while (raw->submitted - raw->reaped < raw_n_slots(raw))
                        raw_push(raw, raw->submitted % 2 ? raw->encrypt : raw->decrypt,
                                 raw->submitted % raw_n_slots(raw), 1500);
                raw_submit(raw);
                while (raw_pop(raw, &c))
                        ;
        }
}

static void reap_child(pid_t pid, int how) {
        if (how)
                (void)kill(pid, how);
        (void)waitpid(pid, NULL, 0);
}

static int die_in_mid_frame(Stage *stage) {
        while (stage_goes_on(stage)) {
                RawChannel raw;
                pid_t pid;
                int r = raw_open(&raw, stage->session);

                if (r == 0) {
                        pid = fork();
                        if (pid == 0)
                                hammer(&raw);
                        raw_drop(&raw);
                        (void)usleep(1000 + stage_random(stage) % 20000);
                        if (pid > 0)
                                reap_child(pid, SIGKILL);
                        r = pid < 0 ? failed("cannot fork: %s", strerror(errno)) : raw_wait_gone(&raw);
                        stage->tally.n_frames++;
                }
                raw_close(&raw);
                if (r < 0)
                        return -1;
        }
        return 0;
}

/* Two processes on one ring, each with indices of its own: anything may become of the channel, nothing of others. */
static int fork_on_the_ring(Stage *stage) {
        while (stage_goes_on(stage)) {
                RawChannel raw;
                pid_t first, second;
                int r = raw_open(&raw, stage->session);

                if (r < 0)
                        return -1;
                first = fork();
                if (first == 0)
                        hammer(&raw);
                second = fork();
                if (second == 0)
                        hammer(&raw);
                (void)usleep(30000);
                if (first > 0)
                        reap_child(first, SIGKILL);
                if (second > 0)
                        reap_child(second, SIGKILL);
                stage->tally.n_frames += raw.response->completion.completion_index;
                raw_close(&raw);
                if (first < 0 || second < 0)
                        return failed("cannot fork: %s", strerror(errno));
        }
        return 0;
}

/* The library's part: the child of a fork is told, the parent goes on. */
static int fork_with_the_library(Stage *stage) {
        struct framekey_frame frame = { .size = sizeof(frame) };
        framekey_channel *channel = NULL;
        uint8_t bytes[400] = { 0 };
        int r, status = 0;
        size_t length;
        RawChannel raw;

        if (raw_open(&raw, stage->session) < 0)
                return -1;
        frame.stream = raw.encrypt;
        r = framekey_channel_new_from_fds(&channel, raw.fds, RAW_N_FDS);
        if (r < 0)
                return failed("cannot use the channel: %s", strerror(-r));
        while (r == 0 && stage_goes_on(stage)) {
                pid_t pid = fork();

                if (pid == 0)
                        _exit(framekey_encrypt(channel, &frame, bytes, 100, bytes, sizeof(bytes), &length, NULL,
                                               1000000) == -ECHILD
                                      ? 0
                                      : 1);
                r = framekey_encrypt(channel, &frame, bytes, 100, bytes, sizeof(bytes), &length, NULL, 2000000);
                if (r != 0)
                        r = failed("the parent of a fork cannot go on: %s", framekey_verdict_text(r));
                if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
                        r = failed("the child of a fork was not told");
                stage->tally.n_frames++;
        }
        framekey_channel_free(channel);
        raw_close(&raw);
        return r;
}

static int send_fds(int socket_fd, const int *fds) {
        char byte = 0, control[CMSG_SPACE(sizeof(int) * RAW_N_FDS)] = { 0 };
        struct iovec iov = { &byte, 1 };
        struct msghdr message = {
                .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
        };
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);

        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int) * RAW_N_FDS);
        memcpy(CMSG_DATA(header), fds, sizeof(int) * RAW_N_FDS);
        return sendmsg(socket_fd, &message, 0) == 1 ? 0 : failed("cannot send descriptors: %s", strerror(errno));
}

static int receive_fds(int socket_fd, int *ret_fds) {
        char byte, control[CMSG_SPACE(sizeof(int) * RAW_N_FDS)];
        struct iovec iov = { &byte, 1 };
        struct msghdr message = {
                .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
        };
        struct cmsghdr *header;

        if (recvmsg(socket_fd, &message, MSG_CMSG_CLOEXEC) != 1)
                return -1;
        header = CMSG_FIRSTHDR(&message);
        if (!header || header->cmsg_len != CMSG_LEN(sizeof(int) * RAW_N_FDS))
                return -1;
        memcpy(ret_fds, CMSG_DATA(header), sizeof(int) * RAW_N_FDS);
        return 0;
}

/* A process without a bus, with nothing but what came through the socket. */
static int heir(int socket_fd, uint32_t encrypt, uint32_t decrypt) {
        struct framekey_frame frame = { .size = sizeof(frame) };
        uint8_t plain[200], sealed[500], opened[500];
        framekey_channel *channel;
        size_t sealed_len, opened_len;
        int fds[RAW_N_FDS];

        if (receive_fds(socket_fd, fds) < 0 || framekey_channel_new_from_fds(&channel, fds, RAW_N_FDS) < 0)
                return -1;
        for (unsigned n = 0; n < 50; n++) {
                memset(plain, (int)n, sizeof(plain));
                frame.stream = encrypt;
                if (framekey_encrypt(channel, &frame, plain, sizeof(plain), sealed, sizeof(sealed), &sealed_len, NULL,
                                     2000000) != 0)
                        return -1;
                frame.stream = decrypt;
                if (framekey_decrypt(channel, &frame, sealed, sealed_len, opened, sizeof(opened), &opened_len, NULL,
                                     2000000) != 0)
                        return -1;
                if (opened_len != sizeof(plain) || memcmp(opened, plain, sizeof(plain)) != 0)
                        return -1;
        }
        return 0; /* and dies with the channel open */
}

static int pass_on(Stage *stage) {
        while (stage_goes_on(stage)) {
                int pair[2], status = 0, r;
                RawChannel raw;
                pid_t pid;

                if (raw_open(&raw, stage->session) < 0)
                        return -1;
                if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
                        return failed("no socket pair: %s", strerror(errno));
                r = send_fds(pair[0], raw.fds);
                raw_drop(&raw); /* from here on they live in the socket only */
                pid = fork();
                if (pid == 0)
                        _exit(heir(pair[1], raw.encrypt, raw.decrypt) < 0);
                (void)close(pair[0]);
                (void)close(pair[1]);
                if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
                        r = failed("the process that got the descriptors could not use them");
                stage->tally.n_frames += 100;
                if (r == 0)
                        r = raw_wait_gone(&raw);
                raw_close(&raw);
                if (r < 0)
                        return -1;
        }
        return 0;
}

const Attack attacks_on_descriptors[] = {
        { "doorbell-flood", flood_doorbell },
        { "doorbell-full", fill_doorbell },
        { "wakeup-misuse", misuse_wakeup },
        { "killed", die_in_mid_frame },
        { "forked-ring", fork_on_the_ring },
        { "forked-library", fork_with_the_library },
        { "passed-on", pass_on },
        { NULL, NULL },
};
