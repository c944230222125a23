/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Key providers against a running daemon (test-provider.sh starts one): which key they make of what they are given,
 * under which index, when it is used, and how they hear of rotations.
 */
#include <framekey-bus.h>

#include "util/util.h"

#include <check.h>
#include <stdio.h>

#define FRAME_TIMEOUT_USEC (10 * USEC_PER_SEC)

static const char key[] = "0123456789abcdef";
static framekey_client *client;

static void setup(void) {
        char *error = NULL;

        ck_assert_msg(framekey_client_open(&client, FRAMEKEY_BUS_SYSTEM, NULL, &error) == 0, "%s", error);
}

static void teardown(void) {
        client = framekey_client_free(client);
}

/* ---- one end of a call ---- */

typedef struct End {
        framekey_session *session;
        framekey_provider *provider;
        framekey_channel *channel;
        uint32_t stream;
        bool sends;
} End;

#define OK(call) ck_assert_msg((call) == 0, "%s: %s", #call, framekey_client_error(client))

static void end_open(End *end, const char *preset, bool sends, const char *const *options) {
        _cleanup_free_ char *path = NULL;

        *end = (End){ .sends = sends };
        OK(framekey_session_open(client, preset, "test", options, &end->session));
        OK(framekey_provider_new(end->session, &end->provider));
        OK(framekey_session_add_participant(end->session, "alice", sends ? FRAMEKEY_LOCAL : FRAMEKEY_REMOTE, NULL));
        OK(framekey_session_open_channel(end->session, NULL, &end->channel, &path));
        OK(framekey_session_add_stream(end->session, path, "alice", sends ? FRAMEKEY_ENCRYPT : FRAMEKEY_DECRYPT,
                                       FRAMEKEY_MEDIA_AUDIO, FRAMEKEY_CODEC_OPUS, NULL, &end->stream));
}

static void end_close(End *end) {
        framekey_channel_free(end->channel);
        framekey_provider_free(end->provider);
        framekey_session_close(end->session);
}

/* Seals a frame; the index it was sealed under, UINT32_MAX if there was no key. */
static uint32_t seal(End *end, uint8_t sealed[64], size_t *ret_length) {
        static const uint8_t plain[] = { 0xf8, 1, 2, 3, 4 };
        struct framekey_frame frame = { .size = sizeof(frame), .stream = end->stream };
        struct framekey_result result = { .size = sizeof(result) };
        int r = framekey_encrypt(end->channel, &frame, plain, sizeof(plain), sealed, 64, ret_length, &result,
                                 FRAME_TIMEOUT_USEC);

        if (r == FRAMEKEY_VERDICT_UNKNOWN_KEY)
                return UINT32_MAX;
        ck_assert_int_eq(r, 0);
        return result.key_index;
}

static uint32_t index_in_use(End *end) {
        uint8_t sealed[64];
        size_t length;

        return seal(end, sealed, &length);
}

/* The verdict of a frame that goes from one end to the other. */
static int passes(End *from, End *to) {
        struct framekey_frame frame = { .size = sizeof(frame), .stream = to->stream };
        uint8_t sealed[64], opened[64];
        size_t length;

        ck_assert_uint_ne(seal(from, sealed, &length), UINT32_MAX);
        return framekey_decrypt(to->channel, &frame, sealed, length, opened, sizeof(opened), NULL, NULL,
                                FRAME_TIMEOUT_USEC);
}

/* ---- derivation ---- */

START_TEST(a_passphrase_is_derived_by_pbkdf2_and_bytes_by_hkdf) {
        static const struct {
                const char *ours, *theirs;
                bool passphrase;
                int verdict;
        } table[] = {
                { "livekit-bytes", "livekit-passphrase", true, 0 },
                { "livekit-passphrase", "livekit-bytes", false, 0 },
                { "livekit-passphrase", "livekit-passphrase", false, FRAMEKEY_VERDICT_FORGED },
                { "livekit-bytes", "livekit-bytes", true, FRAMEKEY_VERDICT_FORGED },
                { "realtimekit", "realtimekit", true, 0 },
                { "livekit-native", "livekit-passphrase", false, 0 },
        };

        for (size_t i = 0; i < ELEMENTS(table); i++) {
                End ours, theirs;

                /* Their side says nothing of derivation: the preset does. */
                end_open(&ours, table[i].ours, true, NULL);
                end_open(&theirs, table[i].theirs, false, NULL);
                if (table[i].passphrase)
                        OK(framekey_provider_set_passphrase(ours.provider, NULL, 0, key, NULL, NULL));
                else
                        OK(framekey_provider_set_key(ours.provider, NULL, 0, key, strlen(key), NULL, NULL));
                OK(framekey_session_import_key(theirs.session, NULL, 0, key, strlen(key), NULL));
                ck_assert_msg(passes(&ours, &theirs) == table[i].verdict, "row %zu", i);
                end_close(&ours);
                end_close(&theirs);
        }
}
END_TEST

