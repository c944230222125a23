/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The life of keys: steps by policy, changes of key, deaths, and what the owner is told. */
#include "keyplane-fixture.h"
#include "runner.h"

#define EVENTS_MAX 512u

/* Two daemons, one participant that sends audio and video, and what each daemon's owner heard. */
typedef struct Side {
        Session *session;
        uint32_t participant;
        FrameGrant *audio, *video;
        SessionEvent events[EVENTS_MAX];
        unsigned n_events;
} Side;

typedef struct Call {
        Plane *plane;
        Side sender, receiver;
        uint32_t timestamp;
} Call;

static const int channel;

static void on_event(Session *session, const SessionEvent *event, void *userdata) {
        Side *side = userdata;

        ck_assert_uint_lt(side->n_events, EVENTS_MAX);
        side->events[side->n_events++] = *event;
}

static unsigned count_events(const Side *side, SessionEventType type) {
        unsigned n = 0;

        for (unsigned i = 0; i < side->n_events; i++)
                n += side->events[i].type == type;
        return n;
}

static const SessionEvent *last_event(const Side *side, SessionEventType type) {
        for (unsigned i = side->n_events; i-- > 0;)
                if (side->events[i].type == type)
                        return &side->events[i];
        ck_abort_msg("no event of type %d", (int)type);
        return NULL;
}

static SessionConfig config_default(void) {
        SessionConfig config;

        preset_session_config(preset_find("element-call"), &config); /* keys of each participant's own */
        config.ring_size = 16;
        return config;
}

static void side_start(Side *side, Plane *plane, const SessionConfig *config, bool local) {
        enum framekey_direction direction = local ? FRAMEKEY_ENCRYPT : FRAMEKEY_DECRYPT;

        *side = (Side){ 0 };
        ck_assert_int_eq(session_new(&side->session, plane, config, on_event, side), 0);
        ck_assert_int_eq(session_add_participant(side->session, local, &side->participant), 0);
        ck_assert_int_eq(frame_grant_new(&side->audio, side->session, &channel, 0, side->participant, direction,
                                         FRAMEKEY_MEDIA_AUDIO),
                         0);
        ck_assert_int_eq(frame_grant_new(&side->video, side->session, &channel, 1, side->participant, direction,
                                         FRAMEKEY_MEDIA_VIDEO),
                         0);
}

static void call_start(Call *call, const SessionConfig *config) {
        *call = (Call){ .plane = plane_start(), .timestamp = 1000 };
        side_start(&call->sender, call->plane, config, true);
        side_start(&call->receiver, call->plane, config, false);
}

static void side_end(Side *side) {
        frame_grant_free(side->audio);
        frame_grant_free(side->video);
        session_free(side->session);
}

static void call_end(Call *call) {
        side_end(&call->sender);
        side_end(&call->receiver);
        plane_free(call->plane);
}

/* Everything that is due now, derivations included. */
static void settle(Call *call) {
        struct pollfd poll_fd = { .fd = plane_event_fd(call->plane), .events = POLLIN };

        do {
                if (plane_n_deriving(call->plane) > 0)
                        (void)poll(&poll_fd, 1, 1000);
                plane_dispatch(call->plane);
        } while (plane_n_deriving(call->plane) > 0 || poll(&poll_fd, 1, 0) > 0);
}

static void pass(Call *call, uint64_t usec) {
        clock_advance(usec);
        settle(call);
}

static void give(Call *call, Side *side, uint32_t index, const char *secret) {
        import(call->plane, side->session, side->participant, index, secret, 0);
        settle(call);
}

static void give_both(Call *call, uint32_t index, const char *secret) {
        give(call, &call->sender, index, secret);
        give(call, &call->receiver, index, secret);
}

static FrameResult run(FrameGrant *grant, Session *session, const Frame *in, uint8_t frame_type, uint32_t timestamp,
                       Frame *out) {
        FrameRequest request = { .frame = in->bytes,
                                 .len = in->len,
                                 .clear_len = 1,
                                 .frame_type = frame_type,
                                 .now_usec = test_now,
                                 .ssrc = 7,
                                 .rtp_timestamp = timestamp };
        FrameResult result;
        uint8_t iv[12];

        entropy_fill_ivs(iv, 1);
        request.iv = iv;
        session_enter(session);
        frame_process(grant, &request, out->bytes, sizeof(out->bytes), &result);
        session_leave(session);
        out->len = result.len;
        return result;
}

static FrameResult seal_typed(Call *call, FrameGrant *grant, uint8_t frame_type, Frame *ret) {
        const Frame plain = { .bytes = "plain", .len = 5 };

        return run(grant, call->sender.session, &plain, frame_type, ++call->timestamp, ret);
}

static Frame seal(Call *call) {
        Frame sealed;

        ck_assert_int_eq(seal_typed(call, call->sender.audio, 0, &sealed).verdict, FRAMEKEY_OK);
        return sealed;
}

static FrameResult open_at(Call *call, const Frame *sealed, uint32_t timestamp) {
        Frame plain;

        return run(call->receiver.audio, call->receiver.session, sealed, 0, timestamp, &plain);
}

static FrameResult open_now(Call *call, const Frame *sealed) {
        return open_at(call, sealed, call->timestamp);
}

/* One frame from end to end. */
static FrameResult send_one(Call *call) {
        Frame sealed = seal(call);

        return open_now(call, &sealed);
}

static SessionKeyInfo key_info(Side *side, uint32_t index) {
        SessionKeyInfo info;

        ck_assert_int_eq(session_key_info(side->session, side->participant, index, &info), 0);
        return info;
}

static void generate(Call *call, Side *side, uint32_t index) {
        Waited waited = { false };
        Schedule schedule;

        preset_schedule(preset_find("element-call"), &schedule);
        ck_assert_int_eq(session_generate(side->session, side->participant, index, &schedule, waited_done, &waited), 0);
        await(call->plane, &waited);
        ck_assert_int_eq(waited.result, 0);
        settle(call);
}

