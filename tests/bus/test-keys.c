/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How secrets come in, which descriptors are refused, and what key calls answer. */
#include "client.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>

#define SESSION "org.framekey1.Session"
#define MANAGER "org.framekey1.Manager"
#define SEALS   (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static uint64_t now_usec(void) {
        struct timespec ts;

        ck_assert_int_eq(clock_gettime(CLOCK_MONOTONIC, &ts), 0);
        return (uint64_t)ts.tv_sec * USEC_PER_SEC + (uint64_t)ts.tv_nsec / NSEC_PER_USEC;
}

static void refused_fd(sd_bus *bus, const TestSession *session, int fd, const char *what) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        ck_assert_msg(fd >= 0, "cannot make %s", what);
        r = sd_bus_call_method(bus, "org.framekey1", session->path, SESSION, "ImportKey", &error, NULL, "suha{sv}", "",
                               0, fd, 1, "iterations", "u", 1);
        ck_assert_msg(r < 0, "%s was accepted", what);
        ck_assert_msg(strcmp(error.name, ERROR("SecretInvalid")) == 0, "%s: %s: %s", what, error.name, error.message);
        (void)close(fd);
}

static int sealed_memfd(const char *text, size_t len, int seals) {
        int fd = memfd_create("secret", MFD_CLOEXEC | MFD_ALLOW_SEALING);

        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq((int)write(fd, text, len), (int)len);
        if (seals != 0)
                ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, seals), 0);
        return fd;
}

/* What ended an asynchronous call. */
typedef struct Answer {
        int done;
        char error[128]; /* "" for success */
        uint64_t generation;
} Answer;

static int on_answer(sd_bus_message *reply, void *userdata, sd_bus_error *unused) {
        const sd_bus_error *error = sd_bus_message_get_error(reply);
        Answer *answer = userdata;

        answer->done = 1;
        if (error)
                (void)snprintf(answer->error, sizeof(answer->error), "%s", error->name);
        else
                (void)sd_bus_message_read(reply, "t", &answer->generation);
        return 0;
}

static void import_async(sd_bus *bus, const TestSession *session, int fd, uint32_t iterations, Answer *answer) {
        ck_assert_int_ge(sd_bus_call_method_async(bus, NULL, "org.framekey1", session->path, SESSION, "ImportKey",
                                                  on_answer, answer, "suha{sv}", "", 0, fd, 1, "iterations", "u",
                                                  iterations),
                         0);
        ck_assert_int_ge(sd_bus_flush(bus), 0);
}

static uint32_t keys_of(sd_bus *bus) {
        return client_u32(bus, MANAGER_PATH, MANAGER, "Keys");
}

START_TEST(a_pipe_is_read_to_its_end) {
        _client_ bus = client_open();
        TestSession session = client_open_session(bus, "livekit", 0);
        uint64_t first = client_import(bus, session.path, "", 0, "one"),
                 second = client_import(bus, session.path, "", 1, "two"),
                 again = client_import(bus, session.path, "", 0, "three");

        ck_assert_uint_gt(first, 0);
        ck_assert_uint_gt(second, first);
        ck_assert_uint_gt(again, second); /* never used twice */
}
END_TEST

START_TEST(a_pipe_may_be_written_after_the_call_and_in_pieces) {
        _client_ bus = client_open();
        TestSession session = client_open_session(bus, "livekit", 0);
        Answer answer = { 0 };
        int fds[2];

        ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
        import_async(bus, &session, fds[0], 1, &answer);
        (void)close(fds[0]);
        for (unsigned i = 0; i < 3; i++) {
                ck_assert_int_eq((int)write(fds[1], "piece", 5), 5);
                client_settle(bus, 50 * USEC_PER_MSEC);
                ck_assert_int_eq(answer.done, 0);
        }
        (void)close(fds[1]);
        client_wait(bus, &answer.done);
        ck_assert_str_eq(answer.error, "");
        ck_assert_uint_gt(answer.generation, 0);
}
END_TEST

