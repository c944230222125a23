/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit tests of format/dave: trailers of real and of hostile frames, ranges, start codes, counters. */
#include "format/dave.h"

#include "runner.h"
#include "vector-file.h"

static size_t unhex(const char *text, uint8_t *bytes) {
        size_t len = strlen(text) / 2;

        for (size_t i = 0; i < len; i++)
                bytes[i] = (uint8_t)(vector_nibble(text[2 * i]) << 4 | vector_nibble(text[2 * i + 1]));
        return len;
}

START_TEST(trailers_are_parsed_and_written) {
        json_t *root = vector_load("dave.json");
        const json_t *entry, *range;
        size_t i, k;

        json_array_foreach(vector_array(root, "frames"), i, entry) {
                VectorBytes encrypted = vector_hex(entry, "encrypted"), tag = vector_hex(entry, "tag");
                size_t trailer_len = vector_number(entry, "supplemental_size");
                const json_t *ranges = json_object_get(entry, "clear_ranges");
                uint8_t end[DAVE_TRAILER_MAX - DAVE_TAG_LEN];
                DaveFrame frame;

                ck_assert_int_eq(dave_parse(encrypted.bytes, encrypted.len, &frame), 0);
                ck_assert_uint_eq(frame.len, encrypted.len - trailer_len);
                ck_assert_uint_eq(frame.nonce, vector_number(entry, "nonce"));
                ck_assert_mem_eq(encrypted.bytes + frame.len, tag.bytes, DAVE_TAG_LEN);
                ck_assert_uint_eq(frame.n_clear, json_array_size(ranges));
                json_array_foreach(ranges, k, range) {
                        ck_assert_int_eq(frame.clear[k].offset, json_integer_value(json_array_get(range, 0)));
                        ck_assert_int_eq(frame.clear[k].size, json_integer_value(json_array_get(range, 1)));
                }
                ck_assert_int_eq(dave_check_ranges(frame.clear, frame.n_clear, frame.len), 0);
                ck_assert_uint_eq(dave_finish(end, frame.nonce, frame.clear, frame.n_clear),
                                  trailer_len - DAVE_TAG_LEN);
                ck_assert_mem_eq(end, encrypted.bytes + frame.len + DAVE_TAG_LEN, trailer_len - DAVE_TAG_LEN);
                /* A sender of H.26x sends none with a start code in it. */
                if (strncmp(vector_text(entry, "codec"), "h26", 3) == 0)
                        ck_assert(!dave_has_start_code(encrypted.bytes, encrypted.len, frame.len, frame.clear,
                                                       frame.n_clear));
        }
        json_decref(root);
}
END_TEST

/* By format alone; the others are for the tag to find. */
START_TEST(hostile_trailers_of_the_vectors) {
        static const char *const malformed[] = { "supplemental-size-zero",
                                                 "supplemental-size-over",
                                                 "marker-wrong",
                                                 "only-11-bytes",
                                                 "only-10-bytes",
                                                 "range-overlap",
                                                 "range-out-of-order",
                                                 "range-to-end-of-frame",
                                                 "supplemental-size-plus-one",
                                                 "opus-silence-as-video",
                                                 "opus-silence-passes-clear" };
        json_t *root = vector_load("dave.json");
        const json_t *entry;
        size_t i, n_malformed = 0;

        json_array_foreach(vector_array(root, "negative"), i, entry) {
                VectorBytes encrypted = vector_hex(entry, "encrypted");
                DaveFrame frame;
                int expected = 0;

                for (size_t k = 0; k < ELEMENTS(malformed); k++)
                        if (strcmp(malformed[k], vector_text(entry, "name")) == 0)
                                expected = DAVE_MALFORMED;
                ck_assert_msg(dave_parse(encrypted.bytes, encrypted.len, &frame) == expected, "%s",
                              vector_text(entry, "name"));
                n_malformed += expected != 0;
                /* Two encodings of one nonce are the same to the tag and to the replay window. */
                if (strncmp(vector_text(entry, "name"), "nonce-", 6) == 0 &&
                    strcmp(vector_text(entry, "decrypt"), "ok") == 0)
                        ck_assert_uint_eq(frame.nonce, 42);
        }
        ck_assert_uint_eq(n_malformed, ELEMENTS(malformed));
        json_decref(root);
}
END_TEST

