/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Security codes of two daemons that share nothing: the same when both hold the same keys in use, and only
 * then. Every code is written to the file "codes" of the test's directory, for codes.sh to look elsewhere for.
 */
#include "call.h"

#include <stdio.h>
#include <time.h>

typedef struct Code {
        char digits[32];
        char keys[512]; /* "me 5 0 0, you ...": participant, index, KID, step */
} Code;

static void note(const char *digits) {
        char path[256];
        FILE *file;

        (void)snprintf(path, sizeof(path), "%s/codes", getenv("FRAMEKEYD_DIR"));
        file = fopen(path, "ae");
        ck_assert_ptr_nonnull(file);
        (void)fprintf(file, "%s\n", digits);
        (void)fclose(file);
}

/* One attempt. False: codes are rationed, and this one came too soon. */
static bool ask(sd_bus *bus, const TestSession *session, Code *ret) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const char *digits, *participant;
        uint32_t index, step;
        uint64_t kid;
        char *end = ret->keys;
        int r;

        r = sd_bus_call_method(bus, "org.framekey1", session->path, SESSION, "GetSecurityCode", &error, &reply, "a{sv}",
                               0);
        if (r < 0) {
                ck_assert_msg(strcmp(error.name, ERROR("Busy")) == 0, "%s: %s", error.name, error.message);
                return false;
        }
        ck_assert_int_gt(sd_bus_message_read(reply, "s", &digits), 0);
        ck_assert_int_gt(sd_bus_message_enter_container(reply, 'a', "(sutu)"), 0);
        ret->keys[0] = '\0';
        while (sd_bus_message_read(reply, "(sutu)", &participant, &index, &kid, &step) > 0)
                end += snprintf(end, sizeof(ret->keys) - (size_t)(end - ret->keys), "%s%s %u %u %u",
                                end > ret->keys ? ", " : "", participant, index, (unsigned)kid, step);
        (void)snprintf(ret->digits, sizeof(ret->digits), "%s", digits);
        ck_assert_uint_eq(strlen(digits), 23);
        note(digits);
        return true;
}

static Code code_of(sd_bus *bus, const TestSession *session) {
        const struct timespec wait = { .tv_nsec = 100 * 1000 * 1000 };
        Code code;

        for (unsigned tries = 0; !ask(bus, session, &code); tries++) {
                ck_assert_uint_lt(tries, 100);
                (void)nanosleep(&wait, NULL);
        }
        return code;
}

/* "me" sends at the first host and is received at the second, "you" the other way round. */
typedef struct Hosts {
        sd_bus *bus[2];
        TestSession session[2];
        Media media[2];
        uint32_t stream[2];
        Heard heard[2];
} Hosts;

static void hosts_open(Hosts *hosts, const char *profile) {
        char path[256];

        hosts->bus[0] = client_open();
        hosts->bus[1] = client_open_second();
        for (size_t i = 0; i < 2; i++) {
                hosts->session[i] = client_open_session(hosts->bus[i], profile, 0);
                heard_listen(hosts->bus[i], &hosts->session[i], &hosts->heard[i]);
                call_add(hosts->bus[i], &hosts->session[i], "me", i == 0 ? "local" : "remote", path);
                call_add(hosts->bus[i], &hosts->session[i], "you", i == 1 ? "local" : "remote", path);
                media_open(hosts->bus[i], &hosts->session[i], &hosts->media[i]);
                hosts->stream[i] = media_add(hosts->bus[i], &hosts->session[i], &hosts->media[i], "me",
                                             i == 0 ? "encrypt" : "decrypt", "audio");
        }
}

static void hosts_close(Hosts *hosts) {
        for (size_t i = 0; i < 2; i++) {
                media_close(&hosts->media[i]);
                hosts->bus[i] = sd_bus_flush_close_unref(hosts->bus[i]);
        }
}
#define _hosts_ _cleanup_(hosts_close) Hosts

static void put_both(const Hosts *hosts, const char *participant, uint32_t index, const char *key) {
        for (size_t i = 0; i < 2; i++)
                client_import(hosts->bus[i], hosts->session[i].path, participant, index, key);
}

static void deliver(const Hosts *hosts) {
        Frame frame;

        ck_assert_int_eq(media_send(&hosts->media[0], hosts->stream[0], FRAMEKEY_FRAME_UNSPECIFIED, &frame), 0);
        ck_assert_int_eq(media_receive(&hosts->media[1], hosts->stream[1], &frame), 0);
}

static Code check_equal(const Hosts *hosts, const char *keys) {
        Code first = code_of(hosts->bus[0], &hosts->session[0]), second = code_of(hosts->bus[1], &hosts->session[1]);

        ck_assert_str_eq(first.keys, keys);
        ck_assert_str_eq(second.keys, keys);
        ck_assert_str_eq(first.digits, second.digits);
        return first;
}

