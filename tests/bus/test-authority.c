/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What polkit's word opens, and that nobody else waits for it or learns by it. */
#include "polkit.h"

#include <stdarg.h>
#include <stdio.h>

#define BOB          1u
#define FORBIDDEN    ERROR("PolicyForbids")
#define PROPERTIES   "org.freedesktop.DBus.Properties"
#define INTROSPECT   "org.freedesktop.DBus.Introspectable"
#define NO_SUCH      "nosuchsessio"
#define NO_SUCH_PATH "/org/framekey1/session/" NO_SUCH
/* The daemon's for questions without a dialog. */
#define DEADLINE (5 * USEC_PER_SEC)

/* A call that is not waited for. */
typedef struct Later {
        int done;
        char error[128]; /* "": it succeeded */
        char text[512];
        uint64_t since, took_usec;
} Later;

static int on_later(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error) {
        const sd_bus_error *error = sd_bus_message_get_error(reply);
        Later *later = userdata;

        later->done = 1;
        later->took_usec = call_now_usec() - later->since;
        if (error) {
                (void)snprintf(later->error, sizeof(later->error), "%s", error->name);
                (void)snprintf(later->text, sizeof(later->text), "%s", error->message);
        }
        return 0;
}

typedef struct Target {
        const char *path, *interface, *member;
        bool interactive;
} Target;

static void later_call(sd_bus *bus, Later *later, Target target, const char *types, ...) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *message = NULL;
        va_list values;

        *later = (Later){ .since = call_now_usec() };
        ck_assert_int_ge(sd_bus_message_new_method_call(bus, &message, "org.framekey1", target.path, target.interface,
                                                        target.member),
                         0);
        if (types) {
                va_start(values, types);
                ck_assert_int_ge(sd_bus_message_appendv(message, types, values), 0);
                va_end(values);
        }
        ck_assert_int_ge(sd_bus_message_set_allow_interactive_authorization(message, target.interactive), 0);
        ck_assert_int_ge(sd_bus_call_async(bus, NULL, message, on_later, later, 60 * USEC_PER_SEC), 0);
        ck_assert_int_ge(sd_bus_flush(bus), 0);
}

static void later_wait(sd_bus *bus, const Later *later) {
        while (!later->done) {
                int r = sd_bus_process(bus, NULL);

                ck_assert_int_ge(r, 0);
                if (r == 0)
                        ck_assert_int_ge(sd_bus_wait(bus, 10 * MSEC), 0);
                ck_assert_msg(call_now_usec() - later->since < 2 * DEADLINE, "no answer");
        }
}

/* What the call answers: "" or the error's name, and its text. */
static Later now_call(sd_bus *bus, Target target, const char *types, const char *a, const char *b) {
        Later later;

        if (!types)
                later_call(bus, &later, target, NULL);
        else if (strcmp(types, "ssa{sv}") == 0)
                later_call(bus, &later, target, types, a, b, 0);
        else
                later_call(bus, &later, target, types, a, b);
        later_wait(bus, &later);
        return later;
}

static Later rotate(sd_bus *bus, const char *id, bool interactive) {
        return now_call(bus, (Target){ MANAGER_PATH, MANAGER, "RotateKeys", interactive }, "ssa{sv}", id, "test");
}

static Later open_as(sd_bus *bus, bool interactive) {
        return now_call(bus, (Target){ MANAGER_PATH, MANAGER, "OpenSession", interactive }, "ssa{sv}", "livekit",
                        "test");
}

static unsigned count_listed(sd_bus *bus, const char *member) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = client_manager(bus, member, NULL);
        unsigned n = 0;

        ck_assert_int_ge(sd_bus_message_enter_container(reply, 'a', "(sosstu)"), 0);
        while (sd_bus_message_skip(reply, "(sosstu)") > 0)
                n++;
        return n;
}

