/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See figures.h. */
#include "bench/figures.h"

#include "bench/machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS_MAX  128u
#define FIGURES_MAX 160u

typedef struct Figure {
        char name[64];
        const char *unit;
        double values[ROUNDS_MAX];
        size_t n;
} Figure;

static Figure figures[FIGURES_MAX];
static size_t n_figures;

static int by_value(const void *a, const void *b) {
        double x = *(const double *)a, y = *(const double *)b;

        return (x > y) - (x < y);
}

double percentile(double *values, size_t n, unsigned percent) {
        qsort(values, n, sizeof(*values), by_value);
        return values[percent >= 100 ? n - 1 : n * percent / 100];
}

double median(double *values, size_t n) {
        double upper = percentile(values, n, 50);

        return n % 2 ? upper : (values[n / 2 - 1] + upper) / 2;
}

static void full_name(char ret[64], const char *name, size_t size) {
        if (size > 0)
                (void)snprintf(ret, 64, "%.40s_%zu", name, size);
        else
                (void)snprintf(ret, 64, "%.63s", name);
}

static Figure *find(const char *name, size_t size) {
        char full[64];

        full_name(full, name, size);
        for (size_t i = 0; i < n_figures; i++)
                if (strcmp(figures[i].name, full) == 0)
                        return &figures[i];
        return NULL;
}

void record(double value, const char *unit, const char *name, size_t size) {
        Figure *f = find(name, size);

        if (!f && n_figures < FIGURES_MAX) {
                f = &figures[n_figures++];
                full_name(f->name, name, size);
                f->unit = unit;
        }
        if (!f || f->n == ROUNDS_MAX) {
                (void)fprintf(stderr, "bench: too many figures\n");
                exit(1);
        }
        f->values[f->n++] = value;
}

double figure(const char *name, size_t size) {
        const Figure *f = find(name, size);
        double values[ROUNDS_MAX];

        if (!f || f->n == 0)
                return 0;
        memcpy(values, f->values, f->n * sizeof(*values));
        return median(values, f->n);
}

double figure_ratio(const char *name, size_t size, const char *over, size_t over_size) {
        const Figure *a = find(name, size), *b = find(over, over_size);
        double values[ROUNDS_MAX];

        if (!a || !b || a->n == 0 || a->n != b->n) {
                (void)fprintf(stderr, "bench: %s and %s are not of the same rounds\n", name, over);
                exit(1);
        }
        for (size_t i = 0; i < a->n; i++)
                values[i] = a->values[i] / b->values[i];
        return median(values, a->n);
}

/* Takes the last round's values away. */
static void forget_round(const size_t *before) {
        for (size_t i = 0; i < n_figures; i++)
                figures[i].n = before[i];
}

void run_rounds(pid_t daemon, unsigned n, BenchRound *round, void *userdata) {
        unsigned done = 0, retaken = 0, disturbed = 0;

        while (done < n) {
                size_t before[FIGURES_MAX] = { 0 };
                Quiet quiet = quiet_begin(daemon);

                for (size_t i = 0; i < n_figures; i++)
                        before[i] = figures[i].n;
                (void)fprintf(stderr, "\rround %u of %u", done + 1, n);
                round(userdata, done);
                if (quiet_end(&quiet, daemon))
                        done++;
                else if (retaken < n) {
                        forget_round(before);
                        retaken++;
                } else { /* it will not get quiet */
                        done++;
                        disturbed++;
                }
        }
        (void)fprintf(stderr, "\r\033[K");
        for (size_t i = 0; i < n_figures; i++)
                print_figure(figures[i].name, 0, figure(figures[i].name, 0), figures[i].unit);
        print_figure("rounds", 0, n, "count");
        print_figure("rounds_retaken", 0, retaken, "count");
        print_figure("rounds_disturbed", 0, disturbed, "count");
}

void print_figure(const char *name, size_t size, double value, const char *unit) {
        char full[64];

        full_name(full, name, size);
        (void)printf("%s %.3f %s\n", full, value, unit);
}

void figures_forget(void) {
        memset(figures, 0, sizeof(figures));
        n_figures = 0;
}