START_TEST(what_the_options_say_wins) {
        static const char *const pbkdf2[] = { "kdf=pbkdf2", "salt=00", NULL }, *const wait[] = { "activate=no", NULL };
        End ours, theirs;

        end_open(&ours, "livekit-bytes", true, NULL);
        end_open(&theirs, "livekit-passphrase", false, NULL);
        OK(framekey_provider_set_key(ours.provider, NULL, 0, key, strlen(key), pbkdf2, NULL));
        OK(framekey_provider_set_passphrase(theirs.provider, NULL, 0, key, pbkdf2 + 1, NULL));
        ck_assert_int_eq(passes(&ours, &theirs), 0);
        OK(framekey_provider_set_key(ours.provider, NULL, 1, key, strlen(key), wait, NULL));
        ck_assert_uint_eq(index_in_use(&ours), 0);
        ck_assert_int_eq(framekey_provider_set_passphrase(ours.provider, NULL, 2, "", NULL, NULL), -EKEYREJECTED);
        ck_assert_int_eq(framekey_provider_set_passphrase(ours.provider, NULL, 2, "",
                                                          (const char *const[]){ "allow-empty=yes", NULL }, NULL),
                         0);
        end_close(&ours);
        end_close(&theirs);
}
END_TEST

/* ---- indices ---- */

START_TEST(the_next_index_is_counted_for_each_identity_and_wraps_at_the_ring_size) {
        static const char *const options[] = { "key-mode=participant", "ring-size=3", NULL };
        const uint32_t expected[] = { 0, 1, 2, 0, 1 };
        uint32_t index = 77;
        End end;

        end_open(&end, "livekit-bytes", true, options);
        OK(framekey_session_add_participant(end.session, "bob", FRAMEKEY_LOCAL, NULL));
        for (size_t i = 0; i < ELEMENTS(expected); i++) {
                OK(framekey_provider_set_key(end.provider, "alice", FRAMEKEY_KEY_NEXT, key, strlen(key), NULL, &index));
                ck_assert_uint_eq(index, expected[i]);
                ck_assert_uint_eq(index_in_use(&end), expected[i]);
        }
        OK(framekey_provider_set_key(end.provider, "bob", FRAMEKEY_KEY_NEXT, key, strlen(key), NULL, &index));
        ck_assert_uint_eq(index, 0);
        OK(framekey_provider_set_key(end.provider, "alice", 0, key, strlen(key), NULL, &index));
        ck_assert_uint_eq(index, 0);
        OK(framekey_provider_set_key(end.provider, "alice", FRAMEKEY_KEY_NEXT, key, strlen(key), NULL, NULL));
        ck_assert_uint_eq(index_in_use(&end), 1);
        end_close(&end);
}
END_TEST

START_TEST(what_was_refused_counts_for_nothing) {
        uint32_t index = 77;
        End end;

        end_open(&end, "livekit-bytes", true, NULL);
        ck_assert_int_eq(framekey_provider_set_key(end.provider, NULL, 16, key, strlen(key), NULL, &index), -ERANGE);
        ck_assert_int_eq(framekey_provider_set_key(end.provider, "alice", 5, key, strlen(key), NULL, &index),
                         -EPROTOTYPE);
        ck_assert_int_eq(framekey_provider_set_key(end.provider, "nobody", 5, key, strlen(key), NULL, &index), -ESRCH);
        ck_assert_str_ne(framekey_client_error(client), "");
        ck_assert_uint_eq(index, 77);
        OK(framekey_provider_set_key(end.provider, NULL, FRAMEKEY_KEY_NEXT, key, strlen(key), NULL, &index));
        ck_assert_uint_eq(index, 0);
        ck_assert_int_eq(framekey_provider_set_key(end.provider, NULL, 16, key, strlen(key), NULL, &index), -ERANGE);
        OK(framekey_provider_set_key(end.provider, NULL, FRAMEKEY_KEY_NEXT, key, strlen(key), NULL, &index));
        ck_assert_uint_eq(index, 1);
        end_close(&end);
}
END_TEST

