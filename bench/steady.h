/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Latency of frames that come at a steady pace, five a millisecond, each encrypted and decrypted by blocking calls: so
 * that what happens beside them shows.
 */
#pragma once

#include "bench/endpoint.h"

#define STEADY_FRAMES 2500u /* in one block: half a second */

typedef enum Part {
        PART_ENCRYPT,
        PART_DECRYPT,
        PART_FRAME,   /* both */
        PART_DELAYED, /* from the moment the frame was due: those behind a slow one have their part */
        N_PARTS,
} Part;

extern const char *const steady_parts[N_PARTS];

/* Nanoseconds of each part of one frame, and the ratchet step of its key. */
typedef struct Steady {
        double nsec[N_PARTS];
        uint32_t step;
} Steady;

typedef void SteadyWatcher(const Steady *frame, void *userdata);

/* One frame now. */
Steady steady_frame(const Port *port);
/* A block of them; `watch` may be NULL. Records PREFIX_PART_p50 and _p99. */
void steady_block(const Port *port, const char *prefix, SteadyWatcher *watch, void *userdata);
/* Prints the quotients of what two prefixes have recorded, as NAME_PART_p50_ratio and _p99_ratio. */
void steady_compare(const char *prefix, const char *over, const char *name);
