/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See endpoint.h. */
#include "bench/endpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const size_t bench_sizes[N_SIZES] = { 80, 1200, 16384, 65000 };

pid_t daemon_pid(void) {
        const char *text = getenv("FRAMEKEYD_PID");

        if (!text) {
                (void)fprintf(stderr, "bench: start me through bench/run\n");
                exit(2);
        }
        return (pid_t)strtol(text, NULL, 10);
}

void fail(const char *what, int r) {
        (void)fprintf(stderr, "bench: %s: %s\n", what, r < 0 ? strerror(-r) : framekey_verdict_text(r));
        exit(1);
}

void check(framekey_client *client, int r) {
        if (r < 0)
                fail(framekey_client_error(client), r);
}

void endpoint_open_session(Endpoint *endpoint) {
        char *error = NULL;
        int r = framekey_client_open(&endpoint->client, FRAMEKEY_BUS_SYSTEM, NULL, &error);

        if (r < 0)
                fail(error ? error : "no bus", r);
        check(endpoint->client,
              framekey_session_open(endpoint->client, "livekit-bytes", "bench", NULL, &endpoint->session));
        check(endpoint->client, framekey_session_add_participant(endpoint->session, "me", FRAMEKEY_LOCAL, NULL));
        check(endpoint->client, framekey_session_add_participant(endpoint->session, "peer", FRAMEKEY_REMOTE, NULL));
        check(endpoint->client, framekey_session_import_key(endpoint->session, NULL, 0, "0123456789abcdef", 16, NULL));
}

void endpoint_open(Endpoint *endpoint, const char *const *channel_options) {
        endpoint_open_session(endpoint);
        port_open(endpoint, &endpoint->port, channel_options, "me", "peer", FRAMEKEY_MEDIA_DATA, FRAMEKEY_CODEC_DATA);
}

void endpoint_close(Endpoint *endpoint) {
        port_close(&endpoint->port);
        framekey_session_close(endpoint->session);
        framekey_client_free(endpoint->client);
}

void port_open(const Endpoint *endpoint, Port *port, const char *const *channel_options, const char *local,
               const char *remote, enum framekey_media media, enum framekey_codec codec) {
        framekey_session *session = endpoint->session;

        check(endpoint->client, framekey_session_open_channel(session, channel_options, &port->channel, &port->path));
        check(endpoint->client, framekey_session_add_stream(session, port->path, local, FRAMEKEY_ENCRYPT, media, codec,
                                                            NULL, &port->seal));
        check(endpoint->client, framekey_session_add_stream(session, port->path, remote, FRAMEKEY_DECRYPT, media, codec,
                                                            NULL, &port->open));
}

void port_close(Port *port) {
        port->channel = framekey_channel_free(port->channel);
        free(port->path);
        port->path = NULL;
}

size_t seal_frame(const Port *port, const void *plain, size_t len, void *out, struct framekey_result *ret) {
        const struct framekey_frame frame = { .size = sizeof(frame), .stream = port->seal };
        size_t sealed_len;
        int r = framekey_encrypt(port->channel, &frame, plain, len, out, len + BENCH_OVERHEAD, &sealed_len, ret,
                                 BENCH_DEADLINE_USEC);

        if (r != 0)
                fail("encrypt", r);
        return sealed_len;
}

size_t open_frame(const Port *port, const void *sealed, size_t len, void *out) {
        const struct framekey_frame frame = { .size = sizeof(frame), .stream = port->open };
        size_t plain_len;
        int r = framekey_decrypt(port->channel, &frame, sealed, len, out, len, &plain_len, NULL, BENCH_DEADLINE_USEC);

        if (r != 0)
                fail("decrypt", r);
        return plain_len;
}
