/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Emulation prevention, see escape.h.
 *
 * What is searched is ciphertext, where a zero comes once in 256 bytes: memchr() from zero to zero
 * and memcpy() between the finds keep this far below the cost of encryption.
 */
#include <string.h>

#include "codec/escape.h"

/* Position of the next byte that needs an 03 in front, `len` if none. Zeros before `from` do not count: the
 * counter of the format starts anew after an insertion. */
static size_t next_insert(const uint8_t *bytes, size_t len, size_t from) {
        while (len - from > 2) {
                const uint8_t *zero = memchr(bytes + from, 0, len - from - 2);
                size_t i;

                if (!zero)
                        break;
                i = (size_t)(zero - bytes);
                if (bytes[i + 1] != 0)
                        from = i + 2;
                else if (bytes[i + 2] > 3)
                        from = i + 3;
                else
                        return i + 2;
        }
        return len;
}

/* Position of the next 00 00 03 at or after `from`, `len` if none. */
static size_t next_remove(const uint8_t *bytes, size_t len, size_t from) {
        while (len - from > 2) {
                const uint8_t *zero = memchr(bytes + from, 0, len - from - 2);
                size_t i;

                if (!zero)
                        break;
                i = (size_t)(zero - bytes);
                if (bytes[i + 1] != 0)
                        from = i + 2;
                else if (bytes[i + 2] != 3)
                        from = i + 1; /* 00 00 00 03: the last two zeros count */
                else
                        return i;
        }
        return len;
}

/* The first 00 00 03 if anything is to be removed at all, else `len`. Peers do not look at the last three bytes. */
static size_t first_remove(const uint8_t *bytes, size_t len) {
        size_t i = next_remove(bytes, len, 0);

        return len > 3 && i < len - 3 ? i : len;
}

size_t escape_count(const uint8_t *bytes, size_t len) {
        size_t n = 0;

        for (size_t i = next_insert(bytes, len, 0); i < len; i = next_insert(bytes, len, i))
                n++;
        return n;
}

size_t escape_insert(uint8_t *ret, const uint8_t *bytes, size_t len) {
        uint8_t *to = ret;
        size_t from = 0;

        while (from < len) {
                size_t i = next_insert(bytes, len, from);

                memcpy(to, bytes + from, i - from);
                to += i - from;
                if (i < len)
                        *to++ = 3;
                from = i;
        }
        return (size_t)(to - ret);
}

size_t escape_removed_len(const uint8_t *bytes, size_t len) {
        size_t n = 0;

        for (size_t i = first_remove(bytes, len); i < len; i = next_remove(bytes, len, i + 3))
                n++;
        return len - n;
}

size_t escape_remove(uint8_t *ret, const uint8_t *bytes, size_t len) {
        uint8_t *to = ret;
        size_t i = first_remove(bytes, len);
        size_t from = 0;

        while (from < len) {
                size_t end = i < len ? i + 2 : len;

                memmove(to, bytes + from, end - from);
                to += end - from;
                if (i == len)
                        break;
                from = i + 3;
                i = next_remove(bytes, len, from);
        }
        return (size_t)(to - ret);
}
