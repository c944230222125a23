/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A bridge between three systems in test programs, and the far ends whose frames it passes on:
 *
 *   source, LiveKit --> SFrame, and again --> DAVE, and again --> LiveKit, sink
 *
 * A key has one direction, so that what the bridge sends into a system and what it receives there again,
 * as if somebody had sent it on, are two sessions. The streams of all are on one channel. Calls must
 * succeed, as those of side.h.
 */
#pragma once

#include "side.h"

#define BRIDGE_FRAME_MAX     (1u << 18)
#define BRIDGE_DEADLINE_USEC 10000000u

enum { LIVEKIT_IN, SFRAME_OUT, SFRAME_IN, DAVE_OUT, DAVE_IN, LIVEKIT_OUT, SYSTEMS };

/* One side of a system as the bridge is in it. */
typedef struct System {
        framekey_session *session;
        const char *profile;
        uint32_t stream[2]; /* audio, video */
} System;

typedef struct Bridge {
        Side side;
        System systems[SYSTEMS];
} Bridge;

typedef struct FarEnds {
        Side source, sink;
        uint32_t source_stream[2], sink_stream[2]; /* audio, video */
} FarEnds;

typedef struct Frame {
        enum framekey_codec codec;
        enum framekey_frame_type type;
        bool video;
        uint8_t bytes[BRIDGE_FRAME_MAX];
        size_t len;
} Frame;

/* `first_profile` in LiveKit's place. */
void bridge_open(Bridge *bridge, const char *bus_variable, const char *first_profile);
void bridge_close(Bridge *bridge);
/* From one system to the next, in place; the frame's type is known to the first alone. 0, a verdict, negative errno. */
int bridge_hop(const Bridge *bridge, const System *from, const System *to, Frame *frame,
               struct framekey_result *result);
void bridge_must_hop(const Bridge *bridge, const System *from, const System *to, Frame *frame);
/* All the way. */
void bridge_pass(const Bridge *bridge, Frame *frame);

void far_ends_open(FarEnds *ends, const char *bus_variable, const char *first_profile);
void far_ends_close(FarEnds *ends);
void far_ends_seal(const FarEnds *ends, const Frame *plain, Frame *sealed);
/* What came is what was sent. */
void far_ends_compare(const FarEnds *ends, const Frame *plain, Frame *sealed);

struct framekey_frame frame_describe(const Frame *frame, uint32_t stream);
/* A participant "it" with a key, at one end or the other. */
void session_add_key(const Side *side, framekey_session *session, enum framekey_direction direction, const char *key);
