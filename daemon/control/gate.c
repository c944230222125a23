/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which calls are held back for polkit before they are handled; see gate.h. */
#include "control/gate.h"

#include "control/object-tree.h"
#include "control/session-object.h"

/* What is held back must be small: names of interfaces and properties, and the longest path of a participant. */
#define NAME_LEN_MAX 255u
#define PATH_LEN_MAX 1024u

#define PROPERTIES "org.freedesktop.DBus.Properties"

typedef enum GateKind {
        GATE_READ,
        GATE_SET,
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
        { PARTICIPANT_INTERFACE, "GetStatistics", "", GATE_READ },
};

/* The names, and of a value only a number: nothing else can be set; no options where there are none. Anything else is
 * refused later, unasked. */
static bool is_small(sd_bus_message *message, const char *signature) {
        if (*signature == 'a')
                return sd_bus_message_enter_container(message, 'a', signature + 1) > 0 &&
                       sd_bus_message_at_end(message, false) > 0;
        for (; *signature; signature++) {
                const char *text;

                if (*signature == 'v')
                        return sd_bus_message_verify_type(message, 'v', "t") > 0;
                if (sd_bus_message_read_basic(message, 's', &text) <= 0 || strlen(text) > NAME_LEN_MAX)
                        return false;
        }
        return true;
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
        session = session_object_find(daemon, caller, id);
        if (kind == GATE_READ)
                return session ? CALLER_RIGHT_MAX : CALLER_INSPECT;
        return session && session_object_may_change(session, caller) ? CALLER_RIGHT_MAX : CALLER_ROTATE;
}

static int on_message(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        const char *path = sd_bus_message_get_path(message);
        Daemon *daemon = userdata;
        CallerRight right;
        GateKind kind;
        Caller caller;
        int r;

        authority_message_comes(daemon->authority, message);
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
