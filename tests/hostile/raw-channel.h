/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A channel of a running daemon in the hands of an attacker: the descriptors come through the
 * library as any client's do, everything else is done on the shared memory directly.
 *
 * Two streams of media `data`, so that nothing of a frame stays clear: one that encrypts, one that
 * decrypts what the first made. Calls give 0 or -1 and say on standard error what went wrong.
 */
#pragma once

#include "framekey-abi.h"

#include <framekey-bus.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define RAW_N_FDS 4

enum { RAW_REQUEST, RAW_RESPONSE, RAW_DOORBELL, RAW_WAKEUP };

typedef struct RawChannel {
        framekey_session *session;
        char *path;
        int fds[RAW_N_FDS];
        struct framekey_abi_request *request;
        const struct framekey_abi_response *response;
        struct framekey_abi_layout layout;
        uint32_t submitted;
        uint32_t reaped;
        uint64_t cookie;
        uint32_t encrypt; /* streams */
        uint32_t decrypt;
        uid_t daemon_uid; /* who made the files */
} RawChannel;

/* "PROGRAM: text" on standard error; always -1, so that it can be returned. */
int failed(const char *format, ...) __attribute__((format(printf, 1, 2)));

int raw_open(RawChannel *raw, framekey_session *session);
/* One that was handed over by its descriptors, with the streams that are on it. */
int raw_adopt(RawChannel *raw, const int fds[RAW_N_FDS]);
/* Takes another process's descriptors of a channel, and maps them here. */
int raw_borrow(RawChannel *raw, const RawChannel *theirs, pid_t pid);
/* Closes it in the daemon, too, if that still has it. */
void raw_close(RawChannel *raw);
/* Only this process's copies, without a word to the daemon. Keeps the path. */
void raw_drop(RawChannel *raw);
/* Waits until the daemon knows the channel no more. */
int raw_wait_gone(RawChannel *raw);
/* Waits for a state; what the daemon says when it gives up the channel. */
int raw_wait_state(RawChannel *raw, uint32_t state);

/* After something was done to the doorbell's count or flags: empties it, and does not block on it. */
int raw_refresh(RawChannel *raw);

uint32_t raw_n_slots(const RawChannel *raw);
uint32_t raw_slot_size(const RawChannel *raw, uint32_t slot);
uint8_t *raw_in(const RawChannel *raw, uint32_t slot);
const uint8_t *raw_out(const RawChannel *raw, uint32_t slot);
volatile struct framekey_abi_descriptor *raw_descriptor(const RawChannel *raw, uint32_t index);

/* A descriptor for the bytes that lie in a slot; fills in a new cookie. */
void raw_push(RawChannel *raw, uint32_t stream, uint32_t slot, uint32_t len);
/* Makes what was pushed visible and rings if asked for. */
void raw_submit(RawChannel *raw);
void raw_ring(const RawChannel *raw);
bool raw_pop(RawChannel *raw, struct framekey_abi_completion *ret);
/* Sleeps on the wake-up until there is a completion, at most two seconds. */
int raw_wait_pop(RawChannel *raw, struct framekey_abi_completion *ret);
/* One frame, there and back. */
int raw_call(RawChannel *raw, uint32_t stream, uint32_t slot, const void *bytes, uint32_t len,
             struct framekey_abi_completion *ret);
/* Encrypts and decrypts `len` bytes in slot 0 and compares. */
int raw_round_trip(RawChannel *raw, uint32_t len);
