/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Every method that the daemon has, as its introspection tells: a call that is allowed leaves a record of who did it,
 * unless it only reads, and so does a call that is refused, for whatever reason. See audit.sh.
 *
 *   test-audit flood UID N    only asks N times for what is not there, as that user
 */
#include "call.h"

#include <inttypes.h>
#include <stdio.h>

#define NAME       "org.framekey1"
#define SECRET     getenv("AUDIT_SECRET")
#define METHOD_MAX 128u

/* ---- methods, by introspection ---- */

typedef struct Method {
        char name[METHOD_MAX]; /* "org.framekey1.Session.Close" */
        char types[32];        /* of what goes in */
        bool allowed;          /* it was called with success */
} Method;

typedef struct Methods {
        Method all[96];
        size_t n;
} Methods;

static void attribute(const char *element, const char *name, char *out, size_t size) {
        const char *end = strchr(element, '>'), *found = strstr(element, name);
        size_t len;

        ck_assert(end && found && found < end);
        found += strlen(name);
        len = strcspn(found, "\"");
        ck_assert_uint_lt(len, size);
        memcpy(out, found, len);
        out[len] = '\0';
}

/* One element of the description a turn: what sd-bus writes has one a line. */
static void read_description(Methods *methods, const char *text) {
        char interface[64] = "", value[64], *types;

        for (const char *p = strchr(text, '<'); p; p = strchr(p + 1, '<')) {
                if (strncmp(p, "<interface ", 11) == 0)
                        attribute(p, "name=\"", interface, sizeof(interface));
                if (strncmp(interface, NAME, strlen(NAME)) != 0)
                        continue;
                if (strncmp(p, "<method ", 8) == 0) {
                        ck_assert_uint_lt(methods->n, ELEMENTS(methods->all));
                        attribute(p, "name=\"", value, sizeof(value));
                        (void)snprintf(methods->all[methods->n++].name, METHOD_MAX, "%s.%s", interface, value);
                } else if (strncmp(p, "<arg ", 5) == 0 && strstr(p, "direction=\"in\"") &&
                           strstr(p, "direction=\"in\"") < strchr(p, '>')) {
                        attribute(p, "type=\"", value, sizeof(value));
                        types = methods->all[methods->n - 1].types;
                        ck_assert_uint_lt(strlen(types) + strlen(value), sizeof(methods->all[0].types));
                        memcpy(types + strlen(types), value, strlen(value) + 1);
                }
        }
}

static void introspect(sd_bus *bus, const char *path, Methods *methods) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply =
                client_call(bus, path, "org.freedesktop.DBus.Introspectable", "Introspect", NULL);
        const char *text;

        ck_assert_int_gt(sd_bus_message_read(reply, "s", &text), 0);
        read_description(methods, text);
}

static void split(const Method *method, char interface[METHOD_MAX], const char **ret_member) {
        char *dot;

        memcpy(interface, method->name, METHOD_MAX);
        dot = strrchr(interface, '.');
        *dot = '\0';
        *ret_member = dot + 1;
}

/* ---- records ---- */

/* Records of this connection that say "ok" (or the opposite). */
static unsigned records(sd_bus *bus, bool ok) {
        char sender[80];
        const char *name;
        unsigned good;

        ck_assert_int_ge(sd_bus_get_unique_name(bus, &name), 0);
        (void)snprintf(sender, sizeof(sender), " pid=%d sender=\"%s\" ", (int)getpid(), name);
        good = call_logged("audit: ", sender, " result=\"ok\"") + call_logged("audit: lock ", sender, "locked\"");
        return ok ? good : call_logged("audit: ", sender, "result=") - good;
}

/* What only reads leaves no record when it is allowed: programs do it all the time. */
static bool only_reads(const char *name) {
        static const char *const reads[] = { ".ListSessions", ".ListAllSessions", ".GetSession", ".GetStatistics",
                                             ".GetTransportKey" };

        for (size_t i = 0; i < ELEMENTS(reads); i++)
                if (strcmp(strrchr(name, '.'), reads[i]) == 0)
                        return true;
        return false;
}

