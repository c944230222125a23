/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How channels begin and end: descriptors that are none, closing, a daemon that dies, fork, another holder. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "echo-server.h"
#include "runner.h"

#define LONG UINT64_C(20000000)

enum { AUDIO_OUT, AUDIO_IN };

static EchoServer server;
static framekey_channel *channel;

static void streams(void) {
        echo_stream(&server, AUDIO_OUT, FRAMEKEY_ENCRYPT, FRAMEKEY_FORMAT_LIVEKIT, FRAMEKEY_MEDIA_AUDIO,
                    FRAMEKEY_CODEC_OPUS);
        echo_stream(&server, AUDIO_IN, FRAMEKEY_DECRYPT, FRAMEKEY_FORMAT_LIVEKIT, FRAMEKEY_MEDIA_AUDIO,
                    FRAMEKEY_CODEC_OPUS);
}

static void setup(uint32_t slots) {
        echo_start(&server, slots, 0, 0);
        streams();
        channel = echo_connect(&server);
}

static void teardown(void) {
        channel = framekey_channel_free(channel);
        echo_stop(&server);
}

static int encrypt_text(const char *text, void *out, size_t room, uint64_t timeout_usec) {
        struct framekey_frame frame = { .size = sizeof(frame), .stream = AUDIO_OUT };

        return framekey_encrypt(channel, &frame, text, strlen(text), out, room, NULL, NULL, timeout_usec);
}

static void submit_text(const char *text, uint64_t cookie) {
        struct framekey_frame frame = { .size = sizeof(frame), .stream = AUDIO_OUT };
        uint32_t slot;
        void *buffer;

        ck_assert_int_eq(framekey_reserve(channel, &frame, strlen(text), &slot, &buffer), 0);
        memcpy(buffer, text, strlen(text));
        ck_assert_int_eq(framekey_submit(channel, slot, &frame, strlen(text), cookie), 0);
        ck_assert_int_eq(framekey_flush(channel), 0);
}

static void check_all_calls_answer(int expected) {
        struct framekey_frame frame = { .size = sizeof(frame), .stream = AUDIO_OUT };
        struct framekey_result result = { .size = sizeof(result) };
        uint8_t out[64];
        uint32_t slot;
        void *buffer;

        ck_assert_int_eq(encrypt_text("abc", out, sizeof(out), LONG), expected);
        ck_assert_int_eq(framekey_reserve(channel, &frame, 3, &slot, &buffer), expected);
        ck_assert_int_eq(framekey_submit(channel, 0, &frame, 3, 0), expected);
        ck_assert_int_eq(framekey_flush(channel), expected);
        ck_assert_int_eq(framekey_reap(channel, &result), expected);
        ck_assert_int_eq(framekey_stream_get(channel, AUDIO_OUT, NULL, NULL, NULL, NULL), expected);
}

