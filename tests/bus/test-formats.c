/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sessions of SFrame and DAVE on the bus: their options, what is refused and how it is told, and bridges. */
#include "client.h"

#include <stdio.h>
#include <unistd.h>

#define SESSION     "org.framekey1.Session"
#define PARTICIPANT "org.framekey1.Participant"
#define MANAGER     "org.framekey1.Manager"

#define KEY_A "0123456789abcdef"
#define KEY_B "fedcba9876543210"
#define KEY_C "0123456789abcdeffedcba9876543210"

static void add(sd_bus *bus, const TestSession *session, const char *identity, const char *role) {
        client_do(bus, session->path, SESSION, "AddParticipant", "ssa{sv}", identity, role, 0);
}

static void participant_path(const TestSession *session, const char *identity, char ret[256]) {
        (void)snprintf(ret, 256, "%s/participant/%s", session->path, identity);
}

static void expect_text(sd_bus *bus, const char *path, const char *interface, const char *property,
                        const char *expected) {
        _cleanup_free_ char *text = client_string(bus, path, interface, property);

        ck_assert_str_eq(text, expected);
}

/* The KID under an index, UINT64_MAX: none. */
static uint64_t kid_of(sd_bus *bus, const TestSession *session, const char *identity, uint32_t wanted) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        uint64_t kid, found = UINT64_MAX;
        char path[256];
        uint32_t index;

        participant_path(session, identity, path);
        ck_assert_int_ge(
                sd_bus_get_property(bus, "org.framekey1", path, PARTICIPANT, "KeyIds", &error, &reply, "a(ut)"), 0);
        ck_assert_int_gt(sd_bus_message_enter_container(reply, 'a', "(ut)"), 0);
        while (sd_bus_message_read(reply, "(ut)", &index, &kid) > 0)
                if (index == wanted)
                        found = kid;
        return found;
}

/* ImportKey that must be refused with this error. */
static void import_refused(sd_bus *bus, const TestSession *session, const char *identity, const char *secret,
                           const char *name, const char *option, const char *type, uint64_t value) {
        _cleanup_close_ int fd = client_secret(secret);

        if (!option)
                client_fail(bus, session->path, SESSION, "ImportKey", name, "suha{sv}", identity, 0, fd, 0);
        else if (type[0] == 't')
                client_fail(bus, session->path, SESSION, "ImportKey", name, "suha{sv}", identity, 0, fd, 1, option, "t",
                            value);
        else
                client_fail(bus, session->path, SESSION, "ImportKey", name, "suha{sv}", identity, 0, fd, 1, option, "u",
                            (uint32_t)value);
}

static void import(sd_bus *bus, const TestSession *session, const char *identity, uint32_t index, const char *secret) {
        _cleanup_close_ int fd = client_secret(secret);

        client_do(bus, session->path, SESSION, "ImportKey", "suha{sv}", identity, index, fd, 0);
}

static void import_with(sd_bus *bus, const TestSession *session, const char *identity, uint32_t index,
                        const char *secret, const char *option, const char *type, uint64_t value) {
        _cleanup_close_ int fd = client_secret(secret);

        if (type[0] == 't')
                client_do(bus, session->path, SESSION, "ImportKey", "suha{sv}", identity, index, fd, 1, option, "t",
                          value);
        else
                client_do(bus, session->path, SESSION, "ImportKey", "suha{sv}", identity, index, fd, 1, option, type,
                          (int)value);
}

