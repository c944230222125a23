/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A call of many hosts, all in this process: their key layers, the apps that hand keys over, a network that
 * loses and reorders, people who come and go. One thread but for the derivations, and nothing moves on before
 * those are done, so a seed repeats a call exactly.
 *
 *   people.c   joins, leaves, mutes, sleep, restarts, jumps of the date
 *   app.c      what an app does with keys: hands them over, answers requests
 *   traffic.c  frames and what has to become of them
 *   audit.c    whether everybody converges, and old keys are gone
 *   call.c     time
 */
#pragma once

#include "keys/wrap.h"
#include "tests/sim/host.h"
#include "tests/sim/model.h"
#include "tests/sim/queue.h"
#include "tests/sim/random.h"
#include "tests/sim/report.h"
#include "tests/sim/world.h"

#define HOSTS_MAX MODEL_HOSTS_MAX
/* Whose messages come from no host. */
#define SERVER HOSTS_MAX
/* All that happens, happens at multiples of this. */
#define INSTANT_USEC (10 * USEC_PER_MSEC)
#define MINUTE_USEC  (60 * USEC_PER_SEC)
#define HOUR_USEC    (60 * MINUTE_USEC)
/* One frame of each stream in this time, but for bursts at full rate. */
#define THIN_USEC (5 * USEC_PER_SEC)
/* So long are bursts around whatever happens. */
#define BURST_USEC (2 * USEC_PER_SEC)
/* ITEM_BURST.number */
#define BURST_WITH_GONE 1u
/* From the installation of an imported key to its use. */
#define ACTIVATE_USEC (1200 * USEC_PER_MSEC)

typedef struct CallConfig {
        const char *name;
        unsigned n_hosts;
        uint64_t hours;
        bool shared;         /* a passphrase for everybody, else byte keys of each participant's own */
        uint32_t iterations; /* PBKDF2 */
        uint64_t seed;
} CallConfig;

typedef enum CallItem {
        ITEM_DELIVER, /* data: a Packet, as for the next two */
        ITEM_REPLAY,
        ITEM_BOGUS,
        ITEM_THIN,
        ITEM_FULL,
        ITEM_BURST,
        ITEM_MESSAGE, /* data: a Message */
        ITEM_HAND_OVER,
        ITEM_NAG,
        ITEM_CHECK_STEP, /* data: a StepCheck */
        ITEM_AUDIT,
        ITEM_JOIN,
        ITEM_LEAVE,
        ITEM_FORGET,
        ITEM_MUTE,
        ITEM_DEAF,
        ITEM_SLEEP,
        ITEM_WAKE,
        ITEM_RESTART,
        ITEM_JUMP,
        ITEM_STORM,
        ITEMS,
} CallItem;

/* Something that must not go on for long. */
typedef struct Trouble {
        uint64_t since_usec; /* 0: there is none */
        uint64_t last_usec;
} Trouble;

typedef struct Member {
        Host host;
        bool present;
        bool asleep;
        bool one_step;  /* follows one step at a time */
        bool made_here; /* its keys are */
        uint64_t awake_usec;
        uint64_t wakes_usec;
        uint32_t epoch; /* counts sessions */
        bool muted[MODEL_STREAMS];
        bool key_frame_wanted;
        uint32_t n_video;
        bool full[MODEL_STREAMS]; /* its frames at full rate are on their way */
        uint64_t full_until_usec;
        Trouble refused;                  /* it wants to send and cannot */
        uint64_t exclude_usec[HOSTS_MAX]; /* from then on the other must not be able to open; 0: it may */
} Member;

/* From one host to another. */
typedef struct Pair {
        uint64_t full_until_usec;
        uint64_t deaf_until_usec; /* the server forwards none of its frames */
        uint64_t arrival_usec;    /* of the last message */
        Trouble failing;          /* frames come and none opens */
        bool stalled;
} Pair;

/* What an app knows of a key. */
typedef struct KeyKnown {
        HostSecret secret; /* len 0: made in a daemon */
} KeyKnown;

typedef struct SharedKeyKnown {
        uint32_t key;
        uint32_t index;
        uint64_t activates_usec;
} SharedKeyKnown;

typedef struct Stats {
        uint64_t sealed, opened, graced, lost, refused, replays, bogus, either;
        uint64_t steps, rotations, requests, joins, leaves, sleeps, restarts, jumps, mutes, deaf, rehanded, handed;
        uint64_t present, audits, checks, all_followed, wiped, stalled;
} Stats;

