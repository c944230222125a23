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

/* In groups, as --help shows them; a row without a name begins one. */
static const Verb verbs_table[] = {
        { NULL, NULL, "Look", NULL },
        { "status", "", "Show the daemon's state and the sessions (the default)", verb_status },
        { "list", "", "List the sessions", verb_list },
        { "show", "SESSION", "Show a session with its participants and keys", verb_show },
        { "monitor", "SESSION", "Tell what happens to a session's keys and streams", verb_monitor },
        { "top", "", "Watch what happens in the sessions, live", verb_top },
        { "log", "", "Show who did what when, from the journal", verb_log },
        { "stats", "[SESSION [PARTICIPANT]]", "Show counters", verb_stats },
        { "doctor", "[FRAME]", "Say what is wrong, and what to do", verb_doctor },
        { "code", "SESSION", "Show the security code that people compare", verb_code },
        { "presets", "", "List the presets that --profile takes", verb_presets },
        { "transport-key", "", "Show the key to which others wrap keys for this daemon", verb_transport_key },
        { NULL, NULL, "Change keys", NULL },
        { "import", "SESSION [PARTICIPANT]", "Import a key from standard input", verb_import },
        { "activate", "SESSION [PARTICIPANT]", "Send under another key index", verb_activate },
        { "ratchet", "SESSION [PARTICIPANT]", "Move keys one step", verb_ratchet },
        { "rotate", "SESSION [PARTICIPANT]", "Replace keys by fresh ones", verb_rotate },
        { "retire", "SESSION [PARTICIPANT]", "Wipe a key", verb_retire },
        { NULL, NULL, "Stop something", NULL },
        { "revoke", "SESSION PARTICIPANT", "Remove a participant and wipe its keys", verb_revoke },
        { "close", "SESSION", "End a session and wipe its keys", verb_close },
        { "lock", "", "Refuse every frame of every session", verb_lock },
        { "unlock", "", "Undo lock", verb_unlock },
        { NULL, NULL, "Frames by hand, and trying it out", NULL },
        { "encrypt", "--profile=PRESET ...", "Encrypt frames: JSON lines in, JSON lines out", verb_encrypt },
        { "decrypt", "--profile=PRESET ...", "Decrypt frames: JSON lines in, JSON lines out", verb_decrypt },
        { "inspect", "[FRAME]", "Take a captured frame apart, without a key", verb_inspect },
        { "selftest", "", "Check that known frames come out as they must", verb_selftest },
        { "bench", "", "Measure how long frames take here", verb_bench },
        { "demo", "", "Show a call's media going through two daemons", verb_demo },
};

static int print_help(void) {
        (void)puts("framekeyctl [OPTION...] COMMAND ...\n\n"
                   "Shows and changes what framekeyd holds: the end-to-end-encryption keys of calls.");
        for (size_t i = 0; i < ELEMENTS(verbs_table); i++) {
                char left[64];

                if (!verbs_table[i].name) {
                        (void)printf("\n%s:\n", verbs_table[i].help);
                        continue;
                }
                (void)snprintf(left, sizeof(left), "%s %s", verbs_table[i].name, verbs_table[i].arguments);
                (void)printf("  %-31s %s\n", left, verbs_table[i].help);
        }
        (void)puts("\nOptions of all commands ('framekeyctl COMMAND --help' tells the others):");
        cli_print_common();
        (void)puts("\nSESSION is an id, or the label if one session has it.\n"
                   "Exit status: 0 done, 1 failed or refused, 2 wrong command line, 3 no bus or no daemon.\n"
                   "See framekeyctl(1).");
        return CLI_OK;
}

static const Verb *verb_find(const char *name) {
        for (size_t i = 0; i < ELEMENTS(verbs_table); i++)
                if (verbs_table[i].name && strcmp(verbs_table[i].name, name) == 0)
                        return &verbs_table[i];
        return NULL;
}

/* The answer to a shell that completes a command line; argv[0] stands for our own name. */
static int complete(int argc, char **argv, Context *context) {
        const Verb *verb;
        int first;

        if (argc < 2)
                return CLI_USAGE;
        first = complete_before_verb(context, argc, argv);
        if (first == -ENOENT) {
                (void)puts(":words");
                for (size_t i = 0; i < ELEMENTS(verbs_table); i++)
                        if (verbs_table[i].name)
                                complete_offer_verb(verbs_table[i].name, verbs_table[i].help);
        }
        verb = first > 0 ? verb_find(argv[first]) : NULL;
        return verb ? verb->run(argc - first, argv + first, context) : CLI_OK;
}

static int run(int argc, char **argv, Context *context) {
        static char status[] = "status";
        char *only_status[] = { status, NULL };
        const Verb *verb;
        int r, first;

        if (argc > 1 && strcmp(argv[1], COMPLETION_VERB) == 0)
                return complete(argc - 1, argv + 1, context);
        r = cli_parse_common(context, argc, argv, &first);
        if (r == -EAGAIN)
                return print_help();
        if (r != CLI_OK)
                return cli_parse_status(r);
        if (first == argc)
                return verb_status(1, only_status, context);
        if (strcmp(argv[first], "help") == 0)
                return print_help();
        verb = verb_find(argv[first]);
        if (!verb)
                return cli_usage_error("There is no command '%s': 'framekeyctl --help' lists the commands.",
                                       argv[first]);
        return verb->run(argc - first, argv + first, context);
}

int main(int argc, char **argv) {
        Context context = { .bus = FRAMEKEY_BUS_SYSTEM, .legend = true, .colors = terminal_wants_colors() };
        int status;

        /* Not the numbers: they are for scripts too. */
        (void)setlocale(LC_CTYPE, "");
        (void)setlocale(LC_TIME, "");
        status = run(argc, argv, &context);
        context_done(&context);
        if (fflush(stdout) == EOF && status == CLI_OK)
                status = cli_fail("Cannot write the output.");
        context_pager_wait(&context);
        return status;
}
