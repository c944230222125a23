/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* bench [--quick] PART: prints one part's figures. Needs a running daemon; bench/run starts one. */
#include "bench/parts.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const struct {
        const char *name;
        BenchPart *run;
} parts[] = {
        { "latency", part_latency },       { "throughput", part_throughput }, { "channels", part_channels },
        { "paced", part_paced },           { "derivation", part_derivation }, { "ratchet", part_ratchet },
        { "transcrypt", part_transcrypt },
};

int main(int argc, char **argv) {
        static const struct option options[] = { { "quick", no_argument, NULL, 'q' }, { 0 } };
        bool quick = false;
        int c;

        while ((c = getopt_long(argc, argv, "q", options, NULL)) >= 0) {
                if (c != 'q')
                        return 2;
                quick = true;
        }
        for (size_t i = 0; argc == optind + 1 && i < sizeof(parts) / sizeof(*parts); i++)
                if (strcmp(parts[i].name, argv[optind]) == 0) {
                        parts[i].run(quick);
                        return 0;
                }
        (void)fprintf(stderr, "Usage: bench [--quick] PART, see bench/run\n");
        return 2;
}
