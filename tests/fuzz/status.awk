# SPDX-License-Identifier: LGPL-2.1-or-later
# What tests/fuzz/log.tsv adds up to: a target is done when it found no new edge for twenty minutes.
BEGIN { FS = "\t" }
/^#/ || NF < 6 { next }
{
        if (!($1 in runs))
                order[++n] = $1
        runs[$1] += $2
        seconds[$1] += $3
        edges[$1] = $4
        idle[$1] = $5
        # A finding is unsolved until a later piece has none.
        unsolved[$1] = $6
        total += $3
}
END {
        printf "%-14s %16s %10s %8s %14s  %s\n", "target", "executions", "seconds", "edges", "since new edge", "state"
        for (i = 1; i <= n; i++) {
                t = order[i]
                printf "%-14s %16d %10d %8s %14s  %s\n", t, runs[t], seconds[t], edges[t], idle[t],
                        unsolved[t] ? "finding" : (idle[t] < 1200 ? "going on" : "done")
        }
        printf "%.2f processor hours in all\n", total / 3600
}
