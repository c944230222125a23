/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The verb log: who did what when, from the journal.
 *
 * journalctl(1) finds the records, because it knows what "yesterday" is, who may read what, and
 * where journals are; here they are put into words. Only records that the service manager
 * vouches for are taken (_SYSTEMD_UNIT): everybody may write fields like ours into the journal.
 */
#include "cli.h"

#include <pwd.h>
#include <stdio.h>
#include <syslog.h>
#include <time.h>

#define UNIT "framekeyd.service"

typedef struct LogArguments {
        OptionList journalctl; /* its options */
        bool follow;
        bool all; /* also what is no key operation */
} LogArguments;

enum {
        OPTION_SINCE,
        OPTION_UNTIL,
        OPTION_SESSION,
        OPTION_LINES,
        OPTION_REVERSE,
        OPTION_FOLLOW,
        OPTION_ALL,
        OPTION_DIRECTORY,
        OPTION_FILE,
};

static const CliOption log_options[] = {
        [OPTION_SINCE] = { "since", 'S', "TIME",
                           "From then on: 'today', '-1h', '2030-01-31 12:00', see systemd.time(7)" },
        [OPTION_UNTIL] = { "until", 'U', "TIME", "Until then" },
        [OPTION_SESSION] = { "session", 0, "ID", "Of this session, also when it has ended" },
        [OPTION_LINES] = { "lines", 'n', "N", "The last so many" },
        [OPTION_REVERSE] = { "reverse", 'r', NULL, "The newest first" },
        [OPTION_FOLLOW] = { "follow", 'f', NULL, "Go on with what comes; Ctrl-C ends it" },
        [OPTION_ALL] = { "all", 'a', NULL, "Everything the daemon says, not key operations and warnings only" },
        [OPTION_DIRECTORY] = { "directory", 'D', "DIR", "The journal in this directory" },
        [OPTION_FILE] = { "file", 0, "FILE", "This journal file" },
};

static int take_option(Context *context, size_t option, const char *value, void *userdata) {
        LogArguments *arguments = userdata;
        OptionList *list = &arguments->journalctl;

        switch (option) {
        case OPTION_SESSION:
                option_list_add(list, "FK_SESSION=%s", value);
                break;
        case OPTION_ALL:
                arguments->all = true;
                break;
        case OPTION_FOLLOW:
                arguments->follow = true;
                option_list_add(list, "--follow");
                break;
        default:
                if (value)
                        option_list_add(list, "--%s=%s", log_options[option].name, value);
                else
                        option_list_add(list, "--%s", log_options[option].name);
        }
        return CLI_OK;
}

/* ---- a record ---- */

/* A field as text. What is no text comes as an array of bytes, what was given twice as one of texts. Free it. */
static char *field_text(const json_t *value) {
        size_t n = json_array_size(value);
        char *text;

        if (json_is_string(value))
                return strdup(json_string_value(value));
        if (n == 0)
                return NULL;
        if (!json_is_integer(json_array_get(value, 0)))
                return field_text(json_array_get(value, 0));
        text = calloc(1, n + 1);
        for (size_t i = 0; text && i < n; i++)
                text[i] = (char)json_integer_value(json_array_get(value, i));
        return text;
}

static bool is_number(const char *name) {
        static const char *const ends[] = { "_uid", "_pid", "_index", "_step" };
        size_t length = strlen(name);

        for (size_t i = 0; i < ELEMENTS(ends); i++)
                if (length > strlen(ends[i]) && strcmp(name + length - strlen(ends[i]), ends[i]) == 0)
                        return true;
        return false;
}

/* FK_KEY_INDEX=1 becomes key_index; what other fields are called here is said by `name`. */
static int add_field(json_t *record, const char *name, const json_t *value) {
        _cleanup_free_ char *text = field_text(value);
        json_t *added = NULL;

        if (!text)
                return 0;
        if (is_number(name))
                added = json_integer(strtoll(text, NULL, 10));
        else
                added = json_string(text) ?: json_hex((const uint8_t *)text, strlen(text)); /* no UTF-8 */
        return json_object_set_new(record, name, added);
}

