/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Verbs that change keys of a session that exists: import, activate, retire, ratchet, rotate.
 *
 * Except for ratcheting and rotating whole sessions, which the Manager does for administrators, they
 * attach to the session; the daemon refuses that where the session was opened for its owner alone.
 */
#include "cli.h"

#include <stdio.h>

typedef struct KeyArguments {
        OptionList options;
        const char *reason;
        const char *credential; /* NULL: not given */
        uint32_t index;         /* UINT32_MAX: not given */
        bool all;
} KeyArguments;

enum {
        OPTION_KEY_INDEX,
        OPTION_REASON,
        OPTION_ALL,
};

static const CliOption index_options[] = {
        [OPTION_KEY_INDEX] = { "key-index", 0, "N", "Index of the key" },
        [OPTION_REASON] = { "reason", 0, "TEXT", "Why; for the daemon's log" },
        [OPTION_ALL] = { "all", 0, NULL, "All sessions" },
};

enum {
        ACTIVATE_KEY_INDEX,
        ACTIVATE_AFTER_USEC,
        ACTIVATE_AT_KEY_FRAME,
};

static const CliOption activate_options[] = {
        [ACTIVATE_KEY_INDEX] = { "key-index", 0, "N", "Index of the key" },
        [ACTIVATE_AFTER_USEC] = { "after-usec", 0, "N", "So many microseconds from now" },
        [ACTIVATE_AT_KEY_FRAME] = { "at-key-frame", 0, NULL, "Each video stream at its next key frame" },
};

enum {
        IMPORT_KEY_INDEX,
        IMPORT_STEP,
        IMPORT_ACTIVATE,
        IMPORT_CREDENTIAL,
        IMPORT_SOURCE_OPTIONS, /* the first of them */
        IMPORT_KEY_OPTIONS = IMPORT_SOURCE_OPTIONS + N_SOURCE_OPTIONS,
};

static const CliOption import_options[] = {
        [IMPORT_KEY_INDEX] = { "key-index", 0, "N", "Index to put the key under (0)" },
        [IMPORT_STEP] = { "step", 0, "N", "Ratchet the key so many steps before it is used" },
        [IMPORT_ACTIVATE] = { "activate", 0, NULL, "Send under this key at once" },
        [IMPORT_CREDENTIAL] = { "credential", 0, "NAME",
                                "Take the service's credential of that name (administrators)" },
        SOURCE_OPTIONS,
        KEY_OPTIONS,
};

static int take_index(KeyArguments *arguments, const char *value) {
        uint64_t number;
        int r;

        r = cli_number("key-index", value, UINT32_MAX - 1, &number);
        if (r == CLI_OK)
                arguments->index = (uint32_t)number;
        return r;
}

static int take_index_option(Context *context, size_t option, const char *value, void *userdata) {
        KeyArguments *arguments = userdata;

        if (option == OPTION_KEY_INDEX)
                return take_index(arguments, value);
        if (option == OPTION_REASON)
                arguments->reason = value;
        else
                arguments->all = true;
        return CLI_OK;
}

static int take_activate_option(Context *context, size_t option, const char *value, void *userdata) {
        KeyArguments *arguments = userdata;
        uint64_t number;
        int r = CLI_OK;

        if (option == ACTIVATE_KEY_INDEX)
                return take_index(arguments, value);
        if (option == ACTIVATE_AFTER_USEC) {
                r = cli_number("after-usec", value, INT64_MAX, &number);
                if (r == CLI_OK)
                        option_list_add(&arguments->options, "after-usec=%s", value);
        } else {
                option_list_add(&arguments->options, "at-key-frame=yes");
        }
        return r;
}

