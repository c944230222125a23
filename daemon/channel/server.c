/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Data threads. They wait for doorbells, give every channel its turn, and never wait for a client. */
#include "channel/server.h"

#include "channel/crowd.h"
#include "channel/seats.h"
#include "util/clock.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#define THREADS_MAX 16u
#define EVENTS_MAX  64
/* While channels are busy, look for new doorbells that often: a quiet channel's frame waits no longer than this and one
 * round. */
#define POLL_USEC 250u
/* What an account may take in a round while others have frames too, and for how many channels it is divided: many
 * channels of one user have short turns, so that audio does not wait for all the video beside it. */
#define SHARE_USEC  (1 * USEC_PER_MSEC)
#define SHARE_TURNS 10u
/* Before the thread asks for doorbells again it gives the CPU away once: a client that waits on the same core has its
 * answer by then, and often its next frame, which then needs no doorbell and no wake-up. Where that took long,
 * somebody else computes there, and a thread that sleeps comes to its turn sooner than one that does not; so it pauses,
 * twice as long each time, since one long wait may only be a client that had other things to do. */
#define LINGER_LONG_USEC      100u
#define LINGER_PAUSE_MIN_USEC (1 * USEC_PER_MSEC)
#define LINGER_PAUSE_MAX_USEC (1 * USEC_PER_SEC)

typedef enum EventKind {
        EVENT_DOORBELL,
        EVENT_WAKEUP,
        EVENT_COMMAND,
} EventKind;

/* A channel that is no longer served, waiting for the main thread to notice. */
typedef struct Notice {
        struct Notice *next;
        Channel *channel;
        ChannelGone why;
} Notice;

typedef enum CommandKind {
        COMMAND_NONE,
        COMMAND_ADD,
        COMMAND_REMOVE,
        COMMAND_STOP,
} CommandKind;

struct DataThread {
        ChannelServer *server;
        pthread_t thread;
        bool started;
        int epoll_fd;
        int command_fd;
        TurnScratch scratch;

        /* The main thread fills in a command, rings, and waits for `done`; one at a time. */
        atomic_bool called; /* there is one: end the round */
        CommandKind command;
        Channel *command_channel;
        int command_result;
        sem_t done;

        /* The data thread's own. */
        Seats seats;
        size_t first_account; /* of this round */
        Crowd crowd;
        uint64_t no_linger_before_usec;
        uint64_t linger_pause_usec;
};

struct ChannelServer {
        unsigned n_threads;
        DataThread *threads;
        _Atomic(Notice *) notices; /* newest first */
        int event_fd;
};

/* ---- on the data thread ---- */

static uint64_t pack(size_t seat, uint32_t use, EventKind kind) {
        return (uint64_t)seat << 34 | (uint64_t)use << 2 | (unsigned)kind;
}

static int add(DataThread *t, Channel *channel) {
        struct epoll_event event;
        Seat *seat;
        size_t i;
        int r;

        r = seats_take(&t->seats, channel, channel_account(channel), &i);
        if (r < 0)
                return r;
        seat = &t->seats.seats[i];

        /* Edges, because the daemon never reads the eventfd: its description is in the client's hands too, who
         * could make a read block (security 3). */
        event = (struct epoll_event){ .events = EPOLLIN | EPOLLET, .data.u64 = pack(i, seat->use, EVENT_DOORBELL) };
        if (epoll_ctl(t->epoll_fd, EPOLL_CTL_ADD, channel_doorbell_fd(channel), &event) < 0) {
                r = -errno;
                seats_leave(&t->seats, seat);
                return r;
        }
        /* EPOLLHUP needs no asking for; it comes when the last holder of the other end is gone. */
        event = (struct epoll_event){ .events = EPOLLET, .data.u64 = pack(i, seat->use, EVENT_WAKEUP) };
        if (epoll_ctl(t->epoll_fd, EPOLL_CTL_ADD, channel_wakeup_fd(channel), &event) < 0) {
                r = -errno;
                (void)epoll_ctl(t->epoll_fd, EPOLL_CTL_DEL, channel_doorbell_fd(channel), NULL);
                seats_leave(&t->seats, seat);
                return r;
        }
        seats_heat(&t->seats, seat); /* its first turn arms the doorbell */
        return 0;
}

