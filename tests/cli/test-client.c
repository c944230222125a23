/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libframekey-bus against a running daemon (test-client.sh starts one): results, errors, events,
 * descriptors.
 */
#include <framekey-bus.h>

#include "util/util.h"

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>

static const char secret[] = "0123456789abcdef";
static framekey_client *client;

static void setup(void) {
        char *error = NULL;

        ck_assert_msg(framekey_client_open(&client, FRAMEKEY_BUS_SYSTEM, NULL, &error) == 0, "%s", error);
}

static void teardown(void) {
        client = framekey_client_free(client);
}

static framekey_session *open_session(const char *const *options) {
        framekey_session *session = NULL;
        int r = framekey_session_open(client, "livekit-bytes", "test", options, &session);

        ck_assert_msg(r == 0, "%s", framekey_client_error(client));
        return session;
}

static void import(framekey_session *session, uint32_t index) {
        int r = framekey_session_import_key(session, NULL, index, secret, sizeof(secret), NULL);

        ck_assert_msg(r == 0, "%s", framekey_client_error(client));
}

static unsigned count_fds(void) {
        DIR *directory = opendir("/proc/self/fd");
        unsigned n = 0;

        ck_assert_ptr_nonnull(directory);
        while (readdir(directory))
                n++;
        (void)closedir(directory);
        return n;
}

static void assert_error(int r, int expected, const char *name) {
        ck_assert_int_eq(r, expected);
        ck_assert_str_eq(framekey_client_error_name(client), name);
        ck_assert_str_ne(framekey_client_error(client), "");
}
#define ERROR(name) "org.framekey1.Error." name

/* ---- errors ---- */

START_TEST(each_refusal_has_its_errno_and_its_sentence) {
        framekey_session *session = open_session(NULL), *none = NULL;
        uint32_t number = 77;
        char *path = NULL;
        framekey_channel *channel = NULL;

        assert_error(framekey_session_open(client, "nonsense", "", NULL, &none), -ENOPROTOOPT, ERROR("NoSuchProfile"));
        assert_error(framekey_session_attach(client, "absent", &none), -ENXIO, ERROR("NoSuchSession"));
        ck_assert_ptr_null(none);
        assert_error(framekey_session_activate(session, NULL, 3, NULL), -ENOKEY, ERROR("NoSuchKey"));
        assert_error(framekey_session_ratchet(session, NULL, 3, &number), -ENOKEY, ERROR("NoSuchKey"));
        ck_assert_uint_eq(number, 77);
        assert_error(framekey_session_activate(session, NULL, 16, NULL), -ERANGE, ERROR("InvalidIndex"));
        assert_error(framekey_session_retire_key(session, "somebody", 0), -ESRCH, ERROR("NoSuchParticipant"));
        assert_error(framekey_session_remove_participant(session, "somebody", NULL), -ESRCH,
                     ERROR("NoSuchParticipant"));
        ck_assert_int_eq(framekey_session_add_participant(session, "me", FRAMEKEY_LOCAL, NULL), 0);
        ck_assert_str_eq(framekey_client_error(client), "");
        ck_assert_str_eq(framekey_client_error_name(client), "");
        assert_error(framekey_session_add_participant(session, "me", FRAMEKEY_REMOTE, NULL), -ENOTUNIQ,
                     ERROR("ParticipantExists"));
        assert_error(framekey_session_import_key(session, "me", 0, secret, sizeof(secret), NULL), -EPROTOTYPE,
                     ERROR("WrongKeyMode"));
        assert_error(framekey_session_import_key(session, NULL, 0, secret, 0, NULL), -EKEYREJECTED,
                     ERROR("SecretInvalid"));
        ck_assert_int_eq(framekey_session_open_channel(session, NULL, &channel, &path), 0);
        assert_error(framekey_session_add_stream(session, path, "me", FRAMEKEY_DECRYPT, FRAMEKEY_MEDIA_AUDIO,
                                                 FRAMEKEY_CODEC_OPUS, NULL, &number),
                     -EMEDIUMTYPE, ERROR("WrongRole"));
        assert_error(framekey_session_add_stream(session, "/org/framekey1/nothing", "me", FRAMEKEY_ENCRYPT,
                                                 FRAMEKEY_MEDIA_AUDIO, FRAMEKEY_CODEC_OPUS, NULL, &number),
                     -ENODEV, ERROR("NoSuchChannel"));
        assert_error(framekey_session_remove_stream(session, path, 5), -ENOENT, ERROR("NoSuchStream"));
        ck_assert_uint_eq(number, 77);
        free(path);
        framekey_channel_free(channel);
        framekey_session_close(session);
}
END_TEST

