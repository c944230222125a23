/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * SFrame and DAVE through session and frame: who owns the counter, what a receiver follows, what it
 * refuses, and that a frame which does not authenticate changes nothing. The bytes themselves are
 * checked against the vectors elsewhere.
 */
#include "keyplane-fixture.h"
#include "keys/counter-window.h"
#include "keys/plane-internal.h"
#include "runner.h"
#include "util/counter.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Replaces util/counter.o: the next number can be set. */
static uint64_t next_count = UINT64_MAX;

uint64_t counter_take(_Atomic uint64_t *counter) {
        if (next_count != UINT64_MAX)
                atomic_store(counter, next_count);
        next_count = UINT64_MAX;
        return atomic_fetch_add(counter, 1);
}

/* Two daemons, in effect: a key is for sending or for receiving within one session. */
typedef struct Call {
        Plane *plane;
        Ledger *ledger;
        char *directory;
        Session *sending, *receiving;
        uint32_t sender, receiver;
        FrameGrant *seal, *open;
} Call;

static Ledger *ledger_new(char **ret_directory) {
        char template[] = "/tmp/framekeyd-test-XXXXXX";
        Ledger *ledger;

        ck_assert_ptr_nonnull(mkdtemp(template));
        *ret_directory = strdup(template);
        ck_assert_int_eq(ledger_open(&ledger, template, template), 0);
        return ledger;
}

static Call call_new(const SessionConfig *config) {
        static int channel;
        Call call = { .plane = plane_start() };

        call.ledger = ledger_new(&call.directory);
        plane_set_ledger(call.plane, call.ledger);
        ck_assert_int_eq(session_new(&call.sending, call.plane, config, NULL, NULL), 0);
        ck_assert_int_eq(session_new(&call.receiving, call.plane, config, NULL, NULL), 0);
        if (config->mls_index_bits == 0) {
                ck_assert_int_eq(session_add_participant(call.sending, true, &call.sender), 0);
                ck_assert_int_eq(session_add_participant(call.receiving, false, &call.receiver), 0);
        } else {
                ck_assert_int_eq(session_add_member(call.sending, true, 1, 5, &call.sender), 0);
                ck_assert_int_eq(session_add_member(call.receiving, false, 1, 5, &call.receiver), 0);
        }
        ck_assert_int_eq(frame_grant_new(&call.seal, call.sending, &channel, 0, call.sender, FRAMEKEY_ENCRYPT,
                                         FRAMEKEY_MEDIA_VIDEO),
                         0);
        ck_assert_int_eq(frame_grant_new(&call.open, call.receiving, &channel, 1, call.receiver, FRAMEKEY_DECRYPT,
                                         FRAMEKEY_MEDIA_AUDIO),
                         0);
        return call;
}

static void call_end(Call *call) {
        char *command;

        frame_grant_free(call->seal);
        frame_grant_free(call->open);
        session_free(call->sending);
        session_free(call->receiving);
        plane_free(call->plane);
        ledger_close(call->ledger);
        ck_assert_int_gt(asprintf(&command, "rm -r %s", call->directory), 0);
        ck_assert_int_eq(system(command), 0);
        free(command);
        free(call->directory);
}

static SessionConfig config_of(const char *preset) {
        SessionConfig config;

        preset_session_config(preset_find(preset), &config);
        return config;
}

static Schedule schedule_of(const char *preset, uint32_t ratchet_bits) {
        Schedule schedule;

        preset_schedule(preset_find(preset), &schedule);
        schedule.ratchet_bits = ratchet_bits;
        return schedule;
}

static const char key_a[] = "0123456789abcdef", key_b[] = "fedcba9876543210";

/* The first 16 bytes of `key`. */
static int put_at(const Call *call, Session *session, uint32_t participant, uint32_t index, const char *key,
                  const Schedule *schedule, uint32_t step) {
        Waited waited = { false };
        Secret *secret;

        ck_assert_int_eq(secret_new_copy(&secret, key, 16), 0);
        ck_assert_int_eq(session_import(session, participant, index, secret, schedule, step, waited_done, &waited), 0);
        await(call->plane, &waited);
        return waited.result;
}

static int put(const Call *call, Session *session, uint32_t participant, uint32_t index, const char *key,
               const Schedule *schedule) {
        return put_at(call, session, participant, index, key, schedule, 0);
}

