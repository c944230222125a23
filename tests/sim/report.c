/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The history of a run, and its last words. */
#include "tests/sim/report.h"

#include "tests/sim/world.h"

#include <framekey.h>
#include <stdarg.h>
#include <stdio.h>

#define FRAMES (1u << 18)
#define OTHERS (1u << 16)
#define SHOWN  60u

static const char *const names[REPORT_KINDS] = {
        [REPORT_SEALED] = "sealed",       [REPORT_OPENED] = "opened",   [REPORT_REPLAY] = "replayed",
        [REPORT_BOGUS] = "bogus",         [REPORT_HANDED] = "handed",   [REPORT_SENT_KEY] = "key-sent",
        [REPORT_INSTALLED] = "installed", [REPORT_PLANNED] = "planned", [REPORT_STEPPED] = "stepped",
        [REPORT_FOLLOWED] = "followed",   [REPORT_WIPED] = "wiped",     [REPORT_ASKED] = "asked",
        [REPORT_STALLED] = "stalled",     [REPORT_RESUMED] = "resumed", [REPORT_JOINED] = "joined",
        [REPORT_LEFT] = "left",           [REPORT_SLEEPS] = "sleeps",   [REPORT_RESTARTED] = "restarted",
        [REPORT_WAKES] = "wakes",
};

typedef struct Ring {
        ReportRecord *records;
        uint64_t n;
        size_t size;
} Ring;

static ReportRecord frames[FRAMES], others[OTHERS];
static Ring rings[2] = { { .records = frames, .size = FRAMES }, { .records = others, .size = OTHERS } };
static const char *how;
static uint64_t began_usec;
static uint64_t digest;

void report_start(const char *command) {
        how = command;
        began_usec = world_now();
        rings[0].n = rings[1].n = 0;
        digest = 0;
}

void report_note(const ReportRecord *record) {
        Ring *ring = &rings[record->kind > REPORT_LAST_FRAME];
        ReportRecord *slot = &ring->records[ring->n++ % ring->size];

        *slot = *record;
        slot->at_usec = world_now();
        digest ^= slot->at_usec + ((uint64_t)slot->key << 32 | (uint64_t)slot->step << 8 | (uint64_t)slot->kind);
        digest ^= (uint64_t)slot->from << 56 | (uint64_t)slot->to << 48 | (uint64_t)(uint16_t)slot->verdict << 32;
        digest *= UINT64_C(0x9e3779b97f4a7c15);
        digest ^= digest >> 29;
}

uint64_t report_digest(void) {
        return digest;
}

const char *report_time(uint64_t usec) {
        static char text[32];
        uint64_t msec = (usec - began_usec) / USEC_PER_MSEC;

        (void)snprintf(text, sizeof(text), "%02u:%02u:%02u.%03u", (unsigned)(msec / 3600000),
                       (unsigned)(msec / 60000 % 60), (unsigned)(msec / 1000 % 60), (unsigned)(msec % 1000));
        return text;
}

static bool is_one_of(unsigned host, unsigned from, unsigned to) {
        return host == from || host == to || host == REPORT_NOBODY;
}

static bool concerns(const ReportRecord *record, unsigned from, unsigned to) {
        if (from == REPORT_NOBODY)
                return true;
        if (record->kind > REPORT_LAST_FRAME)
                return is_one_of(record->from, from, to) && is_one_of(record->to, from, to);
        /* What was sealed shows in what was opened, unless it is about the sender alone. */
        return record->from == from && (record->to == to || (record->kind == REPORT_SEALED && from == to));
}

static void show(const Ring *ring, unsigned from, unsigned to) {
        uint64_t oldest = ring->n > ring->size ? ring->n - ring->size : 0, first = ring->n;

        for (unsigned n = 0; first > oldest && n < SHOWN; first--)
                n += concerns(&ring->records[(first - 1) % ring->size], from, to);
        for (uint64_t i = first; i < ring->n; i++) {
                const ReportRecord *r = &ring->records[i % ring->size];

                if (concerns(r, from, to))
                        (void)fprintf(stderr, "  %s %-9s %3d -> %3d  key %u index %u step %u  %s\n",
                                      report_time(r->at_usec), names[r->kind], r->from == REPORT_NOBODY ? -1 : r->from,
                                      r->to == REPORT_NOBODY ? -1 : r->to, r->key, r->index, r->step,
                                      r->kind <= REPORT_LAST_FRAME ? framekey_verdict_name(r->verdict) : "");
        }
}

void report_fail(unsigned from, unsigned to, const char *format, ...) {
        va_list arguments;

        (void)fprintf(stderr, "NOT OK at %s, from host %u to host %u: ", report_time(world_now()), from, to);
        va_start(arguments, format);
        (void)vfprintf(stderr, format, arguments);
        va_end(arguments);
        (void)fprintf(stderr, "\nAgain: %s\nKeys, oldest first:\n", how);
        show(&rings[1], from, to);
        (void)fprintf(stderr, "Frames:\n");
        show(&rings[0], from, to);
        exit(EXIT_FAILURE);
}
