/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The sessions there are, and what people call them.
 */
#include "cli.h"

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
