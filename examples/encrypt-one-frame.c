/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The smallest whole program: a session with one sender, its passphrase, one channel, one frame.
 *
 *   encrypt-one-frame <PASSPHRASE-FILE
 *
 * Prints the encrypted frame in hex. It talks to the daemon of the system bus. A media process proper
 * keeps session and channel for the whole call, and has the passphrase never, only the channel.
 */
#include <framekey-bus.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int encrypt_one(framekey_session *session, uint8_t *out, size_t capacity, size_t *ret_length) {
        static const uint8_t opus[] = { 0xf8, 0xff, 0xfe };
        struct framekey_frame frame = { .size = sizeof(frame) };
        framekey_channel *channel = NULL;
        char *path = NULL;
        int r;

        /* The key comes from a pipe or sealed memfd: the daemon reads it, this program does not. */
        r = framekey_session_add_participant(session, "alice", FRAMEKEY_LOCAL, NULL);
        if (r >= 0)
                r = framekey_session_import_key_fd(session, "", 0, STDIN_FILENO, NULL);
        if (r >= 0)
                r = framekey_session_open_channel(session, NULL, &channel, &path);
        if (r >= 0)
                r = framekey_session_add_stream(session, path, "alice", FRAMEKEY_ENCRYPT, FRAMEKEY_MEDIA_AUDIO,
                                                FRAMEKEY_CODEC_OPUS, NULL, &frame.stream);
        if (r >= 0)
                r = framekey_encrypt(channel, &frame, opus, sizeof(opus), out, capacity, ret_length, NULL, 1000000);
        (void)framekey_channel_free(channel);
        free(path);
        return r;
}

int main(void) {
        framekey_session *session = NULL;
        framekey_client *client = NULL;
        char *error = NULL;
        uint8_t out[64];
        size_t length = 0;
        int r;

        r = framekey_client_open(&client, FRAMEKEY_BUS_SYSTEM, NULL, &error);
        if (r < 0) {
                (void)fprintf(stderr, "%s\n", error ? error : strerror(-r));
                free(error);
                return 1;
        }
        r = framekey_session_open(client, "livekit-passphrase", "example", NULL, &session);
        if (r >= 0)
                r = encrypt_one(session, out, sizeof(out), &length);
        if (r != 0)
                (void)fprintf(stderr, "%s\n",
                              *framekey_client_error(client) ? framekey_client_error(client)
                                                             : framekey_verdict_text(r));
        for (size_t i = 0; i < length; i++)
                (void)printf("%02x", out[i]);
        (void)putchar('\n');
        (void)framekey_session_close(session);
        (void)framekey_client_free(client);
        return r == 0 ? 0 : 1;
}
