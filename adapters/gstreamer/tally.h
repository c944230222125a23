/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What an element counts for its property statistics: frames by what became of them, and how long they took. The
 * caller locks.
 */
#pragma once

#include <framekey.h>
#include <gst/gst.h>

/* So many of the latest frames are looked at for percentiles. */
#define TALLY_LATEST 1024u

typedef struct Tally {
        guint64 n_verdicts[FRAMEKEY_VERDICT_MAX];
        guint64 n_lost;               /* no channel, no answer in time: frames without a verdict */
        guint64 n_bytes;              /* delivered */
        guint64 n_key_units;          /* that were asked for */
        guint64 n_opened;             /* channels */
        guint32 latest[TALLY_LATEST]; /* nanoseconds from frame in to frame out */
        guint n_latest, next;
        guint64 total_nsec, max_nsec, n_timed;
} Tally;

/* `verdict` as of a frame's result. */
void tally_frame(Tally *tally, int verdict, gsize n_bytes, guint64 nsec);
/* For the property; the caller owns it. */
GstStructure *tally_structure(const Tally *tally);
