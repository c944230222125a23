/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A large call at its own pace: each participant has 50 small frames and 30 large ones a second on a channel of his
 * own, of which every other one is encrypted and then decrypted as a receiver would. What that costs the daemon, beside
 * the same frames in process, with as many handles and buffers, one after the other.
 */
#include "bench/endpoint.h"
#include "bench/figures.h"
#include "bench/machine.h"
#include "bench/parts.h"
#include "bench/sealer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PARTICIPANTS 1000u
#define FEW          8u
#define AUDIO_RATE   50u
#define AUDIO_SIZE   120u
#define VIDEO_RATE   30u
#define VIDEO_SIZE   6250u
#define RATE         (AUDIO_RATE + VIDEO_RATE)
#define NSEC_PER_SEC UINT64_C(1000000000)
#define LOOK_BACK    64u /* frames whose channels are looked at again */

static const char *const channel_options[] = { "small-slots=8", "video-slots=4", "jumbo-slots=1", NULL };

typedef enum Kind {
        KIND_AUDIO,
        KIND_VIDEO,
        N_KINDS,
} Kind;

/* What was sealed last and not opened yet. */
typedef struct Sealed {
        uint8_t bytes[VIDEO_SIZE + BENCH_OVERHEAD];
        size_t len; /* 0: nothing */
} Sealed;

typedef struct Participant {
        Port port;
        Sealed sealed[N_KINDS];
        Sealer sealer;
} Participant;

/* A frame that is due at this time of every second. */
typedef struct Due {
        uint32_t nsec;
        uint16_t participant;
        uint8_t kind;
} Due;

typedef struct Call {
        Endpoint endpoint;
        Participant participants[PARTICIPANTS];
        Due dues[PARTICIPANTS * RATE];
        double delays[4 * PARTICIPANTS * RATE];
        pid_t daemon;
        uint64_t block_nsec;
} Call;

static int by_time(const void *a, const void *b) {
        const Due *x = a, *y = b;

        return (x->nsec > y->nsec) - (x->nsec < y->nsec);
}

/* Every participant at a phase of his own. */
static size_t plan(Call *call, unsigned n_participants) {
        uint64_t random = 88172645463325252u; /* the same call every time */
        size_t n = 0;

        for (unsigned p = 0; p < n_participants; p++)
                for (unsigned i = 0; i < RATE; i++) {
                        bool audio = i < AUDIO_RATE;
                        uint64_t period = NSEC_PER_SEC / (audio ? AUDIO_RATE : VIDEO_RATE);

                        if (i == 0 || i == AUDIO_RATE) { /* xorshift */
                                random ^= random << 13;
                                random ^= random >> 7;
                                random ^= random << 17;
                        }
                        call->dues[n++] = (Due){
                                .nsec = (uint32_t)(random % period + period * (audio ? i : i - AUDIO_RATE)),
                                .participant = (uint16_t)p,
                                .kind = audio ? KIND_AUDIO : KIND_VIDEO,
                        };
                }
        qsort(call->dues, n, sizeof(*call->dues), by_time);
        return n;
}

/* False: the daemon is so late that the participant's slots are all in use; the frame is dropped. */
static bool submit(Participant *participant, Kind kind, uint64_t now) {
        static const uint8_t plain[VIDEO_SIZE];
        Sealed *sealed = &participant->sealed[kind];
        bool opening = sealed->len > 0;
        size_t len = opening ? sealed->len : kind == KIND_AUDIO ? AUDIO_SIZE : VIDEO_SIZE;
        const struct framekey_frame frame = { .size = sizeof(frame),
                                              .stream = opening ? participant->port.open : participant->port.seal };
        uint32_t slot;
        void *buffer;
        int r = framekey_reserve(participant->port.channel, &frame, len, &slot, &buffer);

        if (r == -EAGAIN)
                return false;
        if (r < 0)
                fail("reserve", r);
        memcpy(buffer, opening ? sealed->bytes : plain, len);
        sealed->len = 0;
        if (framekey_submit(participant->port.channel, slot, &frame, len, now << 2 | (uint64_t)opening << 1 | kind) < 0)
                fail("submit", -EIO);
        (void)framekey_flush(participant->port.channel);
        return true;
}

