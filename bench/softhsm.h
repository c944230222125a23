/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SoftHSM, the software token that people put where a key shall not be in plain sight. */
#pragma once

#include <stddef.h>

typedef struct SoftHsm SoftHsm;

/* NULL, and a line that says why, where it is not installed. */
SoftHsm *softhsm_start(void);
/* ns of one frame of `size` bytes with a fresh random IV. */
double softhsm_seal(const SoftHsm *hsm, size_t size, unsigned n);
/* Takes NULL; returns NULL. */
SoftHsm *softhsm_stop(SoftHsm *hsm);