START_TEST(suites_are_chosen_by_name) {
        static const char *const names[] = { "AES_128_CTR_HMAC_SHA256_80", "AES_128_CTR_HMAC_SHA256_64",
                                             "AES_128_CTR_HMAC_SHA256_32", "AES_128_GCM_SHA256_128",
                                             "AES_256_GCM_SHA512_128",     "AES_256_CTR_HMAC_SHA512_80",
                                             "AES_256_CTR_HMAC_SHA512_64", "AES_256_CTR_HMAC_SHA512_32" };
        _client_ bus = client_open();
        TestSession session = client_open_session(bus, "sframe", 0);

        expect_text(bus, session.path, SESSION, "CipherSuite", "AES_128_GCM_SHA256_128");
        expect_text(bus, session.path, SESSION, "KeyMode", "participant");
        ck_assert_uint_eq(client_u32(bus, session.path, SESSION, "RatchetBits"), 0);
        ck_assert_uint_eq(client_u64(bus, session.path, SESSION, "RatchetIntervalUSec"), 0);
        for (size_t i = 0; i < ELEMENTS(names); i++) {
                session = client_open_session(bus, "sframe", 1, "cipher-suite", "s", names[i]);
                expect_text(bus, session.path, SESSION, "CipherSuite", names[i]);
        }
        client_fail(bus, MANAGER_PATH, MANAGER, "OpenSession", INVALID_ARGS, "ssa{sv}", "sframe", "", 1, "cipher-suite",
                    "s", "DAVE_AES_128_GCM_64");
        client_fail(bus, MANAGER_PATH, MANAGER, "OpenSession", INVALID_ARGS, "ssa{sv}", "livekit", "", 1,
                    "cipher-suite", "s", names[3]);
        expect_text(bus, MANAGER_PATH, MANAGER, "CounterState", "kept");
}
END_TEST

START_TEST(options_of_other_formats_are_refused) {
        static const struct {
                const char *profile, *option, *type;
                uint32_t value;
        } sessions[] = { { "sframe", "replay-window", "u", 512 },    { "dave", "ratchet-bits", "u", 8 },
                         { "livekit", "ratchet-bits", "u", 8 },      { "sframe", "iterations", "u", 5 },
                         { "sframe", "ratchet-bits", "u", 2 },       { "sframe", "ratchet-bits", "u", 33 },
                         { "sframe", "mls-index-bits", "u", 8 },     { "sframe", "mls-epoch-bits", "u", 4 },
                         { "realtimekit", "mls-epoch-bits", "u", 4 } };
        _client_ bus = client_open();
        TestSession sframe = client_open_session(bus, "sframe", 0), dave = client_open_session(bus, "dave", 0);
        TestSession livekit = client_open_session(bus, "livekit", 0);

        for (size_t i = 0; i < ELEMENTS(sessions); i++)
                client_fail(bus, MANAGER_PATH, MANAGER, "OpenSession", INVALID_ARGS, "ssa{sv}", sessions[i].profile, "",
                            1, sessions[i].option, sessions[i].type, sessions[i].value);
        client_fail(bus, MANAGER_PATH, MANAGER, "OpenSession", INVALID_ARGS, "ssa{sv}", "sframe", "", 1, "key-mode",
                    "s", "shared");
        add(bus, &sframe, "me", "local");
        add(bus, &dave, "me", "local");
        import_refused(bus, &sframe, "me", KEY_A, INVALID_ARGS, "iterations", "u", 10);
        import_refused(bus, &sframe, "me", KEY_A, INVALID_ARGS, "user-id", "t", 1);
        import_refused(bus, &dave, "me", KEY_A, INVALID_ARGS, "kid", "t", 1);
        import_refused(bus, &dave, "me", KEY_A, INVALID_ARGS, "step", "u", 1);
        import_refused(bus, &sframe, "me", KEY_A, INVALID_ARGS, "step", "u", 1);
        import_refused(bus, &livekit, "", KEY_A, INVALID_ARGS, "ssrc", "u", 1);
        client_fail(bus, sframe.path, SESSION, "AddParticipant", INVALID_ARGS, "ssa{sv}", "you", "remote", 1,
                    "member-index", "t", UINT64_C(3));
}
END_TEST