/* Takes out what is there. Returns how many, with the time that each took. */
static size_t reap(Participant *participant, double *delays) {
        struct framekey_result result = { .size = sizeof(result) };
        static uint8_t opened[VIDEO_SIZE + BENCH_OVERHEAD];
        size_t n = 0, len;

        while (framekey_reap(participant->port.channel, &result) == 1) {
                bool opening = result.cookie >> 1 & 1;
                Sealed *sealed = &participant->sealed[result.cookie & 1];

                if (result.verdict != 0)
                        fail("a paced frame", result.verdict);
                if (framekey_take(participant->port.channel, &result, opening ? opened : sealed->bytes, sizeof(opened),
                                  &len) < 0)
                        fail("take", -EIO);
                if (!opening)
                        sealed->len = len;
                delays[n++] = (double)(now_nsec() - (result.cookie >> 2));
        }
        return n;
}

static uint64_t due_time(const Call *call, uint64_t start, size_t n_dues, size_t i) {
        return start + i / n_dues * NSEC_PER_SEC + call->dues[i % n_dues].nsec;
}

typedef struct Tally {
        size_t offered, dropped, done;
} Tally;

/* Goes through the call's second until the block is over; the load sleeps until the next frame is due. */
static Tally offer(Call *call, size_t n_dues, uint64_t start) {
        size_t max = sizeof(call->delays) / sizeof(*call->delays);
        Tally t = { 0 };

        while (t.offered < max && due_time(call, start, n_dues, t.offered) < start + call->block_nsec) {
                size_t i = t.offered > LOOK_BACK ? t.offered - LOOK_BACK : 0;
                uint64_t now;

                sleep_until(due_time(call, start, n_dues, t.offered));
                now = now_nsec();
                for (; t.offered < max && due_time(call, start, n_dues, t.offered) <= now; t.offered++) {
                        const Due *due = &call->dues[t.offered % n_dues];
                        Participant *participant = &call->participants[due->participant];

                        t.done += reap(participant, call->delays + t.done); /* its slots are warm */
                        t.dropped += !submit(participant, due->kind, now);
                }
                for (; i < t.offered; i++) /* those of the turns before, and who is quick */
                        t.done += reap(&call->participants[call->dues[i % n_dues].participant], call->delays + t.done);
        }
        return t;
}

static void pace(Call *call, unsigned n_participants) {
        size_t n_dues = plan(call, n_participants);
        uint64_t start = now_nsec(), wall;
        ThreadUse before = frames_threads_use(call->daemon), after;
        Tally t = offer(call, n_dues, start);
        double done;

        while (t.done + t.dropped < t.offered)
                for (unsigned p = 0; p < n_participants; p++)
                        t.done += reap(&call->participants[p], call->delays + t.done);
        wall = now_nsec() - start;
        after = frames_threads_use(call->daemon);
        done = (double)t.done;
        record((double)(after.cpu_nsec - before.cpu_nsec) / done, "ns", "paced_server_cpu", n_participants);
        record(100.0 * (double)(after.cpu_nsec - before.cpu_nsec) / (double)wall, "%", "paced_core_share",
               n_participants);
        record((double)(after.wakeups - before.wakeups) / done, "count", "paced_wakeups", n_participants);
        record(done * 1e9 / (double)wall, "frames/s", "paced_frames", n_participants);
        record((double)t.dropped, "count", "paced_dropped", n_participants);
        record(percentile(call->delays, t.done, 50) / 1000, "us", "paced_service_p50", n_participants);
        record(percentile(call->delays, t.done, 99) / 1000, "us", "paced_service_p99", n_participants);
}

