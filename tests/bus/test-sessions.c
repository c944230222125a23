/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Life of sessions on the bus, who may see and change them, and who hears of it. */
#include "client.h"

#include <stdio.h>

#define SESSION "org.framekey1.Session"
#define MANAGER "org.framekey1.Manager"

static size_t count_sessions(sd_bus *bus) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = client_manager(bus, "ListSessions", NULL);
        size_t n = 0;

        ck_assert_int_ge(sd_bus_message_enter_container(reply, 'a', "(sosstu)"), 0);
        while (sd_bus_message_skip(reply, "(sosstu)") > 0)
                n++;
        return n;
}

/* The daemon learns of a connection's end from the bus, not from us: asked until it has. */
static void wait_for_sessions(sd_bus *bus, size_t n) {
        for (unsigned i = 0; i < 500 && count_sessions(bus) != n; i++)
                (void)usleep(10 * USEC_PER_MSEC);
        ck_assert_uint_eq(count_sessions(bus), n);
}

START_TEST(a_session_has_what_it_was_opened_with) {
        _client_ bus = client_open();
        TestSession session = client_open_session(bus, "element-call", 3, "ring-size", "u", 7, "ratchet-window", "u", 3,
                                                  "key-bits", "u", 256);
        _cleanup_free_ char *label = client_string(bus, session.path, SESSION, "Label"),
                            *profile = client_string(bus, session.path, SESSION, "Profile"),
                            *preset = client_string(bus, session.path, SESSION, "Preset"),
                            *suite = client_string(bus, session.path, SESSION, "CipherSuite"),
                            *mode = client_string(bus, session.path, SESSION, "KeyMode"),
                            *owner = client_string(bus, session.path, SESSION, "Owner");
        const char *unique;

        ck_assert_int_ge(sd_bus_get_unique_name(bus, &unique), 0);
        ck_assert_str_eq(label, "test");
        ck_assert_str_eq(profile, "livekit");
        ck_assert_str_eq(preset, "element-call");
        ck_assert_str_eq(suite, "AES_256_GCM");
        ck_assert_str_eq(mode, "participant");
        ck_assert_str_eq(owner, unique);
        ck_assert_uint_eq(client_u32(bus, session.path, SESSION, "RingSize"), 7);
        ck_assert_uint_eq(client_u32(bus, session.path, SESSION, "RatchetWindow"), 3);
        ck_assert_uint_eq(client_u32(bus, session.path, SESSION, "OwnerUID"), geteuid());
}
END_TEST

START_TEST(a_closed_session_is_gone) {
        _client_ bus = client_open();
        TestSession session = client_open_session(bus, "livekit", 0);

        client_do(bus, session.path, SESSION, "Close", NULL);
        client_fail(bus, session.path, SESSION, "Close", ERROR("NoSuchSession"), NULL);
        client_fail(bus, MANAGER_PATH, MANAGER, "GetSession", ERROR("NoSuchSession"), "s", session.id);
}
END_TEST

START_TEST(a_session_ends_with_its_owner) {
        _client_ watcher = client_open();
        sd_bus *owner = client_open();
        size_t before = count_sessions(watcher);

        (void)client_open_session(owner, "livekit", 0);
        ck_assert_uint_eq(count_sessions(watcher), before + 1);
        sd_bus_flush_close_unref(owner);
        wait_for_sessions(watcher, before);
}
END_TEST

START_TEST(a_lingering_session_outlives_its_owner) {
        _client_ watcher = client_open();
        sd_bus *owner = client_open(), *marker = client_open();
        TestSession session = client_open_session(owner, "livekit", 1, "linger", "b", 1);
        _cleanup_free_ char *left = NULL;
        size_t before;

        (void)client_open_session(marker, "livekit", 0);
        before = count_sessions(watcher);
        sd_bus_flush_close_unref(owner);
        sd_bus_flush_close_unref(marker);
        wait_for_sessions(watcher, before - 1); /* the marker's: so the daemon has heard of both */
        left = client_string(watcher, session.path, SESSION, "Owner");
        ck_assert_str_eq(left, "");
        /* It is exclusive, so nobody takes it over; but its user can end it. */
        client_fail(watcher, session.path, SESSION, "AttachSession", ERROR("NotOwner"), NULL);
        client_do(watcher, MANAGER_PATH, MANAGER, "CloseSession", "ss", session.id, "test");
}
END_TEST

