/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Deriver threads and the two lock-free lists that connect each of them with the main thread. */
#include "keys/deriver.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/resource.h>

/* Awaited derivations yield to frames, but not to everything that is idle. */
#define AWAITED_NICE 5

typedef struct DeriverThread {
        Deriver *deriver;
        DeriverClass class;
        pthread_t thread;
        bool started;
        sem_t waiting;              /* counts submitted jobs */
        _Atomic(DeriveJob *) inbox; /* newest first */
        DeriveJob *queue;           /* oldest first; this thread's own */
        uint32_t served;            /* account of the last job */
} DeriverThread;

struct Deriver {
        DeriverThread threads[DERIVER_CLASSES];
        _Atomic(DeriveJob *) finished; /* newest first */
        unsigned n_jobs;               /* main thread */
        atomic_bool stopping;
        int event_fd;
};

static void list_push(_Atomic(DeriveJob *) *list, DeriveJob *job) {
        job->next = atomic_load_explicit(list, memory_order_relaxed);
        /* Release: the job's fields must be seen before its pointer is, by the thread that takes the list;
         * otherwise it would run a half-written job. */
        while (!atomic_compare_exchange_weak_explicit(list, &job->next, job, memory_order_release,
                                                      memory_order_relaxed))
                ;
}

/* Takes all jobs, oldest first. Acquire pairs with list_push(). Taking the whole list at once leaves no room for ABA.
 */
static DeriveJob *list_take(_Atomic(DeriveJob *) *list) {
        DeriveJob *job = atomic_exchange_explicit(list, NULL, memory_order_acquire), *oldest_first = NULL;

        while (job) {
                DeriveJob *next = job->next;

                job->next = oldest_first;
                oldest_first = job;
                job = next;
        }
        return oldest_first;
}

static void finish(Deriver *deriver, DeriveJob *job) {
        list_push(&deriver->finished, job);
        /* Cannot block: nobody else holds this eventfd, so its counter never gets near its end. */
        (void)eventfd_write(deriver->event_fd, 1);
}

static bool is_unwanted(const DeriveJob *job, const atomic_bool *stopping) {
        return atomic_load_explicit(stopping, memory_order_relaxed) ||
               atomic_load_explicit(&job->cancelled, memory_order_relaxed);
}

static int derive(DeriveJob *job, const atomic_bool *stopping) {
        const uint8_t *material = job->material ? job->material->bytes : NULL;
        size_t material_len = job->material ? job->material->len : 0;
        ScheduleStep *from = NULL, *to;
        int r = 0;

        for (uint32_t i = 0; i < job->n_steps && r == 0; i++) {
                if (is_unwanted(job, stopping)) {
                        r = -ECANCELED;
                        break;
                }
                to = arena_alloc(arena_installed(), schedule_step_size(job->schedule));
                if (!to) {
                        r = -ENOMEM;
                        break;
                }
                r = schedule_derive(job->schedule, job->first_step + i, material, material_len, to);
                if (i == 1 && job->keep_first)
                        job->first = from;
                else
                        arena_release(arena_installed(), from);
                from = to;
                material = schedule_next(job->schedule, to, &material_len);
        }
        if (r < 0) {
                arena_release(arena_installed(), from);
                return r;
        }
        job->result = from;
        return 0;
}

/* One piece of work takes as long as a few derivations do: it is not interrupted. */
static int do_work(DeriveJob *job, const atomic_bool *stopping) {
        return is_unwanted(job, stopping) ? -ECANCELED : job->work(job);
}

static void thread_set_priority(DeriverClass class) {
        /* Failing is no error: a unit that forbids it gets derivations at normal priority. */
        if (class == DERIVER_AHEAD)
                (void)sched_setscheduler(0, SCHED_IDLE, &(struct sched_param){ 0 });
        else
                (void)setpriority(PRIO_PROCESS, (id_t)gettid(), AWAITED_NICE);
}

/* The oldest job of the next account, round and round; NULL: there is none. */
static DeriveJob *take_turn(DeriverThread *t) {
        DeriveJob **best = NULL, *job;

        /* What comes after the account served last is least, and that account itself is most. */
        for (DeriveJob **i = &t->queue; *i; i = &(*i)->next)
                if (!best || (*i)->account - t->served - 1 < (*best)->account - t->served - 1)
                        best = i;
        if (!best)
                return NULL;
        job = *best;
        *best = job->next;
        t->served = job->account;
        return job;
}

static void *thread_main(void *userdata) {
        DeriverThread *t = userdata;
        Deriver *deriver = t->deriver;
        DeriveJob **tail;

        thread_set_priority(t->class);
        for (;;) {
                DeriveJob *job;

                while (sem_wait(&t->waiting) < 0 && errno == EINTR)
                        ;
                tail = &t->queue;
                while (*tail)
                        tail = &(*tail)->next;
                *tail = list_take(&t->inbox);
                job = take_turn(t);
                if (!job) /* the one post without a job is the order to stop */
                        return NULL;
                job->error = job->work ? do_work(job, &deriver->stopping) : derive(job, &deriver->stopping);
                finish(deriver, job);
        }
}

int deriver_new(Deriver **ret) {
        _cleanup_(deriver_free_p) Deriver *deriver = calloc(1, sizeof(*deriver));

        if (!deriver)
                return -ENOMEM;
        deriver->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (deriver->event_fd < 0)
                return -errno;

        for (unsigned i = 0; i < DERIVER_CLASSES; i++) {
                DeriverThread *t = &deriver->threads[i];
                int r;

                t->deriver = deriver;
                t->class = i;
                (void)sem_init(&t->waiting, 0, 0); /* fails for a value over SEM_VALUE_MAX only */
                r = pthread_create(&t->thread, NULL, thread_main, t);
                if (r != 0)
                        return -r;
                t->started = true;
                (void)pthread_setname_np(t->thread, i == DERIVER_AHEAD ? "derive-ahead" : "derive-awaited");
        }
        *ret = take_ptr(deriver);
        return 0;
}

Deriver *deriver_free(Deriver *deriver) {
        if (!deriver)
                return NULL;

        atomic_store(&deriver->stopping, true);
        for (unsigned i = 0; i < DERIVER_CLASSES; i++) {
                DeriverThread *t = &deriver->threads[i];

                if (!t->started)
                        continue;
                (void)sem_post(&t->waiting);
                (void)pthread_join(t->thread, NULL);
                (void)sem_destroy(&t->waiting);
        }
        deriver_dispatch(deriver);
        close_fd(deriver->event_fd);
        free(deriver);
        return NULL;
}

void deriver_submit(Deriver *deriver, DeriveJob *job, DeriverClass class) {
        DeriverThread *t = &deriver->threads[class];

        job->result = NULL;
        job->error = 0;
        deriver->n_jobs++;
        list_push(&t->inbox, job);
        (void)sem_post(&t->waiting);
}

unsigned deriver_n_jobs(const Deriver *deriver) {
        return deriver->n_jobs;
}

int deriver_event_fd(const Deriver *deriver) {
        return deriver->event_fd;
}

void deriver_dispatch(Deriver *deriver) {
        eventfd_t ignored;
        DeriveJob *job;

        (void)eventfd_read(deriver->event_fd, &ignored);
        job = list_take(&deriver->finished);
        while (job) {
                DeriveJob *next = job->next;

                deriver->n_jobs--;
                job->done(job);
                job = next;
        }
}
