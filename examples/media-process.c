/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An app and its media process. The app talks to the bus with a client of its own, here sd-bus, and has the key's
 * descriptor; the media process has a channel and nothing else, so it may live in any sandbox. If it dies, the app
 * starts another one with another channel: session and keys are still there.
 *
 *   media-process FRAMES <PASSPHRASE-PIPE
 *
 * Prints so many encrypted frames of audio in hex, one every 20 ms. framekey-embedding(7) quotes from this program.
 */
#include <errno.h>
#include <framekey.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#define N_FDS      4
#define FRAME_NSEC 20000000 /* as long as a frame of Opus */
#define FRAME_MAX  64
#define SELF       "/proc/self/exe"

/* ---- the media process ---- */

/* The stream's number, with the channel's descriptors. */
static int receive_channel(int from, uint32_t *ret_stream, framekey_channel **ret) {
        union {
                struct cmsghdr header;
                char bytes[CMSG_SPACE(sizeof(int[N_FDS]))];
        } control;
        struct iovec text = { .iov_base = ret_stream, .iov_len = sizeof(*ret_stream) };
        struct msghdr message = {
                .msg_iov = &text, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
        };
        int fds[N_FDS], r;

        if (recvmsg(from, &message, MSG_CMSG_CLOEXEC) != sizeof(*ret_stream))
                return -EIO;
        if (!CMSG_FIRSTHDR(&message) || CMSG_FIRSTHDR(&message)->cmsg_len != CMSG_LEN(sizeof(fds)))
                return -EPROTO;
        memcpy(fds, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fds));
        r = framekey_channel_new_from_fds(ret, fds, N_FDS);
        for (size_t i = 0; i < N_FDS; i++)
                (void)close(fds[i]);
        return r;
}

/* An encoder writes right into the channel's memory; the longest frame it may make is known. */
static int encode_and_submit(framekey_channel *channel, uint32_t stream, uint64_t number) {
        struct framekey_frame frame = { .size = sizeof(frame), .stream = stream };
        uint32_t slot;
        void *buffer;
        int r, n;

        r = framekey_reserve(channel, &frame, FRAME_MAX, &slot, &buffer);
        if (r == -EAGAIN)
                return 0; /* all slots are under way: drop this frame rather than wait for it */
        if (r < 0)
                return r;
        n = snprintf(buffer, FRAME_MAX, "frame %u", (unsigned)number);
        r = framekey_submit(channel, slot, &frame, (size_t)n, number);
        if (r < 0)
                framekey_release(channel, slot);
        return r < 0 ? r : framekey_flush(channel);
}

static void packetise(const struct framekey_result *result) {
        const uint8_t *bytes = result->data;

        for (size_t i = 0; i < result->length; i++)
                (void)printf("%02x", bytes[i]);
        (void)putchar('\n');
        (void)fflush(stdout);
}

/* All that is done by now. How many frames these were. */
static int take_results(framekey_channel *channel) {
        struct framekey_result result = { .size = sizeof(result) };
        int r, n = 0;

        while ((r = framekey_reap(channel, &result)) > 0) {
                if (framekey_verdict_delivers(result.verdict))
                        packetise(&result);
                else
                        (void)fprintf(stderr, "%s\n", framekey_verdict_text(result.verdict));
                framekey_release(channel, result.slot);
                n++;
        }
        return r < 0 ? r : n;
}

/* Until as many frames are done as were asked for. */
static int media_loop(framekey_channel *channel, int timer, uint32_t stream, uint64_t frames) {
        struct pollfd fds[] = {
                { .fd = framekey_channel_get_fd(channel), .events = POLLIN },
                { .fd = timer, .events = POLLIN },
        };
        uint64_t number = 0, done = 0, ticks;
        int r = fds[0].fd < 0 ? fds[0].fd : 0;

        while (r >= 0 && done < frames) {
                if (poll(fds, 2, -1) < 0 && errno != EINTR)
                        return -errno;
                if (number < frames && read(timer, &ticks, sizeof(ticks)) > 0)
                        r = encode_and_submit(channel, stream, number++);
                if (r >= 0)
                        r = take_results(channel); /* to the last: only then does the descriptor tell of the next */
                if (r >= 0)
                        done += (uint64_t)r;
        }
        return r < 0 ? r : 0;
}

static int media_main(uint64_t frames) {
        const struct itimerspec frame_time = { .it_interval.tv_nsec = FRAME_NSEC, .it_value.tv_nsec = FRAME_NSEC };
        framekey_channel *channel = NULL;
        uint32_t stream;
        int timer, r;

        timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
        if (timer < 0 || timerfd_settime(timer, 0, &frame_time, NULL) < 0)
                return 1;
        r = receive_channel(STDIN_FILENO, &stream, &channel);
        if (r >= 0)
                r = media_loop(channel, timer, stream, frames);
        if (r < 0)
                (void)fprintf(stderr, "%s\n", framekey_verdict_text(r));
        (void)framekey_channel_free(channel);
        (void)close(timer);
        return r < 0;
}

