/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Terms of a number and a unit, added up; see timespan.h. */
#include "control/timespan.h"

#include <inttypes.h>
#include <stdio.h>

#define DIGITS  "0123456789"
#define SPACE   " \t"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ\xc2\xb5\xce\xbc"

#define MINUTE (60 * USEC_PER_SEC)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

typedef struct Unit {
        const char *name;
        uint64_t usec;
} Unit;

/* systemd.time(7), PARSING TIME SPANS; a year there is 365.25 days, and a month its twelfth. */
static const Unit units[] = {
        { "", USEC_PER_SEC },
        { "usec", 1 },
        { "us", 1 },
        { "\xc2\xb5s", 1 }, /* the micro sign */
        { "\xce\xbcs", 1 }, /* the Greek letter */
        { "msec", USEC_PER_MSEC },
        { "ms", USEC_PER_MSEC },
        { "seconds", USEC_PER_SEC },
        { "second", USEC_PER_SEC },
        { "sec", USEC_PER_SEC },
        { "s", USEC_PER_SEC },
        { "minutes", MINUTE },
        { "minute", MINUTE },
        { "min", MINUTE },
        { "m", MINUTE },
        { "hours", HOUR },
        { "hour", HOUR },
        { "hr", HOUR },
        { "h", HOUR },
        { "days", DAY },
        { "day", DAY },
        { "d", DAY },
        { "weeks", 7 * DAY },
        { "week", 7 * DAY },
        { "w", 7 * DAY },
        { "months", 1461 * DAY / 48 },
        { "month", 1461 * DAY / 48 },
        { "M", 1461 * DAY / 48 },
        { "years", 1461 * DAY / 4 },
        { "year", 1461 * DAY / 4 },
        { "y", 1461 * DAY / 4 },
};

static const Unit *unit_read(const char **text) {
        size_t len = strspn(*text, LETTERS);

        for (size_t i = 0; i < ELEMENTS(units); i++)
                if (strlen(units[i].name) == len && memcmp(units[i].name, *text, len) == 0) {
                        *text += len;
                        return &units[i];
                }
        return NULL;
}

static int whole_read(const char **text, uint64_t *ret) {
        size_t len = strspn(*text, DIGITS);
        uint64_t value = 0;

        if (len == 0)
                return TIMESPAN_MALFORMED;
        for (const char *p = *text; p < *text + len; p++)
                if (__builtin_mul_overflow(value, UINT64_C(10), &value) ||
                    __builtin_add_overflow(value, (uint64_t)(*p - '0'), &value))
                        return TIMESPAN_TOO_LONG;
        *text += len;
        *ret = value;
        return 0;
}

/* Digits behind a point, and how many; none if there is no point. */
static int fraction_read(const char **text, const char **ret_digits, size_t *ret_len) {
        *ret_len = 0;
        if (**text != '.')
                return 0;
        *ret_digits = ++*text;
        *ret_len = strspn(*text, DIGITS);
        *text += *ret_len;
        return *ret_len > 0 ? 0 : TIMESPAN_MALFORMED;
}

/* "1.5 h": one number with its unit. What is less than a microsecond is cut off. */
static int term_read(const char **text, uint64_t *ret) {
        const char *digits = NULL;
        uint64_t usec, scale;
        const Unit *unit;
        size_t n_digits;
        int r;

        r = whole_read(text, &usec);
        if (r != 0)
                return r;
        r = fraction_read(text, &digits, &n_digits);
        if (r != 0)
                return r;
        *text += strspn(*text, SPACE);
        unit = unit_read(text);
        if (!unit)
                return TIMESPAN_MALFORMED;
        if (__builtin_mul_overflow(usec, unit->usec, &usec))
                return TIMESPAN_TOO_LONG;
        scale = unit->usec;
        for (size_t i = 0; i < n_digits; i++) {
                scale /= 10;
                if (__builtin_add_overflow(usec, scale * (uint64_t)(digits[i] - '0'), &usec))
                        return TIMESPAN_TOO_LONG;
        }
        *ret = usec;
        return 0;
}

int timespan_parse(const char *text, uint64_t *ret_usec) {
        uint64_t total = 0, term = 0;
        int r;

        text += strspn(text, SPACE);
        if (strncmp(text, "infinity", 8) == 0 && text[8 + strspn(text + 8, SPACE)] == '\0') {
                *ret_usec = USEC_INFINITY;
                return 0;
        }
        do {
                r = term_read(&text, &term);
                if (r != 0)
                        return r;
                if (__builtin_add_overflow(total, term, &total) || total == USEC_INFINITY)
                        return TIMESPAN_TOO_LONG;
                text += strspn(text, SPACE);
        } while (*text != '\0');
        *ret_usec = total;
        return 0;
}

const char *timespan_format(uint64_t usec, char text[TIMESPAN_TEXT_MAX]) {
        static const Unit shown[] = {
                { "d", DAY },          { "h", HOUR },           { "min", MINUTE },
                { "s", USEC_PER_SEC }, { "ms", USEC_PER_MSEC }, { "us", 1 },
        };
        size_t i = 0;

        while (usec % shown[i].usec != 0)
                i++;
        if (usec == 0 || usec == USEC_INFINITY)
                (void)snprintf(text, TIMESPAN_TEXT_MAX, "%s", usec == 0 ? "0" : "infinity");
        else
                (void)snprintf(text, TIMESPAN_TEXT_MAX, "%" PRIu64 "%s", usec / shown[i].usec, shown[i].name);
        return text;
}