START_TEST(unknown_and_wrong_options_are_named) {
        static const struct {
                const char *name, *type;
                int value;
                const char *said;
        } rows[] = {
                { "ring-sise", "u", 16, "ring-sise" },
                { "ring-size", "t", 16, "ring-size" },
                { "ring-size", "u", 0, "ring-size" },
                { "ring-size", "u", 257, "ring-size" },
                { "ratchet-window", "u", 33, "ratchet-window" },
                { "replay-window", "u", 255, "replay-window" },
                { "key-bits", "u", 192, "key-bits" },
                { "iterations", "u", 0, "iterations" },
        };
        _client_ bus = client_open();

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                _cleanup_free_ char *text = NULL;

                if (rows[i].type[0] == 't')
                        text = client_refused(bus, MANAGER_PATH, MANAGER, "OpenSession", INVALID_ARGS, "ssa{sv}",
                                              "livekit", "test", 1, rows[i].name, "t", (uint64_t)rows[i].value);
                else
                        text = client_refused(bus, MANAGER_PATH, MANAGER, "OpenSession", INVALID_ARGS, "ssa{sv}",
                                              "livekit", "test", 1, rows[i].name, "u", rows[i].value);
                ck_assert_msg(strstr(text, rows[i].said), "'%s' does not name %s", text, rows[i].said);
        }
        client_fail(bus, MANAGER_PATH, MANAGER, "OpenSession", INVALID_ARGS, "ssa{sv}", "livekit", "test", 2,
                    "ring-size", "u", 4, "ring-size", "u", 5);
        client_fail(bus, MANAGER_PATH, MANAGER, "OpenSession", INVALID_ARGS, "ssa{sv}", "livekit", "test", 1,
                    "key-mode", "s", "both");
        client_fail(bus, MANAGER_PATH, MANAGER, "OpenSession", ERROR("NoSuchProfile"), "ssa{sv}", "zoom", "test", 0);
}
END_TEST

START_TEST(every_method_refuses_unknown_options) {
        _client_ bus = client_open();
        TestSession session = client_open_session(bus, "livekit", 0);

        client_fail(bus, session.path, SESSION, "AddParticipant", INVALID_ARGS, "ssa{sv}", "a", "local", 1, "x", "b",
                    1);
        client_fail(bus, session.path, SESSION, "RemoveParticipant", INVALID_ARGS, "sa{sv}", "a", 1, "x", "b", 1);
        client_fail(bus, session.path, SESSION, "GenerateKey", INVALID_ARGS, "sua{sv}", "", 0, 1, "x", "b", 1);
        client_fail(bus, session.path, SESSION, "ImportKey", INVALID_ARGS, "suha{sv}", "", 0, 0, 1, "x", "b", 1);
        client_fail(bus, session.path, SESSION, "Ratchet", INVALID_ARGS, "sa{sv}", "", 1, "x", "b", 1);
        client_fail(bus, session.path, SESSION, "OpenChannel", INVALID_ARGS, "a{sv}", 1, "x", "b", 1);
        client_fail(bus, session.path, SESSION, "AddStream", INVALID_ARGS, "ossssa{sv}", "/x", "a", "encrypt", "audio",
                    "opus", 1, "x", "b", 1);
        client_fail(bus, MANAGER_PATH, MANAGER, "RatchetKeys", INVALID_ARGS, "ssa{sv}", session.id, "test", 1, "x", "b",
                    1);
}
END_TEST

START_TEST(only_the_opener_changes_an_exclusive_session) {
        _client_ owner = client_open();
        _client_ other = client_open();
        TestSession session = client_open_session(owner, "livekit", 0);
        _cleanup_free_ char *label = client_string(other, session.path, SESSION, "Label");

        ck_assert_str_eq(label, "test"); /* reading is the user's */
        client_fail(other, session.path, SESSION, "AttachSession", ERROR("NotOwner"), NULL);
        client_fail(other, session.path, SESSION, "AddParticipant", ERROR("NotOwner"), "ssa{sv}", "a", "local", 0);
        client_fail(other, session.path, SESSION, "GenerateKey", ERROR("NotOwner"), "sua{sv}", "", 0, 0);
        client_fail(other, session.path, SESSION, "OpenChannel", ERROR("NotOwner"), "a{sv}", 0);
        client_fail(other, session.path, SESSION, "Close", ERROR("NotOwner"), NULL);
        client_do(owner, session.path, SESSION, "AddParticipant", "ssa{sv}", "a", "local", 0);
}
END_TEST

