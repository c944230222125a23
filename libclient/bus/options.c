/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * "name=value" strings to the a{sv} of a method call.
 *
 * The names and types are those of org.framekey1(5), in one table. Which method takes which option
 * is the daemon's to say; only what no method takes is refused here. Values are never repeated in
 * an error: a salt is not secret, but nobody gains from it in a log.
 */
#include "bus-internal.h"

#include <limits.h>

const char *const options_none[] = { NULL };

typedef struct OptionType {
        const char *name;
        const char *type; /* D-Bus signature of the value: "s", "u", "t", "b" or "ay" */
} OptionType;

static const OptionType option_types[] = {
        /* OpenSession */
        { "key-mode", "s" },
        { "ring-size", "u" },
        { "ratchet-window", "u" },
        { "grace-usec", "t" },
        { "replay-window", "u" },
        { "server-trailer", "ay" },
        { "exclusive", "b" },
        { "linger", "b" },
        { "ratchet-interval-usec", "t" },
        { "ratchet-frames", "t" },
        { "ratchet-bytes", "t" },
        { "rotate-after-usec", "t" },
        { "maximum-key-age-usec", "t" },
        { "activate-at-key-frame", "b" },
        { "activate-by-hand", "b" },
        { "coalesce-usec", "t" },
        { "send-limit", "t" },
        { "retain-root", "b" },
        { "retire-superseded", "b" },
        { "cipher-suite", "s" },
        { "ratchet-bits", "u" },
        { "mls-index-bits", "u" },
        { "mls-epoch-bits", "u" },
        /* OpenSession, ImportKey, GenerateKey, ImportWrapped */
        { "activate-after-usec", "t" },
        /* OpenSession (as defaults of imports), ImportKey, GenerateKey */
        { "kdf", "s" },
        { "salt", "ay" },
        { "ratchet-salt", "ay" },
        { "info", "ay" },
        { "iterations", "u" },
        { "key-bits", "u" },
        /* ImportKey, GenerateKey; `activate` and `at-key-frame` also ImportWrapped */
        { "step", "u" },
        { "allow-empty", "b" },
        { "activate", "b" },
        { "at-key-frame", "b" },
        { "kid", "t" },
        { "replace", "b" },
        { "ssrc", "u" },
        { "user-id", "t" },
        /* Activate, which takes the one above too */
        { "after-usec", "t" },
        /* Ratchet, ExportWrapped, ImportWrapped */
        { "index", "u" },
        /* AddParticipant, Join */
        { "follows", "s" },
        { "member-index", "t" },
        { "context", "t" },
        /* Join */
        { "ratchet", "b" },
        /* RemoveParticipant */
        { "rotate", "b" },
        /* OpenChannel */
        { "small-slots", "u" },
        { "video-slots", "u" },
        { "jumbo-slots", "u" },
        { "streams", "u" },
};

static const OptionType *option_find(const char *name, size_t length) {
        for (size_t i = 0; i < ELEMENTS(option_types); i++)
                if (strlen(option_types[i].name) == length && memcmp(option_types[i].name, name, length) == 0)
                        return &option_types[i];
        return NULL;
}

static int append_number(framekey_client *client, sd_bus_message *m, const OptionType *option, const char *value) {
        uint64_t max = option->type[0] == 'u' ? UINT32_MAX : UINT64_MAX, number = 0;

        /* strtoull() would take signs, spaces and other bases. */
        for (const char *p = value; *p || p == value; p++) {
                if (*p < '0' || *p > '9')
                        return client_fail(client, -EINVAL, "The option '%s' takes a decimal number.", option->name);
                if (number > (max - (uint64_t)(*p - '0')) / 10)
                        return client_fail(client, -EINVAL, "The option '%s' takes no number that large.",
                                           option->name);
                number = number * 10 + (uint64_t)(*p - '0');
        }
        if (option->type[0] == 'u')
                return sd_bus_message_append(m, "u", (uint32_t)number);
        return sd_bus_message_append(m, "t", number);
}

static int append_bool(framekey_client *client, sd_bus_message *m, const OptionType *option, const char *value) {
        /* busctl's words too: that is how the daemon's sentences and other tools write them. */
        bool yes = strcmp(value, "yes") == 0 || strcmp(value, "true") == 0;

        if (!yes && strcmp(value, "no") != 0 && strcmp(value, "false") != 0)
                return client_fail(client, -EINVAL, "The option '%s' takes 'yes' or 'no'.", option->name);
        return sd_bus_message_append(m, "b", (int)yes);
}

static int hex_digit(char c) {
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        if (c >= 'A' && c <= 'F')
                return c - 'A' + 10;
        return -1;
}

static int append_bytes(framekey_client *client, sd_bus_message *m, const OptionType *option, const char *value) {
        _cleanup_free_ uint8_t *bytes = NULL;
        size_t length = strlen(value);

        bytes = malloc(length / 2 + 1);
        if (!bytes)
                return -ENOMEM;
        for (size_t i = 0; i < length; i += 2) {
                int high = hex_digit(value[i]), low = hex_digit(value[i + 1]);

                if (high < 0 || low < 0)
                        return client_fail(client, -EINVAL, "The option '%s' takes bytes as pairs of hex digits.",
                                           option->name);
                bytes[i / 2] = (uint8_t)(high << 4 | low);
        }
        return sd_bus_message_append_array(m, 'y', bytes, length / 2);
}

static int append_value(framekey_client *client, sd_bus_message *m, const OptionType *option, const char *value) {
        switch (option->type[0]) {
        case 'u':
        case 't':
                return append_number(client, m, option, value);
        case 'b':
                return append_bool(client, m, option, value);
        case 'a':
                return append_bytes(client, m, option, value);
        default:
                return sd_bus_message_append(m, "s", value);
        }
}

static int append_option(framekey_client *client, sd_bus_message *m, const char *text) {
        const char *equals = strchr(text, '=');
        size_t length = equals ? (size_t)(equals - text) : strlen(text);
        const OptionType *option;
        int r;

        option = option_find(text, length);
        if (!option)
                return client_fail(client, -EINVAL, "There is no option '%.*s'; org.framekey1(5) lists the options.",
                                   (int)MIN_OF(length, (size_t)64), text);
        if (!equals)
                return client_fail(client, -EINVAL, "The option '%s' needs a value: write '%s=VALUE'.", option->name,
                                   option->name);
        r = sd_bus_message_open_container(m, 'e', "sv");
        if (r < 0)
                return r;
        r = sd_bus_message_append(m, "s", option->name);
        if (r < 0)
                return r;
        r = sd_bus_message_open_container(m, 'v', option->type);
        if (r < 0)
                return r;
        r = append_value(client, m, option, equals + 1);
        if (r < 0)
                return r;
        r = sd_bus_message_close_container(m);
        if (r < 0)
                return r;
        return sd_bus_message_close_container(m);
}

int options_append(framekey_client *client, sd_bus_message *m, const char *const *options) {
        int r;

        r = sd_bus_message_open_container(m, 'a', "{sv}");
        if (r < 0)
                return r;
        for (size_t i = 0; options && options[i]; i++) {
                r = append_option(client, m, options[i]);
                if (r < 0)
                        return r;
        }
        return sd_bus_message_close_container(m);
}