static int take_import_option(Context *context, size_t option, const char *value, void *userdata) {
        KeyArguments *arguments = userdata;

        if (option >= IMPORT_KEY_OPTIONS)
                return key_option_take(&arguments->options, option - IMPORT_KEY_OPTIONS, value);
        if (option >= IMPORT_SOURCE_OPTIONS)
                return source_option_take(&arguments->options, option - IMPORT_SOURCE_OPTIONS, value);
        if (option == IMPORT_KEY_INDEX)
                return take_index(arguments, value);
        if (option == IMPORT_CREDENTIAL)
                arguments->credential = value;
        else if (option == IMPORT_STEP)
                option_list_add(&arguments->options, "step=%s", value);
        else
                option_list_add(&arguments->options, "activate=yes");
        return CLI_OK;
}

static int attach(Context *context, const char *name, framekey_session **ret) {
        _cleanup_free_ char *id = NULL;
        int r;

        r = session_resolve(context, name, &id);
        if (r != CLI_OK)
                return r;
        r = framekey_session_attach(context->client, id, ret);
        return r < 0 ? cli_fail_client(context->client, r) : CLI_OK;
}

/* ---- import ---- */

static int import_key(Context *context, const char *id, const char *participant, const KeyArguments *arguments) {
        _cleanup_(framekey_session_free_p) framekey_session *session = NULL;
        _cleanup_(secret_buffer_free_p) SecretBuffer *secret = NULL;
        _cleanup_free_ char *error = NULL;
        int r;

        /* Asks only when the session is there to take the answer. */
        r = attach(context, id, &session);
        if (r != CLI_OK)
                return r;
        r = secret_read_stdin("Key or passphrase (not shown): ", &secret, &error);
        if (r < 0)
                return cli_fail("%s", error ?: strerror(-r));
        if (secret_ends_with_newline(secret))
                cli_hint(context,
                         "Note that the key ends with a newline, which is part of it; 'printf %%s' writes none.");
        r = framekey_session_import_key(session, participant, arguments->index, secret->bytes, secret->length,
                                        option_list(&arguments->options));
        return r < 0 ? cli_fail_client(context->client, r) : CLI_OK;
}

static int import_credential(Context *context, const char *id, const char *participant, const KeyArguments *arguments) {
        framekey_client *client;
        int r;

        r = context_client(context, &client);
        if (r != CLI_OK)
                return r;
        r = framekey_client_import_credential(client, id, participant, arguments->index, arguments->credential,
                                              option_list(&arguments->options));
        return r < 0 ? cli_fail_client(client, r) : CLI_OK;
}

int verb_import(int argc, char **argv, Context *context) {
        static const CliUsage usage = {
                .verb = "import",
                .arguments = "SESSION [PARTICIPANT]",
                .summary = "Imports a key from standard input: a line typed without echo, or all bytes of a pipe or "
                           "file; or with --credential from the service itself.\nWithout PARTICIPANT it is the key "
                           "that all participants share.",
                .options = import_options,
                .n_options = ELEMENTS(import_options),
                .n_min = 1,
                .n_max = 2,
                .take = take_import_option,
        };
        KeyArguments arguments = { .index = 0 };
        int r, first;

        r = cli_parse(context, &usage, argc, argv, &arguments, &first);
        if (r == CLI_OK) {
                const char *participant = first + 1 < argc ? argv[first + 1] : "";

                r = arguments.credential ? import_credential(context, argv[first], participant, &arguments)
                                         : import_key(context, argv[first], participant, &arguments);
                if (r == CLI_OK)
                        r = output_done(context, json_pack("{s:I}", "key_index", (json_int_t)arguments.index),
                                        "Imported the key under index %u.", arguments.index);
        } else {
                r = cli_parse_status(r);
        }
        option_list_done(&arguments.options);
        return r;
}

/* ---- activate, retire ---- */

/* Attaches to the session of a command line that must name a key. */
static int attach_for_key(Context *context, const KeyArguments *arguments, const char *id, framekey_session **ret) {
        if (arguments->index == UINT32_MAX)
                return cli_usage_error("Say which key: --key-index=N.");
        return attach(context, id, ret);
}

