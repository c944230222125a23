/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The daemon's clock: CLOCK_BOOTTIME in microseconds, so that time spent suspended counts.
 *
 * A file of its own because the test daemon `framekeyd-hooked` replaces exactly this object.
 */
#pragma once

#include <stdint.h>

uint64_t clock_boottime_usec(void);
