/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Keys that go from one daemon to another through an app that cannot open them. With the argument
 * "forbidden" on a daemon whose administrator allows no export.
 */
#include "call.h"

#include <stdio.h>

#define PACKAGE_MAX 1024u

typedef struct Bytes {
        uint8_t bytes[PACKAGE_MAX];
        size_t len;
} Bytes;

static void read_bytes(sd_bus_message *message, Bytes *ret) {
        const void *bytes;
        size_t len;

        ck_assert_int_gt(sd_bus_message_read_array(message, 'y', &bytes, &len), 0);
        ck_assert_uint_le(len, sizeof(ret->bytes));
        memcpy(ret->bytes, bytes, len);
        ret->len = len;
}

static void transport_key(sd_bus *bus, const TestSession *session, Bytes *ret, char fingerprint[64]) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply =
                client_session(bus, session->path, "GetTransportKey", NULL);
        const char *text;

        read_bytes(reply, ret);
        ck_assert_uint_eq(ret->len, 32);
        ck_assert_int_gt(sd_bus_message_read(reply, "s", &text), 0);
        (void)snprintf(fingerprint, 64, "%s", text);
}

/* Instead of an index: none, or none and the option activate. */
#define ANY_INDEX -1
#define ACTIVATE  -2

/* A call with bytes in the middle, which varargs do not carry. NULL and the error's name if it was refused. */
static sd_bus_message *call_with(sd_bus *bus, const TestSession *session, const char *member, const char *identity,
                                 const Bytes *bytes, int index, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
        sd_bus_message *reply = NULL;

        ck_assert_int_ge(sd_bus_message_new_method_call(bus, &call, "org.framekey1", session->path, SESSION, member),
                         0);
        ck_assert_int_ge(sd_bus_message_append(call, "s", identity), 0);
        ck_assert_int_ge(sd_bus_message_append_array(call, 'y', bytes->bytes, bytes->len), 0);
        if (index == ANY_INDEX)
                ck_assert_int_ge(sd_bus_message_append(call, "a{sv}", 0), 0);
        else if (index == ACTIVATE)
                ck_assert_int_ge(sd_bus_message_append(call, "a{sv}", 1, "activate", "b", 1), 0);
        else
                ck_assert_int_ge(sd_bus_message_append(call, "a{sv}", 1, "index", "u", index), 0);
        (void)sd_bus_call(bus, call, 0, error, &reply);
        return reply;
}

static void export(sd_bus *bus, const TestSession *session, const char *identity, const Bytes *recipient, int index,
                   Bytes *ret) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply =
                call_with(bus, session, "ExportWrapped", identity, recipient, index, &error);

        ck_assert_msg(reply, "%s: %s", error.name, error.message);
        read_bytes(reply, ret);
        ck_assert_int_eq(memcmp(ret->bytes, "FKW1", 4), 0);
}

static uint32_t import(sd_bus *bus, const TestSession *session, const char *identity, const Bytes *package, int index) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply =
                call_with(bus, session, "ImportWrapped", identity, package, index, &error);
        uint64_t generation;
        uint32_t at;

        ck_assert_msg(reply, "%s: %s", error.name, error.message);
        ck_assert_int_gt(sd_bus_message_read(reply, "ut", &at, &generation), 0);
        ck_assert_uint_gt(generation, 0);
        return at;
}

static void refused(sd_bus *bus, const TestSession *session, const char *member, const char *identity,
                    const Bytes *bytes, int index, const char *name) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply =
                call_with(bus, session, member, identity, bytes, index, &error);

        ck_assert_msg(!reply, "%s for %s was not refused", member, identity);
        ck_assert_msg(strcmp(error.name, name) == 0, "%s for %s: %s: %s", member, identity, error.name, error.message);
        ck_assert_int_eq(error.message[strlen(error.message) - 1], '.');
}

/* Two hosts: "me" sends at the first and is received at the second. */
typedef struct Hosts {
        sd_bus *bus[2];
        TestSession session[2];
        Media media[2];
        uint32_t stream[2];
        Heard heard[2];
        Bytes key[2];
        char fingerprint[2][64];
        char me[2][256];
} Hosts;

static void hosts_open(Hosts *hosts) {
        hosts->bus[0] = client_open();
        hosts->bus[1] = client_open_second();
        for (size_t i = 0; i < 2; i++) {
                hosts->session[i] = client_open_session(hosts->bus[i], "element-call", 0);
                heard_listen(hosts->bus[i], &hosts->session[i], &hosts->heard[i]);
                call_add(hosts->bus[i], &hosts->session[i], "me", i == 0 ? "local" : "remote", hosts->me[i]);
                media_open(hosts->bus[i], &hosts->session[i], &hosts->media[i]);
                hosts->stream[i] = media_add(hosts->bus[i], &hosts->session[i], &hosts->media[i], "me",
                                             i == 0 ? "encrypt" : "decrypt", "audio");
                transport_key(hosts->bus[i], &hosts->session[i], &hosts->key[i], hosts->fingerprint[i]);
        }
        client_do(hosts->bus[0], hosts->session[0].path, SESSION, "GenerateKey", "sua{sv}", "me", 5, 0);
}

