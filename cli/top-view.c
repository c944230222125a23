/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What top shows: rates from the counters of two looks, and a table of them.
 */
#include "top.h"

#include <time.h>

#define HISTORY_MAX 16u

static const char *const sort_names[TOP_SORT_MAX] = { "frames", "refused", "label" };

const char *top_sort_name(TopSort sort) {
        return sort_names[sort];
}

TopSort top_sort_from_name(const char *name) {
        TopSort sort = 0;

        while (sort < TOP_SORT_MAX && strcmp(sort_names[sort], name) != 0)
                sort++;
        return sort;
}

static uint64_t clock_usec(clockid_t clock) {
        struct timespec now = { 0 };

        (void)clock_gettime(clock, &now); /* cannot fail with these clocks */
        return (uint64_t)now.tv_sec * USEC_PER_SEC + (uint64_t)now.tv_nsec / 1000;
}

/* ---- rates ---- */

/* The object in an array that has this value as its field; NULL if none has. */
static const json_t *find(const json_t *array, const char *field, const json_t *value) {
        json_t *object;
        size_t i;

        json_array_foreach((json_t *)array, i, object) {
                if (json_equal(json_object_get(object, field), value))
                        return object;
        }
        return NULL;
}

/* How much a counter went up in a second; null where it was not seen before, or began again. */
static json_t *rate(const json_t *now, const json_t *before, const char *counter, double seconds) {
        json_int_t a = json_integer_value(json_object_get(before, counter));
        json_int_t b = json_integer_value(json_object_get(now, counter));

        return before && b >= a && seconds > 0 ? json_real((double)(b - a) / seconds) : json_null();
}

static void add_to(json_t *object, const char *key, const json_t *value) {
        if (json_is_real(value))
                (void)json_object_set_new(
                        object, key, json_real(json_real_value(json_object_get(object, key)) + json_real_value(value)));
}

static void rate_participants(json_t *session, const json_t *before, double seconds) {
        json_t *participant;
        size_t i;

        json_array_foreach(json_object_get(session, "participants"), i, participant) {
                const json_t *old = find(json_object_get(before, "participants"), "identity",
                                         json_object_get(participant, "identity"));
                bool sends = strcmp(json_text(json_object_get(participant, "role")), "local") == 0;
                const char *done = sends ? "encrypted_per_second" : "decrypted_per_second";
                json_t *ok = rate(participant, old, "frames_ok", seconds);
                json_t *failed = rate(participant, old, "frames_failed", seconds);

                add_to(session, done, ok);
                add_to(session, "refused_per_second", failed);
                (void)json_object_set_new(participant, done, ok);
                (void)json_object_set_new(participant, "refused_per_second", failed);
        }
}

static double frames_of(const json_t *session) {
        return json_real_value(json_object_get(session, "encrypted_per_second")) +
               json_real_value(json_object_get(session, "decrypted_per_second"));
}

/* The past of the sessions that there are, with their present behind it. */
static json_t *history_of(const json_t *sessions, const json_t *before) {
        json_t *history = json_object(), *session;
        size_t i;

        json_array_foreach((json_t *)sessions, i, session) {
                const char *id = json_text(json_object_get(session, "id"));
                json_t *past = json_copy(json_object_get(before, id)) ?: json_array();

                if (json_object_get(session, "encrypted_per_second"))
                        (void)json_array_append_new(past, json_real(frames_of(session)));
                if (json_array_size(past) > HISTORY_MAX)
                        (void)json_array_remove(past, 0);
                (void)json_object_set_new(history, id, past);
        }
        return history;
}

int top_view_look(TopView *view, Context *context) {
        _cleanup_json_ json_t *sessions = json_array(), *manager = NULL;
        uint64_t now = clock_usec(CLOCK_MONOTONIC);
        double seconds = (double)(now - view->looked_usec) / (double)USEC_PER_SEC;
        json_t *session;
        size_t i;
        int r;

        r = context_properties(context, MANAGER_PATH, MANAGER_INTERFACE, &manager);
        if (r == CLI_OK)
                r = sessions_read(context, sessions);
        if (r == CLI_OK)
                r = sessions_look(context, sessions);
        if (r != CLI_OK)
                return r;
        json_array_foreach(sessions, i, session) {
                const json_t *before = find(view->sessions, "id", json_object_get(session, "id"));

                if (!before)
                        continue;
                (void)json_object_set_new(session, "encrypted_per_second", json_real(0));
                (void)json_object_set_new(session, "decrypted_per_second", json_real(0));
                (void)json_object_set_new(session, "refused_per_second", json_real(0));
                rate_participants(session, before, seconds);
        }
        session = history_of(sessions, view->history);
        top_view_done(view);
        *view = (TopView){
                .manager = take_ptr(manager), .sessions = take_ptr(sessions), .history = session, .looked_usec = now
        };
        return CLI_OK;
}