START_TEST(options_are_refused_before_anything_is_sent) {
        static const struct {
                const char *option, *part;
        } table[] = {
                { "colour=blue", "no option 'colour'" },
                { "ring", "no option 'ring'" },
                { "=1", "no option ''" },
                { "ring-size", "needs a value" },
                { "ring-size=", "decimal number" },
                { "ring-size=0x10", "decimal number" },
                { "ring-size=+1", "decimal number" },
                { "ring-size= 1", "decimal number" },
                { "ring-size=1 ", "decimal number" },
                { "ring-size=4294967296", "that large" },
                { "linger=1", "'yes' or 'no'" },
                { "grace-usec=18446744073709551616", "that large" },
                { "salt=0", "hex digits" },
                { "salt=0x", "hex digits" },
        };
        framekey_session *session = NULL;

        for (size_t i = 0; i < ELEMENTS(table); i++) {
                const char *options[] = { table[i].option, NULL };

                ck_assert_int_eq(framekey_session_open(client, "livekit", "", options, &session), -EINVAL);
                ck_assert_msg(strstr(framekey_client_error(client), table[i].part), "%s: %s", table[i].option,
                              framekey_client_error(client));
                ck_assert_str_eq(framekey_client_error_name(client), "");
        }
}
END_TEST

START_TEST(options_of_every_type_arrive) {
        const char *options[] = { "key-mode=participant",
                                  "ring-size=256",
                                  "ratchet-window=3",
                                  "grace-usec=3600000000",
                                  "replay-window=256",
                                  "server-trailer=00FFab",
                                  "exclusive=no",
                                  "linger=no",
                                  "kdf=hkdf",
                                  "salt=",
                                  "info=00",
                                  "iterations=1000",
                                  "key-bits=256",
                                  NULL };
        framekey_session *session = open_session(options);
        sd_bus *bus = framekey_client_get_bus(client);
        const char *path = framekey_session_get_path(session);
        _cleanup_free_ char *mode = NULL;
        uint32_t ring_size, window;
        uint64_t grace;

        ck_assert_int_ge(
                sd_bus_get_property_string(bus, "org.framekey1", path, "org.framekey1.Session", "KeyMode", NULL, &mode),
                0);
        ck_assert_str_eq(mode, "participant");
        ck_assert_int_ge(sd_bus_get_property_trivial(bus, "org.framekey1", path, "org.framekey1.Session", "RingSize",
                                                     NULL, 'u', &ring_size),
                         0);
        ck_assert_uint_eq(ring_size, 256);
        ck_assert_int_ge(sd_bus_get_property_trivial(bus, "org.framekey1", path, "org.framekey1.Session",
                                                     "RatchetWindow", NULL, 'u', &window),
                         0);
        ck_assert_uint_eq(window, 3);
        ck_assert_int_ge(sd_bus_get_property_trivial(bus, "org.framekey1", path, "org.framekey1.Session", "GraceUSec",
                                                     NULL, 't', &grace),
                         0);
        ck_assert_uint_eq(grace, UINT64_C(3600000000));
        framekey_session_close(session);
}
END_TEST

/* ---- secrets ---- */

