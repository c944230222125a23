/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The sessions there are, what people call them, and what is to be seen of each at one glance.
 */
#include "cli.h"

#include <stdio.h>

/* ListSessions() -> a(sosstu) */
static int read_rows(sd_bus_message *m, json_t *rows) {
        const char *id, *path, *profile, *label;
        uint64_t created;
        uint32_t uid;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "(sosstu)");
        while (r >= 0 && (r = sd_bus_message_read(m, "(sosstu)", &id, &path, &profile, &label, &created, &uid)) > 0) {
                json_t *row = json_pack("{s:s, s:s, s:s, s:s, s:I, s:I}", "id", id, "path", path, "profile", profile,
                                        "label", label, "created_usec", (json_int_t)created, "uid", (json_int_t)uid);

                if (!row || json_array_append_new(rows, row) < 0)
                        return -ENOMEM;
        }
        return r;
}

int sessions_read(Context *context, json_t *rows) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        r = context_call(context, MANAGER_PATH, MANAGER_INTERFACE, "ListSessions", &reply, "");
        if (r != CLI_OK)
                return r;
        r = read_rows(reply, rows);
        return r < 0 ? cli_fail("The daemon's reply cannot be read: %s.", strerror(-r)) : CLI_OK;
}

/* How many sessions have it as this field; the last of them. */
static size_t count(const json_t *rows, const char *field, const char *value, const json_t **ret_row) {
        json_t *row;
        size_t i, n = 0;

        json_array_foreach((json_t *)rows, i, row) {
                if (strcmp(json_text(json_object_get(row, field)), value) == 0) {
                        *ret_row = row;
                        n++;
                }
        }
        return n;
}

bool session_is_named(const json_t *rows, const char *label) {
        const json_t *row;

        return *label && count(rows, "id", label, &row) == 0 && count(rows, "label", label, &row) == 1;
}

int session_resolve(Context *context, const char *name, char **ret_id) {
        _cleanup_json_ json_t *rows = json_array();
        const json_t *row = NULL;
        size_t n;
        int r;

        r = sessions_read(context, rows);
        if (r != CLI_OK)
                return r;
        if (*name && count(rows, "id", name, &row) == 0) {
                n = count(rows, "label", name, &row);
                if (n > 1)
                        return cli_fail(
                                "%zu sessions have the label '%s': name one by its id, which 'framekeyctl list' "
                                "shows.",
                                n, name);
                if (n == 1)
                        name = json_text(json_object_get(row, "id"));
        }
        *ret_id = strdup(name);
        return *ret_id ? CLI_OK : cli_fail("Out of memory.");
}

/* ---- at one glance ---- */

static bool is_trouble(const char *state) {
        return *state && strcmp(state, "ok") != 0 && strcmp(state, "idle") != 0;
}

/* What list and top show of a participant's properties. */
static json_t *participant_row(const json_t *properties) {
        return json_pack("{s:O?, s:O?, s:O?, s:O?, s:O?, s:O?}", "identity", json_object_get(properties, "Identity"),
                         "role", json_object_get(properties, "Role"), "state", json_object_get(properties, "State"),
                         "keys", json_object_get(properties, "Keys"), "frames_ok",
                         json_object_get(properties, "FramesOk"), "frames_failed",
                         json_object_get(properties, "FramesFailed"));
}

/* The first sentence about each participant. */
static int add_troubles(Context *context, const json_t *row, json_t *participants) {
        _cleanup_json_ json_t *troubles = json_array();
        json_t *participant, *trouble;
        size_t i, k;
        int r;

        r = troubles_collect(context, json_text(json_object_get(row, "id")), json_text(json_object_get(row, "path")),
                             troubles);
        if (r != CLI_OK)
                return r;
        json_array_foreach(participants, i, participant) {
                json_array_foreach(troubles, k, trouble) {
                        const json_t *whose = json_object_get(json_object_get(trouble, "stream"), "participant");

                        if (json_equal(whose, json_object_get(participant, "identity")) &&
                            !json_object_get(participant, "trouble"))
                                (void)json_object_set(participant, "trouble", json_object_get(trouble, "sentence"));
                }
        }
        return CLI_OK;
}

