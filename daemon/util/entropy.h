/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fresh random bytes from the kernel, for IVs and ids. Not for keys: those are filled in the
 * arena by secret_new_random().
 *
 * A file of its own because the test daemon `framekeyd-hooked` replaces exactly this object
 * with one that hands out pinned IVs.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Longest request: up to this many bytes one getrandom(2) call is atomic and uninterruptible. */
#define ENTROPY_MAX 256u

/* Fills `len` <= ENTROPY_MAX bytes. Never fails after boot: aborts if the kernel refuses,
 * because no caller could go on without. Any thread. */
void entropy_fill(void *bytes, size_t len);
/* Fills `n` IVs of 12 bytes, n * 12 <= ENTROPY_MAX (security: batch rule of IVs). Any thread. */
void entropy_fill_ivs(uint8_t *ivs, size_t n);