static void check_differ(const Hosts *hosts, const char *first_keys, const char *second_keys) {
        Code first = code_of(hosts->bus[0], &hosts->session[0]), second = code_of(hosts->bus[1], &hosts->session[1]);

        ck_assert_str_eq(first.keys, first_keys);
        ck_assert_str_eq(second.keys, second_keys);
        ck_assert_str_ne(first.digits, second.digits);
}

START_TEST(two_daemons_with_the_same_keys_have_the_same_code) {
        _hosts_ hosts = { 0 };
        Code before, after;

        hosts_open(&hosts, "element-call");
        client_fail(hosts.bus[0], hosts.session[0].path, SESSION, "GetSecurityCode", ERROR("NoSuchKey"), "a{sv}", 0);
        client_fail(hosts.bus[0], hosts.session[0].path, SESSION, "GetSecurityCode", INVALID_ARGS, "a{sv}", 1, "words",
                    "b", 1);
        put_both(&hosts, "me", 0, "the first passphrase");
        put_both(&hosts, "you", 0, "the second passphrase");
        before = check_equal(&hosts, "me 0 0 0, you 0 0 0");
        put_both(&hosts, "you", 0, "another passphrase");
        after = check_equal(&hosts, "me 0 0 0, you 0 0 0");
        ck_assert_str_ne(before.digits, after.digits);
        client_import(hosts.bus[1], hosts.session[1].path, "you", 0, "mistyped");
        check_differ(&hosts, "me 0 0 0, you 0 0 0", "me 0 0 0, you 0 0 0");
}
END_TEST

START_TEST(steps_and_rotations_are_seen_until_both_have_them) {
        _hosts_ hosts = { 0 };

        hosts_open(&hosts, "element-call");
        put_both(&hosts, "me", 0, "the first passphrase");
        client_do(hosts.bus[0], hosts.session[0].path, SESSION, "Ratchet", "sa{sv}", "me", 0);
        check_differ(&hosts, "me 0 0 1", "me 0 0 0");
        deliver(&hosts);
        check_equal(&hosts, "me 0 0 1");
        put_both(&hosts, "me", 1, "the next passphrase");
        check_equal(&hosts, "me 0 0 1"); /* nobody sends under it yet */
        client_do(hosts.bus[0], hosts.session[0].path, SESSION, "Activate", "sua{sv}", "me", 1, 0);
        check_differ(&hosts, "me 1 0 0", "me 0 0 1");
        deliver(&hosts);
        check_equal(&hosts, "me 1 0 0");
}
END_TEST

START_TEST(a_shared_key_counts_for_each_who_sends) {
        _hosts_ hosts = { 0 };

        hosts_open(&hosts, "livekit");
        put_both(&hosts, "", 2, "the passphrase of the room");
        check_equal(&hosts, "me 2 0 0, you 2 0 0");
        client_do(hosts.bus[0], hosts.session[0].path, SESSION, "Ratchet", "sa{sv}", "", 0);
        check_differ(&hosts, "me 2 0 1, you 2 0 0", "me 2 0 0, you 2 0 0");
        deliver(&hosts);
        check_equal(&hosts, "me 2 0 1, you 2 0 0");
}
END_TEST

/* From the first host to the second, as an app forwards it. */
static void hand_over(const Hosts *hosts, const char *participant) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *key = NULL, *export = NULL, *package = NULL, *import = NULL;
        const void *bytes;
        size_t len;

        key = client_session(hosts->bus[1], hosts->session[1].path, "GetTransportKey", NULL);
        ck_assert_int_gt(sd_bus_message_read_array(key, 'y', &bytes, &len), 0);
        ck_assert_int_ge(sd_bus_message_new_method_call(hosts->bus[0], &export, "org.framekey1", hosts->session[0].path,
                                                        SESSION, "ExportWrapped"),
                         0);
        ck_assert_int_ge(sd_bus_message_append(export, "s", participant), 0);
        ck_assert_int_ge(sd_bus_message_append_array(export, 'y', bytes, len), 0);
        ck_assert_int_ge(sd_bus_message_append(export, "a{sv}", 0), 0);
        ck_assert_int_ge(sd_bus_call(hosts->bus[0], export, 0, NULL, &package), 0);
        ck_assert_int_gt(sd_bus_message_read_array(package, 'y', &bytes, &len), 0);
        ck_assert_int_ge(sd_bus_message_new_method_call(hosts->bus[1], &import, "org.framekey1", hosts->session[1].path,
                                                        SESSION, "ImportWrapped"),
                         0);
        ck_assert_int_ge(sd_bus_message_append(import, "s", participant), 0);
        ck_assert_int_ge(sd_bus_message_append_array(import, 'y', bytes, len), 0);
        ck_assert_int_ge(sd_bus_message_append(import, "a{sv}", 0), 0);
        ck_assert_int_ge(sd_bus_call(hosts->bus[1], import, 0, NULL, NULL), 0);
}

