/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What key derivation costs the frames: their latency while passphrases of 100,000 iterations are imported without end
 * by somebody else, beside their latency while none are. Daemon and client share one core, so the derivations have to
 * make way.
 */
#include "bench/figures.h"
#include "bench/machine.h"
#include "bench/parts.h"
#include "bench/steady.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Longer than a derivation takes, which goes on when nobody waits for it any more. */
#define SETTLE_NSEC 200000000u

typedef struct Interference {
        Endpoint endpoint;
        pid_t importer;
} Interference;

static void import_without_end(void) {
        framekey_session *session;
        framekey_client *client;

        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (framekey_client_open(&client, FRAMEKEY_BUS_SYSTEM, NULL, NULL) < 0 ||
            framekey_session_open(client, "livekit-passphrase", "importer", NULL, &session) < 0)
                _exit(1);
        for (;;)
                if (framekey_session_import_key(session, NULL, 0, "a passphrase of somebody", 24, NULL) < 0)
                        _exit(1);
}

static void settle(void) {
        const struct timespec time = { 0, SETTLE_NSEC };

        (void)nanosleep(&time, NULL);
}

static void round_of(void *userdata, unsigned round) {
        const Interference *i = userdata;

        (void)round;
        (void)kill(i->importer, SIGSTOP);
        settle();
        steady_block(&i->endpoint.port, "quiet", NULL, NULL);
        (void)kill(i->importer, SIGCONT);
        settle();
        steady_block(&i->endpoint.port, "deriving", NULL, NULL);
        if (waitpid(i->importer, NULL, WNOHANG) != 0)
                fail("the importer has ended", -1);
}

void part_derivation(bool quick) {
        Interference i = { .importer = fork() };

        if (i.importer == 0)
                import_without_end();
        endpoint_open(&i.endpoint, NULL);
        pin(daemon_pid(), 0, 0);
        steady_block(&i.endpoint.port, "quiet", NULL, NULL); /* for the caches */
        figures_forget();
        run_rounds(daemon_pid(), quick ? 7 : 21, round_of, &i);
        steady_compare("deriving", "quiet", "derivation");
        (void)kill(i.importer, SIGKILL);
        (void)waitpid(i.importer, NULL, 0);
        endpoint_close(&i.endpoint);
}