START_TEST(a_sealed_memfd_is_read) {
        _client_ bus = client_open();
        TestSession session = client_open_session(bus, "livekit", 0);
        _cleanup_close_ int fd = sealed_memfd("a passphrase", 12, SEALS);

        client_do(bus, session.path, SESSION, "ImportKey", "suha{sv}", "", 0, fd, 1, "iterations", "u", 1);
        ck_assert_uint_eq(keys_of(bus), 1);
}
END_TEST

START_TEST(every_other_kind_of_descriptor_is_refused) {
        _client_ bus = client_open();
        TestSession session = client_open_session(bus, "livekit", 0);
        const char *directory = getenv("FRAMEKEYD_DIR");
        char path[512];
        int fds[2];

        (void)snprintf(path, sizeof(path), "%s/secret", directory ? directory : "/tmp");
        {
                _cleanup_close_ int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);

                ck_assert_int_eq((int)write(fd, "a passphrase", 12), 12);
        }
        refused_fd(bus, &session, open(path, O_RDONLY | O_CLOEXEC), "a regular file");
        refused_fd(bus, &session, open(path, O_PATH | O_CLOEXEC), "an O_PATH descriptor");
        ck_assert_int_eq(unlink(path), 0);
        refused_fd(bus, &session, sealed_memfd("a passphrase", 12, 0), "an unsealed memfd");
        refused_fd(bus, &session, sealed_memfd("a passphrase", 12, F_SEAL_SHRINK | F_SEAL_GROW),
                   "a memfd that can be written");
        refused_fd(bus, &session, sealed_memfd("a passphrase", 12, F_SEAL_WRITE), "a memfd that can shrink");
        refused_fd(bus, &session, open("/dev/zero", O_RDONLY | O_CLOEXEC), "/dev/zero");
        refused_fd(bus, &session, open("/dev/null", O_RDONLY | O_CLOEXEC), "/dev/null");
        refused_fd(bus, &session, open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), "a directory");
        refused_fd(bus, &session, eventfd(1, EFD_CLOEXEC), "an eventfd");
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        refused_fd(bus, &session, fds[0], "a socket");
        (void)close(fds[1]);
        ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
        refused_fd(bus, &session, fds[1], "a pipe's write end");
        (void)close(fds[0]);
        ck_assert_uint_eq(keys_of(bus), 0);
}
END_TEST

START_TEST(lengths_from_1_to_4096_are_taken) {
        _client_ bus = client_open();
        TestSession session = client_open_session(bus, "livekit", 0);
        static char text[5000];

        memset(text, 'x', sizeof(text));
        refused_fd(bus, &session, client_secret(""), "an empty pipe");
        refused_fd(bus, &session, sealed_memfd("", 0, SEALS), "an empty memfd");
        text[4097] = '\0';
        refused_fd(bus, &session, client_secret(text), "a pipe with 4097 bytes");
        refused_fd(bus, &session, sealed_memfd(text, 4097, SEALS), "a memfd of 4097 bytes");
        text[4096] = '\0';
        (void)client_import(bus, session.path, "", 0, text);
        text[1] = '\0';
        (void)client_import(bus, session.path, "", 1, text);
}
END_TEST

START_TEST(a_pipe_that_is_never_written_ends_by_the_deadline_and_holds_up_nobody) {
        _client_ bus = client_open();
        _client_ other = client_open();
        TestSession session = client_open_session(bus, "livekit", 0);
        uint64_t start = now_usec(), slowest = 0;
        Answer answer = { 0 };
        int fds[2];

        ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
        import_async(bus, &session, fds[0], 1, &answer);
        while (now_usec() - start < 800 * USEC_PER_MSEC) {
                uint64_t before = now_usec();

                client_do(other, MANAGER_PATH, MANAGER, "ListSessions", NULL);
                slowest = MAX_OF(slowest, now_usec() - before);
        }
        client_settle(bus, 0);
        ck_assert_int_eq(answer.done, 0);
        client_wait(bus, &answer.done);
        ck_assert_str_eq(answer.error, ERROR("SecretTimeout"));
        ck_assert_uint_ge(now_usec() - start, 950 * USEC_PER_MSEC);
        ck_assert_uint_lt(now_usec() - start, 3 * USEC_PER_SEC);
        ck_assert_uint_lt(slowest, 500 * USEC_PER_MSEC);
        (void)close(fds[0]);
        (void)close(fds[1]);
}
END_TEST

