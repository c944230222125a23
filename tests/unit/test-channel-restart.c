/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The library over the deaths of daemons. A supervisor, as PID 1 does, holds what is kept of the ring and starts one
 * daemon after the other; each takes the ring over and is killed whenever it suits. Frames are not encrypted but
 * numbered: each gets a counter that no other frame may have.
 */
#include <framekey.h>

#include <check.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "channel/ring.h"
#include "runner.h"

#define SECOND      UINT64_C(1000000)
#define LONG        (60 * SECOND)
#define OVERHEAD    30u
#define TURN_FRAMES 32u
#define N_SLOTS     64u
#define FRAMES      2000u
#define FRAME_LEN   100u
#define ABSENT_MSEC 100
#define LIFE_USEC   8000u /* of a daemon, at most */

typedef enum Order {
        SERVE, /* from one daemon to the next */
        HOLD,  /* there is none for now */
        END,   /* there will be none any more */
} Order;

typedef struct Memory {
        UndoLog log;
        uint64_t counter;
        uint64_t n_sealed; /* frames of committed turns, and notes of the one in hand */
        uint64_t ring[128];
        _Atomic Order order;
        atomic_uint n_deaths;
        atomic_bool absent; /* as HOLD says */
} Memory;

static Memory *memory;
static RingKept kept;
static pid_t supervisor;
static framekey_channel *channel;
static uint8_t seen[FRAMES * 4]; /* counters that came back */

static void sleep_usec(uint64_t usec) {
        struct timespec ts = { .tv_sec = (time_t)(usec / SECOND), .tv_nsec = (long)(usec % SECOND) * 1000 };

        while (nanosleep(&ts, &ts) < 0)
                ;
}

/* ---- a daemon ---- */

static void turn(Ring *ring, Undo *undo, uint8_t *in, uint8_t *out) {
        RingRequest request;

        for (unsigned i = 0; i < TURN_FRAMES && ring_fetch(ring, in, &request) == 0; i++) {
                uint64_t counter = ++memory->counter;

                (void)undo_note(undo, &memory->n_sealed, sizeof(memory->n_sealed));
                memory->n_sealed++;
                memcpy(out, request.frame, request.frame_len);
                memset(out + request.frame_len, 0, OVERHEAD);
                memcpy(out + request.frame_len, &counter, sizeof(counter));
                ring_complete(ring, &request, &(RingCompletion){ .frame_len = request.frame_len + OVERHEAD }, out);
        }
        ring_commit(ring, undo);
        ring_publish(ring);
}

/* Sleeps by the ring's rules, so that a doorbell that is lost is a test that hangs. */
_Noreturn static void daemon_main(void) {
        Undo undo = { .log = &memory->log, .state = (uint8_t *)memory, .state_size = sizeof(*memory) };
        uint8_t *in = malloc(RING_SCRATCH_SIZE), *out = malloc(RING_SCRATCH_SIZE);
        Ring *ring;

        if (!in || !out || undo_recover(&undo) < 0 || ring_adopt(&ring, (RingState *)memory->ring, &kept) < 0)
                _exit(1);
        ring_set_stream(ring, 0,
                        &(RingStream){ .direction = FRAMEKEY_ENCRYPT,
                                       .format = FRAMEKEY_FORMAT_LIVEKIT,
                                       .media = FRAMEKEY_MEDIA_AUDIO,
                                       .codec = FRAMEKEY_CODEC_OPUS,
                                       .overhead = OVERHEAD });
        ring_resume(ring);
        for (;;) {
                struct pollfd pollfd = { .fd = ring_doorbell_fd(ring), .events = POLLIN };
                uint64_t ignored;

                turn(ring, &undo, in, out);
                if (!ring_rest(ring))
                        continue;
                /* Nobody else but a test may read a doorbell. */
                if (poll(&pollfd, 1, -1) < 0 || read(pollfd.fd, &ignored, sizeof(ignored)) < 0)
                        _exit(1);
        }
}

/* ---- the supervisor ---- */

_Noreturn static void supervise(void) {
        uint64_t seed = 1, longest_usec = LIFE_USEC;

        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        while (memory->order != END) {
                uint64_t before = memory->n_sealed;
                pid_t child;

                if (memory->order == HOLD) {
                        memory->absent = true;
                        sleep_usec(1000);
                        continue;
                }
                memory->absent = false;
                child = fork();
                if (child == 0) {
                        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
                        daemon_main();
                }
                seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
                sleep_usec(500 + (seed >> 33) % longest_usec);
                (void)kill(child, SIGKILL);
                (void)waitpid(child, NULL, 0);
                memory->n_deaths++;
                /* Under valgrind some die before they have done anything. */
                longest_usec = memory->n_sealed != before ? LIFE_USEC : MIN_OF(2 * longest_usec, SECOND);
        }
        _exit(0);
}

