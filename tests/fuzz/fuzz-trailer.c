/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fuzz target: frame metadata trailers of hostile frames; what is read can be written again and read the same. */
#include <stdlib.h>
#include <string.h>

#include <framekey.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int truth) {
        if (!truth)
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct framekey_trailer trailer = { .size = sizeof(trailer) }, again = { .size = sizeof(again) };
        uint8_t *frame = malloc(size + FRAMEKEY_TRAILER_MAX + 1);
        size_t length = 0, longer, shorter;
        int r;

        memcpy(frame, data, size);
        r = framekey_trailer_strip(frame, size, &trailer, &length);
        must(r == 0 || r == 1);
        if (r == 1) {
                must(length <= size - 5 && trailer.fields != 0);
                must(trailer.user_data_length <= FRAMEKEY_TRAILER_USER_DATA_MAX);
                r = framekey_trailer_append(frame, length + 1, size + FRAMEKEY_TRAILER_MAX + 1, &trailer, &longer);
                must(r == 0 && longer > length + 1);
                must(framekey_trailer_strip(frame, longer, &again, &shorter) == 1 && shorter == length + 1);
                must(again.fields == trailer.fields && again.user_timestamp == trailer.user_timestamp &&
                     again.frame_id == trailer.frame_id && again.user_data_length == trailer.user_data_length &&
                     memcmp(again.user_data, trailer.user_data, trailer.user_data_length) == 0);
        }
        free(frame);
        return 0;
}
