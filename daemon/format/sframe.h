/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The SFrame frame (RFC 9605, 4.2 and 4.3) and what is packed into its KID (5.1, 5.2):
 *
 *   frame:   header (1..17) || ciphertext || tag (length by the cipher suite)
 *   header:  X KKK Y CCC || KID || CTR, numbers with their first byte first
 *            X=0: KID = KKK          X=1: KID has KKK+1 bytes
 *            Y=0: CTR = CCC          Y=1: CTR has CCC+1 bytes
 *
 *   KID of a sender key:  generation || step in R bits
 *   KID of MLS:           context || member index in S bits || epoch in E bits
 *
 * There is neither version nor marker: most byte strings parse. Pure.
 */
#pragma once

#include "util/util.h"

#define SFRAME_HEADER_MAX 17u

typedef enum SFrameOutcome {
        SFRAME_TRUNCATED = 1, /* ends inside the header, or before the tag */
        SFRAME_NOT_MINIMAL,   /* a number that the sender had to write shorter */
        SFRAME_OUT_OF_RANGE,  /* does not fit into the bits of the KID that it has */
} SFrameOutcome;

typedef struct SFrameHeader {
        uint64_t kid;
        uint64_t ctr;
        size_t len;
} SFrameHeader;

/* Where the parts of a frame are; the header begins at 0. */
typedef struct SFrame {
        SFrameHeader header;
        size_t text_len; /* behind the header */
        size_t tag_offset;
} SFrame;

/* Returns the length written. */
size_t sframe_header_write(uint64_t kid, uint64_t ctr, uint8_t ret[SFRAME_HEADER_MAX]);
/* Receivers in the field differ in what they take for a header. We refuse every form that a sender must not write, so
 * that one (KID, CTR) has one encoding. 0, SFRAME_TRUNCATED or SFRAME_NOT_MINIMAL. */
int sframe_header_parse(const uint8_t *frame, size_t len, SFrameHeader *ret);
/* Takes a whole frame apart. As above. */
int sframe_parse(const uint8_t *frame, size_t len, size_t tag_len, SFrame *ret);

/* ---- sender keys ---- */

/* Whether senders may ratchet with so many bits: 0 (no ratchet), or 3 to 32. With fewer the step that a late frame
 * was made at, and the one ahead, look the same. */
bool sframe_ratchet_bits_valid(unsigned ratchet_bits);
/* `step` counts from 0 and goes on when its bits wrap. 0 or SFRAME_OUT_OF_RANGE. */
int sframe_sender_kid(uint64_t generation, uint64_t step, unsigned ratchet_bits, uint64_t *ret_kid);
uint64_t sframe_sender_generation(uint64_t kid, unsigned ratchet_bits);
/* The step of a frame, for a receiver that follows the sender and is at `step`: the one that fits the KID among the
 * 2^ratchet_bits from `step - n_behind` (or 0) on. Only authentication tells whether it is. */
uint64_t sframe_sender_step(uint64_t kid, unsigned ratchet_bits, uint64_t step, uint64_t n_behind);

/* ---- MLS ---- */

typedef struct SFrameMlsLayout {
        uint8_t index_bits; /* S */
        uint8_t epoch_bits; /* E; together at most 64 */
} SFrameMlsLayout;

typedef struct SFrameMlsKid {
        uint64_t context;
        uint64_t index;
        uint64_t epoch; /* packing takes the low bits of it, unpacking gives no more */
} SFrameMlsKid;

/* 0 or SFRAME_OUT_OF_RANGE. */
int sframe_mls_pack(SFrameMlsLayout layout, const SFrameMlsKid *parts, uint64_t *ret_kid);
/* 0; SFRAME_OUT_OF_RANGE for a layout of more than 64 bits. */
int sframe_mls_unpack(SFrameMlsLayout layout, uint64_t kid, SFrameMlsKid *ret);