/* ---- the ratchet policy ---- */

START_TEST(timer_steps_once_an_expiry_however_late) {
        SessionConfig config = config_default();
        Call call;

        config.ratchet.interval_usec = 10 * USEC_PER_SEC;
        call_start(&call, &config);
        give_both(&call, 0, "key");
        for (uint32_t step = 1; step <= 3; step++) {
                ck_assert_int_eq(send_one(&call).verdict, FRAMEKEY_OK);
                pass(&call, 10 * USEC_PER_SEC);
                ck_assert_uint_eq(key_info(&call.sender, 0).step, step);
                ck_assert_uint_eq(last_event(&call.sender, SESSION_EVENT_RATCHETED)->step, step);
                ck_assert_uint_eq(send_one(&call).step, step);
        }
        /* A laptop that slept for a day is one step behind, and everybody can follow. */
        pass(&call, 24 * 3600 * USEC_PER_SEC - 1);
        ck_assert_uint_eq(key_info(&call.sender, 0).step, 4);
        ck_assert_uint_eq(send_one(&call).step, 4);
        pass(&call, 9 * USEC_PER_SEC);
        ck_assert_uint_eq(key_info(&call.sender, 0).step, 4);
        call_end(&call);
}
END_TEST

START_TEST(timer_leaves_alone_what_nobody_sent_under) {
        SessionConfig config = config_default();
        Call call;

        config.ratchet.interval_usec = 10 * USEC_PER_SEC;
        call_start(&call, &config);
        give_both(&call, 0, "key");
        for (unsigned i = 0; i < 20; i++)
                pass(&call, 10 * USEC_PER_SEC);
        ck_assert_uint_eq(key_info(&call.sender, 0).step, 0);
        ck_assert_int_eq(send_one(&call).verdict, FRAMEKEY_OK);
        pass(&call, 10 * USEC_PER_SEC);
        ck_assert_uint_eq(key_info(&call.sender, 0).step, 1);
        call_end(&call);
}
END_TEST

START_TEST(timer_asks_where_a_peer_could_not_follow) {
        SessionConfig config = config_default();
        uint32_t web, native;
        Call call;

        config.ratchet.interval_usec = 10 * USEC_PER_SEC;
        config.ratchet.only_if_followed = true;
        call_start(&call, &config);
        give_both(&call, 0, "key");
        ck_assert_int_eq(session_add_participant(call.sender.session, false, &native), 0);
        ck_assert_int_eq(session_set_follows_window(call.sender.session, native, true), 0);
        ck_assert_int_eq(session_add_participant(call.sender.session, false, &web), 0);
        ck_assert_int_eq(send_one(&call).verdict, FRAMEKEY_OK);
        pass(&call, 10 * USEC_PER_SEC);
        ck_assert_uint_eq(key_info(&call.sender, 0).step, 0);
        ck_assert_uint_eq(count_events(&call.sender, SESSION_EVENT_ROTATION_REQUESTED), 1);
        ck_assert_int_eq(last_event(&call.sender, SESSION_EVENT_ROTATION_REQUESTED)->reason, SESSION_REASON_TIMER);
        ck_assert_uint_eq(last_event(&call.sender, SESSION_EVENT_ROTATION_REQUESTED)->index, 1);

        ck_assert_int_eq(session_remove_participant(call.sender.session, web), 0);
        ck_assert_int_eq(send_one(&call).verdict, FRAMEKEY_OK);
        pass(&call, 10 * USEC_PER_SEC);
        ck_assert_uint_eq(key_info(&call.sender, 0).step, 1);
        call_end(&call);
}
END_TEST

START_TEST(sender_steps_after_so_many_frames_or_bytes) {
        SessionConfig config = config_default();
        Call call;

        config.ratchet.frames = 5;
        call_start(&call, &config);
        give_both(&call, 0, "key");
        for (uint32_t n = 0; n < 20; n++) {
                ck_assert_uint_eq(send_one(&call).step, n / 5);
                settle(&call);
        }
        call_end(&call);

        config.ratchet.frames = 0;
        config.ratchet.bytes = 10; /* two frames of 5 */
        call_start(&call, &config);
        give_both(&call, 0, "key");
        for (uint32_t n = 0; n < 6; n++) {
                ck_assert_uint_eq(send_one(&call).step, n / 2);
                settle(&call);
        }
        call_end(&call);
}
END_TEST

START_TEST(policy_can_be_changed_while_it_runs) {
        SessionConfig config = config_default();
        SessionInfo info;
        Call call;

        call_start(&call, &config);
        give_both(&call, 0, "key");
        session_info(call.sender.session, &info);
        ck_assert_uint_eq(info.next_ratchet_usec, USEC_INFINITY);
        session_set_ratchet(call.sender.session, &(RatchetPolicy){ .interval_usec = 10 * USEC_PER_SEC });
        session_info(call.sender.session, &info);
        ck_assert_uint_eq(info.next_ratchet_usec, test_now + 10 * USEC_PER_SEC);
        ck_assert_int_eq(send_one(&call).verdict, FRAMEKEY_OK);
        pass(&call, 4 * USEC_PER_SEC);
        session_set_ratchet(call.sender.session, &(RatchetPolicy){ .interval_usec = 3 * USEC_PER_SEC });
        settle(&call);
        ck_assert_uint_eq(key_info(&call.sender, 0).step, 1);
        call_end(&call);
}
END_TEST

/* ---- limits ---- */

