/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Many threads on one channel, blocking calls beside submitted frames, and wake-ups at every bad moment. A lost
 * wake-up shows as a poll that times out. */
#include <errno.h>
#include <poll.h>

#include "echo-server.h"
#include "runner.h"

#define WATCHDOG_MSEC 30000
#define LONG          UINT64_C(30000000)

enum { DATA_OUT, DATA_IN, VIDEO_OUT, VIDEO_IN };

static EchoServer server;
static framekey_channel *channel;

static void setup(uint32_t small, uint32_t video, uint32_t jumbo) {
        enum { LK = FRAMEKEY_FORMAT_LIVEKIT };

        echo_start(&server, small, video, jumbo);
        echo_stream(&server, DATA_OUT, FRAMEKEY_ENCRYPT, LK, FRAMEKEY_MEDIA_DATA, FRAMEKEY_CODEC_DATA);
        echo_stream(&server, DATA_IN, FRAMEKEY_DECRYPT, LK, FRAMEKEY_MEDIA_DATA, FRAMEKEY_CODEC_DATA);
        echo_stream(&server, VIDEO_OUT, FRAMEKEY_ENCRYPT, LK, FRAMEKEY_MEDIA_VIDEO, FRAMEKEY_CODEC_H264);
        echo_stream(&server, VIDEO_IN, FRAMEKEY_DECRYPT, LK, FRAMEKEY_MEDIA_VIDEO, FRAMEKEY_CODEC_H264);
        channel = echo_connect(&server);
}

static void teardown(void) {
        channel = framekey_channel_free(channel);
        echo_stop(&server);
        ck_assert(!atomic_load(&server.broken));
        ck_assert_uint_eq(atomic_load(&server.bad_requests), 0);
}

typedef struct Worker {
        pthread_t thread;
        unsigned number;
        unsigned rounds;
        uint64_t timeout_usec;
        unsigned done;
        unsigned timed_out;
        const char *failure; /* libcheck's assertions are for the main thread */
} Worker;

/* Length of a frame: mostly small, sometimes of the other classes. */
static size_t length_of(unsigned *seed) {
        unsigned n = (unsigned)rand_r(seed);

        if (n % 64 == 0)
                return 16 + n % 60000;
        if (n % 1024 == 1)
                return 1u << 19;
        return 16 + n % 1500;
}

static const char *round_trip(const Worker *worker, unsigned *seed, uint8_t *in, uint8_t *out, size_t room,
                              bool *ret_timed_out) {
        struct framekey_frame frame = { .size = sizeof(frame), .stream = DATA_OUT };
        size_t len = length_of(seed), sealed_len, back_len;
        int r;

        memset(in, (int)(*seed & 0xff), len);
        memcpy(in, worker, 8);
        memcpy(in + 8, seed, 4);
        r = framekey_encrypt(channel, &frame, in, len, out, room, &sealed_len, NULL, worker->timeout_usec);
        *ret_timed_out = r == -ETIMEDOUT || r == -EAGAIN;
        if (*ret_timed_out)
                return NULL;
        if (r != 0 || sealed_len != len + ECHO_OVERHEAD || memcmp(out, in, len) != 0)
                return "encryption gave another frame";
        frame.stream = DATA_IN;
        r = framekey_decrypt(channel, &frame, out, sealed_len, out, room, &back_len, NULL, worker->timeout_usec);
        *ret_timed_out = r == -ETIMEDOUT || r == -EAGAIN;
        if (*ret_timed_out)
                return NULL;
        if (r != 0 || back_len != len || memcmp(out, in, len) != 0)
                return "decryption gave another frame";
        return NULL;
}

static void *work(void *userdata) {
        size_t room = (1u << 19) + 1024;
        uint8_t *in = malloc(room), *out = malloc(room);
        Worker *worker = userdata;
        unsigned seed = worker->number;

        for (unsigned i = 0; i < worker->rounds && !worker->failure; i++) {
                bool timed_out;

                worker->failure = round_trip(worker, &seed, in, out, room, &timed_out);
                worker->done += !timed_out;
                worker->timed_out += timed_out;
        }
        free(in);
        free(out);
        return NULL;
}