#define PIPES 60u

/* Writes a byte into each pipe and takes it away again while the daemon works through them. The client holds the
 * same descriptions as the daemon: whatever it does to their flags, the daemon must not hang in a read. */
static void tease(int pipes[PIPES][2], unsigned pause_usec) {
        char byte;

        for (size_t i = 0; i < PIPES; i++) {
                ck_assert_int_eq(fcntl(pipes[i][0], F_SETFL, 0), 0);
                ck_assert_int_eq((int)write(pipes[i][1], "x", 1), 1);
        }
        (void)usleep(pause_usec);
        for (size_t i = PIPES; i-- > 0;) {
                ck_assert_int_eq(fcntl(pipes[i][0], F_SETFL, O_NONBLOCK), 0);
                (void)!read(pipes[i][0], &byte, 1);
                ck_assert_int_eq(fcntl(pipes[i][0], F_SETFL, 0), 0);
        }
}

START_TEST(a_client_that_makes_its_pipes_blocking_hangs_nobody) {
        _client_ bus = client_open();
        TestSession session = client_open_session(bus, "element-call", 0);
        int pipes[PIPES][2];

        client_do(bus, session.path, SESSION, "AddParticipant", "ssa{sv}", "me", "remote", 0);
        for (uint32_t i = 0; i < PIPES; i++) {
                ck_assert_int_eq(pipe2(pipes[i], O_CLOEXEC), 0);
                ck_assert_int_ge(sd_bus_call_method_async(bus, NULL, "org.framekey1", session.path, SESSION,
                                                          "ImportKey", NULL, NULL, "suha{sv}", "me", i, pipes[i][0], 0),
                                 0);
        }
        client_do(bus, MANAGER_PATH, MANAGER, "ListSessions", NULL);
        ck_assert_int_ge(sd_bus_set_method_call_timeout(bus, 5 * USEC_PER_SEC), 0);
        for (unsigned i = 0; i < 200; i++) {
                tease(pipes, i * 7 % 500);
                /* Asked each time: the next byte would wake a daemon that hangs. */
                client_do(bus, MANAGER_PATH, MANAGER, "ListSessions", NULL);
        }
        for (size_t i = 0; i < PIPES; i++) {
                (void)close(pipes[i][0]);
                (void)close(pipes[i][1]);
        }
}
END_TEST

START_TEST(closing_the_session_answers_imports_that_wait) {
        _client_ bus = client_open();
        TestSession session = client_open_session(bus, "livekit", 0);
        Answer reading = { 0 }, deriving = { 0 };
        _cleanup_close_ int secret = client_secret("a passphrase");
        int fds[2];

        ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
        import_async(bus, &session, fds[0], 1, &reading);
        import_async(bus, &session, secret, 2000000, &deriving);
        client_settle(bus, 50 * USEC_PER_MSEC);
        client_do(bus, session.path, SESSION, "Close", NULL);
        client_wait(bus, &reading.done);
        client_wait(bus, &deriving.done);
        ck_assert_str_eq(reading.error, ERROR("NoSuchSession"));
        ck_assert_str_eq(deriving.error, ERROR("NoSuchSession"));
        (void)close(fds[0]);
        (void)close(fds[1]);
}
END_TEST

