/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Attacks on the ring's indices and descriptors, from one process that holds a channel. */
#include "hostile.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

/* A good start, a lie, and the end of the channel. */
static int lie_in_submit_index(Stage *stage) {
        while (stage_goes_on(stage)) {
                uint32_t r = stage_random(stage), lie;
                RawChannel raw;
                int result = raw_open(&raw, stage->session);

                for (unsigned i = 0; result == 0 && i < 3; i++)
                        result = raw_round_trip(&raw, 100 + i);
                if (result == 0) {
                        stage->tally.n_frames += 6;
                        lie = r % 3 == 0 ? raw.layout.entries + 1 : r % 3 == 1 ? (uint32_t)-1 : r | 0x10000;
                        __atomic_store_n(&raw.request->submit.submit_index, raw.submitted + lie, __ATOMIC_SEQ_CST);
                        raw_ring(&raw);
                        result = raw_wait_state(&raw, FRAMEKEY_ABI_PROTOCOL);
                }
                raw_close(&raw);
                if (result < 0)
                        return -1;
        }
        return 0;
}

static int lie_in_consumed_index(Stage *stage) {
        while (stage_goes_on(stage)) {
                uint32_t r = stage_random(stage);
                RawChannel raw;
                int result = raw_open(&raw, stage->session);

                if (result == 0)
                        result = raw_round_trip(&raw, 100);
                if (result == 0) {
                        stage->tally.n_frames += 2;
                        /* Ahead of what was published, or behind what was there before the first frame: the daemon
                         * need not have seen every step between. */
                        __atomic_store_n(&raw.request->reap.completion_consumed,
                                         raw.reaped + (r % 2 ? 1 + r % 100 : (uint32_t)-3), __ATOMIC_SEQ_CST);
                        raw_push(&raw, raw.encrypt, 0, 10);
                        raw_submit(&raw);
                        raw_ring(&raw);
                        result = raw_wait_state(&raw, FRAMEKEY_ABI_PROTOCOL);
                }
                raw_close(&raw);
                if (result < 0)
                        return -1;
        }
        return 0;
}

/* ---- with a second thread ---- */

typedef struct Accomplice {
        RawChannel *raw;
        uint32_t random;
        atomic_bool stop;
        pthread_t thread;
} Accomplice;

static uint32_t next_random(uint32_t *state) {
        *state = *state * 1664525 + 1013904223;
        return *state >> 4;
}

static void *scribble_descriptors(void *userdata) {
        Accomplice *a = userdata;
        RawChannel *raw = a->raw;

        while (!atomic_load(&a->stop)) {
                uint32_t r = next_random(&a->random);
                struct framekey_abi_descriptor d = {
                        .cookie = r,
                        .stream = r % 2 ? raw->encrypt : raw->decrypt,
                        .slot = next_random(&a->random) % (raw_n_slots(raw) + (r % 16 == 0)),
                        .frame_len = next_random(&a->random) % 2048,
                };

                if (r % 3 == 0)
                        d.frame_len = next_random(&a->random);
                if (r % 5 == 0)
                        d.metadata_len = (uint16_t)next_random(&a->random);
                if (r % 7 == 0)
                        d.n_ranges = (uint16_t)next_random(&a->random);
                if (r % 11 == 0)
                        d.flags = (uint16_t)(1u << next_random(&a->random) % 16);
                d.clear_len = r % 13 == 0 ? next_random(&a->random) : d.frame_len / 2;
                *raw_descriptor(raw, r >> 8) = d;
                raw_in(raw, 0)[r % 2048] = (uint8_t)r;
        }
        return NULL;
}

/* Submits whatever lies in the descriptors, a few at a time, and judges every answer. */
static int submit_blindly(Stage *stage, RawChannel *raw) {
        while (stage_goes_on(stage)) {
                uint32_t n = 1 + stage_random(stage) % 7;
                struct framekey_abi_completion c;

                raw->submitted += n;
                raw_submit(raw);
                for (uint32_t i = 0; i < n; i++)
                        if (raw_wait_pop(raw, &c) < 0 || stage_check(stage, raw, &c) < 0)
                                return -1;
        }
        return 0;
}

static int with_accomplice(Stage *stage, void *(*accomplice)(void *), int (*run)(Stage *, RawChannel *)) {
        RawChannel raw;
        Accomplice a = { .raw = &raw, .random = stage_random(stage) };
        int r = raw_open(&raw, stage->session);

        if (r == 0 && pthread_create(&a.thread, NULL, accomplice, &a) != 0)
                r = failed("cannot start a thread");
        else if (r == 0) {
                r = run(stage, &raw);
                atomic_store(&a.stop, true);
                (void)pthread_join(a.thread, NULL);
        }
        raw_close(&raw);
        return r;
}