START_TEST(another_connection_attaches_to_an_open_session) {
        _client_ owner = client_open();
        _client_ other = client_open();
        TestSession session = client_open_session(owner, "livekit", 1, "exclusive", "b", 0);

        client_fail(other, session.path, SESSION, "AddParticipant", ERROR("NotOwner"), "ssa{sv}", "a", "local", 0);
        client_do(other, session.path, SESSION, "AttachSession", NULL);
        client_do(other, session.path, SESSION, "AddParticipant", "ssa{sv}", "a", "local", 0);
}
END_TEST

/* The same text for a session of somebody else and for one that never was, but for the name that was asked for. */
static void same_refusal(sd_bus *bus, const char *member, const char *foreign, const char *types) {
        static const char absent[] = "aaaaaaaaaaaa";
        _cleanup_free_ char *a = NULL, *b = NULL;

        if (strcmp(types, "s") == 0) {
                a = client_refused(bus, MANAGER_PATH, MANAGER, member, ERROR("NoSuchSession"), types, foreign);
                b = client_refused(bus, MANAGER_PATH, MANAGER, member, ERROR("NoSuchSession"), types, absent);
        } else if (strcmp(types, "ss") == 0) {
                a = client_refused(bus, MANAGER_PATH, MANAGER, member, ERROR("NoSuchSession"), types, foreign, "r");
                b = client_refused(bus, MANAGER_PATH, MANAGER, member, ERROR("NoSuchSession"), types, absent, "r");
        } else if (strcmp(types, "sss") == 0) {
                a = client_refused(bus, MANAGER_PATH, MANAGER, member, ERROR("NoSuchSession"), types, foreign, "p",
                                   "r");
                b = client_refused(bus, MANAGER_PATH, MANAGER, member, ERROR("NoSuchSession"), types, absent, "p", "r");
        } else {
                a = client_refused(bus, MANAGER_PATH, MANAGER, member, ERROR("NoSuchSession"), types, foreign, "r", 0);
                b = client_refused(bus, MANAGER_PATH, MANAGER, member, ERROR("NoSuchSession"), types, absent, "r", 0);
        }
        ck_assert_str_eq(a, b);
}

static void same_refusal_at(sd_bus *bus, const char *path, const char *below) {
        static const struct {
                const char *interface, *member, *types, *argument;
        } calls[] = {
                { SESSION, "Close", NULL, NULL },
                { SESSION, "AttachSession", NULL, NULL },
                { SESSION, "GetStatistics", NULL, NULL },
                { "org.framekey1.Participant", "GetStatistics", NULL, NULL },
                { "org.framekey1.Channel", "Close", NULL, NULL },
                { "org.freedesktop.DBus.Properties", "GetAll", "s", SESSION },
                { "org.freedesktop.DBus.Properties", "GetAll", "s", "" },
                { "org.freedesktop.DBus.Introspectable", "Introspect", NULL, NULL },
        };

        for (size_t i = 0; i < ELEMENTS(calls); i++) {
                _cleanup_(sd_bus_error_free) sd_bus_error a = SD_BUS_ERROR_NULL, b = SD_BUS_ERROR_NULL;
                char foreign[256], absent[256];
                int r, q;

                (void)snprintf(foreign, sizeof(foreign), "%s%s", path, below);
                (void)snprintf(absent, sizeof(absent), "/org/framekey1/session/aaaaaaaaaaaa%s", below);
                r = sd_bus_call_method(bus, "org.framekey1", foreign, calls[i].interface, calls[i].member, &a, NULL,
                                       calls[i].types, calls[i].argument);
                q = sd_bus_call_method(bus, "org.framekey1", absent, calls[i].interface, calls[i].member, &b, NULL,
                                       calls[i].types, calls[i].argument);
                ck_assert_msg(r < 0 && q < 0, "%s at %s was answered", calls[i].member, r < 0 ? absent : foreign);
                ck_assert_str_eq(a.name, b.name);
                /* sd-bus names the path in its own errors; ours are the same to the letter. */
                if (strncmp(a.name, "org.framekey1", 13) == 0)
                        ck_assert_str_eq(a.message, b.message);
        }
}

