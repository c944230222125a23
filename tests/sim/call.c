/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Time: from instant to instant, and at each until nobody has anything left to do. */
#include "tests/sim/call.h"

#include <sys/epoll.h>

static void (*const runs[ITEMS])(Call *call, const QueueItem *item) = {
        [ITEM_DELIVER] = traffic_deliver,
        [ITEM_REPLAY] = traffic_deliver,
        [ITEM_BOGUS] = traffic_deliver,
        [ITEM_THIN] = traffic_thin,
        [ITEM_FULL] = traffic_full,
        [ITEM_BURST] = traffic_burst_item,
        [ITEM_MESSAGE] = app_message,
        [ITEM_HAND_OVER] = app_hand_over,
        [ITEM_NAG] = app_nag,
        [ITEM_CHECK_STEP] = audit_check_step,
        [ITEM_AUDIT] = audit_run,
        [ITEM_JOIN] = people_join,
        [ITEM_LEAVE] = people_leave,
        [ITEM_FORGET] = people_forget,
        [ITEM_MUTE] = people_mute,
        [ITEM_DEAF] = people_deaf,
        [ITEM_SLEEP] = people_sleep,
        [ITEM_WAKE] = people_wake,
        [ITEM_RESTART] = people_restart,
        [ITEM_JUMP] = people_jump,
        [ITEM_STORM] = people_storm,
};

void call_push(Call *call, CallItem kind, uint64_t at_usec, unsigned from, unsigned to, uint32_t number, void *data) {
        queue_push(&call->queue, &(QueueItem){ .at_usec = MAX_OF(at_usec, world_now()),
                                               .kind = (uint8_t)kind,
                                               .from = (uint8_t)from,
                                               .to = (uint8_t)to,
                                               .number = number,
                                               .data = data });
}

uint64_t call_delay(Call *call, uint64_t from_usec, uint64_t to_usec) {
        return random_between(&call->random, from_usec / INSTANT_USEC, to_usec / INSTANT_USEC) * INSTANT_USEC;
}

bool call_runs(const Call *call, unsigned host) {
        return call->members[host].host.session && !call->members[host].asleep;
}

void call_note(ReportKind kind, unsigned from, unsigned to, uint32_t key, uint32_t index, uint32_t step) {
        report_note(&(ReportRecord){ .kind = kind,
                                     .from = (uint8_t)from,
                                     .to = (uint8_t)to,
                                     .key = key,
                                     .index = (uint8_t)index,
                                     .step = step });
}

/* ---- a host's turn ---- */

/* Two threads derive: what they end at the same instant may come in any order, and must not make a difference. */
static int compare_events(const void *a, const void *b) {
        const SessionEvent *x = a, *y = b;

        if (x->type != y->type)
                return x->type < y->type ? -1 : 1;
        if (x->participant != y->participant)
                return x->participant < y->participant ? -1 : 1;
        if (x->index != y->index)
                return x->index < y->index ? -1 : 1;
        return (x->step > y->step) - (x->step < y->step);
}

void call_settle(Call *call, unsigned host) {
        host_settle(&call->members[host].host);
        if (call->members[host].host.session)
                model_sender_turn(call->model, host, world_now(), true);
}

void call_turn(Call *call, unsigned id) {
        Host *host = &call->members[id].host;

        call_settle(call, id);
        while (host->n_events > 0) {
                SessionEvent *events = host->events;
                size_t n = host->n_events;

                host->events = NULL;
                host->n_events = host->allocated = 0;
                qsort(events, n, sizeof(*events), compare_events);
                for (size_t i = 0; i < n; i++)
                        app_event(call, id, &events[i]);
                free(events);
                call_settle(call, id);
        }
}

/* All whose main threads have been woken. True: there was one. */
static bool turn_all(Call *call) {
        struct epoll_event events[HOSTS_MAX];
        uint64_t ready = 0;
        int n = epoll_wait(call->epoll_fd, events, HOSTS_MAX, 0);

        MUST(n >= 0);
        for (int i = 0; i < n; i++)
                ready |= UINT64_C(1) << events[i].data.u32;
        for (unsigned id = 0; id < call->config.n_hosts; id++)
                if (ready & UINT64_C(1) << id)
                        call_turn(call, id);
        return n > 0;
}

/* ---- the whole ---- */

static void run(Call *call) {
        uint64_t at;

        while ((at = MIN_OF(queue_next(&call->queue), world_next_timer())) < call->end_usec) {
                at = MAX_OF(at, world_now());
                MUST(at % INSTANT_USEC == 0);
                if (world_set_now(at))
                        (void)turn_all(call);
                do
                        while (queue_next(&call->queue) <= at) {
                                QueueItem item = queue_pop(&call->queue);

                                runs[item.kind](call, &item);
                        }
                while (turn_all(call));
        }
}

static void drop_items(Call *call) {
        while (queue_next(&call->queue) != USEC_INFINITY) {
                QueueItem item = queue_pop(&call->queue);

                if (item.kind <= ITEM_BOGUS)
                        traffic_drop(&item);
                else
                        free(item.data);
        }
        queue_clear(&call->queue);
}

void call_run(const CallConfig *config, Stats *ret) {
        Call *call = calloc(1, sizeof(*call));

        MUST(call && config->n_hosts <= HOSTS_MAX);
        call->config = *config;
        call->random.state = config->seed;
        call->end_usec = world_now() + config->hours * HOUR_USEC;
        call->model = model_new();
        call->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        call->members = calloc(config->n_hosts, sizeof(*call->members));
        MUST(call->epoll_fd >= 0 && call->members);
        for (unsigned i = 0; i < config->n_hosts; i++)
                host_start(&call->members[i].host, i);
        people_start(call);
        run(call);

        *ret = call->stats;
        drop_items(call);
        for (unsigned i = 0; i < config->n_hosts; i++)
                host_end(&call->members[i].host);
        (void)close_fd(call->epoll_fd);
        model_free(call->model);
        free(call->members);
        free(call->keys);
        free(call);
}
