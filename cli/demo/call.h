/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The call itself: every frame goes from the sender's daemon over the network to the receiver's
 * daemon, keys change on the way, and each verdict is compared with what was done to the frame.
 */
#pragma once

#include "cli/demo/network.h"
#include "cli/demo/peer.h"

typedef struct Latency {
        uint64_t *nsec; /* of each call */
        size_t n;
        size_t allocated;
} Latency;

typedef struct StreamResult {
        size_t n_frames;
        uint64_t bytes;                          /* before encryption */
        uint64_t sealed_bytes;                   /* after it */
        unsigned verdicts[FRAMEKEY_VERDICT_MAX]; /* of the receiver's daemon */
        unsigned late;                           /* opened under a key that was no longer sent under */
        Latency encrypt, decrypt;
} StreamResult;

typedef struct Call {
        Progress *progress;
        Peer *sender, *receiver;
        Media *media; /* MEDIA_KINDS of them */
        bool realtime;

        Network *network;
        StreamResult results[MEDIA_KINDS];
        unsigned early; /* tries that came before the receiver had derived the next step */
        uint32_t first_index, last_index;
        uint32_t ratchet_steps;
        unsigned n_passphrases;
        uint64_t passphrase_usec; /* the longest life of a process that knew one */
        uint64_t usec;            /* how long the frames took */
        uint32_t newest;          /* of what has been opened; see call.c */
} Call;

/* "passphrase", or "key" where it is random bytes. */
const char *call_key_name(const Call *call);
/* Brings a fresh one to both ends, receiver first. */
int call_import_first_key(Call *call);
/* Sends everything. CLI_OK only if each frame got the verdict that it had to get, and every frame arrived. */
int call_run(Call *call);
/* Compares the daemons' own counters with what was seen here. */
int call_check_counters(Call *call);
void call_done(Call *call);
/* The value below which `percent` of the calls lie, in microseconds. Sorts. */
double latency_percentile(Latency *latency, unsigned percent);
/* Over all streams. */
unsigned call_count(const Call *call, enum framekey_verdict verdict);
NetworkCounts call_network(const Call *call);
