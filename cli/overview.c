/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Verbs about the whole daemon that only look: status, presets, transport-key.
 */
#include "cli.h"

#include "keys/preset.h"

#include <stdio.h>

/* Usage of a verb without arguments or options of its own. */
static int parse_bare(Context *context, const char *verb, const char *summary, int argc, char **argv) {
        CliUsage usage = { .verb = verb, .arguments = "", .summary = summary };
        int first;

        return cli_parse(context, &usage, argc, argv, NULL, &first);
}

/* ---- status ---- */

static char *text_protection(const json_t *value) {
        const char *name = json_text(value);

        if (strcmp(name, "secretmem") == 0)
                return strdup("secretmem (no other process reads the keys, root's included)");
        if (strcmp(name, "mlock") == 0)
                return strdup("mlock (not swapped, not dumped, but root can read the keys)");
        return strdup(name);
}

static const char *color_protection(const json_t *value) {
        return strcmp(json_text(value), "secretmem") == 0 ? "green" : "yellow";
}

static char *text_counters(const json_t *value) {
        const char *state = json_text(value);

        if (strcmp(state, "volatile") == 0)
                return strdup("volatile (imported keys of SFrame and DAVE are good for receiving only)");
        return strdup(state);
}

static const char *color_counters(const json_t *value) {
        return strcmp(json_text(value), "kept") == 0 ? NULL : "yellow";
}

static const char *color_locked(const json_t *value) {
        return json_is_true(value) ? "red" : NULL;
}

static const Column status_columns[] = {
        { .key = "Version", .heading = "Version" },
        { .key = "MemoryProtection", .heading = "Memory", .text = text_protection, .color = color_protection },
        { .key = "Locked", .heading = "Locked", .color = color_locked },
        { .key = "Sessions", .heading = "Sessions" },
        { .key = "Keys", .heading = "Keys" },
        { .key = "CipherSuites", .heading = "Ciphers" },
        { .key = "CounterState", .heading = "Counters", .text = text_counters, .color = color_counters },
        { .key = "DefaultRatchetIntervalUSec", .heading = "Ratchet every", .text = text_limit },
        { .key = "MinimumRatchetIntervalUSec", .heading = "Ratchet at most every", .text = text_limit },
        { .key = "MaximumKeyAgeUSec", .heading = "Largest key age", .text = text_limit },
        { .key = "AllowImport", .heading = "Import allowed" },
        { .key = "AllowExport", .heading = "Export allowed" },
};

/* What does not work, over all sessions. One that ended meanwhile has no troubles. */
static int get_troubles(Context *context, const json_t *sessions, json_t *troubles) {
        json_t *session;
        size_t i;
        int r;

        json_array_foreach((json_t *)sessions, i, session) {
                r = troubles_collect(context, json_text(json_object_get(session, "id")),
                                     json_text(json_object_get(session, "path")), troubles);
                if (r != CLI_OK)
                        return r;
        }
        return CLI_OK;
}

int verb_status(int argc, char **argv, Context *context) {
        _cleanup_json_ json_t *properties = NULL, *sessions = json_array(), *troubles = json_array();
        int r;

        r = parse_bare(
                context, "status",
                "Shows the daemon's version, how it protects keys, the sessions, and what does not work in them.", argc,
                argv);
        if (r != CLI_OK)
                return cli_parse_status(r);
        r = context_properties(context, MANAGER_PATH, MANAGER_INTERFACE, &properties);
        if (r == CLI_OK)
                r = sessions_read(context, sessions);
        if (r == CLI_OK)
                r = get_troubles(context, sessions, troubles);
        if (r == CLI_OK && json_object_set(properties, "Troubles", troubles) < 0)
                r = cli_fail("Out of memory.");
        if (r == CLI_OK)
                r = context_pager(context);
        if (r == CLI_OK)
                r = output_object(context, status_columns, ELEMENTS(status_columns), properties);
        if (r != CLI_OK || context->json != JSON_OFF || json_array_size(sessions) == 0)
                return r;
        (void)putchar('\n');
        r = sessions_look(context, sessions);
        if (r == CLI_OK)
                r = sessions_print(context, sessions, json_is_true(json_object_get(properties, "Locked")),
                                   isatty(STDOUT_FILENO) || context->pager > 0);
        return r == CLI_OK ? troubles_print(context, troubles) : r;
}

