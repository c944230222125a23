/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fuzz target: trailers of hostile DAVE frames, and ranges of hostile clients. Ranges and the pieces
 * between them are the frame, start codes are found where a plain search finds them, and what is read
 * can be written and read again.
 */
#include "format/dave.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool truth) {
        if (!truth)
                abort();
}

static void check_pieces(const DaveFrame *frame, uint8_t *is_clear) {
        DaveRange pieces[DAVE_RANGES_MAX + 1];
        size_t n, sum = 0;

        must(frame->n_clear <= DAVE_RANGES_MAX);
        memset(is_clear, 0, frame->len);
        for (size_t i = 0; i < frame->n_clear; i++) {
                must(frame->clear[i].offset <= frame->len &&
                     frame->clear[i].size <= frame->len - frame->clear[i].offset);
                memset(is_clear + frame->clear[i].offset, 1, frame->clear[i].size);
                sum += frame->clear[i].size;
        }
        n = dave_encrypted(frame->clear, frame->n_clear, frame->len, pieces);
        must(n <= frame->n_clear + 1);
        for (size_t i = 0; i < n; i++) {
                must(pieces[i].size > 0);
                for (size_t k = 0; k < pieces[i].size; k++)
                        must(!is_clear[pieces[i].offset + k]);
                sum += pieces[i].size;
        }
        must(sum == frame->len);
}

static bool plain_search(const uint8_t *bytes, size_t size, size_t len, const uint8_t *is_clear) {
        for (size_t i = 0; i + 3 <= size; i++)
                if (bytes[i] == 0 && bytes[i + 1] == 0 && bytes[i + 2] == 1 &&
                    (i + 2 >= len || !is_clear[i] || !is_clear[i + 1] || !is_clear[i + 2]))
                        return true;
        return false;
}

static void check_again(const DaveFrame *frame, const uint8_t *bytes) {
        uint8_t *written;
        DaveFrame again;
        size_t len;

        if (dave_check_ranges(frame->clear, frame->n_clear, frame->len) != 0)
                return;
        written = malloc(frame->len + DAVE_TRAILER_MAX);
        memcpy(written, bytes, frame->len + DAVE_TAG_LEN);
        len = frame->len + DAVE_TAG_LEN +
              dave_finish(written + frame->len + DAVE_TAG_LEN, frame->nonce, frame->clear, frame->n_clear);
        must(len <= frame->len + DAVE_TRAILER_MAX);
        must(dave_parse(written, len, &again) == 0);
        must(again.len == frame->len && again.nonce == frame->nonce && again.n_clear == frame->n_clear);
        must(memcmp(again.clear, frame->clear, frame->n_clear * sizeof(*frame->clear)) == 0);
        free(written);
}

/* The first six bytes are the frame's length and the nonce, then come ranges as they lie in a request. What passes
 * makes a trailer that is read the same. */
static void check_client(const uint8_t *data, size_t size) {
        DaveRange clear[DAVE_RANGES_MAX + 8];
        uint32_t nonce;
        uint16_t len;
        uint8_t *written;
        DaveFrame again;
        size_t n, end = 0;

        if (size < sizeof(len) + sizeof(nonce))
                return;
        memcpy(&len, data, sizeof(len));
        memcpy(&nonce, data + sizeof(len), sizeof(nonce));
        data += sizeof(len) + sizeof(nonce);
        size -= sizeof(len) + sizeof(nonce);
        n = MIN_OF(size / sizeof(*clear), ELEMENTS(clear));
        memcpy(clear, data, n * sizeof(*clear));
        if (dave_check_ranges(clear, n, len) != 0)
                return;

        must(n <= DAVE_RANGES_MAX);
        for (size_t i = 0; i < n; i++) {
                must(clear[i].offset >= end && clear[i].offset <= len && clear[i].size <= len - clear[i].offset);
                end = clear[i].offset + clear[i].size;
        }
        written = calloc(1, (size_t)len + DAVE_TRAILER_MAX);
        size = len + DAVE_TAG_LEN + dave_finish(written + len + DAVE_TAG_LEN, nonce, clear, n);
        must(size <= (size_t)len + DAVE_TRAILER_MAX && dave_parse(written, size, &again) == 0);
        must(again.len == len && again.nonce == nonce && again.n_clear == n);
        must(memcmp(again.clear, clear, n * sizeof(*clear)) == 0);
        free(written);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        /* Of its exact length, so that the address sanitizer sees every step outside. */
        uint8_t *bytes = malloc(size ? size : 1), *is_clear;
        DaveFrame frame;
        int r;

        memcpy(bytes, data, size);
        r = dave_parse(bytes, size, &frame);
        must(r == 0 || r == DAVE_MALFORMED);
        if (r == 0) {
                must(size - frame.len >= DAVE_TRAILER_MIN && size - frame.len <= DAVE_TRAILER_MAX);
                is_clear = malloc(frame.len ? frame.len : 1);
                check_pieces(&frame, is_clear);
                must(dave_has_start_code(bytes, size, frame.len, frame.clear, frame.n_clear) ==
                     plain_search(bytes, size, frame.len, is_clear));
                check_again(&frame, bytes);
                must((uint32_t)dave_count(frame.nonce, size) == frame.nonce);
                free(is_clear);
        }
        must(dave_is_silence(bytes, size) == (size == 3 && memcmp(bytes, "\xf8\xff\xfe", 3) == 0));
        check_client(bytes, size);
        free(bytes);
        return 0;
}
