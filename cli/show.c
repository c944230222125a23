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

/* What an app shows a badge for. */
static const char *color_promise(const json_t *value) {
        return json_is_true(value) ? "green" : "red";
}

static const Column show_columns[] = {
        { .key = "Id", .heading = "Session" },
        { .key = "Label", .heading = "Label" },
        { .key = "Preset", .heading = "Preset" },
        { .key = "Profile", .heading = "Format" },
        { .key = "CipherSuite", .heading = "Cipher" },
        { .key = "KeyMode", .heading = "Keys" },
        { .key = "RingSize", .heading = "Key indices" },
        { .key = "RatchetBits", .heading = "KID bits for the step", .text = text_count },
        { .key = "MlsIndexBits", .heading = "KID bits for the member", .text = text_count },
        { .key = "MlsEpochBits", .heading = "KID bits for the epoch", .text = text_count },
        { .key = "RatchetWindow", .heading = "Ratchet window" },
        { .key = "GraceUSec", .heading = "Grace", .text = text_usec },
        { .key = "RatchetIntervalUSec", .heading = "Ratchet every", .text = text_limit },
        { .key = "RatchetFrames", .heading = "or every so many frames", .text = text_count },
        { .key = "RatchetBytes", .heading = "or every so many bytes", .text = text_count },
        { .key = "NextRatchetUSec", .heading = "Next ratchet", .text = text_when },
        { .key = "RotateAfterUSec", .heading = "Rotate after", .text = text_limit },
        { .key = "NextRotationUSec", .heading = "Next rotation", .text = text_when },
        { .key = "MaximumKeyAgeUSec", .heading = "Largest key age", .text = text_limit },
        { .key = "ActivateAfterUSec", .heading = "Fresh key used after", .text = text_usec },
        { .key = "CoalesceUSec", .heading = "Coalesced within", .text = text_usec },
        { .key = "ForwardSecrecy", .heading = "Forward secrecy", .color = color_promise },
        { .key = "Followed", .heading = "All have followed" },
        { .key = "FullyProtected", .heading = "Fully protected", .color = color_promise },
        { .key = "Owner", .heading = "Owner" },
        { .key = "OwnerUID", .heading = "Owner's user", .text = text_user },
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

static const char *color_state(const json_t *value) {
        const char *state = json_text(value);

        if (strcmp(state, "ok") == 0)
                return "green";
        return strcmp(state, "idle") == 0 ? NULL : "red";
}

/* What passes without a key, and until when. */
static char *text_in_clear(const json_t *value) {
        _cleanup_free_ char *until = text_when(json_array_get(value, 1));
        const char *what = json_text(json_array_get(value, 0));
        char *text;

        if (strcmp(what, "nothing") == 0)
                return strdup("-");
        return asprintf(&text, "%s, ends %s", what, until ?: "-") < 0 ? NULL : text;
}

static const char *color_in_clear(const json_t *value) {
        return strcmp(json_text(json_array_get(value, 0)), "nothing") == 0 ? NULL : "yellow";
}

static const Column participant_columns[] = {
        { .key = "Identity", .heading = "PARTICIPANT" },
        { .key = "Role", .heading = "ROLE" },
        { .key = "State", .heading = "STATE", .color = color_state },
        { .key = "Keys", .heading = "KEYS", .text = text_keys },
        { .key = "FramesOk", .heading = "FRAMES", .right = true },
        { .key = "FramesFailed", .heading = "FAILED", .right = true },
        { .key = "Unencrypted", .heading = "IN CLEAR", .text = text_in_clear, .color = color_in_clear }, /* DAVE */
};

static int collect_participants(Context *context, const char *path, const json_t *session, json_t *rows) {
        json_t *name;
        size_t i;
        int r;

        json_array_foreach(json_object_get(session, "Participants"), i, name) {
                json_t *row;

                r = participant_read(context, path, json_text(name), &row);
                if (r != CLI_OK)
                        return r;
                if (row && json_array_append_new(rows, row) < 0)
                        return cli_fail("Out of memory.");
        }
        return CLI_OK;
}

/* ---- show: keys ---- */

static const Column key_columns[] = {
        { .key = "participant", .heading = "KEYS OF" },
        { .key = "index", .heading = "INDEX", .right = true },
        { .key = "step", .heading = "STEP", .right = true },
        { .key = "origin", .heading = "ORIGIN" },
        { .key = "installed", .heading = "INSTALLED", .text = text_when },
        { .key = "activates", .heading = "ACTIVATES", .text = text_when },
        { .key = "dies", .heading = "DIES", .text = text_when },
        { .key = "kid", .heading = "KID", .right = true }, /* SFrame */
};

/* A row a key: what the participants' objects hold, with the name in front. */
static int collect_keys(const json_t *participants, json_t *rows) {
        json_t *participant, *key;
        size_t i, k;

        json_array_foreach((json_t *)participants, i, participant) {
                json_array_foreach(json_object_get(participant, "Keys"), k, key) {
                        json_t *row = json_copy(key);

                        if (!row || json_object_set(row, "participant", json_object_get(participant, "Identity")) < 0 ||
                            json_array_append_new(rows, row) < 0)
                                return cli_fail("Out of memory.");
                }
        }
        return CLI_OK;
}

/* ---- show: streams ---- */

static const Column stream_columns[] = {
        { .key = "channel", .heading = "CHANNEL", .right = true },
        { .key = "stream", .heading = "STREAM", .right = true },
        { .key = "participant", .heading = "PARTICIPANT" },
        { .key = "direction", .heading = "DIRECTION" },
        { .key = "media", .heading = "MEDIA" },
        { .key = "codec", .heading = "CODEC" },
        { .key = "state", .heading = "STATE", .color = color_state },
        { .key = "key_index", .heading = "KEY", .right = true },
        { .key = "failed", .heading = "FAILED IN A ROW", .right = true },
};

static bool is_format(const json_t *session, const char *format) {
        return strcmp(json_text(json_object_get(session, "Profile")), format) == 0;
}

/* Frames of the other formats have no KID. */
static void drop_kid_bits(json_t *session) {
        (void)json_object_del(session, "RatchetBits");
        (void)json_object_del(session, "MlsIndexBits");
        (void)json_object_del(session, "MlsEpochBits");
}

static int print_session(Context *context, const char *id, const char *path, const json_t *session,
                         const json_t *participants, const json_t *streams) {
        _cleanup_json_ json_t *keys = json_array(), *troubles = json_array(), *shown = json_copy((json_t *)session);
        /* The last column is for one format. */
        size_t n_participant_columns = ELEMENTS(participant_columns) - !is_format(session, "dave");
        size_t n_key_columns = ELEMENTS(key_columns) - !is_format(session, "sframe");
        int r;

        if (!is_format(session, "sframe"))
                drop_kid_bits(shown);
        r = output_object(context, show_columns, ELEMENTS(show_columns), shown);
        if (r != CLI_OK)
                return r;
        (void)putchar('\n');
        r = output_rows(context, "participants", participant_columns, n_participant_columns, participants);
        if (r == CLI_OK)
                r = collect_keys(participants, keys);
        if (r == CLI_OK && json_array_size(keys) > 0) {
                (void)putchar('\n');
                r = output_rows(context, "keys", key_columns, n_key_columns, keys);
        }
        if (r == CLI_OK && json_array_size(streams) > 0) {
                (void)putchar('\n');
                r = output_rows(context, "streams", stream_columns, ELEMENTS(stream_columns), streams);
        }
        if (r == CLI_OK)
                r = troubles_collect(context, id, path, troubles);
        return r == CLI_OK ? troubles_print(context, troubles) : r;
}

int verb_show(int argc, char **argv, Context *context) {
        static const CliUsage usage = {
                .verb = "show",
                .arguments = "SESSION",
                .summary =
                        "Shows a session, its participants, keys (never the keys themselves) and streams, and what is "
                        "wrong.",
                .n_min = 1,
                .n_max = 1,
        };
        _cleanup_json_ json_t *session = NULL, *participants = json_array(), *streams = json_array(), *all = NULL;
        _cleanup_free_ char *path = NULL;
        int r, first;

        r = cli_parse(context, &usage, argc, argv, NULL, &first);
        if (r != CLI_OK)
                return cli_parse_status(r);
        r = object_path(context, argv[first], NULL, &path);
        if (r == CLI_OK)
                r = context_properties(context, path, SESSION_INTERFACE, &session);
        if (r == CLI_OK)
                r = collect_participants(context, path, session, participants);
        if (r == CLI_OK)
                r = streams_collect(context, path, streams);
        if (r == CLI_OK)
                r = context_pager(context);
        if (r != CLI_OK)
                return r;
        if (context->json == JSON_OFF)
                return print_session(context, argv[first], path, session, participants, streams);
        all = json_pack("{s:O, s:O, s:O}", "session", session, "participants", participants, "streams", streams);
        return all ? output_json(context, all) : cli_fail("Out of memory.");
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
        json_object_foreach(counters, name, value) {
                if (json_array_append_new(rows, json_pack("{s:s, s:O}", "name", name, "value", value)) < 0)
                        return cli_fail("Out of memory.");
        }
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
        r = context_pager(context);
        if (r != CLI_OK)
                return r;
        return print_counters(context, counters);
}
