/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The library's end of a channel: the two mapped regions, the indices, the doorbell and the
 * wake-up socket. The only code of the library that touches an index in shared memory.
 *
 * It believes the daemon, but not the descriptors it is given: their sizes and seals are checked,
 * so that no later access can fault. Not thread-safe: the channel's lock is held, except for
 * link_stream(), which may run at any time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "framekey-abi.h"

#define LINK_FDS           4u
#define LINK_WAIT_INFINITE UINT64_MAX

typedef struct Link {
        struct framekey_abi_request *request;              /* shared, we write */
        const struct framekey_abi_response *response;      /* shared, read-only */
        struct framekey_abi_descriptor *descriptors;       /* in `request` */
        const struct framekey_abi_completion *completions; /* in `response` */
        const struct framekey_abi_stream *streams;         /* in `response` */
        struct framekey_abi_layout layout;                 /* private copy, checked */
        int doorbell;
        int wakeup;
        uint32_t pushed;      /* descriptors written */
        uint32_t published;   /* master of submit_index */
        uint32_t popped;      /* master of completion_consumed */
        uint32_t inherited;   /* completions that are still to come for a former holder */
        unsigned yield_pause; /* waits for which link_yield() does nothing */
        unsigned next_yield_pause;
        bool hung_up; /* the daemon's end of the socket is gone */
} Link;

/* Takes duplicates of the four descriptors of OpenChannel. Zeroed `link`. 0; -EPROTO they are no channel; -EPIPE it
 * is closed already; -EMFILE, -ENOMEM. */
int link_open(Link *link, const int *fds);
/* Unmaps and closes; copes with a half-opened link. */
void link_close(Link *link);
/* In a forked child, where the regions were never mapped and their addresses may be somebody else's: closes only. */
void link_close_child(Link *link);

/* 0; -EPIPE closed; -EPROTO closed for breaking the rules; -ESTALE the daemon is gone without closing. */
int link_state(const Link *link);
/* Copies a row of the stream table. 0; -ENOENT the row is free. */
int link_stream(const Link *link, uint32_t stream, struct framekey_abi_stream *ret);

uint32_t link_n_slots(const Link *link);
/* `slot` < link_n_slots() */
uint32_t link_slot_size(const Link *link, uint32_t slot);
uint8_t *link_slot_in(const Link *link, uint32_t slot);
const uint8_t *link_slot_out(const Link *link, uint32_t slot);

/* Whether the frames of a former holder of the channel are all answered. Before that nothing may be pushed: the daemon
 * refuses slots whose last completion nobody took. */
bool link_settled(const Link *link);
/* Writes a descriptor, after link_settled(); the daemon may not see it yet. There is always room: a channel has at
 * least as many entries as slots. */
void link_push(Link *link, const struct framekey_abi_descriptor *descriptor);
/* Makes what was pushed visible, and rings if the daemon sleeps. */
void link_publish(Link *link);
/* Lets the daemon run before the caller thinks of sleeping: on the same core it answers meanwhile, and needs not wake
 * us; on another one this is a short look-out. Takes some microseconds at most, or one turn of somebody who computes.
 */
void link_yield(Link *link);
/* Takes a completion; false if there is none. */
bool link_pop(Link *link, struct framekey_abi_completion *ret);
/* Asks for a wake-up by the next completion. True: none has come meanwhile, the caller may sleep. */
bool link_rest(Link *link);
/* Takes the wake-ups out of the socket. Before link_rest(), never between it and the sleep. */
void link_drain(Link *link);
/* Sleeps until a wake-up, the end of the daemon, or `deadline_nsec` (CLOCK_MONOTONIC); drains. 0; -ETIMEDOUT. */
int link_wait(Link *link, uint64_t deadline_nsec);
/* `timeout_usec` from now as a deadline; an infinite timeout gives LINK_WAIT_INFINITE. */
uint64_t link_deadline(uint64_t timeout_usec);