static int set_age(sd_bus *bus, uint64_t value, sd_bus_error *error) {
        return sd_bus_set_property(bus, "org.framekey1", MANAGER_PATH, MANAGER, "MaximumKeyAgeUSec", error, "t", value);
}

static int read_label(sd_bus *bus, const TestSession *session) {
        _cleanup_free_ char *label = NULL;

        return sd_bus_get_property_string(bus, "org.framekey1", session->path, SESSION, "Label", NULL, &label);
}

/* ---- who is asked about ---- */

START_TEST(without_polkit_root_and_owners_go_on) {
        _client_ owner = client_open_as(FOREIGN_UID);
        _client_ bob = client_open_as(BOB);
        _client_ root = client_open();
        TestSession session = client_open_session(owner, "livekit", 0);

        ck_assert_str_eq(rotate(owner, session.id, false).error, "");
        ck_assert_str_eq(rotate(root, "", false).error, "");
        ck_assert_str_eq(rotate(bob, "", true).error, FORBIDDEN);
        ck_assert_str_eq(rotate(bob, session.id, true).error, ERROR("NoSuchSession"));
        ck_assert_str_eq(
                now_call(bob, (Target){ MANAGER_PATH, MANAGER, "ListAllSessions", true }, NULL, NULL, NULL).error,
                FORBIDDEN);
        ck_assert_int_lt(set_age(bob, 1, NULL), 0);
        ck_assert_int_lt(read_label(bob, &session), 0);
        ck_assert_int_ge(set_age(root, 0, NULL), 0);
        ck_assert_uint_ge(call_logged("no polkit on this bus", "only root", ""), 1);
}
END_TEST

START_TEST(root_and_owners_are_never_asked_about) {
        _polkit_ polkit = polkit_start(POLKIT_GRANTS);
        _client_ owner = client_open_as(FOREIGN_UID);
        _client_ root = client_open();
        TestSession session = client_open_session(owner, "livekit", 0);
        unsigned before = polkit->n_asked;

        ck_assert_uint_eq(before, 1); /* open-session */
        ck_assert_str_eq(polkit->action, "org.framekey1.open-session");
        (void)client_open_session(root, "livekit", 0);
        ck_assert_str_eq(rotate(owner, session.id, true).error, "");
        ck_assert_int_ge(read_label(owner, &session), 0);
        ck_assert_uint_eq(count_listed(owner, "ListSessions"), 1);
        client_do(owner, MANAGER_PATH, MANAGER, "GetSession", "s", session.id);
        client_do(owner, MANAGER_PATH, MANAGER, "GetStatistics", NULL);
        client_do(owner, session.path, SESSION, "GetStatistics", NULL);
        client_do(owner, session.path, INTROSPECT, "Introspect", NULL);
        ck_assert_int_ge(sd_bus_set_property(owner, "org.framekey1", session.path, SESSION, "RatchetFrames", NULL, "t",
                                             UINT64_C(9)),
                         0);
        ck_assert_uint_eq(count_listed(root, "ListAllSessions"), 2);
        ck_assert_str_eq(rotate(root, "", true).error, "");
        ck_assert_int_ge(set_age(root, 0, NULL), 0);
        ck_assert_int_ge(read_label(root, &session), 0);
        client_do(root, MANAGER_PATH, MANAGER, "CloseSession", "ss", session.id, "test");
        ck_assert_uint_eq(polkit->n_asked, before);
}
END_TEST

/* ---- what it opens ---- */

