/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A channel: the ring of one media process, the streams granted on it, and the data thread that
 * serves it.
 *
 * Main thread. A data thread serves the channel under the locks of the sessions of its streams; these
 * calls take them too. A channel outlives neither its session nor its server: control frees channels
 * first, and before a session ends it removes that one's streams from other sessions' channels.
 */
#pragma once

#include "channel/ring.h"
#include "keys/session.h"

typedef struct ChannelServer ChannelServer; /* the data threads */
typedef struct Channel Channel;

/* Starts `n_threads` data threads (1..16). 0; -EINVAL; -EAGAIN; -ENOMEM. */
int channel_server_new(ChannelServer **ret, Plane *plane, unsigned n_threads);
ChannelServer *channel_server_free(ChannelServer *server);
DEFINE_CLEANUP(ChannelServer, channel_server_free)
/* Readable when channel_server_dispatch() has something to do. */
int channel_server_event_fd(const ChannelServer *server);
/* Calls the `gone` handlers of channels whose last client died or whose ring was violated. */
void channel_server_dispatch(ChannelServer *server);

typedef enum ChannelGone {
        CHANNEL_GONE_CLIENT = 1, /* the last holder of its descriptors is gone */
        CHANNEL_GONE_PROTOCOL,   /* the client broke the ring's rules */
} ChannelGone;
/* Called once, from channel_server_dispatch(); the handler frees the channel. */
typedef void (*ChannelGoneHandler)(Channel *channel, ChannelGone why, void *userdata);

/* Turns of this data thread are committed by way of `undo`, which outlives the server. Before it has channels. */
void channel_server_set_undo(ChannelServer *server, unsigned thread, Undo *undo);

/* 0 and the client's descriptors, which the caller closes after sending; -EINVAL; -ENOMEM; -EMFILE. */
int channel_new(Channel **ret, ChannelServer *server, Session *session, const RingConfig *config, RingFds *ret_fds,
                ChannelGoneHandler gone, void *userdata);
Channel *channel_free(Channel *channel);
DEFINE_CLEANUP(Channel, channel_free)

/*
 * With RingConfig.state, and channel_server_set_undo() for all threads, a channel outlives the process: its client goes
 * on with the next one and sees a pause. That one takes it over with channel_adopt(), grants its streams again with
 * channel_restore_stream(), and serves it from channel_resume() on.
 */

/* What to keep, as ring_kept_fds() and ring_kept(). */
void channel_kept_fds(const Channel *channel, RingKept *ret);
void channel_kept(Channel *channel);
/* Takes the descriptors, also on failure. Not served yet. As ring_adopt(); -ENOMEM. */
int channel_adopt(Channel **ret, ChannelServer *server, Session *session, RingState *state, RingKept *fds,
                  ChannelGoneHandler gone, void *userdata);
/* As channel_add_stream(), under the number it had. -EBADMSG: no such row is free, or it cannot carry the codec. */
int channel_restore_stream(Channel *channel, uint32_t stream, Session *session, uint32_t participant,
                           enum framekey_direction direction, enum framekey_media media, enum framekey_codec codec);
/* Tells the client, and serves. After all of its keys are back, for frames may wait. As server_add(). */
int channel_resume(Channel *channel);
/* Ends the serving without a word to the client, which another process will go on with; then channel_free(). */
void channel_leave(Channel *channel);

/* Grants a stream of the channel's session, or of another one, so that frames can be transcrypted from system to
 * system. 0 and its id; SESSION_NO_PARTICIPANT; SESSION_WRONG_ROLE; -ENOSPC the stream table is full;
 * -EOPNOTSUPP the session's format cannot carry this codec; -ENOMEM. */
int channel_add_stream(Channel *channel, Session *session, uint32_t participant, enum framekey_direction direction,
                       enum framekey_media media, enum framekey_codec codec, uint32_t *ret_stream);
/* 0 or -ENOENT. */
int channel_remove_stream(Channel *channel, uint32_t stream);

typedef struct ChannelInfo {
        uint32_t n_streams;
        uint64_t frames;  /* completed */
        uint64_t bytes;   /* delivered */
        uint64_t refused; /* uniform refusals: unknown stream, bad descriptor */
        uint64_t wakeups; /* times its data thread was woken for it */
} ChannelInfo;

void channel_info(Channel *channel, ChannelInfo *ret);

typedef struct ChannelStreamInfo {
        SessionStreamState state;
        uint64_t failed;     /* frames in a row */
        uint32_t seen_index; /* key index of the last frame that had one; SESSION_ACTIVE: none yet */
} ChannelStreamInfo;

/* 0 or -ENOENT. */
int channel_stream_info(Channel *channel, uint32_t stream, ChannelStreamInfo *ret);