static void put_both(const Call *call, uint32_t index, const char *key, const Schedule *schedule) {
        ck_assert_int_eq(put(call, call->sending, call->sender, index, key, schedule), 0);
        ck_assert_int_eq(put(call, call->receiving, call->receiver, index, key, schedule), 0);
}

static Frame sealed(const Call *call, const char *text) {
        Frame in = { .len = strlen(text) }, out;
        FrameResult result;

        memcpy(in.bytes, text, in.len);
        result = process(call->seal, call->sending, &in, 0, &out);
        ck_assert_int_eq(result.verdict, FRAMEKEY_OK);
        return out;
}

static int opened(const Call *call, const Frame *frame, const char *text) {
        Frame out;
        FrameResult result = process(call->open, call->receiving, frame, 0, &out);

        if (result.verdict == FRAMEKEY_OK) {
                ck_assert_uint_eq(out.len, strlen(text));
                ck_assert_mem_eq(out.bytes, text, out.len);
        } else
                ck_assert_uint_eq(out.len, 0);
        return result.verdict;
}

/* Of DAVE: longer than 2^24 frames take at the highest rate. */
#define GENERATION_USEC (28 * 3600 * USEC_PER_SEC)

static uint32_t receiver_step(const Call *call) {
        SessionKeyInfo info;

        ck_assert_int_eq(session_key_info(call->receiving, call->receiver, 0, &info), 0);
        return info.step;
}

static void step_sender(const Call *call, uint32_t n) {
        for (uint32_t i = 1; i <= n; i++) {
                Waited waited = { false };

                ck_assert_int_eq(session_ratchet(call->sending, call->sender, SESSION_ACTIVE, waited_done, &waited), 0);
                await(call->plane, &waited);
                ck_assert_int_eq(waited.result, 0);
        }
}

/* ---- SFrame ---- */

START_TEST(sframe_counts_over_all_streams) {
        SessionConfig config = config_of("sframe");
        Schedule schedule = schedule_of("sframe", 0);
        Call call = call_new(&config);
        FrameGrant *second = NULL;
        Frame frames[4], in = { .len = 0 };
        FrameResult result;

        put_both(&call, 3, key_a, &schedule);
        ck_assert_int_eq(
                frame_grant_new(&second, call.sending, &second, 0, call.sender, FRAMEKEY_ENCRYPT, FRAMEKEY_MEDIA_AUDIO),
                0);
        for (unsigned i = 0; i < 3; i++) {
                frames[i] = sealed(&call, "text");
                ck_assert_uint_eq(frames[i].bytes[0], 0x30 | 2 * i); /* KID 3, CTR */
                result = process(second, call.sending, &in, 0, &frames[3]);
                ck_assert_int_eq(result.verdict, FRAMEKEY_OK); /* nothing is a frame too */
                ck_assert_uint_eq(frames[3].bytes[0], 0x30 | (2 * i + 1));
                ck_assert_uint_eq(frames[3].len, 1 + 16);
                ck_assert_int_eq(opened(&call, &frames[3], ""), FRAMEKEY_OK);
        }
        frame_grant_free(second);
        for (unsigned i = 3; i-- > 0;) {
                ck_assert_int_eq(opened(&call, &frames[i], "text"), FRAMEKEY_OK);
                ck_assert_int_eq(opened(&call, &frames[i], "text"), FRAMEKEY_VERDICT_REPLAYED);
        }
        call_end(&call);
}
END_TEST

START_TEST(sframe_authenticates_metadata) {
        SessionConfig config = config_of("sframe");
        Schedule schedule = schedule_of("sframe", 0);
        Call call = call_new(&config);
        FrameRequest request = { .frame = (const uint8_t *)"text",
                                 .len = 4,
                                 .metadata = (const uint8_t *)"meta",
                                 .metadata_len = 4,
                                 .now_usec = test_now };
        uint8_t bytes[64], out[64];
        FrameResult result;

        put_both(&call, 0, key_a, &schedule);
        frame_process(call.seal, &request, bytes, sizeof(bytes), &result);
        ck_assert_int_eq(result.verdict, FRAMEKEY_OK);
        request.frame = bytes;
        request.len = result.len;
        request.metadata_len = 3;
        frame_process(call.open, &request, out, sizeof(out), &result);
        ck_assert_int_eq(result.verdict, FRAMEKEY_VERDICT_FORGED);
        request.metadata_len = 4;
        frame_process(call.open, &request, out, sizeof(out), &result);
        ck_assert_int_eq(result.verdict, FRAMEKEY_OK);
        ck_assert_mem_eq(out, "text", 4);
        call_end(&call);
}
END_TEST

