/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * framekeyctl: the tool for framekeyd. Finds the verb and runs it; everything else is in the
 * verbs' files.
 */
#include "cli.h"

#include <locale.h>
#include <stdio.h>

typedef struct Verb {
        const char *name;
        const char *arguments;
        const char *help;
        int (*run)(int argc, char **argv, Context *context);
} Verb;

static const Verb verbs_table[] = {
        { "status", "", "Show the daemon's state and the sessions (the default)", verb_status },
        { "list", "", "List the sessions", verb_list },
        { "show", "SESSION", "Show a session with its participants and keys", verb_show },
        { "presets", "", "List the presets that --profile takes", verb_presets },
        { "monitor", "SESSION", "Tell what happens to a session's keys and streams", verb_monitor },
        { "stats", "[SESSION [PARTICIPANT]]", "Show counters", verb_stats },
        { "transport-key", "", "Show the key to which others wrap keys for this daemon", verb_transport_key },
        { "encrypt", "--profile=PRESET ...", "Encrypt frames: JSON lines in, JSON lines out", verb_encrypt },
        { "decrypt", "--profile=PRESET ...", "Decrypt frames: JSON lines in, JSON lines out", verb_decrypt },
        { "import", "SESSION [PARTICIPANT]", "Import a key from standard input", verb_import },
        { "activate", "SESSION [PARTICIPANT]", "Send under another key index", verb_activate },
        { "ratchet", "SESSION [PARTICIPANT]", "Move keys one step", verb_ratchet },
        { "rotate", "SESSION [PARTICIPANT]", "Replace keys by fresh ones", verb_rotate },
        { "retire", "SESSION [PARTICIPANT]", "Wipe a key", verb_retire },
        { "revoke", "SESSION PARTICIPANT", "Remove a participant and wipe its keys", verb_revoke },
        { "close", "SESSION", "End a session and wipe its keys", verb_close },
        { "lock", "", "Refuse every frame of every session", verb_lock },
        { "unlock", "", "Undo lock", verb_unlock },
        { "demo", "", "Show a call's media going through two daemons", verb_demo },
};

static int print_help(void) {
        (void)puts("framekeyctl [OPTION...] COMMAND ...\n\n"
                   "Shows and changes what framekeyd holds: the end-to-end-encryption keys of calls.\n\n"
                   "Commands:");
        for (size_t i = 0; i < ELEMENTS(verbs_table); i++) {
                char left[64];

                (void)snprintf(left, sizeof(left), "%s %s", verbs_table[i].name, verbs_table[i].arguments);
                (void)printf("  %-31s %s\n", left, verbs_table[i].help);
        }
        (void)puts("\nOptions of all commands ('framekeyctl COMMAND --help' tells the others):");
        cli_print_common();
        (void)puts("\nExit status: 0 done, 1 failed or refused, 2 wrong command line, 3 no bus or no daemon.\n"
                   "See framekeyctl(1).");
        return CLI_OK;
}

static const Verb *verb_find(const char *name) {
        for (size_t i = 0; i < ELEMENTS(verbs_table); i++)
                if (strcmp(verbs_table[i].name, name) == 0)
                        return &verbs_table[i];
        return NULL;
}

static bool wants_colors(void) {
        const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

        return isatty(STDOUT_FILENO) && !(no_color && *no_color) && term && strcmp(term, "dumb") != 0;
}

static int run(int argc, char **argv, Context *context) {
        static char status[] = "status";
        char *only_status[] = { status, NULL };
        const Verb *verb;
        int r, first;

        r = cli_parse_common(context, argc, argv, &first);
        if (r == -EAGAIN)
                return print_help();
        if (r != CLI_OK)
                return cli_parse_status(r);
        if (first == argc)
                return verb_status(1, only_status, context);
        verb = verb_find(argv[first]);
        if (!verb)
                return cli_usage_error("There is no command '%s': 'framekeyctl --help' lists the commands.",
                                       argv[first]);
        return verb->run(argc - first, argv + first, context);
}

int main(int argc, char **argv) {
        Context context = { .bus = FRAMEKEY_BUS_SYSTEM, .legend = true, .colors = wants_colors() };
        int status;

        /* Not the numbers: they are for scripts too. */
        (void)setlocale(LC_CTYPE, "");
        (void)setlocale(LC_TIME, "");
        status = run(argc, argv, &context);
        context_done(&context);
        if (fflush(stdout) == EOF && status == CLI_OK)
                status = cli_fail("Cannot write the output.");
        return status;
}
