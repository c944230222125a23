/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which bytes of a frame stay clear under DAVE, so that packetisers and media servers can do their
 * work, and what of the frame has to be rewritten for that. A matter of the sender alone: receivers
 * take any ranges and give back the rewritten frame.
 *
 *   audio, data, VP9   nothing clear
 *   VP8                10 bytes of a key frame, 1 of a delta frame
 *   H.264              start codes, made 4 bytes long; NAL unit headers; of slices (1, 5) also the bytes that reach to
 *                      the end of the third number, which is the picture parameter set's; parameter sets, delimiters
 *                      and the like (7 to 15) as a whole
 *   H.265              start codes, as above; NAL unit headers; parameter sets and delimiters (32 to 38) as a whole
 *   AV1                OBU headers and sizes; temporal delimiters, tile lists and padding are dropped, sizes
 *                      are written as short as they can be, the last OBU loses its own
 *
 * Stricter than libdave, which lets data partitions, SEI and unknown NAL units out in clear, loses
 * what stands before the first start code, and fails on short frames: whatever does not carry
 * parameters has its payload encrypted, and what cannot be read is encrypted as a whole.
 *
 * Pure: bytes in, ranges and bytes out. The bytes may be hostile.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <framekey.h>

/* As many as a payload holds; fewer if their offsets and sizes do not fit into a trailer. */
#define DAVE_RANGES_LIMIT 64u

/* As in a payload: in the machine's byte order. */
typedef struct FrameRange {
        uint32_t offset;
        uint32_t size;
} FrameRange;

typedef struct DaveRanges {
        size_t len;     /* of the frame to encrypt */
        size_t room;    /* that writing it takes */
        bool rewritten; /* it differs from the frame as given */
        bool scan;      /* no start code may come up in what is encrypted */
        size_t n_ranges;
        FrameRange ranges[DAVE_RANGES_LIMIT]; /* of the frame to encrypt: ascending, apart, not empty */
} DaveRanges;

/* Looks at a frame of at most FRAMEKEY_FRAME_MAX bytes. There is no frame that it cannot answer for. */
void dave_ranges_plan(enum framekey_codec codec, const uint8_t *frame, size_t len, DaveRanges *ret);
/* Writes the frame to encrypt to `ret`, which has `room` bytes and may be `frame` itself; otherwise they must not
 * overlap. Returns plan->len. */
size_t dave_ranges_write(const DaveRanges *plan, enum framekey_codec codec, const uint8_t *frame, size_t len,
                         uint8_t *ret);
