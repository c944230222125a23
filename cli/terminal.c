/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What standard output is shown on: colours, and a pager for what is longer than a terminal.
 *
 * The environment variables are those of systemd's own tools and mean the same. A pager can run
 * commands: whoever runs this program with more rights than his login has, such as by sudo, gets
 * less(1) in its secure mode and nothing else, unless SYSTEMD_PAGERSECURE says that he may.
 */
#include "cli.h"

#include <fcntl.h>
#include <langinfo.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <systemd/sd-login.h>

#define PAGER_WORDS_MAX 16u

/* 1, 0, or -EINVAL for a word that is neither. */
static int parse_yes(const char *text) {
        static const char *const words[2][6] = {
                { "0", "no", "n", "false", "f", "off" },
                { "1", "yes", "y", "true", "t", "on" },
        };

        for (int value = 0; value < 2; value++)
                for (size_t i = 0; i < ELEMENTS(words[value]); i++)
                        if (strcasecmp(text, words[value][i]) == 0)
                                return value;
        return -EINVAL;
}

/* ---- colours ---- */

bool terminal_is_able(void) {
        const char *term = getenv("TERM");

        return isatty(STDOUT_FILENO) && term && strcmp(term, "dumb") != 0;
}

bool terminal_wants_colors(void) {
        const char *colors = getenv("SYSTEMD_COLORS"), *no_color = getenv("NO_COLOR");
        int wanted;

        if (colors) {
                wanted = parse_yes(colors);
                if (wanted >= 0)
                        return wanted > 0;
                /* How many there are does not matter: ours are the first eight. */
                if (strcmp(colors, "16") == 0 || strcmp(colors, "256") == 0)
                        return true;
        }
        return terminal_is_able() && !(no_color && *no_color);
}

bool terminal_wants_symbols(void) {
        return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

/* ---- pager ---- */

/* Whether the rights of this process are more than those of whoever logged in. */
static bool is_elevated(void) {
        uid_t uid;

        if (sd_pid_get_owner_uid(0, &uid) >= 0)
                return uid != geteuid();
        return geteuid() == 0 && (getenv("SUDO_UID") || getenv("PKEXEC_UID"));
}

/* What the pager is to be, and how far it is trusted. */
typedef struct Pager {
        const char *command; /* NULL: the first of the usual ones that is there */
        bool secure;
} Pager;

static bool pager_choose(Pager *ret) {
        const char *command = getenv("SYSTEMD_PAGER"), *secure = getenv("SYSTEMD_PAGERSECURE");
        int decided = secure ? parse_yes(secure) : -EINVAL;

        if (!command)
                command = getenv("PAGER");
        if (command && (*command == '\0' || strcmp(command, "cat") == 0))
                return false;
        ret->secure = decided >= 0 ? decided > 0 : is_elevated();
        /* Only who decided it himself may name another program then. */
        ret->command = decided < 0 && ret->secure ? NULL : command;
        return true;
}

static void exec_words(const char *command) {
        char *words[PAGER_WORDS_MAX + 1], *copy = strdup(command), *rest = copy;
        size_t n = 0;

        while (rest && n < PAGER_WORDS_MAX) {
                char *word = strsep(&rest, " \t");

                if (*word)
                        words[n++] = word;
        }
        words[n] = NULL;
        if (n > 0)
                (void)execvp(words[0], words);
        free(copy);
}

/* In the child. Does not return. */
static void pager_run(const Pager *pager, int in) {
        const char *less = getenv("SYSTEMD_LESS");

        (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (dup2(in, STDIN_FILENO) < 0)
                _exit(1);
        /* F: no page, no pager; R: colours; S: lines are cut and scrolled; X: stays on the screen; M: where we are;
         * K: Ctrl-C ends it. */
        (void)setenv("LESS", less ?: "FRSXMK", 1);
        if (terminal_wants_symbols())
                (void)setenv("LESSCHARSET", "utf-8", 1);
        if (pager->secure)
                (void)setenv("LESSSECURE", "1", 1);
        if (pager->command)
                exec_words(pager->command);
        (void)execlp("less", "less", NULL);
        if (!pager->secure || pager->command)
                (void)execlp("more", "more", NULL);
        (void)execlp("cat", "cat", NULL);
        _exit(1);
}

int context_pager(Context *context) {
        int ends[2], r;
        Pager pager;

        if (context->no_pager || context->pager > 0 || !terminal_is_able() || !pager_choose(&pager))
                return CLI_OK;
        if (pipe2(ends, O_CLOEXEC) < 0)
                return cli_fail("Cannot start a pager: %s.", strerror(errno));
        context->pager = fork();
        if (context->pager == 0)
                pager_run(&pager, ends[0]);
        r = context->pager < 0 || dup2(ends[1], STDOUT_FILENO) < 0 ? -errno : 0;
        (void)close(ends[0]);
        (void)close(ends[1]);
        return r < 0 ? cli_fail("Cannot start a pager: %s. --no-pager does without.", strerror(-r)) : CLI_OK;
}

void context_pager_wait(Context *context) {
        struct sigaction ignore = { .sa_handler = SIG_IGN };

        if (context->pager <= 0)
                return;
        /* Ctrl-C is the pager's from here on: whoever dies first must not leave the terminal to the other. */
        (void)sigaction(SIGINT, &ignore, NULL);
        (void)fflush(stdout); /* a pager that was left early needs no more */
        (void)close(STDOUT_FILENO);
        while (waitpid(context->pager, NULL, 0) < 0 && errno == EINTR)
                ;
        context->pager = 0;
}
