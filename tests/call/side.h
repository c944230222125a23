/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One end of a call in a test program: a session in a running daemon, with a channel. Calls must
 * succeed: a failure is told on standard error and ends the program.
 */
#pragma once

#include <framekey-bus.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Side {
        framekey_client *client;
        framekey_session *session;
        framekey_channel *channel;
        char *path; /* of the channel */
} Side;

_Noreturn __attribute__((format(printf, 1, 2))) void side_fail(const char *format, ...);
/* Ends the program if a call about `side` answered with a failure. */
void side_check(const Side *side, int r, const char *what);

/* `bus_variable` names the variable of the environment with the bus's address, as tests/with-daemon sets them. */
void side_open(Side *side, const char *bus_variable, const char *profile, const char *const *options);
/* Another one in the place of the channel that there is. */
void side_open_channel(Side *side);
void side_close(Side *side);
void side_add(const Side *side, const char *identity, enum framekey_role role);
/* As framekey_session_import_key(), of a text. */
void side_import(const Side *side, const char *identity, uint32_t index, const char *secret,
                 const char *const *options);
uint32_t side_stream(const Side *side, const char *identity, enum framekey_direction direction,
                     enum framekey_media media, enum framekey_codec codec);

uint64_t side_now_usec(void);
/* Bytes that no other number has. */
void side_fill(uint8_t *plain, size_t len, uint64_t number);
bool side_is(const uint8_t *plain, size_t len, uint64_t number);