/* ---- participants ---- */

START_TEST(participants_have_keys_of_their_own_in_both_directions) {
        static const struct {
                const char *preset;
                uint32_t index;
        } table[] = { { "element-call", 200 }, { "jitsi", 15 }, { "sframe", 15 }, { "dave", 15 } };

        for (size_t i = 0; i < ELEMENTS(table); i++) {
                End ours, theirs;

                end_open(&ours, table[i].preset, true, NULL);
                end_open(&theirs, table[i].preset, false, NULL);
                ck_assert_uint_eq(index_in_use(&ours), UINT32_MAX);
                OK(framekey_provider_set_key(ours.provider, "alice", table[i].index, key, strlen(key), NULL, NULL));
                OK(framekey_provider_set_key(theirs.provider, "alice", table[i].index, key, strlen(key), NULL, NULL));
                ck_assert_int_eq(passes(&ours, &theirs), 0);
                /* What is set is sent under. */
                OK(framekey_provider_set_key(ours.provider, "alice", 1, "another key of 16 b.", 16, NULL, NULL));
                ck_assert_uint_eq(index_in_use(&ours), 1);
                end_close(&ours);
                end_close(&theirs);
        }
}
END_TEST

START_TEST(ratcheting_moves_the_key_in_use_or_the_one_set_last) {
        static const char *const no_window[] = { "ratchet-window=0", NULL };
        uint32_t step = 77;
        End ours, theirs;

        end_open(&ours, "element-call", true, no_window);
        end_open(&theirs, "element-call", false, no_window);
        for (uint32_t index = 3; index < 5; index++) {
                OK(framekey_provider_set_key(ours.provider, "alice", index, key, strlen(key), NULL, NULL));
                OK(framekey_provider_set_key(theirs.provider, "alice", index, key, strlen(key), NULL, NULL));
        }
        OK(framekey_provider_ratchet(ours.provider, "alice", FRAMEKEY_KEY_ACTIVE, &step));
        ck_assert_uint_eq(step, 1);
        ck_assert_int_eq(passes(&ours, &theirs), FRAMEKEY_VERDICT_FORGED);
        OK(framekey_provider_ratchet(theirs.provider, "alice", FRAMEKEY_KEY_ACTIVE, &step));
        ck_assert_uint_eq(step, 1);
        ck_assert_int_eq(passes(&ours, &theirs), 0);
        OK(framekey_provider_ratchet(theirs.provider, "alice", 3, &step));
        ck_assert_uint_eq(step, 1);
        ck_assert_int_eq(framekey_provider_ratchet(ours.provider, "nobody", FRAMEKEY_KEY_ACTIVE, &step), -ESRCH);
        end_close(&ours);
        end_close(&theirs);
}
END_TEST

/* ---- rotation ---- */

typedef struct Heard {
        unsigned n;          /* rotation requests */
        unsigned n_events;   /* that the session's own handler got */
        uint32_t next_index; /* of the last one */
        char reason[32];
        bool shared;
        bool answer;
} Heard;

static void on_rotate(framekey_provider *provider, const char *identity, uint32_t next_index, const char *reason,
                      uint64_t deadline_usec, void *userdata) {
        Heard *heard = userdata;

        heard->n++;
        heard->next_index = next_index;
        heard->shared = !identity;
        (void)snprintf(heard->reason, sizeof(heard->reason), "%s", reason);
        /* A call that waits, from within the one that delivers signals. */
        if (heard->answer)
                OK(framekey_provider_set_key(provider, identity, next_index, "fedcba9876543210", 16, NULL, NULL));
}

static void on_event(framekey_session *session, const struct framekey_event *event, void *userdata) {
        Heard *heard = userdata;

        ck_assert_ptr_nonnull(event->participant);
        ck_assert_ptr_nonnull(event->reason);
        ck_assert_ptr_nonnull(event->channel);
        ck_assert_ptr_nonnull(event->state);
        heard->n_events++;
}

/* Until a request was heard, or two seconds went by. */
static void wait_request(const Heard *heard, unsigned n) {
        for (int i = 0; i < 20 && heard->n < n; i++) {
                ck_assert_int_ge(framekey_client_process(client), 0);
                if (heard->n < n)
                        (void)sd_bus_wait(framekey_client_get_bus(client), 100 * USEC_PER_MSEC);
        }
}

