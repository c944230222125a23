/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sessions of SFrame and DAVE by libframekey-bus (test-formats.sh starts a daemon): groups, refusals that other formats
 * do not have, and frames that pass without a key.
 */
#include <framekey-bus.h>

#include "util/util.h"

#include <check.h>

#define FRAME_TIMEOUT_USEC (10 * USEC_PER_SEC)

static const char secret[] = "0123456789abcdef";
static framekey_client *client;

static void setup(void) {
        char *error = NULL;

        ck_assert_msg(framekey_client_open(&client, FRAMEKEY_BUS_SYSTEM, NULL, &error) == 0, "%s", error);
}

static void teardown(void) {
        client = framekey_client_free(client);
}

static void assert_error(int r, int expected, const char *name) {
        ck_assert_int_eq(r, expected);
        ck_assert_str_eq(framekey_client_error_name(client), name);
        ck_assert_str_ne(framekey_client_error(client), "");
}
#define ERROR(name) "org.framekey1.Error." name
#define OK(call)    ck_assert_msg((call) == 0, "%s: %s", #call, framekey_client_error(client))

static framekey_session *open_session(const char *profile, const char *const *options) {
        framekey_session *session;

        OK(framekey_session_open(client, profile, "test", options, &session));
        return session;
}

/* One stream on a channel of its own. */
typedef struct End {
        framekey_channel *channel;
        struct framekey_frame frame;
} End;

static End end_open(framekey_session *session, const char *identity, enum framekey_direction direction) {
        End end = { .frame = { .size = sizeof(end.frame) } };
        char *path;

        OK(framekey_session_open_channel(session, NULL, &end.channel, &path));
        OK(framekey_session_add_stream(session, path, identity, direction, FRAMEKEY_MEDIA_AUDIO, FRAMEKEY_CODEC_OPUS,
                                       NULL, &end.frame.stream));
        free(path);
        return end;
}

static size_t sealed_by(const End *end, const char *text, uint8_t out[128], uint32_t *ret_key_index) {
        struct framekey_result result = { .size = sizeof(result) };
        size_t len;

        ck_assert_int_eq(framekey_encrypt(end->channel, &end->frame, text, strlen(text), out, 128, &len, &result,
                                          FRAME_TIMEOUT_USEC),
                         0);
        *ret_key_index = result.key_index;
        return len;
}

static int opened_by(const End *end, const void *sealed, size_t len, const char *text) {
        uint8_t out[128];
        size_t out_len;
        int r;

        r = framekey_decrypt(end->channel, &end->frame, sealed, len, out, sizeof(out), &out_len, NULL,
                             FRAME_TIMEOUT_USEC);
        if (framekey_verdict_delivers(r)) {
                ck_assert_uint_eq(out_len, strlen(text));
                ck_assert_mem_eq(out, text, out_len);
        }
        return r;
}

/* ---- groups ---- */

/* KID = context, member index, epoch. One secret an epoch serves all, and every member is told from the others. */
START_TEST(a_group_has_one_secret_an_epoch_for_all_members) {
        static const char *const group[] = { "mls-index-bits=4", "mls-epoch-bits=2",
                                             "cipher-suite=AES_128_GCM_SHA256_128", NULL };
        static const char *const places[][3] = { { "member-index=3" }, { "member-index=9", "context=2" } };
        framekey_session *ours = open_session("sframe", group), *theirs = open_session("sframe", group);
        End from[2], to[2];
        uint8_t sealed[128];
        uint32_t kid;
        size_t len;

        OK(framekey_session_add_participant(ours, "alice", FRAMEKEY_LOCAL, places[0]));
        OK(framekey_session_add_participant(ours, "bob", FRAMEKEY_LOCAL, places[1]));
        OK(framekey_session_add_participant(theirs, "alice", FRAMEKEY_REMOTE, places[0]));
        OK(framekey_session_join(theirs, "bob", places[1], NULL));
        OK(framekey_session_import_key(ours, NULL, 1, secret, 16, NULL));
        OK(framekey_session_import_key(theirs, NULL, 1, secret, 16, NULL));
        for (unsigned i = 0; i < 2; i++) {
                from[i] = end_open(ours, i == 0 ? "alice" : "bob", FRAMEKEY_ENCRYPT);
                to[i] = end_open(theirs, i == 0 ? "alice" : "bob", FRAMEKEY_DECRYPT);
        }

        for (unsigned i = 0; i < 2; i++) {
                len = sealed_by(&from[i], "hello", sealed, &kid);
                ck_assert_uint_eq(kid, i == 0 ? (3u << 2 | 1) : (2u << 6 | 9u << 2 | 1));
                ck_assert_int_eq(opened_by(&to[!i], sealed, len, "hello"), FRAMEKEY_VERDICT_UNKNOWN_KEY);
                ck_assert_int_eq(opened_by(&to[i], sealed, len, "hello"), 0);
        }
        for (unsigned i = 0; i < 2; i++) {
                framekey_channel_free(from[i].channel);
                framekey_channel_free(to[i].channel);
        }
        framekey_session_close(ours);
        framekey_session_close(theirs);
}
END_TEST

