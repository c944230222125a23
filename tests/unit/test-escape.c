/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Emulation prevention: what LiveKit's worker inserts and removes. */
#include <stdbool.h>
#include <string.h>

#include "codec/escape.h"
#include "runner.h"

#define BYTES(...) { __VA_ARGS__ }, sizeof((uint8_t[]){ __VA_ARGS__ })

static const struct {
        const char *claim;
        uint8_t plain[16];
        size_t plain_len;
        uint8_t escaped[24];
        size_t escaped_len;
} rows[] = {
        { "start code", BYTES(0, 0, 1), BYTES(0, 0, 3, 1) },
        { "the escape itself", BYTES(0, 0, 3), BYTES(0, 0, 3, 3) },
        { "4 is let through", BYTES(0, 0, 4), BYTES(0, 0, 4) },
        { "four zeros", BYTES(0, 0, 0, 0), BYTES(0, 0, 3, 0, 0) },
        { "five zeros", BYTES(0, 0, 0, 0, 0), BYTES(0, 0, 3, 0, 0, 3, 0) },
        { "zeros at the end get nothing", BYTES(9, 0, 0), BYTES(9, 0, 0) },
        { "one zero is nothing", BYTES(0, 1, 0, 2, 0, 3), BYTES(0, 1, 0, 2, 0, 3) },
        { "zeros count anew behind a 4", BYTES(0, 0, 4, 0, 1), BYTES(0, 0, 4, 0, 1) },
};

START_TEST(inserts_what_the_worker_inserts) {
        uint8_t out[ESCAPE_MAX(16)];

        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
                ck_assert_msg(escape_insert(out, rows[i].plain, rows[i].plain_len) == rows[i].escaped_len, "%s",
                              rows[i].claim);
                ck_assert_msg(memcmp(out, rows[i].escaped, rows[i].escaped_len) == 0, "%s", rows[i].claim);
                ck_assert_uint_eq(rows[i].plain_len + escape_count(rows[i].plain, rows[i].plain_len),
                                  rows[i].escaped_len);
        }
}
END_TEST

static void check_removes(const uint8_t *in, size_t len, const uint8_t *expected, size_t expected_len) {
        uint8_t out[32];

        ck_assert_uint_eq(escape_removed_len(in, len), expected_len);
        ck_assert_uint_eq(escape_remove(out, in, len), expected_len);
        ck_assert(memcmp(out, expected, expected_len) == 0);
}

START_TEST(removes_nothing_for_an_escape_in_the_last_three_bytes_alone) {
        static const uint8_t in[] = { 9, 9, 0, 0, 3 };

        check_removes(in, sizeof(in), in, sizeof(in));
}
END_TEST

START_TEST(removes_the_last_escape_too_if_there_is_another) {
        static const uint8_t in[] = { 0, 0, 3, 9, 0, 0, 3 };
        static const uint8_t out[] = { 0, 0, 9, 0, 0 };

        check_removes(in, sizeof(in), out, sizeof(out));
}
END_TEST

START_TEST(removes_by_the_last_two_of_three_zeros) {
        static const uint8_t in[] = { 0, 0, 0, 3, 1, 9 };
        static const uint8_t out[] = { 0, 0, 0, 1, 9 };

        check_removes(in, sizeof(in), out, sizeof(out));
}
END_TEST

/* Both directions as the format document words them: a counter, byte by byte. */
static size_t slow_insert(uint8_t *ret, const uint8_t *bytes, size_t len) {
        unsigned zeros = 0;
        size_t to = 0;

        for (size_t i = 0; i < len; i++) {
                if (bytes[i] <= 3 && zeros >= 2) {
                        ret[to++] = 3;
                        zeros = 0;
                }
                ret[to++] = bytes[i];
                zeros = bytes[i] == 0 ? zeros + 1 : 0;
        }
        return to;
}