/* Whether the listing of paths below the sessions' root names this one. */
static bool is_listed(sd_bus *bus, const char *id) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply =
                client_call(bus, "/org/framekey1/session", "org.freedesktop.DBus.Introspectable", "Introspect", NULL);
        const char *xml;

        ck_assert_int_gt(sd_bus_message_read(reply, "s", &xml), 0);
        return strstr(xml, id);
}

START_TEST(foreign_and_absent_sessions_give_the_same_answer) {
        _client_ owner = client_open();
        _client_ stranger = client_open_as(FOREIGN_UID);
        TestSession session = client_open_session(owner, "livekit", 1, "exclusive", "b", 0);

        client_do(owner, session.path, SESSION, "AddParticipant", "ssa{sv}", "alice", "local", 0);
        client_do(owner, session.path, SESSION, "OpenChannel", "a{sv}", 0);
        ck_assert_uint_eq(count_sessions(stranger), 0);
        ck_assert(is_listed(owner, session.id));
        ck_assert(!is_listed(stranger, session.id));
        same_refusal(stranger, "GetSession", session.id, "s");
        same_refusal(stranger, "CloseSession", session.id, "ss");
        same_refusal(stranger, "RevokeParticipant", session.id, "sss");
        same_refusal(stranger, "RatchetKeys", session.id, "ssa{sv}");
        same_refusal_at(stranger, session.path, "");
        same_refusal_at(stranger, session.path, "/participant/alice");
        same_refusal_at(stranger, session.path, "/channel/1");
}
END_TEST

START_TEST(root_reads_and_ends_sessions_of_others) {
        _client_ owner = client_open_as(FOREIGN_UID);
        _client_ root = client_open();
        TestSession session = client_open_session(owner, "livekit", 0);
        _cleanup_free_ char *label = client_string(root, session.path, SESSION, "Label");

        ck_assert_str_eq(label, "test");
        ck_assert_uint_eq(client_u32(root, session.path, SESSION, "OwnerUID"), FOREIGN_UID);
        client_fail(root, session.path, SESSION, "Close", ERROR("NotOwner"), NULL);
        client_do(owner, session.path, SESSION, "AddParticipant", "ssa{sv}", "mallory", "remote", 0);
        client_do(root, MANAGER_PATH, MANAGER, "RevokeParticipant", "sss", session.id, "mallory", "test");
        client_fail(owner, session.path, SESSION, "RemoveParticipant", ERROR("NoSuchParticipant"), "sa{sv}", "mallory",
                    0);
        client_do(root, MANAGER_PATH, MANAGER, "CloseSession", "ss", session.id, "test");
        client_fail(owner, session.path, SESSION, "Close", ERROR("NoSuchSession"), NULL);
}
END_TEST

START_TEST(locking_is_for_root_and_lets_nothing_in) {
        _client_ user = client_open_as(FOREIGN_UID);
        _client_ root = client_open();
        TestSession session = client_open_session(user, "livekit", 0);

        client_fail(user, MANAGER_PATH, MANAGER, "Lock", ERROR("PolicyForbids"), "bs", 1, "test");
        client_fail(user, MANAGER_PATH, MANAGER, "RatchetKeys", ERROR("PolicyForbids"), "ssa{sv}", "", "test", 0);
        client_do(root, MANAGER_PATH, MANAGER, "Lock", "bs", 1, "test");
        client_fail(user, MANAGER_PATH, MANAGER, "OpenSession", ERROR("Locked"), "ssa{sv}", "livekit", "test", 0);
        client_fail(user, session.path, SESSION, "GenerateKey", ERROR("Locked"), "sua{sv}", "", 0, 0);
        client_fail(user, session.path, SESSION, "OpenChannel", ERROR("Locked"), "a{sv}", 0);
        client_do(root, MANAGER_PATH, MANAGER, "Lock", "bs", 0, "test");
        client_do(user, session.path, SESSION, "GenerateKey", "sua{sv}", "", 0, 0);
}
END_TEST

