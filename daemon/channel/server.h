/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The data threads: epoll over the channels' descriptors, and turns for the channels that have
 * frames. A thread owns its channels: the main thread changes nothing of them behind its back but
 * asks it to (server_run), between two turns.
 */
#pragma once

#include "channel/channel.h"
#include "util/entropy.h"

typedef struct DataThread DataThread;

/* What a data thread does with a channel; implemented in channel.c. All on the data thread. */
typedef enum TurnOutcome {
        TURN_IDLE,   /* nothing waited */
        TURN_DONE,   /* frames were served, and nothing waits now */
        TURN_MORE,   /* frames wait, or may wait */
        TURN_BROKEN, /* the client broke the ring's rules: stop serving */
} TurnOutcome;

/* IVs for the frames of one round of turns: fetched when the first is needed, with one system call for as many as will
 * be, which are atomic up to ENTROPY_MAX bytes (security 4.1); the rest is wiped at the round's end, never kept for the
 * next. */
typedef struct IvBatch {
        uint8_t bytes[ENTROPY_MAX / 12u * 12u];
        size_t n;
        size_t used;
} IvBatch;

/* Private memory of one data thread for the frame in hand. */
typedef struct TurnScratch {
        uint8_t *in;  /* RING_SCRATCH_SIZE */
        uint8_t *out; /* as much */
        IvBatch ivs;
        uint32_t n_turns;   /* that are left in this round, this one included */
        uint64_t turn_usec; /* how long a turn takes, about */
        Undo *undo;         /* NULL: nothing outlives the process */
} TurnScratch;

/* Asks for the memory that a turn of the channel will need, in this many steps a turn apart, from 0. */
#define CHANNEL_PREFETCH_STEPS 3u
void channel_prefetch(const Channel *channel, unsigned step);
TurnOutcome channel_turn(Channel *channel, TurnScratch *scratch);
/* Asks for the doorbell. True: nothing waits. */
bool channel_rest(Channel *channel);
/* Whose it is; see SessionConfig. */
uint32_t channel_account(const Channel *channel);
int channel_doorbell_fd(const Channel *channel);
int channel_wakeup_fd(const Channel *channel);
/* Called on the main thread. */
void channel_gone(Channel *channel, ChannelGone why);

/* Main thread: chooses a data thread for a session's channels. All of one session go to the same thread, so that
 * data threads never wait for each other's lock. */
DataThread *server_thread_for(ChannelServer *server, const Session *session);
/* Main thread: serves the channel from now on. 0; -ENOMEM; -ENOSPC (epoll watches). */
int server_add(DataThread *thread, Channel *channel);
/* Main thread: after this the data thread never touches the channel again, nor is a `gone` still due. */
void server_remove(DataThread *thread, Channel *channel);
