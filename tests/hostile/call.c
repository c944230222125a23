/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What every program here begins with: a call to play in, and a clock. */
#include "hostile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

uint64_t now_usec(void) {
        struct timespec ts;

        (void)clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail for this clock */
        return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

int call_open(framekey_client **ret_client, framekey_session **ret_session, const char *label,
              const char *const *options) {
        static const char *const activate[] = { "activate=yes", NULL };
        char secret[32], *error = NULL;
        framekey_client *client;
        framekey_session *session;
        int r;

        r = framekey_client_open(&client, FRAMEKEY_BUS_SYSTEM, NULL, &error);
        if (r < 0) {
                (void)failed("%s", error ? error : strerror(-r));
                free(error);
                return -1;
        }
        memset(secret, label[0], sizeof(secret));
        r = framekey_session_open(client, "livekit-bytes", label, options, &session);
        if (r >= 0)
                r = framekey_session_add_participant(session, "alice", FRAMEKEY_LOCAL, NULL);
        if (r >= 0)
                r = framekey_session_add_participant(session, "bob", FRAMEKEY_REMOTE, NULL);
        if (r >= 0)
                r = framekey_session_import_key(session, NULL, 0, secret, sizeof(secret), activate);
        if (r < 0) {
                (void)failed("no session for %s: %s", label, framekey_client_error(client));
                framekey_client_free(client);
                return -1;
        }
        *ret_client = client;
        *ret_session = session;
        return 0;
}