static int on_signal(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        if (sd_bus_message_get_path(message) && strlen(sd_bus_message_get_path(message)) > strlen(MANAGER_PATH))
                (*(int *)userdata)++;
        return 0;
}

static void watch(sd_bus *bus, int *counter) {
        ck_assert_int_ge(sd_bus_add_match(bus, NULL, "type='signal',sender='org.framekey1'", on_signal, counter), 0);
        /* Many buses refuse this to ordinary users; where they do not, it must not help. */
        (void)sd_bus_call_method(bus, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                 "AddMatch", NULL, NULL, "s", "type='signal',eavesdrop='true'");
}

START_TEST(signals_of_a_session_reach_its_owners_alone) {
        _client_ owner = client_open();
        _client_ attached = client_open();
        _client_ same_user = client_open();
        _client_ stranger = client_open_as(FOREIGN_UID);
        TestSession session = client_open_session(owner, "livekit", 1, "exclusive", "b", 0);
        int heard[4] = { 0 };

        client_do(attached, session.path, SESSION, "AttachSession", NULL);
        watch(owner, &heard[0]);
        watch(attached, &heard[1]);
        watch(same_user, &heard[2]);
        watch(stranger, &heard[3]);
        client_do(owner, session.path, SESSION, "AddParticipant", "ssa{sv}", "alice", "local", 0);
        (void)client_import(owner, session.path, "", 0, "a passphrase");
        client_settle(owner, 200 * USEC_PER_MSEC);
        client_settle(attached, 200 * USEC_PER_MSEC);
        client_settle(same_user, 200 * USEC_PER_MSEC);
        client_settle(stranger, 200 * USEC_PER_MSEC);
        ck_assert_int_ge(heard[0], 2); /* PropertiesChanged, KeyInstalled, KeyActivated */
        ck_assert_int_eq(heard[1], heard[0]);
        ck_assert_int_eq(heard[2], 0);
        ck_assert_int_eq(heard[3], 0);
}
END_TEST

static int on_announcement(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        int *heard = userdata; /* anything, SessionNew, SessionRemoved */

        heard[0]++;
        heard[1] += sd_bus_message_is_signal(message, MANAGER, "SessionNew") > 0;
        heard[2] += sd_bus_message_is_signal(message, MANAGER, "SessionRemoved") > 0;
        return 0;
}

START_TEST(only_who_sees_sessions_hears_that_one_begins_and_ends) {
        _client_ owner = client_open_as(FOREIGN_UID);
        _client_ attached = client_open_as(FOREIGN_UID);
        _client_ lister = client_open_as(FOREIGN_UID);
        _client_ same_user = client_open_as(FOREIGN_UID);
        _client_ stranger = client_open_as(1);
        _client_ root = client_open();
        const struct {
                sd_bus *bus;
                bool lists;
                int began, ended;
        } rows[] = {
                { owner, false, 1, 1 },     { attached, false, 0, 1 }, { lister, true, 1, 1 },
                { same_user, false, 0, 0 }, { stranger, true, 0, 0 },  { root, true, 1, 1 },
        };
        int heard[ELEMENTS(rows)][3] = { 0 };
        TestSession session;

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                ck_assert_int_ge(sd_bus_match_signal(rows[i].bus, NULL, "org.framekey1", NULL, NULL, NULL,
                                                     on_announcement, heard[i]),
                                 0);
                if (rows[i].lists)
                        (void)count_sessions(rows[i].bus);
        }
        session = client_open_session(owner, "livekit", 1, "exclusive", "b", 0);
        client_do(attached, session.path, SESSION, "AttachSession", NULL);
        client_do(owner, session.path, SESSION, "AddParticipant", "ssa{sv}", "me", "local", 0);
        client_do(owner, session.path, SESSION, "GenerateKey", "sua{sv}", "", 0, 0);
        client_do(owner, session.path, SESSION, "Ratchet", "sa{sv}", "", 0);
        ck_assert_uint_eq(client_u32(stranger, MANAGER_PATH, MANAGER, "Sessions"), 0);
        ck_assert_uint_eq(client_u32(stranger, MANAGER_PATH, MANAGER, "Keys"), 0);
        ck_assert_uint_eq(client_u32(same_user, MANAGER_PATH, MANAGER, "Keys"), 1);
        client_do(root, MANAGER_PATH, MANAGER, "CloseSession", "ss", session.id, "test");
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                client_settle(rows[i].bus, 100 * USEC_PER_MSEC);
                ck_assert_int_eq(heard[i][1], rows[i].began);
                ck_assert_int_eq(heard[i][2], rows[i].ended);
        }
        ck_assert_int_eq(heard[3][0], 0);
        ck_assert_int_eq(heard[4][0], 0);
}
END_TEST

