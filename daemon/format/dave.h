/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The frame of Discord's DAVE protocol, version 1:
 *
 *   frame, partly encrypted | tag (8) | nonce | offset, size of each clear range | size (1) | FA FA
 *
 *   nonce and ranges   ULEB128
 *   size               of everything behind the frame, itself and the marker included
 *   plaintext          the encrypted pieces, one behind the other; additional data: the clear ones
 *   AES-GCM nonce      8 zero bytes, then the nonce as 32 bits, last byte first
 *
 * Senders count frames in 64 bits here: the low 32 are the nonce on the wire, those from bit 24 on
 * the generation of the key. Nonce encoding, ranges and size are not authenticated; whatever they
 * are changed to, either the pieces differ and the tag does not fit, or nothing has changed. Pure.
 */
#pragma once

#include "util/util.h"

#define DAVE_TAG_LEN   8u
#define DAVE_NONCE_LEN 12u
/* One byte counts it. */
#define DAVE_TRAILER_MAX 255u
/* A nonce of one byte, no ranges. */
#define DAVE_TRAILER_MIN 12u
/* Ranges that a trailer has room for, of two bytes each. */
#define DAVE_RANGES_MAX ((DAVE_TRAILER_MAX - DAVE_TRAILER_MIN) / 2)
/* Frames of one key generation. */
#define DAVE_GENERATION_BITS 24u

typedef enum DaveOutcome {
        DAVE_MALFORMED = 1, /* not a frame of this protocol, or one with impossible ranges */
        DAVE_TOO_LONG,      /* the ranges do not fit into a trailer */
} DaveOutcome;

/* Bytes of a frame. */
typedef struct DaveRange {
        uint32_t offset;
        uint32_t size;
} DaveRange;

typedef struct DaveFrame {
        uint32_t len; /* without the trailer: the tag begins here */
        uint32_t nonce;
        size_t n_clear;
        DaveRange clear[DAVE_RANGES_MAX]; /* ascending, apart, inside of `len` */
} DaveFrame;

/* ---- receiving ---- */

/* Takes a hostile frame apart. Stricter than libdave, which lets the last range reach into the trailer; as lenient in
 * the encoding of numbers, where a padded one is harmless. 0 or DAVE_MALFORMED. */
int dave_parse(const uint8_t *frame, size_t len, DaveFrame *ret);
/* Whether it is the silence that the media server sends in clear. Nothing about it is authentic. */
bool dave_is_silence(const uint8_t *frame, size_t len);

/* ---- sending ---- */

/* Whether a client's ranges are ascending, apart and inside of a frame of `len` bytes: 0 or DAVE_MALFORMED; and fit
 * into a trailer with any nonce: DAVE_TOO_LONG. */
int dave_check_ranges(const DaveRange *clear, size_t n_clear, uint32_t len);
/* Writes what stands behind the tag, for ranges that passed the check; returns its length, at most
 * DAVE_TRAILER_MAX - DAVE_TAG_LEN. */
size_t dave_finish(uint8_t *end, uint32_t nonce, const DaveRange *clear, size_t n_clear);
/* Whether a packetiser of H.264 or H.265 would see a start code in an encrypted piece, at its edges, or in the
 * trailer; then the frame has to be encrypted again with the next nonce. `total` bytes, trailer included. */
bool dave_has_start_code(const uint8_t *frame, size_t total, uint32_t len, const DaveRange *clear, size_t n_clear);

/* ---- both ---- */

/* The pieces between the clear ranges of a frame of `len` bytes, empty ones left out: at most n_clear + 1. */
size_t dave_encrypted(const DaveRange *clear, size_t n_clear, uint32_t len, DaveRange *ret);
void dave_nonce(uint32_t nonce, uint8_t ret[DAVE_NONCE_LEN]);
/* The frame count of a nonce, for a receiver whose oldest key is of this generation. */
uint64_t dave_count(uint32_t nonce, uint64_t oldest_generation);
/* Which key encrypts a frame. */
static inline uint64_t dave_generation(uint64_t count) {
        return count >> DAVE_GENERATION_BITS;
}
