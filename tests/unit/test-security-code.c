/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Security codes of two sessions of one call: the same at both ends as long as both hold the same keys
 * in use, whatever else they hold; and not the same when they do not.
 */
#include "keyplane-fixture.h"
#include "keys/plane-internal.h"
#include "keys/security-code.h"
#include "runner.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Alice's session and Bob's. Each knows itself as local and the other as remote. */
typedef struct Call {
        Plane *plane;
        Ledger *ledger;
        char *directory;
        Session *sessions[2];
        uint32_t ids[2][2];      /* of alice and bob, in each */
        FrameGrant *seal, *open; /* from alice to bob */
} Call;

static const char *const names[] = { "alice", "bob" };

static uint32_t add(const Call *call, unsigned side, unsigned who) {
        bool mls = session_config(call->sessions[side])->mls_index_bits > 0;
        uint32_t id;
        int r = mls ? session_add_member(call->sessions[side], side == who, 0, who, &id)
                    : session_add_participant(call->sessions[side], side == who, &id);

        ck_assert_int_eq(r, 0);
        return id;
}

static Call call_new(const SessionConfig *config) {
        char template[] = "/tmp/framekeyd-test-XXXXXX";
        static int channel;
        Call call = { .plane = plane_start() };

        ck_assert_ptr_nonnull(mkdtemp(template));
        call.directory = strdup(template);
        ck_assert_int_eq(ledger_open(&call.ledger, template, template), 0);
        plane_set_ledger(call.plane, call.ledger);
        for (unsigned side = 0; side < 2; side++) {
                ck_assert_int_eq(session_new(&call.sessions[side], call.plane, config, NULL, NULL), 0);
                call.ids[side][side] = add(&call, side, side); /* oneself first: another order at each end */
                call.ids[side][!side] = add(&call, side, !side);
        }
        ck_assert_int_eq(frame_grant_new(&call.seal, call.sessions[0], &channel, 0, call.ids[0][0], FRAMEKEY_ENCRYPT,
                                         FRAMEKEY_MEDIA_AUDIO),
                         0);
        ck_assert_int_eq(frame_grant_new(&call.open, call.sessions[1], &channel, 1, call.ids[1][0], FRAMEKEY_DECRYPT,
                                         FRAMEKEY_MEDIA_AUDIO),
                         0);
        return call;
}

