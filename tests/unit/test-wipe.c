/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Promise P7 from inside: a key is in the arena while it lives and nowhere in it afterwards, nor is
 * any material whose prefix it is. Every search is shown to find what is there first.
 */
#include "crypto/kdf.h"
#include "keyplane-fixture.h"
#include "keys/wrap.h"
#include "runner.h"

#define PASSPHRASE "correct horse battery staple"

static const int channel;

/* material[i] is the material of step i + 1; its first 16 bytes are the AES key of step i. */
static uint8_t material[6][32];

static void derive_expected(void) {
        Schedule schedule;

        schedule_quick(&schedule, "livekit");
        for (size_t i = 0; i < ELEMENTS(material); i++) {
                const void *from = i == 0 ? (const void *)PASSPHRASE : material[i - 1];

                ck_assert_int_eq(kdf_pbkdf2_sha256(from, i == 0 ? strlen(PASSPHRASE) : 32, schedule.salt,
                                                   schedule.salt_len, schedule.iterations, material[i], 32),
                                 0);
        }
}

static bool in_arena(const void *bytes, size_t len) {
        const uint8_t *base;
        size_t size;

        arena_extent(arena_installed(), &base, &size);
        return memmem(base, size, bytes, len) != NULL;
}

static bool key_lives(uint32_t step) {
        return in_arena(material[step], 16);
}

static bool material_lives(uint32_t step) {
        return in_arena(material[step], 32);
}

static Session *open_session(Plane *plane, bool local, uint32_t window, uint32_t *ret_participant) {
        SessionConfig config;
        Session *session;

        preset_session_config(preset_find("livekit"), &config);
        config.shared = false;
        config.ratchet_window = window;
        ck_assert_int_eq(session_new(&session, plane, &config, NULL, NULL), 0);
        ck_assert_int_eq(session_add_participant(session, local, ret_participant), 0);
        import(plane, session, *ret_participant, 0, PASSPHRASE, 0);
        settle_look_ahead(plane);
        return session;
}

START_TEST(passphrase_is_gone_when_the_import_is_done) {
        Plane *plane = plane_start();
        Secret *secret;
        uint32_t me;
        Session *session;

        derive_expected();
        ck_assert_int_eq(secret_new_copy(&secret, PASSPHRASE, strlen(PASSPHRASE)), 0);
        ck_assert(in_arena(PASSPHRASE, strlen(PASSPHRASE)));
        secret_free(secret);
        session = open_session(plane, true, 0, &me);
        ck_assert(!in_arena(PASSPHRASE, strlen(PASSPHRASE)));
        ck_assert(key_lives(0));
        session_free(session);
        plane_free(plane);
}
END_TEST

START_TEST(a_senders_key_is_gone_with_the_step) {
        Plane *plane = plane_start();
        uint32_t me;
        Session *session;

        derive_expected();
        session = open_session(plane, true, 0, &me);
        for (uint32_t step = 1; step < 4; step++) {
                ck_assert(key_lives(step - 1));
                ratchet(plane, session, me, step);
                settle_look_ahead(plane);
                ck_assert(!key_lives(step - 1));
                ck_assert(!material_lives(step - 1));
                ck_assert(key_lives(step));
        }
        session_free(session);
        plane_free(plane);
}
END_TEST

START_TEST(a_receivers_key_is_gone_after_the_grace_and_its_material_at_once) {
        Plane *plane = plane_start();
        uint32_t me, peer;
        Session *sender, *receiver;
        FrameGrant *out, *in;
        Frame plain = { .bytes = "x", .len = 1 }, sealed;

        derive_expected();
        sender = open_session(plane, true, 0, &me);
        receiver = open_session(plane, false, 3, &peer);
        ck_assert_int_eq(frame_grant_new(&out, sender, &channel, 0, me, FRAMEKEY_ENCRYPT, FRAMEKEY_MEDIA_AUDIO), 0);
        ck_assert_int_eq(frame_grant_new(&in, receiver, &channel, 0, peer, FRAMEKEY_DECRYPT, FRAMEKEY_MEDIA_AUDIO), 0);
        ratchet(plane, sender, me, 1);
        ratchet(plane, sender, me, 2);
        process(out, sender, &plain, 1, &sealed);
        ck_assert_int_eq(process(in, receiver, &sealed, 1, &plain).verdict, FRAMEKEY_OK);
        /* What is left must be the receiver's. */
        frame_grant_free(out);
        session_free(sender);
        settle_look_ahead(plane);

        ck_assert(key_lives(0)); /* the cipher handle, for late frames */
        ck_assert(!material_lives(0));
        ck_assert(key_lives(1)); /* skipped: its frames may only be late */
        ck_assert(!material_lives(1));
        clock_advance(1 * USEC_PER_SEC);
        plane_dispatch(plane);
        ck_assert(key_lives(0));
        clock_advance(2 * USEC_PER_SEC);
        plane_dispatch(plane);
        ck_assert(!key_lives(0));
        ck_assert(!key_lives(1));
        ck_assert(key_lives(2));
        frame_grant_free(in);
        session_free(receiver);
        plane_free(plane);
}
END_TEST