typedef struct Call {
        CallConfig config;
        Random random;
        Queue queue;
        Model *model;
        Member *members; /* n_hosts */
        Pair pairs[HOSTS_MAX + 1][HOSTS_MAX];
        KeyKnown *keys; /* by number */
        uint32_t n_keys_allocated;
        int epoll_fd;
        uint64_t end_usec;
        /* The server of a call with a shared key: */
        SharedKeyKnown shared, shared_before;
        uint64_t shared_rotated_usec;
        uint64_t left_usec; /* when somebody left last */
        Stats stats;
} Call;

/* call.c */
void call_run(const CallConfig *config, Stats *ret);
void call_push(Call *call, CallItem kind, uint64_t at_usec, unsigned from, unsigned to, uint32_t number, void *data);
/* Somewhere in this time, at an instant. */
uint64_t call_delay(Call *call, uint64_t from_usec, uint64_t to_usec);
/* The host's main thread does what there is to do, and its app answers. */
void call_turn(Call *call, unsigned host);
/* The same without the app, which is at it already. */
void call_settle(Call *call, unsigned host);
bool call_runs(const Call *call, unsigned host);
/* One line of history. */
void call_note(ReportKind kind, unsigned from, unsigned to, uint32_t key, uint32_t index, uint32_t step);

/* traffic.c */
void traffic_thin(Call *call, const QueueItem *item);
void traffic_full(Call *call, const QueueItem *item);
void traffic_burst_item(Call *call, const QueueItem *item);
void traffic_deliver(Call *call, const QueueItem *item);
void traffic_drop(QueueItem *item);
/* Full rate for `usec` from now on, unless the one is not in the call. */
void traffic_burst_pair(Call *call, unsigned from, unsigned to, uint64_t usec);
/* From one to some of the others. */
void traffic_burst(Call *call, unsigned from, uint64_t usec);

/* app.c */
void app_event(Call *call, unsigned host, const SessionEvent *event);
void app_message(Call *call, const QueueItem *item);
void app_hand_over(Call *call, const QueueItem *item);
void app_nag(Call *call, const QueueItem *item);
/* A new session: its first key, and word to all others. */
void app_joined(Call *call, unsigned host);
void app_restarted(Call *call, unsigned host);
void app_left(Call *call, unsigned host);
/* Nothing is wrong between the two, as far as anybody knows. */
void app_forget_stall(Call *call, unsigned from, unsigned to);
/* From a while after now on, `host` must not send under anything that `other` has. */
void app_exclude(Call *call, unsigned host, unsigned other);
/* A key whose bytes the app knows. */
uint32_t app_new_secret(Call *call);
void app_post_shared(Call *call, unsigned to, uint32_t step, const SharedKeyKnown *key);

/* shared.c: the server's part where all share one key */
typedef enum SharedCause {
        SHARED_LEFT,   /* somebody left who has the newest key */
        SHARED_SELDOM, /* other reasons: not again and again */
        SHARED_ALWAYS,
} SharedCause;

void shared_rotate(Call *call, SharedCause cause);
/* All keys that a newcomer needs. */
void shared_send(Call *call, unsigned host);
void shared_arrived(Call *call, unsigned host, uint32_t step, const SharedKeyKnown *key);
/* The host cannot follow somebody. */
void shared_help(Call *call, unsigned host);

/* people.c */
/* Who is there at the beginning, and what will happen when. */
void people_start(Call *call);
void people_join(Call *call, const QueueItem *item);
void people_leave(Call *call, const QueueItem *item);
void people_forget(Call *call, const QueueItem *item);
void people_mute(Call *call, const QueueItem *item);
void people_deaf(Call *call, const QueueItem *item);
void people_sleep(Call *call, const QueueItem *item);
void people_wake(Call *call, const QueueItem *item);
void people_restart(Call *call, const QueueItem *item);
void people_jump(Call *call, const QueueItem *item);
void people_storm(Call *call, const QueueItem *item);

/* audit.c */
void audit_run(Call *call, const QueueItem *item);
/* A sender went to this step: after some traffic, who could follow has to stand there. */
void audit_step(Call *call, unsigned host, uint32_t index, uint32_t step);
void audit_check_step(Call *call, const QueueItem *item);
