/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * H.264 as a byte stream (H.264 Annex B), cut where an access unit delimiter begins; the encoder
 * is told to write one before every picture.
 *
 * Every start code is written with four bytes. LiveKit's format makes them so in the part of a frame that stays
 * clear, because its peers do; a stream that has short ones there is decrypted to an equivalent one,
 * not to the same bytes, and the demo wants to compare bytes. Emulation prevention keeps 00 00 01
 * out of everything but start codes, so lengthening them changes nothing for a decoder.
 */
#include "cli/demo/media.h"

#define NAL_TYPE(byte) ((byte)&0x1f)
#define NAL_IDR        5
#define NAL_DELIMITER  9

/* Offset of the next 00 00 01 at or after `from`, or `len`. */
static size_t find_start_code(const uint8_t *data, size_t len, size_t from) {
        for (size_t i = from; i + 3 <= len; i++)
                if (data[i] == 0 && data[i + 1] == 0 && data[i + 2] == 1)
                        return i;
        return len;
}

static int lengthen(Bytes *file) {
        uint8_t *out = malloc(file->len + file->len / 3 + 1);
        size_t n = 0, from = 0;

        if (!out)
                return -ENOMEM;
        while (from < file->len) {
                size_t code = find_start_code(file->data, file->len, from);

                memcpy(out + n, file->data + from, code - from);
                n += code - from;
                if (code == file->len)
                        break;
                if (code == 0 || file->data[code - 1] != 0)
                        out[n++] = 0;
                memcpy(out + n, file->data + code, 3);
                n += 3;
                from = code + 3;
        }
        free(file->data);
        *file = (Bytes){ out, n };
        return 0;
}

static int append_unit(Media *media, const uint8_t *data, size_t len) {
        MediaFrame facts = { .usec = media->n_frames * USEC_PER_SEC / MEDIA_FPS };

        for (size_t code = find_start_code(data, len, 0); code + 3 < len; code = find_start_code(data, len, code + 3))
                facts.key |= NAL_TYPE(data[code + 3]) == NAL_IDR;
        return media_append(media, data, len, &facts);
}

int annexb_cut(Media *media) {
        const uint8_t *data;
        size_t len, begin = 0;
        int r;

        r = lengthen(&media->file);
        if (r < 0)
                return r;
        data = media->file.data;
        len = media->file.len;
        if (len < 5 || find_start_code(data, len, 0) != 1 || NAL_TYPE(data[4]) != NAL_DELIMITER)
                return -EBADMSG;

        for (size_t code = 1; code < len;) {
                size_t next = find_start_code(data, len, code + 3);

                if (next == len || (next + 3 < len && NAL_TYPE(data[next + 3]) == NAL_DELIMITER)) {
                        size_t end = next == len ? len : next - 1; /* with the first zero of the long start code */

                        r = append_unit(media, data + begin, end - begin);
                        if (r < 0)
                                return r;
                        begin = end;
                }
                code = next;
        }
        return 0;
}

int annexb_join(const Media *media, MediaCopy copy, FILE *file) {
        for (size_t i = 0; i < media->n_frames; i++) {
                const Bytes *bytes = media_bytes(media, copy, i);

                if (fwrite(bytes->data, 1, bytes->len, file) != bytes->len)
                        return -EIO;
        }
        return 0;
}
