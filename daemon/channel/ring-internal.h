/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What tests of the ring need beyond ring.h: a start near the wrap of the indices, and the
 * daemon's own mappings.
 *
 * For tests/unit/test-ring only; the daemon uses ring.h.
 */
#pragma once

#include "channel/ring.h"

/* As ring_new(), with all indices starting at `first_index` instead of 0. */
int ring_new_at(Ring **ret, const RingConfig *config, uint32_t first_index, RingFds *ret_fds);
/* The addresses the ring itself uses. A client in the same process that works on these, and not on
 * mappings of its own, lets the thread sanitizer see both ends' accesses to one byte. */
void ring_mappings(const Ring *ring, void **ret_request, void **ret_response);
