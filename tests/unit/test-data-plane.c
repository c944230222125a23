/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Library, ring, data threads and keys together in one process: the whole way of a frame without
 * the bus. Sanitizers see both ends here.
 */
#include "channel/channel.h"
#include "keyplane-fixture.h"
#include "runner.h"

#include <framekey.h>
#include <pthread.h>

typedef struct Host {
        Plane *plane;
        ChannelServer *server;
        Session *session;
        uint32_t me, peer;
        unsigned n_gone;
        ChannelGone why;
} Host;

static void host_start(Host *host, unsigned n_threads) {
        SessionConfig config;

        *host = (Host){ .plane = plane_start() };
        ck_assert_int_eq(channel_server_new(&host->server, host->plane, n_threads), 0);
        preset_session_config(preset_find("livekit"), &config);
        ck_assert_int_eq(session_new(&host->session, host->plane, &config, NULL, NULL), 0);
        ck_assert_int_eq(session_add_participant(host->session, true, &host->me), 0);
        ck_assert_int_eq(session_add_participant(host->session, false, &host->peer), 0);
        import(host->plane, host->session, SESSION_SHARED, 0, "a passphrase", 0);
}

static void host_end(Host *host) {
        session_free(host->session);
        channel_server_free(host->server);
        plane_free(host->plane);
}

static void on_gone(Channel *channel, ChannelGone why, void *userdata) {
        Host *host = userdata;

        host->n_gone++;
        host->why = why;
        channel_free(channel);
}

/* Both ends of a channel with one encrypting and one decrypting stream. */
typedef struct Pipe {
        Channel *channel;
        framekey_channel *client;
        uint32_t seal, open;
} Pipe;

static Pipe pipe_open(Host *host, enum framekey_media media, enum framekey_codec codec) {
        RingConfig config = { .n_slots = { 32, 8, 1 }, .n_streams = 64, .same_uid = true };
        RingFds fds;
        Pipe p;

        ck_assert_int_eq(channel_new(&p.channel, host->server, host->session, &config, &fds, on_gone, host), 0);
        ck_assert_int_eq(
                channel_add_stream(p.channel, host->session, host->me, FRAMEKEY_ENCRYPT, media, codec, &p.seal), 0);
        ck_assert_int_eq(
                channel_add_stream(p.channel, host->session, host->peer, FRAMEKEY_DECRYPT, media, codec, &p.open), 0);
        ck_assert_int_eq(framekey_channel_new_from_fds(
                                 &p.client, (const int[]){ fds.request, fds.response, fds.doorbell, fds.wakeup }, 4),
                         0);
        close_fd(fds.request);
        close_fd(fds.response);
        close_fd(fds.doorbell);
        close_fd(fds.wakeup);
        return p;
}

static void pipe_close(Pipe *p) {
        channel_free(p->channel);
        framekey_channel_free(p->client);
}

/* Through the daemon and back; the plain text must come out as it went in. */
static void round_trip(const Pipe *p, const uint8_t *plain, size_t len) {
        struct framekey_frame frame = { .size = sizeof(frame), .stream = p->seal };
        size_t sealed_max = framekey_sealed_max(p->client, p->seal, len), n = 0;
        uint8_t *sealed = malloc(sealed_max), *opened = malloc(len + 1);

        ck_assert_int_eq(framekey_encrypt(p->client, &frame, plain, len, sealed, sealed_max, &n, NULL,
                                          FRAMEKEY_TIMEOUT_INFINITE),
                         len == 0 ? FRAMEKEY_VERDICT_EMPTY : FRAMEKEY_OK);
        ck_assert_uint_eq(n, len == 0 ? 0 : len + 30);
        frame.stream = p->open;
        ck_assert_int_eq(
                framekey_decrypt(p->client, &frame, sealed, n, opened, len, &n, NULL, FRAMEKEY_TIMEOUT_INFINITE),
                len == 0 ? FRAMEKEY_VERDICT_EMPTY : FRAMEKEY_OK);
        ck_assert_uint_eq(n, len);
        ck_assert_mem_eq(opened, plain, len);
        free(sealed);
        free(opened);
}

