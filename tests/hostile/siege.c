/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * All attacks at once and at random: attackers of two users, where we are root, each of which goes from one attack to
 * the next until it is killed, at any point, and followed by another one. What they do follows from the seed; when
 * things happen does not.
 */
#include "siege.h"

#include "footprint.h"

#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define ATTACKERS   4u
#define NOBODY      65534u
#define WARM_USEC   UINT64_C(1500000)
#define ATTACK_USEC 300000u
#define LIFE_USEC   500000u
#define STEP_USEC   1000u
#define SETTLE_SEC  20u
#define GRACE_USEC  UINT64_C(60000000) /* for the attack in hand, when all is over */

typedef struct Attacker {
        pid_t pid;
        uint64_t dies_usec;
} Attacker;

/* Seen by all processes. */
typedef struct Score {
        uint64_t n_attacks, n_frames;
        uint32_t stop;
} Score;

typedef struct Siege {
        const SiegeConfig *config;
        Score *score;
        Attacker attackers[ATTACKERS];
        uint32_t random;
        uint64_t n_kills;
        uint64_t n_born;
} Siege;

static uint32_t siege_random(Siege *siege) {
        siege->random = siege->random * 1664525 + 1013904223;
        return siege->random >> 8;
}

/* Half of the attackers are of another user, if we may choose. */
static int become(unsigned number) {
        if (getuid() != 0 || number % 2 == 0)
                return 0;
        if (setgroups(0, NULL) < 0 || setgid(NOBODY) < 0 || setuid(NOBODY) < 0)
                return failed("cannot become another user: %s", strerror(errno));
        (void)prctl(PR_SET_DUMPABLE, 1); /* else a process cannot take its own child's descriptors */
        return 0;
}

static int attack_for_ever(const Siege *siege, unsigned number, uint32_t seed) {
        static const char *const options[] = { "replay-window=0", NULL };
        Stage stage = { .random = seed, .brief = true };
        const Attack *attack;
        framekey_client *client;

        if (become(number) < 0 || call_open(&client, &stage.session, "siege", options) < 0)
                return -1;
        while (!__atomic_load_n(&siege->score->stop, __ATOMIC_RELAXED)) {
                attack = siege->config->attacks[stage_random(&stage) % siege->config->n_attacks];
                stage.tally = (Tally){ 0 };
                stage.until_usec = now_usec() + 1000 + stage_random(&stage) % ATTACK_USEC;
                if (attack->run(&stage) < 0)
                        return failed("attack %s of seed %u failed", attack->name, siege->config->seed);
                __atomic_fetch_add(&siege->score->n_attacks, 1, __ATOMIC_RELAXED);
                __atomic_fetch_add(&siege->score->n_frames, stage.tally.n_frames, __ATOMIC_RELAXED);
        }
        framekey_session_close(stage.session);
        framekey_client_free(client);
        return 0;
}

