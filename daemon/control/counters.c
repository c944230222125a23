/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Directories of the counters; see counters.h. */
#include "control/counters.h"

#include "framekey-messages.h"

#include <stdio.h>
#include <sys/stat.h>

typedef struct Place {
        const char *given;
        const char *variable;      /* systemd's */
        const char *user_variable; /* XDG's */
        const char *user_fallback; /* below $HOME; NULL: none */
} Place;

static bool is_path(const char *path) {
        return path && path[0] == '/';
}

static int below(char **ret, const char *base, const char *path) {
        if (asprintf(ret, "%s/%sframekeyd", base, path) < 0) {
                *ret = NULL;
                return -ENOMEM;
        }
        return 0;
}

/* 0 and the path, or NULL where there is none; -ENOMEM. */
static int find(const Place *place, bool user, char **ret) {
        const char *systemd = getenv(place->variable), *base = getenv(place->user_variable), *home = getenv("HOME");

        *ret = NULL;
        if (place->given || is_path(systemd)) {
                /* systemd lists several with colons. */
                *ret = place->given ? strdup(place->given) : strndup(systemd, strcspn(systemd, ":"));
                return *ret ? 0 : -ENOMEM;
        }
        if (user && is_path(base))
                return below(ret, base, "");
        if (user && place->user_fallback && is_path(home))
                return below(ret, home, place->user_fallback);
        return 0;
}

/* With its parents, as XDG asks for. What fails is told by whoever opens it. */
static void make(char *path) {
        for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
                *slash = '\0';
                (void)mkdir(path, 0700);
                *slash = '/';
        }
        (void)mkdir(path, 0700);
}

static void complain(const Log *log, int r, const char *runtime, const char *state) {
        if (r == -EWOULDBLOCK)
                log_message(
                        log, LOG_WARNING, FRAMEKEY_MESSAGE_COUNTERS_NOT_KEPT,
                        "Another framekeyd keeps its counters in %s or %s; this one keeps none, so under SFrame and "
                        "DAVE only keys made here can be sent under. Give it directories of its own with "
                        "--runtime-directory= and --state-directory=.",
                        runtime, state);
        else if (r == -EBADMSG)
                log_message(
                        log, LOG_WARNING, FRAMEKEY_MESSAGE_COUNTERS_NOT_KEPT,
                        "The counters in %s or %s were not written by this framekeyd, and none are kept: under SFrame "
                        "and DAVE only keys made here can be sent under. Move the files away; keys that were sent "
                        "under before must not be used again then.",
                        runtime, state);
        else
                log_message(
                        log, LOG_WARNING, FRAMEKEY_MESSAGE_COUNTERS_NOT_KEPT,
                        "Cannot keep counters in %s and %s: %s. Under SFrame and DAVE only keys made here can be sent "
                        "under.",
                        runtime, state, strerror(-r));
}

int counters_open(Ledger **ret, const char *runtime_directory, const char *state_directory, bool user, const Log *log) {
        const Place places[] = { { runtime_directory, "RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR", NULL },
                                 { state_directory, "STATE_DIRECTORY", "XDG_STATE_HOME", ".local/state/" } };
        _cleanup_free_ char *runtime = NULL, *state = NULL;
        int r;

        r = find(&places[0], user, &runtime);
        if (r == 0)
                r = find(&places[1], user, &state);
        if (r < 0)
                return r;
        if (runtime && state) {
                make(runtime);
                make(state);
                r = ledger_open(ret, runtime, state);
                if (r == 0 || r == -ENOMEM)
                        return r;
                complain(log, r, runtime, state);
        } else
                log_message(
                        log, LOG_NOTICE, FRAMEKEY_MESSAGE_COUNTERS_NOT_KEPT,
                        "Counters are not kept over a restart: under SFrame and DAVE only keys made here can be sent "
                        "under. Give directories with --runtime-directory= and --state-directory= to change that.");
        return ledger_open(ret, NULL, NULL);
}