START_TEST(a_caller_that_dies_while_its_import_waits_takes_nothing_along) {
        _client_ watcher = client_open();
        sd_bus *lingering = client_open(), *leaving = client_open();
        TestSession kept = client_open_session(lingering, "livekit", 1, "linger", "b", 1),
                    dropped = client_open_session(leaving, "livekit", 0);
        Answer unheard = { 0 };
        int fds[2], more[2];

        ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
        ck_assert_int_eq(pipe2(more, O_CLOEXEC), 0);
        import_async(lingering, &kept, fds[0], 1, &unheard);
        import_async(leaving, &dropped, more[0], 1, &unheard);
        /* An answer behind it: the daemon has taken the calls in. */
        client_do(lingering, MANAGER_PATH, MANAGER, "ListSessions", NULL);
        client_do(leaving, MANAGER_PATH, MANAGER, "ListSessions", NULL);
        sd_bus_flush_close_unref(lingering);
        sd_bus_flush_close_unref(leaving);
        (void)close(fds[0]);
        ck_assert_int_eq((int)write(fds[1], "late", 4), 4);
        (void)close(fds[1]);
        for (unsigned i = 0; i < 2000 && keys_of(watcher) == 0; i++)
                (void)usleep(10 * USEC_PER_MSEC);
        ck_assert_uint_eq(keys_of(watcher), 1);
        for (unsigned i = 0; i < 2000 && client_u32(watcher, MANAGER_PATH, MANAGER, "Sessions") > 1; i++)
                (void)usleep(10 * USEC_PER_MSEC);
        ck_assert_uint_eq(client_u32(watcher, MANAGER_PATH, MANAGER, "Sessions"), 1);
        client_do(watcher, MANAGER_PATH, MANAGER, "CloseSession", "ss", kept.id, "test");
        (void)close(more[0]);
        (void)close(more[1]);
}
END_TEST

START_TEST(a_long_derivation_holds_up_no_call) {
        _client_ bus = client_open();
        TestSession session = client_open_session(bus, "livekit", 0);
        _cleanup_close_ int secret = client_secret("a passphrase");
        uint64_t start = now_usec(), slowest = 0;
        Answer answer = { 0 };
        unsigned n = 0;

        import_async(bus, &session, secret, 2000000, &answer);
        while (!answer.done) {
                uint64_t before = now_usec();

                client_do(bus, MANAGER_PATH, MANAGER, "ListSessions", NULL);
                slowest = MAX_OF(slowest, now_usec() - before);
                client_settle(bus, 0);
                n++;
                ck_assert_uint_lt(now_usec() - start, 25 * USEC_PER_SEC);
        }
        ck_assert_str_eq(answer.error, "");
        ck_assert_uint_gt(n, 10);
        ck_assert_uint_lt(slowest, 500 * USEC_PER_MSEC);
}
END_TEST

START_TEST(bad_places_for_keys_are_told_before_the_secret_is_read) {
        _client_ bus = client_open();
        TestSession shared = client_open_session(bus, "livekit", 1, "ring-size", "u", 4),
                    single = client_open_session(bus, "element-call", 0);
        int fds[2]; /* never written: an answer at once shows that nobody waits for it */
        uint64_t start = now_usec();

        ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
        client_do(bus, shared.path, SESSION, "AddParticipant", "ssa{sv}", "alice", "local", 0);
        client_fail(bus, shared.path, SESSION, "ImportKey", ERROR("InvalidIndex"), "suha{sv}", "", 4, fds[0], 0);
        client_fail(bus, shared.path, SESSION, "ImportKey", ERROR("InvalidIndex"), "suha{sv}", "", UINT32_MAX, fds[0],
                    0);
        client_fail(bus, shared.path, SESSION, "ImportKey", ERROR("WrongKeyMode"), "suha{sv}", "alice", 0, fds[0], 0);
        client_fail(bus, shared.path, SESSION, "ImportKey", ERROR("NoSuchParticipant"), "suha{sv}", "bob", 0, fds[0],
                    0);
        client_fail(bus, single.path, SESSION, "ImportKey", ERROR("WrongKeyMode"), "suha{sv}", "", 0, fds[0], 0);
        client_do(bus, single.path, SESSION, "AddParticipant", "ssa{sv}", "you", "remote", 0);
        client_fail(bus, single.path, SESSION, "ImportKey", ERROR("WrongRole"), "suha{sv}", "you", 0, fds[0], 1,
                    "activate", "b", 1);
        ck_assert_uint_lt(now_usec() - start, 800 * USEC_PER_MSEC);
        (void)close(fds[0]);
        (void)close(fds[1]);
}
END_TEST

/* A signal of the session, as text: "KeyRatcheted alice 3 1". */
typedef struct Heard {
        char lines[1024];
} Heard;

