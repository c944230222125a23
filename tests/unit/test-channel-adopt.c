/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A channel with its streams, its keys and its frames in flight goes from one server of data threads to the next, as it
 * does from process to process. Here the second one is in the same process, where sanitizers see both. */
#include "channel/channel.h"
#include "keyplane-fixture.h"
#include "runner.h"

#include <fcntl.h>
#include <framekey.h>
#include <pthread.h>

#define DEADLINE  (20 * USEC_PER_SEC)
#define N_THREADS 2u
#define FRAME_LEN 100u

/* What outlives a process. */
typedef struct Memory {
        UndoLog logs[N_THREADS];
        uint64_t rings[2][128];
} Memory;

typedef struct Host {
        Plane *plane;
        ChannelServer *server;
        Session *session;
        uint32_t me, peer;
        Memory *memory;
        Undo undo[N_THREADS];
} Host;

static const RingConfig small_config = { .n_slots = { 32, 0, 0 }, .n_streams = 8, .same_uid = true };

static void server_start(Host *host) {
        ck_assert_int_eq(channel_server_new(&host->server, host->plane, N_THREADS), 0);
        for (unsigned i = 0; i < N_THREADS; i++) {
                host->undo[i] = (Undo){ .log = &host->memory->logs[i],
                                        .state = (uint8_t *)host->memory,
                                        .state_size = sizeof(*host->memory) };
                ck_assert_int_eq(undo_recover(&host->undo[i]), 0);
                channel_server_set_undo(host->server, i, &host->undo[i]);
        }
}

static void session_start(const Host *host, Session **ret, uint32_t *ret_me, uint32_t *ret_peer) {
        SessionConfig config;

        preset_session_config(preset_find("livekit"), &config);
        ck_assert_int_eq(session_new(ret, host->plane, &config, NULL, NULL), 0);
        ck_assert_int_eq(session_add_participant(*ret, true, ret_me), 0);
        ck_assert_int_eq(session_add_participant(*ret, false, ret_peer), 0);
        import(host->plane, *ret, SESSION_SHARED, 0, "a passphrase", 0);
}

static void host_start(Host *host) {
        *host = (Host){ .plane = plane_start(), .memory = calloc(1, sizeof(*host->memory)) };
        ck_assert_uint_le(ring_state_size(&small_config), sizeof(host->memory->rings[0]));
        server_start(host);
        session_start(host, &host->session, &host->me, &host->peer);
}

static void host_end(Host *host) {
        session_free(host->session);
        channel_server_free(host->server);
        plane_free(host->plane);
        free(host->memory);
}

static void on_gone(Channel *channel, ChannelGone why, void *userdata) {
        ck_abort_msg("a channel went away: %d", why);
}

/* ---- a channel ---- */

typedef struct Pipe {
        Channel *channel;
        RingState *state;
        RingKept kept;
        framekey_channel *client;
        uint32_t seal, open;
} Pipe;

static void add_stream(const Host *host, Channel *channel, enum framekey_direction direction, uint32_t *ret) {
        ck_assert_int_eq(channel_add_stream(channel, host->session,
                                            direction == FRAMEKEY_ENCRYPT ? host->me : host->peer, direction,
                                            FRAMEKEY_MEDIA_AUDIO, FRAMEKEY_CODEC_OPUS, ret),
                         0);
}

