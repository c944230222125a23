/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What happened lately, for whoever has to find out why a run failed. Kept in two rings: frames, of which
 * there are many, and everything else, which has to be remembered for longer.
 */
#pragma once

#include "util/util.h"

#define REPORT_NOBODY 255u

typedef enum ReportKind {
        REPORT_SEALED = 1,
        REPORT_OPENED, /* or refused: `verdict` */
        REPORT_REPLAY,
        REPORT_BOGUS,
        REPORT_LAST_FRAME = REPORT_BOGUS,
        REPORT_HANDED, /* a key is there from now on */
        REPORT_SENT_KEY,
        REPORT_INSTALLED,
        REPORT_PLANNED,
        REPORT_STEPPED,
        REPORT_FOLLOWED,
        REPORT_WIPED,
        REPORT_ASKED, /* for a rotation */
        REPORT_STALLED,
        REPORT_RESUMED,
        REPORT_JOINED,
        REPORT_LEFT,
        REPORT_RESTARTED,
        REPORT_SLEEPS,
        REPORT_WAKES,
        REPORT_KINDS,
} ReportKind;

typedef struct ReportRecord {
        uint64_t at_usec; /* filled in */
        ReportKind kind;
        uint8_t from; /* whose key or frame it is; REPORT_NOBODY: it concerns all */
        uint8_t to;   /* the receiver */
        uint8_t index;
        int16_t verdict;
        uint32_t key;
        uint32_t step;
} ReportRecord;

/* A run begins; `command` repeats it. */
void report_start(const char *command);
void report_note(const ReportRecord *record);
/* A hash over all that was noted: two runs of one seed have the same. */
uint64_t report_digest(void);
/* Time since the run's begin, in words. Static buffer. */
const char *report_time(uint64_t usec);
/* Says what is not so, how to repeat it and what happened between the two, and ends the program. */
_Noreturn void report_fail(unsigned from, unsigned to, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* What the key layer or the simulation must not do. A macro, for the line. */
#define MUST(condition)                                                                                                \
        do {                                                                                                           \
                if (!(condition))                                                                                      \
                        report_fail(REPORT_NOBODY, REPORT_NOBODY, "%s:%d: not so: %s", __FILE__, __LINE__,             \
                                    #condition);                                                                       \
        } while (0)
