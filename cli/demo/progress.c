/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The live line and its plain form; see progress.h. */
#include "cli/demo/progress.h"

#include "cli/demo/stopwatch.h"

#include <stdarg.h>
#include <stdio.h>

#define BAR_WIDTH 28u
/* Terminals over slow lines should not be the slowest part of the demo. */
#define REDRAW_USEC (50 * USEC_PER_MSEC)
#define LABEL_WIDTH 11

static void say(const char *format, va_list arguments) __attribute__((format(printf, 1, 0)));
static void say(const char *format, va_list arguments) {
        (void)vprintf(format, arguments);
        (void)putchar('\n');
        (void)fflush(stdout);
}

static void wipe_line(Progress *progress) {
        if (progress->open)
                (void)fputs("\r\033[K", stdout);
        progress->open = false;
}

static void print_label(const Progress *progress, const char *label) {
        (void)printf("%s%-*s%s ", progress->colors ? "\033[1m" : "", LABEL_WIDTH, label,
                     progress->colors ? "\033[0m" : "");
}

void progress_init(Progress *ret, const Context *context) {
        *ret = (Progress){
                .silent = context->quiet || context->json != JSON_OFF,
                .live = isatty(STDOUT_FILENO),
                .colors = context->colors,
        };
}

void progress_begin(Progress *progress, const char *label) {
        progress->label = label;
        progress->begun_usec = monotonic_usec();
        progress->shown_usec = 0;
        progress->quarters = 0;
        if (progress->live)
                progress_update(progress, 0, NULL);
}

static void draw(Progress *progress, double fraction, const char *detail) {
        unsigned full = (unsigned)(fraction * BAR_WIDTH);

        wipe_line(progress);
        print_label(progress, progress->label);
        (void)putchar('[');
        for (unsigned i = 0; i < BAR_WIDTH; i++)
                (void)putchar(i < full ? '#' : '.');
        (void)printf("] %3u %%  %s", (unsigned)(fraction * 100), detail ?: "");
        (void)fflush(stdout);
        progress->open = true;
}

void progress_update(Progress *progress, double fraction, const char *detail) {
        uint64_t now = monotonic_usec();
        unsigned quarters;

        if (progress->silent)
                return;
        fraction = MIN_OF(MAX_OF(fraction, 0.0), 1.0);
        if (progress->live) {
                if (progress->shown_usec != 0 && now - progress->shown_usec < REDRAW_USEC)
                        return;
                progress->shown_usec = now;
                draw(progress, fraction, detail);
                return;
        }
        quarters = (unsigned)(fraction * 4);
        if (quarters <= progress->quarters || quarters >= 4)
                return;
        progress->quarters = quarters;
        print_label(progress, progress->label);
        (void)printf("%u %%%s%s\n", quarters * 25, detail ? "  " : "", detail ?: "");
        (void)fflush(stdout);
}

void progress_note(Progress *progress, const char *format, ...) {
        va_list arguments;

        if (progress->silent)
                return;
        wipe_line(progress);
        print_label(progress, "");
        va_start(arguments, format);
        say(format, arguments);
        va_end(arguments);
        progress->shown_usec = 0;
}

void progress_end(Progress *progress, const char *format, ...) {
        va_list arguments;

        if (!progress->silent) {
                wipe_line(progress);
                print_label(progress, progress->label);
                va_start(arguments, format);
                (void)vprintf(format, arguments);
                va_end(arguments);
                (void)printf(" (%.1f s)\n", (double)(monotonic_usec() - progress->begun_usec) / USEC_PER_SEC);
                (void)fflush(stdout);
        }
        progress->label = NULL;
}

int progress_fail(Progress *progress, const char *format, ...) {
        _cleanup_free_ char *text = NULL;
        va_list arguments;
        int n;

        wipe_line(progress);
        (void)fflush(stdout);
        progress->label = NULL;
        va_start(arguments, format);
        n = vasprintf(&text, format, arguments);
        va_end(arguments);
        if (n < 0) {
                text = NULL; /* undefined after a failure */
                return cli_fail("Out of memory.");
        }
        return cli_fail("%s", text);
}