static void hosts_close(Hosts *hosts) {
        for (size_t i = 0; i < 2; i++) {
                media_close(&hosts->media[i]);
                hosts->bus[i] = sd_bus_flush_close_unref(hosts->bus[i]);
        }
}
#define _hosts_ _cleanup_(hosts_close) Hosts

/* From the first host to the second; the result of the second. */
static void deliver(Hosts *hosts, uint32_t index, uint32_t step) {
        Frame frame;

        ck_assert_int_eq(media_send(&hosts->media[0], hosts->stream[0], FRAMEKEY_FRAME_UNSPECIFIED, &frame), 0);
        ck_assert_uint_eq(frame.result.key_index, index);
        ck_assert_int_eq(media_receive(&hosts->media[1], hosts->stream[1], &frame), 0);
        ck_assert_uint_eq(frame.result.key_index, index);
        ck_assert_uint_eq(frame.result.step, step);
}

START_TEST(a_key_goes_to_another_daemon_and_is_followed_there) {
        _hosts_ hosts = { 0 };
        uint32_t rotated = 0, requested = 0;
        Bytes package;

        hosts_open(&hosts);
        export(hosts.bus[0], &hosts.session[0], "me", &hosts.key[1], ANY_INDEX, &package);
        ck_assert_uint_eq(import(hosts.bus[1], &hosts.session[1], "me", &package, ANY_INDEX), 5);
        heard_wait(hosts.bus[1], &hosts.heard[1], "KeyInstalled me 5 ");
        deliver(&hosts, 5, 0);
        client_do(hosts.bus[0], hosts.session[0].path, SESSION, "Ratchet", "sa{sv}", "me", 0);
        deliver(&hosts, 5, 1);
        heard_wait(hosts.bus[1], &hosts.heard[1], "KeyRatcheted me 5 1\n");

        /* A fresh key: handed over between KeyInstalled and KeyActivated, and not a frame is lost. */
        call_rotate(hosts.bus[0], &hosts.session[0], "me", &rotated, &requested);
        ck_assert_uint_eq(rotated, 1);
        heard_wait(hosts.bus[0], &hosts.heard[0], "KeyInstalled me 6 ");
        export(hosts.bus[0], &hosts.session[0], "me", &hosts.key[1], 6, &package);
        ck_assert_uint_eq(import(hosts.bus[1], &hosts.session[1], "me", &package, ANY_INDEX), 6);
        deliver(&hosts, 5, 1);
        heard_wait(hosts.bus[0], &hosts.heard[0], "KeyActivated me 6\n");
        deliver(&hosts, 6, 0);
        heard_wait(hosts.bus[1], &hosts.heard[1], "AllFollowed\n");
}
END_TEST

START_TEST(a_package_starts_at_the_step_it_was_made_at) {
        _hosts_ hosts = { 0 };
        Bytes package;
        Frame before;

        hosts_open(&hosts);
        ck_assert_int_eq(media_send(&hosts.media[0], hosts.stream[0], FRAMEKEY_FRAME_UNSPECIFIED, &before), 0);
        client_do(hosts.bus[0], hosts.session[0].path, SESSION, "Ratchet", "sa{sv}", "me", 0);
        export(hosts.bus[0], &hosts.session[0], "me", &hosts.key[1], ANY_INDEX, &package);
        ck_assert_uint_eq(import(hosts.bus[1], &hosts.session[1], "me", &package, ANY_INDEX), 5);
        deliver(&hosts, 5, 1);
        /* What was said before the newcomer came. */
        ck_assert_int_eq(media_receive(&hosts.media[1], hosts.stream[1], &before), FRAMEKEY_VERDICT_FORGED);
}
END_TEST

