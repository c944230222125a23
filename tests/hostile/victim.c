/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The honest process beside an attacker, see hostile.h. It tells what it saw through a page of shared memory. */
#include "hostile.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FRAME_LEN    80u
#define PERIOD_NSEC  20000000L
#define LATE_USEC    1000000u
#define GIVE_UP_USEC 10000000u
#define N_SAMPLES    (1u << 16) /* over ten minutes */
#define START_MSEC   5000
#define STATE_FAILED 2

struct Victim {
        pid_t pid;
        uint32_t state; /* 0 starting, 1 running */
        uint32_t n_samples;
        uint32_t n_wrong;
        uint32_t n_late;
        uint32_t marked_samples;
        uint32_t marked_wrong;
        uint32_t marked_late;
        uint32_t usec[N_SAMPLES];
};

typedef struct Call {
        framekey_channel *channel;
        uint32_t encrypt;
        uint32_t decrypt;
} Call;

static int call_start(Call *call) {
        framekey_client *client;
        framekey_session *session;
        char *path;

        if (call_open(&client, &session, "victim", NULL) < 0)
                return -1;
        if (framekey_session_open_channel(session, NULL, &call->channel, &path) < 0 ||
            framekey_session_add_stream(session, path, "alice", FRAMEKEY_ENCRYPT, FRAMEKEY_MEDIA_AUDIO,
                                        FRAMEKEY_CODEC_OPUS, NULL, &call->encrypt) < 0 ||
            framekey_session_add_stream(session, path, "bob", FRAMEKEY_DECRYPT, FRAMEKEY_MEDIA_AUDIO,
                                        FRAMEKEY_CODEC_OPUS, NULL, &call->decrypt) < 0)
                return failed("the victim has no channel: %s", framekey_client_error(client));
        free(path);
        return 0;
}

static void sample(Victim *victim, uint64_t start, bool good) {
        uint64_t usec = now_usec() - start;
        uint32_t n = victim->n_samples;

        if (!good)
                __atomic_fetch_add(&victim->n_wrong, 1, __ATOMIC_RELAXED);
        if (usec > LATE_USEC)
                __atomic_fetch_add(&victim->n_late, 1, __ATOMIC_RELAXED);
        victim->usec[n % N_SAMPLES] = usec > UINT32_MAX ? UINT32_MAX : (uint32_t)usec;
        /* Release: the sample before its number. */
        __atomic_store_n(&victim->n_samples, n + 1, __ATOMIC_RELEASE);
}

static void talk(Victim *victim, const Call *call, uint32_t number) {
        struct framekey_frame frame = { .size = sizeof(frame), .ssrc = 1, .rtp_timestamp = number * 960 };
        uint8_t plain[FRAME_LEN], sealed[FRAME_LEN + 256], opened[FRAME_LEN + 256];
        size_t sealed_len = 0, opened_len = 0;
        uint64_t start;
        int r;

        for (size_t i = 0; i < sizeof(plain); i++)
                plain[i] = (uint8_t)(number * 7 + i);
        frame.stream = call->encrypt;
        start = now_usec();
        r = framekey_encrypt(call->channel, &frame, plain, sizeof(plain), sealed, sizeof(sealed), &sealed_len, NULL,
                             GIVE_UP_USEC);
        sample(victim, start, r == 0);
        if (r != 0) {
                (void)failed("the victim cannot encrypt: %s", framekey_verdict_text(r));
                return;
        }
        frame.stream = call->decrypt;
        start = now_usec();
        r = framekey_decrypt(call->channel, &frame, sealed, sealed_len, opened, sizeof(opened), &opened_len, NULL,
                             GIVE_UP_USEC);
        sample(victim, start, r == 0 && opened_len == sizeof(plain) && memcmp(opened, plain, sizeof(plain)) == 0);
        if (r == 0 && (opened_len != sizeof(plain) || memcmp(opened, plain, sizeof(plain)) != 0))
                (void)failed("the victim got wrong bytes");
        if (r != 0)
                (void)failed("the victim cannot decrypt: %s", framekey_verdict_text(r));
}

static void victim_main(Victim *victim) {
        struct timespec next;
        Call call;

        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (call_start(&call) < 0) {
                __atomic_store_n(&victim->state, STATE_FAILED, __ATOMIC_RELEASE);
                _exit(1);
        }
        __atomic_store_n(&victim->state, 1, __ATOMIC_RELEASE);
        (void)clock_gettime(CLOCK_MONOTONIC, &next);
        for (uint32_t number = 0;; number++) {
                talk(victim, &call, number);
                next.tv_nsec += PERIOD_NSEC;
                if (next.tv_nsec >= 1000000000L) {
                        next.tv_nsec -= 1000000000L;
                        next.tv_sec++;
                }
                (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
        }
}

Victim *victim_start(void) {
        Victim *victim = mmap(NULL, sizeof(*victim), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        pid_t pid;

        if (victim == MAP_FAILED)
                return NULL;
        pid = fork();
        if (pid == 0)
                victim_main(victim);
        victim->pid = pid;
        for (unsigned i = 0; victim->pid > 0 && i < START_MSEC; i++) {
                uint32_t state = __atomic_load_n(&victim->state, __ATOMIC_ACQUIRE);

                if (state == 1)
                        return victim;
                if (state == STATE_FAILED)
                        break;
                (void)usleep(1000);
        }
        return victim_stop(victim);
}

Victim *victim_stop(Victim *victim) {
        if (!victim)
                return NULL;
        if (victim->pid > 0) {
                (void)kill(victim->pid, SIGKILL);
                (void)waitpid(victim->pid, NULL, 0);
        }
        (void)munmap(victim, sizeof(*victim));
        return NULL;
}

void victim_mark(Victim *victim) {
        victim->marked_samples = __atomic_load_n(&victim->n_samples, __ATOMIC_ACQUIRE);
        victim->marked_wrong = __atomic_load_n(&victim->n_wrong, __ATOMIC_RELAXED);
        victim->marked_late = __atomic_load_n(&victim->n_late, __ATOMIC_RELAXED);
}

static int compare(const void *a, const void *b) {
        uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

        return (x > y) - (x < y);
}

void victim_measure(Victim *victim, VictimReport *ret) {
        uint32_t n = __atomic_load_n(&victim->n_samples, __ATOMIC_ACQUIRE) - victim->marked_samples;
        uint32_t *sorted;

        *ret = (VictimReport){ .n_frames = n,
                               .n_wrong = __atomic_load_n(&victim->n_wrong, __ATOMIC_RELAXED) - victim->marked_wrong,
                               .n_late = __atomic_load_n(&victim->n_late, __ATOMIC_RELAXED) - victim->marked_late };
        if (n > N_SAMPLES)
                n = N_SAMPLES;
        sorted = calloc(n + 1, sizeof(*sorted));
        if (!sorted || n == 0) {
                free(sorted);
                return;
        }
        for (uint32_t i = 0; i < n; i++)
                sorted[i] = victim->usec[(victim->marked_samples + i) % N_SAMPLES];
        qsort(sorted, n, sizeof(*sorted), compare);
        ret->p99_usec = sorted[(uint64_t)n * 99 / 100 < n ? (uint64_t)n * 99 / 100 : n - 1];
        free(sorted);
}