static int attacker_start(Siege *siege, unsigned number) {
        Attacker *attacker = &siege->attackers[number];
        uint32_t seed = siege_random(siege), life = siege_random(siege);

        attacker->pid = fork();
        if (attacker->pid == 0) {
                (void)setpgid(0, 0);
                (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
                _exit(attack_for_ever(siege, number, seed) < 0);
        }
        if (attacker->pid < 0)
                return failed("cannot fork: %s", strerror(errno));
        (void)setpgid(attacker->pid, attacker->pid);
        siege->n_born++;
        /* Some are killed at once, while they still open their call. */
        attacker->dies_usec = now_usec() + (life % 4 ? life % LIFE_USEC : life % 20000) * (life % 16 ? 1 : 10);
        return 0;
}

/* With all it has forked. */
static void attacker_kill(Siege *siege, Attacker *attacker) {
        (void)kill(-attacker->pid, SIGKILL);
        (void)waitpid(attacker->pid, NULL, 0);
        attacker->pid = 0;
        siege->n_kills++;
}

/* Ended by itself: it found something. */
static int attacker_look(Attacker *attacker) {
        int status;

        if (attacker->pid <= 0 || waitpid(attacker->pid, &status, WNOHANG) != attacker->pid)
                return 0;
        (void)kill(-attacker->pid, SIGKILL);
        attacker->pid = 0;
        return status == 0 ? 0 : failed("an attacker ended with status %d", status);
}

static int besiege(Siege *siege, uint64_t usec) {
        uint64_t until = now_usec() + usec;
        int r = 0;

        __atomic_store_n(&siege->score->stop, 0, __ATOMIC_RELAXED);
        while (r == 0 && now_usec() < until) {
                for (unsigned i = 0; r == 0 && i < ATTACKERS; i++) {
                        Attacker *attacker = &siege->attackers[i];

                        r = attacker_look(attacker);
                        if (r == 0 && attacker->pid > 0 && now_usec() >= attacker->dies_usec)
                                attacker_kill(siege, attacker);
                        if (r == 0 && attacker->pid <= 0)
                                r = attacker_start(siege, i);
                }
                if (r == 0 && kill(siege->config->daemon, 0) < 0)
                        r = failed("the daemon is gone");
                (void)usleep(STEP_USEC);
        }
        /* The last ones end by themselves, so that what they find is not lost. */
        __atomic_store_n(&siege->score->stop, 1, __ATOMIC_RELAXED);
        for (until = now_usec() + GRACE_USEC; r == 0 && now_usec() < until; (void)usleep(STEP_USEC)) {
                unsigned n = 0;

                for (unsigned i = 0; r == 0 && i < ATTACKERS; i++) {
                        r = attacker_look(&siege->attackers[i]);
                        n += siege->attackers[i].pid > 0;
                }
                if (n == 0)
                        return r;
        }
        for (unsigned i = 0; i < ATTACKERS; i++)
                if (siege->attackers[i].pid > 0)
                        attacker_kill(siege, &siege->attackers[i]);
        return r < 0 ? r : failed("an attacker does not end");
}

/* With the victim beside it. */
static int besiege_watched(Siege *siege) {
        Victim *victim = victim_start();
        VictimReport report;
        bool good;
        int r;

        if (!victim)
                return failed("there is no victim");
        victim_mark(victim);
        r = besiege(siege, siege->config->seconds * UINT64_C(1000000));
        victim_measure(victim, &report);
        victim_stop(victim);
        good = r == 0 && report.n_wrong == 0 && report.p99_usec <= siege->config->bound_usec &&
               report.n_frames >= siege->config->seconds * 50;
        (void)printf("siege seed=%u seconds=%" PRIu64 " attacks=%" PRIu64 " frames=%" PRIu64 " attackers=%" PRIu64
                     " killed=%" PRIu64 " victim_frames=%" PRIu64 " victim_wrong=%" PRIu64 " victim_late=%" PRIu64
                     " victim_p99_usec=%" PRIu64 " bound_usec=%" PRIu64 " %s\n",
                     siege->config->seed, siege->config->seconds, siege->score->n_attacks, siege->score->n_frames,
                     siege->n_born, siege->n_kills, report.n_frames, report.n_wrong, report.n_late, report.p99_usec,
                     siege->config->bound_usec, good ? "ok" : "FAIL");
        (void)fflush(stdout);
        return good ? 0 : failed("the siege with seed %u did harm", siege->config->seed);
}

int siege_run(const SiegeConfig *config) {
        Siege siege = { .config = config, .random = config->seed };
        Footprint before;
        int r;

        siege.score = mmap(NULL, sizeof(*siege.score), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (siege.score == MAP_FAILED)
                return failed("out of memory");
        (void)printf("siege seed=%u begins\n", config->seed);
        (void)fflush(stdout);
        /* What is made at first use and kept, was made then. */
        r = besiege(&siege, WARM_USEC);
        if (r == 0)
                r = footprint_settle(&before, config->daemon, SETTLE_SEC);
        if (r == 0) {
                footprint_print("before", &before);
                *siege.score = (Score){ 0 };
                siege.n_kills = siege.n_born = 0;
                r = besiege_watched(&siege);
        }
        if (r == 0)
                r = footprint_wait(&before, config->daemon, SETTLE_SEC);
        (void)munmap(siege.score, sizeof(*siege.score));
        return r;
}
