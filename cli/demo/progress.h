/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the demo says while it works: one live line on a terminal, plain lines elsewhere, nothing
 * with -q or --json. One thread.
 */
#pragma once

#include "cli/cli.h"

typedef struct Progress {
        bool silent;
        bool live; /* standard output is a terminal */
        bool colors;
        bool open;         /* a live line stands on the terminal */
        const char *label; /* of the step in hand; NULL: none */
        uint64_t begun_usec;
        uint64_t shown_usec; /* when the live line was last drawn */
        unsigned quarters;   /* plain: how many quarters are told */
} Progress;

void progress_init(Progress *ret, const Context *context);
/* Begins a step: "Encoding". The label is kept, not copied. */
void progress_begin(Progress *progress, const char *label);
/* How far it is, 0 to 1; `detail` may be NULL. */
void progress_update(Progress *progress, double fraction, const char *detail);
/* Something that happened meanwhile, on a line of its own. */
void progress_note(Progress *progress, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Ends the step with what came of it. */
void progress_end(Progress *progress, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A failure, on standard error, as cli_fail() says it. */
int progress_fail(Progress *progress, const char *format, ...) __attribute__((format(printf, 2, 3)));