START_TEST(use_limit_asks_then_steps_then_refuses) {
        SessionConfig config = config_default();
        Frame sealed;
        Call call;

        config.send_limit = 16;
        call_start(&call, &config);
        give_both(&call, 0, "key");
        for (unsigned n = 1; n <= 12; n++) {
                FrameResult result = seal_typed(&call, call.sender.audio, 0, &sealed);

                ck_assert_int_eq(result.verdict, FRAMEKEY_OK);
                ck_assert_uint_eq(result.flags & FRAMEKEY_RESULT_RATCHET_SOON,
                                  n >= 8 ? FRAMEKEY_RESULT_RATCHET_SOON : 0);
                settle(&call);
                ck_assert_uint_eq(count_events(&call.sender, SESSION_EVENT_ROTATION_REQUESTED), n >= 8);
        }
        ck_assert_int_eq(last_event(&call.sender, SESSION_EVENT_ROTATION_REQUESTED)->reason, SESSION_REASON_USE);
        ck_assert_uint_eq(key_info(&call.sender, 0).step, 1);

        /* The main thread has no time to step: then no frame too many goes out. */
        for (unsigned n = 0; n < 16; n++)
                (void)seal(&call);
        ck_assert_int_eq(seal_typed(&call, call.sender.audio, 0, &sealed).verdict, FRAMEKEY_VERDICT_LIMIT);
        settle(&call);
        ck_assert_int_eq(seal_typed(&call, call.sender.audio, 0, &sealed).verdict, FRAMEKEY_OK);
        call_end(&call);
}
END_TEST

START_TEST(key_is_refused_and_wiped_at_its_maximum_age) {
        SessionConfig config = config_default();
        Frame sealed;
        Call call;

        config.maximum_age_usec = 100 * USEC_PER_SEC;
        call_start(&call, &config);
        give_both(&call, 0, "key");
        pass(&call, 75 * USEC_PER_SEC);
        ck_assert_int_eq(last_event(&call.sender, SESSION_EVENT_ROTATION_REQUESTED)->reason, SESSION_REASON_AGE);
        ck_assert_uint_eq(last_event(&call.sender, SESSION_EVENT_ROTATION_REQUESTED)->usec,
                          test_now + 25 * USEC_PER_SEC);
        pass(&call, 15 * USEC_PER_SEC);
        ck_assert_uint_eq(last_event(&call.sender, SESSION_EVENT_EXPIRING)->usec, test_now + 10 * USEC_PER_SEC);
        ck_assert_int_eq(send_one(&call).verdict, FRAMEKEY_OK);
        clock_advance(10 * USEC_PER_SEC);
        ck_assert_int_eq(seal_typed(&call, call.sender.audio, 0, &sealed).verdict, FRAMEKEY_VERDICT_LIMIT);
        pass(&call, config.grace_usec);
        ck_assert_uint_eq(count_events(&call.sender, SESSION_EVENT_WIPED), 1);
        ck_assert_uint_eq(count_events(&call.receiver, SESSION_EVENT_WIPED), 1);
        ck_assert_int_eq(seal_typed(&call, call.sender.audio, 0, &sealed).verdict, FRAMEKEY_VERDICT_LIMIT);
        ck_assert_uint_eq(session_n_keys(call.sender.session) + session_n_keys(call.receiver.session), 0);
        /* The next key recovers it. */
        give_both(&call, 1, "fresh");
        ck_assert_int_eq(session_activate(call.sender.session, call.sender.participant, 1, NULL), 0);
        ck_assert_int_eq(send_one(&call).verdict, FRAMEKEY_OK);
        call_end(&call);
}
END_TEST

START_TEST(sender_that_slept_past_its_key_gets_another) {
        SessionConfig config = config_default();
        Frame sealed;
        Call call;

        config.maximum_age_usec = 100 * USEC_PER_SEC;
        call_start(&call, &config);
        give_both(&call, 0, "imported");
        pass(&call, 3600 * USEC_PER_SEC);
        ck_assert_int_eq(last_event(&call.sender, SESSION_EVENT_ROTATION_REQUESTED)->reason, SESSION_REASON_AGE);
        ck_assert_uint_eq(count_events(&call.sender, SESSION_EVENT_WIPED), 1);
        call_end(&call);

        call_start(&call, &config);
        generate(&call, &call.sender, 0);
        pass(&call, 3600 * USEC_PER_SEC);
        ck_assert_uint_eq(last_event(&call.sender, SESSION_EVENT_INSTALLED)->index, 1);
        pass(&call, config.activate_after_usec);
        ck_assert_int_eq(seal_typed(&call, call.sender.audio, 0, &sealed).verdict, FRAMEKEY_OK);
        call_end(&call);
}
END_TEST

START_TEST(key_somebody_guesses_at_is_given_up) {
        SessionConfig config = config_default();
        Frame sealed;
        Call call;

        config.failure_limit = 5;
        call_start(&call, &config);
        give_both(&call, 0, "key");
        for (unsigned n = 0; n < 5; n++) {
                sealed = seal(&call);
                sealed.bytes[2] ^= 1;
                ck_assert_int_eq(open_now(&call, &sealed).verdict, FRAMEKEY_VERDICT_FORGED);
        }
        settle(&call);
        ck_assert_int_eq(last_event(&call.receiver, SESSION_EVENT_ROTATION_REQUESTED)->reason,
                         SESSION_REASON_FORGERIES);
        ck_assert_int_eq(send_one(&call).verdict, FRAMEKEY_VERDICT_TOO_OLD);
        call_end(&call);
}
END_TEST

/* ---- changing the key ---- */

