/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A sender that stays in step with its call: it makes a byte key, gives it to the others, and does so again whenever
 * the daemon asks for a new one. Here "the others" are standard output, and one of them leaves at once.
 *
 *   answer-rotations
 *
 * Prints a line for each key that was handed out, and ends when the second one is sent under. libframekey-bus(3) quotes
 * from this program.
 */
#include <framekey-bus.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* Over the app's own encrypted signalling, to each member by itself. */
static void tell_members(uint32_t key_index, const uint8_t *key, size_t length, const char *reason) {
        (void)printf("key %u, %zu bytes: %s\n", key_index, length, key ? reason : "none");
        (void)fflush(stdout);
}

static int new_key(framekey_provider *provider, uint32_t key_index, const char *reason) {
        /* Everybody has it by then. A sender's first key is used at once all the same. */
        static const char *const options[] = { "activate-after-usec=500000", NULL };
        uint8_t key[16];
        int r;

        if (getrandom(key, sizeof(key), 0) != sizeof(key))
                return -1;
        r = framekey_provider_set_key(provider, NULL, key_index, key, sizeof(key), options, &key_index);
        if (r >= 0)
                tell_members(key_index, key, sizeof(key), reason);
        explicit_bzero(key, sizeof(key));
        return r;
}

static void on_rotate(framekey_provider *provider, const char *identity, uint32_t next_index, const char *reason,
                      uint64_t deadline_usec, void *userdata) {
        (void)new_key(provider, next_index, reason); /* it is asked for again if this fails */
}

static void on_event(framekey_session *session, const struct framekey_event *event, void *userdata) {
        if (strcmp(event->name, "KeyActivated") == 0 && event->key_index == 1)
                *(int *)userdata = 1;
}

static int run(framekey_client *client, framekey_session *session, framekey_provider *provider) {
        int r, done = 0;

        r = framekey_session_set_handler(session, on_event, &done);
        if (r >= 0)
                r = framekey_provider_set_rotate_handler(provider, on_rotate, NULL);
        if (r >= 0)
                r = framekey_session_add_participant(session, "me", FRAMEKEY_LOCAL, NULL);
        if (r >= 0)
                r = framekey_session_join(session, "phone-7", NULL, NULL);
        if (r >= 0)
                r = new_key(provider, FRAMEKEY_KEY_NEXT, "first");
        if (r >= 0)
                r = framekey_session_leave(session, "phone-7", NULL, NULL);
        while (r >= 0 && !done) {
                r = framekey_client_process(client);
                if (r >= 0 && !done)
                        r = sd_bus_wait(framekey_client_get_bus(client), UINT64_MAX);
        }
        return r;
}

int main(void) {
        framekey_provider *provider = NULL;
        framekey_session *session = NULL;
        framekey_client *client = NULL;
        char *error = NULL;
        int r;

        r = framekey_client_open(&client, FRAMEKEY_BUS_SYSTEM, NULL, &error);
        if (r < 0) {
                (void)fprintf(stderr, "%s\n", error ? error : strerror(-r));
                free(error);
                return 1;
        }
        r = framekey_session_open(client, "livekit-bytes", "example", NULL, &session);
        if (r >= 0)
                r = framekey_provider_new(session, &provider);
        if (r >= 0)
                r = run(client, session, provider);
        if (r < 0)
                (void)fprintf(stderr, "%s\n", framekey_client_error(client));
        (void)framekey_provider_free(provider);
        (void)framekey_session_close(session);
        (void)framekey_client_free(client);
        return r < 0;
}