/* ---- presets ---- */

static const Column preset_columns[] = {
        { .key = "name", .heading = "PRESET" },
        { .key = "format", .heading = "FORMAT" },
        { .key = "key_mode", .heading = "KEYS" },
        { .key = "kdf", .heading = "KDF" },
        { .key = "ring_size", .heading = "RING" },
        { .key = "ratchet_window", .heading = "WINDOW" },
        { .key = "summary", .heading = "WHAT IT IS FOR" },
};

/* The daemon says which presets there are; what they mean is in the table that daemon and tool are built from. */
static json_t *preset_row(const char *name) {
        const Preset *preset = preset_find(name);

        if (!preset)
                return json_pack("{s:s}", "name", name);
        return json_pack("{s:s, s:s, s:s, s:s, s:i, s:i, s:s}", "name", name, "format",
                         framekey_format_name(preset->format), "key_mode", preset->shared ? "shared" : "participant",
                         "kdf", preset->kdf == SCHEDULE_PBKDF2 ? "pbkdf2" : "hkdf", "ring_size", (int)preset->ring_size,
                         "ratchet_window", (int)preset->ratchet_window, "summary", preset->summary);
}

int verb_presets(int argc, char **argv, Context *context) {
        _cleanup_json_ json_t *properties = NULL, *rows = json_array();
        json_t *name;
        size_t i;
        int r;

        r = parse_bare(context, "presets",
                       "Lists the presets: which format, key derivation and limits the products in the field use.",
                       argc, argv);
        if (r != CLI_OK)
                return cli_parse_status(r);
        r = context_properties(context, MANAGER_PATH, MANAGER_INTERFACE, &properties);
        if (r != CLI_OK)
                return r;
        json_array_foreach(json_object_get(properties, "Profiles"), i, name) {
                if (json_array_append_new(rows, preset_row(json_text(name))) < 0)
                        return cli_fail("Out of memory.");
        }
        r = context_pager(context);
        if (r != CLI_OK)
                return r;
        return output_rows(context, "presets", preset_columns, ELEMENTS(preset_columns), rows);
}

/* ---- transport-key ---- */

static const Column transport_columns[] = {
        { .key = "key", .heading = "Transport key" },
        { .key = "fingerprint", .heading = "Fingerprint" },
};

/* A session of our own for the moment: the key is the daemon's, but only sessions tell it. */
static int read_transport_key(Context *context, json_t **ret) {
        uint8_t key[FRAMEKEY_TRANSPORT_KEY_LENGTH];
        _cleanup_free_ char *fingerprint = NULL;
        framekey_session *session;
        framekey_client *client;
        int r;

        r = context_client(context, &client);
        if (r != CLI_OK)
                return r;
        r = framekey_session_open(client, "livekit", "framekeyctl", NULL, &session);
        if (r < 0)
                return cli_fail_client(client, r);
        r = framekey_session_get_transport_key(session, key, &fingerprint);
        if (r < 0) {
                r = cli_fail_client(client, r);
                framekey_session_close(session);
                return r;
        }
        framekey_session_close(session);
        *ret = json_pack("{s:o, s:s}", "key", json_hex(key, sizeof(key)), "fingerprint", fingerprint);
        return *ret ? CLI_OK : cli_fail("Out of memory.");
}

int verb_transport_key(int argc, char **argv, Context *context) {
        _cleanup_json_ json_t *key = NULL;
        int r;

        r = parse_bare(context, "transport-key",
                       "Shows the public key to which other daemons wrap keys for this one, and its fingerprint, which "
                       "their\nlogs name with each export. It is new at every start of the daemon.",
                       argc, argv);
        if (r != CLI_OK)
                return cli_parse_status(r);
        r = read_transport_key(context, &key);
        return r == CLI_OK ? output_object(context, transport_columns, ELEMENTS(transport_columns), key) : r;
}
