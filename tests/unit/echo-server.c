/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The server thread of echo-server.h: fetch, complete, publish, rest, wait for the doorbell. */
#include <check.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "echo-server.h"

#define TAG 16u

static bool takes_empty_frames(const RingStream *stream) {
        return stream->format == FRAMEKEY_FORMAT_SFRAME || stream->format == FRAMEKEY_FORMAT_DAVE;
}

static void seal(const RingStream *stream, const RingRequest *request, uint8_t *out, RingCompletion *ret) {
        if (request->frame_len == 0 && !(request->flags & RING_REQUEST_PACKET) && !takes_empty_frames(stream)) {
                ret->verdict = FRAMEKEY_VERDICT_EMPTY;
                return;
        }
        if (request->frame_len > FRAMEKEY_FRAME_MAX || request->frame_len > request->out_max - ECHO_OVERHEAD) {
                ret->verdict = FRAMEKEY_VERDICT_TOO_LONG;
                return;
        }
        if (request->frame_len > 0)
                memcpy(out, request->frame, request->frame_len);
        memset(out + request->frame_len, 0xee, TAG);
        memset(out + request->frame_len + TAG, 0, 12);
        out[request->frame_len + ECHO_OVERHEAD - 2] = 12;
        out[request->frame_len + ECHO_OVERHEAD - 1] = 0;
        ret->frame_len = request->frame_len + ECHO_OVERHEAD;
}

static void unseal(const RingRequest *request, uint8_t *out, RingCompletion *ret) {
        uint32_t len = request->frame_len;

        if (len == 0) {
                ret->verdict = FRAMEKEY_VERDICT_EMPTY;
                return;
        }
        if (len < ECHO_OVERHEAD || request->clear_len > len - ECHO_OVERHEAD || request->frame[len - 2] != 12) {
                ret->verdict = FRAMEKEY_VERDICT_MALFORMED;
                return;
        }
        for (uint32_t i = 0; i < TAG; i++)
                if (request->frame[len - ECHO_OVERHEAD + i] != 0xee) {
                        ret->verdict = FRAMEKEY_VERDICT_FORGED;
                        return;
                }
        memcpy(out, request->frame, len - ECHO_OVERHEAD);
        ret->frame_len = len - ECHO_OVERHEAD;
}

static void remember(EchoServer *server, const RingRequest *request) {
        EchoRequest *last = &server->last;

        (void)pthread_mutex_lock(&server->lock);
        last->metadata_len = request->metadata_len;
        last->n_ranges = request->n_ranges;
        last->flags = request->flags;
        if (request->metadata_len > 0)
                memcpy(last->metadata, request->metadata, request->metadata_len);
        if (request->n_ranges > 0)
                memcpy(last->ranges, request->ranges, request->n_ranges * sizeof(*last->ranges));
        (void)pthread_mutex_unlock(&server->lock);
}

const EchoRequest *echo_last(EchoServer *server) {
        (void)pthread_mutex_lock(&server->lock);
        server->seen = server->last;
        (void)pthread_mutex_unlock(&server->lock);
        return &server->seen;
}

void echo_forget(EchoServer *server) {
        (void)pthread_mutex_lock(&server->lock);
        server->last = (EchoRequest){ 0 };
        (void)pthread_mutex_unlock(&server->lock);
}

static void serve(EchoServer *server, const RingRequest *request, RingCompletion *ret) {
        const RingStream *stream = request->stream < ECHO_STREAMS ? &server->streams[request->stream] : NULL;

        *ret = (RingCompletion){ .clear_len = request->clear_len, .key_index = 7, .step = 3 };
        remember(server, request);
        if (!stream || stream->direction == 0)
                ret->verdict = FRAMEKEY_VERDICT_REFUSED;
        else if (request->flags & RING_REQUEST_NOTE) {
                ret->verdict = request->note;
                atomic_fetch_add(&server->notes[request->note % FRAMEKEY_VERDICT_MAX], 1);
        } else if (stream->direction == FRAMEKEY_ENCRYPT)
                seal(stream, request, server->out, ret);
        else
                unseal(request, server->out, ret);
}

