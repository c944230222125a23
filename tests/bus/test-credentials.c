/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ImportCredential: which keys it makes, what is no name, and whose sessions it reaches. See credentials.sh. */
#include "call.h"

#include <stdio.h>

#define SECRET "correct horse battery staple"

static void import(sd_bus *bus, const char *session, uint32_t index, const char *name) {
        client_do(bus, session, SESSION, "ImportCredential", "susa{sv}", "", index, name, 1, "iterations", "u", 1);
}

static void refused(sd_bus *bus, const char *session, const char *name, const char *error) {
        client_fail(bus, session, SESSION, "ImportCredential", error, "susa{sv}", "", 1, name, 0);
}

START_TEST(a_credential_is_the_key_that_its_bytes_are) {
        _client_ bus = client_open();
        TestSession sender = client_open_session(bus, "livekit", 0), receiver = client_open_session(bus, "livekit", 0);
        _media_ out = { 0 };
        _media_ in = { 0 };
        uint32_t sealing, opening;
        Frame frame;
        char path[256];

        call_add(bus, &sender, "me", "local", path);
        call_add(bus, &receiver, "me", "remote", path);
        import(bus, sender.path, 2, "standup");
        (void)client_import(bus, receiver.path, "", 2, SECRET);
        media_open(bus, &sender, &out);
        media_open(bus, &receiver, &in);
        sealing = media_add(bus, &sender, &out, "me", "encrypt", "audio");
        opening = media_add(bus, &receiver, &in, "me", "decrypt", "audio");
        ck_assert_int_eq(media_send(&out, sealing, FRAMEKEY_FRAME_UNSPECIFIED, &frame), 0);
        ck_assert_int_eq(media_receive(&in, opening, &frame), 0);
        (void)client_import(bus, receiver.path, "", 2, SECRET "\n");
        ck_assert_int_eq(media_send(&out, sealing, FRAMEKEY_FRAME_UNSPECIFIED, &frame), 0);
        ck_assert_int_eq(media_receive(&in, opening, &frame), FRAMEKEY_VERDICT_FORGED);
        ck_assert_uint_eq(call_logged("audit: import-credential", sender.id, "credential=\"standup\" uid="), 1);
}
END_TEST

START_TEST(options_are_those_of_import_key) {
        _client_ bus = client_open();
        TestSession session = client_open_session(bus, "livekit", 0);

        client_do(bus, session.path, SESSION, "ImportCredential", "susa{sv}", "", 0, "standup", 2, "iterations", "u",
                  1000, "activate", "b", 1);
        client_fail(bus, session.path, SESSION, "ImportCredential", INVALID_ARGS, "susa{sv}", "", 0, "standup", 1,
                    "colour", "s", "red");
        client_fail(bus, session.path, SESSION, "ImportCredential", ERROR("InvalidIndex"), "susa{sv}", "", 16,
                    "standup", 0);
        client_fail(bus, session.path, SESSION, "ImportCredential", ERROR("NoSuchParticipant"), "susa{sv}", "nobody", 0,
                    "standup", 0);
        client_do(bus, session.path, SESSION, "ImportCredential", "susa{sv}", "", 1, "empty", 1, "allow-empty", "b", 1);
}
END_TEST

START_TEST(names_are_no_paths) {
        static const char *const names[] = {
                "",          ".",   "..",        "../outside",  "/etc/hostname", "directory/x",
                "./standup", "a:b", "stand\nup", "caf\xc3\xa9", "\x7f"
        };
        _client_ bus = client_open();
        TestSession session = client_open_session(bus, "livekit", 0);
        char longest[257];

        for (size_t i = 0; i < ELEMENTS(names); i++)
                refused(bus, session.path, names[i], INVALID_ARGS);
        memset(longest, 'a', sizeof(longest) - 1);
        longest[256] = '\0';
        refused(bus, session.path, longest, INVALID_ARGS);
        longest[255] = '\0';
        refused(bus, session.path, longest, ERROR("CredentialNotFound"));
        ck_assert_uint_eq(client_u32(bus, MANAGER_PATH, MANAGER, "Keys"), 0);
}
END_TEST

START_TEST(only_plain_files_of_a_bearable_size_are_read) {
        static const struct {
                const char *name, *error;
        } rows[] = {
                { "absent", ERROR("CredentialNotFound") },    { "link", ERROR("CredentialNotFound") },
                { "directory", ERROR("CredentialNotFound") }, { "pipe", ERROR("CredentialNotFound") },
                { "empty", ERROR("SecretInvalid") },          { "long", ERROR("SecretInvalid") },
        };
        _client_ bus = client_open();
        TestSession session = client_open_session(bus, "livekit", 0);

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                refused(bus, session.path, rows[i].name, rows[i].error);
                ck_assert_uint_eq(call_logged("audit: import-credential", session.id, rows[i].name), 1);
        }
        import(bus, session.path, 0, "limit");
}
END_TEST

START_TEST(credentials_are_the_administrators) {
        _client_ owner = client_open_as(FOREIGN_UID);
        _client_ same_user = client_open_as(FOREIGN_UID);
        _client_ stranger = client_open_as(1);
        _client_ root = client_open();
        TestSession session = client_open_session(owner, "livekit", 0);

        refused(owner, session.path, "standup", ERROR("PolicyForbids"));
        /* No difference between what is there and what is not. */
        refused(owner, session.path, "absent", ERROR("PolicyForbids"));
        refused(same_user, session.path, "standup", ERROR("NotOwner"));
        refused(stranger, session.path, "standup", ERROR("NoSuchSession"));
        import(root, session.path, 0, "standup");
        ck_assert_uint_eq(call_logged("audit: import-credential", session.id, "result=\"PolicyForbids\""), 2);
        client_do(root, MANAGER_PATH, MANAGER, "Lock", "bs", 1, "a test");
        refused(root, session.path, "standup", ERROR("Locked"));
        client_do(root, MANAGER_PATH, MANAGER, "Lock", "bs", 0, "a test");
}
END_TEST

int main(void) {
        Suite *suite = suite_create("credentials");
        TCase *one = tcase_create("one user"), *several = tcase_create("several users");

        tcase_add_test(one, a_credential_is_the_key_that_its_bytes_are);
        tcase_add_test(one, options_are_those_of_import_key);
        tcase_add_test(one, names_are_no_paths);
        tcase_add_test(one, only_plain_files_of_a_bearable_size_are_read);
        suite_add_tcase(suite, one);
        tcase_add_test(several, credentials_are_the_administrators);
        if (client_is_root())
                suite_add_tcase(suite, several);
        return client_main(suite);
}