/* A call that must succeed, and leave a record. Gives the reply. */
#define allowed(bus, methods, path, interface, member, ...)                                                            \
        ({                                                                                                             \
                unsigned _before = records((bus), true);                                                               \
                sd_bus_message *_reply = client_call((bus), (path), NAME "." interface, (member), __VA_ARGS__);        \
                mark((methods), NAME "." interface "." member);                                                        \
                ck_assert_msg(only_reads("." member) == (records((bus), true) == _before), "%s: %u records, then %u",  \
                              member, _before, records((bus), true));                                                  \
                _reply;                                                                                                \
        })
#define allow(...) sd_bus_message_unref(allowed(__VA_ARGS__))

static void mark(Methods *methods, const char *name) {
        for (size_t i = 0; i < methods->n; i++)
                if (strcmp(methods->all[i].name, name) == 0) {
                        methods->all[i].allowed = true;
                        return;
                }
        ck_abort_msg("introspection does not know %s", name);
}

/* ---- a call of its own kind for each ---- */

static void append_argument(sd_bus_message *call, const char *type) {
        static const uint8_t bytes[32] = { 1 };
        int r, fd;

        switch (type[0]) {
        case 'a':
                r = type[1] == 'y' ? sd_bus_message_append_array(call, 'y', bytes, sizeof(bytes))
                                   : sd_bus_message_append(call, "a{sv}", 0);
                break;
        case 'h':
                fd = client_secret(SECRET);
                r = sd_bus_message_append(call, "h", fd);
                (void)close_fd(fd);
                break;
        case 'o':
                r = sd_bus_message_append(call, "o", "/nowhere");
                break;
        case 's':
                r = sd_bus_message_append(call, "s", "none");
                break;
        case 'b':
        case 'u':
                r = sd_bus_message_append(call, type[0] == 'b' ? "b" : "u", 1);
                break;
        default:
                ck_assert_int_eq(type[0], 't');
                r = sd_bus_message_append(call, "t", UINT64_C(1));
        }
        ck_assert_int_ge(r, 0);
}

static size_t type_len(const char *types) {
        return strncmp(types, "a{sv}", 5) == 0 ? 5 : types[0] == 'a' ? 2 : 1;
}

/* Calls it with arguments that fit by their type; whether it was refused. */
static bool is_refused(sd_bus *bus, const char *path, const Method *method) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL, *reply = NULL;
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        char interface[METHOD_MAX];
        const char *member;

        split(method, interface, &member);
        ck_assert_int_ge(sd_bus_message_new_method_call(bus, &call, NAME, path, interface, member), 0);
        for (const char *type = method->types; *type; type += type_len(type))
                append_argument(call, type);
        if (sd_bus_call(bus, call, 0, &error, &reply) >= 0)
                return false;
        ck_assert_msg(strncmp(error.name, "org.freedesktop.DBus.Error.UnknownM", 35) != 0, "%s: %s", method->name,
                      error.message);
        return true;
}

/* Whether it was refused; if so there is a record, and exactly one. */
static bool refuses(sd_bus *bus, const char *path, const Method *method) {
        unsigned before = records(bus, false);

        if (!is_refused(bus, path, method))
                return false;
        ck_assert_msg(records(bus, false) == before + 1, "%s at %s was refused with %u records", method->name, path,
                      records(bus, false) - before);
        return true;
}

/* ---- cases ---- */

/* A session with everything in it. */
typedef struct Stage {
        TestSession session;
        Media media;
        char participant[256];
        Methods methods;
} Stage;

static void set_up(sd_bus *bus, Stage *stage) {
        stage->session = client_open_session(bus, "element-call", 1, "exclusive", "b", 0);
        call_add(bus, &stage->session, "me", "local", stage->participant);
        media_open(bus, &stage->session, &stage->media);
        introspect(bus, MANAGER_PATH, &stage->methods);
        introspect(bus, stage->session.path, &stage->methods);
        introspect(bus, stage->participant, &stage->methods);
        introspect(bus, stage->media.path, &stage->methods);
        ck_assert_uint_ge(stage->methods.n, 34);
}

