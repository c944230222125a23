/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The structs behind model.h. */
#pragma once

#include "tests/sim/model.h"

typedef struct ModelSlot {
        uint32_t key; /* 0: none */
        uint32_t step;
        bool made_here;
        bool step_wanted;
        uint64_t installed_usec;
        uint64_t sequence;
        uint64_t superseded_usec;
        uint64_t next_step_usec;
        uint64_t frames; /* under this step */
} ModelSlot;

typedef struct ModelSender {
        ModelRules rules;
        ModelSlot slots[MODEL_RING];
        uint64_t awake_usec;
        uint32_t active;
        uint32_t planned;
        uint64_t planned_usec;
        bool at_key_frame;
        uint32_t moving;
        uint64_t moving_until_usec;
        bool moved[MODEL_STREAMS];
        uint64_t marked_usec; /* a frame did something that the main thread looks after at the end of the instant */
        uint64_t joined_due_usec;
        uint64_t joined_last_usec;
        bool followed;
} ModelSender;

typedef struct ModelView {
        bool open;
        uint64_t since_usec;
        uint32_t n_opened;
        uint32_t in_use; /* key of the last frame, if all older ones are known to be superseded; else 0 */
        ModelHeld held[MODEL_RING];
} ModelView;

struct Model {
        ModelSender senders[MODEL_HOSTS_MAX];
        ModelView views[MODEL_HOSTS_MAX][MODEL_HOSTS_MAX];
        uint32_t floor[MODEL_HOSTS_MAX][MODEL_RING]; /* shared: steps below it are forgotten for sure */
        uint64_t *holders;
        uint32_t n_keys;
        uint32_t n_allocated;
        uint64_t last_sequence;
};

void model_note_holder(Model *model, uint32_t key, unsigned host);
/* Shared mode: the host has the key for everybody it knows. */
void model_share(Model *model, unsigned host, uint32_t index, uint64_t now_usec);
/* Shared mode: the host sends under a newer key. */
void model_supersede(Model *model, unsigned host, uint64_t sequence, uint64_t now_usec);
