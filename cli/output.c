/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Output: JSON values as they are, or as tables by libsmartcols, which measures wide characters
 * and makes control characters harmless (names of participants come from strangers).
 */
#include "cli.h"

#include <libsmartcols/libsmartcols.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

static inline void table_unref_p(struct libscols_table **p) {
        scols_unref_table(*p);
        *p = NULL;
}
#define _cleanup_table_ _cleanup_(table_unref_p)

static int out_of_memory(void) {
        return cli_fail("Out of memory.");
}

/* ---- texts ---- */

static char *text_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
static char *text_format(const char *format, ...) {
        va_list arguments;
        char *text;

        va_start(arguments, format);
        if (vasprintf(&text, format, arguments) < 0)
                text = NULL;
        va_end(arguments);
        return text;
}

static char *text_plain(const json_t *value) {
        switch (json_typeof(value)) {
        case JSON_STRING:
                return strdup(*json_string_value(value) ? json_string_value(value) : "-");
        case JSON_INTEGER:
                return text_format("%" JSON_INTEGER_FORMAT, json_integer_value(value));
        case JSON_REAL:
                return text_format("%g", json_real_value(value));
        case JSON_TRUE:
                return strdup("yes");
        case JSON_FALSE:
                return strdup("no");
        case JSON_NULL:
                return strdup("-");
        case JSON_ARRAY:
                return text_list(value);
        default:
                return json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
        }
}

char *text_usec(const json_t *value) {
        static const struct {
                json_int_t usec;
                const char *name;
        } units[] = {
                { 3600 * (json_int_t)USEC_PER_SEC, "h" },
                { 60 * (json_int_t)USEC_PER_SEC, "min" },
                { USEC_PER_SEC, "s" },
        };
        json_int_t usec = json_integer_value(value);

        if (json_is_null(value))
                return strdup("infinity");
        for (size_t i = 0; i < ELEMENTS(units); i++)
                if (usec % units[i].usec == 0 && (usec > 0 || units[i].usec == USEC_PER_SEC))
                        return text_format("%" JSON_INTEGER_FORMAT " %s", usec / units[i].usec, units[i].name);
        return text_format("%.3f s", (double)usec / (double)USEC_PER_SEC);
}

char *text_limit(const json_t *value) {
        return json_integer_value(value) == 0 && !json_is_null(value) ? strdup("none") : text_usec(value);
}

char *text_count(const json_t *value) {
        return json_integer_value(value) == 0 && !json_is_null(value) ? strdup("none") : text_plain(value);
}

/* To the largest whole unit: nobody waits for the microsecond. */
static char *text_span(json_int_t seconds) {
        if (seconds >= 2 * 3600)
                return text_format("%" JSON_INTEGER_FORMAT " h", seconds / 3600);
        if (seconds >= 2 * 60)
                return text_format("%" JSON_INTEGER_FORMAT " min", seconds / 60);
        return text_format("%" JSON_INTEGER_FORMAT " s", seconds);
}

char *text_when(const json_t *value) {
        json_int_t usec = json_integer_value(value), away;
        _cleanup_free_ char *span = NULL;
        struct timespec now;

        if (usec == 0 || clock_gettime(CLOCK_REALTIME, &now) < 0)
                return strdup("-");
        away = usec / (json_int_t)USEC_PER_SEC - (json_int_t)now.tv_sec;
        span = text_span(away < 0 ? -away : away);
        return text_format(away < 0 ? "%s ago" : "in %s", span ?: "?");
}

char *text_time(const json_t *value) {
        time_t seconds = (time_t)(json_integer_value(value) / (json_int_t)USEC_PER_SEC);
        char text[64];
        struct tm tm;

        if (!localtime_r(&seconds, &tm) || strftime(text, sizeof(text), "%F %T %Z", &tm) == 0)
                return strdup("-");
        return strdup(text);
}

char *text_user(const json_t *value) {
        const struct passwd *user = getpwuid((uid_t)json_integer_value(value));

        return user ? strdup(user->pw_name) : text_plain(value);
}

char *text_list(const json_t *value) {
        char *text = NULL;
        json_t *item;
        size_t i;

        json_array_foreach((json_t *)value, i, item) {
                _cleanup_free_ char *part = text_plain(item), *before = text;

                text = text_format("%s%s%s", before ?: "", before ? ", " : "", part ?: "?");
        }
        return text ?: strdup("-");
}

/* ---- JSON ---- */

int output_json(const Context *context, const json_t *value) {
        size_t flags = context->json == JSON_PRETTY ? JSON_INDENT(8) : JSON_COMPACT;

        if (json_dumpf(value, stdout, flags | JSON_ENCODE_ANY) < 0 || fputc('\n', stdout) == EOF)
                return cli_fail("Cannot write the output.");
        return CLI_OK;
}

void output_text(FILE *stream, const char *text) {
        for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
                /* Also U+0080 to U+009F, which are control characters of two bytes in UTF-8. */
                bool high = *p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0;

                if (*p < ' ' || *p == 0x7f || high)
                        (void)fprintf(stream, "\\x%02x", high ? *++p : *p);
                else
                        (void)fputc(*p, stream);
        }
}

void output_line(const char *text) {
        output_text(stdout, text);
        (void)putchar('\n');
}

int output_done(const Context *context, json_t *value, const char *sentence, ...) {
        _cleanup_json_ json_t *owned = value;
        va_list arguments;

        if (context->json != JSON_OFF)
                return output_json(context, owned);
        if (context->quiet)
                return CLI_OK;
        va_start(arguments, sentence);
        (void)vprintf(sentence, arguments);
        va_end(arguments);
        (void)putchar('\n');
        return CLI_OK;
}

