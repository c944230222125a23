/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The verb code: what two people read to each other, and the keys it is made over, so that they can see why two codes
 * differ.
 */
#include "cli.h"

#include <stdio.h>

static const Column key_columns[] = {
        { .key = "participant", .heading = "PARTICIPANT" },
        { .key = "index", .heading = "KEY", .right = true },
        { .key = "step", .heading = "STEP", .right = true },
        { .key = "kid", .heading = "KID", .right = true }, /* SFrame */
};

/* The array behind the code: (participant, index, KID, step). */
static int read_keys(sd_bus_message *reply, json_t *keys) {
        const char *participant;
        uint32_t index, step;
        uint64_t kid;
        int r;

        r = sd_bus_message_enter_container(reply, 'a', "(sutu)");
        while (r >= 0 && (r = sd_bus_message_read(reply, "(sutu)", &participant, &index, &kid, &step)) > 0) {
                json_t *key = json_pack("{s:s, s:I, s:I, s:I}", "participant", participant, "index", (json_int_t)index,
                                        "step", (json_int_t)step, "kid", (json_int_t)kid);

                if (!key || json_array_append_new(keys, key) < 0)
                        return -ENOMEM;
        }
        return r;
}

/* "kid" is 0 for all keys of the formats that have none. */
static bool has_kids(const json_t *keys) {
        json_t *key;
        size_t i;

        json_array_foreach((json_t *)keys, i, key) {
                if (json_integer_value(json_object_get(key, "kid")) != 0)
                        return true;
        }
        return false;
}

static int print_code(const Context *context, const char *code, const json_t *keys) {
        size_t n_columns = ELEMENTS(key_columns) - !has_kids(keys);

        if (context->quiet) {
                output_line(code);
                return CLI_OK;
        }
        (void)printf("\n        %s%s%s\n\n", context->colors ? "\033[1m" : "", code, context->colors ? "\033[0m" : "");
        cli_hint(context, "Compare it by voice or face to face with somebody who is in the call. The same digits: you "
                          "hold the same keys. Other digits: compare the list below, speak a few words so that frames "
                          "flow both ways, and try again.");
        return output_rows(context, "keys", key_columns, n_columns, keys);
}

int verb_code(int argc, char **argv, Context *context) {
        static const CliUsage usage = {
                .verb = "code",
                .arguments = "SESSION",
                .summary = "Shows a code that everybody in a call sees who holds the same keys, to be compared by "
                           "voice; and which\nkeys it is made over. Whoever has it can test guesses of a weak "
                           "passphrase: show it to nobody else.",
                .n_min = 1,
                .n_max = 1,
        };
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_json_ json_t *keys = json_array(), *all = NULL;
        _cleanup_free_ char *path = NULL;
        const char *code = NULL;
        int r, first;

        r = cli_parse(context, &usage, argc, argv, NULL, &first);
        if (r != CLI_OK)
                return cli_parse_status(r);
        r = context_session_path(context, argv[first], &path);
        if (r == CLI_OK)
                r = context_call(context, path, SESSION_INTERFACE, "GetSecurityCode", &reply, "a{sv}", 0);
        if (r != CLI_OK)
                return r;
        if (sd_bus_message_read(reply, "s", &code) < 0 || read_keys(reply, keys) < 0)
                return cli_fail("The daemon's reply cannot be read.");
        if (context->json == JSON_OFF)
                return print_code(context, code, keys);
        all = json_pack("{s:s, s:s, s:O}", "session", argv[first], "code", code, "keys", keys);
        return all ? output_json(context, all) : cli_fail("Out of memory.");
}
