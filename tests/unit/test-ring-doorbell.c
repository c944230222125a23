/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The bells between a client and the daemon: whatever a client does to its descriptors, the daemon neither sleeps on
 * them nor fills memory through them, and learns when the last one is gone. Every case runs under an alarm: a call
 * that sleeps kills it. */
#include "ring-fixture.h"

#include "runner.h"

#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define ALARM_SEC 30u
#define PAGE      4096
#define N_PUBLISH 5000u

static int epoll_of(Ring *ring) {
        struct epoll_event event = { .events = EPOLLIN | EPOLLET, .data.u32 = 1 };
        int fd = epoll_create1(EPOLL_CLOEXEC);

        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(epoll_ctl(fd, EPOLL_CTL_ADD, ring_doorbell_fd(ring), &event), 0);
        event = (struct epoll_event){ .events = EPOLLET, .data.u32 = 2 };
        ck_assert_int_eq(epoll_ctl(fd, EPOLL_CTL_ADD, ring_wakeup_fd(ring), &event), 0);
        return fd;
}

/* Which of the two had an event: 0 none, 1 doorbell, 2 wake-up. */
static uint32_t next_event(int epoll_fd) {
        struct epoll_event event = { 0 };

        ck_assert_int_ge(epoll_wait(epoll_fd, &event, 1, 0), 0);
        return event.data.u32;
}

/* A frame, with a wish for its completion. */
static void wished_round(Ring *ring, Client *client, uint64_t cookie) {
        struct framekey_abi_completion c;

        set_want(client, client->reaped);
        client_frame(client, 0, cookie, 10);
        (void)client_submit(client);
        ck_assert_int_eq(serve_all(ring), RING_EMPTY);
        ck_assert(ring_rest(ring));
        ck_assert(client_pop(client, &c));
        ck_assert_uint_eq(c.cookie, cookie);
}

START_TEST(every_ring_of_the_doorbell_is_an_edge_and_nothing_more) {
        _cleanup_close_ int epoll_fd = -EBADF;
        Client client;
        Ring *ring;

        (void)alarm(ALARM_SEC);
        start(&ring, &client);
        epoll_fd = epoll_of(ring);
        ck_assert_uint_eq(next_event(epoll_fd), 0);
        for (unsigned i = 0; i < 1000; i++) {
                ck_assert_int_eq(eventfd_write(client.fds.doorbell, 1), 0);
                ck_assert_uint_eq(next_event(epoll_fd), 1);
                ck_assert_uint_eq(next_event(epoll_fd), 0);
        }
        stop(ring, &client);
}
END_TEST

START_TEST(full_and_blocking_doorbell_stops_only_the_client) {
        static const int flags[] = { 0, O_NONBLOCK, O_NONBLOCK | O_ASYNC, O_APPEND, 0 };
        _cleanup_close_ int epoll_fd = -EBADF;
        Client client;
        Ring *ring;

        (void)alarm(ALARM_SEC);
        start(&ring, &client);
        epoll_fd = epoll_of(ring);
        ck_assert_int_eq(eventfd_write(client.fds.doorbell, UINT64_C(0xfffffffffffffffe)), 0);
        ck_assert_uint_eq(next_event(epoll_fd), 1);
        for (size_t i = 0; i < ELEMENTS(flags); i++) {
                ck_assert_int_eq(fcntl(client.fds.doorbell, F_SETFL, flags[i]), 0);
                for (uint64_t n = 0; n < 100; n++)
                        wished_round(ring, &client, n);
                (void)next_event(epoll_fd);
        }
        ring_close(ring, RING_CLOSED_BY_OWNER);
        stop(ring, &client);
}
END_TEST

START_TEST(unread_hints_stay_few_and_never_block) {
        int size = 1 << 20;
        Client client;
        Ring *ring;

        (void)alarm(ALARM_SEC);
        start(&ring, &client);
        ck_assert_int_eq(setsockopt(client.fds.wakeup, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)), 0);
        ck_assert_int_eq(setsockopt(client.fds.wakeup, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
        ck_assert_int_eq(fcntl(client.fds.wakeup, F_SETFL, 0), 0);
        for (uint64_t n = 0; n < N_PUBLISH; n++)
                wished_round(ring, &client, n);
        ck_assert_int_gt(hints(client.fds.wakeup), 0);
        ck_assert_int_le(hints(client.fds.wakeup), 64);
        ring_close(ring, RING_CLOSED_BY_OWNER);
        stop(ring, &client);
}
END_TEST

START_TEST(client_can_send_neither_bytes_nor_descriptors) {
        char byte = 0, control[CMSG_SPACE(sizeof(int))] = { 0 };
        struct iovec iov = { &byte, 1 };
        struct msghdr message = {
                .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
        };
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        Client client;
        Ring *ring;

        start(&ring, &client);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(header), &client.fds.doorbell, sizeof(int));
        ck_assert_int_eq(sendmsg(client.fds.wakeup, &message, MSG_NOSIGNAL), -1);
        ck_assert_int_eq(errno, EPIPE);
        ck_assert_int_eq(send(client.fds.wakeup, &byte, 1, MSG_NOSIGNAL), -1);
        stop(ring, &client);
}
END_TEST

/* Reads a hint into a page that never comes, and so holds whatever lock a reader holds while it copies. */
static void *stuck_main(void *userdata) {
        void **at = userdata;

        (void)!read(*(int *)at[0], at[1], 1);
        return NULL;
}