START_TEST(sframe_receivers_follow_the_kid) {
        SessionConfig config = config_of("sframe");
        Schedule schedule = schedule_of("sframe", 8);
        Call call = call_new(&config);
        Frame late, frame;

        put_both(&call, 0, key_a, &schedule);
        late = sealed(&call, "late");
        step_sender(&call, 1);
        frame = sealed(&call, "one");
        ck_assert_int_eq(opened(&call, &frame, "one"), FRAMEKEY_OK);
        ck_assert_uint_eq(receiver_step(&call), 1);
        ck_assert_int_eq(opened(&call, &late, "late"), FRAMEKEY_OK);
        ck_assert_int_eq(opened(&call, &late, "late"), FRAMEKEY_VERDICT_REPLAYED);

        late = sealed(&call, "late");
        step_sender(&call, 120); /* a muted sender's timer */
        frame = sealed(&call, "far");
        ck_assert_int_eq(opened(&call, &frame, "far"), FRAMEKEY_OK);
        ck_assert_uint_eq(receiver_step(&call), 121);
        ck_assert_int_eq(opened(&call, &frame, "far"), FRAMEKEY_VERDICT_REPLAYED);
        clock_advance(config.grace_usec + 1);
        plane_dispatch(call.plane);
        settle_look_ahead(call.plane);

        late = sealed(&call, "late");
        step_sender(&call, 140); /* the bits wrap */
        frame = sealed(&call, "around");
        ck_assert_int_eq(opened(&call, &frame, "around"), FRAMEKEY_OK);
        ck_assert_uint_eq(receiver_step(&call), 261);
        clock_advance(config.grace_usec + 1);
        plane_dispatch(call.plane);
        step_sender(&call, 1);
        late = sealed(&call, "late");
        step_sender(&call, 1);
        frame = sealed(&call, "next");
        ck_assert_int_eq(opened(&call, &frame, "next"), FRAMEKEY_OK);
        clock_advance(config.grace_usec + 1);
        plane_dispatch(call.plane);
        ck_assert_int_eq(opened(&call, &late, "late"), FRAMEKEY_VERDICT_TOO_OLD);
        call_end(&call);
}
END_TEST

START_TEST(sframe_forged_steps_change_nothing_and_are_rationed) {
        SessionConfig config = config_of("sframe");
        Schedule schedule = schedule_of("sframe", 8);
        Call call = call_new(&config);
        unsigned n_forged = 0, n_budget = 0;
        Frame frame, forged;

        put_both(&call, 1, key_a, &schedule); /* KID 256..511: two bytes */
        frame = sealed(&call, "text");
        ck_assert_uint_eq(frame.bytes[0], 0x90);
        for (unsigned i = 0; i < 20000; i++) {
                int verdict;

                forged = frame;
                forged.bytes[2] = (uint8_t)(100 + i % 100);
                verdict = opened(&call, &forged, "");
                ck_assert(verdict == FRAMEKEY_VERDICT_FORGED || verdict == FRAMEKEY_VERDICT_BUDGET);
                n_forged += verdict == FRAMEKEY_VERDICT_FORGED;
                n_budget += verdict == FRAMEKEY_VERDICT_BUDGET;
        }
        ck_assert_uint_gt(n_forged, 0);
        ck_assert_uint_gt(n_budget, n_forged); /* no time has passed */
        ck_assert_int_eq(opened(&call, &frame, "text"), FRAMEKEY_OK);
        step_sender(&call, 1);
        frame = sealed(&call, "next");
        ck_assert_int_eq(opened(&call, &frame, "next"), FRAMEKEY_OK);
        call_end(&call);
}
END_TEST