static void unseat(DataThread *t, Seat *seat) {
        (void)epoll_ctl(t->epoll_fd, EPOLL_CTL_DEL, channel_doorbell_fd(seat->channel), NULL);
        (void)epoll_ctl(t->epoll_fd, EPOLL_CTL_DEL, channel_wakeup_fd(seat->channel), NULL);
        seats_leave(&t->seats, seat);
}

static void remove_channel(DataThread *t, const Channel *channel) {
        for (size_t i = 0; i < t->seats.n; i++)
                if (t->seats.seats[i].channel == channel)
                        unseat(t, &t->seats.seats[i]);
}

static void notice_push(ChannelServer *server, Notice *notice) {
        notice->next = atomic_load_explicit(&server->notices, memory_order_relaxed);
        /* Release: the notice's fields before its pointer, for channel_server_dispatch(). */
        while (!atomic_compare_exchange_weak_explicit(&server->notices, &notice->next, notice, memory_order_release,
                                                      memory_order_relaxed))
                ;
}

/* Stops serving and tells the main thread. Without memory for the notice the channel just stays dead. */
static void dismiss(DataThread *t, Seat *seat, ChannelGone why) {
        Notice *notice = malloc(sizeof(*notice));

        if (notice) {
                *notice = (Notice){ .channel = seat->channel, .why = why };
                notice_push(t->server, notice);
                (void)eventfd_write(t->server->event_fd, 1);
        }
        unseat(t, seat);
}

/* False: the thread shall end. */
static bool run_command(DataThread *t) {
        CommandKind command;
        eventfd_t ignored;

        (void)eventfd_read(t->command_fd, &ignored);
        /* Acquire: the command's fields, which run() wrote before it set the flag. */
        if (!atomic_exchange_explicit(&t->called, false, memory_order_acquire))
                return true;
        command = t->command;
        t->command = COMMAND_NONE;
        if (command == COMMAND_ADD)
                t->command_result = add(t, t->command_channel);
        else if (command == COMMAND_REMOVE)
                remove_channel(t, t->command_channel);
        if (command != COMMAND_NONE)
                (void)sem_post(&t->done);
        return command != COMMAND_STOP;
}

static bool handle(DataThread *t, const struct epoll_event *event) {
        size_t i = event->data.u64 >> 34;
        uint32_t use = event->data.u64 >> 2 & 0x3fffffff;
        EventKind kind = event->data.u64 & 3;
        Seat *seat;

        if (kind == EVENT_COMMAND)
                return run_command(t);
        seat = &t->seats.seats[i];
        if (!seat->channel || seat->use != use)
                return true;
        if (kind == EVENT_WAKEUP)
                dismiss(t, seat, CHANNEL_GONE_CLIENT);
        else {
                crowd_note(&t->crowd, &seat->period);
                seats_heat(&t->seats, seat);
        }
        return true;
}

static bool is_called(DataThread *t) {
        return atomic_load_explicit(&t->called, memory_order_relaxed);
}

static void rest(DataThread *t, Seat *seat) {
        if (channel_rest(seat->channel))
                seats_cool(&t->seats, seat);
}

static void linger(DataThread *t) {
        uint64_t before = clock_boottime_usec(), after;

        (void)sched_yield();
        after = clock_boottime_usec();
        if (after - before <= LINGER_LONG_USEC) {
                t->linger_pause_usec = LINGER_PAUSE_MIN_USEC;
                return;
        }
        t->no_linger_before_usec = after + t->linger_pause_usec;
        t->linger_pause_usec = MIN_OF(2 * t->linger_pause_usec, LINGER_PAUSE_MAX_USEC);
}

/* Fetches ahead what the next turns begin with: in a large call nothing of it is in the cache, and one miss after the
 * other takes longer than the crypto. What a step looks into, the step before has fetched. */
static void fetch_ahead(const DataThread *t, const Account *account) {
        for (unsigned step = 0; step < CHANNEL_PREFETCH_STEPS; step++) {
                const Seat *seat = seats_ahead(&t->seats, account, CHANNEL_PREFETCH_STEPS - step);

                if (seat)
                        channel_prefetch(seat->channel, step);
        }
}

static void forget_ivs(IvBatch *batch) {
        if (batch->used < batch->n)
                explicit_bzero(batch->bytes + 12 * batch->used, 12 * (batch->n - batch->used));
        batch->n = batch->used = 0;
}

/* What a round found. */
typedef struct Round {
        bool may_linger;
        bool busy; /* frames still wait */
        bool warm; /* frames were served, and nothing waits now */
} Round;