static Pipe pipe_open(Host *host, unsigned number) {
        RingConfig config = small_config;
        uint32_t ignored;
        RingKept kept;
        RingFds fds;
        Pipe p = { .state = (RingState *)host->memory->rings[number] };

        config.state = p.state;
        ck_assert_int_eq(channel_new(&p.channel, host->server, host->session, &config, &fds, on_gone, NULL), 0);
        add_stream(host, p.channel, FRAMEKEY_ENCRYPT, &ignored);
        add_stream(host, p.channel, FRAMEKEY_ENCRYPT, &p.seal);
        add_stream(host, p.channel, FRAMEKEY_DECRYPT, &p.open);
        ck_assert_int_eq(channel_remove_stream(p.channel, ignored), 0);
        channel_kept_fds(p.channel, &kept);
        p.kept = (RingKept){
                .request = fcntl(kept.request, F_DUPFD_CLOEXEC, 0),
                .response = fcntl(kept.response, F_DUPFD_CLOEXEC, 0),
                .doorbell = fcntl(kept.doorbell, F_DUPFD_CLOEXEC, 0),
                .wakeup = fcntl(kept.wakeup, F_DUPFD_CLOEXEC, 0),
        };
        channel_kept(p.channel);
        ck_assert_int_eq(framekey_channel_new_from_fds(&p.client, (const int *)&fds, 4), 0);
        close_fd(fds.request);
        close_fd(fds.response);
        close_fd(fds.doorbell);
        close_fd(fds.wakeup);
        return p;
}

static void pipe_leave(Pipe *p) {
        channel_leave(p->channel);
        p->channel = channel_free(p->channel);
}

static int restore(const Host *host, const Pipe *p, uint32_t stream, enum framekey_direction direction) {
        return channel_restore_stream(p->channel, stream, host->session,
                                      direction == FRAMEKEY_ENCRYPT ? host->me : host->peer, direction,
                                      FRAMEKEY_MEDIA_AUDIO, FRAMEKEY_CODEC_OPUS);
}

static void pipe_adopt(Host *host, Pipe *p) {
        ck_assert_int_eq(channel_adopt(&p->channel, host->server, host->session, p->state, &p->kept, on_gone, NULL), 0);
        ck_assert_int_eq(restore(host, p, p->seal, FRAMEKEY_ENCRYPT), 0);
        ck_assert_int_eq(restore(host, p, p->open, FRAMEKEY_DECRYPT), 0);
}

static void pipe_close(Pipe *p) {
        p->channel = channel_free(p->channel);
        framekey_channel_free(p->client);
        close_fd(p->kept.request);
        close_fd(p->kept.response);
        close_fd(p->kept.doorbell);
        close_fd(p->kept.wakeup);
}

static int seal(const Pipe *p, const uint8_t *plain, uint8_t *sealed, size_t *ret_len) {
        struct framekey_frame frame = { .size = sizeof(frame), .stream = p->seal };

        return framekey_encrypt(p->client, &frame, plain, FRAME_LEN, sealed, FRAME_LEN + 30, ret_len, NULL, DEADLINE);
}

static void check_open(const Pipe *p, const uint8_t *sealed, size_t len, const uint8_t *plain) {
        struct framekey_frame frame = { .size = sizeof(frame), .stream = p->open };
        uint8_t opened[FRAME_LEN];
        size_t n;

        ck_assert_int_eq(framekey_decrypt(p->client, &frame, sealed, len, opened, sizeof(opened), &n, NULL, DEADLINE),
                         0);
        ck_assert_uint_eq(n, FRAME_LEN);
        ck_assert_mem_eq(opened, plain, FRAME_LEN);
}

static void submit(const Pipe *p, uint64_t cookie) {
        struct framekey_frame frame = { .size = sizeof(frame), .stream = p->seal };
        uint32_t slot;
        void *buffer;

        ck_assert_int_eq(framekey_reserve(p->client, &frame, FRAME_LEN, &slot, &buffer), 0);
        memset(buffer, (int)cookie, FRAME_LEN);
        ck_assert_int_eq(framekey_submit(p->client, slot, &frame, FRAME_LEN, cookie), 0);
        ck_assert_int_eq(framekey_flush(p->client), 0);
}

