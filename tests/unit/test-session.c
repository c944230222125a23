/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The key plane as one call sees it: keys come, step, are followed and go, and frames tell. */
#include "keyplane-fixture.h"
#include "runner.h"

#include <dirent.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>

/* A sender's daemon and a receiver's, both in this process, with the same shared passphrase. */
typedef struct Call {
        Plane *plane;
        Session *sender, *receiver;
        uint32_t me, peer;
        FrameGrant *out, *in;
        SessionEvent last_event;
        unsigned n_events;
} Call;

static const int channel_a, channel_b, channel_c;

static void on_event(Session *session, const SessionEvent *event, void *userdata) {
        Call *call = userdata;

        if (event->type == SESSION_EVENT_ALL_FOLLOWED)
                return;
        call->last_event = *event;
        call->n_events++;
}

static SessionConfig config_for(uint32_t window) {
        SessionConfig config;

        preset_session_config(preset_find("livekit"), &config);
        config.ratchet_window = window;
        return config;
}

static void call_start(Call *call, uint32_t window) {
        SessionConfig config = config_for(window);

        *call = (Call){ .plane = plane_start() };
        ck_assert_int_eq(session_new(&call->sender, call->plane, &config, NULL, NULL), 0);
        ck_assert_int_eq(session_new(&call->receiver, call->plane, &config, on_event, call), 0);
        ck_assert_int_eq(session_add_participant(call->sender, true, &call->me), 0);
        ck_assert_int_eq(session_add_participant(call->receiver, false, &call->peer), 0);
        ck_assert_int_eq(frame_grant_new(&call->out, call->sender, &channel_a, 0, call->me, FRAMEKEY_ENCRYPT,
                                         FRAMEKEY_MEDIA_AUDIO),
                         0);
        ck_assert_int_eq(frame_grant_new(&call->in, call->receiver, &channel_a, 0, call->peer, FRAMEKEY_DECRYPT,
                                         FRAMEKEY_MEDIA_AUDIO),
                         0);
}

static void call_import(Call *call) {
        import(call->plane, call->sender, SESSION_SHARED, 0, "a passphrase", 0);
        import(call->plane, call->receiver, SESSION_SHARED, 0, "a passphrase", 0);
        settle_look_ahead(call->plane);
}

static void call_end(Call *call) {
        frame_grant_free(call->out);
        frame_grant_free(call->in);
        session_free(call->sender);
        session_free(call->receiver);
        plane_free(call->plane);
}

static Frame seal(Call *call, const char *text) {
        Frame plain = { .len = strlen(text) }, sealed;

        memcpy(plain.bytes, text, plain.len);
        ck_assert_int_eq(process(call->out, call->sender, &plain, 1, &sealed).verdict, FRAMEKEY_OK);
        return sealed;
}

static int open_frame(Call *call, const Frame *sealed) {
        Frame plain;

        return process(call->in, call->receiver, sealed, 1, &plain).verdict;
}

static void follow(Call *call, uint32_t step) {
        Frame sealed = seal(call, "step");
        Frame plain;
        FrameResult r = process(call->in, call->receiver, &sealed, 1, &plain);

        ck_assert_int_eq(r.verdict, FRAMEKEY_OK);
        ck_assert_uint_eq(r.step, step);
        settle_look_ahead(call->plane);
}

START_TEST(frame_passes_between_two_daemons_unchanged) {
        Call call;
        Frame sealed, plain;
        FrameResult r;

        call_start(&call, 8);
        call_import(&call);
        sealed = seal(&call, "hello");
        ck_assert_uint_eq(sealed.len, 5 + 30);
        ck_assert_int_eq(sealed.bytes[0], 'h');
        ck_assert_mem_ne(sealed.bytes, "hello", 5);
        r = process(call.in, call.receiver, &sealed, 1, &plain);
        ck_assert_int_eq(r.verdict, FRAMEKEY_OK);
        ck_assert_uint_eq(plain.len, 5);
        ck_assert_mem_eq(plain.bytes, "hello", 5);
        ck_assert_uint_eq(r.flags & FRAMEKEY_RESULT_NEW_KEY, FRAMEKEY_RESULT_NEW_KEY);
        call_end(&call);
}
END_TEST