static int on_key_signal(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        const char *member = sd_bus_message_get_member(message), *participant;
        size_t len = strlen(((Heard *)userdata)->lines);
        char *end = ((Heard *)userdata)->lines + len;
        uint32_t index, step = 0;

        ck_assert_int_gt(sd_bus_message_read(message, "su", &participant, &index), 0);
        if (strcmp(member, "KeyInstalled") == 0)
                ck_assert_int_gt(sd_bus_message_skip(message, "t"), 0);
        if (strcmp(member, "KeyActivated") != 0)
                ck_assert_int_gt(sd_bus_message_read(message, "u", &step), 0);
        (void)snprintf(end, sizeof(((Heard *)userdata)->lines) - len, "%s %s %u %u\n", member, participant, index,
                       step);
        return 0;
}

START_TEST(signals_tell_the_life_of_a_key) {
        _client_ bus = client_open();
        TestSession session = client_open_session(bus, "element-call", 0);
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        Heard heard = { 0 };
        uint32_t step = 0;

        ck_assert_int_ge(
                sd_bus_match_signal(bus, NULL, "org.framekey1", session.path, SESSION, NULL, on_key_signal, &heard), 0);
        client_do(bus, session.path, SESSION, "AddParticipant", "ssa{sv}", "me", "local", 0);
        (void)client_import(bus, session.path, "me", 3, "sixteen bytes...");
        reply = client_session(bus, session.path, "Ratchet", "sa{sv}", "me", 0);
        ck_assert_int_gt(sd_bus_message_read(reply, "u", &step), 0);
        ck_assert_uint_eq(step, 1);
        client_do(bus, session.path, SESSION, "GenerateKey", "sua{sv}", "me", 4, 0);
        client_do(bus, session.path, SESSION, "Activate", "sua{sv}", "me", 4, 0);
        client_do(bus, session.path, SESSION, "RetireKey", "su", "me", 3);
        client_settle(bus, 100 * USEC_PER_MSEC);
        ck_assert_msg(strstr(heard.lines, "KeyInstalled me 3 0\nKeyActivated me 3 0\n"), "%s", heard.lines);
        ck_assert_msg(strstr(heard.lines, "KeyRatcheted me 3 1\n"), "%s", heard.lines);
        ck_assert_msg(strstr(heard.lines, "KeyInstalled me 4 0\n"), "%s", heard.lines);
        ck_assert_msg(strstr(heard.lines, "KeyActivated me 4 0\nKeyWiped me 3 1\n"), "%s", heard.lines);
}
END_TEST

START_TEST(a_participant_shows_its_keys) {
        _client_ bus = client_open();
        TestSession session = client_open_session(bus, "livekit", 0);
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *added = NULL, *keys = NULL;
        uint64_t generation, told;
        const char *path;
        uint32_t index, step;
        int active;

        added = client_session(bus, session.path, "AddParticipant", "ssa{sv}", "me", "local", 0);
        ck_assert_int_gt(sd_bus_message_read(added, "o", &path), 0);
        told = client_import(bus, session.path, "", 2, "a passphrase");
        ck_assert_uint_gt(told, 0);
        client_do(bus, session.path, SESSION, "Ratchet", "sa{sv}", "", 0);
        ck_assert_int_ge(sd_bus_get_property(bus, "org.framekey1", path, "org.framekey1.Participant", "Keys", NULL,
                                             &keys, "a(utub)"),
                         0);
        ck_assert_int_gt(sd_bus_message_enter_container(keys, 'a', "(utub)"), 0);
        ck_assert_int_gt(sd_bus_message_read(keys, "(utub)", &index, &generation, &step, &active), 0);
        ck_assert_uint_eq(index, 2);
        ck_assert_uint_gt(generation, 0);
        ck_assert_uint_eq(step, 1);
        ck_assert_int_eq(active, 1);
        ck_assert_int_eq(sd_bus_message_at_end(keys, 0), 1);
}
END_TEST