static void check_reap(const Pipe *p, uint64_t cookie) {
        struct framekey_result result = { .size = sizeof(result) };
        struct pollfd pollfd = { .fd = framekey_channel_get_fd(p->client), .events = POLLIN };
        int r;

        while ((r = framekey_reap(p->client, &result)) == 0)
                ck_assert_int_eq(poll(&pollfd, 1, RUNNER_TIMEOUT * 1000 / 4), 1);
        ck_assert_int_eq(r, 1);
        ck_assert_uint_eq(result.cookie, cookie);
        ck_assert_int_eq(result.verdict, 0);
        framekey_release(p->client, result.slot);
}

/* ---- cases ---- */

START_TEST(a_channel_goes_on_with_the_next_server) {
        uint8_t plain[FRAME_LEN], sealed[FRAME_LEN + 30];
        enum framekey_direction direction;
        size_t len;
        Host host;
        Pipe p;

        memset(plain, 7, sizeof(plain));
        host_start(&host);
        p = pipe_open(&host, 0);
        ck_assert_int_eq(seal(&p, plain, sealed, &len), 0);
        pipe_leave(&p);
        channel_server_free(host.server);
        submit(&p, 1); /* to nobody */
        ck_assert_int_eq(framekey_stream_get(p.client, p.open, &direction, NULL, NULL, NULL), 0);

        server_start(&host);
        pipe_adopt(&host, &p);
        submit(&p, 2);
        ck_assert_int_eq(channel_resume(p.channel), 0);
        check_reap(&p, 1);
        check_reap(&p, 2);
        check_open(&p, sealed, len, plain);
        ck_assert_int_eq(seal(&p, plain, sealed, &len), 0);
        check_open(&p, sealed, len, plain);
        /* The stream that was taken away is not back. */
        ck_assert_int_eq(framekey_stream_get(p.client, 0, &direction, NULL, NULL, NULL), -ENOENT);
        pipe_close(&p);
        host_end(&host);
}
END_TEST

/* Removed by control, but the former process died before the row was freed. */
START_TEST(streams_that_are_not_restored_are_gone) {
        enum framekey_direction direction;
        Host host;
        Pipe p;

        host_start(&host);
        p = pipe_open(&host, 0);
        pipe_leave(&p);
        ck_assert_int_eq(channel_adopt(&p.channel, host.server, host.session, p.state, &p.kept, on_gone, NULL), 0);
        ck_assert_int_eq(restore(&host, &p, p.seal, FRAMEKEY_ENCRYPT), 0);
        ck_assert_int_eq(framekey_stream_get(p.client, p.open, &direction, NULL, NULL, NULL), 0);
        ck_assert_int_eq(channel_resume(p.channel), 0);
        ck_assert_int_eq(framekey_stream_get(p.client, p.open, &direction, NULL, NULL, NULL), -ENOENT);
        ck_assert_int_eq(framekey_stream_get(p.client, p.seal, &direction, NULL, NULL, NULL), 0);
        pipe_close(&p);
        host_end(&host);
}
END_TEST

START_TEST(rows_that_cannot_be_are_not_restored) {
        Host host;
        Pipe p;

        host_start(&host);
        p = pipe_open(&host, 0);
        pipe_leave(&p);
        pipe_adopt(&host, &p);
        ck_assert_int_eq(restore(&host, &p, p.seal, FRAMEKEY_ENCRYPT), -EBADMSG); /* it is there */
        ck_assert_int_eq(restore(&host, &p, small_config.n_streams, FRAMEKEY_ENCRYPT), -EBADMSG);
        ck_assert_int_eq(restore(&host, &p, UINT32_MAX, FRAMEKEY_ENCRYPT), -EBADMSG);
        ck_assert_int_eq(channel_restore_stream(p.channel, 3, host.session, host.me, FRAMEKEY_ENCRYPT,
                                                FRAMEKEY_MEDIA_VIDEO, FRAMEKEY_CODEC_AV1),
                         -EBADMSG);
        ck_assert_int_eq(channel_restore_stream(p.channel, 3, host.session, host.peer, FRAMEKEY_ENCRYPT,
                                                FRAMEKEY_MEDIA_AUDIO, FRAMEKEY_CODEC_OPUS),
                         SESSION_WRONG_ROLE);
        ck_assert_int_eq(channel_resume(p.channel), 0);
        pipe_close(&p);
        host_end(&host);
}
END_TEST