START_TEST(secrets_up_to_4096_bytes_are_taken) {
        framekey_session *session = open_session(NULL);
        uint8_t bytes[4097] = { 1 };

        ck_assert_int_eq(framekey_session_import_key(session, NULL, 0, bytes, 1, NULL), 0);
        ck_assert_int_eq(framekey_session_import_key(session, NULL, 1, bytes, 4096, NULL), 0);
        ck_assert_int_eq(framekey_session_import_key(session, NULL, 2, bytes, 4097, NULL), -EMSGSIZE);
        framekey_session_close(session);
}
END_TEST

START_TEST(secrets_come_from_pipes_and_sealed_memfds_only) {
        framekey_session *session = open_session(NULL);
        int sealed = memfd_create("secret", MFD_CLOEXEC | MFD_ALLOW_SEALING), fds[2];
        int open_memfd = memfd_create("secret", MFD_CLOEXEC | MFD_ALLOW_SEALING);

        ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
        ck_assert_int_eq(write(fds[1], secret, sizeof(secret)), sizeof(secret));
        (void)close(fds[1]);
        ck_assert_int_eq(framekey_session_import_key_fd(session, NULL, 0, fds[0], NULL), 0);
        ck_assert_int_eq(close(fds[0]), 0); /* still ours */

        ck_assert_int_eq(write(sealed, secret, sizeof(secret)), sizeof(secret));
        ck_assert_int_eq(fcntl(sealed, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE), 0);
        ck_assert_int_eq(framekey_session_import_key_fd(session, NULL, 1, sealed, NULL), 0);
        ck_assert_int_eq(close(sealed), 0);

        ck_assert_int_eq(write(open_memfd, secret, sizeof(secret)), sizeof(secret));
        assert_error(framekey_session_import_key_fd(session, NULL, 2, open_memfd, NULL), -EKEYREJECTED,
                     ERROR("SecretInvalid"));
        (void)close(open_memfd);
        framekey_session_close(session);
}
END_TEST

START_TEST(keys_can_be_made_in_the_daemon) {
        framekey_session *session = open_session(NULL);
        uint32_t step = 0;

        ck_assert_int_eq(framekey_session_generate_key(session, NULL, 5, NULL), 0);
        ck_assert_int_eq(framekey_session_activate(session, "", 5, NULL), 0);
        ck_assert_int_eq(framekey_session_ratchet(session, NULL, UINT32_MAX, &step), 0);
        ck_assert_uint_eq(step, 1);
        ck_assert_int_eq(framekey_session_ratchet(session, NULL, 5, NULL), 0);
        ck_assert_int_eq(framekey_session_retire_key(session, NULL, 5), 0);
        framekey_session_close(session);
}
END_TEST

static uint64_t get_u64(framekey_session *session, const char *property) {
        uint64_t value = 77;

        ck_assert_int_ge(sd_bus_get_property_trivial(framekey_client_get_bus(client), "org.framekey1",
                                                     framekey_session_get_path(session), "org.framekey1.Session",
                                                     property, NULL, 't', &value),
                         0);
        return value;
}

START_TEST(a_ratchet_policy_is_set_in_parts) {
        framekey_session *session = open_session(NULL);

        ck_assert_int_eq(framekey_session_set_ratchet(session, 60 * USEC_PER_SEC, 1000, 0), 0);
        ck_assert_uint_eq(get_u64(session, "RatchetIntervalUSec"), 60 * USEC_PER_SEC);
        ck_assert_uint_eq(get_u64(session, "RatchetFrames"), 1000);
        ck_assert_uint_eq(get_u64(session, "RatchetBytes"), 0);
        ck_assert_int_eq(framekey_session_set_ratchet(session, UINT64_MAX, UINT64_MAX, 5000), 0);
        ck_assert_uint_eq(get_u64(session, "RatchetIntervalUSec"), 60 * USEC_PER_SEC);
        ck_assert_uint_eq(get_u64(session, "RatchetFrames"), 1000);
        ck_assert_uint_eq(get_u64(session, "RatchetBytes"), 5000);
        ck_assert_int_eq(framekey_session_set_ratchet(session, 1, 7, 7), -EACCES);
        ck_assert_str_ne(framekey_client_error(client), "");
        ck_assert_uint_eq(get_u64(session, "RatchetFrames"), 1000);
        ck_assert_int_eq(framekey_session_set_ratchet(session, 0, 0, 0), 0);
        ck_assert_uint_eq(get_u64(session, "RatchetIntervalUSec"), 0);
        framekey_session_close(session);
}
END_TEST