START_TEST(reader_that_never_ends_does_not_block) {
        int fault_fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
        struct uffdio_api api = { .api = UFFD_API };
        struct uffdio_register range = { .range = { 0, PAGE }, .mode = UFFDIO_REGISTER_MODE_MISSING };
        struct pollfd pollfd = { .fd = fault_fd, .events = POLLIN };
        pthread_t thread;
        void *page, *at[2];
        Client client;
        Ring *ring;

        if (fault_fd < 0) {
                (void)fprintf(stderr, "no userfaultfd here (%s): this case was not tried\n", strerror(errno));
                return;
        }
        (void)alarm(ALARM_SEC);
        start(&ring, &client);
        page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        ck_assert_ptr_ne(page, MAP_FAILED);
        range.range.start = (uintptr_t)page;
        ck_assert_int_eq(ioctl(fault_fd, UFFDIO_API, &api), 0);
        ck_assert_int_eq(ioctl(fault_fd, UFFDIO_REGISTER, &range), 0);
        wished_round(ring, &client, 0);
        at[0] = &client.fds.wakeup;
        at[1] = page;
        ck_assert_int_eq(pthread_create(&thread, NULL, stuck_main, at), 0);
        ck_assert_int_eq(poll(&pollfd, 1, -1), 1); /* the reader is in its fault */
        for (uint64_t n = 1; n < 100; n++)
                wished_round(ring, &client, n);
        ring_close(ring, RING_CLOSED_PROTOCOL);
        (void)close(fault_fd); /* lets it go */
        ck_assert_int_eq(pthread_join(thread, NULL), 0);
        stop(ring, &client);
}
END_TEST

START_TEST(hints_come_again_after_a_long_silence_is_read) {
        Client client;
        Ring *ring;

        (void)alarm(ALARM_SEC);
        start(&ring, &client);
        for (uint64_t n = 0; n < N_PUBLISH; n++)
                wished_round(ring, &client, n);
        for (uint64_t n = 0; n < N_PUBLISH; n++) {
                take_hints(client.fds.wakeup);
                wished_round(ring, &client, n);
                ck_assert_int_eq(hints(client.fds.wakeup), 1);
        }
        stop(ring, &client);
}
END_TEST

START_TEST(closed_wakeup_is_an_event_and_no_signal) {
        _cleanup_close_ int epoll_fd = -EBADF;
        Client client;
        Ring *ring;

        (void)alarm(ALARM_SEC);
        start(&ring, &client);
        epoll_fd = epoll_of(ring);
        client.fds.wakeup = close_fd(client.fds.wakeup);
        ck_assert_uint_eq(next_event(epoll_fd), 2);
        for (uint64_t n = 0; n < 100; n++)
                wished_round(ring, &client, n);
        ring_close(ring, RING_CLOSED_PROTOCOL);
        stop(ring, &client);
}
END_TEST

START_TEST(channel_is_gone_only_with_its_last_holder) {
        _cleanup_close_ int epoll_fd = -EBADF;
        struct epoll_event event;
        int status, gate[2];
        Client client;
        Ring *ring;
        pid_t pid;

        (void)alarm(ALARM_SEC);
        start(&ring, &client);
        epoll_fd = epoll_of(ring);
        ck_assert_int_eq(pipe2(gate, O_CLOEXEC), 0);
        pid = fork();
        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
                char byte;

                (void)close(gate[1]);
                (void)!read(gate[0], &byte, 1); /* until the parent lets go, or dies */
                _exit(0);
        }
        close_fd(gate[0]);
        client.fds.wakeup = close_fd(client.fds.wakeup);
        ck_assert_uint_eq(next_event(epoll_fd), 0);
        wished_round(ring, &client, 1);
        close_fd(gate[1]);
        ck_assert_int_eq(epoll_wait(epoll_fd, &event, 1, -1), 1);
        ck_assert_uint_eq(event.data.u32, 2);
        ck_assert(event.events & (EPOLLERR | EPOLLHUP));
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        stop(ring, &client);
}
END_TEST

START_TEST(any_wish_gets_at_most_one_hint_a_publishing) {
        uint32_t random = 1;
        Client client;
        Ring *ring;

        (void)alarm(ALARM_SEC);
        start_at(&ring, &client, &small_config, 0xffffff00);
        for (uint32_t i = 0; i < 1000; i++) {
                struct framekey_abi_completion c;

                random = random * 1664525 + 1013904223;
                set_want(&client, random >> (random % 32));
                for (uint32_t slot = 0; slot < 7; slot++)
                        client_frame(&client, slot, i, 1);
                (void)client_submit(&client);
                ck_assert_int_eq(serve_all(ring), RING_EMPTY);
                ck_assert_int_le(hints(client.fds.wakeup), 1);
                take_hints(client.fds.wakeup);
                while (client_pop(&client, &c))
                        ;
        }
        stop(ring, &client);
}
END_TEST

RUN_TESTS("ring-doorbell", every_ring_of_the_doorbell_is_an_edge_and_nothing_more,
          full_and_blocking_doorbell_stops_only_the_client, unread_hints_stay_few_and_never_block,
          client_can_send_neither_bytes_nor_descriptors, reader_that_never_ends_does_not_block,
          hints_come_again_after_a_long_silence_is_read, closed_wakeup_is_an_event_and_no_signal,
          channel_is_gone_only_with_its_last_holder, any_wish_gets_at_most_one_hint_a_publishing)