START_TEST(a_rotation_is_asked_for_and_answered) {
        Heard heard = { .answer = true };
        uint32_t rotated = 77, requested = 77;
        End end;

        end_open(&end, "livekit-bytes", true, NULL);
        OK(framekey_provider_set_rotate_handler(end.provider, on_rotate, &heard));
        OK(framekey_session_set_handler(end.session, on_event, &heard));
        OK(framekey_provider_set_key(end.provider, NULL, 15, key, strlen(key), NULL, NULL));
        OK(framekey_session_rotate(end.session, NULL, "test", &rotated, &requested));
        ck_assert_uint_eq(rotated, 0);
        ck_assert_uint_eq(requested, 1);
        wait_request(&heard, 1);
        ck_assert_uint_eq(heard.n, 1);
        ck_assert_uint_eq(heard.next_index, 0);
        ck_assert(heard.shared);
        ck_assert_str_eq(heard.reason, "request");
        ck_assert_uint_eq(index_in_use(&end), 0);
        ck_assert_uint_ge(heard.n_events, 2); /* beside it: at least the first key and the request */

        OK(framekey_provider_set_rotate_handler(end.provider, NULL, NULL));
        OK(framekey_session_rotate(end.session, NULL, NULL, NULL, NULL));
        wait_request(&heard, 2);
        ck_assert_uint_eq(heard.n, 1);
        end_close(&end);
}
END_TEST

START_TEST(somebody_who_left_makes_a_rotation_and_somebody_who_comes_does_if_asked) {
        static const char *const at_once[] = { "coalesce-usec=0", "key-mode=participant", NULL };
        Heard heard = { .answer = true };
        uint64_t when = 0;
        End end;

        end_open(&end, "livekit-bytes", true, at_once);
        OK(framekey_provider_set_rotate_handler(end.provider, on_rotate, &heard));
        OK(framekey_provider_set_key(end.provider, "alice", FRAMEKEY_KEY_NEXT, key, strlen(key), NULL, NULL));
        OK(framekey_session_join(end.session, "bob", NULL, &when));
        ck_assert_uint_gt(when, UINT64_C(1000000) * 1000000000); /* CLOCK_REALTIME */
        OK(framekey_session_leave(end.session, "bob", NULL, &when));
        wait_request(&heard, 1);
        ck_assert_uint_eq(heard.n, 1);
        ck_assert(!heard.shared);
        ck_assert_str_eq(heard.reason, "member-left");
        ck_assert_uint_eq(index_in_use(&end), 1); /* a key that nothing was sent under needs no successor */
        OK(framekey_session_join(end.session, "bob", (const char *const[]){ "ratchet=yes", "follows=one-step", NULL },
                                 NULL));
        wait_request(&heard, 2);
        ck_assert_uint_eq(heard.n, 2);
        ck_assert_str_eq(heard.reason, "member-joined");
        ck_assert_int_eq(framekey_session_join(end.session, "bob", NULL, NULL), -ENOTUNIQ);
        OK(framekey_session_remove_participant(end.session, "bob", (const char *const[]){ "rotate=yes", NULL }));
        wait_request(&heard, 3);
        ck_assert_uint_eq(heard.n, 3);
        ck_assert_int_eq(framekey_session_leave(end.session, "bob", NULL, NULL), -ESRCH);
        end_close(&end);
}
END_TEST

START_TEST(null_providers_are_freed_in_peace) {
        ck_assert_ptr_null(framekey_provider_free(NULL));
}
END_TEST

int main(void) {
        Suite *suite = suite_create("provider");
        TCase *tests = tcase_create("provider");
        SRunner *runner;
        int n_failed;

        tcase_add_checked_fixture(tests, setup, teardown);
        tcase_set_timeout(tests, 60);
        tcase_add_test(tests, a_passphrase_is_derived_by_pbkdf2_and_bytes_by_hkdf);
        tcase_add_test(tests, what_the_options_say_wins);
        tcase_add_test(tests, the_next_index_is_counted_for_each_identity_and_wraps_at_the_ring_size);
        tcase_add_test(tests, what_was_refused_counts_for_nothing);
        tcase_add_test(tests, participants_have_keys_of_their_own_in_both_directions);
        tcase_add_test(tests, ratcheting_moves_the_key_in_use_or_the_one_set_last);
        tcase_add_test(tests, a_rotation_is_asked_for_and_answered);
        tcase_add_test(tests, somebody_who_left_makes_a_rotation_and_somebody_who_comes_does_if_asked);
        tcase_add_test(tests, null_providers_are_freed_in_peace);
        suite_add_tcase(suite, tests);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        n_failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
