/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * top: what happens in the sessions, again and again. top.c has the verb and the terminal,
 * top-view.c the figures and the picture.
 */
#pragma once

#include "cli.h"

/* What sessions are sorted by; the order of the names in top-view.c. */
typedef enum TopSort {
        TOP_BY_FRAMES,
        TOP_BY_REFUSED,
        TOP_BY_LABEL,
        TOP_SORT_MAX,
} TopSort;

typedef struct TopView {
        json_t *manager;  /* properties; NULL before the first look */
        json_t *sessions; /* the last look, with rates where there was one before */
        json_t *history;  /* frames a second of each session, by its id: the last of them, oldest first */
        uint64_t looked_usec;
} TopView;

const char *top_sort_name(TopSort sort);
/* TOP_SORT_MAX if there is none of that name. */
TopSort top_sort_from_name(const char *name);

/* Looks at everything; what is counted since the look before makes the rates. CLI_OK, or a status after a message; then
 * the view is as it was. */
int top_view_look(TopView *view, Context *context);
void top_view_sort(TopView *view, TopSort sort);
/* Writes it as a table of at most so many columns (0: any). CLI_OK or told. */
int top_view_write(const TopView *view, const Context *context, FILE *stream, size_t width);
/* As one JSON object; NULL without memory. */
json_t *top_view_json(const TopView *view);
void top_view_done(TopView *view);
