/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The connection of one run, calls on it, and D-Bus values as JSON.
 */
#include "cli.h"

#include <stdarg.h>
#include <stdio.h>

/* What the daemon says is for programs in the second half, which names methods; here the remedy is a command. */
static const char *remedy(const char *error) {
        static const struct {
                const char *error, *remedy;
        } remedies[] = {
                { "org.framekey1.Error.NoSuchSession", "'framekeyctl list' shows those that you may see" },
                { "org.framekey1.Error.NoSuchParticipant", "'framekeyctl show SESSION' lists them" },
                { "org.framekey1.Error.NoSuchKey",
                  "'framekeyctl show SESSION' lists them, 'framekeyctl import' brings one" },
                { "org.framekey1.Error.NoSuchProfile", "'framekeyctl presets' lists them" },
                { "org.framekey1.Error.Locked", "'framekeyctl unlock', as an administrator, ends that" },
        };

        for (size_t i = 0; i < ELEMENTS(remedies); i++)
                if (strcmp(error, remedies[i].error) == 0)
                        return remedies[i].remedy;
        return NULL;
}

int cli_fail_client(framekey_client *client, int r) {
        const char *text = framekey_client_error(client), *instead = remedy(framekey_client_error_name(client));

        if (*text && instead)
                cli_tell("%.*s; %s.", (int)strcspn(text, ";"), text, instead);
        else
                cli_tell("%s", *text ? text : strerror(-r));
        return r == -EHOSTUNREACH || r == -ECONNRESET || r == -ENOTCONN ? CLI_UNREACHABLE : CLI_FAILED;
}

int context_client(Context *context, framekey_client **ret) {
        _cleanup_free_ char *error = NULL;
        int r;

        if (!context->client) {
                r = framekey_client_open(&context->client, context->bus, context->where, &error);
                if (r < 0) {
                        cli_tell("%s", error ?: strerror(-r));
                        return CLI_UNREACHABLE;
                }
                if (context->timeout_usec > 0)
                        framekey_client_set_timeout(context->client, context->timeout_usec);
        }
        *ret = context->client;
        return CLI_OK;
}

void context_done(Context *context) {
        context->client = framekey_client_free(context->client);
}

/* ---- calls ---- */

/* *ret_reply may be NULL. Negative errno, with the client's sentence, is not told yet. */
static int call_quietly(Context *context, sd_bus_message *m, sd_bus_message **ret_reply) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        /* These only fail on sealed messages. */
        (void)sd_bus_message_set_allow_interactive_authorization(m, !context->unattended);
        (void)sd_bus_message_set_auto_start(m, !context->unattended);
        r = sd_bus_call(framekey_client_get_bus(context->client), m, context->timeout_usec, &error, &reply);
        if (r < 0)
                return framekey_client_note_error(context->client, r, &error);
        if (ret_reply)
                *ret_reply = take_ptr(reply);
        return 0;
}

static int call_send(Context *context, sd_bus_message *m, sd_bus_message **ret_reply) {
        int r = call_quietly(context, m, ret_reply);

        return r < 0 ? cli_fail_client(context->client, r) : CLI_OK;
}

int context_call(Context *context, const char *path, const char *interface, const char *member,
                 sd_bus_message **ret_reply, const char *types, ...) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        framekey_client *client;
        va_list arguments;
        int r;

        r = context_client(context, &client);
        if (r != CLI_OK)
                return r;
        r = sd_bus_message_new_method_call(framekey_client_get_bus(client), &m, "org.framekey1", path, interface,
                                           member);
        if (r < 0)
                return cli_fail("Cannot make the call: %s.", strerror(-r));
        va_start(arguments, types);
        r = sd_bus_message_appendv(m, types, arguments);
        va_end(arguments);
        if (r < 0)
                return cli_fail("Cannot make the call: %s.", strerror(-r));
        return call_send(context, m, ret_reply);
}

int context_properties(Context *context, const char *path, const char *interface, json_t **ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        r = context_call(context, path, "org.freedesktop.DBus.Properties", "GetAll", &reply, "s", interface);
        if (r != CLI_OK)
                return r;
        r = message_to_json(reply, ret);
        return r < 0 ? cli_fail("The daemon's reply cannot be read: %s.", strerror(-r)) : CLI_OK;
}