START_TEST(sframe_keys_are_replaced_only_on_purpose) {
        SessionConfig config = config_of("sframe");
        Schedule schedule = schedule_of("sframe", 0);
        Call call = call_new(&config);
        Frame frame;

        put_both(&call, 0, key_a, &schedule);
        frame = sealed(&call, "text");
        ck_assert_int_eq(opened(&call, &frame, "text"), FRAMEKEY_OK);

        /* Again: counter and window go on. */
        put_both(&call, 0, key_a, &schedule);
        ck_assert_int_eq(opened(&call, &frame, "text"), FRAMEKEY_VERDICT_REPLAYED);
        ck_assert_uint_eq(sealed(&call, "text").bytes[0], 1);

        ck_assert_int_eq(put(&call, call.receiving, call.receiver, 0, key_b, &schedule), SESSION_KEY_EXISTS);
        ck_assert_int_eq(put(&call, call.sending, call.sender, 0, key_b, &schedule), SESSION_KEY_EXISTS);
        schedule.kid_given = true; /* 0 */
        ck_assert_int_eq(put(&call, call.receiving, call.receiver, 7, key_b, &schedule), SESSION_KEY_EXISTS);
        schedule.replace = true;
        ck_assert_int_eq(put(&call, call.receiving, call.receiver, 7, key_b, &schedule), 0);
        ck_assert_uint_eq(session_n_keys(call.receiving), 1);
        ck_assert_int_eq(put(&call, call.sending, call.sender, 0, key_b, &schedule), 0);
        frame = sealed(&call, "new");
        ck_assert_int_eq(opened(&call, &frame, "new"), FRAMEKEY_OK);

        ck_assert_int_eq(session_retire(call.receiving, call.receiver, 7), 0);
        ck_assert_int_eq(opened(&call, &frame, "new"), FRAMEKEY_VERDICT_TOO_OLD);
        frame.bytes[0] = 0x10;
        ck_assert_int_eq(opened(&call, &frame, "new"), FRAMEKEY_VERDICT_UNKNOWN_KEY);
        call_end(&call);
}
END_TEST

START_TEST(keys_that_count_have_one_direction) {
        static const char *const presets[] = { "sframe", "dave" };

        for (size_t i = 0; i < ELEMENTS(presets); i++) {
                SessionConfig config = config_of(presets[i]);
                Schedule schedule = schedule_of(presets[i], 0);
                Call call = call_new(&config);
                uint32_t other;

                ck_assert_int_eq(put(&call, call.sending, call.sender, 0, key_a, &schedule), 0);
                ck_assert_int_eq(session_add_participant(call.sending, false, &other), 0);
                ck_assert_int_eq(put(&call, call.sending, other, 0, key_a, &schedule), SESSION_BOTH_WAYS);
                ck_assert_int_eq(put(&call, call.sending, other, 0, key_b, &schedule), 0);
                schedule.replace = true;
                ck_assert_int_eq(put(&call, call.sending, call.sender, 0, key_b, &schedule), SESSION_BOTH_WAYS);
                call_end(&call);
        }
}
END_TEST

START_TEST(without_counters_only_fresh_keys_are_sent_under) {
        SessionConfig config = config_of("sframe");
        Schedule schedule = schedule_of("sframe", 0);
        Call call = call_new(&config);
        Ledger *nothing, *kept = call.ledger;
        Waited waited = { false };

        ck_assert_int_eq(ledger_open(&nothing, NULL, NULL), 0);
        plane_set_ledger(call.plane, nothing);
        ck_assert_int_eq(put(&call, call.sending, call.sender, 0, key_a, &schedule), SESSION_SPENT);
        ck_assert_int_eq(put(&call, call.receiving, call.receiver, 0, key_a, &schedule), 0);
        ck_assert_int_eq(session_generate(call.sending, call.sender, 0, &schedule, waited_done, &waited), 0);
        await(call.plane, &waited);
        ck_assert_int_eq(waited.result, 0);
        (void)sealed(&call, "text");
        ck_assert_int_eq(session_retire(call.sending, call.sender, 0), 0);
        plane_set_ledger(call.plane, kept);
        ledger_close(nothing);
        call_end(&call);
}
END_TEST

START_TEST(a_spent_counter_is_a_limit) {
        SessionConfig config = config_of("sframe");
        Schedule schedule = schedule_of("sframe", 0);
        Call call = call_new(&config);
        Frame in = { .len = 4 }, out;

        put_both(&call, 0, key_a, &schedule);
        next_count = SESSION_COUNTER_MAX - 1;
        out = sealed(&call, "last");
        ck_assert_int_eq(opened(&call, &out, "last"), FRAMEKEY_OK);
        ck_assert_int_eq(process(call.seal, call.sending, &in, 0, &out).verdict, FRAMEKEY_VERDICT_LIMIT);
        call_end(&call);
}
END_TEST

