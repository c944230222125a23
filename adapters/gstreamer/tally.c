/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Counting frames and their latency, see tally.h. */
#include "tally.h"

#include <stdlib.h>
#include <string.h>

void tally_frame(Tally *tally, int verdict, gsize n_bytes, guint64 nsec) {
        if (verdict < 0 || verdict >= FRAMEKEY_VERDICT_MAX) {
                tally->n_lost++;
                return;
        }
        tally->n_verdicts[verdict]++;
        tally->n_bytes += n_bytes;
        tally->latest[tally->next] = (guint32)MIN(nsec, G_MAXUINT32);
        tally->next = (tally->next + 1) % TALLY_LATEST;
        tally->n_latest = MIN(tally->n_latest + 1, TALLY_LATEST);
        tally->total_nsec += nsec;
        tally->max_nsec = MAX(tally->max_nsec, nsec);
        tally->n_timed++;
}

static int compare(const void *a, const void *b) {
        guint32 x = *(const guint32 *)a, y = *(const guint32 *)b;

        return x < y ? -1 : x > y;
}

static void add_latency(const Tally *tally, GstStructure *structure) {
        guint32 sorted[TALLY_LATEST];
        guint n = tally->n_latest;

        if (n == 0)
                return;
        memcpy(sorted, tally->latest, n * sizeof(*sorted));
        qsort(sorted, n, sizeof(*sorted), compare);
        gst_structure_set(structure, "latency-mean", G_TYPE_UINT64, tally->total_nsec / tally->n_timed, "latency-p50",
                          G_TYPE_UINT64, (guint64)sorted[n / 2], "latency-p99", G_TYPE_UINT64,
                          (guint64)sorted[(guint64)n * 99 / 100], "latency-max", G_TYPE_UINT64, tally->max_nsec, NULL);
}

GstStructure *tally_structure(const Tally *tally) {
        GstStructure *structure =
                gst_structure_new("application/x-framekey-statistics", "bytes", G_TYPE_UINT64, tally->n_bytes, "lost",
                                  G_TYPE_UINT64, tally->n_lost, "key-units-requested", G_TYPE_UINT64,
                                  tally->n_key_units, "channels", G_TYPE_UINT64, tally->n_opened, NULL);

        for (int i = 0; i < FRAMEKEY_VERDICT_MAX; i++)
                gst_structure_set(structure, framekey_verdict_name(i), G_TYPE_UINT64, tally->n_verdicts[i], NULL);
        add_latency(tally, structure);
        return structure;
}
