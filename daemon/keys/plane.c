/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What all sessions share: deriver, panic lock, trial budget, and the main thread's wake-ups. */
#include "keys/plane-internal.h"

#include "keys/budget.h"
#include "keys/session-internal.h"
#include "util/clock.h"

#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

/* Bogus frames of all senders together may cost 20 % of one core (security 4.3), 1 s of it saved up. */
static const BudgetLimit trial_limit_all = { .slowdown = 5, .burst_nsec = 1000000000 };

struct Plane {
        Deriver *deriver;
        HpkePair *transport;
        Ledger *ledger;
        Session *sessions; /* main thread */
        Budget trials;
        atomic_bool locked;
        int wake_fd;  /* written by data threads */
        int timer_fd; /* next session_attend() */
        int epoll_fd; /* the three of them as one descriptor */
};

static int watch(Plane *plane, int fd) {
        struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

        return epoll_ctl(plane->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

int plane_new(Plane **ret) {
        _cleanup_(plane_free_p) Plane *plane = calloc(1, sizeof(*plane));
        int r;

        if (!plane)
                return -ENOMEM;
        plane->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        plane->timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
        plane->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        if (plane->wake_fd < 0 || plane->timer_fd < 0 || plane->epoll_fd < 0)
                return -errno;
        r = hpke_pair_new(&plane->transport);
        if (r < 0)
                return r;
        r = deriver_new(&plane->deriver);
        if (r < 0)
                return r;

        r = watch(plane, plane->wake_fd);
        if (r == 0)
                r = watch(plane, plane->timer_fd);
        if (r == 0)
                r = watch(plane, deriver_event_fd(plane->deriver));
        if (r < 0)
                return r;
        *ret = take_ptr(plane);
        return 0;
}

Plane *plane_free(Plane *plane) {
        if (!plane)
                return NULL;
        deriver_free(plane->deriver);
        hpke_pair_free(plane->transport);
        close_fd(plane->wake_fd);
        close_fd(plane->timer_fd);
        close_fd(plane->epoll_fd);
        free(plane);
        return NULL;
}

int plane_event_fd(const Plane *plane) {
        return plane->epoll_fd;
}

void plane_dispatch(Plane *plane) {
        uint64_t next = USEC_INFINITY, expirations;
        struct itimerspec when = { 0 };
        eventfd_t ignored;

        (void)eventfd_read(plane->wake_fd, &ignored);
        if (read(plane->timer_fd, &expirations, sizeof(expirations)) < 0)
                expirations = 0; /* EAGAIN: something else woke us */
        deriver_dispatch(plane->deriver);

        for (Session *session = plane->sessions; session; session = session->next)
                next = MIN_OF(next, session_attend(session, clock_boottime_usec()));
        if (next != USEC_INFINITY) {
                when.it_value.tv_sec = (time_t)(next / USEC_PER_SEC);
                when.it_value.tv_nsec = (long)(next % USEC_PER_SEC * NSEC_PER_USEC) + 1; /* 0 would disarm */
        }
        (void)timerfd_settime(plane->timer_fd, TFD_TIMER_ABSTIME, &when, NULL); /* arguments are in range */
}

void plane_set_locked(Plane *plane, bool locked) {
        atomic_store(&plane->locked, locked);
}

bool plane_locked(const Plane *plane) {
        return atomic_load_explicit(&plane->locked, memory_order_relaxed);
}

unsigned plane_n_deriving(const Plane *plane) {
        return deriver_n_jobs(plane->deriver);
}

const uint8_t *plane_transport_key(const Plane *plane) {
        return hpke_pair_public(plane->transport);
}

const HpkePair *plane_transport_pair(const Plane *plane) {
        return plane->transport;
}

void plane_set_ledger(Plane *plane, Ledger *ledger) {
        plane->ledger = ledger;
}

Ledger *plane_ledger(const Plane *plane) {
        return plane->ledger;
}

Deriver *plane_deriver(Plane *plane) {
        return plane->deriver;
}

void plane_add_session(Plane *plane, Session *session) {
        session->next = plane->sessions;
        plane->sessions = session;
}

void plane_remove_session(Plane *plane, Session *session) {
        Session **link = &plane->sessions;

        while (*link != session)
                link = &(*link)->next;
        *link = session->next;
}

void plane_wake(Plane *plane) {
        (void)eventfd_write(plane->wake_fd, 1); /* nobody else holds it, so it cannot be full */
}

bool plane_take_trials(Plane *plane, uint64_t now_usec, uint64_t cost_nsec) {
        return budget_take(&plane->trials, &trial_limit_all, now_usec, cost_nsec);
}
