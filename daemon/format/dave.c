/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Layout of DAVE frames; see dave.h for the picture. */
#include "format/dave.h"

/* ULEB128 numbers of 32 bits. */
#define NUMBER_MAX 5u
/* Size byte and marker. */
#define END_LEN 3u
#define MARKER  0xfau

/* Bytes before or behind a piece that can complete a start code with it. */
#define WIDENING 2u

/* ---- numbers ---- */

/* Reads one of at most 64 bits, padded or not; false if it does not end in time. */
static bool number_parse(const uint8_t *bytes, size_t len, size_t *at, uint64_t *ret) {
        uint64_t value = 0;

        for (unsigned shift = 0; *at < len && shift < 64; shift += 7) {
                uint8_t byte = bytes[(*at)++];

                if (shift == 63 && byte > 1)
                        return false;
                value |= (uint64_t)(byte & 0x7f) << shift;
                if (!(byte & 0x80)) {
                        *ret = value;
                        return true;
                }
        }
        return false;
}

static size_t number_write(uint8_t *to, uint32_t value) {
        size_t n = 0;

        for (; value >= 0x80; value >>= 7)
                to[n++] = (uint8_t)(value | 0x80);
        to[n++] = (uint8_t)value;
        return n;
}

static size_t number_len(uint32_t value) {
        uint8_t written[NUMBER_MAX];

        return number_write(written, value);
}

/* ---- receiving ---- */

/* Reads pairs up to `len`; each has to begin behind the one before. */
static bool ranges_parse(const uint8_t *bytes, size_t len, size_t at, DaveFrame *frame) {
        uint64_t end = 0, offset, size;

        while (at < len) {
                if (!number_parse(bytes, len, &at, &offset) || !number_parse(bytes, len, &at, &size))
                        return false;
                if (offset < end || offset > frame->len || size > frame->len - offset)
                        return false;
                end = offset + size;
                frame->clear[frame->n_clear++] = (DaveRange){ (uint32_t)offset, (uint32_t)size };
        }
        return true;
}

int dave_parse(const uint8_t *frame, size_t len, DaveFrame *ret) {
        const uint8_t *trailer;
        size_t trailer_len, at = DAVE_TAG_LEN;
        uint64_t nonce;

        if (len < DAVE_TRAILER_MIN || len > UINT32_MAX)
                return DAVE_MALFORMED;
        if (frame[len - 1] != MARKER || frame[len - 2] != MARKER)
                return DAVE_MALFORMED;
        trailer_len = frame[len - END_LEN];
        if (trailer_len < DAVE_TRAILER_MIN || trailer_len > len)
                return DAVE_MALFORMED;

        trailer = frame + len - trailer_len;
        if (!number_parse(trailer, trailer_len - END_LEN, &at, &nonce))
                return DAVE_MALFORMED;
        ret->len = (uint32_t)(len - trailer_len);
        ret->nonce = (uint32_t)nonce; /* libdave's truncation; the AES-GCM nonce holds no more */
        ret->n_clear = 0;
        return ranges_parse(trailer, trailer_len - END_LEN, at, ret) ? 0 : DAVE_MALFORMED;
}

bool dave_is_silence(const uint8_t *frame, size_t len) {
        static const uint8_t silence[] = { 0xf8, 0xff, 0xfe };

        return len == sizeof(silence) && memcmp(frame, silence, sizeof(silence)) == 0;
}

/* ---- sending ---- */

int dave_check_ranges(const DaveRange *clear, size_t n_clear, uint32_t len) {
        size_t trailer_len = DAVE_TAG_LEN + NUMBER_MAX + END_LEN;
        uint32_t end = 0;

        if (n_clear > DAVE_RANGES_MAX)
                return DAVE_TOO_LONG;
        for (size_t i = 0; i < n_clear; i++) {
                if (clear[i].offset < end || clear[i].offset > len || clear[i].size > len - clear[i].offset)
                        return DAVE_MALFORMED;
                end = clear[i].offset + clear[i].size;
                trailer_len += number_len(clear[i].offset) + number_len(clear[i].size);
        }
        return trailer_len <= DAVE_TRAILER_MAX ? 0 : DAVE_TOO_LONG;
}

size_t dave_finish(uint8_t *end, uint32_t nonce, const DaveRange *clear, size_t n_clear) {
        size_t len = number_write(end, nonce);

        for (size_t i = 0; i < n_clear; i++) {
                len += number_write(end + len, clear[i].offset);
                len += number_write(end + len, clear[i].size);
        }
        end[len] = (uint8_t)(DAVE_TAG_LEN + len + END_LEN);
        end[len + 1] = MARKER;
        end[len + 2] = MARKER;
        return len + END_LEN;
}

/* 00 00 01 within [from, to). */
static bool start_code_within(const uint8_t *frame, size_t from, size_t to) {
        while (to - from > 2) {
                const uint8_t *one = memchr(frame + from + 2, 1, to - from - 2);

                if (!one)
                        return false;
                if (one[-1] == 0 && one[-2] == 0)
                        return true;
                from = (size_t)(one - frame) + 1;
        }
        return false;
}

bool dave_has_start_code(const uint8_t *frame, size_t total, uint32_t len, const DaveRange *clear, size_t n_clear) {
        DaveRange pieces[DAVE_RANGES_MAX + 1];
        size_t n_pieces = dave_encrypted(clear, n_clear, len, pieces);
        size_t from;

        for (size_t i = 0; i < n_pieces; i++) {
                from = pieces[i].offset > WIDENING ? pieces[i].offset - WIDENING : 0;
                if (start_code_within(frame, from, MIN_OF((size_t)pieces[i].offset + pieces[i].size + WIDENING, total)))
                        return true;
        }
        return start_code_within(frame, len > WIDENING ? len - WIDENING : 0, total);
}

/* ---- both ---- */

size_t dave_encrypted(const DaveRange *clear, size_t n_clear, uint32_t len, DaveRange *ret) {
        uint32_t at = 0;
        size_t n = 0;

        for (size_t i = 0; i < n_clear; i++) {
                if (clear[i].offset > at)
                        ret[n++] = (DaveRange){ at, clear[i].offset - at };
                at = clear[i].offset + clear[i].size;
        }
        if (len > at)
                ret[n++] = (DaveRange){ at, len - at };
        return n;
}

void dave_nonce(uint32_t nonce, uint8_t ret[DAVE_NONCE_LEN]) {
        memset(ret, 0, DAVE_NONCE_LEN);
        for (size_t i = 0; i < 4; i++)
                ret[DAVE_NONCE_LEN - 4 + i] = (uint8_t)(nonce >> (8 * i));
}

uint64_t dave_count(uint32_t nonce, uint64_t oldest_generation) {
        uint32_t low = nonce >> DAVE_GENERATION_BITS;
        uint64_t generation = oldest_generation + (uint8_t)(low - oldest_generation);

        return generation << DAVE_GENERATION_BITS | (nonce & ((UINT32_C(1) << DAVE_GENERATION_BITS) - 1));
}