/* ---- wrapped ---- */

/* A session with participant keys, in which alice sends or is received from. */
static framekey_session *open_with_alice(enum framekey_role role) {
        const char *options[] = { "key-mode=participant", "exclusive=no", NULL };
        framekey_session *session = open_session(options);

        ck_assert_int_eq(framekey_session_add_participant(session, "alice", role, NULL), 0);
        return session;
}

START_TEST(a_key_goes_wrapped_from_session_to_session) {
        framekey_session *from = open_with_alice(FRAMEKEY_LOCAL), *to = open_with_alice(FRAMEKEY_REMOTE);
        uint8_t recipient[FRAMEKEY_TRANSPORT_KEY_LENGTH], *package = NULL, changed[2048];
        _cleanup_free_ char *fingerprint = NULL;
        uint32_t index = 77;
        size_t length = 0;

        ck_assert_int_eq(framekey_session_get_transport_key(to, recipient, &fingerprint), 0);
        ck_assert_uint_eq(strlen(fingerprint), 8 * 5 - 1);
        ck_assert_int_eq(framekey_session_get_transport_key(to, recipient, NULL), 0);
        ck_assert_int_eq(
                framekey_session_export_wrapped(from, "alice", FRAMEKEY_KEY_ACTIVE, recipient, &package, &length),
                -ENOKEY);
        ck_assert_ptr_null(package);
        ck_assert_int_eq(framekey_session_generate_key(from, "alice", 6, NULL), 0);
        ck_assert_msg(
                framekey_session_export_wrapped(from, "alice", FRAMEKEY_KEY_ACTIVE, recipient, &package, &length) == 0,
                "%s", framekey_client_error(client));
        ck_assert_uint_gt(length, FRAMEKEY_TRANSPORT_KEY_LENGTH);
        ck_assert_uint_lt(length, sizeof(changed));
        memcpy(changed, package, length);
        changed[length - 1] ^= 1;

        assert_error(framekey_session_import_wrapped(to, "alice", FRAMEKEY_KEY_ACTIVE, changed, length, NULL, &index),
                     -EBADMSG, ERROR("WrappedKeyInvalid"));
        assert_error(framekey_session_import_wrapped(to, "alice", FRAMEKEY_KEY_ACTIVE, NULL, 0, NULL, &index), -EBADMSG,
                     ERROR("WrappedKeyInvalid"));
        ck_assert_uint_eq(index, 77);
        ck_assert_int_eq(
                framekey_session_import_wrapped(to, "alice", FRAMEKEY_KEY_ACTIVE, package, length, NULL, &index), 0);
        ck_assert_uint_eq(index, 6);
        assert_error(framekey_session_import_wrapped(to, "alice", 9, package, length, NULL, &index), -EBADMSG,
                     ERROR("WrappedKeyInvalid")); /* a package is taken once */
        free(package);
        ck_assert_int_eq(
                framekey_session_export_wrapped(from, "alice", FRAMEKEY_KEY_ACTIVE, recipient, &package, &length), 0);
        ck_assert_int_eq(framekey_session_import_wrapped(to, "alice", 9, package, length, NULL, NULL), 0);
        free(package);
        framekey_session_close(from);
        framekey_session_close(to);
}
END_TEST

