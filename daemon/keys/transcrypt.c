/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sealing what another stream has opened; see the header for why codecs are looked at here. */
#include "keys/transcrypt.h"

#include "payload.h"

_Static_assert(sizeof(DaveRange) == sizeof(FrameRange), "the library's ranges are the daemon's");

/* As frame_process(), of a frame whose clear bytes are not known yet. */
static void seal(FrameGrant *grant, const TranscryptRequest *request, const ClearFrame *clear, const Payload *payload,
                 uint8_t *out, size_t out_max, FrameResult *ret) {
        FrameRequest frame = {
                .frame = request->plain + PAYLOAD_HEAD_LEN(payload),
                .clear_len = payload->clear_len,
                .frame_type = (uint8_t)clear_frame_type(clear),
                .iv = request->iv,
                .now_usec = request->now_usec,
                .ssrc = request->ssrc,
                .rtp_timestamp = request->rtp_timestamp,
                .metadata = request->metadata,
                .metadata_len = request->metadata_len,
                .ranges = (const DaveRange *)payload->ranges.ranges,
                .n_ranges = payload->ranges.n_ranges,
                .start_codes = payload->ranges.scan,
        };

        frame.len = payload_write(payload, clear, request->plain);
        frame_process(grant, &frame, out, out_max, ret);
        if (ret->verdict == FRAMEKEY_OK && payload->escape)
                ret->flags |= TRANSCRYPT_ESCAPE;
}

void transcrypt_seal(FrameGrant *grant, const TranscryptRequest *request, uint8_t *out, size_t out_max,
                     FrameResult *ret) {
        const ClearFrame clear = {
                .direction = FRAMEKEY_ENCRYPT,
                .format = frame_grant_format(grant),
                .media = frame_grant_media(grant),
                .codec = request->codec,
                .type = request->frame_type,
                .bytes = request->plain,
                .len = request->len,
        };
        size_t used = request->len;
        Payload payload;

        payload_plan(&clear, &payload);
        if (payload.verdict == 0 && payload.in_max > request->room)
                payload.verdict = FRAMEKEY_VERDICT_TOO_LONG;
        if (payload.verdict == 0) {
                used = MAX_OF(used, payload.in_max);
                seal(grant, request, &clear, &payload, out, out_max, ret);
        } else
                frame_note(grant, (uint8_t)payload.verdict, request->now_usec, ret);
        explicit_bzero(request->plain, used);
}