/* ---- the app ---- */

static int call(sd_bus *bus, const char *path, const char *interface, const char *member, sd_bus_message **ret,
                const char *types, ...) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        va_list arguments;
        int r;

        va_start(arguments, types);
        r = sd_bus_call_methodv(bus, "org.framekey1", path, interface, member, &error, ret, types, arguments);
        va_end(arguments);
        if (r < 0)
                (void)fprintf(stderr, "%s\n", error.message ? error.message : strerror(-r));
        sd_bus_error_free(&error);
        return r;
}

#define session_call(bus, session, ...) call(bus, session, "org.framekey1.Session", __VA_ARGS__)

static int open_session(sd_bus *bus, char **ret_path) {
        sd_bus_message *reply = NULL;
        const char *path;
        int r;

        r = call(bus, "/org/framekey1", "org.framekey1.Manager", "OpenSession", &reply, "ssa{sv}", "livekit-passphrase",
                 "example", 0);
        if (r >= 0)
                r = sd_bus_message_read(reply, "so", NULL, &path);
        if (r >= 0)
                *ret_path = strdup(path);
        if (r >= 0)
                r = session_call(bus, *ret_path, "AddParticipant", NULL, "ssa{sv}", "alice", "local", 0);
        if (r >= 0)
                r = session_call(bus, *ret_path, "ImportKey", NULL, "suha{sv}", "", 0, STDIN_FILENO, 0);
        sd_bus_message_unref(reply);
        return r;
}

static int send_channel(int to, uint32_t stream, const int fds[N_FDS]) {
        union {
                struct cmsghdr header;
                char bytes[CMSG_SPACE(sizeof(int[N_FDS]))];
        } control = { .header = {
                              .cmsg_level = SOL_SOCKET,
                              .cmsg_type = SCM_RIGHTS,
                              .cmsg_len = CMSG_LEN(sizeof(int[N_FDS])),
                      } };
        struct iovec text = { .iov_base = &stream, .iov_len = sizeof(stream) };
        struct msghdr message = {
                .msg_iov = &text, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
        };

        memcpy(CMSG_DATA(&control.header), fds, sizeof(int[N_FDS]));
        return sendmsg(to, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* A channel, one stream granted on it, and both to the other end of the socket. */
static int open_channel(sd_bus *bus, const char *session, int to) {
        sd_bus_message *channel = NULL, *grant = NULL;
        const char *path;
        int fds[N_FDS], r;
        uint32_t stream;

        r = session_call(bus, session, "OpenChannel", &channel, "a{sv}", 0);
        if (r >= 0)
                r = sd_bus_message_read(channel, "ohhhh", &path, &fds[0], &fds[1], &fds[2], &fds[3]);
        if (r >= 0)
                r = session_call(bus, session, "AddStream", &grant, "ossssa{sv}", path, "alice", "encrypt", "audio",
                                 "opus", 0);
        if (r >= 0)
                r = sd_bus_message_read(grant, "u", &stream);
        if (r >= 0)
                r = send_channel(to, stream, fds); /* the descriptors are the reply's, and go with it */
        sd_bus_message_unref(grant);
        sd_bus_message_unref(channel);
        return r;
}

/* One life of a media process: 0 it is done, 1 it died. */
static int run_media(sd_bus *bus, const char *session, const char *frames) {
        int sockets[2], status = 0, r;
        pid_t child;

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) < 0)
                return -errno;
        child = fork();
        if (child == 0) {
                /* A channel belongs to the process that made it: exec, and take it over there. */
                (void)dup2(sockets[1], STDIN_FILENO);
                (void)execl(SELF, "media-process", frames, "media", (char *)NULL);
                _exit(127);
        }
        (void)close(sockets[1]);
        r = child < 0 ? -errno : open_channel(bus, session, sockets[0]);
        (void)close(sockets[0]);
        if (child > 0 && waitpid(child, &status, 0) < 0)
                r = -errno;
        return r < 0 ? r : WIFSIGNALED(status) ? 1 : WEXITSTATUS(status) == 0 ? 0 : -EIO;
}

int main(int argc, char **argv) {
        sd_bus *bus = NULL;
        char *session = NULL;
        int r;

        if (argc == 3)
                return media_main(strtoull(argv[1], NULL, 10));
        if (argc != 2)
                return 2;
        r = sd_bus_open_system(&bus);
        if (r >= 0)
                r = open_session(bus, &session);
        while (r >= 0 && (r = run_media(bus, session, argv[1])) > 0)
                (void)fprintf(stderr, "The media process died; here is the next one.\n");
        free(session);
        sd_bus_flush_close_unref(bus); /* and with the connection the session ends */
        return r < 0;
}