/* ---- refusals ---- */

START_TEST(keys_with_counters_are_refused_by_errnos_of_their_own) {
        static const char *const group[] = { "mls-index-bits=4", "mls-epoch-bits=2", NULL };
        static const char *const third[] = { "member-index=3", NULL };
        static const char *const same_kid[] = { "kid=5", NULL };
        framekey_session *session = open_session("sframe", NULL), *epochs = open_session("sframe", group);

        OK(framekey_session_add_participant(session, "me", FRAMEKEY_LOCAL, NULL));
        OK(framekey_session_add_participant(session, "peer", FRAMEKEY_REMOTE, NULL));
        OK(framekey_session_add_participant(epochs, "me", FRAMEKEY_LOCAL, third));
        assert_error(framekey_session_add_participant(epochs, "peer", FRAMEKEY_REMOTE, third), -EADDRINUSE,
                     ERROR("MemberExists"));
        assert_error(framekey_session_add_participant(epochs, "peer", FRAMEKEY_REMOTE, NULL), -EDESTADDRREQ,
                     ERROR("NoMember"));
        ck_assert_int_eq(framekey_session_add_participant(session, "third", FRAMEKEY_REMOTE, third), -EINVAL);
        OK(framekey_session_import_key(session, "me", 0, secret, 16, same_kid));
        assert_error(framekey_session_import_key(session, "me", 1, "another key of 16", 17, same_kid), -EEXIST,
                     ERROR("KeyExists"));
        assert_error(framekey_session_import_key(session, "peer", 0, secret, 16, same_kid), -EALREADY,
                     ERROR("KeyDirection"));
        assert_error(framekey_session_ratchet(session, "me", FRAMEKEY_KEY_ACTIVE, NULL), -EPROTONOSUPPORT,
                     ERROR("NoSteps"));
        framekey_session_close(epochs);
        framekey_session_close(session);
}
END_TEST

START_TEST(what_is_not_encrypted_passes_by_permission_alone) {
        static const char silence[] = "\xf8\xff\xfe";
        framekey_session *session = open_session("dave", NULL);
        End end;

        OK(framekey_session_add_participant(session, "peer", FRAMEKEY_REMOTE, NULL));
        OK(framekey_session_import_key(session, "peer", 0, secret, 16, NULL));
        end = end_open(session, "peer", FRAMEKEY_DECRYPT);
        ck_assert_int_eq(opened_by(&end, silence, 3, silence), FRAMEKEY_VERDICT_MALFORMED);
        OK(framekey_session_allow_unencrypted(session, "peer", "silence", 60 * USEC_PER_SEC));
        ck_assert_int_eq(opened_by(&end, silence, 3, silence), FRAMEKEY_VERDICT_SERVER_INJECTED);
        ck_assert_int_eq(opened_by(&end, "clear", 5, "clear"), FRAMEKEY_VERDICT_MALFORMED);
        OK(framekey_session_allow_unencrypted(session, "peer", "all", 60 * USEC_PER_SEC));
        ck_assert_int_eq(opened_by(&end, "clear", 5, "clear"), FRAMEKEY_VERDICT_UNENCRYPTED);
        OK(framekey_session_allow_unencrypted(session, "peer", "nothing", 0));
        ck_assert_int_eq(opened_by(&end, "clear", 5, "clear"), FRAMEKEY_VERDICT_MALFORMED);
        ck_assert_int_eq(framekey_session_allow_unencrypted(session, "peer", "all", 61 * USEC_PER_SEC), -EINVAL);
        ck_assert_int_eq(framekey_session_allow_unencrypted(session, "nobody", "all", USEC_PER_SEC), -ESRCH);
        framekey_channel_free(end.channel);
        framekey_session_close(session);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("formats");
        TCase *tests = tcase_create("formats");
        SRunner *runner;
        int n_failed;

        tcase_add_checked_fixture(tests, setup, teardown);
        tcase_set_timeout(tests, 60);
        tcase_add_test(tests, a_group_has_one_secret_an_epoch_for_all_members);
        tcase_add_test(tests, keys_with_counters_are_refused_by_errnos_of_their_own);
        tcase_add_test(tests, what_is_not_encrypted_passes_by_permission_alone);
        suite_add_tcase(suite, tests);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        n_failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