START_TEST(next_key_is_used_after_its_delay_and_the_old_one_dies) {
        SessionConfig config = config_default();
        Frame late;
        Call call;

        call_start(&call, &config);
        give_both(&call, 0, "old");
        ck_assert_int_eq(send_one(&call).key_index, 0);
        give_both(&call, 1, "new");
        ck_assert_int_eq(session_activate(call.sender.session, call.sender.participant, 1,
                                          &(SessionActivation){ .after_usec = USEC_PER_SEC }),
                         0);
        ck_assert_uint_eq(key_info(&call.sender, 1).activates_usec, test_now + USEC_PER_SEC);
        ck_assert_int_eq(send_one(&call).key_index, 0);
        late = seal(&call);
        pass(&call, USEC_PER_SEC);
        ck_assert_uint_eq(last_event(&call.sender, SESSION_EVENT_ACTIVATED)->index, 1);
        ck_assert_int_eq(send_one(&call).key_index, 1);
        settle(&call);
        ck_assert_int_eq(open_now(&call, &late).verdict, FRAMEKEY_OK);
        late = (Frame){ .len = 0 };
        pass(&call, config.grace_usec);
        ck_assert_uint_eq(session_n_keys(call.sender.session), 1);
        ck_assert_uint_eq(session_n_keys(call.receiver.session), 1);
        ck_assert_uint_eq(last_event(&call.receiver, SESSION_EVENT_WIPED)->index, 0);
        call_end(&call);
}
END_TEST

START_TEST(frames_under_a_superseded_key_are_too_old) {
        SessionConfig config = config_default();
        Frame late;
        Call call;

        call_start(&call, &config);
        give_both(&call, 0, "old");
        late = seal(&call);
        give_both(&call, 1, "new");
        ck_assert_int_eq(session_activate(call.sender.session, call.sender.participant, 1, NULL), 0);
        ck_assert_int_eq(send_one(&call).verdict, FRAMEKEY_OK);
        settle(&call);
        pass(&call, config.grace_usec);
        ck_assert_int_eq(open_now(&call, &late).verdict, FRAMEKEY_VERDICT_TOO_OLD);
        call_end(&call);
}
END_TEST

START_TEST(key_that_nobody_has_used_yet_supersedes_none) {
        SessionConfig config = config_default();
        Call call;

        call_start(&call, &config);
        give_both(&call, 1, "first");
        ck_assert_int_eq(send_one(&call).verdict, FRAMEKEY_OK);
        give_both(&call, 0, "second");
        /* The ring has come round: the newest key lies where the last good frame's was. */
        give(&call, &call.receiver, 1, "third");
        pass(&call, 10 * config.grace_usec);
        ck_assert_uint_eq(session_n_keys(call.receiver.session), 2);
        ck_assert_int_eq(session_activate(call.sender.session, call.sender.participant, 0, NULL), 0);
        ck_assert_int_eq(send_one(&call).verdict, FRAMEKEY_OK);
        call_end(&call);
}
END_TEST

START_TEST(superseded_key_lives_while_it_is_used_but_not_for_ever) {
        SessionConfig config = config_default();
        Frame late[40];
        Call call;

        call_start(&call, &config);
        give_both(&call, 0, "old");
        for (unsigned i = 0; i < 40; i++)
                late[i] = seal(&call);
        give_both(&call, 1, "new");
        ck_assert_int_eq(session_activate(call.sender.session, call.sender.participant, 1, NULL), 0);
        ck_assert_int_eq(send_one(&call).verdict, FRAMEKEY_OK);
        settle(&call);
        for (unsigned i = 0; i < 29; i++) {
                ck_assert_int_eq(open_now(&call, &late[i]).verdict, FRAMEKEY_OK);
                pass(&call, USEC_PER_SEC);
        }
        pass(&call, USEC_PER_SEC);
        ck_assert_int_eq(open_now(&call, &late[30]).verdict, FRAMEKEY_VERDICT_TOO_OLD);
        call_end(&call);
}
END_TEST

START_TEST(streams_change_their_key_at_their_next_key_frame) {
        SessionConfig config = config_default();
        FrameResult result;
        Frame sealed;
        Call call;

        call_start(&call, &config);
        give_both(&call, 0, "old");
        give_both(&call, 1, "new");
        ck_assert_int_eq(seal_typed(&call, call.sender.video, FRAMEKEY_FRAME_KEY, &sealed).key_index, 0);
        ck_assert_int_eq(session_activate(call.sender.session, call.sender.participant, 1,
                                          &(SessionActivation){ .at_key_frame = true }),
                         0);
        settle(&call);
        ck_assert_int_eq(seal_typed(&call, call.sender.audio, 0, &sealed).key_index, 1);
        result = seal_typed(&call, call.sender.video, FRAMEKEY_FRAME_DELTA, &sealed);
        ck_assert_int_eq(result.key_index, 0);
        ck_assert_uint_ne(result.flags & FRAMEKEY_RESULT_KEYFRAME_WANTED, 0);
        settle(&call);
        ck_assert_uint_eq(count_events(&call.sender, SESSION_EVENT_ACTIVATED), 0);
        result = seal_typed(&call, call.sender.video, FRAMEKEY_FRAME_KEY, &sealed);
        ck_assert_int_eq(result.key_index, 1);
        ck_assert_uint_eq(result.flags & FRAMEKEY_RESULT_KEYFRAME_WANTED, 0);
        ck_assert_int_eq(seal_typed(&call, call.sender.video, FRAMEKEY_FRAME_DELTA, &sealed).key_index, 1);
        settle(&call);
        ck_assert_uint_eq(count_events(&call.sender, SESSION_EVENT_ACTIVATED), 1);
        call_end(&call);

        /* An encoder that makes no key frame does not hold up the change for ever. */
        call_start(&call, &config);
        give_both(&call, 0, "old");
        give_both(&call, 1, "new");
        ck_assert_int_eq(session_activate(call.sender.session, call.sender.participant, 1,
                                          &(SessionActivation){ .at_key_frame = true }),
                         0);
        settle(&call);
        pass(&call, SESSION_KEY_FRAME_WAIT_USEC);
        ck_assert_int_eq(seal_typed(&call, call.sender.video, FRAMEKEY_FRAME_DELTA, &sealed).key_index, 1);
        call_end(&call);
}
END_TEST

