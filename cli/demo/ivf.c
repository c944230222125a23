/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * IVF: a 32-byte header, then for each frame its length (4 bytes), its time (8 bytes) and its bytes.
 *
 *   0 "DKIF"   6 header length, 16 bits   16 rate, 32 bits   20 scale, 32 bits   (all little-endian)
 */
#include "cli/demo/media.h"

#include <endian.h>

#define HEADER_LEN  32u
#define HEADER_SIZE 6u
#define HEADER_RATE 16u
#define HEADER_UNIT 20u
#define FRAME_LEN   12u

static uint32_t read_32(const uint8_t *p) {
        uint32_t v;

        memcpy(&v, p, sizeof(v));
        return le32toh(v);
}

static uint64_t read_64(const uint8_t *p) {
        uint64_t v;

        memcpy(&v, p, sizeof(v));
        return le64toh(v);
}

int ivf_cut(Media *media) {
        const uint8_t *p = media->file.data, *end = p + media->file.len;
        uint32_t rate, unit;
        int r;

        if (media->file.len < HEADER_LEN || memcmp(p, "DKIF", 4) != 0 || p[HEADER_SIZE] != HEADER_LEN)
                return -EBADMSG;
        rate = read_32(p + HEADER_RATE);
        unit = read_32(p + HEADER_UNIT);
        if (rate == 0 || unit == 0)
                return -EBADMSG;

        for (p += HEADER_LEN; p < end;) {
                uint32_t len;
                uint64_t stamp;

                if ((size_t)(end - p) < FRAME_LEN)
                        return -EBADMSG;
                len = read_32(p);
                stamp = read_64(p + 4);
                p += FRAME_LEN;
                if (len == 0 || (size_t)(end - p) < len)
                        return -EBADMSG;
                /* RFC 6386, 9.1: the lowest bit of a VP8 frame is 0 in a key frame. */
                r = media_append(media, p, len,
                                 &(MediaFrame){ .usec = stamp * unit * USEC_PER_SEC / rate,
                                                .key = (p[0] & 1) == 0,
                                                .stamp = (int64_t)stamp });
                if (r < 0)
                        return r;
                p += len;
        }
        return 0;
}

int ivf_join(const Media *media, MediaCopy copy, FILE *file) {
        if (fwrite(media->file.data, HEADER_LEN, 1, file) != 1)
                return -EIO;
        for (size_t i = 0; i < media->n_frames; i++) {
                const Bytes *bytes = media_bytes(media, copy, i);
                uint32_t len = htole32((uint32_t)bytes->len);
                uint64_t stamp = htole64((uint64_t)media->frames[i].stamp);

                if (fwrite(&len, sizeof(len), 1, file) != 1 || fwrite(&stamp, sizeof(stamp), 1, file) != 1 ||
                    fwrite(bytes->data, 1, bytes->len, file) != bytes->len)
                        return -EIO;
        }
        return 0;
}