static void setup(void) {
        RingConfig config = { .n_slots = { N_SLOTS, 0, 0 }, .n_streams = 1 };
        RingKept of_ring;
        RingFds fds;
        Ring *ring;

        memset(seen, 0, sizeof(seen));
        memory = mmap(NULL, sizeof(*memory), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        ck_assert_ptr_ne(memory, MAP_FAILED);
        ck_assert_uint_le(ring_state_size(&config), sizeof(memory->ring));
        config.state = (RingState *)memory->ring;
        ck_assert_int_eq(ring_new(&ring, &config, &fds), 0);
        ring_set_stream(ring, 0,
                        &(RingStream){ .direction = FRAMEKEY_ENCRYPT,
                                       .format = FRAMEKEY_FORMAT_LIVEKIT,
                                       .media = FRAMEKEY_MEDIA_AUDIO,
                                       .codec = FRAMEKEY_CODEC_OPUS,
                                       .overhead = OVERHEAD });
        ring_kept_fds(ring, &of_ring);
        kept = (RingKept){
                .request = fcntl(of_ring.request, F_DUPFD_CLOEXEC, 0),
                .response = fcntl(of_ring.response, F_DUPFD_CLOEXEC, 0),
                .doorbell = fcntl(of_ring.doorbell, F_DUPFD_CLOEXEC, 0),
                .wakeup = fcntl(of_ring.wakeup, F_DUPFD_CLOEXEC, 0),
        };
        ring_leave(ring);
        ring_free(ring);
        ck_assert_int_eq(framekey_channel_new_from_fds(&channel, (const int *)&fds, 4), 0);
        close_fd(fds.request);
        close_fd(fds.response);
        close_fd(fds.doorbell);
        close_fd(fds.wakeup);

        supervisor = fork();
        ck_assert_int_ge(supervisor, 0);
        if (supervisor == 0) {
                channel = framekey_channel_free(channel); /* with it only the wake-up's end */
                supervise();
        }
        /* Only the supervisor and its daemons hold it from here on. */
        close_fd(kept.request);
        close_fd(kept.response);
        close_fd(kept.doorbell);
        close_fd(kept.wakeup);
}

static void order(Order what) {
        memory->order = what;
        if (what == END)
                ck_assert_int_eq(waitpid(supervisor, NULL, 0), supervisor);
        while (what == HOLD && !memory->absent)
                sleep_usec(1000);
}

static void teardown(void) {
        if (memory->order != END)
                order(END);
        channel = framekey_channel_free(channel);
        ck_assert_int_eq(munmap(memory, sizeof(*memory)), 0);
}

/* ---- the application ---- */

static const struct framekey_frame audio = { .size = sizeof(audio), .stream = 0 };

static uint8_t byte_of(uint64_t number, size_t i) {
        return (uint8_t)(number * 31 + i * 7);
}

static void fill(uint8_t *bytes, uint64_t number) {
        for (size_t i = 0; i < FRAME_LEN; i++)
                bytes[i] = byte_of(number, i);
}

/* Right to the byte, and under a counter of its own. */
static void check_sealed(const uint8_t *sealed, size_t len, uint64_t number) {
        uint64_t counter;

        ck_assert_uint_eq(len, FRAME_LEN + OVERHEAD);
        for (size_t i = 0; i < FRAME_LEN; i++)
                ck_assert_uint_eq(sealed[i], byte_of(number, i));
        memcpy(&counter, sealed + FRAME_LEN, sizeof(counter));
        ck_assert_uint_lt(counter, sizeof(seen) * 8);
        ck_assert_uint_eq(seen[counter / 8] >> counter % 8 & 1, 0);
        seen[counter / 8] |= (uint8_t)(1u << counter % 8);
}

static int seal(uint64_t number, uint64_t timeout_usec) {
        uint8_t plain[FRAME_LEN], sealed[FRAME_LEN + OVERHEAD];
        size_t len;
        int r;

        fill(plain, number);
        r = framekey_encrypt(channel, &audio, plain, sizeof(plain), sealed, sizeof(sealed), &len, NULL, timeout_usec);
        if (r == 0)
                check_sealed(sealed, len, number);
        return r;
}

START_TEST(blocking_calls_wait_over_restarts) {
        uint64_t number = 0;

        setup();
        while (memory->n_deaths < 30)
                ck_assert_int_eq(seal(number++, LONG), 0);
        order(END);
        ck_assert_uint_eq(memory->n_sealed, number);
        teardown();
}
END_TEST

static uint64_t submit_batch(uint64_t submitted, uint64_t limit) {
        while (submitted < limit) {
                uint32_t slot;
                void *buffer;
                int r = framekey_reserve(channel, &audio, FRAME_LEN, &slot, &buffer);

                if (r == -EAGAIN)
                        break;
                ck_assert_int_eq(r, 0);
                fill(buffer, submitted);
                ck_assert_int_eq(framekey_submit(channel, slot, &audio, FRAME_LEN, submitted++), 0);
        }
        ck_assert_int_eq(framekey_flush(channel), 0);
        return submitted;
}

START_TEST(submitted_frames_come_back_once_over_restarts) {
        struct pollfd pollfd = { .events = POLLIN };
        uint64_t submitted = 0, reaped = 0;
        int r;

        setup();
        pollfd.fd = framekey_channel_get_fd(channel);
        while (reaped < FRAMES) {
                struct framekey_result result = { .size = sizeof(result) };

                submitted = submit_batch(submitted, FRAMES);
                while ((r = framekey_reap(channel, &result)) > 0) {
                        ck_assert_uint_eq(result.cookie, reaped++);
                        ck_assert_int_eq(result.verdict, 0);
                        check_sealed(result.data, result.length, result.cookie);
                        framekey_release(channel, result.slot);
                }
                ck_assert_int_eq(r, 0);
                if (submitted > reaped) /* a wake-up that is lost ends the test here */
                        ck_assert_int_eq(poll(&pollfd, 1, RUNNER_TIMEOUT * 1000 / 4), 1);
        }
        order(END);
        ck_assert_uint_gt(memory->n_deaths, 5);
        ck_assert_uint_eq(memory->n_sealed, FRAMES);
        teardown();
}
END_TEST

START_TEST(calls_time_out_while_there_is_no_daemon_and_go_on_with_the_next) {
        setup();
        ck_assert_int_eq(seal(1, LONG), 0);
        for (uint64_t i = 0; i < 3; i++) {
                order(HOLD);
                ck_assert_int_eq(seal(2 + i, ABSENT_MSEC * 1000), -ETIMEDOUT);
                memory->order = SERVE;
                for (unsigned n = 0; n < 2 * N_SLOTS; n++) /* no slot is lost by that */
                        ck_assert_int_eq(seal(100 * i + n, LONG), 0);
        }
        teardown();
}
END_TEST

/* Asked for while there is none, and answered by the next. */
START_TEST(a_call_that_began_without_a_daemon_is_answered_by_the_next) {
        setup();
        for (uint64_t i = 0; i < 5; i++) {
                pid_t later;

                order(HOLD);
                later = fork();
                if (later == 0) {
                        sleep_usec(20000);
                        memory->order = SERVE;
                        _exit(0);
                }
                ck_assert_int_eq(seal(i, LONG), 0);
                ck_assert_int_eq(waitpid(later, NULL, 0), later);
        }
        teardown();
}
END_TEST

START_TEST(without_anybody_who_keeps_it_the_channel_is_stale) {
        struct framekey_result result = { .size = sizeof(result) };
        struct pollfd pollfd = { .events = POLLIN };
        uint32_t slot;
        void *buffer;

        setup();
        pollfd.fd = framekey_channel_get_fd(channel);
        ck_assert_int_eq(seal(1, LONG), 0);
        order(HOLD);
        (void)submit_batch(0, 1);
        ck_assert_int_eq(framekey_reap(channel, &result), 0);
        ck_assert_int_eq(poll(&pollfd, 1, ABSENT_MSEC), 0); /* it may come back */
        order(END);
        ck_assert_int_eq(poll(&pollfd, 1, RUNNER_TIMEOUT * 1000 / 4), 1);
        ck_assert_int_eq(framekey_reap(channel, &result), -ESTALE);
        ck_assert_int_eq(framekey_reserve(channel, &audio, FRAME_LEN, &slot, &buffer), -ESTALE);
        ck_assert_int_eq(seal(2, LONG), -ESTALE);
        teardown();
}
END_TEST

START_TEST(a_call_that_waits_learns_that_nobody_will_come) {
        pid_t later;

        setup();
        order(HOLD);
        later = fork();
        if (later == 0) {
                sleep_usec(20000);
                memory->order = END;
                _exit(0);
        }
        ck_assert_int_eq(seal(1, FRAMEKEY_TIMEOUT_INFINITE), -ESTALE);
        ck_assert_int_eq(waitpid(later, NULL, 0), later);
        ck_assert_int_eq(waitpid(supervisor, NULL, 0), supervisor);
        teardown();
}
END_TEST

RUN_TESTS("channel-restart", blocking_calls_wait_over_restarts, submitted_frames_come_back_once_over_restarts,
          calls_time_out_while_there_is_no_daemon_and_go_on_with_the_next,
          a_call_that_began_without_a_daemon_is_answered_by_the_next, without_anybody_who_keeps_it_the_channel_is_stale,
          a_call_that_waits_learns_that_nobody_will_come)