START_TEST(connections_that_watch_are_bounded) {
        _client_ owner = client_open_as(FOREIGN_UID);
        sd_bus *listers[17];
        int heard[ELEMENTS(listers)][3] = { 0 };

        for (size_t i = 0; i < ELEMENTS(listers); i++) {
                listers[i] = client_open_as(FOREIGN_UID);
                ck_assert_int_ge(sd_bus_match_signal(listers[i], NULL, "org.framekey1", NULL, NULL, NULL,
                                                     on_announcement, heard[i]),
                                 0);
                (void)count_sessions(listers[i]);
        }
        (void)client_open_session(owner, "livekit", 0);
        for (size_t i = 0; i < ELEMENTS(listers); i++) {
                client_settle(listers[i], 20 * USEC_PER_MSEC);
                ck_assert_int_eq(heard[i][1], i > 0);
                sd_bus_close_unref(listers[i]);
        }
}
END_TEST

START_TEST(participants_have_one_role_and_a_name) {
        _client_ bus = client_open();
        TestSession session = client_open_session(bus, "livekit", 0);
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_free_ char *identity = NULL, *role = NULL, *state = NULL;
        char longest[300];
        const char *path;

        reply = client_session(bus, session.path, "AddParticipant", "ssa{sv}", "@ren\xc3\xa9:example.org/1", "remote",
                               0);
        ck_assert_int_ge(sd_bus_message_read(reply, "o", &path), 0);
        identity = client_string(bus, path, "org.framekey1.Participant", "Identity");
        role = client_string(bus, path, "org.framekey1.Participant", "Role");
        state = client_string(bus, path, "org.framekey1.Participant", "State");
        ck_assert_str_eq(identity, "@ren\xc3\xa9:example.org/1");
        ck_assert_str_eq(role, "remote");
        ck_assert_str_eq(state, "idle");
        client_fail(bus, session.path, SESSION, "AddParticipant", ERROR("ParticipantExists"), "ssa{sv}", identity,
                    "local", 0);
        client_fail(bus, session.path, SESSION, "AddParticipant", INVALID_ARGS, "ssa{sv}", "", "local", 0);
        client_fail(bus, session.path, SESSION, "AddParticipant", INVALID_ARGS, "ssa{sv}", "x", "both", 0);
        memset(longest, 'x', sizeof(longest));
        longest[257] = '\0';
        client_fail(bus, session.path, SESSION, "AddParticipant", INVALID_ARGS, "ssa{sv}", longest, "local", 0);
        longest[256] = '\0';
        client_do(bus, session.path, SESSION, "AddParticipant", "ssa{sv}", longest, "local", 0);
}
END_TEST

