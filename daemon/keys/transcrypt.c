/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sealing what another stream has opened; see the header for why codecs are looked at here. */
#include "keys/transcrypt.h"

#include "payload.h"

_Static_assert(sizeof(DaveRange) == sizeof(FrameRange), "the library's ranges are the daemon's");

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
        FrameRequest frame = {
                .frame_type = request->frame_type,
                .iv = request->iv,
                .now_usec = request->now_usec,
                .ssrc = request->ssrc,
                .rtp_timestamp = request->rtp_timestamp,
                .metadata = request->metadata,
                .metadata_len = request->metadata_len,
        };
        Payload payload;

        payload_plan(&clear, &payload);
        if (payload.verdict == 0 && payload.in_max > request->room)
                payload.verdict = FRAMEKEY_VERDICT_TOO_LONG;
        if (payload.verdict != 0) {
                frame_note(grant, (uint8_t)payload.verdict, request->now_usec, ret);
                return;
        }

        frame.len = payload_write(&payload, &clear, request->plain);
        frame.frame = request->plain + PAYLOAD_HEAD_LEN(&payload);
        frame.clear_len = payload.clear_len;
        frame.ranges = (const DaveRange *)payload.ranges.ranges;
        frame.n_ranges = payload.ranges.n_ranges;
        frame.start_codes = payload.ranges.scan;
        frame_process(grant, &frame, out, out_max, ret);
        if (ret->verdict == FRAMEKEY_OK && payload.escape)
                ret->flags |= TRANSCRYPT_ESCAPE;
}
