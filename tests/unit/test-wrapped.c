/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Wrapped keys of the formats that count, from session to session: what one daemon seals under, another
 * opens and follows; and a package cannot say what its session is not.
 */
#include "keyplane-fixture.h"
#include "keys/plane-internal.h"
#include "keys/wrap.h"
#include "runner.h"
#include "util/counter.h"

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
        Session *sending, *receiving;
        uint32_t sender, receiver;
        FrameGrant *seal, *open;
        uint32_t key;  /* whose keys: the sender, or SESSION_SHARED */
        uint32_t step; /* of the sender */
} Call;

static Call call_new(const SessionConfig *config) {
        static int channel;
        Call call = { .plane = plane_start() };

        ck_assert_int_eq(ledger_open(&call.ledger, NULL, NULL), 0);
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
        call.key = config->shared ? SESSION_SHARED : call.sender;
        ck_assert_int_eq(frame_grant_new(&call.seal, call.sending, &channel, 0, call.sender, FRAMEKEY_ENCRYPT,
                                         FRAMEKEY_MEDIA_VIDEO),
                         0);
        ck_assert_int_eq(frame_grant_new(&call.open, call.receiving, &channel, 1, call.receiver, FRAMEKEY_DECRYPT,
                                         FRAMEKEY_MEDIA_VIDEO),
                         0);
        return call;
}

static void call_end(Call *call) {
        frame_grant_free(call->seal);
        frame_grant_free(call->open);
        session_free(call->sending);
        session_free(call->receiving);
        plane_free(call->plane);
        ledger_close(call->ledger);
}

static SessionConfig config_of(const char *preset) {
        SessionConfig config;

        preset_session_config(preset_find(preset), &config);
        return config;
}

static SessionConfig config_of_mls(void) {
        SessionConfig config = config_of("sframe");

        config.shared = true;
        config.mls_index_bits = 8;
        config.mls_epoch_bits = 2;
        config.ring_size = 4;
        return config;
}

static Schedule schedule_of(const char *preset, uint32_t ratchet_bits) {
        Schedule schedule;

        preset_schedule(preset_find(preset), &schedule);
        schedule.ratchet_bits = ratchet_bits;
        return schedule;
}

static void generate(const Call *call, uint32_t index, const Schedule *schedule) {
        Waited waited = { false };

        ck_assert_int_eq(session_generate(call->sending, call->key, index, schedule, waited_done, &waited), 0);
        await(call->plane, &waited);
        ck_assert_int_eq(waited.result, 0);
        settle_look_ahead(call->plane);
}

static void step_sender(Call *call, uint32_t n) {
        while (n-- > 0)
                ratchet(call->plane, call->sending, call->sender, ++call->step);
}

typedef struct Package {
        uint8_t bytes[WRAP_MAX];
        size_t len;
} Package;

/* The receiver takes the package, for `index` or as it says. */
static int take(const Call *call, const Package *package, uint32_t index, uint32_t *ret_index, uint32_t *ret_step) {
        uint32_t id = call->key == SESSION_SHARED ? SESSION_SHARED : call->receiver;
        Waited waited = { false };
        int r;

        r = session_import_wrapped(call->receiving, id, index, "anna", package->bytes, package->len, ret_index,
                                   waited_done, &waited);
        if (r != 0)
                return r;
        await(call->plane, &waited);
        settle_look_ahead(call->plane);
        *ret_step = waited.step;
        return waited.result;
}

static Package exported(const Call *call) {
        Package package;

        ck_assert_int_eq(session_export(call->sending, call->key, SESSION_ACTIVE, "anna",
                                        plane_transport_key(call->plane), package.bytes, &package.len),
                         0);
        return package;
}

static void hand_over(const Call *call, uint32_t expected_index, uint32_t expected_step) {
        Package package = exported(call);
        uint32_t index, step;

        ck_assert_int_eq(take(call, &package, SESSION_ACTIVE, &index, &step), 0);
        ck_assert_uint_eq(index, expected_index);
        ck_assert_uint_eq(step, expected_step);
}

static Frame sealed(const Call *call, const char *text) {
        Frame in = { .len = strlen(text) }, out;

        memcpy(in.bytes, text, in.len);
        ck_assert_int_eq(process(call->seal, call->sending, &in, 0, &out).verdict, FRAMEKEY_OK);
        return out;
}

static int opened(const Call *call, const Frame *frame, const char *text) {
        Frame out;
        FrameResult result = process(call->open, call->receiving, frame, 0, &out);

        if (result.verdict == FRAMEKEY_OK) {
                ck_assert_uint_eq(out.len, strlen(text));
                ck_assert_mem_eq(out.bytes, text, out.len);
        }
        return result.verdict;
}

static void check_passes(const Call *call, const char *text) {
        Frame frame = sealed(call, text);

        ck_assert_int_eq(opened(call, &frame, text), FRAMEKEY_OK);
}

START_TEST(sframe_keys_are_followed_elsewhere) {
        for (uint32_t suite = 1; suite <= 8; suite++) {
                SessionConfig config = config_of("sframe");
                Schedule schedule = schedule_of("sframe", 8);
                Call call = call_new(&config);
                Frame before;

                schedule.suite = suite;
                generate(&call, 5, &schedule);
                before = sealed(&call, "before");
                step_sender(&call, 3);
                hand_over(&call, 5, 3);
                check_passes(&call, "as it is");
                /* What was said before is not for the newcomer. */
                ck_assert_int_ne(opened(&call, &before, ""), FRAMEKEY_OK);
                step_sender(&call, 1);
                check_passes(&call, "one on");
                step_sender(&call, 40);
                check_passes(&call, "far on");
                call_end(&call);
        }
}
END_TEST

