/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The tables at the end, or one JSON object with --json. */
#pragma once

#include "cli/demo/call.h"

typedef struct Report {
        Call *call;
        const char *profile;
        const char *output;  /* directory with the results */
        const char *picture; /* NULL: none was drawn */
        bool server_decoded; /* its decoder made something of the encrypted stream */
} Report;

/* Everything was as it should be. CLI_OK, or CLI_FAILED after a message. */
int report_print(const Context *context, const Report *report);