static int add_participants(Context *context, const json_t *row, const json_t *names, json_t *participants) {
        bool trouble = false;
        json_t *name;
        size_t i;
        int r;

        json_array_foreach((json_t *)names, i, name) {
                _cleanup_json_ json_t *properties = NULL;

                r = participant_read(context, json_text(json_object_get(row, "path")), json_text(name), &properties);
                if (r != CLI_OK)
                        return r;
                if (!properties)
                        continue;
                if (json_array_append_new(participants, participant_row(properties)) < 0)
                        return cli_fail("Out of memory.");
                trouble = trouble || is_trouble(json_text(json_object_get(properties, "State")));
        }
        return trouble ? add_troubles(context, row, participants) : CLI_OK;
}

int session_look(Context *context, json_t *row, bool *ret_there) {
        _cleanup_json_ json_t *properties = NULL, *participants = json_array();
        int r;

        r = context_properties_or_nothing(context, json_text(json_object_get(row, "path")), SESSION_INTERFACE,
                                          &properties);
        *ret_there = properties;
        if (r != CLI_OK || !properties)
                return r;
        r = add_participants(context, row, json_object_get(properties, "Participants"), participants);
        if (r != CLI_OK)
                return r;
        if (json_object_set(row, "preset", json_object_get(properties, "Preset")) < 0 ||
            json_object_set(row, "next_ratchet_usec", json_object_get(properties, "NextRatchetUSec")) < 0 ||
            json_object_set(row, "fully_protected", json_object_get(properties, "FullyProtected")) < 0 ||
            json_object_set(row, "participants", participants) < 0)
                return cli_fail("The daemon's reply lacks something.");
        return CLI_OK;
}

int sessions_look(Context *context, json_t *rows) {
        size_t i = 0;
        int r;

        while (i < json_array_size(rows)) {
                bool there;

                r = session_look(context, json_array_get(rows, i), &there);
                if (r != CLI_OK)
                        return r;
                if (there)
                        i++;
                else
                        (void)json_array_remove(rows, i);
        }
        return CLI_OK;
}

/* ---- in words ---- */

const char *state_color(const char *state) {
        if (strcmp(state, "ok") == 0)
                return "green";
        return is_trouble(state) ? "red" : NULL;
}

const char *participant_words(const json_t *participant) {
        const char *state = json_text(json_object_get(participant, "state"));

        if (strcmp(state, "ok") != 0)
                return state;
        return strcmp(json_text(json_object_get(participant, "role")), "local") == 0 ? "sending" : "receiving";
}

char *participant_keys(const json_t *participant) {
        const json_t *keys = json_object_get(participant, "keys");
        char *text = NULL;
        json_t *key;
        size_t i;

        json_array_foreach((json_t *)keys, i, key) {
                _cleanup_free_ char *before = text;
                json_int_t step = json_integer_value(json_object_get(key, "step"));
                char at[32] = "";

                if (step > 0)
                        (void)snprintf(at, sizeof(at), " step %" JSON_INTEGER_FORMAT, step);
                if (asprintf(&text, "%s%s%" JSON_INTEGER_FORMAT "%s",
                             before
                                     ?: json_array_size(keys) > 1 ? "keys "
                                                                  : "key ",
                             before ? ", " : "", json_integer_value(json_object_get(key, "index")), at) < 0)
                        return NULL;
        }
        return text ?: strdup("no key");
}

char *session_words(const json_t *session, bool locked, const char **ret_color) {
        const json_t *participants = json_object_get(session, "participants");
        bool symbols = terminal_wants_symbols();
        size_t n = json_array_size(participants), n_troubles = 0, i;
        json_t *participant;
        char *text;
        int r;

        json_array_foreach((json_t *)participants, i, participant) {
                n_troubles += is_trouble(json_text(json_object_get(participant, "state")));
        }
        *ret_color = locked || !json_is_true(json_object_get(session, "fully_protected")) ? "red"
                     : n_troubles > 0                                                     ? "yellow"
                                                                                          : "green";
        if (locked)
                r = asprintf(&text, "%slocked", symbols ? "✖ " : "");
        else if (!json_is_true(json_object_get(session, "fully_protected")))
                r = asprintf(&text, "%snot protected", symbols ? "○ " : "");
        else if (n_troubles > 0)
                r = asprintf(&text, "%s%zu of %zu failing", symbols ? "◐ " : "", n_troubles, n);
        else
                r = asprintf(&text, "%sprotected", symbols ? "● " : "");
        return r < 0 ? NULL : text;
}
