/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The formats' own parts of frame_process(): called for a frame that needs a key. */
#pragma once

#include "keys/frame.h"
#include "keys/session-internal.h"

/* `out_max` bytes at `out` are for the result. All fields of `ret` are 0 but the verdict, which these set. */
void trailer_frame_seal(FrameGrant *grant, const FrameRequest *request, uint8_t *out, size_t out_max, FrameResult *ret);
void trailer_frame_open(FrameGrant *grant, const FrameRequest *request, uint8_t *out, size_t out_max, FrameResult *ret);