START_TEST(sframe_rotation_moves_to_the_next_key_generation) {
        SessionConfig config = config_of("sframe");
        Schedule schedule = schedule_of("sframe", 4);
        Call call = call_new(&config);
        SessionRotation rotation;
        Waited waited = { false };
        SessionKeyInfo info;

        schedule.kid = 0x120;
        schedule.kid_given = true;
        ck_assert_int_eq(session_generate(call.sending, call.sender, 2, &schedule, waited_done, &waited), 0);
        await(call.plane, &waited);
        ck_assert_int_eq(session_rotate(call.sending, call.sender, SESSION_REASON_REQUEST, &rotation), 0);
        ck_assert_uint_eq(rotation.n_rotated, 1);
        settle_look_ahead(call.plane);
        ck_assert_int_eq(session_key_info(call.sending, call.sender, 3, &info), 0);
        ck_assert_uint_eq(info.kid, 0x130);
        call_end(&call);
}
END_TEST

START_TEST(mls_members_have_keys_of_their_own) {
        SessionConfig config = config_of("sframe");
        Schedule schedule = schedule_of("sframe", 0);
        uint32_t other, unused;
        FrameGrant *grant;
        Frame frame, out;
        Call call;

        config.shared = true;
        config.mls_index_bits = 8;
        config.mls_epoch_bits = 2;
        config.ring_size = 4;
        schedule.kdf = SCHEDULE_EPOCH;
        call = call_new(&config);
        ck_assert_int_eq(session_add_participant(call.receiving, false, &unused), SESSION_NO_MEMBER);
        ck_assert_int_eq(session_add_member(call.receiving, false, 1, 5, &unused), SESSION_KEY_EXISTS);
        ck_assert_int_eq(session_add_member(call.receiving, false, 0, 256, &unused), -ERANGE);

        ck_assert_int_eq(put(&call, call.sending, SESSION_SHARED, 1, key_a, &schedule), 0);
        ck_assert_int_eq(put(&call, call.receiving, SESSION_SHARED, 1, key_a, &schedule), 0);
        frame = sealed(&call, "text");
        ck_assert_uint_eq(frame.bytes[0], 0x90); /* context 1, index 5, epoch 1: 1 << 10 | 5 << 2 | 1 */
        ck_assert_uint_eq(frame.bytes[1] << 8 | frame.bytes[2], 1 << 10 | 5 << 2 | 1);
        ck_assert_int_eq(opened(&call, &frame, "text"), FRAMEKEY_OK);

        /* A member who came later opens nothing of this one's. */
        ck_assert_int_eq(session_add_member(call.receiving, false, 0, 5, &other), 0);
        ck_assert_int_eq(
                frame_grant_new(&grant, call.receiving, &other, 0, other, FRAMEKEY_DECRYPT, FRAMEKEY_MEDIA_AUDIO), 0);
        ck_assert_int_eq(process(grant, call.receiving, &frame, 0, &out).verdict, FRAMEKEY_VERDICT_UNKNOWN_KEY);
        frame.bytes[0] = 0x80; /* its own KID, 5 << 2 | 1 */
        frame.bytes[1] = 5 << 2 | 1;
        memmove(frame.bytes + 2, frame.bytes + 3, frame.len - 3);
        frame.len--;
        ck_assert_int_eq(process(grant, call.receiving, &frame, 0, &out).verdict, FRAMEKEY_VERDICT_FORGED);
        frame_grant_free(grant);

        /* Epoch 5 has the bits of epoch 1, and takes its place. */
        frame = sealed(&call, "old");
        ck_assert_int_eq(put(&call, call.sending, SESSION_SHARED, 1, key_b, &schedule), 0);
        ck_assert_int_eq(put(&call, call.receiving, SESSION_SHARED, 1, key_b, &schedule), 0);
        ck_assert_int_eq(opened(&call, &frame, "old"), FRAMEKEY_VERDICT_FORGED);
        frame = sealed(&call, "new");
        ck_assert_int_eq(opened(&call, &frame, "new"), FRAMEKEY_OK);
        call_end(&call);
}
END_TEST

/* ---- both: what is over is gone ---- */

