/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The ring under two threads. The honest cases lose no frame, no byte and no wake-up; under the thread sanitizer they
 * run on one mapping, so that it sees both ends. The hostile ones race on purpose and are left out there. */
#include "ring-fixture.h"

#include "runner.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>

/* How long each race runs, and how long a sleeper may sleep until its wake-up counts as lost. */
#define RACE_MSEC    3000u
#define HOSTILE_MSEC 1000u
#define LOST_MSEC    30000

static uint64_t now_msec(void) {
        struct timespec ts;

        ck_assert_int_eq(clock_gettime(CLOCK_MONOTONIC, &ts), 0);
        return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static uint32_t next_random(uint32_t *state) {
        *state = *state * 1664525 + 1013904223;
        return *state >> 8;
}

typedef struct Race {
        Ring *ring;
        Client client;
        atomic_bool stop;
        atomic_bool lost; /* a thread slept over its work */
        uint64_t n_frames;
        uint64_t n_daemon_sleeps;
        uint64_t n_client_sleeps;
} Race;

static void race_start(Race *race, uint32_t first) {
        RingFds fds;

        ck_assert_int_eq(ring_new_at(&race->ring, &small_config, first, &fds), 0);
        if (UNDER_TSAN)
                client_join(&race->client, race->ring, &fds);
        else
                client_open(&race->client, &fds);
}

/* ---- honest ---- */

/* Serves until told to stop; sleeps whenever there is nothing to do. */
static void *daemon_main(void *userdata) {
        struct epoll_event event = { .events = EPOLLIN | EPOLLET };
        Race *race = userdata;
        int fd = epoll_create1(EPOLL_CLOEXEC);

        if (fd < 0 || epoll_ctl(fd, EPOLL_CTL_ADD, ring_doorbell_fd(race->ring), &event) < 0)
                abort();
        while (!atomic_load(&race->stop)) {
                if (serve_all(race->ring) != RING_EMPTY)
                        abort();
                if (!ring_rest(race->ring))
                        continue;
                race->n_daemon_sleeps++;
                if (epoll_wait(fd, &event, 1, LOST_MSEC) == 0) {
                        atomic_store(&race->lost, true);
                        break;
                }
        }
        (void)close(fd);
        return NULL;
}

static bool rest_client(Client *client) {
        take_hints(client->fds.wakeup);
        set_want(client, client->reaped);
        return __atomic_load_n(&client->response->completion.completion_index, __ATOMIC_SEQ_CST) == client->reaped;
}

static void check_completion(const Client *client, const struct framekey_abi_completion *c, uint32_t len) {
        const uint8_t *out = slot_out(client, c->slot);

        ck_assert_int_eq(c->verdict, 0);
        ck_assert_uint_eq(c->frame_len, len);
        for (uint32_t i = 0; i < len; i++)
                ck_assert_uint_eq(out[i], TURNED(pattern(c->cookie, i)));
}

/* Batches of 1 to 7 frames, reaped before the next, or with the next already on its way. */
static void client_main(Race *race, unsigned max_batch, uint64_t until) {
        Client *client = &race->client;
        uint32_t lengths[7], random = 1, busy = 0;
        uint64_t cookie = 0;

        while (now_msec() < until || busy) {
                struct framekey_abi_completion c;
                unsigned batch = 1 + next_random(&random) % max_batch;

                for (uint32_t slot = 0; slot < n_slots(client) && batch > 0 && now_msec() < until; slot++) {
                        if (busy & 1u << slot)
                                continue;
                        lengths[slot] = next_random(&random) % 200;
                        client_frame(client, slot, cookie++, lengths[slot]);
                        busy |= 1u << slot;
                        batch--;
                }
                if (client->submitted != client->published && client_submit(client))
                        ck_assert_int_eq(eventfd_write(client->fds.doorbell, 1), 0);

                while (busy && !client_pop(client, &c)) {
                        struct pollfd pollfd = { .fd = client->fds.wakeup, .events = POLLIN };

                        if (!rest_client(client))
                                continue;
                        race->n_client_sleeps++;
                        ck_assert_msg(poll(&pollfd, 1, LOST_MSEC) == 1, "wake-up of the client lost");
                }
                if (!busy)
                        continue;
                do {
                        check_completion(client, &c, lengths[c.slot]);
                        busy &= ~(1u << c.slot);
                        race->n_frames++;
                } while (client_pop(client, &c));
        }
        ck_assert_uint_eq(race->n_frames, cookie);
}

static void run_honest(unsigned max_batch) {
        Race race = { 0 };
        pthread_t thread;

        race_start(&race, 0xffffff00);
        ck_assert_int_eq(pthread_create(&thread, NULL, daemon_main, &race), 0);
        client_main(&race, max_batch, now_msec() + RACE_MSEC);
        atomic_store(&race.stop, true);
        ck_assert_int_eq(eventfd_write(race.client.fds.doorbell, 1), 0);
        ck_assert_int_eq(pthread_join(thread, NULL), 0);
        ck_assert_msg(!atomic_load(&race.lost), "wake-up of the daemon lost");
        ck_assert_uint_gt(race.n_frames, 100);
        ck_assert_uint_gt(race.n_daemon_sleeps, 0);
        stop(race.ring, &race.client);
}

START_TEST(single_frames_lose_no_wakeup) {
        run_honest(1);
}
END_TEST

START_TEST(batches_lose_no_frame_and_no_wakeup) {
        run_honest(7);
}
END_TEST

/* Both threads come together at the same time, as nearly as two cores can. */
static void meet(atomic_uint *count, unsigned round) {
        (void)atomic_fetch_add(count, 1);
        for (unsigned i = 1; atomic_load(count) < 2 * round; i++)
                if (i % 10000 == 0)
                        (void)sched_yield(); /* the other may not be running */
}

static void spin(uint32_t n) {
        for (volatile uint32_t i = 0; i < n; i++)
                ;
}

/* One thread decides whether to sleep while the other one decides whether to ring. */
typedef struct Duel {
        Race race;
        atomic_uint met_before;
        atomic_uint met_after;
        bool sleeps; /* of the daemon's side */
} Duel;

static void *publish_main(void *userdata) {
        Duel *duel = userdata;
        uint32_t random = 3;

        for (unsigned round = 1; !atomic_load(&duel->race.stop); round++) {
                if (serve_one(duel->race.ring) != 0)
                        abort();
                meet(&duel->met_before, round);
                spin(next_random(&random) % 16);
                ring_publish(duel->race.ring);
                meet(&duel->met_after, 2 * round - 1);
                meet(&duel->met_after, 2 * round); /* until the client has judged and submitted the next */
        }
        return NULL;
}

START_TEST(publisher_and_sleeper_never_miss_each_other) {
        Duel duel = { 0 };
        Client *client = &duel.race.client;
        uint32_t random = 1, asleep = 0;
        uint64_t until = now_msec() + RACE_MSEC;
        pthread_t thread;

        race_start(&duel.race, 0xfffff000);
        client_frame(client, 0, 0, 1);
        (void)client_submit(client);
        ck_assert_int_eq(pthread_create(&thread, NULL, publish_main, &duel), 0);
        for (unsigned round = 1; !atomic_load(&duel.race.stop); round++) {
                struct framekey_abi_completion c;
                bool sleeps;

                meet(&duel.met_before, round);
                spin(next_random(&random) % 16);
                set_want(client, client->reaped);
                sleeps = __atomic_load_n(&client->response->completion.completion_index, __ATOMIC_SEQ_CST) ==
                         client->reaped;
                meet(&duel.met_after, 2 * round - 1);
                ck_assert_msg(!sleeps || hints(client->fds.wakeup) == 1, "asleep, and nobody rang");
                asleep += sleeps;
                take_hints(client->fds.wakeup);
                ck_assert(client_pop(client, &c));
                client_frame(client, 0, round, 1);
                (void)client_submit(client);
                if (now_msec() >= until)
                        atomic_store(&duel.race.stop, true);
                meet(&duel.met_after, 2 * round);
        }
        ck_assert_int_eq(pthread_join(thread, NULL), 0);
        ck_assert_uint_gt(asleep, 0);
        stop(duel.race.ring, client);
}
END_TEST

static void *rest_main(void *userdata) {
        Duel *duel = userdata;
        uint32_t random = 3;

        for (unsigned round = 1; !atomic_load(&duel->race.stop); round++) {
                meet(&duel->met_before, round);
                spin(next_random(&random) % 16);
                duel->sleeps = ring_rest(duel->race.ring);
                meet(&duel->met_after, 2 * round - 1);
                if (serve_all(duel->race.ring) != RING_EMPTY)
                        abort();
                meet(&duel->met_after, 2 * round);
        }
        return NULL;
}

START_TEST(submitter_and_resting_daemon_never_miss_each_other) {
        Duel duel = { 0 };
        Client *client = &duel.race.client;
        uint32_t random = 1, asleep = 0;
        uint64_t until = now_msec() + RACE_MSEC;
        pthread_t thread;

        race_start(&duel.race, 0xfffff000);
        ck_assert_int_eq(pthread_create(&thread, NULL, rest_main, &duel), 0);
        for (unsigned round = 1; !atomic_load(&duel.race.stop); round++) {
                struct framekey_abi_completion c;
                bool rings;

                client_frame(client, 0, round, 1);
                meet(&duel.met_before, round);
                spin(next_random(&random) % 16);
                rings = client_submit(client);
                meet(&duel.met_after, 2 * round - 1);
                ck_assert_msg(!duel.sleeps || rings, "asleep, and nobody rings");
                asleep += duel.sleeps;
                if (now_msec() >= until)
                        atomic_store(&duel.race.stop, true);
                meet(&duel.met_after, 2 * round);
                ck_assert(client_pop(client, &c));
        }
        ck_assert_int_eq(pthread_join(thread, NULL), 0);
        ck_assert_uint_gt(asleep, 0);
        stop(duel.race.ring, client);
}
END_TEST

static const RingStream row_kinds[2] = {
        { .direction = 1, .format = 1, .media = 1, .codec = 1, .overhead = 0x11111111, .flags = 0x11111111 },
        { .direction = 2, .format = 2, .media = 2, .codec = 2, .overhead = 0x22222222, .flags = 0x22222222 },
};

static void *set_streams_main(void *userdata) {
        Race *race = userdata;

        for (unsigned i = 0; !atomic_load(&race->stop); i++)
                ring_set_stream(race->ring, 1, i % 3 < 2 ? &row_kinds[i % 3] : &(RingStream){ 0 });
        return NULL;
}

START_TEST(stream_row_is_read_whole_or_known_to_have_changed) {
        const struct framekey_abi_stream *row;
        uint64_t until, whole = 0;
        Race race = { 0 };
        pthread_t thread;

        race_start(&race, 0);
        row = (const void *)((const uint8_t *)race.client.response + race.client.layout.stream_offset + 64);
        ck_assert_int_eq(pthread_create(&thread, NULL, set_streams_main, &race), 0);
        until = now_msec() + HOSTILE_MSEC;
        while (now_msec() < until) {
                uint32_t generation = __atomic_load_n(&row->generation, __ATOMIC_ACQUIRE);
                uint8_t direction = __atomic_load_n(&row->direction, __ATOMIC_ACQUIRE);
                uint8_t codec = __atomic_load_n(&row->codec, __ATOMIC_ACQUIRE);
                uint32_t overhead = __atomic_load_n(&row->overhead, __ATOMIC_ACQUIRE);
                uint32_t flags = __atomic_load_n(&row->flags, __ATOMIC_ACQUIRE);

                if (generation % 2 == 0 || __atomic_load_n(&row->generation, __ATOMIC_RELAXED) != generation)
                        continue;
                whole++;
                ck_assert_uint_eq(codec, direction);
                ck_assert_uint_eq(overhead, direction * 0x11111111u);
                ck_assert_uint_eq(flags, overhead);
        }
        atomic_store(&race.stop, true);
        ck_assert_int_eq(pthread_join(thread, NULL), 0);
        ck_assert_uint_gt(whole, 0);
        stop(race.ring, &race.client);
}
END_TEST

/* ---- hostile ---- */

#if !UNDER_TSAN

/* Two requests that are good each by itself; half of one with half of the other would reach beyond its slot. */
static struct framekey_abi_descriptor good_descriptor(const Client *client, bool large) {
        uint32_t slot = large ? n_slots(client) - 1 : 0;
        uint32_t size = slot_size(client, slot);

        return (struct framekey_abi_descriptor){
                .cookie = large,
                .slot = slot,
                .metadata_len = large ? 512 : 8,
                .n_ranges = large ? 64 : 1,
                .frame_len = large ? size - 1024 : 100,
                .clear_len = large ? size - 1024 : 50,
                .ssrc = large ? UINT32_MAX : 0,
        };
}

/* Rewrites descriptors and the bytes of slot 0 without pause. */
static void *rewrite_main(void *userdata) {
        Race *race = userdata;
        Client *client = &race->client;
        uint32_t random = 7;

        while (!atomic_load(&race->stop)) {
                struct framekey_abi_descriptor d = good_descriptor(client, next_random(&random) % 2);
                uint32_t r = next_random(&random);

                if (r % 4 == 0)
                        d.frame_len = next_random(&random) << 9;
                if (r % 16 == 1)
                        d.metadata_len = (uint16_t)next_random(&random);
                if (r % 32 == 3)
                        d.slot = next_random(&random);
                for (uint32_t i = 0; i < client->layout.entries; i++)
                        *(volatile struct framekey_abi_descriptor *)descriptor_at(client, i) = d;
                memset(slot_in(client, 0), (int)random, 256);
        }
        return NULL;
}

static void *punch_main(void *userdata) {
        Race *race = userdata;
        Client *client = &race->client;
        off_t at = client->layout.in_offset[0];

        while (!atomic_load(&race->stop))
                if (fallocate(client->fds.request, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at,
                              (off_t)client->layout.request_size - at) < 0)
                        abort();
        return NULL;
}

static uint64_t sum(const RingRequest *q) {
        uint64_t n = q->metadata_len * UINT64_C(31) + q->n_ranges * 8;

        for (uint32_t i = 0; i < q->metadata_len; i++)
                n = n * 31 + q->metadata[i];
        for (uint32_t i = 0; i < q->frame_len; i++)
                n = n * 31 + q->frame[i];
        return n;
}

/* What a fetch gave is within bounds, and stays what it is. */
static void check_request(const RingRequest *q, const Client *client) {
        RingRequest copy = *q;
        uint64_t first = sum(q);

        ck_assert_uint_lt(q->slot, n_slots(client));
        ck_assert_uint_eq(q->out_max, slot_size(client, q->slot));
        ck_assert_uint_le(q->metadata_len, 512);
        ck_assert_uint_le(q->n_ranges, 64);
        ck_assert_uint_le(q->clear_len, q->frame_len);
        ck_assert_uint_le(q->frame_len, q->out_max - q->metadata_len - q->n_ranges * 8);
        ck_assert_ptr_eq(q->metadata, scratch);
        ck_assert_ptr_eq(q->ranges, scratch + q->metadata_len);
        ck_assert_ptr_eq(q->frame, scratch + q->metadata_len + q->n_ranges * 8);
        (void)sched_yield();
        ck_assert_uint_eq(sum(q), first);
        ck_assert_mem_eq(&copy, q, sizeof(copy));
}

static void run_hostile(void *(*attack)(void *), uint64_t *ret_good, uint64_t *ret_bad) {
        Race race = { 0 };
        Client *client = &race.client;
        pthread_t thread;
        uint64_t until;

        race_start(&race, 0);
        for (uint32_t slot = 0; slot < n_slots(client); slot++)
                memset(slot_in(client, slot), 0xa5, slot_size(client, slot));
        for (uint32_t i = 0; i < client->layout.entries; i++)
                *descriptor_at(client, i) = good_descriptor(client, i % 2);
        ck_assert_int_eq(pthread_create(&thread, NULL, attack, &race), 0);
        until = now_msec() + HOSTILE_MSEC;
        while (now_msec() < until) {
                struct framekey_abi_completion c;
                RingRequest q;
                int r;

                client->submitted++;
                (void)client_submit(client);
                r = ring_fetch(race.ring, scratch, &q);
                if (r == 0) {
                        check_request(&q, client);
                        answer(race.ring, &q);
                        ++*ret_good;
                } else {
                        ck_assert_int_eq(r, RING_BAD_REQUEST);
                        ring_complete(race.ring, &q, &(RingCompletion){ .verdict = VERDICT_REFUSED }, NULL);
                        ++*ret_bad;
                }
                ring_publish(race.ring);
                ck_assert(client_pop(client, &c));
                ck_assert_uint_eq(c.cookie, q.cookie);
                ck_assert_uint_eq(c.slot, q.slot);
        }
        atomic_store(&race.stop, true);
        ck_assert_int_eq(pthread_join(thread, NULL), 0);
        stop(race.ring, client);
}

START_TEST(torn_descriptor_is_used_as_it_was_checked) {
        uint64_t good = 0, bad = 0;

        run_hostile(rewrite_main, &good, &bad);
        ck_assert_uint_gt(good, 0);
        ck_assert_uint_gt(bad, 0);
}
END_TEST

START_TEST(holes_punched_during_the_copy_harm_nobody) {
        uint64_t good = 0, bad = 0;

        run_hostile(punch_main, &good, &bad);
        ck_assert_uint_gt(good, 0);
        ck_assert_uint_eq(bad, 0);
}
END_TEST

/* Any index at any time: the ring is broken at once, and until then nothing is out of bounds. */
static void *scribble_main(void *userdata) {
        Race *race = userdata;
        uint32_t random = 99;

        while (!atomic_load(&race->stop)) {
                set_submit_index(&race->client, next_random(&random) % 64);
                set_consumed(&race->client, next_random(&random) % 64);
                set_want(&race->client, next_random(&random));
        }
        return NULL;
}

START_TEST(scribbled_indices_break_the_ring_and_nothing_else) {
        for (unsigned round = 0; round < 200; round++) {
                Race race = { 0 };
                pthread_t thread;
                int r;

                race_start(&race, 0);
                ck_assert_int_eq(pthread_create(&thread, NULL, scribble_main, &race), 0);
                for (;;) {
                        (void)ring_pending(race.ring);
                        r = serve_one(race.ring);
                        ring_publish(race.ring);
                        if (r == RING_BROKEN)
                                break;
                        (void)ring_rest(race.ring);
                }
                ring_close(race.ring, RING_CLOSED_PROTOCOL);
                atomic_store(&race.stop, true);
                ck_assert_int_eq(pthread_join(thread, NULL), 0);
                stop(race.ring, &race.client);
        }
}
END_TEST

RUN_TESTS("ring-race", single_frames_lose_no_wakeup, batches_lose_no_frame_and_no_wakeup,
          publisher_and_sleeper_never_miss_each_other, submitter_and_resting_daemon_never_miss_each_other,
          stream_row_is_read_whole_or_known_to_have_changed, torn_descriptor_is_used_as_it_was_checked,
          holes_punched_during_the_copy_harm_nobody, scribbled_indices_break_the_ring_and_nothing_else)

#else

RUN_TESTS("ring-race", single_frames_lose_no_wakeup, batches_lose_no_frame_and_no_wakeup,
          publisher_and_sleeper_never_miss_each_other, submitter_and_resting_daemon_never_miss_each_other,
          stream_row_is_read_whole_or_known_to_have_changed)

#endif
