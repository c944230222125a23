/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Taking the next number of a counter that several processes of this daemon may have had before.
 *
 * A file of its own because the test daemon `framekeyd-hooked` replaces exactly this object, with one
 * that sets the counter to a pinned number first.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

/* Returns the value before, and adds one. Any thread. */
uint64_t counter_take(_Atomic uint64_t *counter);