START_TEST(whom_polkit_lets_acts_on_sessions_of_others) {
        _polkit_ polkit = polkit_start(POLKIT_GRANTS);
        _client_ owner = client_open_as(FOREIGN_UID);
        _client_ bob = client_open_as(BOB);
        _call_ call = { 0 };
        const char *unique;

        call_open(owner, &call, 0);
        call_generate(owner, &call, 0);
        ck_assert_int_ge(sd_bus_get_unique_name(bob, &unique), 0);
        ck_assert_str_eq(rotate(bob, call.session.id, true).error, "");
        ck_assert_str_eq(polkit->action, "org.framekey1.rotate");
        ck_assert_str_eq(polkit->subject, unique);
        ck_assert_uint_eq(polkit->flags, 1);
        ck_assert_str_eq(rotate(bob, "", false).error, "");
        ck_assert_uint_eq(polkit->flags, 0);
        client_do(bob, MANAGER_PATH, MANAGER, "Lock", "bs", 1, "test");
        client_do(bob, MANAGER_PATH, MANAGER, "Lock", "bs", 0, "test");
        ck_assert_int_ge(sd_bus_set_property(bob, "org.framekey1", call.session.path, SESSION, "RatchetFrames", NULL,
                                             "t", UINT64_C(7)),
                         0);
        ck_assert_str_eq(polkit->action, "org.framekey1.rotate");
        ck_assert_uint_eq(client_u64(owner, call.session.path, SESSION, "RatchetFrames"), 7);
        ck_assert_int_ge(set_age(bob, 3600 * USEC_PER_SEC, NULL), 0);
        ck_assert_str_eq(polkit->action, "org.framekey1.policy");
        ck_assert_int_ge(set_age(bob, 0, NULL), 0);
        client_do(bob, MANAGER_PATH, MANAGER, "RevokeParticipant", "sss", call.session.id, "me", "test");
        /* To act is not to look, and neither makes an owner. */
        ck_assert_str_eq(now_call(bob, (Target){ call.session.path, SESSION, "Close", true }, NULL, NULL, NULL).error,
                         ERROR("NoSuchSession"));
        client_do(bob, MANAGER_PATH, MANAGER, "CloseSession", "ss", call.session.id, "test");
        ck_assert_uint_ge(
                call_logged("audit: authorize", "polkit=\"org.framekey1.rotate\" uid=1 ", "result=\"granted\""), 4);
}
END_TEST

static int on_new_session(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        *(int *)userdata = 1;
        return 0;
}

START_TEST(a_grant_to_inspect_is_remembered_and_dies_with_the_name) {
        _polkit_ polkit = polkit_start(POLKIT_GRANTS);
        _client_ owner = client_open_as(FOREIGN_UID);
        _client_ bob = client_open_as(BOB);
        _client_ again = client_open_as(BOB);
        TestSession session = client_open_session(owner, "livekit", 0);
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        char path[256];
        const char *xml;
        unsigned before;
        int announced = 0;

        ck_assert_uint_eq(count_listed(bob, "ListSessions"), 0);
        before = polkit->n_asked;
        ck_assert_uint_eq(count_listed(bob, "ListAllSessions"), 1);
        ck_assert_str_eq(polkit->action, "org.framekey1.inspect");
        ck_assert_uint_eq(polkit->n_asked, before + 1);
        ck_assert_uint_eq(count_listed(bob, "ListSessions"), 1);
        ck_assert_int_ge(read_label(bob, &session), 0);
        client_do(bob, MANAGER_PATH, MANAGER, "GetSession", "s", session.id);
        client_do(bob, session.path, SESSION, "GetStatistics", NULL);
        client_import(owner, session.path, "", 0, "passphrase");
        call_add(owner, &session, "me", "local", path);
        client_do(bob, session.path, SESSION, "GetSecurityCode", "a{sv}", 0);
        reply = client_call(bob, "/org/framekey1/session", INTROSPECT, "Introspect", NULL);
        ck_assert_int_gt(sd_bus_message_read(reply, "s", &xml), 0);
        ck_assert_ptr_nonnull(strstr(xml, session.id));
        ck_assert_uint_eq(polkit->n_asked, before + 1);
        ck_assert_int_ge(sd_bus_match_signal(bob, NULL, "org.framekey1", MANAGER_PATH, MANAGER, "SessionNew",
                                             on_new_session, &announced),
                         0);
        (void)client_open_session(owner, "livekit", 0);
        client_wait(bob, &announced);
        /* It shows, and no more. */
        client_fail(bob, session.path, SESSION, "Close", ERROR("NotOwner"), NULL);
        client_fail(bob, session.path, SESSION, "OpenChannel", ERROR("NotOwner"), "a{sv}", 0);

        polkit->mood = POLKIT_DENIES;
        ck_assert_int_ge(read_label(bob, &session), 0);
        ck_assert_int_lt(read_label(again, &session), 0); /* of another connection */
        client_fail(again, session.path, SESSION, "GetSecurityCode", ERROR("NoSuchSession"), "a{sv}", 0);
        ck_assert_uint_eq(count_listed(again, "ListSessions"), 0);
        /* Properties ask by themselves, one connection a command: as busctl does it. */
        polkit->mood = POLKIT_GRANTS;
        client_do(again, session.path, SESSION, "GetSecurityCode", "a{sv}", 0);
        ck_assert_int_ge(read_label(again, &session), 0);
}
END_TEST

