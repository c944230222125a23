/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Layout of trailer frames; see trailer.h for the picture. */
#include "format/trailer.h"

int trailer_parse(const uint8_t *frame, size_t len, size_t clear_len, TrailerFrame *ret) {
        if (len < TRAILER_OVERHEAD || clear_len > len - TRAILER_OVERHEAD)
                return TRAILER_MALFORMED;
        if (frame[len - 2] != TRAILER_IV_LEN)
                return TRAILER_MALFORMED;

        *ret = (TrailerFrame){
                .text_offset = clear_len,
                .text_len = len - TRAILER_OVERHEAD - clear_len,
                .tag_offset = len - TRAILER_OVERHEAD,
                .iv_offset = len - TRAILER_IV_LEN - 2,
                .key_index = frame[len - 1],
        };
        return 0;
}

void trailer_finish(uint8_t end[TRAILER_IV_LEN + 2], const uint8_t iv[TRAILER_IV_LEN], uint8_t key_index) {
        memcpy(end, iv, TRAILER_IV_LEN);
        end[TRAILER_IV_LEN] = TRAILER_IV_LEN;
        end[TRAILER_IV_LEN + 1] = key_index;
}
