/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The simulated machine. The definitions below take the place of libc's in this program's own objects; the shared
 * libraries keep theirs.
 */
#include "tests/sim/world.h"

#include "tests/sim/random.h"
#include "util/clock.h"
#include "util/entropy.h"

#include <assert.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>

#define TIMERS_MAX 256u
#define EPOCH_USEC (1000000 * USEC_PER_SEC)

/* A timer is an eventfd that world_set_now() writes to. */
typedef struct Timer {
        int fd;
        uint64_t due_usec;
} Timer;

static uint64_t now_usec;
static int64_t realtime_usec; /* CLOCK_REALTIME - CLOCK_BOOTTIME */
static unsigned n_realtime_reads;
static Random entropy;
static Timer timers[TIMERS_MAX];
static size_t n_timers;
static uint64_t next_due_usec = USEC_INFINITY;

void world_start(uint64_t seed) {
        __atomic_store_n(&now_usec, EPOCH_USEC, __ATOMIC_RELAXED);
        entropy = (Random){ .state = ~seed };
        realtime_usec = 1700000000 * (int64_t)USEC_PER_SEC;
        n_timers = 0;
        next_due_usec = USEC_INFINITY;
}

uint64_t world_now(void) {
        return __atomic_load_n(&now_usec, __ATOMIC_RELAXED);
}

static void find_next(void) {
        next_due_usec = USEC_INFINITY;
        for (size_t i = 0; i < n_timers; i++)
                next_due_usec = MIN_OF(next_due_usec, timers[i].due_usec);
}

bool world_set_now(uint64_t usec) {
        assert(usec >= world_now());
        __atomic_store_n(&now_usec, usec, __ATOMIC_RELAXED);
        if (next_due_usec > usec)
                return false;
        for (size_t i = 0; i < n_timers; i++)
                if (timers[i].due_usec <= usec) {
                        timers[i].due_usec = USEC_INFINITY;
                        (void)eventfd_write(timers[i].fd, 1);
                }
        find_next();
        return true;
}

uint64_t world_next_timer(void) {
        return next_due_usec;
}

void world_jump_realtime(int64_t usec) {
        realtime_usec += usec;
}

unsigned world_n_realtime_reads(void) {
        return n_realtime_reads;
}

/* ---- in place of util/clock.o and util/entropy.o ---- */

uint64_t clock_boottime_usec(void) {
        return world_now();
}

void entropy_fill(void *bytes, size_t len) {
        assert(len <= ENTROPY_MAX);
        random_fill(&entropy, bytes, len);
}

void entropy_fill_ivs(uint8_t *ivs, size_t n) {
        entropy_fill(ivs, n * 12);
}

/* ---- in place of libc's ---- */

ssize_t getrandom(void *bytes, size_t len, unsigned flags) {
        random_fill(&entropy, bytes, len);
        return (ssize_t)len;
}

int timerfd_create(clockid_t clock, int flags) {
        int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

        assert(clock == CLOCK_BOOTTIME && n_timers < TIMERS_MAX);
        if (fd >= 0)
                timers[n_timers++] = (Timer){ .fd = fd, .due_usec = USEC_INFINITY };
        return fd;
}

int timerfd_settime(int fd, int flags, const struct itimerspec *when, struct itimerspec *ret_before) {
        uint64_t due = (uint64_t)when->it_value.tv_sec * USEC_PER_SEC + (uint64_t)when->it_value.tv_nsec / 1000;
        size_t i = 0;
        bool armed = when->it_value.tv_sec != 0 || when->it_value.tv_nsec != 0;

        assert(flags == TFD_TIMER_ABSTIME && when->it_interval.tv_sec == 0 && when->it_interval.tv_nsec == 0);
        while (i < n_timers && timers[i].fd != fd)
                i++;
        assert(i < n_timers);
        timers[i].due_usec = armed ? due : USEC_INFINITY;
        find_next();
        if (due <= world_now() && armed)
                (void)world_set_now(world_now());
        return 0;
}

/* The key layer has no business with the date. Should it ask, it gets one that jumps. */
static void read_realtime(struct timespec *ret) {
        int64_t usec = (int64_t)world_now() + realtime_usec;

        n_realtime_reads++;
        *ret = (struct timespec){ .tv_sec = usec / 1000000, .tv_nsec = usec % 1000000 * 1000 };
}

int clock_gettime(clockid_t clock, struct timespec *ret) {
        if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_TAI) {
                read_realtime(ret);
                return 0;
        }
        *ret = (struct timespec){ .tv_sec = (time_t)(world_now() / USEC_PER_SEC),
                                  .tv_nsec = (long)(world_now() % USEC_PER_SEC * 1000) };
        return 0;
}

time_t time(time_t *ret) {
        struct timespec now;

        read_realtime(&now);
        if (ret)
                *ret = now.tv_sec;
        return now.tv_sec;
}

int gettimeofday(struct timeval *restrict ret, void *restrict zone) {
        struct timespec now;

        read_realtime(&now);
        *ret = (struct timeval){ .tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1000 };
        return 0;
}

/* The look-ahead asks for time that nobody else wants. Here all wait for it at every instant: the run would take as
 * long as the machine is busy with other things. */
int sched_setscheduler(pid_t pid, int policy, const struct sched_param *param) {
        errno = EPERM;
        return -1;
}

/* The arena of fifty daemons is larger than what an ordinary user may lock, and holds no secret. */
int mlock(const void *addr, size_t len) {
        return 0;
}