static int activate(Context *context, const char *id, const char *participant, const KeyArguments *arguments) {
        _cleanup_(framekey_session_free_p) framekey_session *session = NULL;
        int r;

        r = attach_for_key(context, arguments, id, &session);
        if (r != CLI_OK)
                return r;
        r = framekey_session_activate(session, participant, arguments->index, option_list(&arguments->options));
        if (r < 0)
                return cli_fail_client(context->client, r);
        return output_done(context, json_pack("{s:I}", "activated", (json_int_t)arguments->index),
                           arguments->options.n > 0 ? "Key %u is sent under when that is due."
                                                    : "Sending under key %u.",
                           arguments->index);
}

int verb_activate(int argc, char **argv, Context *context) {
        static const CliUsage usage = {
                .verb = "activate",
                .arguments = "SESSION [PARTICIPANT]",
                .summary = "Sends under the key of this index: from now on, or when the options say.",
                .options = activate_options,
                .n_options = ELEMENTS(activate_options),
                .n_min = 1,
                .n_max = 2,
                .take = take_activate_option,
        };
        KeyArguments arguments = { .index = UINT32_MAX };
        int r, first;

        r = cli_parse(context, &usage, argc, argv, &arguments, &first);
        r = r == CLI_OK ? activate(context, argv[first], first + 1 < argc ? argv[first + 1] : "", &arguments)
                        : cli_parse_status(r);
        option_list_done(&arguments.options);
        return r;
}

int verb_retire(int argc, char **argv, Context *context) {
        static const CliUsage usage = {
                .verb = "retire",
                .arguments = "SESSION [PARTICIPANT]",
                .summary = "Wipes the key of this index. Frames under it are refused from now on.",
                .options = index_options,
                .n_options = OPTION_KEY_INDEX + 1,
                .n_min = 1,
                .n_max = 2,
                .take = take_index_option,
        };
        _cleanup_(framekey_session_free_p) framekey_session *session = NULL;
        KeyArguments arguments = { .index = UINT32_MAX };
        int r, first;

        r = cli_parse(context, &usage, argc, argv, &arguments, &first);
        if (r != CLI_OK)
                return cli_parse_status(r);
        r = attach_for_key(context, &arguments, argv[first], &session);
        if (r != CLI_OK)
                return r;
        r = framekey_session_retire_key(session, first + 1 < argc ? argv[first + 1] : "", arguments.index);
        if (r < 0)
                return cli_fail_client(context->client, r);
        return output_done(context, json_pack("{s:I}", "retired", (json_int_t)arguments.index), "Wiped key %u.",
                           arguments.index);
}

/* ---- ratchet ---- */

static int ratchet_one(Context *context, const char *id, const char *participant, uint32_t index) {
        _cleanup_(framekey_session_free_p) framekey_session *session = NULL;
        uint32_t step;
        int r;

        r = attach(context, id, &session);
        if (r != CLI_OK)
                return r;
        r = framekey_session_ratchet(session, participant, index, &step);
        if (r < 0)
                return cli_fail_client(context->client, r);
        return output_done(context, json_pack("{s:I}", "step", (json_int_t)step), "The key is at step %u.", step);
}

static int ratchet_session(Context *context, const char *name, const char *reason) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_free_ char *id = NULL;
        uint32_t n;
        int r;

        r = session_resolve(context, name, &id);
        if (r != CLI_OK)
                return r;
        r = context_call(context, MANAGER_PATH, MANAGER_INTERFACE, "RatchetKeys", &reply, "ssa{sv}", id, reason, 0);
        if (r != CLI_OK)
                return r;
        if (sd_bus_message_read(reply, "u", &n) < 0)
                return cli_fail("The daemon's reply cannot be read.");
        return output_done(context, json_pack("{s:I}", "ratcheted", (json_int_t)n), "Moved %u %s one step.", n,
                           n == 1 ? "key" : "keys");
}