void top_view_done(TopView *view) {
        json_decref(view->manager);
        json_decref(view->sessions);
        json_decref(view->history);
        *view = (TopView){ .manager = NULL };
}

/* ---- order ---- */

/* Below zero if `a` comes before `b`. */
static int compare(const json_t *a, const json_t *b, TopSort sort) {
        double difference = 0;
        int by_label = strcmp(json_text(json_object_get(a, "label")), json_text(json_object_get(b, "label")));

        if (sort == TOP_BY_FRAMES)
                difference = frames_of(b) - frames_of(a);
        else if (sort == TOP_BY_REFUSED)
                difference = json_real_value(json_object_get(b, "refused_per_second")) -
                             json_real_value(json_object_get(a, "refused_per_second"));
        if (difference != 0)
                return difference < 0 ? -1 : 1;
        /* So that equal ones do not change places. */
        return by_label != 0 ? by_label
                             : strcmp(json_text(json_object_get(a, "id")), json_text(json_object_get(b, "id")));
}

/* By insertion: there are tens of sessions, and they were nearly sorted a second ago. */
void top_view_sort(TopView *view, TopSort sort) {
        json_t *sorted = json_array(), *session;
        size_t i;

        json_array_foreach(view->sessions, i, session) {
                size_t at = 0;

                while (at < json_array_size(sorted) && compare(json_array_get(sorted, at), session, sort) <= 0)
                        at++;
                (void)json_array_insert(sorted, at, session);
        }
        json_decref(view->sessions);
        view->sessions = sorted;
}

/* ---- picture ---- */

/* Nine heights; the highest of the past is the full one. Free it. */
static char *sparkline(const json_t *past) {
        static const char *const blocks[] = { " ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" };
        static const char *const plain[] = { " ", ".", ".", ":", "-", "=", "+", "*", "#" };
        const char *const *steps = terminal_wants_symbols() ? blocks : plain;
        char text[HISTORY_MAX * sizeof("█") + 2] = " ", *end = text;
        double highest = 0;
        json_t *value;
        size_t i;

        json_array_foreach((json_t *)past, i, value) {
                highest = MAX_OF(highest, json_real_value(value));
        }
        json_array_foreach((json_t *)past, i, value) {
                double height = highest > 0 ? json_real_value(value) / highest * 8 : 0;

                /* Little is not nothing. */
                end = stpcpy(end, steps[height > 0 && height < 1 ? 1 : (size_t)(height + 0.5)]);
        }
        return strdup(text);
}

static char *text_rate(const json_t *value) {
        char *text;

        if (!json_is_real(value))
                return strdup("-");
        return asprintf(&text, json_real_value(value) > 0 && json_real_value(value) < 9.95 ? "%.1f" : "%.0f",
                        json_real_value(value)) < 0
                       ? NULL
                       : text;
}

static const char *color_refused(const json_t *value) {
        return json_real_value(value) > 0 ? "red" : NULL;
}

/* "3min 41s": here the seconds are watched. */
static char *text_countdown(const json_t *value) {
        json_int_t usec = json_integer_value(value), seconds;
        char *text;

        if (usec == 0)
                return strdup("-");
        seconds = MAX_OF(usec - (json_int_t)clock_usec(CLOCK_REALTIME), 0) / (json_int_t)USEC_PER_SEC;
        if (seconds >= 3600)
                return asprintf(&text, "%" JSON_INTEGER_FORMAT "h %02dmin", seconds / 3600, (int)(seconds / 60 % 60)) <
                                       0
                               ? NULL
                               : text;
        if (seconds >= 60)
                return asprintf(&text, "%dmin %02ds", (int)(seconds / 60), (int)(seconds % 60)) < 0 ? NULL : text;
        return asprintf(&text, "%ds", (int)seconds) < 0 ? NULL : text;
}

static const Column columns[] = {
        { .key = "name", .heading = "SESSION" },
        { .key = "what", .heading = "PROFILE, KEYS" },
        { .key = "encrypted_per_second", .heading = "ENC/s", .right = true, .text = text_rate },
        { .key = "decrypted_per_second", .heading = "DEC/s", .right = true, .text = text_rate },
        { .key = "refused_per_second",
          .heading = "REFUSED/s",
          .right = true,
          .text = text_rate,
          .color = color_refused },
        { .key = "next_ratchet_usec", .heading = "RATCHET", .right = true, .text = text_countdown },
        { .key = "state", .heading = "STATE" },
        { .key = "past", .heading = "FRAMES/s" },
};

