/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The connection: opening it, calling the daemon, and saying in one sentence what went wrong.
 *
 * A client belongs to one thread at a time. Sessions hold a reference, so that a handle that is
 * left over after framekey_client_free() answers -ENOTCONN and does not crash.
 */
#include "bus-internal.h"

#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>

/* The daemon's errors by their last word, each with an errno of its own; the same pairs as in the daemon. Not
 * registered with sd_bus_error_add_map(), because that would change the errors of the whole process. */
static const struct {
        const char *name;
        int error;
} error_numbers[] = {
        { "NoSuchSession", ENXIO },
        { "NoSuchParticipant", ESRCH },
        { "NoSuchKey", ENOKEY },
        { "NoSuchChannel", ENODEV },
        { "NoSuchStream", ENOENT },
        { "NoSuchProfile", ENOPROTOOPT },
        { "ParticipantExists", ENOTUNIQ },
        { "KeyExists", EEXIST },
        { "KeyDirection", EALREADY },
        { "KeySpent", EKEYREVOKED },
        { "NoMember", EDESTADDRREQ },
        { "MemberExists", EADDRINUSE },
        { "NoSteps", EPROTONOSUPPORT },
        { "WrongKeyMode", EPROTOTYPE },
        { "WrongRole", EMEDIUMTYPE },
        { "InvalidIndex", ERANGE },
        { "UnsupportedCodec", EOPNOTSUPP },
        { "QuotaExceeded", EDQUOT },
        { "Locked", ESHUTDOWN },
        { "NotOwner", EPERM },
        { "SecretInvalid", EKEYREJECTED },
        { "SecretTimeout", ETIME },
        { "SecretMemoryFull", ENOSPC },
        { "Busy", EBUSY },
        { "WrappedKeyInvalid", EBADMSG },
        { "CredentialNotFound", ENODATA },
        { "PolicyForbids", EACCES },
        { "ConfigurationInvalid", EUCLEAN },
};

static int error_number(const sd_bus_error *error, int r) {
        size_t n = strlen(ERROR_PREFIX);

        if (error->name && strncmp(error->name, ERROR_PREFIX, n) == 0)
                for (size_t i = 0; i < ELEMENTS(error_numbers); i++)
                        if (strcmp(error->name + n, error_numbers[i].name) == 0)
                                return -error_numbers[i].error;
        return r < 0 ? r : -EIO;
}

/* ---- the last failure ---- */

static void client_clear_error(framekey_client *client) {
        free(client->error);
        free(client->error_name);
        client->error = client->error_name = NULL;
}

void client_note(framekey_client *client, const char *format, ...) {
        va_list arguments;

        client_clear_error(client);
        va_start(arguments, format);
        if (vasprintf(&client->error, format, arguments) < 0)
                client->error = NULL; /* out of memory: the number has to do */
        va_end(arguments);
}

int client_bad_reply(framekey_client *client, int r) {
        return client_fail(client, r,
                           "The daemon's reply is not what this version of libframekey-bus expects: daemon and library "
                           "must be of the same version.");
}

static const char *start_hint(enum framekey_bus kind) {
        switch (kind) {
        case FRAMEKEY_BUS_USER:
                return "start it with 'systemctl --user start framekeyd'";
        case FRAMEKEY_BUS_ADDRESS:
                return "start it with 'framekeyd --address=' and this bus's address";
        default:
                return "start it with 'systemctl start framekeyd'";
        }
}

static bool lost_connection(int r) {
        return r == -ECONNRESET || r == -ENOTCONN || r == -EPIPE;
}

int framekey_client_note_error(framekey_client *client, int r, const sd_bus_error *error) {
        if (sd_bus_error_has_names(error, SD_BUS_ERROR_SERVICE_UNKNOWN, SD_BUS_ERROR_NAME_HAS_NO_OWNER))
                r = client_fail(client, -EHOSTUNREACH, "framekeyd is not running on this bus: %s.",
                                start_hint(client->kind));
        else if (lost_connection(r))
                r = client_fail(client, r, "The bus closed the connection: open a new one.");
        else if (r == -ETIMEDOUT)
                r = client_fail(client, r, "framekeyd did not answer within %.0f s: look at its log, or try again.",
                                (double)client->timeout_usec / USEC_PER_SEC);
        else
                r = client_fail(client, error_number(error, r), "%s", error->message ?: strerror(-r));
        if (error->name)
                client->error_name = strdup(error->name);
        return r;
}

const char *framekey_client_error(const framekey_client *client) {
        return client->error ?: "";
}