START_TEST(hostile_trailers_of_ours) {
        static const struct {
                const char *what;
                const char *rest; /* behind 16 bytes of frame and 8 of tag */
                int expected;
        } cases[] = {
                { "no nonce", "0bfafa", DAVE_MALFORMED },
                { "nonce without an end", "80800dfafa", DAVE_MALFORMED },
                { "nonce of 10 bytes", "8080808080808080800115fafa", 0 },
                { "nonce of 65 bits", "8080808080808080800215fafa", DAVE_MALFORMED },
                { "nonce of 11 bytes", "808080808080808080800016fafa", DAVE_MALFORMED },
                { "offset alone", "01000dfafa", DAVE_MALFORMED },
                { "range to the tag", "0100100efafa", 0 },
                { "range into the tag", "0100110efafa", DAVE_MALFORMED },
                { "empty range at the tag", "0110000efafa", 0 },
                { "empty range behind it", "0111000efafa", DAVE_MALFORMED },
                { "ranges that meet", "01000404 0410fafa", 0 },
                { "ranges that overlap", "010004030410fafa", DAVE_MALFORMED },
                { "offset of 64 bits", "01ffffffffffffffffff010117fafa", DAVE_MALFORMED },
                { "size of 64 bits", "0101ffffffffffffffffff0117fafa", DAVE_MALFORMED },
                { "size that wraps", "0101feffffffffffffffff0117fafa", DAVE_MALFORMED },
                { "marker first", "010cfafb", DAVE_MALFORMED },
                { "marker second", "010cfbfa", DAVE_MALFORMED },
        };
        uint8_t bytes[64] = { 0 };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                char rest[64] = "";
                DaveFrame frame;
                size_t len;

                for (const char *c = cases[i].rest; *c; c++)
                        if (*c != ' ')
                                strncat(rest, c, 1);
                len = 24 + unhex(rest, bytes + 24);
                ck_assert_msg(dave_parse(bytes, len, &frame) == cases[i].expected, "%s", cases[i].what);
        }
}
END_TEST

/* 121 empty ranges in 255 bytes, and what can be cut off of that. */
START_TEST(a_trailer_can_be_full_of_ranges) {
        uint8_t bytes[DAVE_TRAILER_MAX] = { 0 };
        DaveFrame frame;

        bytes[DAVE_TAG_LEN] = 0x80; /* a nonce of two bytes leaves room for pairs of one each */
        memcpy(bytes + DAVE_TRAILER_MAX - 3, (const uint8_t[]){ 255, 0xfa, 0xfa }, 3);
        ck_assert_int_eq(dave_parse(bytes, sizeof(bytes), &frame), 0);
        ck_assert_uint_eq(frame.n_clear, DAVE_RANGES_MAX);
        for (size_t from = 1; from < sizeof(bytes); from++)
                ck_assert_int_eq(dave_parse(bytes + from, sizeof(bytes) - from, &frame), DAVE_MALFORMED);
}
END_TEST

START_TEST(silence_is_three_bytes) {
        static const uint8_t bytes[] = { 0xf8, 0xff, 0xfe, 0x00 }, other[] = { 0xf8, 0xff, 0xff };

        for (size_t len = 0; len <= sizeof(bytes); len++)
                ck_assert_int_eq(dave_is_silence(bytes, len), len == 3);
        ck_assert(!dave_is_silence(other, sizeof(other)));
}
END_TEST

/* ---- ranges ---- */