START_TEST(only_the_opener_exports) {
        framekey_session *ours = open_with_alice(FRAMEKEY_LOCAL), *attached = NULL;
        uint8_t recipient[FRAMEKEY_TRANSPORT_KEY_LENGTH], *package = NULL;
        framekey_client *other = NULL;
        size_t length;

        ck_assert_int_eq(framekey_session_generate_key(ours, "alice", 0, NULL), 0);
        ck_assert_int_eq(framekey_client_open(&other, FRAMEKEY_BUS_SYSTEM, NULL, NULL), 0);
        ck_assert_int_eq(framekey_session_attach(other, framekey_session_get_id(ours), &attached), 0);
        ck_assert_int_eq(framekey_session_get_transport_key(attached, recipient, NULL), 0);
        ck_assert_int_eq(framekey_session_export_wrapped(attached, "alice", 0, recipient, &package, &length), -EPERM);
        ck_assert_ptr_null(package);
        framekey_session_free(attached);
        framekey_client_free(other);
        framekey_session_close(ours);
}
END_TEST

/* ---- events ---- */

typedef struct Seen {
        unsigned n;
        char text[512];
} Seen;

static void note(framekey_session *session, const struct framekey_event *event, void *userdata) {
        Seen *seen = userdata;
        size_t n = strlen(seen->text);

        seen->n++;
        ck_assert_uint_eq(event->size, sizeof(*event));
        (void)snprintf(seen->text + n, sizeof(seen->text) - n, "%s(%s %u %u) ", event->name, event->participant,
                       event->key_index, event->step);
}

/* Until so many events came, or two seconds went by. */
static void wait_events(Seen *seen, unsigned n) {
        sd_bus *bus = framekey_client_get_bus(client);

        for (int i = 0; i < 20 && seen->n < n; i++) {
                ck_assert_int_ge(framekey_client_process(client), 0);
                if (seen->n < n)
                        (void)sd_bus_wait(bus, 100 * USEC_PER_MSEC);
        }
}

static void assert_seen(const Seen *seen, const char *event) {
        ck_assert_msg(strstr(seen->text, event), "no %s in %s", event, seen->text);
}

START_TEST(events_tell_what_became_of_keys) {
        framekey_session *session = open_session(NULL);
        Seen seen = { 0 };

        ck_assert_int_eq(framekey_session_set_handler(session, note, &seen), 0);
        ck_assert_int_eq(framekey_session_add_participant(session, "me", FRAMEKEY_LOCAL, NULL), 0);
        import(session, 0);
        import(session, 2);
        ck_assert_int_eq(framekey_session_activate(session, NULL, 2, NULL), 0);
        ck_assert_int_eq(framekey_session_ratchet(session, NULL, 2, NULL), 0);
        ck_assert_int_eq(framekey_session_retire_key(session, NULL, 0), 0);
        wait_events(&seen, 6);
        assert_seen(&seen, "KeyInstalled( 0 0) ");
        assert_seen(&seen, "KeyInstalled( 2 0) ");
        assert_seen(&seen, "KeyActivated( 2 0) ");
        assert_seen(&seen, "KeyRatcheted(");
        assert_seen(&seen, " 2 1) ");
        assert_seen(&seen, "KeyWiped( 0 0) ");

        ck_assert_int_eq(framekey_session_set_handler(session, NULL, NULL), 0);
        wait_events(&seen, UINT32_MAX - 1);
        seen.n = 0;
        import(session, 3);
        wait_events(&seen, 1);
        ck_assert_uint_eq(seen.n, 0);
        framekey_session_close(session);
}
END_TEST