START_TEST(keys_that_are_not_there_are_told) {
        _client_ bus = client_open();
        TestSession session = client_open_session(bus, "livekit", 0);

        client_fail(bus, session.path, SESSION, "Ratchet", ERROR("NoSuchKey"), "sa{sv}", "", 1, "index", "u", 3);
        client_fail(bus, session.path, SESSION, "Activate", ERROR("NoSuchKey"), "sua{sv}", "", 3, 0);
        client_fail(bus, session.path, SESSION, "Activate", ERROR("InvalidIndex"), "sua{sv}", "", 16, 0);
        client_fail(bus, session.path, SESSION, "RetireKey", ERROR("NoSuchKey"), "su", "", 3);
        client_fail(bus, session.path, SESSION, "RetireKey", ERROR("NoSuchParticipant"), "su", "alice", 3);
        (void)client_import(bus, session.path, "", 3, "a passphrase");
        client_do(bus, session.path, SESSION, "RetireKey", "su", "", 3);
        client_fail(bus, session.path, SESSION, "Activate", ERROR("NoSuchKey"), "sua{sv}", "", 3, 0);
        ck_assert_uint_eq(keys_of(bus), 0);
}
END_TEST

START_TEST(too_costly_imports_are_refused) {
        _client_ bus = client_open();
        TestSession session = client_open_session(bus, "livekit", 0);
        _cleanup_close_ int secret = client_secret("a passphrase");
        _cleanup_free_ char *text = client_refused(bus, session.path, SESSION, "ImportKey", INVALID_ARGS, "suha{sv}",
                                                   "", 0, secret, 1, "step", "u", 65536);

        ck_assert_ptr_nonnull(strstr(text, "step"));
}
END_TEST

static uint32_t ratchet_keys(sd_bus *bus, const char *id) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply =
                client_manager(bus, "RatchetKeys", "ssa{sv}", id, "test", 0);
        uint32_t n = 0;

        ck_assert_int_gt(sd_bus_message_read(reply, "u", &n), 0);
        return n;
}

START_TEST(an_administrator_steps_the_keys_of_all) {
        _client_ user = client_open_as(FOREIGN_UID);
        _client_ root = client_open();
        TestSession shared = client_open_session(user, "livekit", 0),
                    single = client_open_session(user, "element-call", 0),
                    empty = client_open_session(user, "livekit", 0);

        ck_assert_uint_eq(ratchet_keys(root, empty.id), 0);
        (void)client_import(user, shared.path, "", 0, "a passphrase");
        client_do(user, single.path, SESSION, "AddParticipant", "ssa{sv}", "me", "local", 0);
        client_do(user, single.path, SESSION, "AddParticipant", "ssa{sv}", "you", "remote", 0);
        (void)client_import(user, single.path, "me", 0, "my key");
        (void)client_import(user, single.path, "you", 0, "your key");
        ck_assert_uint_eq(ratchet_keys(root, shared.id), 1);
        ck_assert_uint_eq(ratchet_keys(user, single.id), 1); /* remote keys follow their senders */
        ck_assert_uint_eq(ratchet_keys(root, ""), 2);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("keys");
        TCase *one = tcase_create("one user"), *several = tcase_create("several users");

        tcase_set_timeout(one, 60);
        tcase_set_timeout(several, 60);
        tcase_add_test(one, a_pipe_is_read_to_its_end);
        tcase_add_test(one, a_pipe_may_be_written_after_the_call_and_in_pieces);
        tcase_add_test(one, a_sealed_memfd_is_read);
        tcase_add_test(one, every_other_kind_of_descriptor_is_refused);
        tcase_add_test(one, lengths_from_1_to_4096_are_taken);
        tcase_add_test(one, a_pipe_that_is_never_written_ends_by_the_deadline_and_holds_up_nobody);
        tcase_add_test(one, a_client_that_makes_its_pipes_blocking_hangs_nobody);
        tcase_add_test(one, closing_the_session_answers_imports_that_wait);
        tcase_add_test(one, a_caller_that_dies_while_its_import_waits_takes_nothing_along);
        tcase_add_test(one, a_long_derivation_holds_up_no_call);
        tcase_add_test(one, bad_places_for_keys_are_told_before_the_secret_is_read);
        tcase_add_test(one, signals_tell_the_life_of_a_key);
        tcase_add_test(one, a_participant_shows_its_keys);
        tcase_add_test(one, keys_that_are_not_there_are_told);
        tcase_add_test(one, too_costly_imports_are_refused);
        suite_add_tcase(suite, one);
        tcase_add_test(several, an_administrator_steps_the_keys_of_all);
        if (client_is_root())
                suite_add_tcase(suite, several);
        return client_main(suite);
}