static void run_workers(Worker *workers, unsigned n, unsigned rounds, uint64_t timeout_usec) {
        for (unsigned i = 0; i < n; i++) {
                workers[i] = (Worker){ .number = i + 1, .rounds = rounds, .timeout_usec = timeout_usec };
                ck_assert_int_eq(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
        }
        for (unsigned i = 0; i < n; i++) {
                (void)pthread_join(workers[i].thread, NULL);
                ck_assert_msg(!workers[i].failure, "%s", workers[i].failure);
        }
}

START_TEST(many_threads_get_their_own_frames_back) {
        Worker workers[8];

        setup(4, 2, 1);
        run_workers(workers, 8, 1000, LONG);
        for (unsigned i = 0; i < 8; i++)
                ck_assert_uint_eq(workers[i].done, 1000);
        teardown();
}
END_TEST

/* Timeouts so short that many frames are given up, and answered later into slots that are used again. */
START_TEST(frames_given_up_never_come_back_as_others) {
        struct framekey_frame frame = { .size = sizeof(frame), .stream = DATA_OUT };
        struct framekey_result result = { .size = sizeof(result) };
        uint8_t out[64];
        Worker workers[4];
        unsigned timed_out = 0, done = 0;

        setup(4, 2, 1);
        for (uint64_t timeout = 0; timeout < 60; timeout += 4) {
                run_workers(workers, 4, 200, timeout);
                for (unsigned i = 0; i < 4; i++) {
                        timed_out += workers[i].timed_out;
                        done += workers[i].done;
                }
        }
        ck_assert_uint_gt(timed_out, 100);
        ck_assert_uint_gt(done, 100);
        ck_assert_int_eq(framekey_encrypt(channel, &frame, "last", 4, out, 64, NULL, NULL, LONG), 0);
        ck_assert_int_eq(framekey_reap(channel, &result), 0);
        teardown();
}
END_TEST

/* ---- submitted frames, reaped by a poller ---- */

typedef struct Flow {
        unsigned n;
        atomic_uint in_flight;
        _Atomic(const char *) failure;
} Flow;

static const char *take(const struct framekey_result *result, uint64_t expected) {
        uint8_t out[256];
        uint64_t text;
        size_t len;

        if (result->cookie != expected || result->verdict != 0)
                return "a completion is missing or out of order";
        if (framekey_take(channel, result, out, sizeof(out), &len) != 0 || len != 64 + ECHO_OVERHEAD)
                return "output could not be taken";
        memcpy(&text, out, sizeof(text));
        return text == expected ? NULL : "another frame's output";
}

static void *reap_all(void *userdata) {
        Flow *flow = userdata;
        struct pollfd pollfd = { .fd = framekey_channel_get_fd(channel), .events = POLLIN };

        for (uint64_t i = 0; i < flow->n && !flow->failure;) {
                struct framekey_result result = { .size = sizeof(result) };
                int r = framekey_reap(channel, &result);

                if (r == 1) {
                        flow->failure = take(&result, i++);
                        atomic_fetch_sub(&flow->in_flight, 1);
                } else if (r != 0)
                        flow->failure = "reaping failed";
                else if (poll(&pollfd, 1, WATCHDOG_MSEC) != 1)
                        flow->failure = "a wake-up was lost";
        }
        return NULL;
}

/* Slots of calls that timed out come back with their late answers. */
static void reserve(const struct framekey_frame *frame, uint32_t *ret_slot, void **ret_buffer) {
        int r;

        while ((r = framekey_reserve(channel, frame, 64, ret_slot, ret_buffer)) == -EAGAIN)
                (void)sched_yield();
        ck_assert_int_eq(r, 0);
}

static void submit_all(Flow *flow, unsigned depth, unsigned batch) {
        struct framekey_frame frame = { .size = sizeof(frame), .stream = DATA_OUT };

        for (uint64_t i = 0; i < flow->n && !flow->failure; i++) {
                uint32_t slot;
                void *buffer;

                while (atomic_load(&flow->in_flight) >= depth && !flow->failure)
                        (void)sched_yield();
                if (flow->failure)
                        return;
                reserve(&frame, &slot, &buffer);
                memcpy(buffer, &i, sizeof(i));
                atomic_fetch_add(&flow->in_flight, 1);
                ck_assert_int_eq(framekey_submit(channel, slot, &frame, 64, i), 0);
                if (i % batch == batch - 1 || i + 1 == flow->n || atomic_load(&flow->in_flight) >= depth)
                        ck_assert_int_eq(framekey_flush(channel), 0);
        }
}

static void run_flow(unsigned n, unsigned depth, unsigned batch, Worker *beside) {
        Flow flow = { .n = n };
        pthread_t reaper;

        ck_assert_int_eq(pthread_create(&reaper, NULL, reap_all, &flow), 0);
        if (beside)
                ck_assert_int_eq(pthread_create(&beside->thread, NULL, work, beside), 0);
        submit_all(&flow, depth, batch);
        (void)pthread_join(reaper, NULL);
        if (beside)
                (void)pthread_join(beside->thread, NULL);
        ck_assert_msg(!flow.failure, "%s", flow.failure);
}

START_TEST(no_wake_up_is_lost_at_any_depth) {
        static const unsigned depths[] = { 1, 2, 3, 7, 16 };

        setup(16, 0, 0);
        for (unsigned step = 0; step < 3; step++)
                for (unsigned i = 0; i < 5; i++) {
                        atomic_store(&server.step_limit, step);
                        run_flow(4000, depths[i], 1 + i % 3, NULL);
                }
        teardown();
}
END_TEST

START_TEST(no_wake_up_is_lost_beside_blocking_calls) {
        Worker beside = { .number = 9, .rounds = 4000, .timeout_usec = LONG };

        setup(16, 4, 1);
        run_flow(8000, 8, 2, &beside);
        ck_assert_msg(!beside.failure, "%s", beside.failure);
        ck_assert_uint_eq(beside.done, 4000);
        teardown();
}
END_TEST

START_TEST(no_wake_up_is_lost_beside_calls_that_time_out) {
        Worker beside = { .number = 9, .rounds = 4000, .timeout_usec = 15 };

        setup(16, 4, 1);
        run_flow(8000, 8, 2, &beside);
        ck_assert_msg(!beside.failure, "%s", beside.failure);
        teardown();
}
END_TEST

RUN_TESTS("channel-stress", many_threads_get_their_own_frames_back, frames_given_up_never_come_back_as_others,
          no_wake_up_is_lost_at_any_depth, no_wake_up_is_lost_beside_blocking_calls,
          no_wake_up_is_lost_beside_calls_that_time_out)