START_TEST(events_from_others_are_not_believed) {
        framekey_session *session = open_session(NULL);
        _cleanup_(sd_bus_unrefp) sd_bus *bus = framekey_client_get_bus(client), *liar = NULL;
        const char *us;
        Seen seen = { 0 };

        sd_bus_ref(bus);
        ck_assert_int_eq(framekey_session_set_handler(session, note, &seen), 0);
        ck_assert_int_ge(sd_bus_get_unique_name(bus, &us), 0);
        ck_assert_int_ge(sd_bus_open_system(&liar), 0);
        for (int addressed = 0; addressed < 2; addressed++) {
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;

                ck_assert_int_ge(sd_bus_message_new_signal(liar, &m, framekey_session_get_path(session),
                                                           "org.framekey1.Session", "KeyWiped"),
                                 0);
                ck_assert_int_ge(sd_bus_message_append(m, "suu", "", 9, 9), 0);
                if (addressed)
                        ck_assert_int_ge(sd_bus_message_set_destination(m, us), 0);
                ck_assert_int_ge(sd_bus_send(liar, m, NULL), 0);
        }
        ck_assert_int_ge(sd_bus_flush(liar), 0);
        import(session, 0); /* a true one, sent later */
        wait_events(&seen, 1);
        ck_assert_ptr_null(strstr(seen.text, "9"));
        assert_seen(&seen, "KeyInstalled( 0 0) ");
        framekey_session_close(session);
}
END_TEST

static void note_and_exit(framekey_session *session, const struct framekey_event *event, void *userdata) {
        (void)sd_event_exit(userdata, 42);
}

START_TEST(events_come_through_a_loop_of_the_caller) {
        framekey_session *session = open_session(NULL);
        sd_event *event = NULL;

        ck_assert_int_ge(sd_event_new(&event), 0);
        ck_assert_int_ge(framekey_client_attach_event(client, event, SD_EVENT_PRIORITY_NORMAL), 0);
        ck_assert_int_eq(framekey_session_set_handler(session, note_and_exit, event), 0);
        import(session, 0);
        ck_assert_int_eq(sd_event_loop(event), 42);
        framekey_session_close(session);
        client = framekey_client_free(client);
        sd_event_unref(event);
}
END_TEST

/* ---- channels ---- */

static const uint8_t plain[] = { 0xf8, 1, 2, 3, 4, 5, 6, 7 };

START_TEST(a_channel_encrypts_and_its_closing_is_seen) {
        framekey_session *session = open_session(NULL);
        struct framekey_frame frame = { .size = sizeof(frame) };
        framekey_channel *channel = NULL;
        uint8_t sealed[256];
        char *path = NULL;
        size_t length;

        import(session, 0);
        ck_assert_int_eq(framekey_session_add_participant(session, "me", FRAMEKEY_LOCAL, NULL), 0);
        ck_assert_int_eq(framekey_session_open_channel(session, NULL, &channel, &path), 0);
        ck_assert_int_eq(framekey_session_add_stream(session, path, "me", FRAMEKEY_ENCRYPT, FRAMEKEY_MEDIA_AUDIO,
                                                     FRAMEKEY_CODEC_OPUS, NULL, &frame.stream),
                         0);
        ck_assert_int_eq(framekey_encrypt(channel, &frame, plain, sizeof(plain), sealed, sizeof(sealed), &length, NULL,
                                          10 * USEC_PER_SEC),
                         0);
        ck_assert_uint_eq(length, sizeof(plain) + 30);
        ck_assert_int_eq(framekey_session_remove_stream(session, path, frame.stream), 0);
        ck_assert_int_ne(framekey_encrypt(channel, &frame, plain, sizeof(plain), sealed, sizeof(sealed), &length, NULL,
                                          10 * USEC_PER_SEC),
                         0);
        ck_assert_int_eq(framekey_session_close_channel(session, path), 0);
        ck_assert_int_eq(framekey_encrypt(channel, &frame, plain, sizeof(plain), sealed, sizeof(sealed), &length, NULL,
                                          10 * USEC_PER_SEC),
                         -EPIPE);
        free(path);
        framekey_channel_free(channel);
        framekey_session_close(session);
}
END_TEST

