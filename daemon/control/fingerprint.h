/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What people compare, and the audit names, instead of a transport key. Of public keys only: a
 * fingerprint of a secret would let everybody who reads it try guesses.
 */
#pragma once

#include <stddef.h>

/* 16 bytes as hex digits in groups of four, with the end. */
#define FINGERPRINT_MAX 40u

/* The first 16 bytes of the key's SHA-256: "0123 4567 ... cdef". */
void fingerprint_format(const void *key, size_t len, char ret[FINGERPRINT_MAX]);