/* What we show of an entry of the journal; NULL without memory. */
static json_t *record_new(const json_t *entry) {
        const char *realtime = json_text(json_object_get(entry, "__REALTIME_TIMESTAMP"));
        const char *priority = json_text(json_object_get(entry, "PRIORITY"));
        json_t *record = json_pack("{s:I, s:i}", "time_usec", (json_int_t)strtoll(realtime, NULL, 10), "priority",
                                   *priority ? atoi(priority) : LOG_INFO);
        const char *key;
        json_t *value;
        int r = 0;

        json_object_foreach((json_t *)entry, key, value) {
                char name[64] = "";

                if (strncmp(key, "FK_", 3) != 0)
                        continue;
                for (size_t i = 0; i + 1 < sizeof(name) && key[3 + i]; i++)
                        name[i] = (char)(key[3 + i] >= 'A' && key[3 + i] <= 'Z' ? key[3 + i] | 0x20 : key[3 + i]);
                r |= add_field(record, name, value);
        }
        r |= add_field(record, "message_id", json_object_get(entry, "MESSAGE_ID"));
        r |= add_field(record, "message", json_object_get(entry, "MESSAGE"));
        if (record && r == 0)
                return record;
        json_decref(record);
        return NULL;
}

/* ---- in words ---- */

/* " session 4f1c", or nothing. */
static void add_word(FILE *stream, const json_t *record, const char *field, const char *word) {
        const json_t *value = json_object_get(record, field);

        if (json_is_integer(value))
                (void)fprintf(stream, " %s%" JSON_INTEGER_FORMAT, word, json_integer_value(value));
        else if (*json_text(value))
                (void)fprintf(stream, " %s%s", word, json_text(value));
}

static void add_who(FILE *stream, const json_t *record) {
        const json_t *uid = json_object_get(record, "sender_uid"), *pid = json_object_get(record, "sender_pid");
        const struct passwd *user = uid ? getpwuid((uid_t)json_integer_value(uid)) : NULL;
        char who[64] = "the daemon";

        if (user)
                (void)snprintf(who, sizeof(who), "%.32s[%" JSON_INTEGER_FORMAT "]", user->pw_name,
                               json_integer_value(pid));
        else if (uid)
                (void)snprintf(who, sizeof(who), "%" JSON_INTEGER_FORMAT "[%" JSON_INTEGER_FORMAT "]",
                               json_integer_value(uid), json_integer_value(pid));
        (void)fprintf(stream, "  %-16s", who);
}

static void write_words(const json_t *record, FILE *stream) {
        static const struct {
                const char *field, *word;
        } words[] = {
                { "session", "session " },       { "participant", "participant " }, { "key_index", "key " },
                { "key_step", "step " },         { "recipient", "for " },           { "credential", "credential " },
                { "method", "method " },         { "polkit_action", "by " },        { "setting", "" },
                { "owner_uid", "owner's uid " },
        };
        time_t seconds = (time_t)(json_integer_value(json_object_get(record, "time_usec")) / (json_int_t)USEC_PER_SEC);
        const char *result = json_text(json_object_get(record, "result"));
        const char *reason = json_text(json_object_get(record, "reason"));
        char when[sizeof("2030-01-31 23:59:59")] = "";
        struct tm tm;

        if (localtime_r(&seconds, &tm))
                (void)strftime(when, sizeof(when), "%F %T", &tm); /* stays empty: no time is shown */
        (void)fputs(when, stream);
        if (!json_object_get(record, "action")) {
                (void)fprintf(stream, "  %s", json_text(json_object_get(record, "message")));
                return;
        }
        add_who(stream, record);
        (void)fprintf(stream, "  %-17s", json_text(json_object_get(record, "action")));
        for (size_t i = 0; i < ELEMENTS(words); i++)
                add_word(stream, record, words[i].field, words[i].word);
        if (*reason)
                (void)fprintf(stream, " because \"%s\"", reason);
        if (*result && strcmp(result, "ok") != 0)
                (void)fprintf(stream, ": %s", result);
}

/* A refusal is the name of an error; "requested" or "locked" is what came of it. */
static bool is_refusal(const char *result) {
        return *result >= 'A' && *result <= 'Z';
}

static const char *record_color(const json_t *record) {
        if (is_refusal(json_text(json_object_get(record, "result"))))
                return "\033[31m";
        return json_integer_value(json_object_get(record, "priority")) <= LOG_WARNING ? "\033[33m" : NULL;
}

