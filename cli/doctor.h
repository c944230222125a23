/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The findings of doctor: one line each, how bad it is, and what to do about it.
 *
 * doctor.c has the verb, doctor-checks.c looks at daemon and sessions, doctor-frame.c at a captured frame.
 */
#pragma once

#include "inspect.h"

typedef enum FindingLevel {
        FINDING_GOOD,
        FINDING_WARNING, /* worth knowing */
        FINDING_ERROR,   /* something does not work */
        FINDING_LEVELS,
} FindingLevel;

typedef struct Findings {
        Context *context;
        json_t *rows; /* {"level", "check", "text", "remedy" (not of good ones)} */
        unsigned n[FINDING_LEVELS];
} Findings;

/* Adds one; `remedy` NULL for good ones. Texts are whole sentences. */
void finding(Findings *findings, FindingLevel level, const char *check, const char *remedy, const char *format, ...)
        __attribute__((format(printf, 5, 6)));

/* Whether a daemon answers, with its properties: CLI_OK, or CLI_UNREACHABLE after a finding. */
int check_daemon(Findings *findings, json_t **ret_manager);
/* What surprises about it; and the sessions that the caller may see. CLI_OK, or an exit status after a message. */
void check_state(Findings *findings, const json_t *manager);
int check_sessions(Findings *findings);

/* What is known of a frame, and may be of the key it is to open with. */
typedef struct FrameQuestion {
        Inspected frame;
        const SecretBuffer *secret; /* NULL: none is given */
        const char *session;        /* NULL: none is named */
        OptionList options;         /* of sessions: key derivation */
        OptionList import;          /* of the key */
        const char *suite;
        const void *metadata;
        size_t metadata_length;
} FrameQuestion;

/* Adds what became of it; `result` gets "frame", and with a key "tried" and "opened". As above. */
int check_frame(Findings *findings, const FrameQuestion *question, const json_t *manager, json_t *result);
