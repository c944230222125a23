/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the daemon is compared with: crypto in process, the bare cost of two context switches, other ways to a server.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Median ns of one wake-up there and back through two eventfds between two processes on the caller's core. */
double eventfd_round_trip(unsigned n);

/* ns to seal one frame of `size` bytes with a cached AES-128-GCM handle and a fresh random IV each. */
double libgcrypt_seal(size_t size, unsigned n);
double openssl_seal(size_t size, unsigned n);
/* The same as an SFrame library does that opens a context, expands the key and allocates for every frame. */
double openssl_seal_afresh(size_t size, unsigned n);

/* A process of its own that seals with libgcrypt what comes over a SEQPACKET socket, as ssh-agent is asked. */
typedef struct Agent {
        int fd;
        int pid;
} Agent;

Agent agent_start(void);
/* ns of one frame there and back. */
double agent_seal(const Agent *agent, size_t size);
void agent_stop(Agent *agent);

/* A service on the daemon's bus that takes the frame as a message and seals it with libgcrypt. */
typedef struct BusAgent BusAgent;

BusAgent *bus_agent_start(void);
/* ns of one call. */
double bus_agent_seal(BusAgent *agent, size_t size);
void bus_agent_stop(BusAgent *agent);
