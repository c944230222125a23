/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The trailer frame of LiveKit, RealtimeKit and Jitsi (formats/trailer-frames, section 1):
 *
 *   offset   length  content
 *   0        n       clear header = additional authenticated data
 *   n        m       AES-GCM ciphertext
 *   n+m      16      tag
 *   n+m+16   12      IV
 *   n+m+28   1       IV length, 0x0c
 *   n+m+29   1       key index, unauthenticated
 *
 * Pure: finds the parts of a frame, or writes the end of one.
 */
#pragma once

#include "util/util.h"

#define TRAILER_TAG_LEN  16u
#define TRAILER_IV_LEN   12u
#define TRAILER_OVERHEAD (TRAILER_TAG_LEN + TRAILER_IV_LEN + 2u)

/* Where the parts of a frame are, as offsets into it. */
typedef struct TrailerFrame {
        size_t text_offset; /* = clear length */
        size_t text_len;
        size_t tag_offset;
        size_t iv_offset;
        uint8_t key_index;
} TrailerFrame;

typedef enum TrailerOutcome {
        TRAILER_MALFORMED = 1, /* too short for its clear part and the trailer, or an IV length other than 12 */
} TrailerOutcome;

/* Takes a frame of `len` bytes with `clear_len` clear ones apart. Peers believe any IV length; we demand 12,
 * because no sender uses another and GCM with other lengths has a weaker bound. 0 or TRAILER_MALFORMED. */
int trailer_parse(const uint8_t *frame, size_t len, size_t clear_len, TrailerFrame *ret);
/* Writes IV, IV length and key index behind the tag. */
void trailer_finish(uint8_t end[TRAILER_IV_LEN + 2], const uint8_t iv[TRAILER_IV_LEN], uint8_t key_index);