START_TEST(bare_descriptors_make_the_same_channel) {
        framekey_session *session = open_session(NULL);
        framekey_channel *channel = NULL;
        char *path = NULL;
        int fds[4];

        ck_assert_int_eq(framekey_session_open_channel_fds(session, NULL, fds, &path), 0);
        for (int i = 0; i < 4; i++)
                ck_assert_int_eq(fcntl(fds[i], F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
        ck_assert_int_eq(framekey_channel_new_from_fds(&channel, fds, 4), 0);
        for (int i = 0; i < 4; i++)
                (void)close(fds[i]);
        ck_assert_int_eq(framekey_session_close_channel(session, path), 0);
        free(path);
        framekey_channel_free(channel);
        framekey_session_close(session);
}
END_TEST

START_TEST(no_descriptor_is_left_behind) {
        const char *wrong[] = { "small-slots=4294967295", NULL };
        unsigned before = 0;

        for (int i = 0; i < 20; i++) {
                framekey_session *session = open_session(NULL);
                framekey_channel *channel = NULL;
                char *path = NULL;
                int fds[4];

                import(session, 0);
                ck_assert_int_lt(framekey_session_open_channel(session, wrong, &channel, &path), 0);
                ck_assert_int_lt(framekey_session_import_key(session, NULL, 99, secret, sizeof(secret), NULL), 0);
                ck_assert_int_eq(framekey_session_open_channel(session, NULL, &channel, NULL), 0);
                ck_assert_int_eq(framekey_session_open_channel_fds(session, NULL, fds, NULL), 0);
                for (int f = 0; f < 4; f++)
                        (void)close(fds[f]);
                framekey_channel_free(channel);
                framekey_session_close(session);
                if (i == 0)
                        before = count_fds();
        }
        ck_assert_uint_eq(count_fds(), before);
}
END_TEST

/* ---- lives ---- */

START_TEST(a_session_is_left_to_its_opener_unless_it_says_otherwise) {
        const char *shared[] = { "exclusive=no", NULL };
        framekey_session *ours = open_session(NULL), *open = open_session(shared), *attached = NULL;
        framekey_client *other = NULL;

        ck_assert_int_eq(framekey_client_open(&other, FRAMEKEY_BUS_SYSTEM, NULL, NULL), 0);
        ck_assert_int_eq(framekey_session_attach(other, framekey_session_get_id(ours), &attached), -EPERM);
        ck_assert_str_eq(framekey_client_error_name(other), ERROR("NotOwner"));
        ck_assert_ptr_null(attached);
        ck_assert_int_eq(framekey_session_attach(other, framekey_session_get_id(open), &attached), 0);
        ck_assert_str_eq(framekey_session_get_path(attached), framekey_session_get_path(open));
        ck_assert_ptr_eq(framekey_session_get_client(attached), other);
        ck_assert_int_eq(framekey_session_import_key(attached, NULL, 0, secret, sizeof(secret), NULL), 0);
        ck_assert_int_eq(framekey_session_activate(open, NULL, 0, NULL), 0);
        framekey_session_free(attached);
        framekey_client_free(other);

        ck_assert_int_eq(framekey_session_attach(client, framekey_session_get_id(ours), &attached), 0);
        framekey_session_free(attached);
        framekey_session_close(ours);
        framekey_session_close(open);
}
END_TEST

START_TEST(a_session_ends_with_its_connection_unless_it_lingers) {
        const char *lingering[] = { "linger=yes", "exclusive=no", NULL };
        framekey_session *brief = open_session(NULL), *lasting = open_session(lingering), *found = NULL;
        _cleanup_free_ char *brief_id = strdup(framekey_session_get_id(brief));
        _cleanup_free_ char *lasting_id = strdup(framekey_session_get_id(lasting));

        framekey_session_free(brief);
        framekey_session_free(lasting);
        teardown();
        setup();
        ck_assert_int_eq(framekey_session_attach(client, brief_id, &found), -ENXIO);
        ck_assert_int_eq(framekey_session_attach(client, lasting_id, &found), 0);
        framekey_session_close(found);
        ck_assert_int_eq(framekey_session_attach(client, lasting_id, &found), -ENXIO);
}
END_TEST

START_TEST(a_session_handle_outlives_its_client_harmlessly) {
        framekey_session *session = open_session(NULL);

        client = framekey_client_free(client);
        ck_assert_int_eq(framekey_session_activate(session, NULL, 0, NULL), -ENOTCONN);
        ck_assert_int_eq(framekey_session_set_handler(session, note, NULL), -ENOTCONN);
        ck_assert_int_eq(framekey_session_open_channel_fds(session, NULL, (int[4]){ 0 }, NULL), -ENOTCONN);
        ck_assert_str_ne(framekey_client_error(framekey_session_get_client(session)), "");
        framekey_session_close(session);
}
END_TEST

START_TEST(a_bus_of_the_callers_stays_open) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        framekey_client *own = NULL;
        framekey_session *session = NULL;

        ck_assert_int_ge(sd_bus_open_system(&bus), 0);
        ck_assert_int_eq(framekey_client_new_from_bus(&own, bus), 0);
        ck_assert_int_eq(framekey_session_open(own, "livekit", NULL, NULL, &session), 0);
        framekey_session_close(session);
        framekey_client_free(own);
        ck_assert_int_gt(sd_bus_is_open(bus), 0);
}
END_TEST

START_TEST(null_handles_are_freed_in_peace) {
        ck_assert_ptr_null(framekey_client_free(NULL));
        ck_assert_ptr_null(framekey_session_free(NULL));
        ck_assert_ptr_null(framekey_session_close(NULL));
}
END_TEST

START_TEST(a_missing_bus_is_told_in_a_sentence) {
        framekey_client *none = NULL;
        _cleanup_free_ char *error = NULL;

        ck_assert_int_eq(framekey_client_open(&none, FRAMEKEY_BUS_ADDRESS, "unix:path=/absent", &error), -ENOENT);
        ck_assert_ptr_nonnull(strstr(error, "unix:path=/absent"));
        ck_assert_int_eq(framekey_client_open(&none, FRAMEKEY_BUS_ADDRESS, NULL, NULL), -EINVAL);
        ck_assert_ptr_null(none);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("client");
        TCase *tests = tcase_create("client");
        SRunner *runner;
        int n_failed;

        tcase_add_checked_fixture(tests, setup, teardown);
        tcase_set_timeout(tests, 60);
        tcase_add_test(tests, each_refusal_has_its_errno_and_its_sentence);
        tcase_add_test(tests, options_are_refused_before_anything_is_sent);
        tcase_add_test(tests, options_of_every_type_arrive);
        tcase_add_test(tests, secrets_up_to_4096_bytes_are_taken);
        tcase_add_test(tests, secrets_come_from_pipes_and_sealed_memfds_only);
        tcase_add_test(tests, keys_can_be_made_in_the_daemon);
        tcase_add_test(tests, a_ratchet_policy_is_set_in_parts);
        tcase_add_test(tests, a_key_goes_wrapped_from_session_to_session);
        tcase_add_test(tests, only_the_opener_exports);
        tcase_add_test(tests, events_tell_what_became_of_keys);
        tcase_add_test(tests, events_from_others_are_not_believed);
        tcase_add_test(tests, events_come_through_a_loop_of_the_caller);
        tcase_add_test(tests, a_channel_encrypts_and_its_closing_is_seen);
        tcase_add_test(tests, bare_descriptors_make_the_same_channel);
        tcase_add_test(tests, no_descriptor_is_left_behind);
        tcase_add_test(tests, a_session_is_left_to_its_opener_unless_it_says_otherwise);
        tcase_add_test(tests, a_session_ends_with_its_connection_unless_it_lingers);
        tcase_add_test(tests, a_session_handle_outlives_its_client_harmlessly);
        tcase_add_test(tests, a_bus_of_the_callers_stays_open);
        tcase_add_test(tests, null_handles_are_freed_in_peace);
        tcase_add_test(tests, a_missing_bus_is_told_in_a_sentence);
        suite_add_tcase(suite, tests);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        n_failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
