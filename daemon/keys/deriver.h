/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The two threads on which keys are derived, so that 100,000 iterations of PBKDF2 never stand in
 * the way of a frame: one for what somebody waits for (imports, steps not derived ahead; nice),
 * one for looking ahead (SCHED_IDLE: takes only time that nobody wants).
 *
 * Jobs are handed over by lock-free lists: a thread at SCHED_IDLE may lose the CPU at any point, so
 * nobody may ever wait for a lock that it holds. Main thread, except the derivation itself.
 */
#pragma once

#include "keys/schedule.h"

#include <stdatomic.h>

typedef struct Deriver Deriver;
typedef struct DeriveJob DeriveJob;

typedef enum DeriverClass {
        DERIVER_AWAITED,
        DERIVER_AHEAD,
        DERIVER_CLASSES,
} DeriverClass;

/* One derivation, owned by the deriver between submit and done. */
struct DeriveJob {
        DeriveJob *next;
        const Schedule *schedule;     /* lives as long as the job */
        Secret *material;             /* where to start, NULL if n_steps is 0; wiped by whoever frees the job */
        uint32_t n_steps;             /* how many steps to derive; 0: only come back through done */
        uint32_t first_step;          /* number of the first of them */
        uint32_t account;             /* whose it is */
        bool keep_first;              /* if there are several */
        ScheduleStep *first;          /* ... then it is here, arena block */
        ScheduleStep *result;         /* the last of them, arena block; NULL if n_steps is 0 or on error */
        int error;                    /* 0; -ENOMEM; -ECANCELED */
        atomic_bool cancelled;        /* nobody waits for it any more: stop after the step in hand */
        int (*work)(DeriveJob *job);  /* instead of deriving, on the thread: the error to end with; NULL: derive */
        void (*done)(DeriveJob *job); /* main thread, from deriver_dispatch(); frees the job */
};

/* 0; -ENOMEM; -EAGAIN. */
int deriver_new(Deriver **ret);
/* Ends both threads (after the step in hand) and finishes waiting jobs with -ECANCELED. Takes NULL; returns NULL. */
Deriver *deriver_free(Deriver *deriver);
DEFINE_CLEANUP(Deriver, deriver_free)
/* Never fails. Jobs of a class and an account run in order; accounts take turns, so that nobody's hundred passphrases
 * keep another's first one waiting for longer than one. */
void deriver_submit(Deriver *deriver, DeriveJob *job, DeriverClass class);
/* Jobs that are not done yet. Main thread. */
unsigned deriver_n_jobs(const Deriver *deriver);
/* Readable when deriver_dispatch() has something to do. */
int deriver_event_fd(const Deriver *deriver);
/* Calls `done` of finished jobs, in the order in which they were. */
void deriver_dispatch(Deriver *deriver);