/* What cannot be taken over ends for its client. */
START_TEST(a_refused_channel_is_stale) {
        uint8_t plain[FRAME_LEN] = { 0 }, sealed[FRAME_LEN + 30];
        size_t len;
        Host host;
        Pipe p;

        host_start(&host);
        p = pipe_open(&host, 0);
        pipe_leave(&p);
        *(uint32_t *)p.state += 1; /* of another version */
        ck_assert_int_eq(channel_adopt(&p.channel, host.server, host.session, p.state, &p.kept, on_gone, NULL),
                         -EBADMSG);
        ck_assert_int_eq(p.kept.wakeup, -EBADF);
        ck_assert_int_eq(seal(&p, plain, sealed, &len), -ESTALE);
        p.channel = NULL;
        pipe_close(&p);
        host_end(&host);
}
END_TEST

/* Each of two channels bridges from its own session to that of the other, on threads of their own: both need both
 * sessions at once. */
typedef struct Bridge {
        framekey_channel *client;
        uint32_t from, to;
        uint8_t sealed[200][FRAME_LEN + 30];
} Bridge;

static void *bridge(void *argument) {
        Bridge *b = argument;

        for (size_t i = 0; i < ELEMENTS(b->sealed); i++) {
                struct framekey_frame from = { .size = sizeof(from), .stream = b->from };
                struct framekey_frame to = { .size = sizeof(to), .stream = b->to };
                uint8_t out[FRAME_LEN + 30];
                size_t n = 0;

                ck_assert_int_eq(framekey_transcrypt(b->client, &from, &to, b->sealed[i], sizeof(b->sealed[i]), out,
                                                     sizeof(out), &n, NULL, DEADLINE),
                                 0);
                ck_assert_uint_eq(n, sizeof(out));
        }
        return NULL;
}

START_TEST(bridges_in_both_directions_do_not_wait_for_each_other) {
        uint8_t plain[FRAME_LEN] = { 1 };
        Bridge *bridges = calloc(2, sizeof(*bridges));
        pthread_t threads[2];
        Host hosts[2];
        Pipe pipes[2];

        host_start(&hosts[0]);
        hosts[1] = hosts[0];
        session_start(&hosts[1], &hosts[1].session, &hosts[1].me, &hosts[1].peer);
        for (unsigned i = 0; i < 2; i++)
                pipes[i] = pipe_open(&hosts[i], i);
        for (unsigned i = 0; i < 2; i++) {
                bridges[i].client = pipes[i].client;
                bridges[i].from = pipes[i].open;
                add_stream(&hosts[1 - i], pipes[i].channel, FRAMEKEY_ENCRYPT, &bridges[i].to);
                for (size_t k = 0; k < ELEMENTS(bridges[i].sealed); k++) {
                        size_t len;

                        ck_assert_int_eq(seal(&pipes[i], plain, bridges[i].sealed[k], &len), 0);
                }
        }
        for (unsigned i = 0; i < 2; i++)
                ck_assert_int_eq(pthread_create(&threads[i], NULL, bridge, &bridges[i]), 0);
        for (unsigned i = 0; i < 2; i++)
                ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
        for (unsigned i = 0; i < 2; i++)
                ck_assert_int_eq(channel_remove_stream(pipes[i].channel, bridges[i].to), 0);
        for (unsigned i = 0; i < 2; i++)
                pipe_close(&pipes[i]);
        session_free(hosts[1].session);
        host_end(&hosts[0]);
        free(bridges);
}
END_TEST

RUN_TESTS("channel-adopt", a_channel_goes_on_with_the_next_server, streams_that_are_not_restored_are_gone,
          rows_that_cannot_be_are_not_restored, a_refused_channel_is_stale,
          bridges_in_both_directions_do_not_wait_for_each_other)