START_TEST(credentials_are_for_whom_polkit_lets) {
        _polkit_ polkit = polkit_start(POLKIT_GRANTS);
        _client_ owner = client_open_as(FOREIGN_UID);
        _client_ bob = client_open_as(BOB);
        TestSession session = client_open_session(owner, "livekit", 0);
        sd_bus *callers[] = { owner, bob };

        for (size_t i = 0; i < ELEMENTS(callers); i++) {
                /* The daemon of this test has none: whoever hears that was let through. */
                polkit->mood = POLKIT_GRANTS;
                client_fail(callers[i], session.path, SESSION, "ImportCredential", ERROR("CredentialNotFound"),
                            "susa{sv}", "", 0, "standup", 2, "salt", "ay", 3, 1, 2, 3, "kdf", "s", "hkdf");
                ck_assert_str_eq(polkit->action, "org.framekey1.import");
                polkit->mood = POLKIT_DENIES;
                client_fail(callers[i], session.path, SESSION, "ImportCredential",
                            i == 0 ? ERROR("PolicyForbids") : ERROR("NoSuchSession"), "susa{sv}", "", 0, "standup", 0);
        }
        polkit->mood = POLKIT_GRANTS;
        client_fail(bob, NO_SUCH_PATH, SESSION, "ImportCredential", ERROR("NoSuchSession"), "susa{sv}", "", 0,
                    "standup", 0);
        client_fail(bob, session.path, SESSION, "GetSecurityCode", ERROR("NoSuchKey"), "a{sv}", 0);
        ck_assert_str_eq(polkit->action, "org.framekey1.inspect");
}
END_TEST

START_TEST(whom_polkit_does_not_let_is_told_what_to_do) {
        static const PolkitMood moods[] = { POLKIT_DENIES, POLKIT_FAILS, POLKIT_BABBLES, POLKIT_CHALLENGES };
        _polkit_ polkit = polkit_start(POLKIT_DENIES);
        _client_ bob = client_open_as(BOB);

        for (size_t i = 0; i < ELEMENTS(moods); i++) {
                _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
                const char *unasked =
                        moods[i] == POLKIT_CHALLENGES ? SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED : FORBIDDEN;
                Later later;

                polkit->mood = moods[i];
                later = open_as(bob, false);
                ck_assert_str_eq(later.error, unasked);
                later = open_as(bob, true);
                ck_assert_str_eq(later.error, FORBIDDEN);
                ck_assert_ptr_nonnull(strstr(later.text, "polkit"));
                ck_assert_str_eq(rotate(bob, "", false).error, unasked);
                ck_assert_int_lt(set_age(bob, 1, &error), 0);
                ck_assert_str_eq(error.name, unasked);
                ck_assert_uint_eq(client_u64(bob, MANAGER_PATH, MANAGER, "MaximumKeyAgeUSec"), 0);
                ck_assert(!client_bool(bob, MANAGER_PATH, MANAGER, "Locked"));
        }
        ck_assert_uint_ge(
                call_logged("audit: authorize", "polkit=\"org.framekey1.open-session\" uid=1 ", "result=\"refused\""),
                1);
        ck_assert_uint_ge(call_logged("audit: authorize", "reason=\"Action is not registered\"", "result=\"failed\""),
                          1);
        ck_assert_uint_ge(call_logged("audit: authorize", "org.framekey1.policy", "result=\"challenge\""), 1);
}
END_TEST

