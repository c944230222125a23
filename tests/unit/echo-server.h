/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The daemon's real ring with a thread behind it that treats frames in an obvious way, so that
 * tests of the library know what must come back. Not a cipher:
 *
 *   encrypt streams   frame | 16 bytes ee | 12 bytes 00 | 0c | key index 0     like a trailer frame
 *   decrypt streams   the same taken off again; forged if the 16 bytes are others; malformed if it cannot be
 *   notes             their verdict
 *   empty frames      empty, unless they are packets, or to encrypt under SFrame or DAVE
 */
#pragma once

#include <framekey.h>

#include <pthread.h>
#include <stdatomic.h>

#include "channel/ring.h"

#define ECHO_OVERHEAD 30u
#define ECHO_STREAMS  16u

/* What came with a frame. */
typedef struct EchoRequest {
        uint8_t metadata[RING_METADATA_MAX];
        uint32_t ranges[RING_RANGES_MAX][2]; /* offset and size */
        uint32_t metadata_len, n_ranges, flags;
} EchoRequest;

typedef struct EchoServer {
        Ring *ring;
        RingFds fds; /* the client's */
        int control_fd;
        pthread_t thread;
        bool started;
        atomic_bool stop;
        atomic_bool hold;       /* fetch nothing */
        atomic_uint step_limit; /* frames to complete before a publish; 0: all there are */
        atomic_uint frames;     /* fetched */
        atomic_uint notes[FRAMEKEY_VERDICT_MAX];
        atomic_uint bad_requests;
        atomic_bool broken;
        pthread_mutex_t lock; /* of `last`: the ring orders both sides too, but not where a race detector sees it */
        EchoRequest last;
        EchoRequest seen; /* the test's copy */
        RingStream streams[ECHO_STREAMS];
        uint8_t *scratch;
        uint8_t *out;
} EchoServer;

/* Starts a server with so many slots of each class. */
void echo_start(EchoServer *server, uint32_t small, uint32_t video, uint32_t jumbo);
/* Adds or removes (direction 0) a stream; before frames use it. */
void echo_stream(EchoServer *server, uint32_t row, int direction, int format, int media, int codec);
/* While held the server sleeps; letting go wakes it. */
void echo_hold(EchoServer *server, bool hold);
/* What came with the last frame, after its completion; valid until the next call. */
const EchoRequest *echo_last(EchoServer *server);
/* As if there had been none. */
void echo_forget(EchoServer *server);
/* Ends the thread, and closes the ring in this way. */
void echo_close(EchoServer *server, RingClosed why);
/* Ends everything. */
void echo_stop(EchoServer *server);
/* A channel on the server's descriptors. */
framekey_channel *echo_connect(EchoServer *server);