START_TEST(takes_nothing_but_a_channels_descriptors) {
        int fds[4], good[4], dummy;
        framekey_channel *other = NULL;

        setup(2);
        good[0] = server.fds.request;
        good[1] = server.fds.response;
        good[2] = server.fds.doorbell;
        good[3] = server.fds.wakeup;
        ck_assert_int_eq(framekey_channel_new_from_fds(&other, good, 3), -EINVAL);
        ck_assert_int_eq(framekey_channel_new_from_fds(&other, NULL, 4), -EINVAL);
        /* Every pair swapped, then each replaced by a memfd, and by nothing. */
        for (unsigned a = 0; a < 4; a++)
                for (unsigned b = 0; b < a; b++) {
                        if (a >= 2 && b >= 2)
                                continue; /* below: an eventfd is no pipe */
                        memcpy(fds, good, sizeof(fds));
                        fds[a] = good[b];
                        fds[b] = good[a];
                        ck_assert_int_eq(framekey_channel_new_from_fds(&other, fds, 4), -EPROTO);
                }
        dummy = memfd_create("dummy", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        ck_assert_int_eq(ftruncate(dummy, 1 << 20), 0);
        for (unsigned i = 0; i < 4; i++) {
                if (i == 2)
                        continue; /* writing to a wrong doorbell harms nobody but the caller */
                memcpy(fds, good, sizeof(fds));
                fds[i] = dummy;
                ck_assert_int_eq(framekey_channel_new_from_fds(&other, fds, 4), -EPROTO);
                fds[i] = -1;
                ck_assert_int_eq(framekey_channel_new_from_fds(&other, fds, 4), -EPROTO);
        }
        /* Sealed, of the right size, and empty: no magic. */
        ck_assert_int_eq(fcntl(dummy, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), 0);
        memcpy(fds, good, sizeof(fds));
        fds[1] = dummy;
        ck_assert_int_eq(framekey_channel_new_from_fds(&other, fds, 4), -EPROTO);
        ck_assert_ptr_null(other);
        (void)close(dummy);
        teardown();
}
END_TEST

/* What a stranger could pass for a response region, one field wrong at a time. */
START_TEST(believes_no_layout_that_leaves_its_region) {
        static const struct {
                size_t at;
                uint32_t value;
        } changes[] = {
                { 0, 0 },           { 4, 99 },    { 8, 3 },           { 8, 0 },           { 8, 2048 },
                { 8, 1 },           { 12, 4097 }, { 16, 1000 },       { 16, 0xffffffff }, { 28, 0x80000000 },
                { 40, 4097 },       { 44, 1 },    { 48, 0xffffffc0 }, { 48, 4097 },       { 52, 64 },
                { 56, 0xffffffc0 }, { 60, 0 },    { 60, 0xffffff00 }, { 72, 0xffffff00 }, { 72, 4100 },
        };
        uint8_t *layout;
        void *response;
        off_t size;

        setup(2);
        size = lseek(server.fds.response, 0, SEEK_END);
        response = mmap(NULL, (size_t)size, PROT_READ, MAP_SHARED, server.fds.response, 0);
        ck_assert(response != MAP_FAILED);
        for (size_t i = 0; i <= sizeof(changes) / sizeof(*changes); i++) {
                int forged = memfd_create("forged", MFD_CLOEXEC | MFD_ALLOW_SEALING);
                int fds[] = { server.fds.request, forged, server.fds.doorbell, server.fds.wakeup };
                framekey_channel *other = NULL;

                ck_assert_int_eq(ftruncate(forged, size), 0);
                layout = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, forged, 0);
                memcpy(layout, response, (size_t)size);
                if (i < sizeof(changes) / sizeof(*changes))
                        memcpy(layout + changes[i].at, &changes[i].value, 4);
                (void)munmap(layout, (size_t)size);
                ck_assert_int_eq(fcntl(forged, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), 0);
                /* The last round changes nothing, and is believed: the others fail for what was changed. */
                ck_assert_msg(framekey_channel_new_from_fds(&other, fds, 4) ==
                                      (i < sizeof(changes) / sizeof(*changes) ? -EPROTO : 0),
                              "change %zu", i);
                (void)framekey_channel_free(other);
                (void)close(forged);
        }
        (void)munmap(response, (size_t)size);
        teardown();
}
END_TEST

START_TEST(the_callers_descriptors_stay_the_callers) {
        uint8_t out[64];

        setup(2);
        server.fds.request = close_fd(server.fds.request);
        server.fds.response = close_fd(server.fds.response);
        server.fds.doorbell = close_fd(server.fds.doorbell);
        server.fds.wakeup = close_fd(server.fds.wakeup);
        ck_assert_int_eq(encrypt_text("abc", out, sizeof(out), LONG), 0);
        ck_assert_int_ne(fcntl(framekey_channel_get_fd(channel), F_GETFD) & FD_CLOEXEC, 0);
        teardown();
}
END_TEST

START_TEST(the_last_holders_end_is_seen_by_the_daemon) {
        struct pollfd pollfd;

        setup(2);
        server.fds.wakeup = close_fd(server.fds.wakeup);
        pollfd = (struct pollfd){ .fd = ring_wakeup_fd(server.ring) };
        ck_assert_int_eq(poll(&pollfd, 1, 0), 0);
        channel = framekey_channel_free(channel);
        ck_assert_int_eq(poll(&pollfd, 1, 20000), 1);
        ck_assert_int_ne(pollfd.revents & POLLHUP, 0);
        teardown();
}
END_TEST

START_TEST(closing_hands_out_what_was_done_and_then_says_why) {
        struct framekey_result result = { .size = sizeof(result) };
        framekey_channel *other = NULL;
        int fds[4];

        for (int why = RING_CLOSED_BY_OWNER; why <= RING_CLOSED_PROTOCOL; why++) {
                int expected = why == RING_CLOSED_BY_OWNER ? -EPIPE : -EPROTO;

                setup(2);
                ck_assert_int_eq(framekey_reap(channel, &result), 0);
                submit_text("done", 5);
                while (atomic_load(&server.frames) == 0)
                        ;
                echo_close(&server, (RingClosed)why);
                ck_assert_int_eq(framekey_reap(channel, &result), 1);
                ck_assert_uint_eq(result.cookie, 5);
                ck_assert_mem_eq(result.data, "done", 4);
                framekey_release(channel, result.slot);
                check_all_calls_answer(expected);
                memcpy(fds, &server.fds, sizeof(fds));
                ck_assert_int_eq(framekey_channel_new_from_fds(&other, fds, 4), expected);
                teardown();
        }
}
END_TEST