START_TEST(keys_step_only_where_frames_say_so) {
        _client_ bus = client_open();
        TestSession plain = client_open_session(bus, "sframe", 0), dave = client_open_session(bus, "dave", 0);
        TestSession steps = client_open_session(bus, "sframe", 1, "ratchet-bits", "u", 8);

        client_fail(bus, MANAGER_PATH, MANAGER, "OpenSession", INVALID_ARGS, "ssa{sv}", "sframe", "", 1,
                    "ratchet-frames", "t", UINT64_C(100));
        client_fail(bus, MANAGER_PATH, MANAGER, "OpenSession", INVALID_ARGS, "ssa{sv}", "dave", "", 1,
                    "ratchet-interval-usec", "t", 600 * USEC_PER_SEC);
        ck_assert_uint_gt(client_u64(bus, steps.path, SESSION, "RatchetIntervalUSec"),
                          0); /* the frame tells the step */

        add(bus, &plain, "me", "local");
        add(bus, &dave, "me", "local");
        add(bus, &steps, "me", "local");
        import(bus, &plain, "me", 2, KEY_A);
        import(bus, &dave, "me", 2, KEY_A);
        import(bus, &steps, "me", 2, KEY_A);
        client_fail(bus, plain.path, SESSION, "Ratchet", ERROR("NoSteps"), "sa{sv}", "me", 0);
        client_fail(bus, dave.path, SESSION, "Ratchet", ERROR("NoSteps"), "sa{sv}", "me", 0);
        ck_assert_uint_eq(kid_of(bus, &plain, "me", 2), 2);
        ck_assert_uint_eq(kid_of(bus, &dave, "me", 2), UINT64_MAX);
        ck_assert_uint_eq(kid_of(bus, &steps, "me", 2), 2 << 8);
        client_do(bus, steps.path, SESSION, "Ratchet", "sa{sv}", "me", 0);
        ck_assert_uint_eq(kid_of(bus, &steps, "me", 2), 2 << 8 | 1);
        import_with(bus, &steps, "me", 5, KEY_B, "kid", "t", UINT64_C(0xab00));
        ck_assert_uint_eq(kid_of(bus, &steps, "me", 5), 0xab00);
        import_refused(bus, &steps, "me", KEY_B, INVALID_ARGS, "kid", "t", UINT64_C(0xab01));
}
END_TEST

START_TEST(secrets_have_the_length_of_their_kind) {
        _client_ bus = client_open();
        TestSession sframe = client_open_session(bus, "sframe", 0), dave = client_open_session(bus, "dave", 0);

        add(bus, &sframe, "me", "local");
        add(bus, &dave, "me", "local");
        import_refused(bus, &sframe, "me", "fifteen bytes..", ERROR("SecretInvalid"), NULL, NULL, 0);
        import_refused(bus, &dave, "me", KEY_C, ERROR("SecretInvalid"), NULL, NULL, 0);
        import_refused(bus, &dave, "me", KEY_A, ERROR("SecretInvalid"), "user-id", "t", 1);
        import_with(bus, &dave, "me", 0, KEY_C, "user-id", "t", UINT64_C(158049329150427136));
        import(bus, &sframe, "me", 0, KEY_C);
}
END_TEST

START_TEST(a_key_that_counts_has_one_place_and_one_direction) {
        _client_ bus = client_open();
        TestSession session = client_open_session(bus, "sframe", 0);

        add(bus, &session, "me", "local");
        add(bus, &session, "you", "remote");
        import(bus, &session, "me", 0, "this test's key..");
        import(bus, &session, "me", 0, "this test's key..");
        import_refused(bus, &session, "me", KEY_B, ERROR("KeyExists"), NULL, NULL, 0);
        import_refused(bus, &session, "you", "this test's key..", ERROR("KeyDirection"), NULL, NULL, 0);
        import_with(bus, &session, "me", 0, KEY_B, "replace", "b", 1);
}
END_TEST

