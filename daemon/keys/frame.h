/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A frame through the key plane: what a stream may do (its grant), sealing and opening.
 *
 * Called by data threads between session_enter() and session_leave(); grants are made and freed by
 * the main thread. Order of an opening: shape, key, replay window, authentication, and only then
 * window, ratchet and output. A frame that does not authenticate changes nothing but counters.
 */
#pragma once

#include "format/dave.h"
#include "keys/session.h"

typedef struct FrameGrant FrameGrant;

typedef struct FrameRequest {
        const uint8_t *frame; /* private memory, not changed */
        size_t len;
        size_t clear_len; /* <= len */
        uint8_t frame_type;
        bool packet;       /* seal even if it has 0 bytes */
        const uint8_t *iv; /* if frame_grant_wants_iv(): 12 fresh random bytes, used for this frame only */
        uint64_t now_usec; /* CLOCK_BOOTTIME, not older than this thread's turn */
        uint32_t ssrc;     /* as the client says; informative, like the next */
        uint32_t rtp_timestamp;
        const uint8_t *metadata; /* authenticated, not sent (SFrame) */
        size_t metadata_len;
        const DaveRange *ranges; /* sealing DAVE: what stays clear; unchecked */
        size_t n_ranges;
        bool start_codes; /* sealing DAVE: no start code may come up */
} FrameRequest;

typedef struct FrameResult {
        int32_t verdict;
        uint32_t len; /* 0 unless something is delivered */
        uint32_t clear_len;
        uint32_t step;
        uint32_t flags; /* enum framekey_result_flags */
        uint16_t key_index;
} FrameResult;

/* Bytes a sealed frame is longer than the plain one; 0 if the format is not implemented. */
uint32_t frame_overhead(enum framekey_format format);
/* Whether its frames carry a counter, which the daemon owns; false if it is not implemented. */
bool frame_counts(enum framekey_format format);
/* Whether the format can carry this codec. */
bool frame_codec_supported(enum framekey_format format, enum framekey_media media, enum framekey_codec codec);

/* What the stream `id` on `channel` (identity only) may do. 0; SESSION_NO_PARTICIPANT; SESSION_WRONG_ROLE; -ENOMEM. */
int frame_grant_new(FrameGrant **ret, Session *session, const void *channel, uint32_t id, uint32_t participant,
                    enum framekey_direction direction, enum framekey_media media);
/* Takes NULL; returns NULL. */
FrameGrant *frame_grant_free(FrameGrant *grant);
DEFINE_CLEANUP(FrameGrant, frame_grant_free)
enum framekey_direction frame_grant_direction(const FrameGrant *grant);
enum framekey_format frame_grant_format(const FrameGrant *grant);
enum framekey_media frame_grant_media(const FrameGrant *grant);
/* Whether it seals frames of a format with random IVs. */
bool frame_grant_wants_iv(const FrameGrant *grant);

typedef struct FrameGrantInfo {
        SessionStreamState state;
        uint64_t failed;     /* frames in a row */
        uint32_t seen_index; /* key index of the last frame that had one; SESSION_ACTIVE: none yet */
        uint64_t last_frame_usec;
} FrameGrantInfo;

/* Under the session's lock. */
void frame_grant_info(const FrameGrant *grant, uint64_t now_usec, FrameGrantInfo *ret);

/* A data thread's turn with the session's keys; the main thread goes first if it waits. */
void session_enter(Session *session);
void session_leave(Session *session);
/* The main thread's way to the same lock, for grants. */
void session_lock(Session *session);
void session_unlock(Session *session);

/* Seals or opens, as the grant says. `out` is private memory of at least len + frame_overhead() bytes, apart from
 * request->frame, and holds the result only if something is delivered. `out_max` is what the receiver of the result has
 * room for. */
void frame_process(FrameGrant *grant, const FrameRequest *request, uint8_t *out, size_t out_max, FrameResult *ret);
/* Counts a frame that the client's library could not parse, under the verdict it gave. */
void frame_note(FrameGrant *grant, uint8_t verdict, uint64_t now_usec, FrameResult *ret);