START_TEST(change_planned_while_another_is_under_way_is_made_too) {
        SessionConfig config = config_default();
        const SessionActivation at_key_frame = { .after_usec = USEC_PER_SEC, .at_key_frame = true };
        Frame sealed;
        Call call;

        call_start(&call, &config);
        for (uint32_t index = 0; index < 3; index++)
                give(&call, &call.sender, index, "key");
        (void)seal_typed(&call, call.sender.video, FRAMEKEY_FRAME_KEY, &sealed);
        ck_assert_int_eq(session_activate(call.sender.session, call.sender.participant, 1, &at_key_frame), 0);
        pass(&call, USEC_PER_SEC);
        pass(&call, SESSION_KEY_FRAME_WAIT_USEC - USEC_PER_MSEC);
        ck_assert_int_eq(session_activate(call.sender.session, call.sender.participant, 2, &at_key_frame), 0);
        pass(&call, USEC_PER_MSEC); /* the first change ends for want of a key frame */
        ck_assert_int_eq(seal_typed(&call, call.sender.video, FRAMEKEY_FRAME_DELTA, &sealed).key_index, 1);
        pass(&call, USEC_PER_SEC);
        ck_assert_int_eq(seal_typed(&call, call.sender.video, FRAMEKEY_FRAME_DELTA, &sealed).key_index, 1);
        ck_assert_int_eq(seal_typed(&call, call.sender.video, FRAMEKEY_FRAME_KEY, &sealed).key_index, 2);
        call_end(&call);
}
END_TEST

START_TEST(change_that_is_due_does_not_wait_for_the_main_thread) {
        SessionConfig config = config_default();
        Frame sealed;
        Call call;

        call_start(&call, &config);
        give(&call, &call.sender, 0, "old");
        give(&call, &call.sender, 1, "new");
        ck_assert_int_eq(session_activate(call.sender.session, call.sender.participant, 1,
                                          &(SessionActivation){ .after_usec = USEC_PER_SEC }),
                         0);
        settle(&call);
        clock_advance(3600 * USEC_PER_SEC); /* asleep */
        ck_assert_int_eq(seal_typed(&call, call.sender.audio, 0, &sealed).key_index, 1);
        call_end(&call);
}
END_TEST

START_TEST(new_key_wants_a_key_frame_and_a_step_does_not) {
        SessionConfig config = config_default();
        FrameResult result;
        Frame sealed;
        Call call;

        call_start(&call, &config);
        give_both(&call, 0, "old");
        (void)seal_typed(&call, call.sender.video, FRAMEKEY_FRAME_DELTA, &sealed);
        ratchet(call.plane, call.sender.session, call.sender.participant, 1);
        result = seal_typed(&call, call.sender.video, FRAMEKEY_FRAME_DELTA, &sealed);
        ck_assert_uint_eq(result.flags & (FRAMEKEY_RESULT_NEW_KEY | FRAMEKEY_RESULT_KEYFRAME_WANTED),
                          FRAMEKEY_RESULT_NEW_KEY);
        give_both(&call, 1, "new");
        ck_assert_int_eq(session_activate(call.sender.session, call.sender.participant, 1, NULL), 0);
        result = seal_typed(&call, call.sender.video, FRAMEKEY_FRAME_DELTA, &sealed);
        ck_assert_uint_ne(result.flags & FRAMEKEY_RESULT_KEYFRAME_WANTED, 0);
        call_end(&call);
}
END_TEST

/* ---- rotation ---- */

static SessionRotation rotate(Call *call, Side *side) {
        SessionRotation rotation;

        ck_assert_int_eq(session_rotate(side->session, SESSION_SENDERS, SESSION_REASON_REQUEST, &rotation), 0);
        settle(call);
        return rotation;
}

START_TEST(rotation_of_a_key_made_here_is_announced_before_it_is_used) {
        SessionConfig config = config_default();
        const SessionEvent *installed;
        Call call;

        call_start(&call, &config);
        generate(&call, &call.sender, 15);
        ck_assert_uint_eq(rotate(&call, &call.sender).n_rotated, 1);
        installed = last_event(&call.sender, SESSION_EVENT_INSTALLED);
        ck_assert_uint_eq(installed->index, 0); /* after 15 comes 0 */
        ck_assert_uint_eq(installed->usec, test_now + config.activate_after_usec);
        ck_assert_uint_eq(key_info(&call.sender, 15).active, true);
        pass(&call, config.activate_after_usec);
        ck_assert_uint_eq(key_info(&call.sender, 0).active, true);
        pass(&call, config.grace_usec);
        ck_assert_uint_eq(session_n_keys(call.sender.session), 1);
        call_end(&call);
}
END_TEST

START_TEST(rotation_of_an_imported_key_is_asked_for) {
        SessionConfig config = config_default();
        SessionRotation rotation;
        Call call;

        call_start(&call, &config);
        give_both(&call, 3, "key");
        rotation = rotate(&call, &call.sender);
        ck_assert_uint_eq(rotation.n_rotated, 0);
        ck_assert_uint_eq(rotation.n_requested, 1);
        ck_assert_uint_eq(last_event(&call.sender, SESSION_EVENT_ROTATION_REQUESTED)->index, 4);
        ck_assert_int_eq(
                session_rotate(call.receiver.session, call.receiver.participant, SESSION_REASON_REQUEST, &rotation),
                SESSION_WRONG_ROLE);
        call_end(&call);
}
END_TEST