static const char *path_of(const Stage *stage, const Method *method) {
        if (strstr(method->name, ".Manager."))
                return MANAGER_PATH;
        if (strstr(method->name, ".Participant."))
                return stage->participant;
        return strstr(method->name, ".Channel.") ? stage->media.path : stage->session.path;
}

static void allow_keys(sd_bus *bus, Stage *stage) {
        const char *path = stage->session.path;
        Methods *methods = &stage->methods;
        int fd = client_secret(SECRET);

        allow(bus, methods, path, "Session", "GenerateKey", "sua{sv}", "me", 0, 0);
        allow(bus, methods, path, "Session", "ImportKey", "suha{sv}", "peer", 0, fd, 0);
        (void)close_fd(fd);
        allow(bus, methods, path, "Session", "ImportCredential", "susa{sv}", "peer", 1, "standup", 0);
        allow(bus, methods, path, "Session", "Ratchet", "sa{sv}", "me", 0);
        allow(bus, methods, path, "Session", "Rotate", "ssa{sv}", "me", "a test", 0);
        allow(bus, methods, path, "Session", "Activate", "sua{sv}", "me", 0, 0);
        allow(bus, methods, path, "Session", "RetireKey", "su", "peer", 1);
        allow(bus, methods, path, "Session", "GetSecurityCode", "a{sv}", 0);
}

/* From one session of this daemon to another. */
static void allow_wrapped(sd_bus *bus, Stage *stage) {
        TestSession other = client_open_session(bus, "element-call", 0);
        Methods *methods = &stage->methods;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *transport =
                allowed(bus, methods, other.path, "Session", "GetTransportKey", NULL);
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *package = NULL, *call = NULL, *reply = NULL;
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        unsigned before = records(bus, true);
        const void *bytes;
        char path[256];
        size_t len;

        call_add(bus, &other, "me", "remote", path);
        ck_assert_int_gt(sd_bus_message_read_array(transport, 'y', &bytes, &len), 0);
        ck_assert_int_ge(
                sd_bus_message_new_method_call(bus, &call, NAME, stage->session.path, SESSION, "ExportWrapped"), 0);
        ck_assert_int_ge(sd_bus_message_append(call, "s", "me"), 0);
        ck_assert_int_ge(sd_bus_message_append_array(call, 'y', bytes, len), 0);
        ck_assert_int_ge(sd_bus_message_append(call, "a{sv}", 0), 0);
        ck_assert_msg(sd_bus_call(bus, call, 0, &error, &package) >= 0, "ExportWrapped: %s", error.message);
        ck_assert_uint_eq(records(bus, true), before + 2); /* and the participant's */
        mark(methods, SESSION ".ExportWrapped");
        sd_bus_message_unref(call);
        ck_assert_int_gt(sd_bus_message_read_array(package, 'y', &bytes, &len), 0);
        ck_assert_int_ge(sd_bus_message_new_method_call(bus, &call, NAME, other.path, SESSION, "ImportWrapped"), 0);
        ck_assert_int_ge(sd_bus_message_append(call, "s", "me"), 0);
        ck_assert_int_ge(sd_bus_message_append_array(call, 'y', bytes, len), 0);
        ck_assert_int_ge(sd_bus_message_append(call, "a{sv}", 0), 0);
        ck_assert_msg(sd_bus_call(bus, call, 0, &error, &reply) >= 0, "ImportWrapped: %s", error.message);
        ck_assert_uint_eq(records(bus, true), before + 3);
        mark(methods, SESSION ".ImportWrapped");
}