START_TEST(no_key_means_no_frame_out_and_none_in) {
        Call call;
        Frame plain = { .bytes = "hello", .len = 5 }, out;

        call_start(&call, 8);
        ck_assert_int_eq(process(call.out, call.sender, &plain, 1, &out).verdict, FRAMEKEY_VERDICT_UNKNOWN_KEY);
        ck_assert_uint_eq(out.len, 0);
        import(call.plane, call.sender, SESSION_SHARED, 0, "a passphrase", 0);
        out = seal(&call, "hello");
        ck_assert_int_eq(open_frame(&call, &out), FRAMEKEY_VERDICT_UNKNOWN_KEY);
        call_end(&call);
}
END_TEST

START_TEST(empty_frame_needs_no_key) {
        Call call;
        Frame empty = { .len = 0 }, out;

        call_start(&call, 8);
        ck_assert_int_eq(process(call.out, call.sender, &empty, 0, &out).verdict, FRAMEKEY_VERDICT_EMPTY);
        ck_assert_int_eq(process(call.in, call.receiver, &empty, 0, &out).verdict, FRAMEKEY_VERDICT_EMPTY);
        call_end(&call);
}
END_TEST

START_TEST(every_flipped_bit_and_every_truncation_is_refused_by_name) {
        Call call;
        Frame sealed, bent;

        call_start(&call, 2);
        call_import(&call);
        sealed = seal(&call, "hello world");
        for (size_t bit = 0; bit < sealed.len * 8; bit++) {
                int verdict;

                clock_advance(USEC_PER_SEC); /* trials are rationed */
                bent = sealed;
                bent.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
                verdict = open_frame(&call, &bent);
                ck_assert_msg(verdict == FRAMEKEY_VERDICT_FORGED || verdict == FRAMEKEY_VERDICT_MALFORMED ||
                                      verdict == FRAMEKEY_VERDICT_UNKNOWN_KEY,
                              "bit %zu: %d", bit, verdict);
        }
        for (size_t len = 1; len < sealed.len; len++) {
                clock_advance(USEC_PER_SEC);
                bent = sealed;
                bent.len = len;
                ck_assert_int_gt(open_frame(&call, &bent), FRAMEKEY_VERDICT_SERVER_INJECTED);
        }
        ck_assert_int_eq(open_frame(&call, &sealed), FRAMEKEY_OK);
        call_end(&call);
}
END_TEST

START_TEST(bogus_frames_never_latch_and_change_no_step) {
        Call call;
        Frame sealed, bogus;

        call_start(&call, 8);
        call_import(&call);
        bogus = seal(&call, "bogus");
        bogus.bytes[3] ^= 1;
        for (int i = 0; i < 1000; i++)
                ck_assert_int_gt(open_frame(&call, &bogus), 0);
        sealed = seal(&call, "good");
        ck_assert_int_eq(open_frame(&call, &sealed), FRAMEKEY_OK);
        ck_assert_uint_eq(call.n_events, 0);
        call_end(&call);
}
END_TEST

START_TEST(trials_are_rationed_and_come_back) {
        Call call;
        Frame bogus;
        int verdict = 0;
        unsigned n = 0;

        call_start(&call, 8);
        call_import(&call);
        bogus = seal(&call, "bogus");
        bogus.bytes[3] ^= 1;
        while (n < 100000 && (verdict = open_frame(&call, &bogus)) == FRAMEKEY_VERDICT_FORGED)
                n++;
        ck_assert_int_eq(verdict, FRAMEKEY_VERDICT_BUDGET);
        /* 1 s at 5 % of a core, at 8 tries of about 1 us each */
        ck_assert_uint_gt(n, 1000);
        ck_assert_uint_lt(n, 10000);

        /* A step taken in the middle of the flood is followed as soon as the budget allows one frame. */
        ratchet(call.plane, call.sender, SESSION_SHARED, 1);
        clock_advance(10 * USEC_PER_MSEC);
        follow(&call, 1);
        call_end(&call);
}
END_TEST