START_TEST(rotation_by_hand_waits_for_the_hand) {
        SessionConfig config = config_default();
        Call call;

        config.activate_by_hand = true;
        call_start(&call, &config);
        generate(&call, &call.sender, 0);
        (void)rotate(&call, &call.sender);
        pass(&call, 3600 * USEC_PER_SEC);
        ck_assert_uint_eq(key_info(&call.sender, 0).active, true);
        ck_assert_int_eq(session_activate(call.sender.session, call.sender.participant, 1, NULL), 0);
        ck_assert_uint_eq(key_info(&call.sender, 1).active, true);
        call_end(&call);
}
END_TEST

START_TEST(storm_of_leaves_costs_one_rotation_in_its_time) {
        SessionConfig config = config_default();
        uint64_t first, when;
        Call call;

        call_start(&call, &config);
        generate(&call, &call.sender, 0);
        first = test_now;
        ck_assert_uint_eq(session_left(call.sender.session), first);
        settle(&call);
        ck_assert_uint_eq(count_events(&call.sender, SESSION_EVENT_INSTALLED), 1);
        for (unsigned i = 0; i < 100; i++) {
                when = session_left(call.sender.session);
                ck_assert_uint_eq(when, first + config.coalesce_usec);
                pass(&call, 10 * USEC_PER_MSEC);
        }
        ck_assert_uint_eq(count_events(&call.sender, SESSION_EVENT_INSTALLED), 1);
        pass(&call, config.coalesce_usec);
        ck_assert_uint_eq(count_events(&call.sender, SESSION_EVENT_INSTALLED), 2);
        pass(&call, 60 * USEC_PER_SEC);
        ck_assert_uint_eq(count_events(&call.sender, SESSION_EVENT_INSTALLED), 2);
        call_end(&call);
}
END_TEST

START_TEST(join_steps_what_can_be_handed_out_and_was_used) {
        SessionConfig config = config_default();
        Frame sealed;
        Call call;

        call_start(&call, &config);
        generate(&call, &call.sender, 0);
        (void)session_joined(call.sender.session, false);
        settle(&call);
        ck_assert_uint_eq(key_info(&call.sender, 0).step, 0);
        ck_assert_int_eq(seal_typed(&call, call.sender.audio, 0, &sealed).verdict, FRAMEKEY_OK);
        (void)session_joined(call.sender.session, false);
        settle(&call);
        pass(&call, config.coalesce_usec);
        ck_assert_uint_eq(key_info(&call.sender, 0).step, 1);
        call_end(&call);

        call_start(&call, &config);
        give_both(&call, 0, "imported");
        ck_assert_int_eq(send_one(&call).verdict, FRAMEKEY_OK);
        (void)session_joined(call.sender.session, false);
        settle(&call);
        ck_assert_uint_eq(key_info(&call.sender, 0).step, 0);
        ck_assert_uint_eq(count_events(&call.sender, SESSION_EVENT_ROTATION_REQUESTED), 0);
        (void)session_joined(call.sender.session, true);
        pass(&call, config.coalesce_usec);
        ck_assert_int_eq(last_event(&call.sender, SESSION_EVENT_ROTATION_REQUESTED)->reason, SESSION_REASON_JOINED);
        call_end(&call);
}
END_TEST

START_TEST(key_that_another_daemon_made_arrives_wrapped) {
        SessionConfig config = config_default();
        uint8_t package[1024];
        Waited waited = { false };
        Frame before;
        uint32_t index;
        Call call;
        size_t len;

        call_start(&call, &config);
        generate(&call, &call.sender, 5);
        before = seal(&call);
        ratchet(call.plane, call.sender.session, call.sender.participant, 1);
        ck_assert_int_eq(session_export(call.sender.session, call.sender.participant, SESSION_ACTIVE, "anna",
                                        plane_transport_key(call.plane), package, &len),
                         0);
        ck_assert_int_eq(session_import_wrapped(call.receiver.session, call.receiver.participant, SESSION_ACTIVE,
                                                "bert", package, len, &index, waited_done, &waited),
                         SESSION_FORGED);
        ck_assert_int_eq(session_import_wrapped(call.receiver.session, call.receiver.participant, SESSION_ACTIVE,
                                                "anna", package, len, &index, waited_done, &waited),
                         0);
        await(call.plane, &waited);
        settle(&call);
        ck_assert_int_eq(waited.result, 0);
        ck_assert_uint_eq(index, 5);
        ck_assert_uint_eq(waited.step, 1);
        ck_assert_uint_eq(send_one(&call).step, 1);
        /* What was said before is not for the newcomer. */
        ck_assert_int_eq(open_now(&call, &before).verdict, FRAMEKEY_VERDICT_FORGED);
        ratchet(call.plane, call.sender.session, call.sender.participant, 2);
        ck_assert_uint_eq(send_one(&call).step, 2);
        /* The same package again would put the receiver back. */
        ck_assert_int_eq(session_import_wrapped(call.receiver.session, call.receiver.participant, SESSION_ACTIVE,
                                                "anna", package, len, &index, waited_done, &waited),
                         SESSION_FORGED);
        ck_assert_uint_eq(send_one(&call).step, 2);
        /* A key is for sending or for receiving. */
        ck_assert_int_eq(session_import_wrapped(call.sender.session, call.sender.participant, SESSION_ACTIVE, "anna",
                                                package, len, &index, waited_done, &waited),
                         SESSION_WRONG_ROLE);
        call_end(&call);
}
END_TEST

/* ---- receiving in step ---- */

START_TEST(flood_of_bogus_frames_cannot_hide_a_step) {
        SessionConfig config = config_default();
        Frame bogus;
        Call call;

        call_start(&call, &config);
        give_both(&call, 0, "key");
        bogus = seal(&call);
        bogus.bytes[2] ^= 1;
        for (unsigned i = 0; i < 20000 && open_now(&call, &bogus).verdict != FRAMEKEY_VERDICT_BUDGET; i++)
                ;
        for (uint32_t step = 1; step <= 5; step++) {
                ratchet(call.plane, call.sender.session, call.sender.participant, step);
                for (unsigned i = 0; i < 1000; i++)
                        ck_assert_int_ne(open_now(&call, &bogus).verdict, FRAMEKEY_OK);
                ck_assert_uint_eq(send_one(&call).step, step);
                settle(&call);
        }
        call_end(&call);
}
END_TEST

