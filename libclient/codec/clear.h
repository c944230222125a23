/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How many leading bytes of a frame stay clear, for format x media x codec x frame type
 * (formats/trailer-frames, section 2), and what else the codec asks for.
 *
 *                      livekit             realtimekit, jitsi    sframe, dave (dave-ranges.h)
 *   audio              1                   1                     0
 *   data               0                   0                     0
 *   video vp8          10 / 3 by type      10 / 3 by type        0
 *   video vp9          0                   10 / 3 by type        0
 *   video av1          refused             10 / 3 by type        0
 *   video h264, h265   first slice + 2 *   10 / 3 by type        0
 *   video unknown      first slice + 2 *   10 / 3 by type        0
 *
 *   by type: key 10, delta 3, empty 0 (jitsi: refused)
 *   * and the rest escaped; without a slice: by type, not escaped
 *
 * The type is the encoder's. Where the caller does not say it, it is read from bytes that stay
 * clear even in a delta frame, so that sender and receiver read the same:
 *
 *   vp8     bit 0 of byte 0
 *   vp9     frame_type in the uncompressed header, byte 0; a frame that shows an existing one is a delta
 *   av1     a sequence header comes first (behind an optional temporal delimiter): key
 *   h26x    encrypting: the first slice is an IDR (H.265: BLA, IDR, CRA).
 *           decrypting: 3 bytes are too few to tell. A 4-byte start code with the header of a parameter
 *           set, AUD, SEI or IDR behind it is taken as a key frame, since those bytes are ciphertext in a
 *           delta frame: about one delta frame in 3,000 looks like it by chance and comes out as forged.
 *   unknown encrypting: as h26x. Decrypting: as h26x if it begins like a start code, else as vp8.
 *
 * Encrypting a frame whose type cannot be read is refused as unsupported, because receivers would
 * drop it without a word. Decrypting goes on as a delta frame: a wrong guess is a verdict, and the
 * daemon still has to see whether it is a frame of the media server.
 *
 * Pure: bytes in, plan out. The bytes may be hostile.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <framekey.h>

/* What is known of a frame. */
typedef struct ClearFrame {
        enum framekey_direction direction;
        enum framekey_format format;
        enum framekey_media media;
        enum framekey_codec codec; /* the frame's or the stream's; UNKNOWN: not announced */
        enum framekey_frame_type type;
        const uint8_t *bytes; /* plain, or encrypted as received */
        size_t len;
} ClearFrame;

typedef struct ClearPlan {
        size_t clear_len; /* <= len */
        bool nal;         /* start codes of the clear part are made long, the rest is escaped */
} ClearPlan;

/* The type of a video frame: the caller's, else what its bytes tell; UNSPECIFIED if they do not, and for other media.
 */
enum framekey_frame_type clear_frame_type(const ClearFrame *frame);
/* 0; FRAMEKEY_VERDICT_UNSUPPORTED; encrypting: FRAMEKEY_VERDICT_TOO_SHORT. A frame of 0 bytes is never refused. */
int clear_plan(const ClearFrame *frame, ClearPlan *ret);
