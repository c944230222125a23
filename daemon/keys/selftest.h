/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Known-answer test at start: every primitive, the trailer format and HPKE once, against values made
 * by the peers' own code or published; before them, that there are random numbers. The daemon refuses to serve if it
 * fails.
 */
#pragma once

#include <stddef.h>

/* The arena must be installed. 0; -EBADMSG a wrong answer; -errno. `ret_what` names the part. */
int selftest_run(const char **ret_what);
/* The names of the parts, in order; NULL after the last. */
const char *selftest_part(size_t i);
