/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One end of a call, see side.h. */
#include "side.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

_Noreturn void side_fail(const char *format, ...) {
        va_list arguments;

        (void)fprintf(stderr, "%s: ", program_invocation_short_name);
        va_start(arguments, format);
        (void)vfprintf(stderr, format, arguments);
        va_end(arguments);
        (void)fputc('\n', stderr);
        exit(EXIT_FAILURE);
}

void side_check(const Side *side, int r, const char *what) {
        if (r < 0)
                side_fail("%s: %s: %s", what, strerror(-r), side->client ? framekey_client_error(side->client) : "");
}

void side_open_channel(Side *side) {
        static const char *const options[] = { "small-slots=128", "video-slots=16", "jumbo-slots=1", NULL };

        framekey_channel_free(side->channel);
        free(side->path);
        side_check(side, framekey_session_open_channel(side->session, options, &side->channel, &side->path),
                   "OpenChannel");
}

void side_open(Side *side, const char *bus_variable, const char *profile, const char *const *options) {
        const char *address = getenv(bus_variable);
        char *error = NULL;
        int r;

        *side = (Side){ 0 };
        if (!address)
                side_fail("%s is not set; start me through tests/with-daemon", bus_variable);
        r = framekey_client_open(&side->client, FRAMEKEY_BUS_ADDRESS, address, &error);
        if (r < 0)
                side_fail("%s: %s", address, error ? error : strerror(-r));
        side_check(side, framekey_session_open(side->client, profile, "test", options, &side->session), "OpenSession");
        side_open_channel(side);
}

void side_close(Side *side) {
        framekey_channel_free(side->channel);
        framekey_session_close(side->session);
        framekey_client_free(side->client);
        free(side->path);
        *side = (Side){ 0 };
}

void side_add(const Side *side, const char *identity, enum framekey_role role) {
        static const char *const window[] = { "follows=window", NULL };

        side_check(side,
                   framekey_session_add_participant(side->session, identity, role,
                                                    role == FRAMEKEY_REMOTE ? window : NULL),
                   "AddParticipant");
}

void side_import(const Side *side, const char *identity, uint32_t index, const char *secret,
                 const char *const *options) {
        side_check(side, framekey_session_import_key(side->session, identity, index, secret, strlen(secret), options),
                   "ImportKey");
}

uint32_t side_stream(const Side *side, const char *identity, enum framekey_direction direction,
                     enum framekey_media media, enum framekey_codec codec) {
        uint32_t stream;

        side_check(side,
                   framekey_session_add_stream(side->session, side->path, identity, direction, media, codec, NULL,
                                               &stream),
                   "AddStream");
        return stream;
}

uint64_t side_now_usec(void) {
        struct timespec ts;

        (void)clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail for this clock */
        return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

/* A generator that does not repeat within a frame (splitmix64). */
static uint8_t byte_at(uint64_t number, size_t i) {
        uint64_t z = number * 0x9e3779b97f4a7c15u + i;

        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
        z = (z ^ z >> 27) * 0x94d049bb133111ebu;
        return (uint8_t)(z ^ z >> 31);
}

void side_fill(uint8_t *plain, size_t len, uint64_t number) {
        for (size_t i = 0; i < len; i++)
                plain[i] = byte_at(number, i);
}

bool side_is(const uint8_t *plain, size_t len, uint64_t number) {
        for (size_t i = 0; i < len; i++)
                if (plain[i] != byte_at(number, i))
                        return false;
        return true;
}
