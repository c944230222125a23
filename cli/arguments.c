/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Command lines: getopt_long() driven by tables that also make the --help texts, so that the two
 * cannot disagree. Common options may stand before the verb and behind it.
 */
#include <config.h>

#include "cli.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>

/* Long options answer with this plus their position, out of the way of letters. */
#define LONG_BASE 256

enum {
        COMMON_SYSTEM,
        COMMON_USER,
        COMMON_ADDRESS,
        COMMON_HOST,
        COMMON_MACHINE,
        COMMON_JSON,
        COMMON_J,
        COMMON_QUIET,
        COMMON_NO_PAGER,
        COMMON_NO_LEGEND,
        COMMON_HELP,
        COMMON_VERSION,
};

static const CliOption common_options[] = {
        [COMMON_SYSTEM] = { "system", 0, NULL, "Use the daemon on the system bus (the default)" },
        [COMMON_USER] = { "user", 0, NULL, "Use the daemon on the user's bus" },
        [COMMON_ADDRESS] = { "address", 0, "ADDRESS", "Use the daemon on the bus at this D-Bus address" },
        [COMMON_HOST] = { "host", 'H', "[USER@]HOST", "Use the daemon of another host, over ssh" },
        [COMMON_MACHINE] = { "machine", 'M', "NAME", "Use the daemon in a local container" },
        [COMMON_JSON] = { "json", 0, "short|pretty|off", "Print JSON instead of tables" },
        [COMMON_J] = { NULL, 'j', NULL, "The same as --json=pretty on a terminal, else --json=short" },
        [COMMON_QUIET] = { "quiet", 'q', NULL, "Say nothing about what was done" },
        [COMMON_NO_PAGER] = { "no-pager", 0, NULL, "Do not show long output page by page" },
        [COMMON_NO_LEGEND] = { "no-legend", 0, NULL, "Print tables without headings" },
        [COMMON_HELP] = { "help", 'h', NULL, "Show this help" },
        [COMMON_VERSION] = { "version", 0, NULL, "Show the version" },
};

/* ---- messages ---- */

static void tell(const char *format, va_list arguments) __attribute__((format(printf, 1, 0)));
static void tell(const char *format, va_list arguments) {
        (void)fputs("framekeyctl: ", stderr);
        (void)vfprintf(stderr, format, arguments);
        (void)fputc('\n', stderr);
}

void cli_tell(const char *format, ...) {
        va_list arguments;

        va_start(arguments, format);
        tell(format, arguments);
        va_end(arguments);
}

void cli_hint(const Context *context, const char *format, ...) {
        va_list arguments;

        if (context->quiet)
                return;
        va_start(arguments, format);
        tell(format, arguments);
        va_end(arguments);
}

int cli_number(const char *option, const char *value, uint64_t max, uint64_t *ret) {
        unsigned long long number;
        char *end;

        errno = 0;
        number = strtoull(value, &end, 10);
        /* strtoull() would also take "-1" and " 1". */
        if (errno || *end || *value < '0' || *value > '9' || number > max)
                return cli_usage_error("--%s takes a number from 0 to %llu.", option, (unsigned long long)max);
        *ret = number;
        return CLI_OK;
}

/* ---- common options ---- */

static void use_bus(Context *context, enum framekey_bus bus, const char *where) {
        context->bus = bus;
        context->where = where;
}

static int use_json(Context *context, const char *mode) {
        static const char *const modes[] = { [JSON_OFF] = "off", [JSON_SHORT] = "short", [JSON_PRETTY] = "pretty" };

        for (size_t i = 0; i < ELEMENTS(modes); i++)
                if (strcmp(mode, modes[i]) == 0) {
                        context->json = (JsonMode)i;
                        return CLI_OK;
                }
        return cli_usage_error("--json takes 'short', 'pretty' or 'off'.");
}

static int take_common(Context *context, size_t option, const char *value) {
        switch (option) {
        case COMMON_SYSTEM:
                use_bus(context, FRAMEKEY_BUS_SYSTEM, NULL);
                break;
        case COMMON_USER:
                use_bus(context, FRAMEKEY_BUS_USER, NULL);
                break;
        case COMMON_ADDRESS:
                use_bus(context, FRAMEKEY_BUS_ADDRESS, value);
                break;
        case COMMON_HOST:
                use_bus(context, FRAMEKEY_BUS_HOST, value);
                break;
        case COMMON_MACHINE:
                use_bus(context, FRAMEKEY_BUS_MACHINE, value);
                break;
        case COMMON_JSON:
                return use_json(context, value);
        case COMMON_J:
                context->json = isatty(STDOUT_FILENO) ? JSON_PRETTY : JSON_SHORT;
                break;
        case COMMON_QUIET:
                context->quiet = true;
                break;
        case COMMON_NO_LEGEND:
                context->legend = false;
                break;
        case COMMON_NO_PAGER:
                context->no_pager = true;
                break;
        case COMMON_VERSION:
                (void)printf("framekeyctl %s\n", PACKAGE_VERSION);
                return -ECANCELED;
        default: /* COMMON_HELP is the caller's */
                break;
        }
        return CLI_OK;
}

const CliOption *cli_common_options(size_t *ret_n) {
        *ret_n = ELEMENTS(common_options);
        return common_options;
}

void cli_take_bus_option(Context *context, const CliOption *option, const char *value) {
        size_t i = (size_t)(option - common_options);

        if (option >= common_options && i <= COMMON_MACHINE)
                (void)take_common(context, i, value); /* these cannot be wrong */
}

/* ---- help ---- */

/* Of what stands before the explanation. */
#define LEFT_WIDTH 28

