/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The second half of a transcryption: what one stream has opened is sealed for another, here, so that
 * neither key nor plain frame reaches the bridge.
 *
 * This is the one place of the daemon that looks at a codec's bytes. Which of them stay clear depends
 * on the plain frame, which the bridge must not see; for all other frames the client's library knows.
 * The bytes are authentic, but may be a hostile participant's; the parsers are pure, and fuzzed.
 *
 * Data threads, between session_enter() and session_leave() of the target's session.
 */
#pragma once

#include "keys/frame.h"

/* The library escapes the result behind its clear bytes (H.264 and H.265 under livekit). */
#define TRANSCRYPT_ESCAPE (UINT32_C(1) << 31)

typedef struct TranscryptRequest {
        uint8_t *plain; /* private memory, of `room` bytes; is wiped */
        size_t len;
        size_t room;
        enum framekey_codec codec;
        uint8_t frame_type; /* UNSPECIFIED: as the plain frame says */
        const uint8_t *metadata;
        size_t metadata_len;
        const uint8_t *iv; /* as in FrameRequest */
        uint64_t now_usec;
        uint32_t ssrc;
        uint32_t rtp_timestamp;
} TranscryptRequest;

/* As frame_process() for a grant that encrypts; further TRANSCRYPT_ESCAPE among the flags. */
void transcrypt_seal(FrameGrant *grant, const TranscryptRequest *request, uint8_t *out, size_t out_max,
                     FrameResult *ret);
