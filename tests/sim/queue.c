/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A binary heap. */
#include "tests/sim/queue.h"

static bool before(const QueueItem *a, const QueueItem *b) {
        return a->at_usec != b->at_usec ? a->at_usec < b->at_usec : a->order < b->order;
}

void queue_push(Queue *queue, const QueueItem *item) {
        QueueItem fresh = *item;
        size_t i = queue->n;

        if (queue->n == queue->allocated) {
                queue->allocated = queue->allocated ? queue->allocated * 2 : 1024;
                queue->heap = reallocarray(queue->heap, queue->allocated, sizeof(*queue->heap));
                if (!queue->heap)
                        abort();
        }
        fresh.order = ++queue->last_order;
        queue->n++;
        while (i > 0 && before(&fresh, &queue->heap[(i - 1) / 2])) {
                queue->heap[i] = queue->heap[(i - 1) / 2];
                i = (i - 1) / 2;
        }
        queue->heap[i] = fresh;
}

uint64_t queue_next(const Queue *queue) {
        return queue->n > 0 ? queue->heap[0].at_usec : USEC_INFINITY;
}

QueueItem queue_pop(Queue *queue) {
        QueueItem first = queue->heap[0], last = queue->heap[--queue->n];
        size_t i = 0, child;

        while ((child = 2 * i + 1) < queue->n) {
                if (child + 1 < queue->n && before(&queue->heap[child + 1], &queue->heap[child]))
                        child++;
                if (!before(&queue->heap[child], &last))
                        break;
                queue->heap[i] = queue->heap[child];
                i = child;
        }
        queue->heap[i] = last;
        return first;
}

void queue_clear(Queue *queue) {
        free(queue->heap);
        *queue = (Queue){ 0 };
}