static void *close_soon(void *userdata) {
        while (atomic_load(&server.frames) == 0 && !atomic_load(&server.hold))
                ;
        (void)usleep(20000);
        echo_close(&server, RING_CLOSED_BY_OWNER);
        return NULL;
}

START_TEST(closing_wakes_a_blocked_call) {
        pthread_t closer;
        uint8_t out[64];

        setup(2);
        echo_hold(&server, true);
        ck_assert_int_eq(pthread_create(&closer, NULL, close_soon, NULL), 0);
        ck_assert_int_eq(encrypt_text("abc", out, sizeof(out), FRAMEKEY_TIMEOUT_INFINITE), -EPIPE);
        (void)pthread_join(closer, NULL);
        teardown();
}
END_TEST

START_TEST(closing_wakes_a_poller) {
        struct framekey_result result = { .size = sizeof(result) };
        struct pollfd pollfd = { .events = POLLIN };

        setup(2);
        pollfd.fd = framekey_channel_get_fd(channel);
        ck_assert_int_eq(framekey_reap(channel, &result), 0);
        ck_assert_int_eq(poll(&pollfd, 1, 0), 0);
        echo_close(&server, RING_CLOSED_BY_OWNER);
        ck_assert_int_eq(poll(&pollfd, 1, 20000), 1);
        ck_assert_int_eq(framekey_reap(channel, &result), -EPIPE);
        teardown();
}
END_TEST

/* ---- a daemon that is killed closes nothing ---- */

static void send_fds(int socket_fd, const int *fds) {
        union {
                struct cmsghdr header;
                char bytes[CMSG_SPACE(4 * sizeof(int))];
        } control = { 0 };
        struct iovec byte = { .iov_base = (char[]){ 1 }, .iov_len = 1 };
        struct msghdr message = {
                .msg_iov = &byte, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
        };

        control.header =
                (struct cmsghdr){ .cmsg_len = CMSG_LEN(16), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
        memcpy(CMSG_DATA(&control.header), fds, 16);
        (void)sendmsg(socket_fd, &message, 0);
}

static void receive_fds(int socket_fd, int *ret_fds) {
        union {
                struct cmsghdr header;
                char bytes[CMSG_SPACE(4 * sizeof(int))];
        } control = { 0 };
        char byte;
        struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
        struct msghdr message = {
                .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
        };

        ck_assert_int_eq(recvmsg(socket_fd, &message, MSG_CMSG_CLOEXEC), 1);
        memcpy(ret_fds, CMSG_DATA(&control.header), 16);
}

static pid_t spawn_daemon(int *ret_fds) {
        int pair[2];
        pid_t pid;

        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        pid = fork();
        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
                echo_start(&server, 2, 0, 0);
                streams();
                send_fds(pair[1], (const int[]){ server.fds.request, server.fds.response, server.fds.doorbell,
                                                 server.fds.wakeup });
                for (;;)
                        (void)pause();
        }
        (void)close(pair[1]);
        receive_fds(pair[0], ret_fds);
        (void)close(pair[0]);
        return pid;
}

START_TEST(a_killed_daemon_is_noticed) {
        struct framekey_result result = { .size = sizeof(result) };
        struct pollfd pollfd = { .events = POLLIN };
        uint8_t out[64];
        int fds[4], r;
        pid_t pid;

        pid = spawn_daemon(fds);
        ck_assert_int_eq(framekey_channel_new_from_fds(&channel, fds, 4), 0);
        for (unsigned i = 0; i < 4; i++)
                (void)close(fds[i]);
        ck_assert_int_eq(encrypt_text("abc", out, sizeof(out), LONG), 0);
        pollfd.fd = framekey_channel_get_fd(channel);
        ck_assert_int_eq(framekey_reap(channel, &result), 0);
        ck_assert_int_eq(kill(pid, SIGKILL), 0);
        ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
        /* The wake-up of the frame above may come after the call that it was for: one poll in vain. */
        do
                ck_assert_int_eq(poll(&pollfd, 1, 20000), 1);
        while ((r = framekey_reap(channel, &result)) == 0);
        ck_assert_int_eq(r, -ESTALE);
        check_all_calls_answer(-ESTALE);
        channel = framekey_channel_free(channel);
}
END_TEST

static void *kill_soon(void *userdata) {
        /* Likelier to hit the blocked call than the moment before; the answer is the same. */
        (void)usleep(20000);
        (void)kill(*(const pid_t *)userdata, SIGKILL);
        return NULL;
}