/* ---- nobody learns by it ---- */

/* The same call about a session of somebody else and about none gives the same answer, and asks polkit as often. */
static void same_answer(const Polkit *polkit, sd_bus *bus, Target there, Target not_there, const char *types,
                        const char *a, const char *a_not_there, const char *b) {
        unsigned before = polkit->n_asked, between;
        Later foreign, absent;

        foreign = now_call(bus, there, types, a, b);
        between = polkit->n_asked;
        absent = now_call(bus, not_there, types, a_not_there, b);
        ck_assert_uint_eq(polkit->n_asked - between, between - before);
        ck_assert_msg(foreign.error[0] != '\0', "%s is not refused", there.member);
        ck_assert_str_eq(foreign.error, absent.error);
        ck_assert_str_eq(foreign.text, absent.text);
}

START_TEST(foreign_and_absent_sessions_are_the_same_to_all_but_whom_polkit_lets) {
        static const PolkitMood moods[] = { POLKIT_DENIES, POLKIT_CHALLENGES, POLKIT_FAILS, POLKIT_BABBLES };
        static const struct {
                const char *member, *types, *b;
        } managed[] = {
                { "GetSession", "s", NULL },
                { "RotateKeys", "ssa{sv}", "x" },
                { "RatchetKeys", "ssa{sv}", "x" },
                { "CloseSession", "ss", "x" },
        };
        static const struct {
                const char *interface, *member, *types, *a, *b;
        } objects[] = {
                { SESSION, "GetStatistics", NULL, NULL, NULL }, { SESSION, "Close", NULL, NULL, NULL },
                { SESSION, "Unheard", NULL, NULL, NULL },       { INTROSPECT, "Introspect", NULL, NULL, NULL },
                { PROPERTIES, "Get", "ss", SESSION, "Label" },  { PROPERTIES, "GetAll", "s", SESSION, NULL },
        };
        _polkit_ polkit = polkit_start(POLKIT_GRANTS);
        _client_ owner = client_open_as(FOREIGN_UID);
        _client_ bob = client_open_as(BOB);
        TestSession session = client_open_session(owner, "livekit", 0);

        for (size_t mood = 0; mood < ELEMENTS(moods); mood++) {
                polkit->mood = moods[mood];
                for (size_t i = 0; i < ELEMENTS(managed); i++) {
                        Target target = { MANAGER_PATH, MANAGER, managed[i].member, mood % 2 == 0 };

                        same_answer(polkit, bob, target, target, managed[i].types, session.id, NO_SUCH, managed[i].b);
                }
                for (size_t i = 0; i < ELEMENTS(objects); i++) {
                        Target target = { session.path, objects[i].interface, objects[i].member, mood % 2 == 0 };
                        Target none = target;

                        none.path = NO_SUCH_PATH;
                        same_answer(polkit, bob, target, none, objects[i].types, objects[i].a, objects[i].a,
                                    objects[i].b);
                }
        }
}
END_TEST

/* ---- it hangs ---- */

#define FRAMES     150u
#define FRAME_USEC (20 * MSEC)

