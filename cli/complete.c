/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What can stand at a place of the command line, for the shells' completions.
 *
 * A completion runs "framekeyctl __complete WORD... CURRENT". The answer comes from the tables that
 * the command line is parsed with, so that no verb and no option can be forgotten, and from the
 * running daemon. Its first line says what the place takes: ":words" (one a line follows, with a
 * tab and a description), ":files", ":directories" or ":hosts". Nothing is ever told on standard
 * error, no daemon is started, and nobody is asked for a password: somebody only pressed a key.
 */
#include "cli.h"

#include <fcntl.h>
#include <stdio.h>

/* How long a shell waits for a daemon between two keys. */
#define TIMEOUT_USEC  (700 * USEC_PER_MSEC)
#define ARGUMENTS_MAX 8u

/* The words in front of the current one, sorted. */
typedef struct Place {
        const CliOption *pending; /* option whose value the current word is */
        const char *arguments[ARGUMENTS_MAX];
        size_t n_arguments;
        bool no_options; /* "--" was there */
        int first;       /* position of the first argument; that of the current word if there is none */
} Place;

/* ---- what is printed ---- */

/* Names come from strangers: what would draw on the terminal is not offered, and not shown. */
static bool is_harmless(const char *text) {
        for (const unsigned char *p = (const unsigned char *)text; *p; p++)
                if (*p < ' ' || *p == 0x7f || (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0))
                        return false;
        return *text != '\0';
}

static void offer(const char *before, const char *word, const char *description) {
        if (!is_harmless(word))
                return;
        (void)printf("%s%s", before, word);
        if (description && is_harmless(description))
                (void)printf("\t%s", description);
        (void)putchar('\n');
}

/* "short|pretty|off" */
static void offer_choices(const char *before, const char *choices) {
        while (*choices) {
                size_t length = strcspn(choices, "|");
                _cleanup_free_ char *choice = strndup(choices, length);

                if (choice)
                        offer(before, choice, NULL);
                choices += length + (choices[length] == '|');
        }
}

static void offer_options(const CliOption *options, size_t n) {
        for (size_t i = 0; i < n; i++) {
                char word[64];

                if (options[i].name) {
                        (void)snprintf(word, sizeof(word), "--%s%s", options[i].name, options[i].argument ? "=" : "");
                        offer("", word, options[i].help);
                }
                if (options[i].letter) {
                        (void)snprintf(word, sizeof(word), "-%c", options[i].letter);
                        offer("", word, options[i].help);
                }
        }
}

/* ---- from the daemon ---- */

/* A host is only reached with ssh, which may ask for a password. */
static bool may_ask(const Context *context) {
        return context->bus != FRAMEKEY_BUS_HOST;
}

static void offer_sessions(Context *context, const char *before, bool labels) {
        _cleanup_json_ json_t *rows = json_array();
        json_t *row;
        size_t i;

        if (!may_ask(context) || sessions_read(context, rows) != CLI_OK)
                return;
        json_array_foreach(rows, i, row) {
                const char *label = json_text(json_object_get(row, "label"));

                offer(before, json_text(json_object_get(row, "id")), label);
                if (labels && session_is_named(rows, label))
                        offer(before, label, json_text(json_object_get(row, "id")));
        }
}

static void offer_participants(Context *context, const char *before, const char *session) {
        _cleanup_json_ json_t *properties = NULL;
        _cleanup_free_ char *path = NULL;
        json_t *name;
        size_t i;

        if (!session || !may_ask(context) || context_session_path(context, session, &path) != CLI_OK ||
            context_properties(context, path, SESSION_INTERFACE, &properties) != CLI_OK)
                return;
        json_array_foreach(json_object_get(properties, "Participants"), i, name) {
                offer(before, json_text(name), NULL);
        }
}

/* A property of the manager that is a list of names. */
static void offer_property(Context *context, const char *before, const char *property) {
        _cleanup_json_ json_t *properties = NULL;
        json_t *name;
        size_t i;

        if (!may_ask(context) || context_properties(context, MANAGER_PATH, MANAGER_INTERFACE, &properties) != CLI_OK)
                return;
        json_array_foreach(json_object_get(properties, property), i, name) {
                offer(before, json_text(name), NULL);
        }
}

static void offer_machines(const char *before) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        const char *name, *class;

        if (sd_bus_open_system(&bus) < 0 ||
            sd_bus_message_new_method_call(bus, &m, "org.freedesktop.machine1", "/org/freedesktop/machine1",
                                           "org.freedesktop.machine1.Manager", "ListMachines") < 0 ||
            sd_bus_message_set_auto_start(m, false) < 0 || sd_bus_call(bus, m, TIMEOUT_USEC, NULL, &reply) < 0 ||
            sd_bus_message_enter_container(reply, 'a', "(ssso)") < 0)
                return;
        while (sd_bus_message_read(reply, "(ssso)", &name, &class, NULL, NULL) > 0)
                if (strcmp(class, "container") == 0)
                        offer(before, name, NULL);
}

/* ---- places ---- */