START_TEST(trying_a_forged_frame_leaves_no_key_behind) {
        Plane *plane = plane_start();
        uint32_t peer;
        Session *receiver;
        FrameGrant *in;
        Frame bogus = { .len = 40 }, plain;

        derive_expected();
        receiver = open_session(plane, false, 2, &peer);
        ck_assert_int_eq(frame_grant_new(&in, receiver, &channel, 0, peer, FRAMEKEY_DECRYPT, FRAMEKEY_MEDIA_AUDIO), 0);
        bogus.bytes[38] = 12;
        ck_assert_int_eq(process(in, receiver, &bogus, 1, &plain).verdict, FRAMEKEY_VERDICT_FORGED);
        ck_assert(key_lives(2));
        ck_assert_int_eq(session_retire(receiver, peer, 0), 0);
        for (uint32_t step = 0; step < 4; step++)
                ck_assert(!key_lives(step));
        frame_grant_free(in);
        session_free(receiver);
        plane_free(plane);
}
END_TEST

START_TEST(nothing_is_left_of_a_session) {
        Plane *plane = plane_start();
        uint32_t me, peer;
        Session *a, *b;

        derive_expected();
        a = open_session(plane, true, 3, &me);
        b = open_session(plane, false, 3, &peer);
        ck_assert(key_lives(0) && key_lives(3));
        ck_assert_int_eq(session_remove_participant(a, me), 0);
        ck_assert(key_lives(0) && key_lives(3));
        session_free(b);
        session_free(a);
        settle_look_ahead(plane);
        plane_free(plane);
        for (size_t i = 0; i < ELEMENTS(material); i++)
                ck_assert(!key_lives((uint32_t)i));
}
END_TEST

START_TEST(a_key_replaced_is_gone) {
        Plane *plane = plane_start();
        uint32_t me;
        Session *session;

        derive_expected();
        session = open_session(plane, true, 3, &me);
        ck_assert(key_lives(0) && key_lives(3));
        import(plane, session, me, 0, "another", 0);
        settle_look_ahead(plane);
        for (uint32_t step = 0; step < 5; step++)
                ck_assert(!key_lives(step));
        session_free(session);
        plane_free(plane);
}
END_TEST

/* All steps that were derived ahead, and what they come from. */
static bool chain_lives(void) {
        for (uint32_t step = 0; step < ELEMENTS(material); step++)
                if (key_lives(step) || material_lives(step))
                        return true;
        return false;
}

START_TEST(a_sending_key_that_was_superseded_is_gone_after_the_grace) {
        Plane *plane = plane_start();
        uint32_t me;
        Session *session;

        derive_expected();
        session = open_session(plane, true, 3, &me);
        import(plane, session, me, 1, "another", 0);
        settle_look_ahead(plane);
        ck_assert(key_lives(0) && material_lives(0));
        ck_assert_int_eq(session_activate(session, me, 1, NULL), 0);
        plane_dispatch(plane);
        ck_assert(key_lives(0));
        clock_advance(2 * USEC_PER_SEC);
        plane_dispatch(plane);
        ck_assert(!chain_lives());
        session_free(session);
        plane_free(plane);
}
END_TEST