/* A session, a channel, or a participant may go between two questions: then the answer is that there is nothing. */
int context_ask_or_nothing(Context *context, const char *path, const char *interface, const char *member,
                           const char *argument, sd_bus_message **ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        framekey_client *client;
        int r;

        *ret = NULL;
        r = context_client(context, &client);
        if (r != CLI_OK)
                return r;
        r = sd_bus_message_new_method_call(framekey_client_get_bus(client), &m, "org.framekey1", path, interface,
                                           member);
        if (r >= 0 && argument)
                r = sd_bus_message_append(m, "s", argument);
        if (r < 0)
                return cli_fail("Cannot make the call: %s.", strerror(-r));
        r = call_quietly(context, m, ret);
        /* -EBADR is the bus library's "no such object": a session without a channel has none for channels. */
        if (r == -ENXIO || r == -ESRCH || r == -ENODEV || r == -EBADR)
                return CLI_OK;
        return r < 0 ? cli_fail_client(client, r) : CLI_OK;
}

int context_properties_or_nothing(Context *context, const char *path, const char *interface, json_t **ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        *ret = NULL;
        r = context_ask_or_nothing(context, path, "org.freedesktop.DBus.Properties", "GetAll", interface, &reply);
        if (r != CLI_OK || !reply)
                return r;
        r = message_to_json(reply, ret);
        return r < 0 ? cli_fail("The daemon's reply cannot be read: %s.", strerror(-r)) : CLI_OK;
}

int context_session_path(Context *context, const char *session, char **ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_free_ char *id = NULL;
        const char *path;
        int r;

        r = session_resolve(context, session, &id);
        if (r != CLI_OK)
                return r;
        r = context_call(context, MANAGER_PATH, MANAGER_INTERFACE, "GetSession", &reply, "s", id);
        if (r != CLI_OK)
                return r;
        if (sd_bus_message_read(reply, "o", &path) < 0 || !(*ret = strdup(path)))
                return cli_fail("The daemon's reply cannot be read.");
        return CLI_OK;
}

/* ---- D-Bus values as JSON ---- */

/* JSON's integers end at 2^63 here; what is larger means "without limit" on the bus. */
static json_t *unsigned_to_json(uint64_t value) {
        return value > INT64_MAX ? json_null() : json_integer((json_int_t)value);
}

static int basic_to_json(sd_bus_message *m, char type, json_t **ret) {
        union {
                uint8_t y;
                int b;
                int16_t n;
                uint16_t q;
                int32_t i;
                uint32_t u;
                int64_t x;
                uint64_t t;
                double d;
                const char *s;
        } v = { .t = 0 };
        int r;

        r = sd_bus_message_read_basic(m, type, &v);
        if (r < 0)
                return r;
        switch (type) {
        case 'y':
                *ret = json_integer(v.y);
                break;
        case 'b':
                *ret = json_boolean(v.b);
                break;
        case 'n':
                *ret = json_integer(v.n);
                break;
        case 'q':
                *ret = json_integer(v.q);
                break;
        case 'i':
                *ret = json_integer(v.i);
                break;
        case 'u':
                *ret = json_integer(v.u);
                break;
        case 'x':
                *ret = json_integer(v.x);
                break;
        case 't':
                *ret = unsigned_to_json(v.t);
                break;
        case 'd':
                *ret = json_real(v.d);
                break;
        case 's':
        case 'o':
        case 'g':
                *ret = json_string(v.s);
                break;
        default:
                return -EOPNOTSUPP;
        }
        return *ret ? 0 : -ENOMEM;
}

/* a{s...}; `entry` is the type of an entry without its braces. */
static int dictionary_to_json(sd_bus_message *m, const char *entry, json_t *object) {
        int r;

        while ((r = sd_bus_message_enter_container(m, 'e', entry)) > 0) {
                const char *name;
                json_t *value;

                r = sd_bus_message_read_basic(m, 's', &name);
                if (r < 0)
                        return r;
                r = message_to_json(m, &value);
                if (r < 0)
                        return r;
                if (json_object_set_new(object, name, value) < 0)
                        return -ENOMEM;
                r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
        }
        return r;
}