START_TEST(members_of_a_group_have_a_place) {
        _client_ bus = client_open();
        TestSession session = client_open_session(bus, "sframe", 2, "mls-index-bits", "u", 6, "mls-epoch-bits", "u", 4);

        expect_text(bus, session.path, SESSION, "KeyMode", "shared");
        ck_assert_uint_eq(client_u32(bus, session.path, SESSION, "RingSize"), 16);
        ck_assert_uint_eq(client_u32(bus, session.path, SESSION, "MlsIndexBits"), 6);
        ck_assert_uint_eq(client_u32(bus, session.path, SESSION, "MlsEpochBits"), 4);
        client_fail(bus, session.path, SESSION, "AddParticipant", ERROR("NoMember"), "ssa{sv}", "me", "local", 0);
        client_fail(bus, session.path, SESSION, "AddParticipant", INVALID_ARGS, "ssa{sv}", "me", "local", 1,
                    "member-index", "t", UINT64_C(64));
        client_do(bus, session.path, SESSION, "AddParticipant", "ssa{sv}", "me", "local", 1, "member-index", "t",
                  UINT64_C(63));
        client_fail(bus, session.path, SESSION, "Join", ERROR("MemberExists"), "sa{sv}", "you", 1, "member-index", "t",
                    UINT64_C(63));
        client_do(bus, session.path, SESSION, "Join", "sa{sv}", "you", 2, "member-index", "t", UINT64_C(63), "context",
                  "t", UINT64_C(1));
        import(bus, &session, "", 3, KEY_A);
        ck_assert_uint_eq(kid_of(bus, &session, "me", 3), 63 << 4 | 3);
        ck_assert_uint_eq(kid_of(bus, &session, "you", 3), 1 << 10 | 63 << 4 | 3);
        client_do(bus, session.path, SESSION, "AddParticipant", "ssa{sv}", "late", "remote", 1, "member-index", "t",
                  UINT64_C(0));
        ck_assert_uint_eq(kid_of(bus, &session, "late", 3), 3);
        import_refused(bus, &session, "", KEY_C, ERROR("SecretInvalid"), NULL, NULL, 0);
        import_refused(bus, &session, "", KEY_A, INVALID_ARGS, "kid", "t", 1);
        client_fail(bus, session.path, SESSION, "Ratchet", ERROR("NoSteps"), "sa{sv}", "", 0);
}
END_TEST

static void expect_unencrypted(sd_bus *bus, const TestSession *session, const char *what) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const char *found;
        uint64_t until;
        char path[256];

        participant_path(session, "you", path);
        ck_assert_int_ge(
                sd_bus_get_property(bus, "org.framekey1", path, PARTICIPANT, "Unencrypted", NULL, &reply, "(st)"), 0);
        ck_assert_int_gt(sd_bus_message_read(reply, "(st)", &found, &until), 0);
        ck_assert_str_eq(found, what);
        ck_assert_int_eq(until == 0, strcmp(what, "nothing") == 0);
}

START_TEST(unencrypted_frames_need_permission_for_a_time) {
        _client_ bus = client_open();
        _client_ other = client_open();
        TestSession dave = client_open_session(bus, "dave", 0), livekit = client_open_session(bus, "livekit", 0);
        const uint64_t second = USEC_PER_SEC, day = 24 * 3600 * USEC_PER_SEC;

        add(bus, &dave, "me", "local");
        add(bus, &dave, "you", "remote");
        expect_unencrypted(bus, &dave, "nothing");
        client_do(bus, dave.path, SESSION, "AllowUnencrypted", "ssta{sv}", "you", "silence", day, 0);
        expect_unencrypted(bus, &dave, "silence");
        client_do(bus, dave.path, SESSION, "AllowUnencrypted", "ssta{sv}", "you", "all", 60 * second, 0);
        expect_unencrypted(bus, &dave, "all");
        client_do(bus, dave.path, SESSION, "AllowUnencrypted", "ssta{sv}", "you", "nothing", UINT64_C(0), 0);
        expect_unencrypted(bus, &dave, "nothing");

        client_fail(bus, dave.path, SESSION, "AllowUnencrypted", INVALID_ARGS, "ssta{sv}", "you", "all", 61 * second,
                    0);
        client_fail(bus, dave.path, SESSION, "AllowUnencrypted", INVALID_ARGS, "ssta{sv}", "you", "silence", day + 1,
                    0);
        client_fail(bus, dave.path, SESSION, "AllowUnencrypted", INVALID_ARGS, "ssta{sv}", "you", "some", second, 0);
        client_fail(bus, dave.path, SESSION, "AllowUnencrypted", ERROR("WrongRole"), "ssta{sv}", "me", "all", second,
                    0);
        client_fail(bus, dave.path, SESSION, "AllowUnencrypted", ERROR("NoSuchParticipant"), "ssta{sv}", "they", "all",
                    second, 0);
        client_fail(bus, livekit.path, SESSION, "AllowUnencrypted", INVALID_ARGS, "ssta{sv}", "you", "all", second, 0);
        client_fail(other, dave.path, SESSION, "AllowUnencrypted", ERROR("NotOwner"), "ssta{sv}", "you", "all", second,
                    0);
        expect_unencrypted(bus, &dave, "nothing");
}
END_TEST

