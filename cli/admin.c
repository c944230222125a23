/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Verbs that stop something, as an administrator or as the owner: revoke, close, lock, unlock.
 * They go through the Manager, so they need no session of their own.
 */
#include "cli.h"

static const CliOption reason_option[] = {
        { "reason", 0, "TEXT", "Why; for the daemon's log" },
};

static int take_reason(Context *context, size_t option, const char *value, void *userdata) {
        *(const char **)userdata = value;
        return CLI_OK;
}

static int parse(Context *context, CliUsage usage, int argc, char **argv, const char **ret_reason, int *ret_first) {
        usage.options = reason_option;
        usage.n_options = ELEMENTS(reason_option);
        usage.take = take_reason;
        return cli_parse(context, &usage, argc, argv, ret_reason, ret_first);
}

int verb_revoke(int argc, char **argv, Context *context) {
        CliUsage usage = {
                .verb = "revoke",
                .arguments = "SESSION PARTICIPANT",
                .summary = "Removes a participant at once: its keys are wiped, its frames are refused.",
                .n_min = 2,
                .n_max = 2,
        };
        _cleanup_free_ char *id = NULL;
        const char *reason = "";
        int r, first;

        r = parse(context, usage, argc, argv, &reason, &first);
        if (r != CLI_OK)
                return cli_parse_status(r);
        r = session_resolve(context, argv[first], &id);
        if (r != CLI_OK)
                return r;
        r = context_call(context, MANAGER_PATH, MANAGER_INTERFACE, "RevokeParticipant", NULL, "sss", id,
                         argv[first + 1], reason);
        if (r != CLI_OK)
                return r;
        return output_done(context, json_pack("{s:s}", "revoked", argv[first + 1]), "Removed '%s'; its keys are wiped.",
                           argv[first + 1]);
}

int verb_close(int argc, char **argv, Context *context) {
        CliUsage usage = {
                .verb = "close",
                .arguments = "SESSION",
                .summary = "Ends a session: its keys are wiped, its channels are closed.",
                .n_min = 1,
                .n_max = 1,
        };
        _cleanup_free_ char *id = NULL;
        const char *reason = "";
        int r, first;

        r = parse(context, usage, argc, argv, &reason, &first);
        if (r != CLI_OK)
                return cli_parse_status(r);
        r = session_resolve(context, argv[first], &id);
        if (r != CLI_OK)
                return r;
        r = context_call(context, MANAGER_PATH, MANAGER_INTERFACE, "CloseSession", NULL, "ss", id, reason);
        if (r != CLI_OK)
                return r;
        return output_done(context, json_pack("{s:s}", "closed", id), "Closed session %s; its keys are wiped.", id);
}

static int set_locked(Context *context, CliUsage usage, int argc, char **argv, bool locked) {
        const char *reason = "";
        int r, first;

        r = parse(context, usage, argc, argv, &reason, &first);
        if (r != CLI_OK)
                return cli_parse_status(r);
        r = context_call(context, MANAGER_PATH, MANAGER_INTERFACE, "Lock", NULL, "bs", (int)locked, reason);
        if (r != CLI_OK)
                return r;
        return output_done(context, json_pack("{s:b}", "locked", (int)locked), "%s",
                           locked ? "Locked: every frame is refused until 'framekeyctl unlock'."
                                  : "Unlocked: frames are served again.");
}

int verb_lock(int argc, char **argv, Context *context) {
        CliUsage usage = {
                .verb = "lock",
                .arguments = "",
                .summary = "Refuses every frame of every session until unlock. Keys stay; nothing is sent in clear.",
        };

        return set_locked(context, usage, argc, argv, true);
}

int verb_unlock(int argc, char **argv, Context *context) {
        CliUsage usage = { .verb = "unlock", .arguments = "", .summary = "Serves frames again after lock." };

        return set_locked(context, usage, argc, argv, false);
}