static uint8_t *pattern(size_t len) {
        uint8_t *bytes = malloc(len + 1);

        for (size_t i = 0; i < len; i++)
                bytes[i] = (uint8_t)(i * 31 + (i >> 8));
        return bytes;
}

START_TEST(frames_of_every_size_class_come_back_whole) {
        static const size_t lengths[] = { 0,     1,     2,     120,   2017,  2018,   2019,    2048,   4095,
                                          65000, 65505, 65506, 65507, 65536, 300000, 1048575, 1048576 };
        uint8_t *plain = pattern(1048576);
        Host host;
        Pipe p;

        host_start(&host, 2);
        p = pipe_open(&host, FRAMEKEY_MEDIA_DATA, FRAMEKEY_CODEC_DATA);
        for (size_t i = 0; i < ELEMENTS(lengths); i++)
                round_trip(&p, plain, lengths[i]);
        pipe_close(&p);
        host_end(&host);
        free(plain);
}
END_TEST

START_TEST(a_frame_over_a_mebibyte_is_too_long) {
        struct framekey_frame frame = { .size = sizeof(frame) };
        uint8_t *plain = pattern(1048577), *out = malloc(2000000);
        size_t n = 0;
        int r;
        Host host;
        Pipe p;

        host_start(&host, 1);
        p = pipe_open(&host, FRAMEKEY_MEDIA_DATA, FRAMEKEY_CODEC_DATA);
        frame.stream = p.seal;
        r = framekey_encrypt(p.client, &frame, plain, 1048577, out, 2000000, &n, NULL, FRAMEKEY_TIMEOUT_INFINITE);
        ck_assert_msg(r == FRAMEKEY_VERDICT_TOO_LONG || r == -EMSGSIZE, "%d", r);
        ck_assert_uint_eq(n, 0);
        pipe_close(&p);
        host_end(&host);
        free(plain);
        free(out);
}
END_TEST

START_TEST(a_stream_that_was_not_granted_is_refused) {
        struct framekey_frame frame = { .size = sizeof(frame) };
        uint8_t out[256];
        size_t n = 7;
        Host host;
        Pipe p;

        host_start(&host, 1);
        p = pipe_open(&host, FRAMEKEY_MEDIA_AUDIO, FRAMEKEY_CODEC_OPUS);
        ck_assert_int_eq(channel_remove_stream(p.channel, p.seal), 0);
        ck_assert_int_eq(channel_remove_stream(p.channel, p.seal), -ENOENT);
        frame.stream = p.seal;
        ck_assert_int_ne(framekey_encrypt(p.client, &frame, "xx", 2, out, sizeof(out), &n, NULL, 10 * USEC_PER_SEC), 0);
        ck_assert_uint_eq(n, 7);
        /* direction: a decrypting stream does not encrypt */
        frame.stream = p.open;
        ck_assert_int_ne(framekey_encrypt(p.client, &frame, "xx", 2, out, sizeof(out), &n, NULL, 10 * USEC_PER_SEC), 0);
        pipe_close(&p);
        host_end(&host);
}
END_TEST

START_TEST(av1_is_refused_where_peers_cannot_read_it) {
        Host host;
        Pipe p;
        uint32_t stream;

        host_start(&host, 1);
        p = pipe_open(&host, FRAMEKEY_MEDIA_VIDEO, FRAMEKEY_CODEC_VP8);
        ck_assert_int_eq(channel_add_stream(p.channel, host.session, host.me, FRAMEKEY_ENCRYPT, FRAMEKEY_MEDIA_VIDEO,
                                            FRAMEKEY_CODEC_AV1, &stream),
                         -EOPNOTSUPP);
        pipe_close(&p);
        host_end(&host);
}
END_TEST

