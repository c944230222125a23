/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is to happen and when, oldest first; what is due at the same time in the order of its coming. */
#pragma once

#include "util/util.h"

typedef struct QueueItem {
        uint64_t at_usec;
        uint64_t order; /* set by queue_push() */
        void *data;
        uint8_t kind;
        uint8_t from;
        uint8_t to;
        uint32_t number;
} QueueItem;

typedef struct Queue {
        QueueItem *heap;
        size_t n;
        size_t allocated;
        uint64_t last_order;
} Queue;

/* Aborts without memory: a test cannot go on. */
void queue_push(Queue *queue, const QueueItem *item);
/* When the next one is due; USEC_INFINITY: it is empty. */
uint64_t queue_next(const Queue *queue);
/* Not for an empty queue. */
QueueItem queue_pop(Queue *queue);
void queue_clear(Queue *queue);