START_TEST(what_was_unwrapped_is_told_apart) {
        _hosts_ hosts = { 0 };
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const char *origin;
        uint64_t times[3];
        uint32_t index;
        Bytes package;

        hosts_open(&hosts);
        export(hosts.bus[0], &hosts.session[0], "me", &hosts.key[1], ANY_INDEX, &package);
        ck_assert_uint_eq(import(hosts.bus[1], &hosts.session[1], "me", &package, 9), 9);
        ck_assert_int_ge(sd_bus_get_property(hosts.bus[1], "org.framekey1", hosts.me[1], PARTICIPANT, "KeyTimes", NULL,
                                             &reply, "a(usttt)"),
                         0);
        ck_assert_int_gt(sd_bus_message_enter_container(reply, 'a', "(usttt)"), 0);
        ck_assert_int_gt(sd_bus_message_read(reply, "(usttt)", &index, &origin, &times[0], &times[1], &times[2]), 0);
        ck_assert_uint_eq(index, 9);
        ck_assert_str_eq(origin, "unwrapped");
        ck_assert_uint_le(times[0], call_realtime_usec());
        ck_assert_uint_gt(times[0] + 60 * USEC_PER_SEC, call_realtime_usec());
        refused(hosts.bus[1], &hosts.session[1], "ImportWrapped", "me", &package, 256, ERROR("InvalidIndex"));
        refused(hosts.bus[1], &hosts.session[1], "ExportWrapped", "me", &hosts.key[0], ANY_INDEX, ERROR("WrongRole"));
}
END_TEST

START_TEST(a_shared_key_goes_over_and_is_sent_under_at_both_ends) {
        _client_ bus = client_open();
        _client_ second = client_open_second();
        TestSession ours = client_open_session(bus, "livekit", 0), theirs = client_open_session(second, "livekit", 0);
        char fingerprint[64], path[256];
        _media_ media = { 0 };
        Bytes key, package;
        uint32_t stream;
        Frame frame;

        client_do(bus, ours.path, SESSION, "GenerateKey", "sua{sv}", "", 3, 0);
        transport_key(second, &theirs, &key, fingerprint);
        export(bus, &ours, "", &key, 3, &package);
        call_add(second, &theirs, "they", "local", path);
        media_open(second, &theirs, &media);
        stream = media_add(second, &theirs, &media, "they", "encrypt", "audio");
        ck_assert_uint_eq(import(second, &theirs, "", &package, ANY_INDEX), 3);
        ck_assert_int_eq(media_send(&media, stream, FRAMEKEY_FRAME_UNSPECIFIED, &frame), 0);
        ck_assert_uint_eq(frame.result.key_index, 3);

        client_do(bus, ours.path, SESSION, "GenerateKey", "sua{sv}", "", 4, 0);
        export(bus, &ours, "", &key, 4, &package);
        ck_assert_uint_eq(import(second, &theirs, "", &package, ANY_INDEX), 4);
        ck_assert_int_eq(media_send(&media, stream, FRAMEKEY_FRAME_UNSPECIFIED, &frame), 0);
        ck_assert_uint_eq(frame.result.key_index, 3);
        /* The same package again could put a receiver back to an old step. */
        refused(second, &theirs, "ImportWrapped", "", &package, ANY_INDEX, ERROR("WrappedKeyInvalid"));
        export(bus, &ours, "", &key, 4, &package);
        ck_assert_uint_eq(import(second, &theirs, "", &package, ACTIVATE), 4);
        ck_assert_int_eq(media_send(&media, stream, FRAMEKEY_FRAME_UNSPECIFIED, &frame), 0);
        ck_assert_uint_eq(frame.result.key_index, 4);
        refused(second, &theirs, "ImportWrapped", "they", &package, ANY_INDEX, ERROR("WrongKeyMode"));
        refused(second, &theirs, "ExportWrapped", "they", &key, ANY_INDEX, ERROR("WrongKeyMode"));
}
END_TEST

START_TEST(a_package_opens_for_one_daemon_and_one_participant_unchanged) {
        _hosts_ hosts = { 0 };
        TestSession other;
        Bytes package, bad;
        char path[256];

        hosts_open(&hosts);
        other = client_open_session(hosts.bus[1], "realtimekit", 1, "key-mode", "s", "participant");
        call_add(hosts.bus[1], &hosts.session[1], "you", "remote", path);
        call_add(hosts.bus[1], &other, "me", "remote", path);
        call_add(hosts.bus[0], &hosts.session[0], "you", "remote", path);
        export(hosts.bus[0], &hosts.session[0], "me", &hosts.key[1], ANY_INDEX, &package);

        refused(hosts.bus[1], &hosts.session[1], "ImportWrapped", "you", &package, ANY_INDEX,
                ERROR("WrappedKeyInvalid"));
        refused(hosts.bus[1], &other, "ImportWrapped", "me", &package, ANY_INDEX, ERROR("WrappedKeyInvalid"));
        refused(hosts.bus[0], &hosts.session[0], "ImportWrapped", "you", &package, ANY_INDEX,
                ERROR("WrappedKeyInvalid"));
        for (size_t i = 0; i < package.len; i += 7) {
                bad = package;
                bad.bytes[i] ^= 1;
                refused(hosts.bus[1], &hosts.session[1], "ImportWrapped", "me", &bad, ANY_INDEX,
                        ERROR("WrappedKeyInvalid"));
        }
        for (size_t len = 0; len < package.len; len += 11) {
                bad = package;
                bad.len = len;
                refused(hosts.bus[1], &hosts.session[1], "ImportWrapped", "me", &bad, ANY_INDEX,
                        ERROR("WrappedKeyInvalid"));
        }
        ck_assert_uint_eq(client_u32(hosts.bus[1], MANAGER_PATH, MANAGER, "Keys"), 0);
        refused(hosts.bus[0], &hosts.session[0], "ImportWrapped", "me", &package, ANY_INDEX, ERROR("WrongRole"));
        ck_assert_uint_eq(import(hosts.bus[1], &hosts.session[1], "me", &package, ANY_INDEX), 5);
}
END_TEST