START_TEST(wrapped_keys_are_compared_like_others) {
        _hosts_ hosts = { 0 };

        hosts_open(&hosts, "element-call");
        client_do(hosts.bus[0], hosts.session[0].path, SESSION, "GenerateKey", "sua{sv}", "me", 5, 0);
        client_do(hosts.bus[0], hosts.session[0].path, SESSION, "Ratchet", "sa{sv}", "me", 0);
        hand_over(&hosts, "me");
        check_equal(&hosts, "me 5 0 1");
        deliver(&hosts);
        client_do(hosts.bus[0], hosts.session[0].path, SESSION, "Ratchet", "sa{sv}", "me", 0);
        deliver(&hosts);
        check_equal(&hosts, "me 5 0 2");
}
END_TEST

START_TEST(wrapped_keys_of_sframe_too) {
        _hosts_ hosts = { 0 };

        hosts_open(&hosts, "sframe");
        client_do(hosts.bus[0], hosts.session[0].path, SESSION, "GenerateKey", "sua{sv}", "me", 5, 0);
        hand_over(&hosts, "me");
        deliver(&hosts);
        check_equal(&hosts, "me 5 5 0");
}
END_TEST

START_TEST(codes_are_rationed_and_others_wait_for_none) {
        _client_ bus = client_open();
        TestSession session = client_open_session(bus, "element-call", 0);
        char path[256];
        unsigned n = 0;
        Code code;

        call_add(bus, &session, "me", "local", path);
        client_import(bus, session.path, "me", 0, "passphrase");
        while (n < 50 && ask(bus, &session, &code))
                n++;
        ck_assert_uint_ge(n, 2); /* on a slow machine some are earned meanwhile */
        ck_assert_uint_lt(n, 50);
        ck_assert(call_logged("audit: security-code", "result=\"Busy\"", session.id) > 0);
        ck_assert_uint_eq(call_logged("audit: security-code", "result=\"ok\"", session.id), n);
}
END_TEST

START_TEST(other_users_learn_nothing_and_the_same_user_may_look) {
        _client_ owner = client_open();
        _client_ again = client_open();
        _client_ foreign = client_open_as(FOREIGN_UID);
        TestSession session = client_open_session(owner, "element-call", 0);
        _cleanup_free_ char *of_session = NULL, *of_nothing = NULL;
        Code mine, same;
        char path[256];

        call_add(owner, &session, "me", "local", path);
        client_import(owner, session.path, "me", 0, "passphrase");
        mine = code_of(owner, &session);
        same = code_of(again, &session);
        ck_assert_str_eq(mine.digits, same.digits);
        of_session =
                client_refused(foreign, session.path, SESSION, "GetSecurityCode", ERROR("NoSuchSession"), "a{sv}", 0);
        of_nothing = client_refused(foreign, "/org/framekey1/session/absent", SESSION, "GetSecurityCode",
                                    ERROR("NoSuchSession"), "a{sv}", 0);
        ck_assert_str_eq(of_session, of_nothing);
        ck_assert_uint_eq(call_logged("audit: security-code", "result=\"ok\"", session.id), 2);
}
END_TEST

START_TEST(a_call_ends_with_its_session) {
        _client_ bus = client_open();
        TestSession session = client_open_session(bus, "element-call", 0);
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL, *reply = NULL;
        char path[256];
        uint64_t cookie;
        int r = 0;

        call_add(bus, &session, "me", "local", path);
        client_import(bus, session.path, "me", 0, "passphrase");
        ck_assert_int_ge(
                sd_bus_message_new_method_call(bus, &call, "org.framekey1", session.path, SESSION, "GetSecurityCode"),
                0);
        ck_assert_int_ge(sd_bus_message_append(call, "a{sv}", 0), 0);
        ck_assert_int_ge(sd_bus_send(bus, call, &cookie), 0);
        client_do(bus, session.path, SESSION, "Close", NULL);
        while (r >= 0 && !reply) {
                r = sd_bus_process(bus, &reply);
                if (r == 0)
                        r = sd_bus_wait(bus, 10 * USEC_PER_SEC);
        }
        /* Closed before the code was there, or, on another's time, after. */
        if (reply && sd_bus_message_is_method_error(reply, NULL))
                ck_assert(sd_bus_message_is_method_error(reply, ERROR("NoSuchSession")));
        ck_assert_uint_eq(call_logged("audit: security-code", "result=\"", session.id), 1);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("codes");
        TCase *codes = tcase_create("codes");

        tcase_set_timeout(codes, 120);
        tcase_add_test(codes, two_daemons_with_the_same_keys_have_the_same_code);
        tcase_add_test(codes, steps_and_rotations_are_seen_until_both_have_them);
        tcase_add_test(codes, a_shared_key_counts_for_each_who_sends);
        tcase_add_test(codes, wrapped_keys_are_compared_like_others);
        tcase_add_test(codes, wrapped_keys_of_sframe_too);
        tcase_add_test(codes, codes_are_rationed_and_others_wait_for_none);
        tcase_add_test(codes, a_call_ends_with_its_session);
        if (client_is_root())
                tcase_add_test(codes, other_users_learn_nothing_and_the_same_user_may_look);
        suite_add_tcase(suite, codes);
        return client_main(suite);
}
