/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See pipe.h. */
#include "bench/pipe.h"

#include "bench/machine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FRAME_MAX (70u * 1000)
/* Frames submitted for one doorbell. */
#define BATCH (PIPE_DEPTH / 4)

unsigned pipe_drain(const Port *port) {
        struct framekey_result result = { .size = sizeof(result) };
        static uint8_t out[FRAME_MAX];
        unsigned n = 0;
        size_t len;

        while (framekey_reap(port->channel, &result) == 1) {
                if (result.verdict != 0)
                        fail("pipelined encrypt", result.verdict);
                /* The client copies its frame out, as one that sends it on would. */
                if (framekey_take(port->channel, &result, out, sizeof(out), &len) < 0)
                        fail("take", -EIO);
                n++;
        }
        return n;
}

unsigned pipe_fill(const Port *port, const void *plain, size_t size, unsigned limit) {
        const struct framekey_frame frame = { .size = sizeof(frame), .stream = port->seal };
        unsigned n = 0;
        uint32_t slot;
        void *buffer;

        while (n < limit && framekey_reserve(port->channel, &frame, size, &slot, &buffer) == 0) {
                memcpy(buffer, plain, size);
                if (framekey_submit(port->channel, slot, &frame, size, 0) < 0)
                        fail("submit", -EIO);
                n++;
        }
        if (n > 0)
                (void)framekey_flush(port->channel);
        return n;
}

static unsigned smaller(unsigned a, unsigned b) {
        return a < b ? a : b;
}

double pipe_run(const Port *port, size_t size, unsigned n) {
        uint8_t *plain = calloc(1, size);
        unsigned submitted = 0, done = 0;
        uint64_t t0 = now_nsec();
        double nsec;

        while (done < n) {
                unsigned room = smaller(PIPE_DEPTH - (submitted - done), n - submitted);

                submitted += pipe_fill(port, plain, size, smaller(room, BATCH));
                done += pipe_drain(port);
        }
        nsec = (double)(now_nsec() - t0) / n;
        free(plain);
        return nsec;
}