START_TEST(streams_follow_roles_and_go_with_their_participant) {
        _client_ bus = client_open();
        TestSession session = client_open_session(bus, "livekit", 0);
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply =
                client_session(bus, session.path, "OpenChannel", "a{sv}", 0);
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *added = NULL, *streams = NULL;
        const char *channel;
        uint32_t stream;

        ck_assert_int_ge(sd_bus_message_read(reply, "o", &channel), 0);
        client_do(bus, session.path, SESSION, "AddParticipant", "ssa{sv}", "me", "local", 0);
        client_do(bus, session.path, SESSION, "AddParticipant", "ssa{sv}", "you", "remote", 0);
        client_fail(bus, session.path, SESSION, "AddStream", ERROR("WrongRole"), "ossssa{sv}", channel, "me", "decrypt",
                    "audio", "opus", 0);
        client_fail(bus, session.path, SESSION, "AddStream", ERROR("WrongRole"), "ossssa{sv}", channel, "you",
                    "encrypt", "audio", "opus", 0);
        client_fail(bus, session.path, SESSION, "AddStream", ERROR("NoSuchParticipant"), "ossssa{sv}", channel, "they",
                    "encrypt", "audio", "opus", 0);
        client_fail(bus, session.path, SESSION, "AddStream", ERROR("UnsupportedCodec"), "ossssa{sv}", channel, "me",
                    "encrypt", "audio", "mp3", 0);
        client_fail(bus, session.path, SESSION, "AddStream", INVALID_ARGS, "ossssa{sv}", channel, "me", "both", "audio",
                    "opus", 0);
        client_fail(bus, session.path, SESSION, "AddStream", ERROR("NoSuchChannel"), "ossssa{sv}", session.path, "me",
                    "encrypt", "audio", "opus", 0);
        added = client_session(bus, session.path, "AddStream", "ossssa{sv}", channel, "me", "encrypt", "audio", "opus",
                               0);
        ck_assert_int_ge(sd_bus_message_read(added, "u", &stream), 0);
        client_do(bus, session.path, SESSION, "AddStream", "ossssa{sv}", channel, "you", "decrypt", "video", "vp8", 0);
        client_fail(bus, session.path, SESSION, "RemoveStream", ERROR("NoSuchStream"), "ou", channel, 4000);
        client_do(bus, session.path, SESSION, "RemoveParticipant", "sa{sv}", "me", 0);
        client_fail(bus, session.path, SESSION, "RemoveStream", ERROR("NoSuchStream"), "ou", channel, stream);

        ck_assert_int_ge(sd_bus_get_property(bus, "org.framekey1", channel, "org.framekey1.Channel", "Streams", NULL,
                                             &streams, "a(ussss)"),
                         0);
        ck_assert_int_gt(sd_bus_message_enter_container(streams, 'a', "(ussss)"), 0);
        {
                const char *participant, *direction, *media, *codec;

                ck_assert_int_gt(
                        sd_bus_message_read(streams, "(ussss)", &stream, &participant, &direction, &media, &codec), 0);
                ck_assert_str_eq(participant, "you");
                ck_assert_str_eq(direction, "decrypt");
                ck_assert_str_eq(media, "video");
                ck_assert_str_eq(codec, "vp8");
                ck_assert_int_eq(sd_bus_message_at_end(streams, 0), 1);
        }
        client_do(bus, channel, "org.framekey1.Channel", "Close", NULL);
        client_fail(bus, channel, "org.framekey1.Channel", "Close", ERROR("NoSuchChannel"), NULL);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("sessions");
        TCase *one = tcase_create("one user"), *several = tcase_create("several users");

        tcase_set_timeout(one, 30);
        tcase_set_timeout(several, 30);
        tcase_add_test(one, a_session_has_what_it_was_opened_with);
        tcase_add_test(one, a_closed_session_is_gone);
        tcase_add_test(one, a_session_ends_with_its_owner);
        tcase_add_test(one, a_lingering_session_outlives_its_owner);
        tcase_add_test(one, unknown_and_wrong_options_are_named);
        tcase_add_test(one, every_method_refuses_unknown_options);
        tcase_add_test(one, only_the_opener_changes_an_exclusive_session);
        tcase_add_test(one, another_connection_attaches_to_an_open_session);
        tcase_add_test(one, participants_have_one_role_and_a_name);
        tcase_add_test(one, streams_follow_roles_and_go_with_their_participant);
        suite_add_tcase(suite, one);
        tcase_add_test(several, foreign_and_absent_sessions_give_the_same_answer);
        tcase_add_test(several, root_reads_and_ends_sessions_of_others);
        tcase_add_test(several, locking_is_for_root_and_lets_nothing_in);
        tcase_add_test(several, signals_of_a_session_reach_its_owners_alone);
        tcase_add_test(several, only_who_sees_sessions_hears_that_one_begins_and_ends);
        tcase_add_test(several, connections_that_watch_are_bounded);
        if (client_is_root())
                suite_add_tcase(suite, several);
        return client_main(suite);
}
