/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The verb list: the sessions, and on a terminal who is in them and what works.
 */
#include "cli.h"

#include <stdio.h>

static const Column columns[] = {
        { .key = "id", .heading = "SESSION" },
        { .key = "label", .heading = "LABEL" },
        { .key = "preset", .heading = "PROFILE" },
        { .key = "uid", .heading = "USER", .text = text_user },
        { .key = "next_ratchet_usec", .heading = "RATCHET", .text = text_when },
        { .key = "people", .heading = "PEOPLE", .right = true },
        { .key = "words", .heading = "STATE" },
};

/* A string that is taken over. */
static void set_text(json_t *row, const char *key, char *text) {
        (void)json_object_set_new(row, key, json_string(text ?: "?")); /* without memory: a column less */
        free(text);
}

/* As rows below the session: the name stands in the place of the id, the keys in that of the profile. */
static void add_children(json_t *row) {
        json_t *children = json_array(), *participant;
        size_t i;

        json_array_foreach(json_object_get(row, "participants"), i, participant) {
                const char *color = state_color(json_text(json_object_get(participant, "state")));
                json_t *child = json_object();

                (void)json_object_set(child, "id", json_object_get(participant, "identity"));
                set_text(child, "preset", participant_keys(participant));
                (void)json_object_set_new(child, "words", json_string(participant_words(participant)));
                if (color)
                        (void)json_object_set_new(child, "words_color", json_string(color));
                (void)json_array_append_new(children, child);
        }
        (void)json_object_set_new(row, "children", children);
}

int sessions_print(const Context *context, const json_t *rows, bool locked, bool tree) {
        _cleanup_json_ json_t *shown = json_deep_copy(rows);
        json_t *row;
        size_t i;

        json_array_foreach(shown, i, row) {
                const char *color;

                set_text(row, "words", session_words(row, locked, &color));
                (void)json_object_set_new(row, "words_color", json_string(color));
                (void)json_object_set_new(
                        row, "people", json_integer((json_int_t)json_array_size(json_object_get(row, "participants"))));
                if (tree)
                        add_children(row);
        }
        return tree ? output_tree(context, "sessions", columns, ELEMENTS(columns), shown, stdout, 0)
                    : output_rows(context, "sessions", columns, ELEMENTS(columns), shown);
}

/* What is wrong with whom, below the table. */
static int print_troubles(const Context *context, const json_t *rows) {
        _cleanup_json_ json_t *troubles = json_array();
        json_t *row, *participant;
        size_t i, k;

        json_array_foreach((json_t *)rows, i, row) {
                json_array_foreach(json_object_get(row, "participants"), k, participant) {
                        json_t *trouble = json_object_get(participant, "trouble");

                        if (trouble && json_array_append_new(troubles, json_pack("{s:O}", "sentence", trouble)) < 0)
                                return cli_fail("Out of memory.");
                }
        }
        return troubles_print(context, troubles);
}

typedef enum ListForm {
        LIST_BY_OUTPUT,
        LIST_TREE,
        LIST_FLAT,
} ListForm;

enum {
        OPTION_TREE,
        OPTION_FLAT,
};

static const CliOption list_options[] = {
        [OPTION_TREE] = { "tree", 0, NULL, "Show who is in each session (the default on a terminal)" },
        [OPTION_FLAT] = { "flat", 0, NULL, "Show a line a session (the default elsewhere)" },
};

static int take_option(Context *context, size_t option, const char *value, void *userdata) {
        *(ListForm *)userdata = option == OPTION_TREE ? LIST_TREE : LIST_FLAT;
        return CLI_OK;
}

int verb_list(int argc, char **argv, Context *context) {
        static const CliUsage usage = {
                .verb = "list",
                .arguments = "",
                .summary = "Lists the sessions that you may see: your own, and all of them as root. On a terminal with "
                           "who is\nin them, which keys are held, and what works.",
                .options = list_options,
                .n_options = ELEMENTS(list_options),
                .take = take_option,
        };
        _cleanup_json_ json_t *rows = json_array(), *properties = NULL;
        ListForm form = LIST_BY_OUTPUT;
        int r, first;

        r = cli_parse(context, &usage, argc, argv, &form, &first);
        if (r != CLI_OK)
                return cli_parse_status(r);
        if (form == LIST_BY_OUTPUT)
                form = isatty(STDOUT_FILENO) ? LIST_TREE : LIST_FLAT;
        r = sessions_read(context, rows);
        if (r == CLI_OK)
                r = sessions_look(context, rows);
        if (r == CLI_OK)
                r = context_properties(context, MANAGER_PATH, MANAGER_INTERFACE, &properties);
        if (r == CLI_OK)
                r = context_pager(context);
        if (r != CLI_OK)
                return r;
        if (context->json != JSON_OFF)
                return output_json(context, rows);
        r = sessions_print(context, rows, json_is_true(json_object_get(properties, "Locked")), form == LIST_TREE);
        return r == CLI_OK && form == LIST_TREE ? print_troubles(context, rows) : r;
}