static int items_to_json(sd_bus_message *m, json_t *array) {
        int r;

        while ((r = sd_bus_message_at_end(m, false)) == 0) {
                json_t *value;

                r = message_to_json(m, &value);
                if (r < 0)
                        return r;
                if (json_array_append_new(array, value) < 0)
                        return -ENOMEM;
        }
        return r < 0 ? r : 0;
}

static int container_to_json(sd_bus_message *m, char type, const char *contents, json_t **ret) {
        _cleanup_json_ json_t *value = NULL;
        _cleanup_free_ char *entry = NULL;
        int r;

        if (type == 'a' && strncmp(contents, "{s", 2) == 0) {
                entry = strndup(contents + 1, strlen(contents) - 2);
                if (!entry)
                        return -ENOMEM;
        }

        r = sd_bus_message_enter_container(m, type, contents);
        if (r < 0)
                return r;
        if (type == 'v') {
                r = message_to_json(m, &value);
        } else {
                value = entry ? json_object() : json_array();
                if (!value)
                        return -ENOMEM;
                r = entry ? dictionary_to_json(m, entry, value) : items_to_json(m, value);
        }
        if (r < 0)
                return r;
        r = sd_bus_message_exit_container(m);
        if (r < 0)
                return r;
        *ret = take_ptr(value);
        return 0;
}

int message_to_json(sd_bus_message *m, json_t **ret) {
        const char *contents;
        char type;
        int r;

        r = sd_bus_message_peek_type(m, &type, &contents);
        if (r < 0)
                return r;
        if (r == 0)
                return -ENODATA;
        if (type == 'a' || type == 'v' || type == 'r')
                return container_to_json(m, type, contents, ret);
        return basic_to_json(m, type, ret);
}

json_t *json_hex(const uint8_t *bytes, size_t length) {
        static const char digits[] = "0123456789abcdef";
        _cleanup_free_ char *text = malloc(2 * length + 1);

        if (!text)
                return NULL;
        for (size_t i = 0; i < length; i++) {
                text[2 * i] = digits[bytes[i] >> 4];
                text[2 * i + 1] = digits[bytes[i] & 15];
        }
        return json_stringn(text, 2 * length);
}

/* ---- "name=value" lists ---- */

static void option_list_take(OptionList *list, char *item) {
        char **items = item ? reallocarray(list->items, list->n + 2, sizeof(*items)) : NULL;

        if (!items) {
                cli_tell("Out of memory.");
                exit(CLI_FAILED);
        }
        items[list->n++] = item;
        items[list->n] = NULL;
        list->items = items;
}

void option_list_add(OptionList *list, const char *format, ...) {
        va_list arguments;
        char *item;

        va_start(arguments, format);
        if (vasprintf(&item, format, arguments) < 0)
                item = NULL;
        va_end(arguments);
        option_list_take(list, item);
}

void option_list_add_bytes(OptionList *list, const char *name, const char *text) {
        size_t prefix = strlen(name) + 1, length = strlen(text);
        char *item = malloc(prefix + 2 * length + 1);

        if (item) {
                (void)sprintf(item, "%s=", name);
                for (size_t i = 0; i < length; i++)
                        (void)sprintf(item + prefix + 2 * i, "%02x", (uint8_t)text[i]);
        }
        option_list_take(list, item);
}

void option_list_done(OptionList *list) {
        for (size_t i = 0; i < list->n; i++)
                free(list->items[i]);
        free(list->items);
        *list = (OptionList){ 0 };
}

/* The order of KEY_OPTIONS. */
int key_option_take(OptionList *list, size_t option, const char *value) {
        static const char *const names[] = { "kdf", "salt", "iterations", "key-bits" };

        if (option >= ELEMENTS(names)) {
                if (!strchr(value, '='))
                        return cli_usage_error("-o takes NAME=VALUE, for example '-o grace-usec=500000'.");
                option_list_add(list, "%s", value);
        } else if (strcmp(names[option], "salt") == 0) {
                option_list_add_bytes(list, "salt", value);
        } else {
                option_list_add(list, "%s=%s", names[option], value);
        }
        return CLI_OK;
}

/* The order of SOURCE_OPTIONS. */
int source_option_take(OptionList *list, size_t option, const char *value) {
        static const char *const names[N_SOURCE_OPTIONS] = { "kid", "ssrc", "replace", "user-id" };

        option_list_add(list, "%s=%s", names[option], value ?: "yes");
        return CLI_OK;
}