START_TEST(the_daemon_notices_the_clients_end) {
        struct pollfd poll_fd = { .events = POLLIN };
        Host host;
        Pipe p;

        host_start(&host, 1);
        p = pipe_open(&host, FRAMEKEY_MEDIA_AUDIO, FRAMEKEY_CODEC_OPUS);
        framekey_channel_free(p.client);
        poll_fd.fd = channel_server_event_fd(host.server);
        ck_assert_int_eq(poll(&poll_fd, 1, 10000), 1);
        channel_server_dispatch(host.server);
        ck_assert_uint_eq(host.n_gone, 1);
        ck_assert_int_eq(host.why, CHANNEL_GONE_CLIENT);
        host_end(&host);
}
END_TEST

START_TEST(a_channel_closed_by_its_owner_says_so) {
        struct framekey_frame frame = { .size = sizeof(frame) };
        uint8_t out[256];
        size_t n;
        Host host;
        Pipe p;

        host_start(&host, 1);
        p = pipe_open(&host, FRAMEKEY_MEDIA_AUDIO, FRAMEKEY_CODEC_OPUS);
        frame.stream = p.seal;
        channel_free(p.channel);
        ck_assert_int_eq(framekey_encrypt(p.client, &frame, "xx", 2, out, sizeof(out), &n, NULL, 10 * USEC_PER_SEC),
                         -EPIPE);
        framekey_channel_free(p.client);
        host_end(&host);
}
END_TEST

typedef struct Worker {
        Pipe *pipe;
        unsigned seed;
        unsigned n_frames;
} Worker;

static void *work(void *userdata) {
        Worker *w = userdata;
        uint8_t *plain = pattern(4096);

        for (unsigned i = 0; i < w->n_frames; i++) {
                plain[0] = (uint8_t)(w->seed + i);
                round_trip(w->pipe, plain, 1 + (i * 7919 + w->seed) % 4000);
        }
        free(plain);
        return NULL;
}

START_TEST(many_channels_and_threads_while_keys_come_and_streams_go) {
        enum { N = 6 };
        Host host;
        Pipe pipes[N];
        Worker workers[N];
        pthread_t threads[N];

        host_start(&host, 2);
        for (unsigned i = 0; i < N; i++) {
                pipes[i] = pipe_open(&host, FRAMEKEY_MEDIA_DATA, FRAMEKEY_CODEC_DATA);
                workers[i] = (Worker){ .pipe = &pipes[i], .seed = i * 1000, .n_frames = 300 };
        }
        /* Two threads share the last channel. */
        workers[N - 1].pipe = &pipes[N - 2];
        for (unsigned i = 0; i < N; i++)
                ck_assert_int_eq(pthread_create(&threads[i], NULL, work, &workers[i]), 0);

        for (uint32_t round = 0; round < 20; round++) {
                Pipe extra = pipe_open(&host, FRAMEKEY_MEDIA_AUDIO, FRAMEKEY_CODEC_OPUS);

                import(host.plane, host.session, SESSION_SHARED, 1 + round % 15, round % 2 ? "one" : "two", 0);
                ck_assert_int_eq(channel_remove_stream(extra.channel, extra.seal), 0);
                pipe_close(&extra);
                if (round ==
                    10) /* once: receivers keep one previous key, and threads here may sleep through two steps */
                        ratchet(host.plane, host.session, SESSION_SHARED, 1);
        }
        for (unsigned i = 0; i < N; i++)
                ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
        for (unsigned i = 0; i < N; i++)
                pipe_close(&pipes[i]);
        host_end(&host);
}
END_TEST

RUN_TESTS("data-plane", frames_of_every_size_class_come_back_whole, a_frame_over_a_mebibyte_is_too_long,
          a_stream_that_was_not_granted_is_refused, av1_is_refused_where_peers_cannot_read_it,
          the_daemon_notices_the_clients_end, a_channel_closed_by_its_owner_says_so,
          many_channels_and_threads_while_keys_come_and_streams_go)
