/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Verbs about one session that only look: show, stats.
 */
#include "cli.h"

#include <stdio.h>

/* SESSION's path, and PARTICIPANT's below it if there is a name. */
static int object_path(Context *context, const char *session, const char *participant, char **ret) {
        _cleanup_free_ char *path = NULL, *prefix = NULL;
        int r;

        r = context_session_path(context, session, &path);
        if (r != CLI_OK)
                return r;
        if (!participant) {
                *ret = take_ptr(path);
                return CLI_OK;
        }
        if (asprintf(&prefix, "%s/participant", path) < 0 || sd_bus_path_encode(prefix, participant, ret) < 0)
                return cli_fail("Out of memory.");
        return CLI_OK;
}

/* ---- show ---- */

static char *text_user_id(const json_t *value) {
        char *text;

        return asprintf(&text, "user id %" JSON_INTEGER_FORMAT, json_integer_value(value)) < 0 ? NULL : text;
}

static const Column show_columns[] = {
        { .key = "Id", .heading = "Session" },
        { .key = "Label", .heading = "Label" },
        { .key = "Preset", .heading = "Preset" },
        { .key = "Profile", .heading = "Format" },
        { .key = "CipherSuite", .heading = "Cipher" },
        { .key = "KeyMode", .heading = "Keys" },
        { .key = "RingSize", .heading = "Key indices" },
        { .key = "RatchetWindow", .heading = "Ratchet window" },
        { .key = "GraceUSec", .heading = "Grace", .text = text_usec },
        { .key = "Owner", .heading = "Owner" },
        { .key = "OwnerUID", .heading = "Owner's user", .text = text_user_id },
};

/* "0 (step 1, active), 1" */
static char *text_keys(const json_t *value) {
        char *text = NULL;
        json_t *key;
        size_t i;

        json_array_foreach((json_t *)value, i, key) {
                _cleanup_free_ char *before = text;
                json_int_t step = json_integer_value(json_object_get(key, "step"));
                bool active = json_is_true(json_object_get(key, "active"));
                char details[64] = "";

                if (step > 0)
                        (void)snprintf(details, sizeof(details), " (step %" JSON_INTEGER_FORMAT "%s)", step,
                                       active ? ", active" : "");
                else if (active)
                        (void)snprintf(details, sizeof(details), " (active)");
                if (asprintf(&text, "%s%s%" JSON_INTEGER_FORMAT "%s", before ?: "", before ? ", " : "",
                             json_integer_value(json_object_get(key, "index")), details) < 0)
                        return NULL;
        }
        return text ?: strdup("-");
}

/* Keys: a(utub); the fields get their names. */
static json_t *name_key_fields(const json_t *keys) {
        static const char *const names[] = { "index", "generation", "step", "active" };
        json_t *named = json_array(), *key;
        size_t i;

        json_array_foreach((json_t *)keys, i, key) {
                json_t *object = json_object();

                for (size_t f = 0; f < ELEMENTS(names); f++)
                        (void)json_object_set(object, names[f], json_array_get(key, f)); /* fails on other versions */
                (void)json_array_append_new(named, object);
        }
        return named;
}

static const char *color_state(const json_t *value) {
        const char *state = json_text(value);

        if (strcmp(state, "ok") == 0)
                return "green";
        return strcmp(state, "idle") == 0 ? NULL : "red";
}

static const Column participant_columns[] = {
        { .key = "Identity", .heading = "PARTICIPANT" },
        { .key = "Role", .heading = "ROLE" },
        { .key = "State", .heading = "STATE", .color = color_state },
        { .key = "Keys", .heading = "KEYS", .text = text_keys },
        { .key = "FramesOk", .heading = "FRAMES", .right = true },
        { .key = "FramesFailed", .heading = "FAILED", .right = true },
};