/* Three seconds of a call at fifty frames a second, whose owner calls meanwhile; how long the longest step took. */
static uint64_t run_call(sd_bus *owner, const Call *call) {
        uint64_t start = call_now_usec(), longest = 0;

        for (unsigned i = 0; i < FRAMES; i++) {
                uint64_t due = start + i * FRAME_USEC, now = call_now_usec();
                if (now < due)
                        (void)usleep((useconds_t)(due - now));
                now = call_now_usec();
                ck_assert_uint_eq(call_send(call), 0);
                if (i % 10 == 0) {
                        free(client_string(owner, call->session.path, SESSION, "Label"));
                        client_do(owner, call->session.path, SESSION, "GetStatistics", NULL);
                        client_do(owner, MANAGER_PATH, MANAGER, "ListSessions", NULL);
                        client_do(owner, call->session.path, SESSION, "Ratchet", "sa{sv}", "me", 0);
                }
                longest = MAX_OF(longest, call_now_usec() - now);
        }
        return longest;
}

START_TEST(while_polkit_hangs_only_who_needs_it_waits) {
        _polkit_ polkit = polkit_start(POLKIT_GRANTS);
        _client_ owner = client_open_as(FOREIGN_UID);
        _client_ bob = client_open_as(BOB);
        _client_ root = client_open();
        Later opening, rotating, dialog;
        _call_ call = { 0 };
        uint64_t longest;

        call_open(owner, &call, 0);
        call_generate(owner, &call, 0);
        polkit->mood = POLKIT_HANGS;
        later_call(bob, &opening, (Target){ MANAGER_PATH, MANAGER, "OpenSession", false }, "ssa{sv}", "livekit", "test",
                   0);
        later_call(bob, &rotating, (Target){ MANAGER_PATH, MANAGER, "RotateKeys", false }, "ssa{sv}", call.session.id,
                   "test", 0);
        later_call(bob, &dialog, (Target){ MANAGER_PATH, MANAGER, "OpenSession", true }, "ssa{sv}", "livekit", "test",
                   0);
        polkit_wait(&polkit->n_waiting, 3);
        longest = run_call(owner, &call);
        ck_assert_uint_eq(polkit->n_waiting, 3);
        ck_assert_msg(longest < USEC_PER_SEC, "a frame or a call of the owner took %u ms", (unsigned)(longest / MSEC));
        ck_assert_str_eq(rotate(root, call.session.id, false).error, "");
        ck_assert_int_ge(set_age(root, 0, NULL), 0);

        later_wait(bob, &opening);
        later_wait(bob, &rotating);
        ck_assert_str_eq(opening.error, FORBIDDEN);
        ck_assert_ptr_nonnull(strstr(opening.text, "polkit did not answer whether you are allowed "
                                                   "org.framekey1.open-session"));
        ck_assert_str_eq(rotating.error, FORBIDDEN);
        ck_assert_uint_ge(opening.took_usec, DEADLINE);
        ck_assert_uint_le(opening.took_usec, DEADLINE + LATE);
        polkit_wait(&polkit->n_cancelled, 2);
        ck_assert_uint_eq(polkit->n_cancelled, 2);
        /* Somebody may be typing a password: that takes longer. */
        client_settle(bob, 500 * MSEC);
        ck_assert(!dialog.done);
        polkit->mood = POLKIT_GRANTS;
        later_wait(bob, &dialog);
        ck_assert_str_eq(dialog.error, "");
        ck_assert_uint_ge(call_logged("audit: authorize", "org.framekey1.open-session", "result=\"no-answer\""), 1);
        (void)fprintf(stderr, "longest step while polkit hung: %u us\n", (unsigned)longest);
}
END_TEST

START_TEST(polkit_may_die_over_a_question) {
        _polkit_ polkit = polkit_start(POLKIT_VANISHES);
        _client_ bob = client_open_as(BOB);
        Later later = open_as(bob, true);

        ck_assert_str_eq(later.error, FORBIDDEN);
        ck_assert_uint_lt(later.took_usec, DEADLINE);
        ck_assert_uint_eq(polkit->n_asked, 1);
        /* Then there is none. */
        ck_assert_str_eq(open_as(bob, false).error, "");
}
END_TEST