static bool in_arena(const void *bytes, size_t len) {
        const uint8_t *base;
        size_t size;

        arena_extent(arena_installed(), &base, &size);
        return memmem(base, size, bytes, len) != NULL;
}

/* Steps 0 to 3 of a key, outside the arena. */
static void derive_expected(const Schedule *schedule, const char *key, ScheduleStep steps[4]) {
        const uint8_t *material = (const uint8_t *)key;
        size_t len = 16;

        for (uint32_t i = 0; i < 4; i++) {
                ck_assert_int_eq(schedule_derive(schedule, i, material, len, &steps[i]), 0);
                material = schedule_next(schedule, &steps[i], &len);
        }
}

static void expect_in_arena(const Schedule *schedule, const ScheduleStep *step, bool key, bool next) {
        size_t len;
        const uint8_t *material = schedule_next(schedule, step, &len);

        ck_assert_int_eq(in_arena(step->bytes, schedule_key_len(schedule)), key);
        ck_assert_int_eq(in_arena(material, len), next);
}

START_TEST(sframe_steps_are_wiped_on_time) {
        SessionConfig config = config_of("sframe");
        Schedule schedule = schedule_of("sframe", 4);
        Call call = call_new(&config);
        ScheduleStep steps[4];
        Frame frame;

        schedule.kid = 0x30;
        schedule.kid_given = true;
        derive_expected(&schedule, key_a, steps);
        ck_assert_int_eq(put(&call, call.sending, call.sender, 0, key_a, &schedule), 0);
        settle_look_ahead(call.plane);
        ck_assert(!in_arena(key_a, 16));
        expect_in_arena(&schedule, &steps[0], true, true);
        step_sender(&call, 2);
        settle_look_ahead(call.plane);
        expect_in_arena(&schedule, &steps[0], false, false);
        expect_in_arena(&schedule, &steps[1], false, false);
        expect_in_arena(&schedule, &steps[2], true, true);
        frame = sealed(&call, "text");
        ck_assert_int_eq(session_retire(call.sending, call.sender, 0), 0);
        expect_in_arena(&schedule, &steps[2], false, false);

        ck_assert_int_eq(put(&call, call.receiving, call.receiver, 0, key_a, &schedule), 0);
        settle_look_ahead(call.plane);
        ck_assert_int_eq(opened(&call, &frame, "text"), FRAMEKEY_OK);
        plane_dispatch(call.plane);
        settle_look_ahead(call.plane);
        expect_in_arena(&schedule, &steps[0], true, false); /* the cipher handle, for late frames */
        expect_in_arena(&schedule, &steps[2], true, true);
        clock_advance(config.grace_usec + 1);
        plane_dispatch(call.plane);
        expect_in_arena(&schedule, &steps[0], false, false);
        ck_assert(!in_arena(steps[0].sframe.salt, SUITE_NONCE_LEN));
        expect_in_arena(&schedule, &steps[1], false, false);
        call_end(&call);
}
END_TEST

START_TEST(dave_generations_are_wiped_on_time) {
        SessionConfig config = config_of("dave");
        Schedule schedule = schedule_of("dave", 0);
        Call call = call_new(&config);
        ScheduleStep steps[4];
        Frame frame;

        derive_expected(&schedule, key_a, steps);
        ck_assert_int_eq(put(&call, call.sending, call.sender, 0, key_a, &schedule), 0);
        settle_look_ahead(call.plane);
        ck_assert(!in_arena(key_a, 16));
        expect_in_arena(&schedule, &steps[0], true, true);
        next_count = (3 << 24) - 1;
        frame = sealed(&call, "text");
        plane_dispatch(call.plane);
        settle_look_ahead(call.plane);
        for (unsigned i = 0; i < 3; i++)
                expect_in_arena(&schedule, &steps[i], false, false);
        expect_in_arena(&schedule, &steps[3], true, true);
        ck_assert_int_eq(session_retire(call.sending, call.sender, 0), 0);

        ck_assert_int_eq(put(&call, call.receiving, call.receiver, 0, key_a, &schedule), 0);
        clock_advance(4 * GENERATION_USEC);
        ck_assert_int_eq(opened(&call, &frame, "text"), FRAMEKEY_OK);
        plane_dispatch(call.plane);
        settle_look_ahead(call.plane);
        expect_in_arena(&schedule, &steps[0], true, false);
        clock_advance(config.grace_usec + 1);
        plane_dispatch(call.plane);
        for (unsigned i = 0; i < 3; i++)
                expect_in_arena(&schedule, &steps[i], false, false);
        call_end(&call);
}
END_TEST