static int collect_participants(Context *context, const char *id, const json_t *session, json_t *rows) {
        json_t *name;
        size_t i;
        int r;

        json_array_foreach(json_object_get(session, "Participants"), i, name) {
                _cleanup_free_ char *path = NULL;
                json_t *row = NULL;

                r = object_path(context, id, json_text(name), &path);
                if (r == CLI_OK)
                        r = context_properties(context, path, PARTICIPANT_INTERFACE, &row);
                if (r != CLI_OK)
                        return r;
                if (json_object_set_new(row, "Keys", name_key_fields(json_object_get(row, "Keys"))) < 0 ||
                    json_array_append_new(rows, row) < 0)
                        return cli_fail("Out of memory.");
        }
        return CLI_OK;
}

int verb_show(int argc, char **argv, Context *context) {
        static const CliUsage usage = {
                .verb = "show",
                .arguments = "SESSION",
                .summary = "Shows a session, its participants and their keys (never the keys themselves).",
                .n_min = 1,
                .n_max = 1,
        };
        _cleanup_json_ json_t *session = NULL, *rows = json_array(), *both = NULL;
        _cleanup_free_ char *path = NULL;
        int r, first;

        r = cli_parse(context, &usage, argc, argv, NULL, &first);
        if (r != CLI_OK)
                return cli_parse_status(r);
        r = object_path(context, argv[first], NULL, &path);
        if (r == CLI_OK)
                r = context_properties(context, path, SESSION_INTERFACE, &session);
        if (r == CLI_OK)
                r = collect_participants(context, argv[first], session, rows);
        if (r != CLI_OK)
                return r;
        if (context->json != JSON_OFF) {
                both = json_pack("{s:O, s:O}", "session", session, "participants", rows);
                return both ? output_json(context, both) : cli_fail("Out of memory.");
        }
        r = output_object(context, show_columns, ELEMENTS(show_columns), session);
        if (r != CLI_OK)
                return r;
        (void)putchar('\n');
        return output_rows(context, "participants", participant_columns, ELEMENTS(participant_columns), rows);
}

/* ---- stats ---- */

static const Column stats_columns[] = {
        { .key = "name", .heading = "COUNTER" },
        { .key = "value", .heading = "VALUE", .right = true },
};

static int print_counters(const Context *context, json_t *counters) {
        _cleanup_json_ json_t *rows = json_array();
        const char *name;
        json_t *value;

        if (context->json != JSON_OFF)
                return output_json(context, counters);
        json_object_foreach(counters, name, value) if (json_array_append_new(rows, json_pack("{s:s, s:O}", "name", name,
                                                                                             "value", value)) <
                                                       0) return cli_fail("Out of memory.");
        return output_rows(context, "counters", stats_columns, ELEMENTS(stats_columns), rows);
}

int verb_stats(int argc, char **argv, Context *context) {
        static const CliUsage usage = {
                .verb = "stats",
                .arguments = "[SESSION [PARTICIPANT]]",
                .summary = "Shows counters of the daemon, of a session, or of a participant.",
                .n_max = 2,
        };
        static const char *const interfaces[] = { MANAGER_INTERFACE, SESSION_INTERFACE, PARTICIPANT_INTERFACE };
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_json_ json_t *counters = NULL;
        _cleanup_free_ char *path = NULL;
        int r, first, n;

        r = cli_parse(context, &usage, argc, argv, NULL, &first);
        if (r != CLI_OK)
                return cli_parse_status(r);
        n = argc - first;
        if (n > 0) {
                r = object_path(context, argv[first], n > 1 ? argv[first + 1] : NULL, &path);
                if (r != CLI_OK)
                        return r;
        }
        r = context_call(context, path ?: MANAGER_PATH, interfaces[n], "GetStatistics", &reply, "");
        if (r != CLI_OK)
                return r;
        r = message_to_json(reply, &counters);
        if (r < 0)
                return cli_fail("The daemon's reply cannot be read: %s.", strerror(-r));
        return print_counters(context, counters);
}
