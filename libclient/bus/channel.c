/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Channels and streams: opening, granting, closing. The frames themselves never come here.
 */
#include "bus-internal.h"

#include <fcntl.h>

#define N_FDS 4u

/* OpenChannel; the descriptors belong to the reply. */
static int channel_open(framekey_session *session, const char *const *options, sd_bus_message **ret_reply,
                        const char **ret_path, int ret_fds[N_FDS]) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        framekey_client *client = session->client;
        int r;

        if (client->bus && sd_bus_can_send(client->bus, 'h') == 0)
                return client_fail(client, -EOPNOTSUPP,
                                   "This connection cannot carry file descriptors, so no channel: do this on the host "
                                   "where the daemon runs.");
        r = client_call(client, session->path, SESSION_INTERFACE, "OpenChannel", options, &reply, "");
        if (r < 0)
                return r;
        r = sd_bus_message_read(reply, "ohhhh", ret_path, &ret_fds[0], &ret_fds[1], &ret_fds[2], &ret_fds[3]);
        if (r < 0)
                return client_bad_reply(client, r);
        *ret_reply = take_ptr(reply);
        return 0;
}

static int channel_close(framekey_session *session, const char *path) {
        return client_call(session->client, path, CHANNEL_INTERFACE, "Close", options_none, NULL, "");
}

/* Nobody will use the channel: close it, and keep `r` and the sentence of the failure that led here. */
static int channel_abandon(framekey_session *session, const char *path, int r, const char *sentence) {
        (void)channel_close(session, path);
        return client_fail(session->client, r, "%s: %s.", sentence, strerror(-r));
}

int framekey_session_open_channel(framekey_session *session, const char *const *options, framekey_channel **ret,
                                  char **ret_path) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_free_ char *copy = NULL;
        const char *path;
        int fds[N_FDS], r;

        r = channel_open(session, options, &reply, &path, fds);
        if (r < 0)
                return r;
        copy = strdup(path);
        if (!copy)
                return channel_abandon(session, path, -ENOMEM, "Cannot use the channel");
        r = framekey_channel_new_from_fds(ret, fds, N_FDS);
        if (r < 0)
                return channel_abandon(session, path, r, "Cannot use the channel");
        if (ret_path)
                *ret_path = take_ptr(copy);
        return 0;
}

int framekey_session_open_channel_fds(framekey_session *session, const char *const *options, int ret_fds[4],
                                      char **ret_path) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_free_ char *copy = NULL;
        int fds[N_FDS], copies[N_FDS], r = 0;
        const char *path;
        size_t n = 0;

        r = channel_open(session, options, &reply, &path, fds);
        if (r < 0)
                return r;
        copy = strdup(path);
        if (!copy)
                r = -ENOMEM;
        for (; r >= 0 && n < N_FDS; n++) {
                copies[n] = fcntl(fds[n], F_DUPFD_CLOEXEC, 3);
                if (copies[n] < 0) {
                        r = -errno;
                        break;
                }
        }
        if (r < 0) {
                while (n > 0)
                        close_fd(copies[--n]);
                return channel_abandon(session, path, r, "Cannot keep the channel's descriptors");
        }
        memcpy(ret_fds, copies, sizeof(copies));
        if (ret_path)
                *ret_path = take_ptr(copy);
        return 0;
}

int framekey_session_close_channel(framekey_session *session, const char *channel_path) {
        return channel_close(session, channel_path);
}

int framekey_session_add_stream(framekey_session *session, const char *channel_path, const char *identity,
                                enum framekey_direction direction, enum framekey_media media, enum framekey_codec codec,
                                const char *const *options, uint32_t *ret_stream) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const char *direction_name = framekey_direction_name(direction), *media_name = framekey_media_name(media),
                   *codec_name = framekey_codec_name(codec);
        framekey_client *client = session->client;
        uint32_t stream;
        int r;

        if (!direction_name || !media_name || !codec_name)
                return client_fail(client, -EINVAL,
                                   "A stream needs a direction, a kind of media and a codec from framekey.h.");
        r = client_call(client, session->path, SESSION_INTERFACE, "AddStream", options, &reply, "ossss", channel_path,
                        identity ?: "", direction_name, media_name, codec_name);
        if (r < 0)
                return r;
        r = sd_bus_message_read(reply, "u", &stream);
        if (r < 0)
                return client_bad_reply(client, r);
        *ret_stream = stream;
        return 0;
}

int framekey_session_remove_stream(framekey_session *session, const char *channel_path, uint32_t stream) {
        return client_call(session->client, session->path, SESSION_INTERFACE, "RemoveStream", options_none, NULL, "ou",
                           channel_path, stream);
}