static void call_end(Call *call) {
        char *command;

        frame_grant_free(call->seal);
        frame_grant_free(call->open);
        for (unsigned side = 0; side < 2; side++)
                session_free(call->sessions[side]);
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

static Schedule schedule_of(const char *preset) {
        Schedule schedule;

        preset_schedule(preset_find(preset), &schedule);
        schedule.iterations = 10;
        return schedule;
}

static const char key_a[] = "0123456789abcdef", key_b[] = "fedcba9876543210", key_c[] = "a third, for epochs";

static void put(const Call *call, unsigned side, uint32_t id, uint32_t index, const char *key,
                const Schedule *schedule) {
        Waited waited = { false };
        Secret *secret;

        ck_assert_int_eq(secret_new_copy(&secret, key, 16), 0);
        ck_assert_int_eq(session_import(call->sessions[side], id, index, secret, schedule, 0, waited_done, &waited), 0);
        await(call->plane, &waited);
        ck_assert_int_eq(waited.result, 0);
}

/* A key of this participant, at both ends. */
static void put_both(const Call *call, unsigned who, uint32_t index, const char *key, const Schedule *schedule) {
        for (unsigned side = 0; side < 2; side++)
                put(call, side, call->ids[side][who], index, key, schedule);
}

static void put_shared(const Call *call, uint32_t index, const char *key, const Schedule *schedule) {
        for (unsigned side = 0; side < 2; side++)
                put(call, side, SESSION_SHARED, index, key, schedule);
}

static void step(const Call *call, unsigned side, uint32_t id) {
        Waited waited = { false };

        ck_assert_int_eq(session_ratchet(call->sessions[side], id, SESSION_ACTIVE, waited_done, &waited), 0);
        await(call->plane, &waited);
        ck_assert_int_eq(waited.result, 0);
}

/* A frame from alice to bob. */
static void frame(const Call *call) {
        Frame in = { .bytes = "a frame", .len = 8 }, middle, out;
        FrameResult result = process(call->seal, call->sessions[0], &in, 0, &middle);

        ck_assert_int_eq(result.verdict, FRAMEKEY_OK);
        result = process(call->open, call->sessions[1], &middle, 0, &out);
        ck_assert_int_eq(result.verdict, FRAMEKEY_OK);
        plane_dispatch(call->plane);
}

typedef struct Answer {
        bool done;
        int result;
        char digits[CHECK_CODE_MAX];
        char keys[256]; /* "alice 0 0, bob 0 0": index or KID, and step */
} Answer;

static void on_code(const SecurityCode *code, int result, const char *digits, void *userdata) {
        Answer *answer = userdata;
        const SecurityCodeKey *keys;
        char *end = answer->keys;
        size_t n;

        answer->done = true;
        answer->result = result;
        if (result != 0)
                return;
        (void)snprintf(answer->digits, sizeof(answer->digits), "%s", digits);
        keys = security_code_keys(code, &n);
        for (size_t i = 0; i < n; i++)
                end += sprintf(end, "%s%s %llu %u", i > 0 ? ", " : "", keys[i].identity,
                               (unsigned long long)(keys[i].kid ?: keys[i].index), keys[i].step);
}

static const char *name_of(uint32_t participant, void *userdata) {
        Answer *answer = userdata;
        const uint32_t *ids = (const uint32_t *)answer->keys; /* lent for the call */

        return participant == ids[0] ? names[0] : participant == ids[1] ? names[1] : NULL;
}

static Answer code_of(const Call *call, unsigned side) {
        Answer answer = { false };

        memcpy(answer.keys, call->ids[side], sizeof(call->ids[side]));
        ck_assert_int_eq(security_code_start(call->sessions[side], name_of, on_code, &answer), 0);
        while (!answer.done)
                pump(call->plane);
        ck_assert_int_eq(answer.result, 0);
        ck_assert_uint_eq(strlen(answer.digits), 23);
        return answer;
}

/* Both codes, and what they are made over at alice's. */
static void check_equal(const Call *call, const char *keys) {
        Answer alice = code_of(call, 0), bob = code_of(call, 1);

        ck_assert_str_eq(alice.keys, keys);
        ck_assert_str_eq(bob.keys, keys);
        ck_assert_str_eq(alice.digits, bob.digits);
}

static void check_differ(const Call *call, const char *alice_keys, const char *bob_keys) {
        Answer alice = code_of(call, 0), bob = code_of(call, 1);

        ck_assert_str_eq(alice.keys, alice_keys);
        ck_assert_str_eq(bob.keys, bob_keys);
        ck_assert_str_ne(alice.digits, bob.digits);
}

START_TEST(both_ends_have_the_same_code) {
        SessionConfig config = config_of("element-call");
        Schedule schedule = schedule_of("element-call");
        Call call = call_new(&config);
        Answer first, second;

        put_both(&call, 0, 3, key_a, &schedule);
        put_both(&call, 1, 3, key_b, &schedule);
        check_equal(&call, "alice 3 0, bob 3 0");
        first = code_of(&call, 0);
        second = code_of(&call, 0);
        ck_assert_str_eq(first.digits, second.digits);
        call_end(&call);
}
END_TEST

START_TEST(another_key_of_anybody_is_another_code) {
        SessionConfig config = config_of("element-call");
        Schedule schedule = schedule_of("element-call");
        Call call = call_new(&config);

        put_both(&call, 0, 0, key_a, &schedule);
        put(&call, 0, call.ids[0][1], 0, key_b, &schedule);
        check_differ(&call, "alice 0 0, bob 0 0", "alice 0 0");
        put(&call, 1, call.ids[1][1], 0, key_c, &schedule); /* the lists are equal, the keys are not */
        check_differ(&call, "alice 0 0, bob 0 0", "alice 0 0, bob 0 0");
        put(&call, 1, call.ids[1][1], 0, key_b, &schedule);
        check_equal(&call, "alice 0 0, bob 0 0");
        put(&call, 1, call.ids[1][1], 1, key_b, &schedule); /* the same key under another index */
        ck_assert_int_eq(session_activate(call.sessions[1], call.ids[1][1], 1, NULL), 0);
        check_differ(&call, "alice 0 0, bob 0 0", "alice 0 0, bob 1 0");
        call_end(&call);
}
END_TEST

START_TEST(whoever_has_no_key_does_not_count) {
        SessionConfig config = config_of("element-call");
        Schedule schedule = schedule_of("element-call");
        Call call = call_new(&config);
        Answer answer = { false };

        memcpy(answer.keys, call.ids[0], sizeof(call.ids[0]));
        ck_assert_int_eq(security_code_start(call.sessions[0], name_of, on_code, &answer), SESSION_NO_KEY);
        put_both(&call, 1, 0, key_b, &schedule);
        check_equal(&call, "bob 0 0");
        call_end(&call);
}
END_TEST

START_TEST(a_key_counts_from_its_first_frame_on) {
        SessionConfig config = config_of("element-call");
        Schedule schedule = schedule_of("element-call");
        Call call = call_new(&config);

        put_both(&call, 0, 0, key_a, &schedule);
        frame(&call);
        put_both(&call, 0, 1, key_b, &schedule); /* handed out, and not sent under yet */
        check_equal(&call, "alice 0 0");
        ck_assert_int_eq(session_activate(call.sessions[0], call.ids[0][0], 1, NULL), 0);
        check_differ(&call, "alice 1 0", "alice 0 0");
        frame(&call); /* the old key lives through its grace, and does not count */
        check_equal(&call, "alice 1 0");
        call_end(&call);
}
END_TEST

START_TEST(a_retired_key_does_not_count) {
        SessionConfig config = config_of("element-call");
        Schedule schedule = schedule_of("element-call");
        Call call = call_new(&config);

        put_both(&call, 0, 0, key_a, &schedule);
        frame(&call);
        put_both(&call, 0, 1, key_b, &schedule);
        ck_assert_int_eq(session_activate(call.sessions[0], call.ids[0][0], 1, NULL), 0);
        ck_assert_int_eq(session_retire(call.sessions[1], call.ids[1][0], 0), 0); /* the newest is left */
        check_equal(&call, "alice 1 0");
        call_end(&call);
}
END_TEST

START_TEST(a_step_counts_where_it_was_seen) {
        SessionConfig config = config_of("element-call");
        Schedule schedule = schedule_of("element-call");
        Call call = call_new(&config);

        put_both(&call, 0, 0, key_a, &schedule);
        put_both(&call, 1, 0, key_b, &schedule);
        settle_look_ahead(call.plane);
        step(&call, 0, call.ids[0][0]);
        check_differ(&call, "alice 0 1, bob 0 0", "alice 0 0, bob 0 0");
        settle_look_ahead(call.plane);
        frame(&call);
        check_equal(&call, "alice 0 1, bob 0 0");
        call_end(&call);
}
END_TEST

START_TEST(a_shared_key_counts_for_each_participant) {
        SessionConfig config = config_of("livekit");
        Schedule schedule = schedule_of("livekit");
        Call call = call_new(&config);

        put_shared(&call, 0, key_a, &schedule);
        check_equal(&call, "alice 0 0, bob 0 0");
        settle_look_ahead(call.plane);
        step(&call, 0, SESSION_SHARED); /* moves those who send here */
        check_differ(&call, "alice 0 1, bob 0 0", "alice 0 0, bob 0 0");
        settle_look_ahead(call.plane);
        frame(&call);
        check_equal(&call, "alice 0 1, bob 0 0");
        call_end(&call);
}
END_TEST

START_TEST(sframe_counts_by_kid) {
        SessionConfig config = config_of("sframe");
        Schedule schedule = schedule_of("sframe");
        Call call = call_new(&config);

        schedule.ratchet_bits = 4;
        schedule.kid = 0x50;
        schedule.kid_given = true;
        put(&call, 0, call.ids[0][0], 0, key_a, &schedule);
        put(&call, 1, call.ids[1][0], 7, key_a, &schedule); /* where a daemon keeps it is its own affair */
        check_equal(&call, "alice 80 0");
        step(&call, 0, call.ids[0][0]);
        check_differ(&call, "alice 80 1", "alice 80 0");
        frame(&call);
        check_equal(&call, "alice 80 1");
        call_end(&call);
}
END_TEST

START_TEST(mls_counts_by_epoch_and_member) {
        SessionConfig config = config_of("sframe");
        Schedule schedule = schedule_of("sframe");
        Call call;

        config.shared = true;
        config.mls_index_bits = 8;
        config.mls_epoch_bits = 4;
        config.ring_size = 16;
        schedule.kdf = SCHEDULE_EPOCH;
        schedule.ratchet_bits = 0;
        call = call_new(&config);
        put_shared(&call, 2, key_a, &schedule);
        check_equal(&call, "alice 2 0, bob 18 0");
        frame(&call);
        put(&call, 0, SESSION_SHARED, 3, key_b, &schedule); /* one end has come to the next epoch */
        ck_assert_int_eq(session_activate(call.sessions[0], SESSION_SHARED, 3, NULL), 0);
        check_differ(&call, "alice 3 0, bob 19 0", "alice 2 0, bob 18 0");
        put(&call, 1, SESSION_SHARED, 3, key_b, &schedule);
        ck_assert_int_eq(session_activate(call.sessions[1], SESSION_SHARED, 3, NULL), 0);
        frame(&call);
        check_equal(&call, "alice 3 0, bob 19 0");
        call_end(&call);
}
END_TEST

START_TEST(dave_counts_by_epoch) {
        SessionConfig config = config_of("dave");
        Schedule schedule = schedule_of("dave");
        Call call = call_new(&config);

        put_both(&call, 0, 5, key_a, &schedule);
        put_both(&call, 1, 5, key_b, &schedule);
        frame(&call);
        check_equal(&call, "alice 5 0, bob 5 0");
        call_end(&call);
}
END_TEST

START_TEST(a_session_may_end_before_its_code) {
        SessionConfig config = config_of("livekit");
        Schedule schedule = schedule_of("livekit");
        Call call = call_new(&config);
        Answer answers[3] = { { false } };

        put_shared(&call, 0, key_a, &schedule);
        for (unsigned i = 0; i < ELEMENTS(answers); i++) {
                memcpy(answers[i].keys, call.ids[0], sizeof(call.ids[0]));
                ck_assert_int_eq(security_code_start(call.sessions[0], name_of, on_code, &answers[i]), 0);
        }
        call.seal = frame_grant_free(call.seal);
        call.sessions[0] = session_free(call.sessions[0]);
        for (unsigned i = 0; i < ELEMENTS(answers); i++) {
                ck_assert(answers[i].done);
                ck_assert_int_eq(answers[i].result, SESSION_CLOSED);
        }
        while (plane_n_deriving(call.plane) > 0)
                pump(call.plane);
        call_end(&call);
}
END_TEST

RUN_TESTS("security-code", both_ends_have_the_same_code, another_key_of_anybody_is_another_code,
          whoever_has_no_key_does_not_count, a_key_counts_from_its_first_frame_on, a_retired_key_does_not_count,
          a_step_counts_where_it_was_seen, a_shared_key_counts_for_each_participant, sframe_counts_by_kid,
          mls_counts_by_epoch_and_member, dave_counts_by_epoch, a_session_may_end_before_its_code)
