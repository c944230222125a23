/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs of ffmpeg, which encodes the demo's media and draws its pictures. */
#pragma once

#include "cli/demo/progress.h"

#include <signal.h>

typedef struct Ffmpeg {
        char *program;        /* full path */
        const char *log;      /* path of a file for what it complains about */
        const sigset_t *mask; /* signals that it blocks */
        bool labels;          /* it can write text into pictures: there is a font */
} Ffmpeg;

/* Finds the program and tries whether it can write text. 0; -ENOENT not installed; other errno. */
int ffmpeg_init(Ffmpeg *ret, const char *log, const sigset_t *mask);
void ffmpeg_done(Ffmpeg *ffmpeg);
/* Runs it with these arguments (the array ends with NULL) behind the usual ones. `progress` may be NULL; `total_usec`
 * is the length of the output. 0; -EINTR the demo shall end; -EIO it failed; other errno. */
int ffmpeg_run(const Ffmpeg *ffmpeg, const char *const *arguments, Progress *progress, uint64_t total_usec);
/* The last line of what it complained about, "" if nothing. NULL: no memory. Free it. */
char *ffmpeg_complaint(const Ffmpeg *ffmpeg);