START_TEST(window_is_as_many_steps_as_it_says) {
        Call call;
        Frame sealed;

        call_start(&call, 3);
        call_import(&call);
        for (uint32_t step = 1; step <= 4; step++)
                ratchet(call.plane, call.sender, SESSION_SHARED, step);
        sealed = seal(&call, "too far");
        ck_assert_int_eq(open_frame(&call, &sealed), FRAMEKEY_VERDICT_FORGED);
        call_end(&call);

        call_start(&call, 3);
        call_import(&call);
        for (uint32_t step = 1; step <= 3; step++)
                ratchet(call.plane, call.sender, SESSION_SHARED, step);
        follow(&call, 3);
        ck_assert_uint_eq(call.n_events, 1);
        ck_assert_int_eq(call.last_event.type, SESSION_EVENT_RATCHETED);
        ck_assert_uint_eq(call.last_event.step, 3);
        call_end(&call);
}
END_TEST

START_TEST(previous_key_opens_late_frames_for_the_grace_time) {
        Call call;
        Frame late, later;

        call_start(&call, 8);
        call_import(&call);
        late = seal(&call, "late");
        later = seal(&call, "later");
        ratchet(call.plane, call.sender, SESSION_SHARED, 1);
        follow(&call, 1);
        ck_assert_int_eq(open_frame(&call, &late), FRAMEKEY_OK);
        clock_advance(3 * USEC_PER_SEC);
        ck_assert_int_eq(open_frame(&call, &later), FRAMEKEY_VERDICT_FORGED);
        call_end(&call);
}
END_TEST

START_TEST(frames_of_skipped_steps_open_for_the_grace_time) {
        Call call;
        Frame sealed[4], late;

        call_start(&call, 8);
        call_import(&call);
        for (uint32_t step = 1; step <= 4; step++) {
                ratchet(call.plane, call.sender, SESSION_SHARED, step);
                sealed[step - 1] = seal(&call, "x");
        }
        late = seal(&call, "y");
        ck_assert_int_eq(open_frame(&call, &sealed[3]), FRAMEKEY_OK);
        ck_assert_int_eq(open_frame(&call, &sealed[1]), FRAMEKEY_OK);
        ck_assert_int_eq(open_frame(&call, &sealed[1]), FRAMEKEY_VERDICT_REPLAYED);
        ck_assert_int_eq(open_frame(&call, &sealed[0]), FRAMEKEY_OK);
        ck_assert_int_eq(open_frame(&call, &late), FRAMEKEY_OK);
        clock_advance(3 * USEC_PER_SEC);
        ck_assert_int_eq(open_frame(&call, &sealed[2]), FRAMEKEY_VERDICT_FORGED);
        call_end(&call);
}
END_TEST

static sem_t frozen;
static int thaw[2]; /* a pipe; a byte ends the freeze */

static void freeze(int number) {
        char byte;

        (void)sem_post(&frozen);
        while (read(thaw[0], &byte, 1) < 0)
                ;
}

/* Stops the thread of this name until it is thawed: as good as a machine that never has idle time. */
static void freeze_thread(const char *name) {
        DIR *tasks = opendir("/proc/self/task");
        struct dirent *task;
        unsigned n = 0;

        ck_assert_ptr_nonnull(tasks);
        (void)sem_init(&frozen, 0, 0);
        ck_assert_int_eq(pipe(thaw), 0);
        (void)signal(SIGUSR1, freeze);
        while ((task = readdir(tasks))) {
                char path[300], comm[32] = "";
                FILE *file;

                (void)snprintf(path, sizeof(path), "/proc/self/task/%s/comm", task->d_name);
                file = fopen(path, "re");
                if (!file)
                        continue;
                if (fgets(comm, sizeof(comm), file) && strncmp(comm, name, strlen(name)) == 0) {
                        ck_assert_int_eq(tgkill(getpid(), (pid_t)strtol(task->d_name, NULL, 10), SIGUSR1), 0);
                        n++;
                }
                (void)fclose(file);
        }
        (void)closedir(tasks);
        ck_assert_uint_eq(n, 1);
        while (sem_wait(&frozen) < 0)
                ;
}