START_TEST(frames_of_a_dead_step_are_too_old_where_that_can_be_told) {
        SessionConfig config = config_default();
        Frame accepted, late, forged;
        uint32_t before;
        Call call;

        call_start(&call, &config);
        give_both(&call, 0, "key");
        accepted = seal(&call);
        ck_assert_int_eq(open_now(&call, &accepted).verdict, FRAMEKEY_OK);
        late = seal(&call);
        before = call.timestamp;
        ratchet(call.plane, call.sender.session, call.sender.participant, 1);
        ck_assert_uint_eq(send_one(&call).step, 1);
        settle(&call);
        pass(&call, config.grace_usec);
        ck_assert_int_eq(open_at(&call, &late, before).verdict, FRAMEKEY_VERDICT_TOO_OLD);
        ck_assert_int_eq(open_at(&call, &accepted, call.timestamp).verdict, FRAMEKEY_VERDICT_TOO_OLD);
        forged = seal(&call);
        forged.bytes[2] ^= 1;
        ck_assert_int_eq(open_now(&call, &forged).verdict, FRAMEKEY_VERDICT_FORGED);
        call_end(&call);
}
END_TEST

/* A sender whose app was started again stands at the first step again. */
static void restart_sender(Call *call) {
        ck_assert_int_eq(session_retire(call->sender.session, call->sender.participant, 0), 0);
        give(call, &call->sender, 0, "key");
}

START_TEST(sender_that_starts_again_is_wrong_key_unless_the_root_is_retained) {
        SessionConfig config = config_default();
        Call call;

        for (int retain = 0; retain <= 1; retain++) {
                config.retain_root = retain;
                call_start(&call, &config);
                give_both(&call, 0, "key");
                ck_assert_int_eq(send_one(&call).verdict, FRAMEKEY_OK);
                for (uint32_t step = 1; step <= 40; step++) {
                        ratchet(call.plane, call.sender.session, call.sender.participant, step);
                        ck_assert_uint_eq(send_one(&call).step, step);
                        settle(&call);
                }
                pass(&call, 3600 * USEC_PER_SEC);
                call.timestamp = 1u << 30;
                restart_sender(&call);
                ck_assert_int_eq(send_one(&call).verdict, retain ? FRAMEKEY_OK : FRAMEKEY_VERDICT_FORGED);
                if (!retain) { /* until the app imports again */
                        give(&call, &call.receiver, 0, "key");
                        ck_assert_int_eq(send_one(&call).verdict, FRAMEKEY_OK);
                }
                for (uint32_t step = 1; step <= 50; step++) {
                        ratchet(call.plane, call.sender.session, call.sender.participant, step);
                        ck_assert_uint_eq(send_one(&call).step, step);
                        settle(&call);
                        clock_advance(USEC_PER_SEC);
                }
                call_end(&call);
        }
}
END_TEST

START_TEST(each_step_that_died_is_told_by_its_own_number) {
        SessionConfig config = config_default();
        Call call;

        call_start(&call, &config);
        give_both(&call, 0, "key");
        for (uint32_t step = 1; step <= 2; step++) {
                ratchet(call.plane, call.sender.session, call.sender.participant, step);
                ck_assert_uint_eq(send_one(&call).step, step);
                settle(&call);
                pass(&call, config.grace_usec / 2);
        }
        ck_assert_uint_eq(count_events(&call.receiver, SESSION_EVENT_WIPED), 1);
        ck_assert_uint_eq(last_event(&call.receiver, SESSION_EVENT_WIPED)->step, 0);
        pass(&call, config.grace_usec / 2);
        ck_assert_uint_eq(last_event(&call.receiver, SESSION_EVENT_WIPED)->step, 1);
        call_end(&call);
}
END_TEST

START_TEST(everybody_followed_is_told_once_for_each_change) {
        SessionConfig config = config_default();
        SessionInfo info;
        Call call;

        call_start(&call, &config);
        give_both(&call, 0, "key");
        ck_assert_uint_eq(count_events(&call.receiver, SESSION_EVENT_ALL_FOLLOWED), 0);
        ck_assert_int_eq(send_one(&call).verdict, FRAMEKEY_OK);
        settle(&call);
        ck_assert_uint_eq(count_events(&call.receiver, SESSION_EVENT_ALL_FOLLOWED), 1);
        give_both(&call, 1, "new");
        ck_assert_int_eq(send_one(&call).verdict, FRAMEKEY_OK);
        settle(&call);
        session_info(call.receiver.session, &info);
        ck_assert(!info.followed);
        ck_assert_int_eq(session_activate(call.sender.session, call.sender.participant, 1, NULL), 0);
        ck_assert_int_eq(send_one(&call).verdict, FRAMEKEY_OK);
        settle(&call);
        ck_assert_uint_eq(count_events(&call.receiver, SESSION_EVENT_ALL_FOLLOWED), 2);
        call_end(&call);
}
END_TEST

/* ---- how streams fare ---- */

