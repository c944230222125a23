/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Named figures of a run: one value a round, the median over the rounds is what counts.
 *
 * All that is compared is timed in the same round, turn by turn, so that a machine that changes its speed changes all
 * of it. A round in which other programs were busy is taken again, and counted.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Sorts the values. `percent` of 0..100; n > 0. */
double percentile(double *values, size_t n, unsigned percent);
double median(double *values, size_t n);

/* A value of this round; size 0: the name has none. */
void record(double value, const char *unit, const char *name, size_t size);
/* Over the rounds so far; 0: there is no such figure. */
double figure(const char *name, size_t size);
/* The median of the quotients of each round: what is timed together is compared together. */
double figure_ratio(const char *name, size_t size, const char *over, size_t over_size);

typedef void BenchRound(void *userdata, unsigned round);
/* Runs rounds until `n` were quiet, and prints all figures. After `n` that were not, the others count as they are. */
void run_rounds(pid_t daemon, unsigned n, BenchRound *round, void *userdata);
/* All figures so far, after a round that warmed things up. */
void figures_forget(void);
/* "name value unit" */
void print_figure(const char *name, size_t size, double value, const char *unit);