static int tear_descriptors(Stage *stage) {
        return with_accomplice(stage, scribble_descriptors, submit_blindly);
}

static int random_descriptors(Stage *stage) {
        RawChannel raw;
        int r = raw_open(&raw, stage->session);

        while (r == 0 && stage_goes_on(stage)) {
                uint32_t n = 1 + stage_random(stage) % 7;
                struct framekey_abi_completion c;

                for (uint32_t i = 0; i < n; i++) {
                        struct framekey_abi_descriptor d;
                        uint32_t words[sizeof(d) / sizeof(uint32_t)];

                        for (size_t k = 0; k < sizeof(words) / sizeof(*words); k++)
                                words[k] = stage_random(stage) << 16 ^ stage_random(stage);
                        memcpy(&d, words, sizeof(d));
                        /* Else nearly all fail at the first check. */
                        if (stage_random(stage) % 4)
                                d.slot %= raw_n_slots(&raw);
                        if (stage_random(stage) % 4) {
                                d.metadata_len = d.n_ranges = d.to_metadata_len = d.note = 0;
                                d.frame_len %= 3000, d.clear_len %= 3000, d.flags &= 15;
                        }
                        if (stage_random(stage) % 2)
                                d.stream %= 4, d.to_stream %= 4;
                        *raw_descriptor(&raw, raw.submitted++) = d;
                }
                raw_submit(&raw);
                for (uint32_t i = 0; r == 0 && i < n; i++)
                        if (raw_wait_pop(&raw, &c) < 0 || stage_check(stage, &raw, &c) < 0)
                                r = -1;
        }
        raw_close(&raw);
        return r;
}

/* One slot in every entry: the first frame is served, the others are refused, and what was delivered stays. */
static int overlap_slots(Stage *stage) {
        RawChannel raw;
        int r = raw_open(&raw, stage->session);

        while (r == 0 && stage_goes_on(stage)) {
                uint32_t n = raw.layout.entries - 1, slot = stage_random(stage) % raw_n_slots(&raw), n_good = 0;
                struct framekey_abi_completion c;

                for (uint32_t i = 0; i < n; i++)
                        raw_push(&raw, raw.encrypt, slot, 1 + i);
                raw_submit(&raw);
                for (uint32_t i = 0; r == 0 && i < n; i++) {
                        if (raw_wait_pop(&raw, &c) < 0 || stage_check(stage, &raw, &c) < 0)
                                r = -1;
                        n_good += c.verdict == 0;
                }
                if (r == 0 && n_good == 0)
                        r = failed("not one of the overlapping frames was served");
        }
        raw_close(&raw);
        return r;
}

/* Submits until the daemon takes no more; then it must not have taken more than it may, and go on after reaping. */
static int reap_nothing(Stage *stage) {
        RawChannel raw;
        int r = raw_open(&raw, stage->session);

        while (r == 0 && stage_goes_on(stage)) {
                uint32_t entries = raw.layout.entries, completed;
                struct framekey_abi_completion c;

                for (unsigned round = 0; round < 50; round++) {
                        uint32_t taken = __atomic_load_n(&raw.response->consumed.consumed_index, __ATOMIC_ACQUIRE);

                        while (raw.submitted - taken < entries)
                                raw_push(&raw, raw.encrypt, stage_random(stage) % raw_n_slots(&raw), 100);
                        raw_submit(&raw);
                        raw_ring(&raw);
                        (void)usleep(500);
                }
                completed = __atomic_load_n(&raw.response->completion.completion_index, __ATOMIC_ACQUIRE);
                if (completed - raw.reaped != entries)
                        r = failed("%u completions in a ring of %u", completed - raw.reaped, entries);
                while (r == 0 && raw.submitted != raw.reaped) {
                        raw_ring(&raw); /* who fills the completion ring has to ask again */
                        if (raw_wait_pop(&raw, &c) < 0 || stage_check(stage, &raw, &c) < 0)
                                r = -1;
                }
        }
        raw_close(&raw);
        return r;
}

const Attack attacks_on_rings[] = {
        { "submit-index", lie_in_submit_index },
        { "consumed-index", lie_in_consumed_index },
        { "torn-descriptors", tear_descriptors },
        { "random-descriptors", random_descriptors },
        { "overlapping-slots", overlap_slots },
        { "never-reaping", reap_nothing },
        { NULL, NULL },
};
