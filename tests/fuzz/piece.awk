# SPDX-License-Identifier: LGPL-2.1-or-later
# A line for tests/fuzz/log.tsv, from that file and from what libFuzzer said. Variables: name, runs, seconds, findings.
FNR == NR {
        if ($1 == name) {
                edges_before = $4
                idle_before = $5
        }
        next
}
/^#[0-9]+.* cov: / {
        at = substr($1, 2) + 0
        for (i = 2; i < NF; i++)
                if ($i == "cov:")
                        now = $(i + 1) + 0
        if ($2 == "INITED") {
                edges = now
                # Edges that no earlier piece had: another corpus, or other code.
                if (now > edges_before + 0 || edges_before == "-")
                        idle_before = 0
        } else if (now > edges) {
                edges = now
                newest = at
        }
}
END {
        idle = newest ? seconds * (runs - newest) / runs : idle_before + seconds
        printf "%s\t%d\t%.0f\t%d\t%.0f\t%d\n", name, runs, seconds, edges, idle, findings
}
