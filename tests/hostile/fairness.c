/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fairness [--seconds=S] [--bound-usec=N]: an honest process beside a greedy one, which keeps all the channels it may
 * have full of large frames: once of the same user, and, where we are root, once of another.
 */
#include "hostile.h"

#include <getopt.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define FRAME_LEN  60000u
#define CHANNELS   15u /* the quota is 16 for each user, and the victim has one */
#define NOBODY     65534u
#define BOUND_USEC 250000u /* where the machine has much else to do; alone audio waits less than 5 ms */

static const char *const slots[] = { "small-slots=1", "video-slots=16", "jumbo-slots=1", NULL };

/* Seen by both processes. */
typedef struct Greedy {
        uint32_t ready;
        uint64_t n_frames;
} Greedy;

/* Hands in as many frames as there are slots, and takes out what is done. */
static uint64_t stuff(framekey_channel *channel, uint32_t stream) {
        struct framekey_frame frame = { .size = sizeof(frame), .stream = stream };
        struct framekey_result result = { .size = sizeof(result) };
        uint64_t n = 0;
        uint32_t slot;
        void *buffer;

        while (framekey_reap(channel, &result) == 1) {
                (void)framekey_release(channel, result.slot);
                n++;
        }
        while (framekey_reserve(channel, &frame, FRAME_LEN, &slot, &buffer) == 0)
                if (framekey_submit(channel, slot, &frame, FRAME_LEN, 0) < 0)
                        break;
        (void)framekey_flush(channel);
        return n;
}

static void be_greedy(Greedy *greedy, uid_t uid) {
        framekey_channel *channels[CHANNELS];
        framekey_session *session;
        framekey_client *client;
        uint32_t streams[CHANNELS];
        char *path;

        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (uid != getuid() && (setgroups(0, NULL) < 0 || setgid(NOBODY) < 0 || setuid(uid) < 0))
                _exit(1);
        if (call_open(&client, &session, "greedy", NULL) < 0)
                _exit(1);
        for (unsigned i = 0; i < CHANNELS; i++)
                if (framekey_session_open_channel(session, slots, &channels[i], &path) < 0 ||
                    framekey_session_add_stream(session, path, "alice", FRAMEKEY_ENCRYPT, FRAMEKEY_MEDIA_DATA,
                                                FRAMEKEY_CODEC_DATA, NULL, &streams[i]) < 0) {
                        (void)failed("the greedy one has no channel: %s", framekey_client_error(client));
                        _exit(1);
                }
        __atomic_store_n(&greedy->ready, 1, __ATOMIC_RELEASE);
        for (;;)
                for (unsigned i = 0; i < CHANNELS; i++)
                        __atomic_fetch_add(&greedy->n_frames, stuff(channels[i], streams[i]), __ATOMIC_RELAXED);
}

static int scene(const char *name, uid_t uid, unsigned seconds, uint64_t bound_usec) {
        Greedy *greedy = mmap(NULL, sizeof(*greedy), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        VictimReport report = { 0 };
        Victim *victim = greedy != MAP_FAILED ? victim_start() : NULL;
        uint64_t n;
        pid_t pid;

        if (!victim)
                return failed("%s: there is no victim", name);
        pid = fork();
        if (pid == 0)
                be_greedy(greedy, uid);
        if (pid < 0)
                return failed("%s: no process for the greedy one", name);
        while (!__atomic_load_n(&greedy->ready, __ATOMIC_ACQUIRE) && waitpid(pid, NULL, WNOHANG) == 0)
                (void)usleep(1000);
        victim_mark(victim);
        n = __atomic_load_n(&greedy->n_frames, __ATOMIC_RELAXED);
        (void)sleep(seconds);
        victim_measure(victim, &report);
        n = __atomic_load_n(&greedy->n_frames, __ATOMIC_RELAXED) - n;
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, NULL, 0);
        victim_stop(victim);
        (void)munmap(greedy, sizeof(*greedy));

        (void)printf("%s: %llu large frames/s; audio: %llu frames, %llu wrong, p99 %llu us\n", name,
                     (unsigned long long)(n / seconds), (unsigned long long)report.n_frames,
                     (unsigned long long)report.n_wrong, (unsigned long long)report.p99_usec);
        if (n == 0)
                return failed("%s: the greedy one did not get any frame", name);
        if (report.n_wrong + report.n_late > 0 || report.n_frames < 20u * seconds)
                return failed("%s: audio suffered", name);
        if (report.p99_usec > bound_usec)
                return failed("%s: audio waited %llu us, more than %llu", name, (unsigned long long)report.p99_usec,
                              (unsigned long long)bound_usec);
        return 0;
}

int main(int argc, char *argv[]) {
        static const struct option options[] = {
                { "seconds", required_argument, NULL, 's' },
                { "bound-usec", required_argument, NULL, 'b' },
                { 0 },
        };
        unsigned seconds = 2;
        uint64_t bound = BOUND_USEC;
        int option, r;

        while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
                if (option == 's')
                        seconds = (unsigned)strtoul(optarg, NULL, 10);
                else if (option == 'b')
                        bound = strtoull(optarg, NULL, 10);
                else
                        return 2;
        }
        if (optind != argc || seconds == 0)
                return 2;
        r = scene("same user", getuid(), seconds, bound);
        if (r == 0 && getuid() == 0)
                r = scene("another user", NOBODY, seconds, bound);
        return r < 0;
}
