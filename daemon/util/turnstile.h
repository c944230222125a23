/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A lock between one busy thread and the main thread, which goes first if it waits: a mutex is not
 * fair, and a thread that takes it again and again could keep a woken one out for long.
 */
#pragma once

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

typedef struct Turnstile {
        pthread_mutex_t lock;
        atomic_uint n_waiting; /* main thread wants it: others step back */
} Turnstile;

static inline void turnstile_init(Turnstile *turnstile) {
        (void)pthread_mutex_init(&turnstile->lock, NULL); /* default attributes cannot fail */
        atomic_init(&turnstile->n_waiting, 0);
}

static inline void turnstile_destroy(Turnstile *turnstile) {
        (void)pthread_mutex_destroy(&turnstile->lock);
}

/* The main thread's way in. */
static inline void turnstile_lock(Turnstile *turnstile) {
        atomic_fetch_add(&turnstile->n_waiting, 1);
        (void)pthread_mutex_lock(&turnstile->lock);
        atomic_fetch_sub(&turnstile->n_waiting, 1);
}

/* A data thread's. The bound keeps a main thread that lost the CPU from stopping media. */
static inline void turnstile_enter(Turnstile *turnstile) {
        for (unsigned i = 0; i < 64 && atomic_load_explicit(&turnstile->n_waiting, memory_order_relaxed) > 0; i++)
                (void)sched_yield();
        (void)pthread_mutex_lock(&turnstile->lock);
}

/* Everybody's way out. */
static inline void turnstile_leave(Turnstile *turnstile) {
        (void)pthread_mutex_unlock(&turnstile->lock);
}