static void print_option(const CliOption *option) {
        char left[64];
        int n;

        if (option->letter && option->name)
                n = snprintf(left, sizeof(left), "-%c --%s", option->letter, option->name);
        else if (option->letter)
                n = snprintf(left, sizeof(left), "-%c", option->letter);
        else
                n = snprintf(left, sizeof(left), "   --%s", option->name);
        if (option->argument && n > 0 && (size_t)n < sizeof(left))
                (void)snprintf(left + n, sizeof(left) - (size_t)n, "%s%s", option->name ? "=" : " ", option->argument);
        if (strlen(left) > LEFT_WIDTH)
                (void)printf("  %s\n  %*s %s\n", left, LEFT_WIDTH, "", option->help);
        else
                (void)printf("  %-*s %s\n", LEFT_WIDTH, left, option->help);
}

void cli_print_common(void) {
        for (size_t i = 0; i < ELEMENTS(common_options); i++)
                print_option(&common_options[i]);
}

static void print_help(const CliUsage *usage) {
        (void)printf("framekeyctl [OPTION...] %s%s%s\n\n%s\n", usage->verb, *usage->arguments ? " " : "",
                     usage->arguments, usage->summary);
        if (usage->n_options > 0)
                (void)puts("\nOptions of this command:");
        for (size_t i = 0; i < usage->n_options; i++)
                print_option(&usage->options[i]);
        (void)puts("\nOptions of all commands:");
        cli_print_common();
        (void)puts("\nExit status: 0 done, 1 failed or refused, 2 wrong command line, 3 no bus or no daemon.");
}

/* ---- getopt ---- */

#define OPTIONS_MAX 48u

typedef struct Parser {
        const CliOption *own;
        size_t n_own;
        struct option options[OPTIONS_MAX + 1];
        char letters[2 * OPTIONS_MAX + 3];
} Parser;

static size_t parser_count(const Parser *parser) {
        return parser->n_own + ELEMENTS(common_options);
}

static const CliOption *parser_option(const Parser *parser, size_t i) {
        return i < parser->n_own ? &parser->own[i] : &common_options[i - parser->n_own];
}

/* `order`: "+:" stops at the first positional argument, ":" takes options everywhere. */
static void parser_init(Parser *parser, const CliOption *own, size_t n_own, const char *order) {
        size_t n_long = 0;
        char *letter;

        *parser = (Parser){ .own = own, .n_own = MIN_OF(n_own, OPTIONS_MAX - ELEMENTS(common_options)) };
        letter = stpcpy(parser->letters, order);
        for (size_t i = 0; i < parser_count(parser); i++) {
                const CliOption *option = parser_option(parser, i);

                if (option->letter) {
                        *letter++ = (char)option->letter;
                        if (option->argument)
                                *letter++ = ':';
                }
                if (option->name)
                        parser->options[n_long++] = (struct option){
                                .name = option->name,
                                .has_arg = option->argument ? required_argument : no_argument,
                                .val = LONG_BASE + (int)i,
                        };
        }
        opterr = 0;
        optind = 0; /* glibc: start over */
}

/* The option's position in the parser, or its count if unknown. */
static size_t parser_find(const Parser *parser, int c) {
        if (c >= LONG_BASE)
                return (size_t)(c - LONG_BASE);
        for (size_t i = 0; i < parser_count(parser); i++)
                if (parser_option(parser, i)->letter == c)
                        return i;
        return parser_count(parser);
}

static int parser_complain(int c, char **argv) {
        const char *given = argv[optind - 1];

        if (c == ':')
                return cli_usage_error("The option '%s' needs a value.", given);
        if (optopt > 0 && optopt < LONG_BASE)
                return cli_usage_error("There is no option '-%c' here: --help lists the options.", optopt);
        return cli_usage_error("The option '%s' is unknown here, or needs to be written in full, or without a value: "
                               "--help lists the options.",
                               given);
}

static int parser_run(Parser *parser, Context *context, const CliUsage *usage, int argc, char **argv, void *userdata) {
        size_t help = parser->n_own + COMMON_HELP, i;
        int c, r;

        while ((c = getopt_long(argc, argv, parser->letters, parser->options, NULL)) >= 0) {
                if (c == '?' || c == ':')
                        return parser_complain(c, argv);
                i = parser_find(parser, c);
                if (i == help) {
                        if (!usage)
                                return -EAGAIN;
                        print_help(usage);
                        return -ECANCELED;
                }
                r = i < parser->n_own ? usage->take(context, i, optarg, userdata)
                                      : take_common(context, i - parser->n_own, optarg);
                if (r != CLI_OK)
                        return r;
        }
        return CLI_OK;
}

int cli_parse_common(Context *context, int argc, char **argv, int *ret_first) {
        Parser parser;
        int r;

        parser_init(&parser, NULL, 0, "+:");
        r = parser_run(&parser, context, NULL, argc, argv, NULL);
        *ret_first = optind;
        return r;
}

int cli_parse(Context *context, const CliUsage *usage, int argc, char **argv, void *userdata, int *ret_first) {
        Parser parser;
        int r, n;

        if (context->completing) {
                complete_in_verb(context, usage, argc, argv);
                return -ECANCELED;
        }
        parser_init(&parser, usage->options, usage->n_options, ":");
        r = parser_run(&parser, context, usage, argc, argv, userdata);
        if (r != CLI_OK)
                return r;
        n = argc - optind;
        if (n < usage->n_min || n > usage->n_max)
                return cli_usage_error("Write 'framekeyctl %s%s%s': too %s arguments.", usage->verb,
                                       *usage->arguments ? " " : "", usage->arguments,
                                       n < usage->n_min ? "few" : "many");
        *ret_first = optind;
        return CLI_OK;
}