START_TEST(only_the_opener_exports_and_the_audit_names_for_whom) {
        _client_ owner = client_open();
        _client_ attached = client_open();
        TestSession session = client_open_session(owner, "element-call", 1, "exclusive", "b", 0);
        Bytes key, package, bad;
        char fingerprint[64], path[256], said[128];

        call_add(owner, &session, "me", "local", path);
        transport_key(owner, &session, &key, fingerprint);
        ck_assert_uint_eq(strlen(fingerprint), 39);
        refused(owner, &session, "ExportWrapped", "me", &key, ANY_INDEX, ERROR("NoSuchKey"));
        client_do(owner, session.path, SESSION, "GenerateKey", "sua{sv}", "me", 0, 0);
        refused(attached, &session, "ExportWrapped", "me", &key, ANY_INDEX, ERROR("NotOwner"));
        client_do(attached, session.path, SESSION, "AttachSession", NULL);
        client_do(attached, session.path, SESSION, "Ratchet", "sa{sv}", "me", 0);
        refused(attached, &session, "ExportWrapped", "me", &key, ANY_INDEX, ERROR("NotOwner"));
        refused(owner, &session, "ExportWrapped", "you", &key, ANY_INDEX, ERROR("NoSuchParticipant"));
        refused(owner, &session, "ExportWrapped", "me", &key, 1, ERROR("NoSuchKey"));
        bad = key;
        bad.len = 31;
        refused(owner, &session, "ExportWrapped", "me", &bad, ANY_INDEX, INVALID_ARGS);
        memset(bad.bytes, 0, sizeof(bad.bytes));
        bad.len = 32;
        refused(owner, &session, "ExportWrapped", "me", &bad, ANY_INDEX, INVALID_ARGS);
        ck_assert_uint_eq(call_logged("audit: export-wrapped", "result=\"ok\"", ""), 0);
        ck_assert(call_logged("audit: export-wrapped", "result=\"NotOwner\"", "") > 0);
        export(owner, &session, "me", &key, ANY_INDEX, &package);
        (void)snprintf(said, sizeof(said), "recipient=\"%s\" uid=", fingerprint);
        ck_assert(call_logged("audit: export-wrapped", said, "") > 0);
        ck_assert(call_logged("audit: export-wrapped", "result=\"ok\"", "") > 0);
}
END_TEST

START_TEST(the_administrator_can_forbid_it) {
        _client_ bus = client_open();
        TestSession session = client_open_session(bus, "element-call", 0);
        char fingerprint[64], path[256];
        Bytes key;

        ck_assert(!client_bool(bus, MANAGER_PATH, MANAGER, "AllowExport"));
        call_add(bus, &session, "me", "local", path);
        client_do(bus, session.path, SESSION, "GenerateKey", "sua{sv}", "me", 0, 0);
        transport_key(bus, &session, &key, fingerprint);
        refused(bus, &session, "ExportWrapped", "me", &key, ANY_INDEX, ERROR("PolicyForbids"));
        ck_assert(call_logged("audit: export-wrapped", "result=\"PolicyForbids\"", "") > 0);
}
END_TEST

int main(int argc, char *argv[]) {
        Suite *suite = suite_create("wrapped");
        TCase *wrapped = tcase_create("wrapped");

        tcase_set_timeout(wrapped, 60);
        if (argc > 1 && strcmp(argv[1], "forbidden") == 0)
                tcase_add_test(wrapped, the_administrator_can_forbid_it);
        else {
                tcase_add_test(wrapped, only_the_opener_exports_and_the_audit_names_for_whom);
                tcase_add_test(wrapped, a_key_goes_to_another_daemon_and_is_followed_there);
                tcase_add_test(wrapped, a_package_starts_at_the_step_it_was_made_at);
                tcase_add_test(wrapped, what_was_unwrapped_is_told_apart);
                tcase_add_test(wrapped, a_shared_key_goes_over_and_is_sent_under_at_both_ends);
                tcase_add_test(wrapped, a_package_opens_for_one_daemon_and_one_participant_unchanged);
        }
        suite_add_tcase(suite, wrapped);
        return client_main(suite);
}
