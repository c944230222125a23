/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A client that keeps a channel full. */
#pragma once

#include "bench/endpoint.h"

#include <stddef.h>

#define PIPE_DEPTH 64u

/* Encrypts `n` frames with up to PIPE_DEPTH in flight; ns a frame. */
double pipe_run(const Port *port, size_t size, unsigned n);
/* Puts in as many frames as there are slots for, at most `limit`, and rings once. Returns how many. */
unsigned pipe_fill(const Port *port, const void *plain, size_t size, unsigned limit);
/* Takes out what is there. Returns how many. */
unsigned pipe_drain(const Port *port);