START_TEST(a_daemon_killed_under_a_blocked_call_ends_it) {
        pthread_t killer;
        uint8_t out[64];
        int fds[4];
        pid_t pid;

        pid = spawn_daemon(fds);
        ck_assert_int_eq(framekey_channel_new_from_fds(&channel, fds, 4), 0);
        ck_assert_int_eq(kill(pid, SIGSTOP), 0);
        ck_assert_int_eq(waitpid(pid, NULL, WUNTRACED), pid);
        ck_assert_int_eq(encrypt_text("abc", out, sizeof(out), 10000), -ETIMEDOUT);
        ck_assert_int_eq(pthread_create(&killer, NULL, kill_soon, &pid), 0);
        ck_assert_int_eq(encrypt_text("abc", out, sizeof(out), FRAMEKEY_TIMEOUT_INFINITE), -ESTALE);
        (void)pthread_join(killer, NULL);
        ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
        channel = framekey_channel_free(channel);
        for (unsigned i = 0; i < 4; i++)
                (void)close(fds[i]);
}
END_TEST

/* ---- fork ---- */

/* Mappings of channel regions in this process: the daemon's and the library's. */
static unsigned count_mappings(void) {
        FILE *maps = fopen("/proc/self/maps", "re");
        char line[512];
        unsigned n = 0;

        ck_assert_ptr_nonnull(maps);
        while (fgets(line, sizeof(line), maps))
                n += strstr(line, "memfd:framekey-re") != NULL;
        (void)fclose(maps);
        return n;
}

START_TEST(a_child_is_refused_and_the_parent_goes_on) {
        unsigned without, with;
        uint8_t out[64];
        int status;
        pid_t pid;

        echo_start(&server, 2, 0, 0);
        streams();
        pid = fork();
        if (pid == 0)
                _exit((int)count_mappings());
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        without = (unsigned)WEXITSTATUS(status);
        with = count_mappings();
        channel = echo_connect(&server);
        ck_assert_uint_eq(count_mappings(), with + 2);
        submit_text("before", 1);
        pid = fork();
        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
                framekey_release(channel, 0);
                if (count_mappings() != without)
                        _exit(3); /* the library's regions came along */
                if (framekey_channel_get_fd(channel) != -ECHILD || framekey_sealed_max(channel, 0, 1) != 0)
                        _exit(2);
                check_all_calls_answer(-ECHILD);
                channel = framekey_channel_free(channel);
                _exit(0);
        }
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        ck_assert_int_eq(encrypt_text("after", out, sizeof(out), LONG), 0);
        ck_assert_mem_eq(out, "after", 5);
        teardown();
}
END_TEST

static void *encrypt_forever(void *userdata) {
        uint8_t out[64];

        while (!atomic_load((atomic_bool *)userdata))
                ck_assert_int_eq(encrypt_text("busy", out, sizeof(out), LONG), 0);
        return NULL;
}

START_TEST(a_child_forked_while_the_lock_was_held_does_not_hang) {
        atomic_bool stop = false;
        pthread_t busy;

        setup(2);
        ck_assert_int_eq(pthread_create(&busy, NULL, encrypt_forever, &stop), 0);
        for (unsigned i = 0; i < 20; i++) {
                pid_t pid = fork();
                int status;

                if (pid == 0) {
                        (void)alarm(20);
                        _exit(framekey_flush(channel) == -ECHILD && !framekey_channel_free(channel) ? 0 : 1);
                }
                ck_assert_int_eq(waitpid(pid, &status, 0), pid);
                ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        }
        atomic_store(&stop, true);
        (void)pthread_join(busy, NULL);
        teardown();
}
END_TEST

/* ---- another holder ---- */

START_TEST(a_second_holder_gets_none_of_the_firsts_frames) {
        struct framekey_result result = { .size = sizeof(result) };
        uint8_t out[64];

        setup(2);
        for (unsigned round = 0; round < 20; round++) {
                /* Left behind: with the daemon, or answered but not reaped. */
                echo_hold(&server, round % 2);
                submit_text("left", 1);
                submit_text("behind", 2);
                channel = framekey_channel_free(channel);
                channel = echo_connect(&server);
                echo_hold(&server, false);
                ck_assert_int_eq(encrypt_text("mine", out, sizeof(out), LONG), 0);
                ck_assert_mem_eq(out, "mine", 4);
                ck_assert_int_eq(framekey_reap(channel, &result), 0);
        }
        ck_assert(!atomic_load(&server.broken));
        teardown();
}
END_TEST

RUN_TESTS("channel-life", takes_nothing_but_a_channels_descriptors, believes_no_layout_that_leaves_its_region,
          the_callers_descriptors_stay_the_callers, the_last_holders_end_is_seen_by_the_daemon,
          closing_hands_out_what_was_done_and_then_says_why, closing_wakes_a_blocked_call, closing_wakes_a_poller,
          a_killed_daemon_is_noticed, a_daemon_killed_under_a_blocked_call_ends_it,
          a_child_is_refused_and_the_parent_goes_on, a_child_forked_while_the_lock_was_held_does_not_hang,
          a_second_holder_gets_none_of_the_firsts_frames)
