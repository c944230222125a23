/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * NAL search with the quirks of LiveKit's worker, see nalu.h.
 *
 *   [00 ...] 00 00 01 | header ... [00] 00 00 01 | header ...
 *                       ^ offset
 *
 * Quirks kept: a start code counts only if its 01 stands before the last byte of the frame; a unit
 * of fewer than 4 bytes at the end is not seen; anything but zeros before the first start code
 * makes the frame one without units; H.264 is looked for in the whole frame before H.265, so that
 * an H.264 unit whose header reads as H.265 (SEI, AUD) does not outrank the slice behind it.
 */
#include <string.h>

#include "codec/nalu.h"

/* Fewest bytes from a unit's header to the end of the frame for the unit to be seen. */
#define UNIT_MIN 4u

static bool is_h264_slice(uint8_t header) {
        unsigned type = header & 0x1f;

        return type == 1 || type == 5;
}

static bool is_h265_slice(uint8_t header) {
        unsigned type = (header >> 1) & 0x3f;

        return type <= 9 || (type >= 16 && type <= 21);
}

/* Header position of the next unit whose start code lies wholly at or after `from`; `len` if none. */
static size_t next_unit(const uint8_t *frame, size_t len, size_t from) {
        /* The last byte can't be the 01 of a start code, so the search ends before it. */
        while (len - from > 3) {
                const uint8_t *one = memchr(frame + from + 2, 1, len - from - 3);
                size_t i;

                if (!one)
                        break;
                i = (size_t)(one - frame);
                if (frame[i - 1] == 0 && frame[i - 2] == 0)
                        return i + 1;
                from = i + 1;
        }
        return len;
}

/* Whether only zeros stand before the first start code, whose unit begins at `unit`. */
static bool leads_with_zeros(const uint8_t *frame, size_t unit) {
        for (size_t i = 0; i + 3 < unit; i++)
                if (frame[i] != 0)
                        return false;
        return true;
}

int nalu_find_slice(const uint8_t *frame, size_t len, NaluSlice *ret) {
        size_t h265 = len;
        size_t unit;

        /* Cheap way out for everything that isn't Annex B: the first byte of a start code is zero. */
        if (len <= UNIT_MIN || frame[0] != 0)
                return NALU_NONE;
        unit = next_unit(frame, len, 0);
        if (unit >= len || !leads_with_zeros(frame, unit))
                return NALU_NONE;

        for (; len - unit >= UNIT_MIN; unit = next_unit(frame, len, unit)) {
                if (is_h264_slice(frame[unit])) {
                        *ret = (NaluSlice){ .offset = unit, .codec = NALU_H264, .intra = (frame[unit] & 0x1f) == 5 };
                        return 0;
                }
                if (h265 == len && is_h265_slice(frame[unit]))
                        h265 = unit;
        }
        if (h265 == len)
                return NALU_NONE;
        *ret = (NaluSlice){ .offset = h265, .codec = NALU_H265, .intra = ((frame[h265] >> 1) & 0x3f) >= 16 };
        return 0;
}

/* Position of the next short start code at or after `from`, `len` if none. */
static size_t next_short(const uint8_t *bytes, size_t len, size_t from) {
        for (size_t i = from; len >= 3 && i <= len - 3; i++)
                if (bytes[i] == 0 && bytes[i + 1] == 0 && bytes[i + 2] == 1 && (i == 0 || bytes[i - 1] != 0))
                        return i;
        return len;
}

size_t nalu_count_short(const uint8_t *bytes, size_t len) {
        size_t n = 0;

        for (size_t i = next_short(bytes, len, 0); i < len; i = next_short(bytes, len, i + 3))
                n++;
        return n;
}

void nalu_lengthen(uint8_t *bytes, size_t len, size_t n_short) {
        const size_t end = len + n_short;
        size_t to = end;

        /* From the end, so that nothing is overwritten before it moved; once `to` meets `from` the rest stays. */
        for (size_t from = len; to > from;) {
                bytes[--to] = bytes[--from];
                if (end - to >= 3 && bytes[to] == 0 && bytes[to + 1] == 0 && bytes[to + 2] == 1 &&
                    (from == 0 || bytes[from - 1] != 0))
                        bytes[--to] = 0;
        }
}