START_TEST(a_question_ends_with_its_caller) {
        _polkit_ polkit = polkit_start(POLKIT_HANGS);
        sd_bus *bob = client_open_as(BOB);
        _client_ other = client_open_as(BOB);
        Later later[8];

        for (size_t i = 0; i < ELEMENTS(later); i++)
                later_call(bob, &later[i], (Target){ MANAGER_PATH, MANAGER, "RotateKeys", true }, "ssa{sv}", NO_SUCH,
                           "test", 0);
        polkit_wait(&polkit->n_waiting, ELEMENTS(later));
        ck_assert_str_eq(rotate(other, NO_SUCH, true).error, ERROR("QuotaExceeded"));
        sd_bus_close_unref(bob);
        polkit_wait(&polkit->n_cancelled, ELEMENTS(later));
        polkit->mood = POLKIT_DENIES;
        ck_assert_str_eq(rotate(other, NO_SUCH, true).error, ERROR("NoSuchSession"));
        ck_assert_uint_eq(call_logged("audit: authorize", "uid=1 ", "result=\"caller-left\""), ELEMENTS(later));
}
END_TEST

START_TEST(a_session_may_end_while_polkit_thinks) {
        _polkit_ polkit = polkit_start(POLKIT_GRANTS);
        _client_ owner = client_open_as(FOREIGN_UID);
        _client_ bob = client_open_as(BOB);
        TestSession session = client_open_session(owner, "livekit", 0);
        Later rotating, reading;

        polkit->mood = POLKIT_HANGS;
        later_call(bob, &rotating, (Target){ MANAGER_PATH, MANAGER, "RotateKeys", true }, "ssa{sv}", session.id, "test",
                   0);
        later_call(bob, &reading, (Target){ session.path, PROPERTIES, "GetAll", true }, "s", SESSION);
        polkit_wait(&polkit->n_waiting, 2);
        client_do(owner, session.path, SESSION, "Close", NULL);
        polkit->mood = POLKIT_GRANTS;
        later_wait(bob, &rotating);
        later_wait(bob, &reading);
        ck_assert_str_eq(rotating.error, ERROR("NoSuchSession"));
        ck_assert_str_eq(reading.error, ERROR("NoSuchSession"));
}
END_TEST

/* ---- it is bounded ---- */

#define USERS 8u

START_TEST(questions_are_bounded_for_each_user_and_in_all) {
        _polkit_ polkit = polkit_start(POLKIT_HANGS);
        _client_ last = client_open_as(BOB);
        sd_bus *users[USERS];
        static Later later[USERS][9];

        for (uid_t user = 0; user < USERS; user++) {
                users[user] = client_open_as(2 + user);
                for (size_t i = 0; i < ELEMENTS(*later); i++)
                        later_call(users[user], &later[user][i], (Target){ MANAGER_PATH, MANAGER, "OpenSession", true },
                                   "ssa{sv}", "livekit", "test", 0);
        }
        for (unsigned user = 0; user + 1 < USERS; user++) {
                later_wait(users[user], &later[user][8]);
                ck_assert_str_eq(later[user][8].error, ERROR("QuotaExceeded"));
                ck_assert(!later[user][7].done);
        }
        polkit_wait(&polkit->n_waiting, 64);
        ck_assert_str_eq(open_as(last, true).error, SD_BUS_ERROR_LIMITS_EXCEEDED);
        ck_assert_uint_eq(polkit->n_asked, 64);
        for (unsigned user = 0; user < USERS; user++)
                sd_bus_close_unref(users[user]);
        polkit_wait(&polkit->n_cancelled, 64);
        polkit->mood = POLKIT_GRANTS;
        ck_assert_str_eq(open_as(last, true).error, "");
}
END_TEST