/* One turn; a channel with nothing to do cools down. */
static void serve_seat(DataThread *t, Seat *seat, Round *round) {
        switch (channel_turn(seat->channel, &t->scratch)) {
        case TURN_MORE:
                round->busy = true;
                break;
        case TURN_DONE:
                round->warm = true;
                if (!round->may_linger)
                        rest(t, seat);
                break;
        case TURN_BROKEN:
                dismiss(t, seat, CHANNEL_GONE_PROTOCOL);
                break;
        case TURN_IDLE:
                rest(t, seat);
                break;
        }
}

/* A turn for each of the account's hot channels, or for as many as its share has time for; it goes on behind them the
 * next time. */
static void serve_account(DataThread *t, Account *account, uint64_t until_usec, Round *round) {
        t->scratch.turn_usec = SHARE_USEC / MIN_OF(account->n_hot, SHARE_TURNS);
        for (uint32_t left = account->n_hot; left > 0 && !is_called(t); left--) {
                Seat *seat = seats_next(&t->seats, account);

                t->scratch.n_turns = account->next + 1;
                fetch_ahead(t, account);
                if (account->n_seats == 1 && account->n_hot == 1) {
                        serve_seat(t, seat, round); /* which may end the account */
                        return;
                }
                serve_seat(t, seat, round);
                if (until_usec != USEC_INFINITY && clock_boottime_usec() >= until_usec) {
                        round->busy = round->busy || left > 1;
                        return;
                }
        }
}

/* A share for every account; nobody's is limited while nobody else wants one. */
static void serve_round(DataThread *t) {
        uint64_t now = clock_boottime_usec();
        Round round = { .may_linger = !t->crowd.large && now >= t->no_linger_before_usec };
        size_t n = t->seats.n_accounts;

        for (size_t i = 0; i < n && i < t->seats.n_accounts && !is_called(t); i++) {
                Account *account = t->seats.accounts[(t->first_account + i) % t->seats.n_accounts];

                if (account->n_hot > 0)
                        serve_account(t, account,
                                      t->seats.n_hot > account->n_hot ? clock_boottime_usec() + SHARE_USEC
                                                                      : USEC_INFINITY,
                                      &round);
        }
        t->first_account++;
        forget_ivs(&t->scratch.ivs);
        if (round.warm && !round.busy && round.may_linger)
                linger(t);
}

static void *thread_main(void *userdata) {
        struct epoll_event events[EVENTS_MAX];
        DataThread *t = userdata;
        uint64_t polled = 0;

        for (;;) {
                bool idle = t->seats.n_hot == 0;
                uint64_t now = idle ? 0 : clock_boottime_usec();

                if (idle)
                        crowd_nap(&t->crowd);
                if (idle || is_called(t) || now - polled >= POLL_USEC) {
                        int n = epoll_wait(t->epoll_fd, events, EVENTS_MAX, idle ? -1 : 0);

                        polled = now;
                        if (idle)
                                crowd_woken(&t->crowd, clock_boottime_usec());
                        for (int i = 0; i < n; i++)
                                if (!handle(t, &events[i]))
                                        return NULL;
                }
                serve_round(t);
        }
}

/* ---- on the main thread ---- */

static int run(DataThread *t, CommandKind command, Channel *channel) {
        t->command_channel = channel;
        t->command_result = 0;
        t->command = command;
        /* Release: the fields above before the flag, for run_command(). The semaphore orders its results before our
         * reading them. */
        atomic_store_explicit(&t->called, true, memory_order_release);
        (void)eventfd_write(t->command_fd, 1);
        while (sem_wait(&t->done) < 0 && errno == EINTR)
                ;
        return t->command_result;
}

static int thread_start(DataThread *t, ChannelServer *server) {
        struct epoll_event event = { .events = EPOLLIN, .data.u64 = pack(0, 0, EVENT_COMMAND) };
        int r;

        t->server = server;
        t->linger_pause_usec = LINGER_PAUSE_MIN_USEC;
        t->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        t->command_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        t->scratch.in = aligned_alloc(64, RING_SCRATCH_SIZE);
        t->scratch.out = aligned_alloc(64, RING_SCRATCH_SIZE);
        (void)sem_init(&t->done, 0, 0); /* fails for a value over SEM_VALUE_MAX only */
        if (t->epoll_fd < 0 || t->command_fd < 0)
                return -errno;
        if (!t->scratch.in || !t->scratch.out)
                return -ENOMEM;
        if (epoll_ctl(t->epoll_fd, EPOLL_CTL_ADD, t->command_fd, &event) < 0)
                return -errno;

        r = pthread_create(&t->thread, NULL, thread_main, t);
        if (r != 0)
                return -r;
        t->started = true;
        (void)pthread_setname_np(t->thread, "frames");
        return 0;
}