START_TEST(stalled_stream_is_told_once_and_so_is_its_recovery) {
        SessionConfig config = config_default();
        const SessionEvent *stalled;
        Call call;

        call_start(&call, &config);
        give(&call, &call.sender, 3, "key");
        for (unsigned i = 0; i < 9; i++)
                ck_assert_int_eq(send_one(&call).verdict, FRAMEKEY_VERDICT_UNKNOWN_KEY);
        settle(&call);
        ck_assert_uint_eq(count_events(&call.receiver, SESSION_EVENT_STALLED), 0);
        for (unsigned i = 0; i < 1000; i++)
                (void)send_one(&call);
        settle(&call);
        ck_assert_uint_eq(count_events(&call.receiver, SESSION_EVENT_STALLED), 1);
        stalled = last_event(&call.receiver, SESSION_EVENT_STALLED);
        ck_assert_int_eq(stalled->state, SESSION_STREAM_MISSING_KEY);
        ck_assert_uint_eq(stalled->index, 3);
        ck_assert_ptr_eq(stalled->channel, &channel);
        ck_assert_uint_eq(stalled->stream, 0);

        clock_advance(2 * USEC_PER_SEC);
        give(&call, &call.receiver, 3, "key");
        ck_assert_int_eq(send_one(&call).verdict, FRAMEKEY_OK);
        settle(&call);
        ck_assert_uint_eq(count_events(&call.receiver, SESSION_EVENT_RESUMED), 1);
        ck_assert_uint_eq(last_event(&call.receiver, SESSION_EVENT_RESUMED)->frames, 1009);
        call_end(&call);
}
END_TEST

START_TEST(stream_that_comes_and_goes_is_told_at_most_once_a_second) {
        SessionConfig config = config_default();
        const Frame clear = { .bytes = "not encrypted at all, and so long that it could be", .len = 50 };
        SessionInfo info;
        Call call;

        call_start(&call, &config);
        give_both(&call, 0, "key");
        for (unsigned i = 0; i < 200; i++) {
                for (unsigned k = 0; k < 12; k++)
                        ck_assert_int_eq(open_now(&call, &clear).verdict, FRAMEKEY_VERDICT_MALFORMED);
                settle(&call);
                ck_assert_int_eq(send_one(&call).verdict, FRAMEKEY_OK);
                pass(&call, 10 * USEC_PER_MSEC);
        }
        ck_assert_uint_le(count_events(&call.receiver, SESSION_EVENT_STALLED) +
                                  count_events(&call.receiver, SESSION_EVENT_RESUMED),
                          3);
        ck_assert_uint_eq(count_events(&call.receiver, SESSION_EVENT_UNENCRYPTED),
                          count_events(&call.receiver, SESSION_EVENT_STALLED));
        session_info(call.receiver.session, &info);
        ck_assert(info.fully_protected);
        (void)open_now(&call, &clear);
        session_info(call.receiver.session, &info);
        ck_assert(!info.fully_protected);
        call_end(&call);
}
END_TEST

START_TEST(streams_of_one_participant_fare_apart) {
        SessionConfig config = config_default();
        SessionParticipantInfo info;
        FrameGrantInfo audio, video;
        Frame sealed, plain;
        Call call;

        call_start(&call, &config);
        give_both(&call, 0, "key");
        ck_assert_int_eq(send_one(&call).verdict, FRAMEKEY_OK);
        (void)seal_typed(&call, call.sender.video, FRAMEKEY_FRAME_KEY, &sealed);
        sealed.bytes[3] ^= 1;
        (void)run(call.receiver.video, call.receiver.session, &sealed, FRAMEKEY_FRAME_KEY, call.timestamp, &plain);
        frame_grant_info(call.receiver.audio, test_now, &audio);
        frame_grant_info(call.receiver.video, test_now, &video);
        ck_assert_int_eq(audio.state, SESSION_STREAM_OK);
        ck_assert_int_eq(video.state, SESSION_STREAM_WRONG_KEY);
        ck_assert_int_eq(session_participant_info(call.receiver.session, call.receiver.participant, &info), 0);
        ck_assert_int_eq(info.state, SESSION_STREAM_WRONG_KEY);
        clock_advance(10 * USEC_PER_SEC);
        frame_grant_info(call.receiver.video, test_now, &video);
        ck_assert_int_eq(video.state, SESSION_STREAM_IDLE);
        call_end(&call);
}
END_TEST

RUN_TESTS("life", timer_steps_once_an_expiry_however_late, timer_leaves_alone_what_nobody_sent_under,
          timer_asks_where_a_peer_could_not_follow, sender_steps_after_so_many_frames_or_bytes,
          policy_can_be_changed_while_it_runs, use_limit_asks_then_steps_then_refuses,
          key_is_refused_and_wiped_at_its_maximum_age, key_somebody_guesses_at_is_given_up,
          sender_that_slept_past_its_key_gets_another, next_key_is_used_after_its_delay_and_the_old_one_dies,
          frames_under_a_superseded_key_are_too_old, key_that_nobody_has_used_yet_supersedes_none,
          superseded_key_lives_while_it_is_used_but_not_for_ever, streams_change_their_key_at_their_next_key_frame,
          change_planned_while_another_is_under_way_is_made_too, change_that_is_due_does_not_wait_for_the_main_thread,
          new_key_wants_a_key_frame_and_a_step_does_not, rotation_of_a_key_made_here_is_announced_before_it_is_used,
          rotation_of_an_imported_key_is_asked_for, rotation_by_hand_waits_for_the_hand,
          storm_of_leaves_costs_one_rotation_in_its_time, join_steps_what_can_be_handed_out_and_was_used,
          key_that_another_daemon_made_arrives_wrapped, flood_of_bogus_frames_cannot_hide_a_step,
          frames_of_a_dead_step_are_too_old_where_that_can_be_told,
          sender_that_starts_again_is_wrong_key_unless_the_root_is_retained,
          each_step_that_died_is_told_by_its_own_number, everybody_followed_is_told_once_for_each_change,
          stalled_stream_is_told_once_and_so_is_its_recovery, stream_that_comes_and_goes_is_told_at_most_once_a_second,
          streams_of_one_participant_fare_apart)
