/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What bench can time; each prints its figures. docs/performance.md says what they mean. */
#pragma once

#include <stdbool.h>

typedef void BenchPart(bool quick);

BenchPart part_latency;    /* one frame after the other, on one core */
BenchPart part_throughput; /* many frames in flight, on two cores */
BenchPart part_channels;   /* set-up; many channels at once */
BenchPart part_paced;      /* a large call at its own pace, and the daemon's memory for it */
BenchPart part_derivation; /* latency while keys are derived without end */
BenchPart part_ratchet;    /* latency while keys step */
BenchPart part_transcrypt; /* one request beside two */
