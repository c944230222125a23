/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The network in the middle: it has the encrypted frames, and nothing else, in its hands; it loses some, holds some
 * back, changes one and sends one twice. Whatever was lost or changed is sent again a little later,
 * as media servers do when a receiver asks for it; so in the end every frame arrives once.
 *
 * What it does and when depends on a frame's number alone, so that every run is the same.
 */
#pragma once

#include "util/util.h"

typedef struct Network Network;

/* What it has done to the frames of one stream. */
typedef struct NetworkCounts {
        unsigned lost;
        unsigned resent;
        unsigned altered;
        unsigned repeated;
        unsigned delayed;
} NetworkCounts;

/* Something that arrives. */
typedef struct Packet {
        struct Packet *next;
        uint64_t due; /* after so many sent frames */
        size_t stream;
        size_t frame;
        bool altered;
        bool repeated;
        const char *history; /* what happened to it, for people; NULL: nothing */
        size_t len;
        uint8_t bytes[];
} Packet;

/* For streams with these numbers of frames. 0; -ENOMEM. */
int network_new(Network **ret, const size_t *n_frames, size_t n_streams);
Network *network_free(Network *network);
DEFINE_CLEANUP(Network, network_free)
/* Takes a copy of an encrypted frame in. *ret_fate is what the network does, as a verb: "loses"; NULL: it delivers it.
 * 0; -ENOMEM. */
int network_send(Network *network, size_t stream, size_t frame, const void *bytes, size_t len, const char **ret_fate);
/* No more will be sent: everything that is still under way may arrive. */
void network_finish(Network *network);
/* The next frame that arrives now, or NULL. The caller frees it. */
Packet *network_receive(Network *network);
const NetworkCounts *network_counts(const Network *network, size_t stream);