START_TEST(every_step_is_followed_on_a_machine_without_idle_time) {
        Call call;

        call_start(&call, 8);
        freeze_thread("derive-ahead");
        import(call.plane, call.sender, SESSION_SHARED, 0, "a passphrase", 0);
        import(call.plane, call.receiver, SESSION_SHARED, 0, "a passphrase", 0);
        settle_look_ahead(call.plane);
        for (uint32_t step = 1; step <= 5; step++) {
                ratchet(call.plane, call.sender, SESSION_SHARED, step);
                follow(&call, step);
        }
        ck_assert_int_eq(write(thaw[1], "", 1), 1);
        call_end(&call);
}
END_TEST

START_TEST(import_at_a_step_is_the_key_after_that_many_ratchets) {
        Call call;
        Frame sealed;

        call_start(&call, 0);
        import(call.plane, call.sender, SESSION_SHARED, 0, "a passphrase", 0);
        import(call.plane, call.receiver, SESSION_SHARED, 0, "a passphrase", 2);
        sealed = seal(&call, "0");
        ck_assert_int_eq(open_frame(&call, &sealed), FRAMEKEY_VERDICT_FORGED);
        ratchet(call.plane, call.sender, SESSION_SHARED, 1);
        ratchet(call.plane, call.sender, SESSION_SHARED, 2);
        sealed = seal(&call, "2");
        ck_assert_int_eq(open_frame(&call, &sealed), FRAMEKEY_OK);
        call_end(&call);
}
END_TEST

START_TEST(following_a_peer_does_not_drag_our_own_sending_key) {
        Call call;
        FrameGrant *back;
        uint32_t local;
        Frame plain = { .bytes = "x", .len = 1 }, sealed;

        call_start(&call, 8);
        call_import(&call);
        ck_assert_int_eq(session_add_participant(call.receiver, true, &local), 0);
        ck_assert_int_eq(
                frame_grant_new(&back, call.receiver, &channel_a, 0, local, FRAMEKEY_ENCRYPT, FRAMEKEY_MEDIA_AUDIO), 0);
        ratchet(call.plane, call.sender, SESSION_SHARED, 1);
        follow(&call, 1);
        ck_assert_uint_eq(process(back, call.receiver, &plain, 1, &sealed).step, 0);
        frame_grant_free(back);
        call_end(&call);
}
END_TEST

START_TEST(two_senders_of_one_key_may_stand_at_different_steps) {
        Call call;
        FrameGrant *second;
        uint32_t other;
        Frame old, plain;

        call_start(&call, 8);
        call_import(&call);
        ck_assert_int_eq(session_add_participant(call.receiver, false, &other), 0);
        ck_assert_int_eq(
                frame_grant_new(&second, call.receiver, &channel_a, 0, other, FRAMEKEY_DECRYPT, FRAMEKEY_MEDIA_AUDIO),
                0);
        old = seal(&call, "step 0");
        ratchet(call.plane, call.sender, SESSION_SHARED, 1);
        follow(&call, 1);
        clock_advance(10 * USEC_PER_SEC);
        ck_assert_int_eq(process(second, call.receiver, &old, 1, &plain).verdict, FRAMEKEY_OK);
        follow(&call, 1);
        frame_grant_free(second);
        call_end(&call);
}
END_TEST

START_TEST(replay_is_refused_also_on_a_new_channel_and_after_a_key_came_again) {
        Call call;
        FrameGrant *reconnected;
        Frame sealed, plain;

        call_start(&call, 8);
        call_import(&call);
        sealed = seal(&call, "once");
        ck_assert_int_eq(open_frame(&call, &sealed), FRAMEKEY_OK);
        ck_assert_int_eq(open_frame(&call, &sealed), FRAMEKEY_VERDICT_REPLAYED);

        call.in = frame_grant_free(call.in);
        ck_assert_int_eq(frame_grant_new(&reconnected, call.receiver, &channel_b, 0, call.peer, FRAMEKEY_DECRYPT,
                                         FRAMEKEY_MEDIA_AUDIO),
                         0);
        ck_assert_int_eq(process(reconnected, call.receiver, &sealed, 1, &plain).verdict, FRAMEKEY_VERDICT_REPLAYED);
        import(call.plane, call.receiver, SESSION_SHARED, 0, "a passphrase", 0);
        ck_assert_int_eq(process(reconnected, call.receiver, &sealed, 1, &plain).verdict, FRAMEKEY_VERDICT_REPLAYED);
        frame_grant_free(reconnected);
        call_end(&call);
}
END_TEST