static size_t slow_remove(uint8_t *ret, const uint8_t *bytes, size_t len) {
        bool needed = false;
        size_t to = 0;

        for (size_t i = 0; i + 3 < len; i++)
                needed |= bytes[i] == 0 && bytes[i + 1] == 0 && bytes[i + 2] == 3;
        for (size_t i = 0; i < len;) {
                if (needed && len - i >= 3 && bytes[i] == 0 && bytes[i + 1] == 0 && bytes[i + 2] == 3) {
                        ret[to++] = bytes[i++];
                        ret[to++] = bytes[i++];
                        i++;
                } else
                        ret[to++] = bytes[i++];
        }
        return to;
}

static void check_against_slow(const uint8_t *bytes, size_t len) {
        uint8_t expected[400], out[400], in_place[400];
        size_t expected_len;

        expected_len = slow_insert(expected, bytes, len);
        ck_assert_uint_eq(escape_insert(out, bytes, len), expected_len);
        ck_assert(memcmp(out, expected, expected_len) == 0);
        ck_assert_uint_eq(len + escape_count(bytes, len), expected_len);
        ck_assert_uint_le(expected_len, ESCAPE_MAX(len));

        expected_len = slow_remove(expected, bytes, len);
        ck_assert_uint_eq(escape_removed_len(bytes, len), expected_len);
        memcpy(in_place, bytes, len);
        ck_assert_uint_eq(escape_remove(in_place, in_place, len), expected_len);
        ck_assert(memcmp(in_place, expected, expected_len) == 0);
}

START_TEST(agrees_with_the_worker_on_all_short_buffers) {
        static const uint8_t alphabet[] = { 0, 1, 3, 4 };
        uint8_t bytes[9] = { 0 };

        for (size_t len = 0; len <= sizeof(bytes); len++)
                for (uint32_t n = 0; n < 1u << (2 * len); n++) {
                        for (size_t i = 0; i < len; i++)
                                bytes[i] = alphabet[n >> (2 * i) & 3];
                        check_against_slow(bytes, len);
                }
}
END_TEST

START_TEST(agrees_with_the_worker_on_random_buffers) {
        uint8_t bytes[256];

        srandom(2);
        for (unsigned n = 0; n < 100000; n++) {
                size_t len = (size_t)random() % (sizeof(bytes) + 1);
                unsigned spread = 1u << random() % 9;

                for (size_t i = 0; i < len; i++)
                        bytes[i] = (uint8_t)((unsigned long)random() % spread);
                check_against_slow(bytes, len);
        }
}
END_TEST

START_TEST(what_was_inserted_can_be_removed) {
        uint8_t bytes[64], escaped[ESCAPE_MAX(sizeof(bytes))], back[ESCAPE_MAX(sizeof(bytes))];

        srandom(3);
        for (unsigned n = 0; n < 100000; n++) {
                size_t escaped_len;

                for (size_t i = 0; i < sizeof(bytes); i++)
                        bytes[i] = (uint8_t)(random() % 6);
                /* As every frame ends: IV length and key index, so that no escape is in the last three bytes. */
                bytes[sizeof(bytes) - 2] = 0x0c;
                bytes[sizeof(bytes) - 1] = (uint8_t)(random() % 4);
                escaped_len = escape_insert(escaped, bytes, sizeof(bytes));
                ck_assert_uint_eq(escaped[escaped_len - 1], bytes[sizeof(bytes) - 1]);
                ck_assert_uint_eq(escape_remove(back, escaped, escaped_len), sizeof(bytes));
                ck_assert(memcmp(back, bytes, sizeof(bytes)) == 0);
        }
}
END_TEST

RUN_TESTS("escape", inserts_what_the_worker_inserts, removes_nothing_for_an_escape_in_the_last_three_bytes_alone,
          removes_the_last_escape_too_if_there_is_another, removes_by_the_last_two_of_three_zeros,
          agrees_with_the_worker_on_all_short_buffers, agrees_with_the_worker_on_random_buffers,
          what_was_inserted_can_be_removed)
