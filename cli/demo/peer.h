/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One end of the demo's call: a private bus, a framekeyd on it, a session, and a channel with one
 * stream for each kind of media. The two ends share nothing but the keys that are brought to both.
 *
 * Functions that answer an exit status of framekeyctl have told what went wrong.
 */
#pragma once

#include "cli/demo/child.h"
#include "cli/demo/media.h"
#include "cli/demo/progress.h"

typedef struct Peer {
        const char *name; /* "sender" */
        enum framekey_direction direction;
        Progress *progress;
        const sigset_t *mask;
        User user; /* of bus and daemon */
        char *directory;
        char *address;
        Child bus, daemon;
        framekey_client *client;
        framekey_session *session;
        framekey_channel *channel;
        char *channel_path;
        const char *key_holder; /* "" in sessions with a shared key */
        bool takes_passphrases; /* else random bytes */
        bool steps;             /* its keys can be ratcheted */
        uint32_t streams[MEDIA_KINDS];
        char *protection; /* of the daemon's memory for secrets */
} Peer;

/* Whose frames they are. */
#define PEER_PARTICIPANT "alice"

/* The daemon to start: `given` if not NULL, else the one this program was built or installed with. CLI_OK: free *ret.
 */
int peer_find_daemon(const char *given, Progress *progress, char **ret);
/* Starts bus and daemon in a directory of their own below `parent`; name, direction, progress, mask and user are set.
 */
int peer_start(Peer *peer, const char *parent, const char *bus_program, const char *daemon_program);
/* Opens the session; keys may be imported after it. */
int peer_open(Peer *peer, const char *profile);
/* Opens channel and streams. */
int peer_open_channel(Peer *peer);
/* Hands the pipe on to the daemon, and closes it. */
int peer_import(Peer *peer, uint32_t index, int *fd);
/* Tells a failure of a call on peer->client. */
int peer_fail(Peer *peer, const char *act);
/* One of the daemon's counters for this session: "ok", "forged", ... */
int peer_counter(Peer *peer, const char *name, uint64_t *ret);
/* Ends session and daemon, and the bus. CLI_OK if all of them ended as they should. Takes a half-started peer. */
int peer_stop(Peer *peer);
void peer_done(Peer *peer);
