/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The two bells of a channel: one the client rings, one the daemon rings.
 *
 *   doorbell  an eventfd. Both sides hold the same open file description, so the client owns its
 *             O_NONBLOCK and its counter: the daemon neither reads nor writes it (it could sleep for
 *             ever), but watches for edges.
 *   wake-up   a pipe. The write end is the daemon's alone, with a description and an O_NONBLOCK of its
 *             own; the read end is the client's pollable descriptor. When its last copy closes, the
 *             write end polls EPOLLERR.
 */
#pragma once

#include "util/util.h"

/* Kernel memory that a wake-up can cost, whatever the client does to its end: a page, and the buffer
 * table of a pipe grown to its limit for the unprivileged. */
#define WAKEUP_COST 16384u

typedef struct Wakeup {
        int fd; /* write end */
        uint32_t n_hints;
        bool full; /* enough hints lie unread: look before adding more */
} Wakeup;

/* Gives both copies of the descriptor. 0; -ENOMEM; -EMFILE, -ENFILE. */
int doorbell_new(int *ret_fd, int *ret_client_fd);

/* 0; -ENOMEM; -EMFILE, -ENFILE. */
int wakeup_new(Wakeup *ret, int *ret_client_fd);
void wakeup_deinit(Wakeup *wakeup);
/* Makes the client's end readable if it is not. Does nothing once that is closed. The process must ignore SIGPIPE:
 * pipes have no MSG_NOSIGNAL. */
void wakeup_ring(Wakeup *wakeup);
