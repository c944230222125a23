/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which calls are held back for polkit before they are handled; see gate.h. */
#include "control/gate.h"

#include "control/errors.h"
#include "control/object-tree.h"
#include "control/session-object.h"
#include "util/clock.h"

#include <inttypes.h>

/* What is held back must be small: names, the longest path of a participant, and options no longer than any there are.
 */
#define NAME_LEN_MAX  256u
#define PATH_LEN_MAX  1024u
#define BYTES_LEN_MAX 4096u
#define OPTIONS_MAX   16u

#define PROPERTIES "org.freedesktop.DBus.Properties"

typedef enum GateKind {
        GATE_READ,
        GATE_SET,
        GATE_IMPORT,
} GateKind;

static const struct {
        const char *interface, *member, *signature;
        GateKind kind;
} calls[] = {
        { PROPERTIES, "Get", "ss", GATE_READ },
        { PROPERTIES, "GetAll", "s", GATE_READ },
        { PROPERTIES, "Set", "ssv", GATE_SET },
        { "org.freedesktop.DBus.Introspectable", "Introspect", "", GATE_READ },
        { SESSION_INTERFACE, "GetStatistics", "", GATE_READ },
        { SESSION_INTERFACE, "GetSecurityCode", "a{sv}", GATE_READ },
        { SESSION_INTERFACE, "ImportCredential", "susa{sv}", GATE_IMPORT },
        { PARTICIPANT_INTERFACE, "GetStatistics", "", GATE_READ },
};

static bool is_small_text(sd_bus_message *message) {
        const char *text;

        return sd_bus_message_read_basic(message, 's', &text) > 0 && strlen(text) <= NAME_LEN_MAX;
}

/* Numbers, texts and bytes; nothing else is a setting or an option. */
static bool is_small_value(sd_bus_message *message) {
        const char *type;
        const void *bytes;
        uint64_t number;
        bool small;
        size_t len;

        if (sd_bus_message_peek_type(message, NULL, &type) <= 0 ||
            sd_bus_message_enter_container(message, 'v', type) <= 0)
                return false;
        if (strcmp(type, "s") == 0)
                small = is_small_text(message);
        else if (strcmp(type, "ay") == 0)
                small = sd_bus_message_read_array(message, 'y', &bytes, &len) >= 0 && len <= BYTES_LEN_MAX;
        else
                small = strlen(type) == 1 && strchr("bynqiuxtd", *type) &&
                        sd_bus_message_read_basic(message, *type, &number) > 0;
        return small && sd_bus_message_exit_container(message) >= 0;
}

static bool are_small_options(sd_bus_message *message) {
        unsigned n = 0;

        if (sd_bus_message_enter_container(message, 'a', "{sv}") <= 0)
                return false;
        while (sd_bus_message_enter_container(message, 'e', "sv") > 0)
                if (++n > OPTIONS_MAX || !is_small_text(message) || !is_small_value(message) ||
                    sd_bus_message_exit_container(message) < 0)
                        return false;
        return sd_bus_message_exit_container(message) >= 0;
}

/* Anything else is refused later, unasked. */
static bool is_small(sd_bus_message *message, const char *signature) {
        bool small = true;

        for (; *signature && small; signature++)
                switch (*signature) {
                case 's':
                        small = is_small_text(message);
                        break;
                case 'v':
                        small = is_small_value(message);
                        break;
                case 'a':
                        return are_small_options(message); /* always the last */
                default:
                        small = sd_bus_message_skip(message, "u") > 0;
                }
        return small;
}

static bool is_gated(sd_bus_message *message, GateKind *ret) {
        const char *interface = sd_bus_message_get_interface(message), *member = sd_bus_message_get_member(message);

        if (!sd_bus_message_is_method_call(message, NULL, NULL) || !member)
                return false;
        for (size_t i = 0; i < ELEMENTS(calls); i++) {
                if (strcmp(member, calls[i].member) != 0 || (interface && strcmp(interface, calls[i].interface) != 0))
                        continue;
                *ret = calls[i].kind;
                return sd_bus_message_has_signature(message, calls[i].signature) > 0 &&
                       is_small(message, calls[i].signature);
        }
        return false;
}

/* The session that a path is at or below. NULL if it is none. */
static char *session_id(const char *path) {
        _cleanup_free_ char *head = NULL;
        const char *label;
        char *id = NULL;

        if (strlen(path) > PATH_LEN_MAX)
                return NULL;
        label = path + strlen(SESSION_PATH "/");
        head = strndup(path, strlen(SESSION_PATH "/") + strcspn(label, "/"));
        if (!head || sd_bus_path_decode(head, SESSION_PATH, &id) <= 0)
                return NULL;
        return id;
}

/* Before anybody asks the bus who calls. */
static bool is_guarded(const char *path, GateKind kind) {
        return strcmp(path, DAEMON_PATH) == 0 ? kind == GATE_SET
                                              : strncmp(path, SESSION_PATH "/", strlen(SESSION_PATH "/")) == 0;
}

/* The right that this caller lacks for this call. CALLER_RIGHT_MAX if none. */
static CallerRight lacking(Daemon *daemon, const char *path, GateKind kind, const Caller *caller) {
        _cleanup_free_ char *id = NULL;
        SessionObject *session;

        if (strcmp(path, DAEMON_PATH) == 0)
                return CALLER_POLICY;
        id = session_id(path);
        if (!id)
                return CALLER_RIGHT_MAX;
        if (kind == GATE_IMPORT)
                return CALLER_IMPORT;
        session = session_object_find(daemon, caller, id);
        if (kind == GATE_READ)
                return session ? CALLER_RIGHT_MAX : CALLER_INSPECT;
        return session && session_object_may_change(session, caller) ? CALLER_RIGHT_MAX : CALLER_ROTATE;
}

/* Before anything is done for a call: refusing is cheap, and says so to nobody but the caller. Administrators are let
 * through whatever others do. */
static int ration(Daemon *daemon, sd_bus_message *message, sd_bus_error *error) {
        Caller caller;
        int r;

        if (!sd_bus_message_is_method_call(message, NULL, NULL))
                return 0;
        r = caller_get(&daemon->callers, message, &caller);
        if (r < 0)
                return r;
        if (caller_is_admin(&caller) || quota_take_call(daemon->quota, caller.uid, clock_boottime_usec()))
                return 0;
        return error_setf(error, ERROR_QUOTA_EXCEEDED,
                          "You call more often than your quota of %" PRIu64 " times a second; wait a little.",
                          quota_limit(daemon->quota, QUOTA_CALLS));
}

static int on_message(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        const char *path = sd_bus_message_get_path(message);
        Daemon *daemon = userdata;
        CallerRight right;
        GateKind kind;
        Caller caller;
        int r;

        authority_message_comes(daemon->authority, message);
        r = ration(daemon, message, error);
        if (r < 0)
                return r;
        if (!path || !is_gated(message, &kind) || !is_guarded(path, kind))
                return 0;
        r = caller_get(&daemon->callers, message, &caller);
        if (r < 0)
                return r;
        right = lacking(daemon, path, kind, &caller);
        if (right == CALLER_RIGHT_MAX)
                return 0;
        r = authority_ask(daemon->authority, message, &caller, right, error);
        /* A refusal is spoken by who is asked for the object or the setting, and sees no right. */
        return r == AUTHORITY_REFUSED ? 0 : r;
}

int gate_export(Daemon *daemon) {
        int r = sd_bus_add_filter(daemon->bus, NULL, on_message, daemon);

        return r < 0 ? r : 0;
}