/* The same frames, sealed or opened by this process. Opening costs what sealing costs. */
static void in_process(Call *call, unsigned n_participants) {
        size_t n = plan(call, n_participants);
        uint64_t t0 = now_nsec();

        for (size_t i = 0; i < n; i++) {
                Participant *participant = &call->participants[call->dues[i].participant];
                Kind kind = call->dues[i].kind;

                sealer_seal(&participant->sealer, participant->sealed[kind].bytes,
                            kind == KIND_AUDIO ? AUDIO_SIZE : VIDEO_SIZE);
                participant->sealed[kind].len = 0;
        }
        record((double)(now_nsec() - t0) / (double)n, "ns", "paced_in_process", n_participants);
}

static void round_of(void *userdata, unsigned round) {
        static const unsigned counts[] = { FEW, 50, 200, 500, PARTICIPANTS };
        Call *call = userdata;

        (void)round;
        for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
                in_process(call, counts[i]);
                pace(call, counts[i]);
        }
}

static void join(Call *call, unsigned number) {
        Participant *participant = &call->participants[number];
        framekey_client *client = call->endpoint.client;
        framekey_session *session = call->endpoint.session;
        char local[16], remote[16], key[17];

        (void)snprintf(local, sizeof(local), "me-%u", number);
        (void)snprintf(remote, sizeof(remote), "peer-%u", number);
        (void)snprintf(key, sizeof(key), "%016u", number);
        check(client, framekey_session_add_participant(session, local, FRAMEKEY_LOCAL, NULL));
        check(client, framekey_session_add_participant(session, remote, FRAMEKEY_REMOTE, NULL));
        check(client, framekey_session_import_key(session, local, 0, key, 16, NULL));
        check(client, framekey_session_import_key(session, remote, 0, key, 16, NULL));
        port_open(&call->endpoint, &participant->port, channel_options, local, remote, FRAMEKEY_MEDIA_DATA,
                  FRAMEKEY_CODEC_DATA);
        participant->sealer = sealer_new();
}

static void print_memory(const Call *call) {
        MemoryUse use = memory_use(call->daemon);

        print_figure("memory_anonymous", 0, (double)use.anonymous / 1048576, "MiB");
        print_figure("memory_secret_arena", 0, (double)use.secret / 1048576, "MiB");
        print_figure("memory_state", 0, (double)use.state / 1048576, "MiB");
        print_figure("memory_without_rings", 0, (double)(use.anonymous + use.secret + use.state) / 1048576, "MiB");
        print_figure("memory_ring_a_channel", 0, (double)use.rings / PARTICIPANTS / 1024, "KiB");
}

void part_paced(bool quick) {
        static const char *const session_options[] = { "key-mode=participant", NULL };
        static Call call;
        char *error = NULL;
        int r = framekey_client_open(&call.endpoint.client, FRAMEKEY_BUS_SYSTEM, NULL, &error);

        if (r < 0)
                fail(error ? error : "no bus", r);
        call.daemon = daemon_pid();
        call.block_nsec = NSEC_PER_SEC * (quick ? 1 : 2);
        check(call.endpoint.client, framekey_session_open(call.endpoint.client, "livekit-bytes", "bench",
                                                          session_options, &call.endpoint.session));
        for (unsigned i = 0; i < PARTICIPANTS; i++) {
                if (i % 100 == 0)
                        (void)fprintf(stderr, "\r%u of %u participants", i, PARTICIPANTS);
                join(&call, i);
        }
        pin(call.daemon, 1, 0);
        pace(&call, PARTICIPANTS); /* for pages and caches */
        figures_forget();
        run_rounds(call.daemon, quick ? 3 : 7, round_of, &call);
        print_figure("paced_cpu_over_in_process", PARTICIPANTS,
                     figure_ratio("paced_server_cpu", PARTICIPANTS, "paced_in_process", PARTICIPANTS), "ratio");
        print_figure("paced_cpu_over_in_process", FEW, figure_ratio("paced_server_cpu", FEW, "paced_in_process", FEW),
                     "ratio");
        print_memory(&call);
        for (unsigned i = 0; i < PARTICIPANTS; i++) {
                port_close(&call.participants[i].port);
                sealer_free(&call.participants[i].sealer);
        }
        framekey_session_close(call.endpoint.session);
        framekey_client_free(call.endpoint.client);
}