const char *framekey_client_error_name(const framekey_client *client) {
        return client->error_name ?: "";
}

/* ---- life ---- */

framekey_client *client_ref(framekey_client *client) {
        client->n_refs++;
        return client;
}

framekey_client *client_unref(framekey_client *client) {
        if (!client || --client->n_refs > 0)
                return NULL;
        sd_bus_unref(client->bus);
        client_clear_error(client);
        free(client);
        return NULL;
}

static int client_new(framekey_client **ret, enum framekey_bus kind) {
        framekey_client *client;

        client = calloc(1, sizeof(*client));
        if (!client)
                return -ENOMEM;
        client->n_refs = 1;
        client->kind = kind;
        client->timeout_usec = CALL_TIMEOUT_USEC;
        *ret = client;
        return 0;
}

static int connect_address(sd_bus **ret, const char *address) {
        _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;
        int r;

        r = sd_bus_new(&bus);
        if (r < 0)
                return r;
        r = sd_bus_set_address(bus, address);
        if (r < 0)
                return r;
        r = sd_bus_set_bus_client(bus, true);
        if (r < 0)
                return r;
        r = sd_bus_start(bus);
        if (r < 0)
                return r;
        *ret = take_ptr(bus);
        return 0;
}

static int connect_bus(sd_bus **ret, enum framekey_bus kind, const char *where) {
        _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;
        const char *unique;
        int r;

        if (kind >= FRAMEKEY_BUS_ADDRESS && !where)
                return -EINVAL;
        switch (kind) {
        case FRAMEKEY_BUS_SYSTEM:
                r = sd_bus_open_system(&bus);
                break;
        case FRAMEKEY_BUS_USER:
                r = sd_bus_open_user(&bus);
                break;
        case FRAMEKEY_BUS_ADDRESS:
                r = connect_address(&bus, where);
                break;
        case FRAMEKEY_BUS_HOST:
                r = sd_bus_open_system_remote(&bus, where);
                break;
        case FRAMEKEY_BUS_MACHINE:
                r = sd_bus_open_system_machine(&bus, where);
                break;
        default:
                return -EINVAL;
        }
        if (r < 0)
                return r;
        /* Waits until the bus has accepted us: a refusal shall show here, not at the first call. */
        r = sd_bus_get_unique_name(bus, &unique);
        if (r < 0)
                return r;
        *ret = take_ptr(bus);
        return 0;
}

/* dbus-daemon looks every user up and drops those it does not find, without a word. */
static bool user_is_unknown(void) {
        return !getpwuid(geteuid());
}

static char *connect_sentence(int r, enum framekey_bus kind, const char *where) {
        static const char *const names[] = { "the system bus", "the user bus", "the bus at", "the system bus of host",
                                             "the system bus of machine" };
        bool named = kind >= FRAMEKEY_BUS_ADDRESS && kind <= FRAMEKEY_BUS_MACHINE;
        const char *name = (unsigned)kind < ELEMENTS(names) ? names[kind] : "the bus";
        const char *place = named && where ? where : "", *space = named ? " " : "";
        char *text = NULL;
        int n;

        if ((lost_connection(r) || r == -EACCES || r == -EPERM) && kind != FRAMEKEY_BUS_HOST && user_is_unknown())
                n = asprintf(&text,
                             "Cannot connect to %s%s%s: it closed the connection, because user id %u has no entry in "
                             "the user database (passwd). Add one, or run as a user that has one.",
                             name, space, place, (unsigned)geteuid());
        else if (r == -ENOMEDIUM)
                n = asprintf(&text,
                             "Cannot find %s%s%s: neither DBUS_SESSION_BUS_ADDRESS nor XDG_RUNTIME_DIR is set. Log in "
                             "as this user, or give an address.",
                             name, space, place);
        else if (r == -ENOENT || r == -ECONNREFUSED)
                n = asprintf(&text, "There is no bus to connect to (%s%s%s): start dbus, or name another bus.", name,
                             space, place);
        else if (r == -EINVAL && named)
                n = asprintf(&text, "Cannot connect to %s%s%s: this is no valid name of a bus.", name, space, place);
        else
                n = asprintf(&text, "Cannot connect to %s%s%s: %s.", name, space, place, strerror(-r));
        return n < 0 ? NULL : text;
}

int framekey_client_open(framekey_client **ret, enum framekey_bus bus, const char *where, char **ret_error) {
        _cleanup_(client_unref_p) framekey_client *client = NULL;
        int r;

        r = client_new(&client, bus);
        if (r >= 0)
                r = connect_bus(&client->bus, bus, where);
        if (r < 0) {
                if (ret_error)
                        *ret_error = connect_sentence(r, bus, where);
                return r;
        }
        client->opened = true;
        *ret = take_ptr(client);
        return 0;
}