int channel_server_new(ChannelServer **ret, Plane *plane, unsigned n_threads) {
        _cleanup_(channel_server_free_p) ChannelServer *server = NULL;
        int r;

        if (n_threads == 0 || n_threads > THREADS_MAX)
                return -EINVAL;
        server = calloc(1, sizeof(*server));
        if (!server)
                return -ENOMEM;
        server->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (server->event_fd < 0)
                return -errno;
        server->threads = calloc(n_threads, sizeof(*server->threads));
        if (!server->threads)
                return -ENOMEM;
        for (unsigned i = 0; i < n_threads; i++) {
                server->n_threads++;
                r = thread_start(&server->threads[i], server);
                if (r < 0)
                        return r;
        }
        *ret = take_ptr(server);
        return 0;
}

static void thread_stop(DataThread *t) {
        if (t->started) {
                (void)run(t, COMMAND_STOP, NULL);
                (void)pthread_join(t->thread, NULL);
        }
        close_fd(t->epoll_fd);
        close_fd(t->command_fd);
        (void)sem_destroy(&t->done);
        if (t->scratch.out)
                explicit_bzero(t->scratch.out, RING_SCRATCH_SIZE); /* media in clear */
        if (t->scratch.in)
                explicit_bzero(t->scratch.in, RING_SCRATCH_SIZE);
        free(t->scratch.in);
        free(t->scratch.out);
        seats_deinit(&t->seats);
}

ChannelServer *channel_server_free(ChannelServer *server) {
        Notice *notice;

        if (!server)
                return NULL;
        for (unsigned i = 0; i < server->n_threads; i++)
                thread_stop(&server->threads[i]);
        notice = atomic_exchange(&server->notices, NULL);
        while (notice) {
                Notice *next = notice->next;

                free(notice);
                notice = next;
        }
        close_fd(server->event_fd);
        free(server->threads);
        free(server);
        return NULL;
}

void channel_server_set_undo(ChannelServer *server, unsigned thread, Undo *undo) {
        server->threads[thread].scratch.undo = undo; /* read in turns; the first COMMAND_ADD comes after this */
}

int channel_server_event_fd(const ChannelServer *server) {
        return server->event_fd;
}

void channel_server_dispatch(ChannelServer *server) {
        eventfd_t ignored;

        (void)eventfd_read(server->event_fd, &ignored);
        /* One at a time: a handler may free any channel, and server_remove() takes that one's notice away. */
        for (;;) {
                Notice *notice = atomic_load_explicit(&server->notices, memory_order_acquire);
                ChannelGone why;
                Channel *channel;

                if (!notice)
                        return;
                /* Only this thread takes notices away, so `next` cannot change under the exchange. */
                if (!atomic_compare_exchange_strong(&server->notices, &notice, notice->next))
                        continue;
                channel = notice->channel;
                why = notice->why;
                free(notice);
                channel_gone(channel, why);
        }
}

DataThread *server_thread_for(ChannelServer *server, const Session *session) {
        /* Sessions are malloc'd, so the low bits say nothing. */
        return &server->threads[((uintptr_t)session >> 6) * 0x9e3779b1u % server->n_threads];
}

int server_add(DataThread *thread, Channel *channel) {
        return run(thread, COMMAND_ADD, channel);
}

void server_remove(DataThread *thread, Channel *channel) {
        Notice *notice, *keep = NULL;

        (void)run(thread, COMMAND_REMOVE, channel);
        /* Take all notices, put back those of other channels. */
        notice = atomic_exchange_explicit(&thread->server->notices, NULL, memory_order_acquire);
        while (notice) {
                Notice *next = notice->next;

                if (notice->channel == channel)
                        free(notice);
                else {
                        notice->next = keep;
                        keep = notice;
                }
                notice = next;
        }
        while (keep) {
                Notice *next = keep->next;

                notice_push(thread->server, keep);
                keep = next;
        }
}