/* ---- DAVE ---- */

START_TEST(dave_follows_generations_as_old_as_they_can_be) {
        SessionConfig config = config_of("dave");
        Schedule schedule = schedule_of("dave", 0);
        Call call = call_new(&config);
        Frame last, first;

        put_both(&call, 0, key_a, &schedule);
        next_count = (1 << 24) - 2; /* nonces begin with 1 */
        last = sealed(&call, "last");
        first = sealed(&call, "first");
        ck_assert_int_eq(opened(&call, &first, "first"), FRAMEKEY_VERDICT_UNKNOWN_KEY);
        ck_assert_int_eq(opened(&call, &last, "last"), FRAMEKEY_OK);
        ck_assert_int_eq(opened(&call, &last, "last"), FRAMEKEY_VERDICT_REPLAYED);
        last = sealed(&call, "x");

        clock_advance(GENERATION_USEC);
        ck_assert_int_eq(opened(&call, &first, "first"), FRAMEKEY_OK);
        ck_assert_int_eq(opened(&call, &first, "first"), FRAMEKEY_VERDICT_REPLAYED);
        ck_assert_uint_eq(receiver_step(&call), 1);
        call_end(&call);
}
END_TEST

START_TEST(dave_keeps_the_old_generation_for_10_s) {
        SessionConfig config = config_of("dave");
        Schedule schedule = schedule_of("dave", 0);
        Call call = call_new(&config);
        Frame late[2], first;

        put_both(&call, 0, key_a, &schedule);
        ck_assert_int_eq((first = sealed(&call, "one"), opened(&call, &first, "one")), FRAMEKEY_OK);
        next_count = (1 << 24) - 3;
        late[0] = sealed(&call, "late");
        late[1] = sealed(&call, "late");
        first = sealed(&call, "first");
        clock_advance(GENERATION_USEC);
        ck_assert_int_eq(opened(&call, &first, "first"), FRAMEKEY_OK);
        clock_advance(9 * USEC_PER_SEC);
        ck_assert_int_eq(opened(&call, &late[0], "late"), FRAMEKEY_OK);
        clock_advance(2 * USEC_PER_SEC);
        ck_assert_int_eq(opened(&call, &late[1], "late"), FRAMEKEY_VERDICT_UNKNOWN_KEY);
        call_end(&call);
}
END_TEST

START_TEST(dave_tries_epochs_newest_first) {
        SessionConfig config = config_of("dave");
        Schedule schedule = schedule_of("dave", 0);
        Call call = call_new(&config);
        Frame old[3], new;

        put_both(&call, 0, key_a, &schedule);
        for (unsigned i = 0; i < 3; i++)
                old[i] = sealed(&call, "old");
        put_both(&call, 1, key_b, &schedule);
        ck_assert_int_eq(session_activate(call.sending, call.sender, 1, NULL), 0);
        new = sealed(&call, "new");
        ck_assert_int_eq(opened(&call, &old[0], "old"), FRAMEKEY_OK);
        ck_assert_int_eq(opened(&call, &new, "new"), FRAMEKEY_OK);
        plane_dispatch(call.plane);
        ck_assert_int_eq(opened(&call, &old[1], "old"), FRAMEKEY_OK); /* nonce 2, which is new to both */
        ck_assert_int_eq(opened(&call, &old[0], "old"), FRAMEKEY_VERDICT_REPLAYED);
        clock_advance(31 * USEC_PER_SEC);
        plane_dispatch(call.plane);
        ck_assert_int_eq(opened(&call, &old[2], "old"), FRAMEKEY_VERDICT_FORGED);
        ck_assert_uint_eq(session_n_keys(call.receiving), 1);
        call_end(&call);
}
END_TEST

