/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Between frame.c and the formats: a format's own part of sealing and opening, called for a frame that
 * needs a key, and what is the same for all of them before and after.
 */
#pragma once

#include "keys/frame.h"
#include "keys/session-internal.h"

/* ---- the formats: `out_max` bytes at `out` are for the result; all fields of `ret` are 0 but the verdict, which these
 * set. ---- */

void trailer_frame_seal(FrameGrant *grant, const FrameRequest *request, uint8_t *out, size_t out_max, FrameResult *ret);
void trailer_frame_open(FrameGrant *grant, const FrameRequest *request, uint8_t *out, size_t out_max, FrameResult *ret);
void sframe_frame_seal(FrameGrant *grant, const FrameRequest *request, uint8_t *out, size_t out_max, FrameResult *ret);
void sframe_frame_open(FrameGrant *grant, const FrameRequest *request, uint8_t *out, size_t out_max, FrameResult *ret);
void dave_frame_seal(FrameGrant *grant, const FrameRequest *request, uint8_t *out, size_t out_max, FrameResult *ret);
void dave_frame_open(FrameGrant *grant, const FrameRequest *request, uint8_t *out, size_t out_max, FrameResult *ret);

/* ---- sealing ---- */

/* What a frame is sealed under. */
typedef struct Sealing {
        KeySlot *slot;
        KeyLife *life;
        bool key_frame_wanted;
} Sealing;

/* Finds the key, if there is one that may be used, and room for the result. False: `ret` has the answer. */
bool frame_seal_begin(FrameGrant *grant, const FrameRequest *request, size_t overhead, size_t out_max, Sealing *sealing,
                      FrameResult *ret);
/* The frame is sealed: counts, and says what the sender should know. */
void frame_seal_end(FrameGrant *grant, const FrameRequest *request, const Sealing *sealing, size_t len,
                    size_t clear_len, FrameResult *ret);

/* ---- opening ---- */

/* An authentic frame: first its number enters the window, and only what did is delivered. */
typedef struct Opened {
        KeySlot *slot;
        Generation *generation;
        SeenKind seen; /* of a window that is not there yet; n_ivs and reach 0: none is kept */
        uint64_t number;
        size_t len; /* of the plain frame */
        size_t clear_len;
} Opened;

void frame_open_end(FrameGrant *grant, const FrameRequest *request, const Opened *opened, FrameResult *ret);
/* Tries the frame in hand under one key: 0, FRAMEKEY_VERDICT_FORGED or -errno. */
typedef int FrameOpener(const void *opening, const ChainHandle *handle);

/* Opens a frame of a later step than the slot stands at, as the frame says without being authentic. More than `n_free`
 * steps ahead are rationed. The key is derived into a block of its own, and the receiver goes there only if it opens
 * the frame; the slot's current generation is that of the frame then. 0; FRAMEKEY_VERDICT_FORGED, _BUDGET; -errno. */
int frame_open_ahead(FrameGrant *grant, const FrameRequest *request, KeySlot *slot, uint32_t step, uint32_t n_free,
                     FrameOpener *opener, const void *opening);
/* No key of the slot opens the frame. */
void frame_forged(FrameGrant *grant, KeySlot *slot);
/* Takes what trying `n` keys on a frame, or as many derivations, costs from the budgets of sender, session and plane.
 * False: not now. */
bool frame_afford(FrameGrant *grant, const FrameRequest *request, KeySlot *slot, uint64_t n);
/* The receiver goes over to a later step that has opened a frame: `secrets` (taken over in any case) if the chain does
 * not have it. 0; -errno. */
int frame_follow(FrameGrant *grant, const FrameRequest *request, KeySlot *slot, uint32_t step, ScheduleStep *secrets);