/* A string that is taken over. */
static void set_text(json_t *row, const char *key, char *text) {
        (void)json_object_set_new(row, key, json_string(text ?: "?")); /* without memory: a column less */
        free(text);
}

static json_t *participant_row(const json_t *participant) {
        static const char *const same[] = { "encrypted_per_second", "decrypted_per_second", "refused_per_second" };
        const char *color = state_color(json_text(json_object_get(participant, "state")));
        json_t *row = json_object(), *value;

        (void)json_object_set(row, "name", json_object_get(participant, "identity"));
        set_text(row, "what", participant_keys(participant));
        (void)json_object_set_new(row, "state", json_string(participant_words(participant)));
        if (color)
                (void)json_object_set_new(row, "state_color", json_string(color));
        for (size_t i = 0; i < ELEMENTS(same); i++)
                if ((value = json_object_get(participant, same[i])))
                        (void)json_object_set(row, same[i], value);
        return row;
}

static json_t *session_row(const json_t *session, const json_t *past, bool locked) {
        const char *label = json_text(json_object_get(session, "label")), *color;
        json_t *row = json_copy((json_t *)session), *children = json_array(), *participant;
        size_t i;

        (void)json_object_set(row, "name", json_object_get(session, *label ? "label" : "id"));
        (void)json_object_set(row, "what", json_object_get(session, "preset"));
        set_text(row, "state", session_words(session, locked, &color));
        (void)json_object_set_new(row, "state_color", json_string(color));
        set_text(row, "past", sparkline(past));
        json_array_foreach(json_object_get(session, "participants"), i, participant) {
                (void)json_array_append_new(children, participant_row(participant));
        }
        (void)json_object_set_new(row, "children", children);
        return row;
}

static void write_heading(const TopView *view, const Context *context, FILE *stream) {
        json_int_t n_keys = json_integer_value(json_object_get(view->manager, "Keys"));
        bool locked = json_is_true(json_object_get(view->manager, "Locked"));
        size_t n_sessions = json_array_size(view->sessions);
        time_t seconds = (time_t)(clock_usec(CLOCK_REALTIME) / USEC_PER_SEC);
        char when[sizeof("23:59:59")] = "";
        struct tm tm;

        if (localtime_r(&seconds, &tm))
                (void)strftime(when, sizeof(when), "%T", &tm); /* stays empty: no time is shown */
        (void)fprintf(
                stream, "%s  framekeyd %s, keys in %s memory, %zu session%s, %" JSON_INTEGER_FORMAT " key%s%s%s%s\n",
                when, json_text(json_object_get(view->manager, "Version")),
                json_text(json_object_get(view->manager, "MemoryProtection")), n_sessions, n_sessions == 1 ? "" : "s",
                n_keys, n_keys == 1 ? "" : "s", locked && context->colors ? "\033[1;31m" : "", locked ? "  LOCKED" : "",
                locked && context->colors ? "\033[0m" : "");
}

/* What is wrong with whom, below the table. */
static void write_troubles(const TopView *view, FILE *stream) {
        json_t *session, *participant;
        bool any = false;
        size_t i, k;

        json_array_foreach(view->sessions, i, session) {
                json_array_foreach(json_object_get(session, "participants"), k, participant) {
                        const char *trouble = json_text(json_object_get(participant, "trouble"));

                        if (!*trouble)
                                continue;
                        (void)fputs(any ? "" : "\n", stream);
                        output_text(stream, trouble);
                        (void)fputc('\n', stream);
                        any = true;
                }
        }
}

int top_view_write(const TopView *view, const Context *context, FILE *stream, size_t width) {
        bool locked = json_is_true(json_object_get(view->manager, "Locked"));
        _cleanup_json_ json_t *rows = json_array();
        json_t *session;
        size_t i;
        int r;

        if (context->legend)
                write_heading(view, context, stream);
        json_array_foreach(view->sessions, i, session) {
                const json_t *past = json_object_get(view->history, json_text(json_object_get(session, "id")));

                (void)json_array_append_new(rows, session_row(session, past, locked));
        }
        r = output_tree(context, "sessions", columns, ELEMENTS(columns), rows, stream, width);
        if (r == CLI_OK)
                write_troubles(view, stream);
        return r;
}

json_t *top_view_json(const TopView *view) {
        return json_pack("{s:I, s:O, s:O}", "time_usec", (json_int_t)clock_usec(CLOCK_REALTIME), "locked",
                         json_object_get(view->manager, "Locked"), "sessions", view->sessions);
}
