/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One atomic addition. */
#include "util/counter.h"

uint64_t counter_take(_Atomic uint64_t *counter) {
        /* Only the number matters, nothing is published by it. */
        return atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}