static void allow_channels(sd_bus *bus, Stage *stage) {
        const char *path = stage->session.path;
        Methods *methods = &stage->methods;

        allow(bus, methods, path, "Session", "OpenChannel", "a{sv}", 0);
        allow(bus, methods, path, "Session", "AddStream", "ossssa{sv}", stage->media.path, "me", "encrypt", "audio",
              "opus", 0);
        allow(bus, methods, path, "Session", "RemoveStream", "ou", stage->media.path, 0);
        allow(bus, methods, stage->media.path, "Channel", "Close", NULL);
        allow(bus, methods, stage->participant, "Participant", "GetStatistics", NULL);
        allow(bus, methods, path, "Session", "GetStatistics", NULL);
}

static void allow_manager(sd_bus *bus, Stage *stage) {
        const char *id = stage->session.id;
        Methods *methods = &stage->methods;

        allow(bus, methods, MANAGER_PATH, "Manager", "OpenSession", "ssa{sv}", "livekit", "x", 0);
        allow(bus, methods, MANAGER_PATH, "Manager", "ListSessions", NULL);
        allow(bus, methods, MANAGER_PATH, "Manager", "ListAllSessions", NULL);
        allow(bus, methods, MANAGER_PATH, "Manager", "GetSession", "s", id);
        allow(bus, methods, MANAGER_PATH, "Manager", "GetStatistics", NULL);
        allow(bus, methods, MANAGER_PATH, "Manager", "RatchetKeys", "ssa{sv}", id, "a test", 0);
        allow(bus, methods, MANAGER_PATH, "Manager", "RotateKeys", "ssa{sv}", id, "a test", 0);
        allow(bus, methods, MANAGER_PATH, "Manager", "RevokeParticipant", "sss", id, "me", "a test");
        allow(bus, methods, MANAGER_PATH, "Manager", "Lock", "bs", 1, "a test");
        allow(bus, methods, MANAGER_PATH, "Manager", "Lock", "bs", 0, "a test");
        allow(bus, methods, MANAGER_PATH, "Manager", "Reload", NULL);
        allow(bus, methods, MANAGER_PATH, "Manager", "CloseSession", "ss", id, "a test");
        /* Without any session there is nothing to do, which is told as well. */
        allow(bus, methods, MANAGER_PATH, "Manager", "RatchetKeys", "ssa{sv}", "", "a test", 0);
        allow(bus, methods, MANAGER_PATH, "Manager", "RotateKeys", "ssa{sv}", "", "a test", 0);
}

START_TEST(what_is_allowed_is_told) {
        _client_ bus = client_open();
        _client_ second = client_open();
        Stage stage = { 0 };
        TestSession dave;

        set_up(bus, &stage);
        allow(bus, &stage.methods, stage.session.path, "Session", "AddParticipant", "ssa{sv}", "peer", "remote", 0);
        allow_keys(bus, &stage);
        allow_wrapped(bus, &stage);
        allow_channels(bus, &stage);
        allow(bus, &stage.methods, stage.session.path, "Session", "Join", "sa{sv}", "late", 0);
        allow(bus, &stage.methods, stage.session.path, "Session", "Leave", "sa{sv}", "late", 0);
        allow(bus, &stage.methods, stage.session.path, "Session", "RemoveParticipant", "sa{sv}", "peer", 0);
        allow(second, &stage.methods, stage.session.path, "Session", "AttachSession", NULL);
        dave = client_open_session(bus, "dave", 0);
        client_do(bus, dave.path, SESSION, "AddParticipant", "ssa{sv}", "peer", "remote", 0);
        allow(bus, &stage.methods, dave.path, "Session", "AllowUnencrypted", "ssta{sv}", "peer", "silence",
              UINT64_C(1000), 0);
        allow(bus, &stage.methods, dave.path, "Session", "Close", NULL);
        allow_manager(bus, &stage);
        for (size_t i = 0; i < stage.methods.n; i++)
                ck_assert_msg(stage.methods.all[i].allowed, "%s was never called", stage.methods.all[i].name);
        media_close(&stage.media);
}
END_TEST