/* Until there is nothing to fetch. */
static void turn(EchoServer *server) {
        unsigned limit = atomic_load(&server->step_limit), n = 0;
        RingRequest request;
        RingCompletion completion;

        while (!atomic_load(&server->hold)) {
                int r = ring_fetch(server->ring, server->scratch, &request);

                if (r == RING_BROKEN)
                        atomic_store(&server->broken, true);
                if (r != 0 && r != RING_BAD_REQUEST)
                        break;
                atomic_fetch_add(&server->frames, 1);
                if (r == RING_BAD_REQUEST) {
                        atomic_fetch_add(&server->bad_requests, 1);
                        completion = (RingCompletion){ .verdict = FRAMEKEY_VERDICT_REFUSED };
                } else
                        serve(server, &request, &completion);
                ring_complete(server->ring, &request, &completion, server->out);
                if (limit > 0 && ++n % limit == 0)
                        ring_publish(server->ring);
        }
        ring_publish(server->ring);
}

static void *echo_thread(void *userdata) {
        EchoServer *server = userdata;
        struct epoll_event doorbell = { .events = EPOLLIN | EPOLLET }, control = { .events = EPOLLIN }, event;
        int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        eventfd_t ignored;

        (void)epoll_ctl(epoll_fd, EPOLL_CTL_ADD, ring_doorbell_fd(server->ring), &doorbell);
        (void)epoll_ctl(epoll_fd, EPOLL_CTL_ADD, server->control_fd, &control);
        while (!atomic_load(&server->stop)) {
                turn(server);
                if (atomic_load(&server->hold) || atomic_load(&server->broken) || ring_rest(server->ring))
                        (void)epoll_wait(epoll_fd, &event, 1, -1);
                (void)eventfd_read(server->control_fd, &ignored);
        }
        (void)close(epoll_fd);
        return NULL;
}

void echo_start(EchoServer *server, uint32_t small, uint32_t video, uint32_t jumbo) {
        RingConfig config = { .n_slots = { small, video, jumbo }, .n_streams = ECHO_STREAMS };

        memset(server, 0, sizeof(*server));
        ck_assert_int_eq(pthread_mutex_init(&server->lock, NULL), 0);
        (void)signal(SIGPIPE, SIG_IGN); /* as in the daemon */
        ck_assert_int_eq(ring_new(&server->ring, &config, &server->fds), 0);
        server->control_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        ck_assert_int_ge(server->control_fd, 0);
        server->scratch = malloc(RING_SCRATCH_SIZE);
        server->out = malloc(RING_SCRATCH_SIZE);
        server->started = pthread_create(&server->thread, NULL, echo_thread, server) == 0;
        ck_assert(server->started);
}

void echo_stream(EchoServer *server, uint32_t row, int direction, int format, int media, int codec) {
        server->streams[row] = (RingStream){
                .direction = (uint8_t)direction,
                .format = (uint8_t)format,
                .media = (uint8_t)media,
                .codec = (uint8_t)codec,
                .overhead = ECHO_OVERHEAD,
        };
        ring_set_stream(server->ring, row, &server->streams[row]);
}

static void wake(EchoServer *server) {
        (void)eventfd_write(server->control_fd, 1);
}

void echo_hold(EchoServer *server, bool hold) {
        atomic_store(&server->hold, hold);
        wake(server);
}

static void join(EchoServer *server) {
        if (!server->started)
                return;
        atomic_store(&server->stop, true);
        wake(server);
        (void)pthread_join(server->thread, NULL);
        server->started = false;
}

void echo_close(EchoServer *server, RingClosed why) {
        join(server);
        ring_close(server->ring, why);
}

void echo_stop(EchoServer *server) {
        join(server);
        server->ring = ring_free(server->ring);
        close_fd(server->fds.request);
        close_fd(server->fds.response);
        close_fd(server->fds.doorbell);
        close_fd(server->fds.wakeup);
        close_fd(server->control_fd);
        free(server->scratch);
        free(server->out);
}

framekey_channel *echo_connect(EchoServer *server) {
        const int fds[] = { server->fds.request, server->fds.response, server->fds.doorbell, server->fds.wakeup };
        framekey_channel *channel = NULL;

        ck_assert_int_eq(framekey_channel_new_from_fds(&channel, fds, 4), 0);
        return channel;
}