int framekey_client_new_from_bus(framekey_client **ret, sd_bus *bus) {
        framekey_client *client;
        int r;

        r = client_new(&client, FRAMEKEY_BUS_SYSTEM);
        if (r < 0)
                return r;
        client->bus = sd_bus_ref(bus);
        *ret = client;
        return 0;
}

framekey_client *framekey_client_free(framekey_client *client) {
        if (!client)
                return NULL;
        if (client->opened)
                (void)sd_bus_detach_event(client->bus); /* fails if there is none */
        client->bus = client->opened ? sd_bus_flush_close_unref(client->bus) : sd_bus_unref(client->bus);
        return client_unref(client);
}

sd_bus *framekey_client_get_bus(framekey_client *client) {
        return client->bus;
}

int framekey_client_attach_event(framekey_client *client, sd_event *event, int64_t priority) {
        return sd_bus_attach_event(client->bus, event, (int)priority);
}

int framekey_client_process(framekey_client *client) {
        int r;

        do
                r = sd_bus_process(client->bus, NULL);
        while (r > 0);
        return r;
}

void framekey_client_set_timeout(framekey_client *client, uint64_t timeout_usec) {
        client->timeout_usec = timeout_usec;
}

/* ---- calls ---- */

static int client_fill(framekey_client *client, sd_bus_message *m, const char *const *options, const ClientBytes *bytes,
                       const char *types, va_list arguments) {
        int r;

        /* Wiped when freed: who is in a call is nobody's business either. */
        r = sd_bus_message_sensitive(m);
        if (r < 0)
                return r;
        r = sd_bus_message_appendv(m, types, arguments);
        if (r < 0)
                return r;
        if (bytes) {
                r = sd_bus_message_append_array(m, 'y', bytes->bytes, bytes->length);
                if (r < 0)
                        return r;
        }
        return options == options_none ? 0 : options_append(client, m, options);
}

static int client_callv(framekey_client *client, const char *path, const char *interface, const char *member,
                        const char *const *options, sd_bus_message **ret_reply, const ClientBytes *bytes,
                        const char *types, va_list arguments) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        client_clear_error(client);
        if (!client->bus)
                return client_fail(client, -ENOTCONN, "This session's connection was closed: open a new one.");
        if (strchr(types, 'h') && sd_bus_can_send(client->bus, 'h') == 0)
                return client_fail(client, -EOPNOTSUPP,
                                   "This connection cannot carry file descriptors, so no keys: do this on the host "
                                   "where the daemon runs.");
        r = sd_bus_message_new_method_call(client->bus, &m, BUS_NAME, path, interface, member);
        if (r >= 0)
                r = client_fill(client, m, options, bytes, types, arguments);
        if (r < 0)
                return client->error ? r : client_fail(client, r, "Cannot make the call: %s.", strerror(-r));
        r = sd_bus_call(client->bus, m, client->timeout_usec, &error, &reply);
        if (r < 0)
                return framekey_client_note_error(client, r, &error);
        if (ret_reply)
                *ret_reply = take_ptr(reply);
        return 0;
}

int client_call(framekey_client *client, const char *path, const char *interface, const char *member,
                const char *const *options, sd_bus_message **ret_reply, const char *types, ...) {
        va_list arguments;
        int r;

        va_start(arguments, types);
        r = client_callv(client, path, interface, member, options, ret_reply, NULL, types, arguments);
        va_end(arguments);
        return r;
}

int client_call_bytes(framekey_client *client, const char *path, const char *interface, const char *member,
                      const char *const *options, sd_bus_message **ret_reply, const ClientBytes *bytes,
                      const char *types, ...) {
        va_list arguments;
        int r;

        va_start(arguments, types);
        r = client_callv(client, path, interface, member, options, ret_reply, bytes, types, arguments);
        va_end(arguments);
        return r;
}

int client_get(framekey_client *client, const char *path, const char *interface, const char *property,
               sd_bus_message **ret_reply, const char *type, void *ret_value) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        r = client_call(client, path, PROPERTIES_INTERFACE, "Get", options_none, &reply, "ss", interface, property);
        if (r < 0)
                return r;
        r = sd_bus_message_read(reply, "v", type, ret_value);
        if (r < 0)
                return client_bad_reply(client, r);
        *ret_reply = take_ptr(reply);
        return 0;
}