/* ---- tables ---- */

/* A row may bring the colour of a value itself, as KEY_color. */
static const char *cell_color(const Column *column, const json_t *row, const json_t *value) {
        char key[64];
        const char *color;

        if (column->color)
                return value ? column->color(value) : NULL;
        (void)snprintf(key, sizeof(key), "%s_color", column->key);
        color = json_text(json_object_get(row, key));
        return *color ? color : NULL;
}

static int set_cell(struct libscols_line *line, size_t n, const Column *column, const json_t *row,
                    const json_t *value) {
        char *text = value ? (column->text ? column->text(value) : text_plain(value)) : strdup("-");
        const char *color = cell_color(column, row, value);

        if (!text || scols_line_refer_data(line, n, text) < 0) {
                free(text);
                return -ENOMEM;
        }
        if (color && scols_cell_set_color(scols_line_get_cell(line, n), color) < 0)
                return -ENOMEM;
        return 0;
}

static int add_rows(struct libscols_table *table, struct libscols_line *parent, const Column *columns, size_t n_columns,
                    const json_t *rows) {
        json_t *row;
        size_t i;

        json_array_foreach((json_t *)rows, i, row) {
                struct libscols_line *line = scols_table_new_line(table, parent);
                const json_t *children = json_object_get(row, "children");

                if (!line)
                        return -ENOMEM;
                for (size_t c = 0; c < n_columns; c++) {
                        const json_t *value = json_object_get(row, columns[c].key);

                        /* Below a row, a column that has nothing to say is empty. */
                        if ((value || !parent) && set_cell(line, c, &columns[c], row, value) < 0)
                                return -ENOMEM;
                }
                if (children && add_rows(table, line, columns, n_columns, children) < 0)
                        return -ENOMEM;
        }
        return 0;
}

static int new_table(const Context *context, struct libscols_table **ret) {
        struct libscols_table *table = scols_new_table();

        if (!table)
                return -ENOMEM;
        (void)scols_table_enable_colors(table, context->colors);
        (void)scols_table_set_column_separator(table, "  ");
        *ret = table;
        return 0;
}

static int new_column(const Context *context, struct libscols_table *table, const char *heading, int flags) {
        struct libscols_column *column = scols_table_new_column(table, heading, 0, flags);

        if (!column)
                return -ENOMEM;
        return context->colors ? scols_cell_set_color(scols_column_get_header(column), "bold") : 0;
}

static int print_rows(const Context *context, const char *name, const Column *columns, size_t n_columns,
                      const json_t *rows, int first_flags, FILE *stream, size_t width) {
        _cleanup_table_ struct libscols_table *table = NULL;

        if (json_array_size(rows) == 0) {
                if (context->legend && !context->quiet)
                        (void)fprintf(stream, "No %s.\n", name);
                return CLI_OK;
        }
        if (new_table(context, &table) < 0 || scols_table_set_stream(table, stream) < 0)
                return out_of_memory();
        if (width > 0) {
                (void)scols_table_set_termwidth(table, width);
                (void)scols_table_set_termforce(table, SCOLS_TERMFORCE_ALWAYS);
        }
        (void)scols_table_enable_noheadings(table, !context->legend);
        /* Half a number is another number: only texts are cut. */
        for (size_t c = 0; c < n_columns; c++)
                if (new_column(context, table, columns[c].heading,
                               (columns[c].right ? SCOLS_FL_RIGHT : 0) | (c == 0 ? first_flags : 0) |
                                       (width > 0 && !columns[c].right ? SCOLS_FL_TRUNC : 0)) < 0)
                        return out_of_memory();
        if (add_rows(table, NULL, columns, n_columns, rows) < 0)
                return out_of_memory();
        return scols_print_table(table) < 0 ? cli_fail("Cannot write the output.") : CLI_OK;
}

int output_rows(const Context *context, const char *name, const Column *columns, size_t n_columns, const json_t *rows) {
        return context->json == JSON_OFF ? print_rows(context, name, columns, n_columns, rows, 0, stdout, 0)
                                         : output_json(context, rows);
}

int output_tree(const Context *context, const char *name, const Column *columns, size_t n_columns, const json_t *rows,
                FILE *stream, size_t width) {
        return print_rows(context, name, columns, n_columns, rows, SCOLS_FL_TREE, stream, width);
}

/* A line of output_object(): the heading with its colon, then the value. */
static int add_pair(struct libscols_table *table, const Column *column, const json_t *value) {
        struct libscols_line *line = scols_table_new_line(table, NULL);
        char *heading = text_format("%s:", column->heading);

        if (!line || !heading || scols_line_refer_data(line, 0, heading) < 0) {
                free(heading);
                return -ENOMEM;
        }
        return set_cell(line, 1, column, NULL, value);
}

int output_object(const Context *context, const Column *columns, size_t n_columns, const json_t *object) {
        _cleanup_table_ struct libscols_table *table = NULL;

        if (context->json != JSON_OFF)
                return output_json(context, object);
        if (new_table(context, &table) < 0)
                return out_of_memory();
        (void)scols_table_enable_noheadings(table, true);
        if (new_column(context, table, "name", SCOLS_FL_RIGHT) < 0 || new_column(context, table, "value", 0) < 0)
                return out_of_memory();
        for (size_t c = 0; c < n_columns; c++) {
                const json_t *value = json_object_get(object, columns[c].key);

                if (value && add_pair(table, &columns[c], value) < 0)
                        return out_of_memory();
        }
        return scols_print_table(table) < 0 ? cli_fail("Cannot write the output.") : CLI_OK;
}