START_TEST(client_ranges_are_checked) {
        static const struct {
                DaveRange clear[3];
                size_t n;
                int expected;
        } cases[] = {
                { { { 0, 0 } }, 0, 0 },
                { { { 0, 100 } }, 1, 0 },
                { { { 0, 101 } }, 1, DAVE_MALFORMED },
                { { { 100, 0 } }, 1, 0 },
                { { { 101, 0 } }, 1, DAVE_MALFORMED },
                { { { UINT32_MAX, 1 } }, 1, DAVE_MALFORMED },
                { { { 1, UINT32_MAX } }, 1, DAVE_MALFORMED },
                { { { 0, 5 }, { 5, 5 }, { 20, 80 } }, 3, 0 },
                { { { 0, 5 }, { 4, 5 } }, 2, DAVE_MALFORMED },
                { { { 10, 5 }, { 0, 5 } }, 2, DAVE_MALFORMED },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++)
                ck_assert_int_eq(dave_check_ranges(cases[i].clear, cases[i].n, 100), cases[i].expected);
}
END_TEST

START_TEST(ranges_have_to_fit_the_trailer) {
        DaveRange clear[DAVE_RANGES_MAX + 1] = { { 0, 0 } };
        uint8_t bytes[1024 + DAVE_TRAILER_MAX] = { 0 };

        for (size_t n = 0; n <= ELEMENTS(clear); n++) {
                size_t expected_len = DAVE_TAG_LEN + 5 + 3 + (n <= 42 ? 2 * n : 84 + 3 * (n - 42));
                int expected = expected_len <= DAVE_TRAILER_MAX ? 0 : DAVE_TOO_LONG;
                DaveFrame frame;

                if (n > 0)
                        clear[n - 1] = (DaveRange){ (uint32_t)(3 * (n - 1) + (n > 42 ? 2 : 0)), 2 };
                ck_assert_int_eq(dave_check_ranges(clear, n, 1024), expected);
                if (expected != 0)
                        continue;
                ck_assert_uint_eq(dave_finish(bytes + 1024 + DAVE_TAG_LEN, UINT32_MAX, clear, n),
                                  expected_len - DAVE_TAG_LEN);
                ck_assert_int_eq(dave_parse(bytes, 1024 + expected_len, &frame), 0);
                ck_assert_uint_eq(frame.len, 1024);
                ck_assert_uint_eq(frame.n_clear, n);
                ck_assert_mem_eq(frame.clear, clear, n * sizeof(*clear));
        }
}
END_TEST

START_TEST(pieces_lie_between_the_ranges) {
        static const struct {
                DaveRange clear[3];
                size_t n;
                DaveRange pieces[4];
                size_t n_pieces;
        } cases[] = {
                { { { 0, 0 } }, 0, { { 0, 50 } }, 1 },
                { { { 0, 50 } }, 1, { { 0, 0 } }, 0 },
                { { { 0, 10 } }, 1, { { 10, 40 } }, 1 },
                { { { 40, 10 } }, 1, { { 0, 40 } }, 1 },
                { { { 1, 2 }, { 3, 0 }, { 3, 5 } }, 3, { { 0, 1 }, { 8, 42 } }, 2 },
                { { { 1, 2 }, { 10, 5 }, { 20, 1 } }, 3, { { 0, 1 }, { 3, 7 }, { 15, 5 }, { 21, 29 } }, 4 },
        };
        DaveRange pieces[4];

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                ck_assert_uint_eq(dave_encrypted(cases[i].clear, cases[i].n, 50, pieces), cases[i].n_pieces);
                ck_assert_mem_eq(pieces, cases[i].pieces, cases[i].n_pieces * sizeof(*pieces));
        }
        ck_assert_uint_eq(dave_encrypted(NULL, 0, 0, pieces), 0);
}
END_TEST

/* ---- start codes ---- */