/* What a value named like this takes, in options and arguments alike. */
static void offer_kind(Context *context, const Place *place, const char *kind, const char *option, const char *before) {
        static const struct {
                const char *kind, *answer;
        } files[] = {
                { "FILE", ":files" },      { "PATH", ":files" },        { "FRAME", ":files" },
                { "DIR", ":directories" }, { "[USER@]HOST", ":hosts" },
        };

        for (size_t i = 0; i < ELEMENTS(files); i++)
                if (strcmp(kind, files[i].kind) == 0) {
                        (void)puts(files[i].answer);
                        return;
                }
        (void)puts(":words");
        if (strcmp(kind, "SESSION") == 0)
                offer_sessions(context, before, true);
        else if (strcmp(kind, "ID") == 0)
                offer_sessions(context, before, false);
        else if (strcmp(kind, "PARTICIPANT") == 0)
                offer_participants(context, before, place->n_arguments > 0 ? place->arguments[0] : NULL);
        else if (strcmp(kind, "PRESET") == 0)
                offer_property(context, before, "Profiles");
        else if (strcmp(kind, "SUITE") == 0)
                offer_property(context, before, "CipherSuites");
        else if (strcmp(kind, "TIME") == 0)
                offer_choices(before, "today|yesterday|-1h|-10min");
        else if (strcmp(option, "machine") == 0)
                offer_machines(before);
        else if (strchr(kind, '|'))
                offer_choices(before, kind);
}

/* The option that a word names, and its value if that is in the word: NULL if not. */
static const CliOption *find_option(const CliOption *options, size_t n, const char *word, const char **ret_value) {
        size_t length = strcspn(word, "=");

        *ret_value = NULL;
        for (size_t i = 0; i < n; i++) {
                const char *name = options[i].name;

                if (strncmp(word, "--", 2) == 0) {
                        if (name && strlen(name) == length - 2 && strncmp(name, word + 2, length - 2) == 0) {
                                *ret_value = word[length] ? word + length + 1 : NULL;
                                return &options[i];
                        }
                } else if (options[i].letter && word[1] == options[i].letter) {
                        *ret_value = word[2] ? word + 2 : NULL;
                        return &options[i];
                }
        }
        return NULL;
}

/* Of a verb's options and the common ones. */
static const CliOption *find_any(const CliUsage *usage, const char *word, const char **ret_value) {
        const CliOption *common, *option = NULL;
        size_t n_common;

        common = cli_common_options(&n_common);
        if (usage)
                option = find_option(usage->options, usage->n_options, word, ret_value);
        return option ?: find_option(common, n_common, word, ret_value);
}

/* Sorts the words in front of the last one, which is the current; stops behind the verb if `usage` is NULL. */
static void sort_words(Context *context, const CliUsage *usage, int argc, char **argv, Place *ret) {
        *ret = (Place){ .first = argc - 1 };
        for (int i = 1; i < argc - 1; i++) {
                const char *word = argv[i], *value;
                const CliOption *option;

                if (!ret->no_options && strcmp(word, "--") == 0) {
                        ret->no_options = true;
                } else if (!ret->no_options && word[0] == '-' && word[1]) {
                        option = find_any(usage, word, &value);
                        if (!option)
                                continue;
                        if (option->argument && !value) {
                                if (i + 1 == argc - 1)
                                        ret->pending = option;
                                value = argv[++i];
                        }
                        cli_take_bus_option(context, option, value);
                } else {
                        if (ret->n_arguments == 0)
                                ret->first = i;
                        if (!usage)
                                return;
                        if (ret->n_arguments < ARGUMENTS_MAX)
                                ret->arguments[ret->n_arguments++] = word;
                }
        }
}

/* The n-th name in "SESSION [PARTICIPANT] | --all"; NULL if there is none. Free it. */
static char *argument_kind(const char *arguments, size_t n) {
        for (const char *p = arguments; *p; p += strcspn(p, " "), p += strspn(p, " ")) {
                const char *name = p + strspn(p, "[");

                if (*name < 'A' || *name > 'Z')
                        continue;
                if (n-- == 0)
                        return strndup(name, strcspn(name, " ].|"));
        }
        return NULL;
}

/* The value of an option, in a word of its own or behind "=". Whether the word is one. */
static bool complete_value(Context *context, const CliUsage *usage, const Place *place, const char *word) {
        _cleanup_free_ char *before = NULL;
        const CliOption *option = place->pending;
        const char *value;

        if (!option && !place->no_options && strncmp(word, "--", 2) == 0 && strchr(word, '=')) {
                option = find_any(usage, word, &value);
                before = strndup(word, strcspn(word, "=") + 1);
        }
        if (!option)
                return false;
        offer_kind(context, place, option->argument ?: "", option->name ?: "", before ?: "");
        return true;
}

static void complete_options(const CliUsage *usage) {
        const CliOption *common;
        size_t n_common;

        (void)puts(":words");
        if (usage)
                offer_options(usage->options, usage->n_options);
        common = cli_common_options(&n_common);
        offer_options(common, n_common);
}

void complete_in_verb(Context *context, const CliUsage *usage, int argc, char **argv) {
        const char *word = argv[argc - 1];
        _cleanup_free_ char *kind = NULL;
        Place place;

        sort_words(context, usage, argc, argv, &place);
        if (complete_value(context, usage, &place, word))
                return;
        if (word[0] == '-' && !place.no_options) {
                complete_options(usage);
                return;
        }
        kind = argument_kind(usage->arguments, place.n_arguments);
        offer_kind(context, &place, kind ?: "", "", "");
}

int complete_before_verb(Context *context, int argc, char **argv) {
        int silent = open("/dev/null", O_WRONLY | O_CLOEXEC);
        const char *word = argv[argc - 1];
        Place place;

        (void)dup2(silent, STDERR_FILENO);
        (void)close_fd(silent);
        context->completing = context->unattended = true;
        context->timeout_usec = TIMEOUT_USEC;
        sort_words(context, NULL, argc, argv, &place);
        if (place.first < argc - 1)
                return place.first;
        if (complete_value(context, NULL, &place, word))
                return 0;
        if (word[0] == '-' && !place.no_options)
                complete_options(NULL);
        else
                return -ENOENT;
        return 0;
}

void complete_offer_verb(const char *name, const char *help) {
        offer("", name, help);
}
