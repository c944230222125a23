/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where what lies in a channel's regions: numbers alone, no memory is touched. */
#pragma once

#include "channel/ring.h"
#include "framekey-abi.h"

#define RING_DESCRIPTOR_SIZE 64u

/* 0; -EINVAL: as ring_new(). */
int ring_layout_init(struct framekey_abi_layout *layout, const RingConfig *config);
