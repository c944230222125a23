/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A channel on the bus: its path, its streams as they were granted, its charge. Main thread.
 */
#pragma once

#include "channel/channel.h"
#include "control/quota.h"
#include "control/table.h"

typedef struct SessionObject SessionObject;
typedef struct ParticipantObject ParticipantObject;

typedef struct StreamRow {
        uint32_t id;
        ParticipantObject *participant;
        enum framekey_direction direction;
        enum framekey_media media;
        enum framekey_codec codec;
        struct StreamRow *prev, *next;
} StreamRow;

typedef struct ChannelObject {
        SessionObject *session;
        Channel *channel;
        uint32_t number;
        char *path;
        StreamRow *streams;
        Charge count;
        Charge bytes;
        UT_hash_handle hh;
} ChannelObject;

typedef enum ChannelOutcome {
        CHANNEL_QUOTA_COUNT = 1,
        CHANNEL_QUOTA_BYTES,
} ChannelOutcome;

/* 0 and the client's descriptors, which the caller closes; ChannelOutcome; negative errno as channel_new(). */
int channel_object_new(ChannelObject **ret, SessionObject *session, const RingConfig *config, RingFds *ret_fds);
/* Takes NULL; returns NULL. */
ChannelObject *channel_object_free(ChannelObject *channel);
DEFINE_CLEANUP(ChannelObject, channel_object_free)

/* As channel_add_stream(), with the row filled from `row` (its id is set). */
int channel_object_add_stream(ChannelObject *channel, const StreamRow *row, uint32_t *ret_stream);
/* 0 or -ENOENT. */
int channel_object_remove_stream(ChannelObject *channel, uint32_t stream);
/* Ends all streams of a participant that leaves, on whatever channel they are. */
void channel_object_forget(const ParticipantObject *participant);
/* Ends the streams of a session that closes on channels of others. */
void channel_object_forget_session(const SessionObject *session);