START_TEST(a_recorder_behind_a_player_sees_no_replays) {
        Call call;
        FrameGrant *recorder, *late;
        Frame frames[4], plain;

        call_start(&call, 8);
        call_import(&call);
        ck_assert_int_eq(frame_grant_new(&recorder, call.receiver, &channel_b, 0, call.peer, FRAMEKEY_DECRYPT,
                                         FRAMEKEY_MEDIA_AUDIO),
                         0);
        for (unsigned i = 0; i < ELEMENTS(frames); i++) {
                if (i == 2)
                        ratchet(call.plane, call.sender, SESSION_SHARED,
                                1); /* whose frames the player is the first to have, too */
                frames[i] = seal(&call, "frame");
                ck_assert_int_eq(open_frame(&call, &frames[i]), FRAMEKEY_OK);
        }
        ck_assert_int_eq(
                frame_grant_new(&late, call.receiver, &channel_c, 0, call.peer, FRAMEKEY_DECRYPT, FRAMEKEY_MEDIA_AUDIO),
                0);
        for (unsigned i = 0; i < ELEMENTS(frames); i++) {
                ck_assert_int_eq(process(recorder, call.receiver, &frames[i], 1, &plain).verdict, FRAMEKEY_OK);
                ck_assert_int_eq(process(recorder, call.receiver, &frames[i], 1, &plain).verdict,
                                 FRAMEKEY_VERDICT_REPLAYED);
                ck_assert_int_eq(process(late, call.receiver, &frames[i], 1, &plain).verdict,
                                 FRAMEKEY_VERDICT_REPLAYED);
        }
        frame_grant_free(late);
        frame_grant_free(recorder);
        call_end(&call);
}
END_TEST

START_TEST(rotation_uses_the_new_index_after_activation) {
        Call call;
        Frame sealed;
        SessionKeyInfo info;

        call_start(&call, 8);
        call_import(&call);
        import(call.plane, call.receiver, SESSION_SHARED, 1, "another", 0);
        import(call.plane, call.sender, SESSION_SHARED, 1, "another", 0);
        sealed = seal(&call, "old");
        ck_assert_int_eq(sealed.bytes[sealed.len - 1], 0);
        ck_assert_int_eq(session_activate(call.sender, SESSION_SHARED, 1, NULL), 0);
        sealed = seal(&call, "new");
        ck_assert_int_eq(sealed.bytes[sealed.len - 1], 1);
        ck_assert_int_eq(open_frame(&call, &sealed), FRAMEKEY_OK);
        ck_assert_int_eq(session_key_info(call.sender, SESSION_SHARED, 1, &info), 0);
        ck_assert(info.active);
        call_end(&call);
}
END_TEST

START_TEST(retired_key_is_too_old_and_a_stranger_index_unknown) {
        Call call;
        Frame sealed;

        call_start(&call, 8);
        call_import(&call);
        sealed = seal(&call, "x");
        ck_assert_int_eq(session_retire(call.receiver, SESSION_SHARED, 0), 0);
        ck_assert_int_eq(open_frame(&call, &sealed), FRAMEKEY_VERDICT_TOO_OLD);
        sealed.bytes[sealed.len - 1] = 3;
        ck_assert_int_eq(open_frame(&call, &sealed), FRAMEKEY_VERDICT_UNKNOWN_KEY);
        sealed.bytes[sealed.len - 1] = 200;
        ck_assert_int_eq(open_frame(&call, &sealed), FRAMEKEY_VERDICT_UNKNOWN_KEY);
        ck_assert_int_eq(session_retire(call.receiver, SESSION_SHARED, 0), SESSION_NO_KEY);
        ck_assert_int_eq(session_retire(call.sender, SESSION_SHARED, 0), 0);
        import(call.plane, call.sender, SESSION_SHARED, 2, "a passphrase", 0);
        ck_assert_int_eq(seal(&call, "y").bytes[30], 2);
        call_end(&call);
}
END_TEST