START_TEST(dave_passes_clear_frames_by_permission_only) {
        static const Frame silence = { .bytes = { 0xf8, 0xff, 0xfe }, .len = 3 };
        static const Frame clear = { .bytes = "not a frame of the protocol", .len = 27 };
        SessionConfig config = config_of("dave");
        Schedule schedule = schedule_of("dave", 0);
        Call call = call_new(&config);
        SessionParticipantInfo info;
        Frame out;

        put_both(&call, 0, key_a, &schedule);
        ck_assert_int_eq(opened(&call, &silence, ""), FRAMEKEY_VERDICT_MALFORMED);
        ck_assert_int_eq(opened(&call, &clear, ""), FRAMEKEY_VERDICT_MALFORMED);

        ck_assert_int_eq(session_allow_clear(call.sending, call.sender, SESSION_CLEAR_ALL, 1), SESSION_WRONG_ROLE);
        ck_assert_int_eq(session_allow_clear(call.receiving, call.receiver, SESSION_CLEAR_SILENCE, 10 * USEC_PER_SEC),
                         0);
        ck_assert_int_eq(process(call.open, call.receiving, &silence, 0, &out).verdict,
                         FRAMEKEY_VERDICT_SERVER_INJECTED);
        ck_assert_uint_eq(out.len, 3);
        ck_assert_mem_eq(out.bytes, silence.bytes, 3);
        ck_assert_int_eq(opened(&call, &clear, ""), FRAMEKEY_VERDICT_MALFORMED);

        ck_assert_int_eq(session_allow_clear(call.receiving, call.receiver, SESSION_CLEAR_ALL, 10 * USEC_PER_SEC), 0);
        ck_assert_int_eq(process(call.open, call.receiving, &clear, 0, &out).verdict, FRAMEKEY_VERDICT_UNENCRYPTED);
        ck_assert_mem_eq(out.bytes, clear.bytes, 27);
        clock_advance(10 * USEC_PER_SEC);
        ck_assert_int_eq(opened(&call, &clear, ""), FRAMEKEY_VERDICT_MALFORMED);
        ck_assert_int_eq(opened(&call, &silence, ""), FRAMEKEY_VERDICT_MALFORMED);

        ck_assert_int_eq(session_participant_info(call.receiving, call.receiver, &info), 0);
        ck_assert_uint_eq(info.counters.frames[FRAMEKEY_VERDICT_SERVER_INJECTED], 1);
        ck_assert_uint_eq(info.counters.frames[FRAMEKEY_VERDICT_UNENCRYPTED], 1);
        ck_assert_int_eq(info.clear, SESSION_CLEAR_NOTHING);
        call_end(&call);
}
END_TEST

START_TEST(dave_believes_no_range) {
        static const DaveRange bad[][2] = {
                { { 2, 2 }, { 1, 1 } }, { { 0, 3 }, { 2, 1 } }, { { 5, 4 }, { 9, 1 } }, { { UINT32_MAX, 2 }, { 0, 0 } }
        };
        SessionConfig config = config_of("dave");
        Schedule schedule = schedule_of("dave", 0);
        Call call = call_new(&config);
        FrameRequest request = { .frame = (const uint8_t *)"12345678", .len = 8, .n_ranges = 2, .now_usec = test_now };
        FrameResult result;
        uint8_t out[300];

        put_both(&call, 0, key_a, &schedule);
        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                request.ranges = bad[i];
                frame_process(call.seal, &request, out, sizeof(out), &result);
                ck_assert_int_eq(result.verdict, FRAMEKEY_VERDICT_REFUSED);
                ck_assert_uint_eq(result.len, 0);
        }
        request.ranges = (const DaveRange[]){ { 0, 1 }, { 4, 2 } };
        frame_process(call.seal, &request, out, sizeof(out), &result);
        ck_assert_int_eq(result.verdict, FRAMEKEY_OK);
        ck_assert_uint_eq(out[0], '1');
        ck_assert_mem_eq(out + 4, "56", 2);
        call_end(&call);
}
END_TEST

RUN_TESTS("counted", sframe_counts_over_all_streams, sframe_authenticates_metadata, sframe_receivers_follow_the_kid,
          sframe_forged_steps_change_nothing_and_are_rationed, sframe_keys_are_replaced_only_on_purpose,
          keys_that_count_have_one_direction, without_counters_only_fresh_keys_are_sent_under,
          a_spent_counter_is_a_limit, sframe_rotation_moves_to_the_next_key_generation,
          mls_members_have_keys_of_their_own, sframe_steps_are_wiped_on_time, dave_generations_are_wiped_on_time,
          dave_follows_generations_as_old_as_they_can_be, dave_keeps_the_old_generation_for_10_s,
          dave_tries_epochs_newest_first, dave_passes_clear_frames_by_permission_only, dave_believes_no_range)