START_TEST(a_receiving_key_that_was_superseded_is_gone_after_the_grace) {
        Plane *plane = plane_start();
        uint32_t me, peer;
        Session *sender, *receiver;
        FrameGrant *out, *in;
        Frame plain = { .bytes = "x", .len = 1 }, opened, first, second;

        derive_expected();
        sender = open_session(plane, true, 0, &me);
        receiver = open_session(plane, false, 3, &peer);
        ck_assert_int_eq(frame_grant_new(&out, sender, &channel, 0, me, FRAMEKEY_ENCRYPT, FRAMEKEY_MEDIA_AUDIO), 0);
        ck_assert_int_eq(frame_grant_new(&in, receiver, &channel, 0, peer, FRAMEKEY_DECRYPT, FRAMEKEY_MEDIA_AUDIO), 0);
        import(plane, sender, me, 1, "another", 0);
        import(plane, receiver, peer, 1, "another", 0);
        process(out, sender, &plain, 1, &first);
        ck_assert_int_eq(session_activate(sender, me, 1, NULL), 0);
        process(out, sender, &plain, 1, &second);
        frame_grant_free(out);
        session_free(sender);
        settle_look_ahead(plane);

        ck_assert_int_eq(process(in, receiver, &second, 1, &opened).verdict, FRAMEKEY_OK);
        plane_dispatch(plane);
        ck_assert(key_lives(0) && material_lives(0) && key_lives(3));
        clock_advance(2 * USEC_PER_SEC);
        plane_dispatch(plane);
        ck_assert(!chain_lives());
        ck_assert_int_eq(process(in, receiver, &first, 1, &opened).verdict, FRAMEKEY_VERDICT_TOO_OLD);
        frame_grant_free(in);
        session_free(receiver);
        plane_free(plane);
}
END_TEST

START_TEST(a_key_that_came_wrapped_is_gone_as_any_other) {
        Plane *plane = plane_start();
        uint32_t me, peer, index;
        uint8_t package[WRAP_MAX];
        Session *sender, *receiver;
        Waited waited = { false };
        SessionConfig config;
        size_t len;

        derive_expected();
        preset_session_config(preset_find("livekit"), &config);
        config.shared = false;
        config.ratchet_window = 2;
        sender = open_session(plane, true, 0, &me);
        ratchet(plane, sender, me, 1);
        ck_assert_int_eq(session_export(sender, me, SESSION_ACTIVE, "me", plane_transport_key(plane), package, &len),
                         0);
        session_free(sender);
        settle_look_ahead(plane);
        ck_assert(!chain_lives()); /* nothing of the export either */

        ck_assert_int_eq(session_new(&receiver, plane, &config, NULL, NULL), 0);
        ck_assert_int_eq(session_add_participant(receiver, false, &peer), 0);
        ck_assert_int_eq(session_import_wrapped(receiver, peer, SESSION_ACTIVE, "me", package, len - 1, &index,
                                                waited_done, &waited),
                         SESSION_FORGED);
        ck_assert(!chain_lives());
        ck_assert_int_eq(session_import_wrapped(receiver, peer, SESSION_ACTIVE, "me", package, len, &index, waited_done,
                                                &waited),
                         0);
        await(plane, &waited);
        ck_assert_int_eq(waited.result, 0);
        settle_look_ahead(plane);
        ck_assert(!key_lives(0)); /* what was before the export cannot be had from the package */
        ck_assert(key_lives(1) && material_lives(1) && key_lives(3));
        waited.done = false;
        ck_assert_int_eq(session_ratchet(receiver, peer, index, waited_done, &waited), 0);
        await(plane, &waited);
        settle_look_ahead(plane);
        ck_assert(!material_lives(1));
        clock_advance(2 * USEC_PER_SEC);
        plane_dispatch(plane);
        ck_assert(!key_lives(1) && key_lives(2));
        ck_assert_int_eq(session_retire(receiver, peer, index), 0);
        ck_assert(!chain_lives());
        session_free(receiver);
        plane_free(plane);
}
END_TEST

RUN_TESTS("wipe", passphrase_is_gone_when_the_import_is_done, a_senders_key_is_gone_with_the_step,
          a_receivers_key_is_gone_after_the_grace_and_its_material_at_once, trying_a_forged_frame_leaves_no_key_behind,
          nothing_is_left_of_a_session, a_key_replaced_is_gone,
          a_sending_key_that_was_superseded_is_gone_after_the_grace,
          a_receiving_key_that_was_superseded_is_gone_after_the_grace, a_key_that_came_wrapped_is_gone_as_any_other)
