/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Emulation prevention for H.264 and H.265 (formats/trailer-frames, section 2, items 5 and 6): the
 * encrypted part must not look like a start code to a packetiser.
 *
 * Pure: bytes in, bytes out. The bytes may be hostile.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Longest result of escaping `len` bytes: at worst every second byte gets one more. */
#define ESCAPE_MAX(len) ((len) + (len) / 2)

/* How many bytes escape_insert() adds to `len` bytes. */
size_t escape_count(const uint8_t *bytes, size_t len);
/* Writes `bytes` with an 03 in front of every byte <= 03 that follows two zeros; returns the length, at most
 * ESCAPE_MAX(len). The buffers must not overlap. */
size_t escape_insert(uint8_t *ret, const uint8_t *bytes, size_t len);

/* Length of what escape_remove() leaves of `len` bytes. */
size_t escape_removed_len(const uint8_t *bytes, size_t len);
/* Writes `bytes` without the 03 of every 00 00 03, if one of these starts before the last three bytes, else unchanged;
 * returns the length. `ret` may be `bytes` itself, or lie in front of them. */
size_t escape_remove(uint8_t *ret, const uint8_t *bytes, size_t len);
