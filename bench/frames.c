/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* frames SIZE N M: N frames of SIZE bytes encrypted, and the first M of them decrypted, for bench/instructions. */
#include "bench/endpoint.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
        size_t size = argc == 4 ? strtoul(argv[1], NULL, 10) : 0;
        unsigned long n = argc == 4 ? strtoul(argv[2], NULL, 10) : 0, m = argc == 4 ? strtoul(argv[3], NULL, 10) : 0;
        uint8_t *plain = calloc(1, size + 1), *sealed = malloc(size + BENCH_OVERHEAD);
        Endpoint endpoint;

        if (n == 0 || !plain || !sealed) {
                (void)fprintf(stderr, "Usage: frames SIZE N M, see bench/instructions\n");
                return 2;
        }
        endpoint_open(&endpoint, NULL);
        for (unsigned long i = 0; i < n; i++) {
                size_t len = seal_frame(&endpoint.port, plain, size, sealed, NULL);

                if (i < m)
                        (void)open_frame(&endpoint.port, sealed, len, sealed);
        }
        endpoint_close(&endpoint);
        free(plain);
        free(sealed);
        return 0;
}