int verb_ratchet(int argc, char **argv, Context *context) {
        static const CliUsage usage = {
                .verb = "ratchet",
                .arguments = "SESSION [PARTICIPANT] | --all",
                .summary = "Moves sending keys one ratchet step: all of a session, or with PARTICIPANT or --key-index "
                           "one key.\nReceivers follow only if their ratchet window allows it.",
                .options = index_options,
                .n_options = ELEMENTS(index_options),
                .n_max = 2,
                .take = take_index_option,
        };
        KeyArguments arguments = { .index = UINT32_MAX, .reason = "" };
        int r, first, n;

        r = cli_parse(context, &usage, argc, argv, &arguments, &first);
        if (r != CLI_OK)
                return cli_parse_status(r);
        n = argc - first;
        if (arguments.all != (n == 0))
                return cli_usage_error("Name a session, or write --all for all of them.");
        if (n == 2 || arguments.index != UINT32_MAX) {
                if (n == 0)
                        return cli_usage_error("--key-index needs a session.");
                return ratchet_one(context, argv[first], n == 2 ? argv[first + 1] : "", arguments.index);
        }
        return ratchet_session(context, n > 0 ? argv[first] : "", arguments.reason);
}

/* ---- rotate ---- */

enum {
        ROTATE_REASON,
        ROTATE_ALL,
};

static const CliOption rotate_options[] = {
        [ROTATE_REASON] = { "reason", 0, "TEXT", "Why; for the daemon's log" },
        [ROTATE_ALL] = { "all", 0, NULL, "All sessions" },
};

static int take_rotate_option(Context *context, size_t option, const char *value, void *userdata) {
        KeyArguments *arguments = userdata;

        if (option == ROTATE_REASON)
                arguments->reason = value;
        else
                arguments->all = true;
        return CLI_OK;
}

static int rotate_one(Context *context, const char *id, const char *participant, const char *reason,
                      uint32_t *ret_rotated, uint32_t *ret_requested) {
        _cleanup_(framekey_session_free_p) framekey_session *session = NULL;
        int r;

        r = attach(context, id, &session);
        if (r != CLI_OK)
                return r;
        r = framekey_session_rotate(session, participant, reason, ret_rotated, ret_requested);
        return r < 0 ? cli_fail_client(context->client, r) : CLI_OK;
}

static int rotate_session(Context *context, const char *name, const char *reason, uint32_t *ret_rotated,
                          uint32_t *ret_requested) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_free_ char *id = NULL;
        int r;

        r = session_resolve(context, name, &id);
        if (r != CLI_OK)
                return r;
        r = context_call(context, MANAGER_PATH, MANAGER_INTERFACE, "RotateKeys", &reply, "ssa{sv}", id, reason, 0);
        if (r != CLI_OK)
                return r;
        if (sd_bus_message_read(reply, "uu", ret_rotated, ret_requested) < 0)
                return cli_fail("The daemon's reply cannot be read.");
        return CLI_OK;
}

int verb_rotate(int argc, char **argv, Context *context) {
        static const CliUsage usage = {
                .verb = "rotate",
                .arguments = "SESSION [PARTICIPANT] | --all",
                .summary = "Replaces sending keys by fresh ones: all of a session, or those of PARTICIPANT.\n"
                           "Keys made in the daemon get a successor; for imported ones the session's owner is asked.",
                .options = rotate_options,
                .n_options = ELEMENTS(rotate_options),
                .n_max = 2,
                .take = take_rotate_option,
        };
        KeyArguments arguments = { .reason = "" };
        uint32_t rotated = 0, requested = 0;
        int r, first, n;

        r = cli_parse(context, &usage, argc, argv, &arguments, &first);
        if (r != CLI_OK)
                return cli_parse_status(r);
        n = argc - first;
        if (arguments.all != (n == 0))
                return cli_usage_error("Name a session, or write --all for all of them.");
        r = n == 2 ? rotate_one(context, argv[first], argv[first + 1], arguments.reason, &rotated, &requested)
                   : rotate_session(context, n > 0 ? argv[first] : "", arguments.reason, &rotated, &requested);
        if (r != CLI_OK)
                return r;
        return output_done(
                context, json_pack("{s:I, s:I}", "rotated", (json_int_t)rotated, "requested", (json_int_t)requested),
                "Replaced %u %s; asked the owner for %u.", rotated, rotated == 1 ? "key" : "keys", requested);
}