/* At every place of a frame of two clear ranges: found where an encrypted byte or one of the trailer is part of it. */
START_TEST(start_codes_are_found_where_a_packetiser_would) {
        static const DaveRange clear[] = { { 0, 6 }, { 20, 6 }, { 26, 3 } };
        uint8_t bytes[52];

        for (size_t at = 0; at + 3 <= sizeof(bytes); at++) {
                bool expected = false;

                memset(bytes, 0xaa, sizeof(bytes));
                memcpy(bytes + at, (const uint8_t[]){ 0, 0, 1 }, 3);
                for (size_t i = at; i < at + 3; i++)
                        expected |= !(i < 6 || (i >= 20 && i < 29));
                ck_assert_msg(dave_has_start_code(bytes, sizeof(bytes), 40, clear, 3) == expected, "at %zu", at);
                /* Every single bit of it counts. */
                for (size_t bit = 0; bit < 24; bit++) {
                        bytes[at + bit / 8] ^= (uint8_t)(1u << bit % 8);
                        ck_assert(!dave_has_start_code(bytes, sizeof(bytes), 40, clear, 3));
                        bytes[at + bit / 8] ^= (uint8_t)(1u << bit % 8);
                }
        }
}
END_TEST

START_TEST(start_codes_hide_behind_zeros_and_ones) {
        static const struct {
                const char *bytes;
                bool expected;
        } cases[] = {
                { "000001", true },          { "00000001", true },    { "0100000100", true },
                { "010101000001", true },    { "0001000100", false }, { "000000", false },
                { "0001", false },           { "", false },           { "01000101000001", true },
                { "00000200000302", false },
        };
        uint8_t bytes[16];

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                size_t len = unhex(cases[i].bytes, bytes);

                /* As encrypted frame, and as trailer alone. */
                ck_assert_int_eq(dave_has_start_code(bytes, len, (uint32_t)len, NULL, 0), cases[i].expected);
                ck_assert_int_eq(dave_has_start_code(bytes, len, 0, NULL, 0), cases[i].expected);
        }
}
END_TEST

/* ---- counters ---- */

START_TEST(generations_go_on_when_the_nonce_wraps) {
        static const struct {
                uint32_t nonce;
                uint64_t oldest;
                uint64_t count;
        } cases[] = {
                { 1, 0, 1 },
                { 0x00ffffff, 0, 0x00ffffff },
                { 0x01000000, 0, 0x01000000 },
                { UINT32_MAX, 0, UINT32_MAX },
                { UINT32_MAX, 255, UINT32_MAX },
                { 0, 255, UINT64_C(1) << 32 },
                { 0, 1, UINT64_C(1) << 32 },
                { 5, 256, (UINT64_C(1) << 32) + 5 },
                { 0xff000005, 256, (UINT64_C(511) << 24) + 5 },
        };
        uint8_t nonce[DAVE_NONCE_LEN];

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                ck_assert_uint_eq(dave_count(cases[i].nonce, cases[i].oldest), cases[i].count);
                ck_assert_uint_eq((uint32_t)cases[i].count, cases[i].nonce);
                ck_assert_uint_ge(dave_generation(cases[i].count), cases[i].oldest);
                ck_assert_uint_lt(dave_generation(cases[i].count), cases[i].oldest + 256);
        }
        dave_nonce(0x01020304, nonce);
        ck_assert_mem_eq(nonce, ((const uint8_t[]){ 0, 0, 0, 0, 0, 0, 0, 0, 4, 3, 2, 1 }), DAVE_NONCE_LEN);
}
END_TEST

RUN_TESTS("dave", trailers_are_parsed_and_written, hostile_trailers_of_the_vectors, hostile_trailers_of_ours,
          a_trailer_can_be_full_of_ranges, silence_is_three_bytes, client_ranges_are_checked,
          ranges_have_to_fit_the_trailer, pieces_lie_between_the_ranges, start_codes_are_found_where_a_packetiser_would,
          start_codes_hide_behind_zeros_and_ones, generations_go_on_when_the_nonce_wraps)
