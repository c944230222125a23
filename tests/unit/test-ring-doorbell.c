/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The bells between a client and the daemon: whatever a client does to its descriptors, the daemon neither sleeps on
 * them nor fills memory through them, and learns when the last one is gone. Every case runs under an alarm: a call
 * that sleeps kills it. */
#include "ring-fixture.h"

#include "runner.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/wait.h>

#define ALARM_SEC  30u
#define PAGE       4096
#define N_PUBLISH  5000u
#define PIPE_LARGE (1 << 20)

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

START_TEST(unread_hints_stay_within_a_page_and_never_block) {
        /* As handed out, grown, and shrunk, each with its flags turned over. */
        static const int sizes[] = { 0, PIPE_LARGE, PAGE };

        (void)alarm(ALARM_SEC);
        for (size_t i = 0; i < ELEMENTS(sizes); i++) {
                Client client;
                Ring *ring;

                start(&ring, &client);
                if (sizes[i] > 0)
                        ck_assert_int_ge(fcntl(client.fds.wakeup, F_SETPIPE_SZ, sizes[i]), sizes[i]);
                ck_assert_int_eq(fcntl(client.fds.wakeup, F_SETFL, 0), 0);
                for (uint64_t n = 0; n < N_PUBLISH; n++)
                        wished_round(ring, &client, n);
                ck_assert_int_gt(hints(client.fds.wakeup), 0);
                ck_assert_int_le(hints(client.fds.wakeup), PAGE);
                ring_close(ring, RING_CLOSED_BY_OWNER);

                /* Who comes back from that is served as before. */
                ck_assert_int_eq(fcntl(client.fds.wakeup, F_SETFL, O_NONBLOCK), 0);
                take_hints(client.fds.wakeup);
                ck_assert_int_eq(hints(client.fds.wakeup), 0);
                stop(ring, &client);
        }
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

START_TEST(full_pipe_counts_as_rung) {
        Client client;
        Ring *ring;
        int writer;
        char path[64];

        (void)alarm(ALARM_SEC);
        start(&ring, &client);
        ck_assert_int_eq(fcntl(client.fds.wakeup, F_SETPIPE_SZ, PAGE), PAGE);
        /* Root, and the daemon's own uid, can open the other end anew and fill it. */
        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", client.fds.wakeup);
        writer = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
        ck_assert_int_ge(writer, 0);
        while (write(writer, scratch, PAGE) > 0)
                ;
        for (uint64_t n = 0; n < N_PUBLISH; n++)
                wished_round(ring, &client, n);
        close_fd(writer);
        stop(ring, &client);
}
END_TEST

START_TEST(closed_wakeup_is_an_error_event_and_no_signal) {
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
          full_and_blocking_doorbell_stops_only_the_client, unread_hints_stay_within_a_page_and_never_block,
          hints_come_again_after_a_long_silence_is_read, full_pipe_counts_as_rung,
          closed_wakeup_is_an_error_event_and_no_signal, channel_is_gone_only_with_its_last_holder,
          any_wish_gets_at_most_one_hint_a_publishing)
