/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who has which key, and which step of it, until when: the rules of daemon/keys/session.h written
 * down a second time, as simply as one can who knows everything. It learns what the apps do and which frames were
 * opened, never what the key layer thinks, and says for each frame whether it has to open.
 *
 * Keys have numbers that are never used twice. Times are CLOCK_BOOTTIME.
 */
#pragma once

#include "util/util.h"

#define MODEL_HOSTS_MAX 64u
#define MODEL_RING      16u
#define MODEL_NONE      UINT32_MAX
#define MODEL_STREAMS   2u
#define MODEL_AUDIO     0u
#define MODEL_VIDEO     1u

typedef struct Model Model;

/* A host's session, as it was configured. 0: never, without. */
typedef struct ModelRules {
        bool shared;
        uint32_t window;
        uint64_t grace_usec;
        uint64_t superseded_usec; /* life of an old key in use, at most */
        uint64_t coalesce_usec;
        uint64_t interval_usec;
        bool only_if_followed;
        uint64_t step_frames;
        uint64_t send_limit;
        uint64_t maximum_age_usec;
        uint64_t key_frame_wait_usec;
} ModelRules;

typedef enum ModelVerdict {
        MODEL_OPENS = 1,
        MODEL_REFUSED,
        MODEL_EITHER, /* a matter of what happens first at the same instant */
} ModelVerdict;

/* How a frame goes out. */
typedef struct ModelSealed {
        bool allowed;
        uint32_t key;
        uint32_t index;
        uint32_t step;
} ModelSealed;

/* A key at a receiver. */
typedef struct ModelHeld {
        uint32_t key;  /* 0: none */
        uint32_t low;  /* where the receiver stands: between these two until */
        uint32_t high; /* ... a frame was opened, then they are equal */
        uint64_t installed_usec;
        uint64_t sequence;
        uint64_t superseded_first_usec; /* a frame under a newer key was opened; 0: none */
        uint64_t superseded_last_usec;  /* ... and it was the last one of its instant */
        uint64_t good_usec;
        uint64_t moved_usec;
        uint32_t moved_from; /* at the beginning of the instant `moved_usec` */
        struct ModelMove {
                uint32_t first, last; /* steps that live on */
                uint64_t until_usec;
                bool maybe;
        } moves[4];
        unsigned n_moves;
} ModelHeld;

/* Aborts without memory. */
Model *model_new(void);
void model_free(Model *model);
uint32_t model_new_key(Model *model);
/* Hosts that ever had the key, as bits. */
uint64_t model_holders(const Model *model, uint32_t key);

/* ---- senders (model-sender.c) ---- */

void model_sender_start(Model *model, unsigned host, const ModelRules *rules, uint64_t now_usec);
/* Its main thread runs again. */
void model_sender_wake(Model *model, unsigned host, uint64_t now_usec);
void model_sender_install(Model *model, unsigned host, uint32_t index, uint32_t key, uint32_t step, bool made_here,
                          uint64_t now_usec);
/* Sends under it from `at_usec` on. */
void model_sender_plan(Model *model, unsigned host, uint32_t index, uint64_t at_usec, bool at_key_frame);
/* Somebody came; returns when the step for that is due. */
uint64_t model_sender_joined(Model *model, unsigned host, uint64_t now_usec);
void model_sender_set_followed(Model *model, unsigned host, bool followed);
/* The host's main thread had its turn: before what else happens at `now_usec`, or after. */
void model_sender_turn(Model *model, unsigned host, uint64_t now_usec, bool after);
ModelSealed model_sender_seal(Model *model, unsigned host, unsigned stream, bool key_frame, uint64_t now_usec);
/* The index that is sent under and the one that will be; MODEL_NONE: none. */
uint32_t model_sender_active(const Model *model, unsigned host);
uint32_t model_sender_next(const Model *model, unsigned host);
/* The key there; 0: none, or a dead one. */
uint32_t model_sender_key(const Model *model, unsigned host, uint32_t index, uint64_t now_usec, uint32_t *ret_step);
uint64_t model_sender_frames(const Model *model, unsigned host);
/* When the timer steps the key that is sent under. */
uint64_t model_sender_next_step(const Model *model, unsigned host);
/* How many keys it has for sending. */
unsigned model_sender_n_keys(const Model *model, unsigned host, uint64_t now_usec);

/* ---- receivers (model-receiver.c) ---- */

/* `host` knows of `sender` from now on, or not any more. */
void model_view_open(Model *model, unsigned host, unsigned sender, uint64_t now_usec);
void model_view_close(Model *model, unsigned host, unsigned sender);
bool model_view_is_open(const Model *model, unsigned host, unsigned sender);
uint64_t model_view_since(const Model *model, unsigned host, unsigned sender);
/* The host was given a key to receive with; shared: as the sender's own, by model_sender_install(). */
void model_hand(Model *model, unsigned host, unsigned sender, uint32_t index, uint32_t key, uint32_t step,
                uint64_t now_usec);
ModelVerdict model_expect(const Model *model, unsigned host, unsigned sender, uint32_t index, uint32_t key,
                          uint32_t step, uint64_t now_usec);
void model_opened(Model *model, unsigned host, unsigned sender, uint32_t index, uint32_t step, uint64_t now_usec);
/* NULL: no key there. */
const ModelHeld *model_held(const Model *model, unsigned host, unsigned sender, uint32_t index);
/* Whether the key itself is there. */
ModelVerdict model_alive(const Model *model, unsigned host, unsigned sender, uint32_t index, uint64_t now_usec);
/* How many frames of the sender were opened. */
uint32_t model_n_opened(const Model *model, unsigned host, unsigned sender);