START_TEST(what_is_large_or_wrong_is_not_held) {
        _polkit_ polkit = polkit_start(POLKIT_HANGS);
        _client_ bob = client_open_as(BOB);
        _cleanup_free_ char *text = calloc(1, 100001);

        ck_assert_ptr_nonnull(text);
        memset(text, 'x', 100000);
        ck_assert_str_ne(now_call(bob, (Target){ NO_SUCH_PATH, PROPERTIES, "Get", true }, "ss", SESSION, text).error,
                         "");
        ck_assert_str_ne(now_call(bob, (Target){ NO_SUCH_PATH, PROPERTIES, "GetAll", true }, "s", text, NULL).error,
                         "");
        ck_assert_str_eq(
                now_call(bob, (Target){ MANAGER_PATH, MANAGER, "RotateKeys", true }, "ssa{sv}", "", text).error,
                INVALID_ARGS);
        ck_assert_int_lt(
                sd_bus_set_property(bob, "org.framekey1", MANAGER_PATH, MANAGER, "MaximumKeyAgeUSec", NULL, "s", text),
                0);
        ck_assert_str_eq(
                now_call(bob, (Target){ MANAGER_PATH, MANAGER, "OpenSession", true }, "ssa{sv}", "nonesuch", "test")
                        .error,
                ERROR("NoSuchProfile"));
        /* Options that are too many, too long, or of no type that an option has. */
        client_fail(bob, NO_SUCH_PATH, SESSION, "ImportCredential", ERROR("NoSuchSession"), "susa{sv}", "", 0, "x", 1,
                    "x", "s", text);
        client_fail(bob, NO_SUCH_PATH, SESSION, "ImportCredential", ERROR("NoSuchSession"), "susa{sv}", "", 0, "x", 1,
                    "x", "as", 1, text);
        client_fail(bob, NO_SUCH_PATH, SESSION, "ImportCredential", ERROR("NoSuchSession"), "susa{sv}", "", 0, text, 0);
        client_fail(bob, NO_SUCH_PATH, SESSION, "ImportCredential", ERROR("NoSuchSession"), "susa{sv}", "", 0, "x", 17,
                    "a", "b", 0, "b", "b", 0, "c", "b", 0, "d", "b", 0, "e", "b", 0, "f", "b", 0, "g", "b", 0, "h", "b",
                    0, "i", "b", 0, "j", "b", 0, "k", "b", 0, "l", "b", 0, "m", "b", 0, "n", "b", 0, "o", "b", 0, "p",
                    "b", 0, "q", "b", 0);
        ck_assert_uint_eq(polkit->n_asked, 0);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("authority");
        TCase *cases = tcase_create("several users");

        tcase_set_timeout(cases, 60);
        tcase_add_test(cases, without_polkit_root_and_owners_go_on);
        tcase_add_test(cases, root_and_owners_are_never_asked_about);
        tcase_add_test(cases, whom_polkit_lets_acts_on_sessions_of_others);
        tcase_add_test(cases, a_grant_to_inspect_is_remembered_and_dies_with_the_name);
        tcase_add_test(cases, credentials_are_for_whom_polkit_lets);
        tcase_add_test(cases, whom_polkit_does_not_let_is_told_what_to_do);
        tcase_add_test(cases, foreign_and_absent_sessions_are_the_same_to_all_but_whom_polkit_lets);
        tcase_add_test(cases, while_polkit_hangs_only_who_needs_it_waits);
        tcase_add_test(cases, polkit_may_die_over_a_question);
        tcase_add_test(cases, a_question_ends_with_its_caller);
        tcase_add_test(cases, a_session_may_end_while_polkit_thinks);
        tcase_add_test(cases, questions_are_bounded_for_each_user_and_in_all);
        tcase_add_test(cases, what_is_large_or_wrong_is_not_held);
        suite_add_tcase(suite, cases);
        return client_is_root() ? client_main(suite) : 77;
}
