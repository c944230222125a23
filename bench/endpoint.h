/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A session with its channels on the running daemon. Every failure ends the program: there is nothing to time then. */
#pragma once

#include <framekey-bus.h>

#include <sys/types.h>

/* Frames of 65,000 bytes still fit a video slot of 64 KiB when they are sealed; larger ones take one of the few jumbo
 * slots. */
#define N_SIZES 4u
extern const size_t bench_sizes[N_SIZES];

#define BENCH_DEADLINE_USEC 1000000u
#define BENCH_OVERHEAD      64u /* more than any format adds to a data frame */

typedef struct Port {
        framekey_channel *channel;
        char *path;
        uint32_t seal, open; /* streams: what one seals the other opens */
} Port;

typedef struct Endpoint {
        framekey_client *client;
        framekey_session *session;
        Port port; /* of endpoint_open() */
} Endpoint;

/* What was sent to us to find the daemon by. */
pid_t daemon_pid(void);
void fail(const char *what, int r) __attribute__((noreturn));
/* What the client's last call returned. */
void check(framekey_client *client, int r);

/* A LiveKit session of one shared byte key, with the participants "me" and "peer" and no channel. */
void endpoint_open_session(Endpoint *endpoint);
/* ... and with a port, whose channel has these options. */
void endpoint_open(Endpoint *endpoint, const char *const *channel_options);
void endpoint_close(Endpoint *endpoint);
/* One more channel, with both streams. */
void port_open(const Endpoint *endpoint, Port *port, const char *const *channel_options, const char *local,
               const char *remote, enum framekey_media media, enum framekey_codec codec);
void port_close(Port *port);

/* One frame by a blocking call; returns its new length. */
size_t seal_frame(const Port *port, const void *plain, size_t len, void *out, struct framekey_result *ret);
size_t open_frame(const Port *port, const void *sealed, size_t len, void *out);
