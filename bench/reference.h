/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the daemon is compared with: in-process crypto, and the bare cost of two context switches. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

uint64_t now_nsec(void);
/* Puts all threads of `daemon` on one core and the caller on another (or the same). Ignored where there is only one. */
void pin(pid_t daemon, int daemon_core, int own_core);
/* Puts the threads of `daemon` that serve frames on one core with the caller, all its others on another. */
void pin_planes(pid_t daemon);
/* Median ns of one wake-up there and back through two eventfds between two processes on the caller's core. */
double eventfd_round_trip(unsigned n);
/* ns to seal one frame of `size` bytes with a cached AES-128-GCM handle and a fresh random IV each. */
double libgcrypt_seal(size_t size, unsigned n);
double openssl_seal(size_t size, unsigned n);
