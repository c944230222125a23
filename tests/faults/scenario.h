/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A call from its first session to its last, as steps that may each be refused once: two sessions of one profile, one
 * that sends and one that receives, keys, channels, frames, changes of keys, and everything taken down again.
 */
#pragma once

#include "tests/faults/faults.h"

#include <framekey.h>
#include <stdbool.h>
#include <systemd/sd-bus.h>

typedef enum End { SEND, RECEIVE, ENDS } End;
typedef enum Track { AUDIO, VIDEO, TRACKS } Track;

typedef struct Call {
        sd_bus *bus;
        const char *profile;
        unsigned number;      /* keys of one call are no other's */
        const Faults *faults; /* may be NULL: then nothing may be refused */
        char session[ENDS][160];
        char path[ENDS][200]; /* of the channels */
        framekey_channel *channel[ENDS];
        uint32_t stream[ENDS][TRACKS];
        uint8_t transport_key[32];
        uint8_t package[1024];
        size_t package_len;
        unsigned n_refused;
        char refused[96]; /* the last step that was */
        char complaint[512];
} Call;

/* Sets a call up, uses it, changes its keys, takes it down. 0; -1 with a complaint: something was wrong that no single
 * failure excuses. */
int scenario_run(Call *call);
/* The parts, for a call that goes on: up to its first frames; one frame each way; the end. */
int scenario_begin(Call *call);
int scenario_frames(Call *call);
int scenario_end(Call *call);
/* Closes what is left on this side. */
void scenario_drop(Call *call);
