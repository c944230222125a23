/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Spans of time as people write them, in the syntax of systemd.time(7): "10min", "1h 30min",
 * "1.5s", "500ms", "infinity"; a number alone is in seconds. Pure.
 */
#pragma once

#include "util/util.h"

typedef enum TimespanOutcome {
        TIMESPAN_MALFORMED = 1,
        TIMESPAN_TOO_LONG, /* it does not fit into 64 bits */
} TimespanOutcome;

/* Longest text that timespan_format() gives, with its end. */
#define TIMESPAN_TEXT_MAX 32u

/* Microseconds, USEC_INFINITY for "infinity". 0; TimespanOutcome. */
int timespan_parse(const char *text, uint64_t *ret_usec);
/* In the largest unit that needs no fraction: "500ms", "90s", "1d". Returns `text`. */
const char *timespan_format(uint64_t usec, char text[TIMESPAN_TEXT_MAX]);
