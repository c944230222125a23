/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Spans of time are read as systemd reads them, and what is written reads the same. */
#include "control/timespan.h"
#include "runner.h"

#define SECOND USEC_PER_SEC
#define HOUR   (3600 * SECOND)
#define DAY    (24 * HOUR)

START_TEST(spans_are_read_in_every_unit) {
        static const struct {
                const char *text;
                uint64_t usec;
        } rows[] = {
                { "0", 0 },
                { "1", SECOND },
                { "5usec", 5 },
                { "5us", 5 },
                { "5\xc2\xb5s", 5 },
                { "5\xce\xbcs", 5 },
                { "500msec", 500000 },
                { "500ms", 500000 },
                { "2seconds", 2 * SECOND },
                { "1second", SECOND },
                { "2sec", 2 * SECOND },
                { "2s", 2 * SECOND },
                { "10minutes", 600 * SECOND },
                { "1minute", 60 * SECOND },
                { "10min", 600 * SECOND },
                { "10m", 600 * SECOND },
                { "2hours", 2 * HOUR },
                { "1hour", HOUR },
                { "1hr", HOUR },
                { "1h", HOUR },
                { "2days", 2 * DAY },
                { "1day", DAY },
                { "1d", DAY },
                { "2weeks", 14 * DAY },
                { "1week", 7 * DAY },
                { "1w", 7 * DAY },
                { "2months", UINT64_C(5259600000000) },
                { "1month", UINT64_C(2629800000000) },
                { "1M", UINT64_C(2629800000000) },
                { "2years", UINT64_C(63115200000000) },
                { "1year", UINT64_C(31557600000000) },
                { "1y", UINT64_C(31557600000000) },
                { "1h30min", HOUR + 1800 * SECOND },
                { " 1h \t30 min ", HOUR + 1800 * SECOND },
                { "1min 1min", 120 * SECOND },
                { "2 500ms", 2 * SECOND + 500000 },
                { "1.5", SECOND + 500000 },
                { "1.5h", HOUR + 1800 * SECOND },
                { "0.25 min", 15 * SECOND },
                { "1.0000019s", SECOND + 1 },
                { "1.9us", 1 },
                { "007s", 7 * SECOND },
                { "18446744073709551614us", UINT64_MAX - 1 },
                { "infinity", USEC_INFINITY },
                { " infinity ", USEC_INFINITY },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                uint64_t usec = 1;

                ck_assert_msg(timespan_parse(rows[i].text, &usec) == 0, "'%s' is refused", rows[i].text);
                ck_assert_msg(usec == rows[i].usec, "'%s' is %ju us", rows[i].text, (uintmax_t)usec);
        }
}
END_TEST

START_TEST(what_is_no_span_is_refused) {
        static const char *const rows[] = {
                "",           " ",    "s",    "min", "-1",     "+1",    "1x",     "1 Min",      "1S",
                "ten",        "1,5s", ".5s",  "1.",  "1.s",    "1..5s", "1.2.3s", "infinite",   "infinity1",
                "1 infinity", "0x10", "1e3s", "1s;", "1s # x", "1\n",   "1\xc2s", "1\xce\xb5s", "\xff",
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                uint64_t usec = 42;

                ck_assert_msg(timespan_parse(rows[i], &usec) == TIMESPAN_MALFORMED, "'%s' is not refused", rows[i]);
                ck_assert_uint_eq(usec, 42);
        }
}
END_TEST

START_TEST(spans_that_do_not_fit_are_refused) {
        static const char *const rows[] = {
                "18446744073709551615us", /* what stands for infinity is none */
                "18446744073709551616us",
                "99999999999999999999999999",
                "18446744073710s",
                "600000y",
                "18446744073709s 551615us",
                "18446744073709.551615s",
                "213503982d 9h",
                "18446744073709551614us 2us",
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                uint64_t usec = 42;

                ck_assert_msg(timespan_parse(rows[i], &usec) == TIMESPAN_TOO_LONG, "'%s' is not refused", rows[i]);
                ck_assert_uint_eq(usec, 42);
        }
}
END_TEST

START_TEST(spans_are_written_in_the_largest_unit_without_a_fraction) {
        static const struct {
                uint64_t usec;
                const char *text;
        } rows[] = {
                { 0, "0" },
                { 1, "1us" },
                { 999, "999us" },
                { 1000, "1ms" },
                { 500000, "500ms" },
                { SECOND, "1s" },
                { 90 * SECOND, "90s" },
                { 600 * SECOND, "10min" },
                { HOUR, "1h" },
                { 36 * HOUR, "36h" },
                { 366 * DAY, "366d" },
                { UINT64_MAX - 1, "18446744073709551614us" },
                { USEC_INFINITY, "infinity" },
        };
        char text[TIMESPAN_TEXT_MAX];

        for (size_t i = 0; i < ELEMENTS(rows); i++)
                ck_assert_str_eq(timespan_format(rows[i].usec, text), rows[i].text);
}
END_TEST

START_TEST(what_is_written_reads_the_same) {
        char text[TIMESPAN_TEXT_MAX];
        uint64_t usec, read;

        for (unsigned shift = 0; shift < 64; shift++)
                for (int near = -1; near <= 1; near++) {
                        usec = (UINT64_C(1) << shift) + (uint64_t)near;
                        ck_assert_int_eq(timespan_parse(timespan_format(usec, text), &read), 0);
                        ck_assert_uint_eq(read, usec);
                }
        for (usec = 1; usec < 1000 * DAY; usec *= 10) {
                ck_assert_int_eq(timespan_parse(timespan_format(usec, text), &read), 0);
                ck_assert_uint_eq(read, usec);
        }
}
END_TEST

RUN_TESTS("timespan", spans_are_read_in_every_unit, what_is_no_span_is_refused, spans_that_do_not_fit_are_refused,
          spans_are_written_in_the_largest_unit_without_a_fraction, what_is_written_reads_the_same)