/* ---- a bridge's streams ---- */

START_TEST(a_channel_takes_streams_of_its_owners_other_sessions) {
        _client_ bus = client_open();
        _client_ other = client_open();
        TestSession livekit = client_open_session(bus, "livekit", 0), sframe = client_open_session(bus, "sframe", 0);
        TestSession foreign = client_open_session(other, "sframe", 0);
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *channel = NULL;
        char path[256];

        channel = client_session(bus, livekit.path, "OpenChannel", "a{sv}", 0);
        ck_assert_int_gt(sd_bus_message_skip(channel, NULL), 0);
        (void)snprintf(path, sizeof(path), "%s/channel/1", livekit.path);
        add(bus, &livekit, "in", "remote");
        add(bus, &sframe, "out", "local");
        add(other, &foreign, "out", "local");
        client_do(bus, livekit.path, SESSION, "AddStream", "ossssa{sv}", path, "in", "decrypt", "audio", "opus", 0);
        client_do(bus, sframe.path, SESSION, "AddStream", "ossssa{sv}", path, "out", "encrypt", "audio", "opus", 0);
        client_do(bus, sframe.path, SESSION, "AddStream", "ossssa{sv}", path, "out", "encrypt", "video", "vp8", 0);
        client_fail(other, foreign.path, SESSION, "AddStream", ERROR("NoSuchChannel"), "ossssa{sv}", path, "out",
                    "encrypt", "audio", "opus", 0);
        client_do(bus, sframe.path, SESSION, "RemoveStream", "ou", path, 1);
        client_fail(bus, sframe.path, SESSION, "RemoveStream", ERROR("NoSuchStream"), "ou", path, 1);

        /* Whoever goes takes the streams along, and the channel stays. */
        client_do(bus, sframe.path, SESSION, "RemoveParticipant", "sa{sv}", "out", 0);
        client_fail(bus, livekit.path, SESSION, "RemoveStream", ERROR("NoSuchStream"), "ou", path, 2);
        add(bus, &sframe, "out", "local");
        client_do(bus, sframe.path, SESSION, "AddStream", "ossssa{sv}", path, "out", "encrypt", "audio", "opus", 0);
        client_do(bus, sframe.path, SESSION, "Close", "");
        client_fail(bus, livekit.path, SESSION, "RemoveStream", ERROR("NoSuchStream"), "ou", path, 1);
        client_do(bus, livekit.path, SESSION, "RemoveStream", "ou", path, 0);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("formats");
        TCase *tcase = tcase_create("formats");

        tcase_set_timeout(tcase, 60);
        tcase_add_test(tcase, suites_are_chosen_by_name);
        tcase_add_test(tcase, options_of_other_formats_are_refused);
        tcase_add_test(tcase, keys_step_only_where_frames_say_so);
        tcase_add_test(tcase, secrets_have_the_length_of_their_kind);
        tcase_add_test(tcase, a_key_that_counts_has_one_place_and_one_direction);
        tcase_add_test(tcase, members_of_a_group_have_a_place);
        tcase_add_test(tcase, unencrypted_frames_need_permission_for_a_time);
        tcase_add_test(tcase, a_channel_takes_streams_of_its_owners_other_sessions);
        suite_add_tcase(suite, tcase);
        return client_main(suite);
}