START_TEST(sframe_kids_come_along) {
        SessionConfig config = config_of("sframe");
        Schedule schedule = schedule_of("sframe", 4);
        Call call = call_new(&config);
        SessionKeyInfo info;
        uint32_t index, step;
        Package package;

        schedule.kid = UINT64_C(0xfedcba9876543210);
        schedule.kid_given = true;
        generate(&call, 2, &schedule);
        step_sender(&call, 5);
        package = exported(&call);
        ck_assert_int_eq(take(&call, &package, 7, &index, &step), 0);
        ck_assert_uint_eq(index, 7);
        ck_assert_int_eq(session_key_info(call.receiving, call.receiver, 7, &info), 0);
        ck_assert_uint_eq(info.kid, UINT64_C(0xfedcba9876543215));
        check_passes(&call, "text");
        call_end(&call);
}
END_TEST

START_TEST(sframe_keys_of_one_stream_and_without_steps_travel) {
        SessionConfig config = config_of("sframe");
        Schedule schedule = schedule_of("sframe", 0);
        Call call = call_new(&config);

        generate(&call, 1, &schedule);
        hand_over(&call, 1, 0);
        check_passes(&call, "text");
        call_end(&call);

        schedule.ratchet_bits = 8;
        schedule.per_stream = true;
        schedule.ssrc = 0x01020304;
        call = call_new(&config);
        generate(&call, 1, &schedule);
        hand_over(&call, 1, 0);
        check_passes(&call, "text");
        step_sender(&call, 2);
        check_passes(&call, "next");
        call_end(&call);
}
END_TEST

START_TEST(mls_epochs_make_the_same_members_elsewhere) {
        SessionConfig config = config_of_mls();
        Schedule schedule = schedule_of("sframe", 0);
        Call call;

        schedule.kdf = SCHEDULE_EPOCH;
        for (uint32_t index = 0; index < config.ring_size; index++) {
                call = call_new(&config);
                generate(&call, index, &schedule);
                hand_over(&call, index, 0);
                check_passes(&call, "text");
                call_end(&call);
        }
}
END_TEST

START_TEST(dave_generations_are_followed_elsewhere) {
        SessionConfig config = config_of("dave");
        Schedule schedule = schedule_of("dave", 0);
        Call call = call_new(&config);
        Frame before;

        generate(&call, 3, &schedule);
        before = sealed(&call, "before");
        next_count = (7 << 24) - 3;
        (void)sealed(&call, "generation 6");
        hand_over(&call, 3, 6);
        check_passes(&call, "generation 6");
        ck_assert_int_ne(opened(&call, &before, ""), FRAMEKEY_OK);
        check_passes(&call, "generation 7"); /* and it is not 27 hours yet */
        call_end(&call);
}
END_TEST

/* A package that opens, with whatever its maker wrote. */
static int outcome_of(const Call *call, enum framekey_format format, const Schedule *schedule) {
        const WrapContext context = { format, "anna" };
        WrappedKey key = { .index = 1, .schedule = *schedule };
        size_t in_use = arena_in_use(arena_installed());
        uint32_t index, step;
        Package package;
        int r;

        key.secrets = arena_alloc(arena_installed(), schedule_step_size(schedule));
        ck_assert_ptr_nonnull(key.secrets);
        ck_assert_int_eq(wrap_seal(plane_transport_key(call->plane), &context, &key, package.bytes, &package.len), 0);
        arena_release(arena_installed(), key.secrets);
        r = take(call, &package, SESSION_ACTIVE, &index, &step);
        if (r != 0)
                ck_assert_uint_eq(arena_in_use(arena_installed()), in_use);
        return r;
}

static const char *const presets[] = { "sframe", "sframe", "dave", "jitsi" };
#define KIND_MLS 1u

START_TEST(a_package_says_what_its_session_is) {
        for (size_t i = 0; i < ELEMENTS(presets); i++) {
                SessionConfig config = i == KIND_MLS ? config_of_mls() : config_of(presets[i]);
                Call call = call_new(&config);

                for (size_t k = 0; k < ELEMENTS(presets); k++) {
                        Schedule schedule = schedule_of(presets[k], 0);

                        if (k == KIND_MLS)
                                schedule.kdf = SCHEDULE_EPOCH;
                        ck_assert_msg(outcome_of(&call, config.format, &schedule) == (i == k ? 0 : SESSION_FORGED),
                                      "session %zu, package %zu", i, k);
                }
                call_end(&call);
        }
}
END_TEST

/* Else a sender of the group would bring in shorter tags than the session says that it has. */
START_TEST(a_session_of_a_suite_takes_keys_of_no_other) {
        SessionConfig config = config_of("sframe");
        Schedule schedule = schedule_of("sframe", 8);
        Call call;

        config.suite = (uint8_t)schedule.suite;
        config.ratchet_bits = 8;
        call = call_new(&config);
        ck_assert_int_eq(outcome_of(&call, config.format, &schedule), 0);
        schedule.ratchet_bits = 4;
        ck_assert_int_eq(outcome_of(&call, config.format, &schedule), SESSION_FORGED);
        schedule.ratchet_bits = 8;
        schedule.suite = 3;
        ck_assert_int_eq(outcome_of(&call, config.format, &schedule), SESSION_FORGED);
        call_end(&call);
}
END_TEST

RUN_TESTS("wrapped", sframe_keys_are_followed_elsewhere, sframe_kids_come_along,
          sframe_keys_of_one_stream_and_without_steps_travel, mls_epochs_make_the_same_members_elsewhere,
          dave_generations_are_followed_elsewhere, a_package_says_what_its_session_is,
          a_session_of_a_suite_takes_keys_of_no_other)
