/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SFrame's header and key ids; see sframe.h for the picture. */
#include "format/sframe.h"

/* Largest value that the configuration byte holds itself. */
#define INLINE_MAX 7u
#define EXTENDED   0x8u
/* Fewer leave the steps ahead and those of late frames alike (see the header). */
#define RATCHET_BITS_MIN 3u
#define RATCHET_BITS_MAX 32u

/* Shifts by all 64 bits, which C leaves undefined, happen with fields of no or of all bits. */
static uint64_t shift_left(uint64_t value, unsigned bits) {
        return bits < 64 ? value << bits : 0;
}

static uint64_t shift_right(uint64_t value, unsigned bits) {
        return bits < 64 ? value >> bits : 0;
}

static uint64_t low_bits(uint64_t value, unsigned bits) {
        return bits < 64 ? value & ((UINT64_C(1) << bits) - 1) : value;
}

/* ---- header ---- */

/* Writes the number behind the configuration byte if need be, and returns its half of that byte. */
static uint8_t number_write(uint64_t value, uint8_t *to, size_t *len) {
        size_t n = (71 - (size_t)__builtin_clzll(value | 1)) / 8;

        if (value <= INLINE_MAX)
                return (uint8_t)value;
        for (size_t i = 0; i < n; i++)
                to[*len + i] = (uint8_t)(value >> (8 * (n - 1 - i)));
        *len += n;
        return (uint8_t)(EXTENDED | (n - 1));
}

static int number_parse(unsigned half, const uint8_t *frame, size_t len, size_t *at, uint64_t *ret) {
        size_t n = (half & INLINE_MAX) + 1;
        uint64_t value = 0;

        if (!(half & EXTENDED)) {
                *ret = half;
                return 0;
        }
        if (len - *at < n)
                return SFRAME_TRUNCATED;
        for (size_t i = 0; i < n; i++)
                value = value << 8 | frame[*at + i];
        if (value <= INLINE_MAX || (n > 1 && frame[*at] == 0))
                return SFRAME_NOT_MINIMAL;
        *at += n;
        *ret = value;
        return 0;
}

size_t sframe_header_write(uint64_t kid, uint64_t ctr, uint8_t ret[SFRAME_HEADER_MAX]) {
        size_t len = 1;
        uint8_t kid_half, ctr_half;

        kid_half = number_write(kid, ret, &len);
        ctr_half = number_write(ctr, ret, &len);
        ret[0] = (uint8_t)(kid_half << 4 | ctr_half);
        return len;
}

int sframe_header_parse(const uint8_t *frame, size_t len, SFrameHeader *ret) {
        SFrameHeader header = { .len = 1 };
        int r;

        if (len == 0)
                return SFRAME_TRUNCATED;
        r = number_parse(frame[0] >> 4, frame, len, &header.len, &header.kid);
        if (r == 0)
                r = number_parse(frame[0] & 0xf, frame, len, &header.len, &header.ctr);
        if (r == 0)
                *ret = header;
        return r;
}

int sframe_parse(const uint8_t *frame, size_t len, size_t tag_len, SFrame *ret) {
        SFrameHeader header;
        int r;

        r = sframe_header_parse(frame, len, &header);
        if (r != 0)
                return r;
        if (len - header.len < tag_len)
                return SFRAME_TRUNCATED;
        *ret = (SFrame){
                .header = header,
                .text_len = len - header.len - tag_len,
                .tag_offset = len - tag_len,
        };
        return 0;
}

/* ---- sender keys ---- */

bool sframe_ratchet_bits_valid(unsigned ratchet_bits) {
        return ratchet_bits == 0 || (ratchet_bits >= RATCHET_BITS_MIN && ratchet_bits <= RATCHET_BITS_MAX);
}

int sframe_sender_kid(uint64_t generation, uint64_t step, unsigned ratchet_bits, uint64_t *ret_kid) {
        if (ratchet_bits >= 64 || low_bits(generation, 64 - ratchet_bits) != generation)
                return SFRAME_OUT_OF_RANGE;
        *ret_kid = shift_left(generation, ratchet_bits) | low_bits(step, ratchet_bits);
        return 0;
}

uint64_t sframe_sender_generation(uint64_t kid, unsigned ratchet_bits) {
        return shift_right(kid, ratchet_bits);
}

uint64_t sframe_sender_step(uint64_t kid, unsigned ratchet_bits, uint64_t step, uint64_t n_behind) {
        uint64_t first = step > n_behind ? step - n_behind : 0;

        return first + low_bits(kid - first, ratchet_bits);
}

/* ---- MLS ---- */

int sframe_mls_pack(SFrameMlsLayout layout, const SFrameMlsKid *parts, uint64_t *ret_kid) {
        unsigned context_at = (unsigned)layout.index_bits + layout.epoch_bits;

        if (context_at > 64 || low_bits(parts->index, layout.index_bits) != parts->index ||
            low_bits(parts->context, 64 - context_at) != parts->context)
                return SFRAME_OUT_OF_RANGE;
        *ret_kid = shift_left(parts->context, context_at) | shift_left(parts->index, layout.epoch_bits) |
                   low_bits(parts->epoch, layout.epoch_bits);
        return 0;
}

int sframe_mls_unpack(SFrameMlsLayout layout, uint64_t kid, SFrameMlsKid *ret) {
        unsigned context_at = (unsigned)layout.index_bits + layout.epoch_bits;

        if (context_at > 64)
                return SFRAME_OUT_OF_RANGE;
        *ret = (SFrameMlsKid){
                .context = shift_right(kid, context_at),
                .index = low_bits(shift_right(kid, layout.epoch_bits), layout.index_bits),
                .epoch = low_bits(kid, layout.epoch_bits),
        };
        return 0;
}
