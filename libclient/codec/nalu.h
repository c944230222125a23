/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * NAL units of H.264 and H.265 in Annex-B frames, found exactly as LiveKit's JavaScript worker
 * finds them (formats/trailer-frames, section 2), because both ends must agree on one byte.
 *
 * Pure: bytes in, position out. The bytes may be hostile.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum NaluCodec {
        NALU_H264 = 1,
        NALU_H265 = 2,
} NaluCodec;

typedef enum NaluOutcome {
        NALU_NONE = 1, /* no slice that the worker would see: no NAL units, or data before the first one */
} NaluOutcome;

/* The first slice. */
typedef struct NaluSlice {
        size_t offset;   /* of its header byte, right behind the start code; at least 4 bytes follow, header included */
        NaluCodec codec; /* as the bytes say, whatever was announced */
        bool intra;      /* H.264 IDR, H.265 BLA/IDR/CRA: the frame is a key frame */
} NaluSlice;

/* 0 or NALU_NONE. */
int nalu_find_slice(const uint8_t *frame, size_t len, NaluSlice *ret);

/* How many 3-byte start codes without a zero in front are in `len` bytes: the bytes that nalu_lengthen() adds. */
size_t nalu_count_short(const uint8_t *bytes, size_t len);
/* Makes these start codes 4 bytes long, in place: `bytes` has room for `len` + `n_short`. */
void nalu_lengthen(uint8_t *bytes, size_t len, size_t n_short);
