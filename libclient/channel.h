/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Inside of a channel, for the files that make up its calls: channel.c (life, reserve to release)
 * and blocking.c (encrypt, decrypt, and what packet.c builds on).
 */
#pragma once

#include <pthread.h>

#include <framekey.h>

#include "link.h"
#include "payload.h"
#include "slots.h"

struct framekey_channel {
        /* A page that reads as zeros in a forked child (MADV_WIPEONFORK): tells the child without a system call. */
        const volatile uint32_t *parent_page;
        pthread_mutex_t lock; /* all below, except reading the stream table */
        Link link;
        SlotTable slots;
        uint64_t serial; /* of the next use of a slot */
        bool reap_waits; /* framekey_reap() said 0 last: the next completion must make poll_fd readable */
        int poll_fd;     /* epoll over the wake-up socket and kick_fd; -EBADF until somebody asks for it */
        int kick_fd;     /* eventfd: a blocking call took somebody else's completions out of the ring */
        bool kicked;
        unsigned n_empty; /* times framekey_reap() found nothing while there was no poller */
};

/* 0 and the lock held; -ECHILD. */
int channel_enter(framekey_channel *channel);
void channel_leave(framekey_channel *channel);
/* Takes all completions out of the ring. */
void channel_collect(framekey_channel *channel);
/* Arms the wake-up for a poller that was promised one, after completions were taken out of its sight. */
void channel_rearm(framekey_channel *channel);
/* 0 or -EINVAL: sizes, reserved fields, and values that no enum has. */
int channel_check_frame(const struct framekey_frame *frame);
/* 0; -EINVAL the caller's struct is smaller than ours. NULL is fine. */
int channel_check_result(const struct framekey_result *result);
/* Frame and row together. */
ClearFrame channel_describe(const struct framekey_abi_stream *row, const struct framekey_frame *frame,
                            const void *bytes, size_t len);
/* What a descriptor says beside the frame itself. */
typedef struct Push {
        const struct framekey_frame *frame;
        const struct framekey_frame *to; /* NULL: nothing is transcrypted */
        const Payload *payload;
        size_t in_len;
        uint16_t flags;
} Push;

/* Pushes the descriptor of a reserved slot whose payload of `in_len` bytes is in place. The slot is submitted. */
void channel_push(framekey_channel *channel, uint32_t slot, const Push *push);
/* Bytes that a frame to encrypt may take more in its slot, before the daemon has it and after. */
uint64_t channel_growth(const struct framekey_abi_stream *row);
/* Copies the output of a completed slot, whose bytes are at `bytes`, does the codec's last step on it, and returns its
 * length. */
size_t channel_read(const Slot *slot, const uint8_t *bytes, uint8_t *out);
/* The output of a completed slot: where it is, and how long it is once payload_read() went over it. */
const uint8_t *channel_output(const framekey_channel *channel, uint32_t slot, size_t *ret_length);
/* Fills a result; `data` and `slot` only where the caller keeps the slot. */
void channel_result(const framekey_channel *channel, uint32_t slot, bool keep, struct framekey_result *ret);

/* A frame to send, for channel_exchange(). */
typedef struct Exchange {
        const struct framekey_frame *frame;
        const struct framekey_frame *to;   /* not NULL: transcrypt, `direction` is decrypt */
        enum framekey_direction direction; /* what the caller wants of the stream */
        const uint8_t *bytes;
        size_t len;
        const uint8_t *tail; /* packets: IV and trailer, which travel beside `bytes` */
        size_t tail_len;
        bool packet; /* a data packet: the stream must be LiveKit's and carry data */
        int verdict; /* not 0: refused by the caller already, only to be counted */
        size_t room; /* in the caller's buffer */
} Exchange;

/* Sends and waits, under the lock. 0 and a slot that is REAPED, to be freed by the caller; -ENOBUFS `room` cannot hold
 * what a good frame gives, nothing was sent; -ETIMEDOUT, -EAGAIN, -EINVAL, common errors. */
int channel_exchange(framekey_channel *channel, const Exchange *exchange, uint64_t timeout_usec, uint32_t *ret_slot);