START_TEST(a_participant_that_left_is_refused) {
        Call call;
        Frame sealed;

        call_start(&call, 8);
        call_import(&call);
        sealed = seal(&call, "x");
        ck_assert_int_eq(session_remove_participant(call.receiver, call.peer), 0);
        ck_assert_int_eq(open_frame(&call, &sealed), FRAMEKEY_VERDICT_REFUSED);
        ck_assert_int_eq(session_remove_participant(call.receiver, call.peer), SESSION_NO_PARTICIPANT);
        call_end(&call);
}
END_TEST

START_TEST(the_lock_refuses_everything) {
        Call call;
        Frame plain = { .bytes = "x", .len = 1 }, out;

        call_start(&call, 8);
        call_import(&call);
        plane_set_locked(call.plane, true);
        ck_assert_int_eq(process(call.out, call.sender, &plain, 1, &out).verdict, FRAMEKEY_VERDICT_LOCKED);
        plane_set_locked(call.plane, false);
        ck_assert_int_eq(process(call.out, call.sender, &plain, 1, &out).verdict, FRAMEKEY_OK);
        call_end(&call);
}
END_TEST

START_TEST(server_injected_frames_pass_only_if_known) {
        Call call;
        SessionConfig config = config_for(8);
        FrameGrant *in;
        Session *session;
        uint32_t peer;
        Frame frame = { .bytes = { 0x68, 0x87, 0xcb, 0x83, 0xcb, 0x20, 'm', 'a', 'r', 'k' }, .len = 10 }, out;
        FrameResult r;

        call_start(&call, 8);
        memcpy(config.server_trailer, "mark", 4);
        config.server_trailer_len = 4;
        ck_assert_int_eq(session_new(&session, call.plane, &config, NULL, NULL), 0);
        ck_assert_int_eq(session_add_participant(session, false, &peer), 0);
        ck_assert_int_eq(frame_grant_new(&in, session, &channel_a, 0, peer, FRAMEKEY_DECRYPT, FRAMEKEY_MEDIA_VIDEO), 0);
        r = process(in, session, &frame, 0, &out);
        ck_assert_int_eq(r.verdict, FRAMEKEY_VERDICT_SERVER_INJECTED);
        ck_assert_uint_eq(out.len, 6);
        frame.bytes[0] = 0x69;
        ck_assert_int_eq(process(in, session, &frame, 0, &out).verdict, FRAMEKEY_VERDICT_MALFORMED);
        frame_grant_free(in);
        session_free(session);
        call_end(&call);
}
END_TEST

START_TEST(grants_keep_the_direction) {
        Call call;
        FrameGrant *grant;

        call_start(&call, 8);
        ck_assert_int_eq(
                frame_grant_new(&grant, call.sender, &channel_a, 0, call.me, FRAMEKEY_DECRYPT, FRAMEKEY_MEDIA_AUDIO),
                SESSION_WRONG_ROLE);
        ck_assert_int_eq(frame_grant_new(&grant, call.receiver, &channel_a, 0, call.peer, FRAMEKEY_ENCRYPT,
                                         FRAMEKEY_MEDIA_AUDIO),
                         SESSION_WRONG_ROLE);
        ck_assert_int_eq(
                frame_grant_new(&grant, call.sender, &channel_a, 0, 77, FRAMEKEY_ENCRYPT, FRAMEKEY_MEDIA_AUDIO),
                SESSION_NO_PARTICIPANT);
        call_end(&call);
}
END_TEST

