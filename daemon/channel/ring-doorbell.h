/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The two bells of a channel: one the client rings, one the daemon rings.
 *
 *   doorbell  an eventfd. Both sides hold the same open file description, so the client owns its
 *             O_NONBLOCK and its counter: the daemon neither reads nor writes it (it could sleep for
 *             ever), but watches for edges.
 *   wake-up   a socket pair whose one end only the daemon holds, shut for reading. The other end is the
 *             client's pollable descriptor; when its last copy closes, ours polls EPOLLHUP. Not a
 *             pipe: who reads a pipe holds its lock while the kernel copies to his buffer, and if
 *             that lies in a file of a FUSE server, or under userfaultfd, that never answers, the
 *             next write() sleeps for ever, O_NONBLOCK and RWF_NOWAIT notwithstanding. A socket's
 *             sender takes no lock that a receiver holds while it copies.
 */
#pragma once

#include "util/util.h"

/* Kernel memory that a wake-up can cost: the buffers of both ends at their smallest, generously. */
#define WAKEUP_COST 16384u

/* Gives both copies of the descriptor. 0; -ENOMEM; -EMFILE, -ENFILE. */
int doorbell_new(int *ret_fd, int *ret_client_fd);

/* 0; -ENOMEM; -EMFILE, -ENFILE. */
int wakeup_new(int *ret_fd, int *ret_client_fd);
/* Makes the client's end readable if it is not. Does nothing once that is closed. */
void wakeup_ring(int wakeup_fd);

/* Whether a descriptor of a former process can be what the names say. Does not tell whose. */
bool doorbell_is(int fd);
bool wakeup_is(int fd);
