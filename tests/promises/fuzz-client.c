/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz-client SECONDS SEED <KEY: a client that may process frames, and tries at random what else it gets. It asks for a
 * call whose key it never has: the daemon reads it from our standard input. Then descriptors, slots and indices full of
 * random bytes, on channel after channel, and calls on the bus with arguments of all kinds, answers kept.
 *
 * Prints "ready" when it is at it and "done" when all is tried, keeps everything it got, and waits to be killed:
 * somebody looks into its memory, before and after.
 */
#include "tests/hostile/raw-channel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <time.h>
#include <unistd.h>

#define N_FRAMES_A_ROUND 400u

static uint64_t random_state;

static uint32_t random_next(void) {
        random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        return (uint32_t)(random_state >> 33);
}

static framekey_session *open_session(framekey_client **ret_client) {
        static const char *const activate[] = { "activate=yes", NULL };
        framekey_session *session = NULL;
        char *error = NULL;
        int r = framekey_client_open(ret_client, FRAMEKEY_BUS_SYSTEM, NULL, &error);

        if (r >= 0)
                r = framekey_session_open(*ret_client, "livekit-bytes", "fuzz-client", NULL, &session);
        if (r >= 0)
                r = framekey_session_add_participant(session, "alice", FRAMEKEY_LOCAL, NULL);
        if (r >= 0)
                r = framekey_session_add_participant(session, "bob", FRAMEKEY_REMOTE, NULL);
        if (r >= 0)
                r = framekey_session_import_key_fd(session, NULL, 0, STDIN_FILENO, activate);
        if (r < 0) {
                (void)failed("no session: %s", error ? error : framekey_client_error(*ret_client));
                return NULL;
        }
        return session;
}

/* Mostly right, with a field or two that is not; now and then nothing is. */
static void push_random(RawChannel *raw) {
        uint32_t slot = random_next() % raw_n_slots(raw), size = raw_slot_size(raw, slot);
        volatile struct framekey_abi_descriptor *d = raw_descriptor(raw, raw->submitted);
        volatile uint8_t *bytes = (volatile uint8_t *)d;

        raw_push(raw, random_next() % 2 ? raw->encrypt : raw->decrypt, slot, random_next() % (size + 1));
        for (uint32_t n = random_next() % 4; n > 0; n--)
                bytes[random_next() % sizeof(*d)] = (uint8_t)random_next();
        if (random_next() % 16 == 0)
                for (size_t i = 0; i < sizeof(*d); i++)
                        bytes[i] = (uint8_t)random_next();
        if (random_next() % 2)
                raw_in(raw, slot)[random_next() % size] = (uint8_t)random_next();
}

/* Until frames run out, or the daemon has had enough of this channel. */
static int fuzz_channel(framekey_session *session) {
        struct framekey_abi_completion c;
        RawChannel raw;
        int r = raw_open(&raw, session);

        for (unsigned i = 0; r == 0 && i < N_FRAMES_A_ROUND; i++) {
                push_random(&raw);
                if (random_next() % 64 == 0)
                        raw.submitted += random_next();
                if (random_next() % 64 == 0)
                        raw.request->reap.completion_consumed = random_next();
                raw_submit(&raw);
                raw_ring(&raw);
                for (unsigned patience = 0; patience < 20 && !raw_pop(&raw, &c); patience++)
                        (void)usleep(10);
                if (__atomic_load_n(&raw.response->state.state, __ATOMIC_ACQUIRE) != FRAMEKEY_ABI_OPEN)
                        break;
        }
        raw_close(&raw);
        return r;
}

/* The calls of an app that has to do with keys. What they answer is left in the library's and the bus's buffers. */
static void fuzz_bus(framekey_session *session) {
        static const char *const options[][2] = { { "activate=yes" }, { "name=fuzz" }, { "grace-usec=0" }, { NULL } };
        static const char *const people[] = { "alice", "bob", "", "nobody", NULL };
        const char *who = people[random_next() % 5], *const *option = options[random_next() % 4];
        uint32_t index = random_next() % 4 ? 0 : random_next();
        uint8_t transport[FRAMEKEY_TRANSPORT_KEY_LENGTH];
        char code[FRAMEKEY_SECURITY_CODE_SIZE] = "nothing";
        uint8_t *package = NULL;
        uint32_t ignored;
        size_t len;

        switch (random_next() % 6) {
        case 0:
                (void)framekey_session_get_security_code(session, code, NULL, NULL);
                break;
        case 1:
                (void)framekey_session_get_transport_key(session, transport, NULL);
                break;
        case 2:
                (void)framekey_session_activate(session, who, index, option);
                break;
        case 3:
                (void)framekey_client_import_credential(framekey_session_get_client(session),
                                                        framekey_session_get_id(session), who, index, "passwd", option);
                break;
        case 4:
                for (size_t i = 0; i < sizeof(transport); i++)
                        transport[i] = (uint8_t)random_next();
                /* Never freed: what came stays to be found. */
                (void)framekey_session_export_wrapped(session, who, index, transport, &package, &len);
                break;
        default:
                (void)framekey_session_import_wrapped(session, who, index, code, sizeof(code), option, &ignored);
        }
}

/* Everything that can be read, of every object. */
static void read_all_properties(framekey_session *session, sd_bus *bus) {
        static const char *const interfaces[] = { "org.framekey1.Session", "org.framekey1.Manager", "" };

        for (size_t i = 0; i < sizeof(interfaces) / sizeof(interfaces[0]); i++) {
                sd_bus_message *reply = NULL;

                (void)sd_bus_call_method(bus, "org.framekey1",
                                         i == 1 ? "/org/framekey1" : framekey_session_get_path(session),
                                         "org.freedesktop.DBus.Properties", "GetAll", NULL, &reply, "s", interfaces[i]);
                /* Nor this. */
        }
}

int main(int argc, char **argv) {
        framekey_client *client = NULL;
        framekey_session *session;
        sd_bus *bus = NULL;
        time_t end;

        if (argc != 3)
                return failed("usage: fuzz-client SECONDS SEED") < 0;
        random_state = strtoull(argv[2], NULL, 10);
        session = open_session(&client);
        if (!session || sd_bus_open_system(&bus) < 0)
                return 1;
        (void)puts("ready");
        (void)fflush(stdout);
        end = time(NULL) + strtol(argv[1], NULL, 10);
        do {
                if (fuzz_channel(session) < 0)
                        return 1;
                for (unsigned i = 0; i < 20; i++)
                        fuzz_bus(session);
                read_all_properties(session, bus);
        } while (time(NULL) < end);
        (void)puts("done");
        (void)fflush(stdout);
        for (;;)
                (void)pause();
}