START_TEST(a_session_that_ends_during_an_import_says_so) {
        Call call;
        Waited waited = { false };
        Schedule schedule;
        Secret *secret;

        call_start(&call, 8);
        preset_schedule(preset_find("livekit"), &schedule);
        ck_assert_int_eq(secret_new_copy(&secret, "slow", 4), 0);
        ck_assert_int_eq(session_import(call.sender, SESSION_SHARED, 0, secret, &schedule, 0, waited_done, &waited), 0);
        call.out = frame_grant_free(call.out);
        call.sender = session_free(call.sender);
        ck_assert(waited.done);
        ck_assert_int_eq(waited.result, SESSION_CLOSED);
        settle_look_ahead(call.plane);
        call_end(&call);
}
END_TEST

START_TEST(frames_pass_while_a_passphrase_is_derived) {
        Call call;
        Waited waited = { false };
        Schedule schedule;
        Secret *secret;
        Frame sealed;

        call_start(&call, 8);
        call_import(&call);
        preset_schedule(preset_find("livekit"), &schedule);
        schedule.iterations = 1000000; /* ten times the real number: two hundred milliseconds */
        ck_assert_int_eq(secret_new_copy(&secret, "slow", 4), 0);
        ck_assert_int_eq(session_import(call.receiver, SESSION_SHARED, 1, secret, &schedule, 0, waited_done, &waited),
                         0);
        for (int i = 0; i < 100; i++) {
                sealed = seal(&call, "hello");
                ck_assert_int_eq(open_frame(&call, &sealed), FRAMEKEY_OK);
        }
        plane_dispatch(call.plane);
        ck_assert(!waited.done);
        await(call.plane, &waited);
        call_end(&call);
}
END_TEST

START_TEST(wrong_use_gets_its_own_answer) {
        Call call;
        Waited waited;
        Schedule schedule;
        Secret *secret;

        call_start(&call, 8);
        schedule_quick(&schedule, "livekit");
        ck_assert_int_eq(secret_new_copy(&secret, "x", 1), 0);
        ck_assert_int_eq(session_import(call.sender, call.me, 0, secret, &schedule, 0, waited_done, &waited),
                         SESSION_WRONG_MODE);
        ck_assert_int_eq(secret_new_copy(&secret, "x", 1), 0);
        ck_assert_int_eq(session_import(call.sender, SESSION_SHARED, 16, secret, &schedule, 0, waited_done, &waited),
                         SESSION_BAD_INDEX);
        ck_assert_int_eq(session_ratchet(call.sender, SESSION_SHARED, SESSION_ACTIVE, waited_done, &waited),
                         SESSION_NO_KEY);
        ck_assert_int_eq(session_activate(call.sender, SESSION_SHARED, 4, NULL), SESSION_NO_KEY);
        schedule.iterations = 10000000;
        ck_assert_int_eq(secret_new_copy(&secret, "x", 1), 0);
        ck_assert_int_eq(session_import(call.sender, SESSION_SHARED, 0, secret, &schedule, 60, waited_done, &waited),
                         -EINVAL);
        call_end(&call);
}
END_TEST

RUN_TESTS("session", frame_passes_between_two_daemons_unchanged, no_key_means_no_frame_out_and_none_in,
          empty_frame_needs_no_key, every_flipped_bit_and_every_truncation_is_refused_by_name,
          bogus_frames_never_latch_and_change_no_step, trials_are_rationed_and_come_back,
          window_is_as_many_steps_as_it_says, previous_key_opens_late_frames_for_the_grace_time,
          frames_of_skipped_steps_open_for_the_grace_time, every_step_is_followed_on_a_machine_without_idle_time,
          import_at_a_step_is_the_key_after_that_many_ratchets, following_a_peer_does_not_drag_our_own_sending_key,
          two_senders_of_one_key_may_stand_at_different_steps,
          replay_is_refused_also_on_a_new_channel_and_after_a_key_came_again,
          a_recorder_behind_a_player_sees_no_replays, rotation_uses_the_new_index_after_activation,
          retired_key_is_too_old_and_a_stranger_index_unknown, a_participant_that_left_is_refused,
          the_lock_refuses_everything, server_injected_frames_pass_only_if_known, grants_keep_the_direction,
          a_session_that_ends_during_an_import_says_so, frames_pass_while_a_passphrase_is_derived,
          wrong_use_gets_its_own_answer)