START_TEST(what_another_user_is_refused_is_told) {
        _client_ owner = client_open_as(FOREIGN_UID);
        _client_ stranger = client_open_as(1);
        unsigned n_refused = 0;
        Stage stage = { 0 };
        char *label;

        set_up(owner, &stage);
        for (size_t i = 0; i < stage.methods.n; i++) {
                const Method *method = &stage.methods.all[i];
                bool refused = refuses(stranger, path_of(&stage, method), method);

                n_refused += refused;
                /* The Manager's that show everybody his own. */
                ck_assert_msg(refused || (only_reads(method->name) && strstr(method->name, ".Manager.")),
                              "%s was let through", method->name);
        }
        ck_assert_uint_ge(n_refused, 32);
        ck_assert_uint_ge(
                call_logged("audit: find", stage.session.id, "method=\"org.framekey1.Session.RetireKey\" uid=1"), 1);
        /* Looking is told as well, and what is not there like what is another's. */
        ck_assert_int_lt(sd_bus_get_property_string(stranger, NAME, stage.session.path, SESSION, "Label", NULL, &label),
                         0);
        ck_assert_uint_eq(
                call_logged("audit: find", stage.session.id, "method=\"org.freedesktop.DBus.Properties.Get\" uid=1 "),
                1);
        media_close(&stage.media);
}
END_TEST

START_TEST(what_makes_no_sense_is_told) {
        _client_ owner = client_open();
        _client_ other = client_open();
        Stage stage = { 0 };

        set_up(owner, &stage);
        for (size_t i = 0; i < stage.methods.n; i++) {
                const Method *method = &stage.methods.all[i];

                if (strstr(method->name, "Close") || strstr(method->name, ".Lock"))
                        continue; /* there is no wrong way to call them */
                (void)refuses(owner, path_of(&stage, method), method);
                if (strstr(method->name, ".Session.") && !only_reads(method->name) &&
                    !strstr(method->name, ".AttachSession") && !strstr(method->name, ".GetSecurityCode") &&
                    !strstr(method->name, ".ImportCredential"))
                        ck_assert_msg(refuses(other, path_of(&stage, method), method), "%s is for everybody",
                                      method->name);
        }
        client_fail(owner, MANAGER_PATH, MANAGER, "OpenSession", INVALID_ARGS, "ssa{sv}", "livekit", "x", 1, "colour",
                    "s", "red");
        ck_assert_uint_ge(call_logged("audit: open-session", "method=\"org.framekey1.Manager.OpenSession\"",
                                      "result=\"InvalidArgs\""),
                          1);
        media_close(&stage.media);
}
END_TEST

/* No case of the suite: check's functions cannot be called here. */
static int flood(uid_t uid, unsigned n) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;

        if (setresuid(uid, uid, uid) < 0 || sd_bus_open_system(&bus) < 0)
                return EXIT_FAILURE;
        for (unsigned i = 0; i < n; i++) {
                _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;

                (void)sd_bus_call_method(bus, NAME, MANAGER_PATH, MANAGER, "GetSession", &error, NULL, "s", "none");
                if (!sd_bus_error_has_name(&error, ERROR("NoSuchSession")))
                        return EXIT_FAILURE;
        }
        return EXIT_SUCCESS;
}

int main(int argc, char *argv[]) {
        TCase *one, *several;
        Suite *suite;

        if (argc == 4)
                return flood((uid_t)strtoul(argv[2], NULL, 10), (unsigned)strtoul(argv[3], NULL, 10));
        suite = suite_create("audit");
        one = tcase_create("one user");
        several = tcase_create("several users");
        tcase_set_timeout(one, 60);
        tcase_set_timeout(several, 60);
        tcase_add_test(one, what_is_allowed_is_told);
        tcase_add_test(one, what_makes_no_sense_is_told);
        suite_add_tcase(suite, one);
        tcase_add_test(several, what_another_user_is_refused_is_told);
        if (client_is_root())
                suite_add_tcase(suite, several);
        return client_main(suite);
}