static int print_record(const Context *context, const json_t *record) {
        const char *color = context->colors ? record_color(record) : NULL;
        _cleanup_free_ char *text = NULL;
        size_t size;
        FILE *stream;

        if (context->json != JSON_OFF)
                return output_json(context, record);
        stream = open_memstream(&text, &size);
        if (!stream)
                return cli_fail("Out of memory.");
        write_words(record, stream);
        if (fclose(stream) == EOF)
                return cli_fail("Out of memory.");
        (void)fputs(color ?: "", stdout);
        output_text(stdout, text);
        (void)printf("%s\n", color ? "\033[0m" : "");
        return CLI_OK;
}

/* ---- journalctl ---- */

static int print_records(const Context *context, const LogArguments *arguments, FILE *stream, size_t *ret_n) {
        _cleanup_free_ char *line = NULL;
        size_t size = 0;
        int r = CLI_OK;

        while (r == CLI_OK && getline(&line, &size, stream) >= 0) {
                _cleanup_json_ json_t *entry = json_loads(line, 0, NULL), *record = NULL;

                if (!entry)
                        continue;
                record = record_new(entry);
                if (!record)
                        return cli_fail("Out of memory.");
                if (!arguments->all && !json_object_get(record, "action") &&
                    json_integer_value(json_object_get(record, "priority")) > LOG_WARNING)
                        continue;
                (*ret_n)++;
                r = print_record(context, record);
                if (arguments->follow && fflush(stdout) == EOF)
                        return cli_fail("Cannot write the output.");
        }
        return r;
}

/* The command line of journalctl: what was asked for is in the list. */
static int add_arguments(const Context *context, OptionList *list) {
        char *first;

        if (context->bus == FRAMEKEY_BUS_HOST)
                return cli_usage_error("The journal of another host is read there: ssh %s framekeyctl log.",
                                       context->where);
        if (context->bus == FRAMEKEY_BUS_ADDRESS)
                return cli_usage_error("A bus has no journal: without --address the log is that of the service on this "
                                       "machine.");
        if (context->bus == FRAMEKEY_BUS_MACHINE)
                option_list_add(list, "--machine=%s", context->where);
        if (context->quiet)
                option_list_add(list, "--quiet");
        option_list_add(list, "--output=json");
        option_list_add(list, "--all");
        option_list_add(list, "--no-pager");
        option_list_add(list, context->bus == FRAMEKEY_BUS_USER ? "_SYSTEMD_USER_UNIT=" UNIT : "_SYSTEMD_UNIT=" UNIT);
        option_list_add(list, "journalctl");
        /* Its own name comes first. */
        first = list->items[list->n - 1];
        memmove(list->items + 1, list->items, (list->n - 1) * sizeof(*list->items));
        list->items[0] = first;
        return CLI_OK;
}

static int show_log(Context *context, LogArguments *arguments) {
        FILE *stream = NULL;
        size_t n = 0;
        pid_t pid;
        int r, s;

        r = add_arguments(context, &arguments->journalctl);
        if (r == CLI_OK && !arguments->follow)
                r = context_pager(context);
        if (r == CLI_OK)
                r = program_start(arguments->journalctl.items, &pid, &stream);
        if (r != CLI_OK)
                return r;
        r = print_records(context, arguments, stream, &n);
        (void)fclose(stream);
        /* It said why. */
        s = program_wait(pid) == 0 ? CLI_OK : CLI_FAILED;
        if (r == CLI_OK && s == CLI_OK && n == 0 && context->json == JSON_OFF)
                cli_hint(context, "The journal has no such records, or none that you may read.");
        return r == CLI_OK ? s : r;
}

int verb_log(int argc, char **argv, Context *context) {
        static const CliUsage usage = {
                .verb = "log",
                .arguments = "",
                .summary =
                        "Shows who did what to which key when, and the daemon's warnings, from the journal. root and "
                        "the groups\nadm and systemd-journal may read all of it.",
                .options = log_options,
                .n_options = ELEMENTS(log_options),
                .take = take_option,
        };
        LogArguments arguments = { .follow = false };
        int r, first;

        r = cli_parse(context, &usage, argc, argv, &arguments, &first);
        r = r == CLI_OK ? show_log(context, &arguments) : cli_parse_status(r);
        option_list_done(&arguments.journalctl);
        return r;
}
