/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From an application's frame to what the daemon gets, and from what the daemon gives to the
 * application's frame: the codec's first and last step around the daemon's part.
 *
 *   encrypting H.26x:  [clear, start codes made long][rest]   ->  daemon  ->  [clear][rest, escaped]
 *   decrypting H.26x:  [clear][rest, escapes removed]         ->  daemon  ->  as it comes
 *   encrypting, DAVE:  [ranges][frame, as dave-ranges.h]      ->  daemon  ->  as it comes
 *   all other frames pass as they are.
 *
 * Pure: no allocation, no I/O, no globals.
 */
#pragma once

#include "codec/clear.h"
#include "codec/dave-ranges.h"

typedef struct Payload {
        int verdict;        /* not 0: nothing to submit but a note with this verdict */
        size_t in_max;      /* most bytes that payload_write() writes */
        size_t clear_len;   /* of what it writes */
        bool escape;        /* the daemon's output goes through payload_read() */
        size_t n_short;     /* start codes to make long */
        bool unescape;      /* escapes to remove */
        size_t frame_clear; /* clear bytes of the frame as given */
        bool ranged;        /* encrypting DAVE: */
        DaveRanges ranges;
} Payload;

/* What payload_write() puts before the frame. */
#define PAYLOAD_RANGE_SIZE        sizeof(FrameRange)
#define PAYLOAD_HEAD_LEN(payload) ((payload)->ranges.n_ranges * PAYLOAD_RANGE_SIZE)

/* Longest output of a frame that is escaped on the way out; `in_len` bytes of the daemon's. */
#define PAYLOAD_OUT_MAX(in_len) ((in_len) + (in_len) / 2)

/* Looks at the frame, and says what becomes of it. */
void payload_plan(const ClearFrame *frame, Payload *ret);
/* Writes what the daemon gets to `ret` (room for `in_max` bytes): PAYLOAD_HEAD_LEN() bytes of ranges, then the frame,
 * whose length it returns. `ret` may be frame->bytes. */
size_t payload_write(const Payload *payload, const ClearFrame *frame, uint8_t *ret);

/* Length of the application's frame made of the daemon's output. */
size_t payload_read_len(const uint8_t *out, size_t len, size_t clear_len, bool escape);
/* Writes it to `ret`, which has room for that; returns its length. */
size_t payload_read(uint8_t *ret, const uint8_t *out, size_t len, size_t clear_len, bool escape);
