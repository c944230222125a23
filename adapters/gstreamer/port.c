/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An element's session, channel and stream, and the thread that keeps them, see port.h. */
#include "port.h"
#include "util/util.h"

#include <fcntl.h>
#include <poll.h>

#define N_FDS 4u
/* A call of the bus may start the daemon, which takes a while on a busy machine. */
#define CALL_TIMEOUT_USEC (10 * G_USEC_PER_SEC)
/* Between two tries to come back. */
#define RETRY_FIRST_USEC (100 * 1000)
#define RETRY_LAST_USEC  (2 * G_USEC_PER_SEC)
/* How often the session's signals are taken from the connection, so that they pile up nowhere. */
#define IDLE_USEC G_USEC_PER_SEC

struct Port {
        enum framekey_direction direction;
        enum framekey_bus bus;
        char *address, *session_name, *participant;
        gboolean add_participant;
        int fds[N_FDS]; /* in place of a session, until the channel is taken over */
        PortChanged changed;
        void *userdata;

        /* The keeper's alone. */
        GThread *keeper;
        framekey_client *client;
        framekey_session *session;
        char *channel_path;
        char *added_to; /* id of the session to which the participant was added */

        GMutex lock; /* of what follows; never held over a call of the bus */
        GCond wake;  /* the keeper has something to do */
        GCond done;  /* the keeper has answered */
        gboolean stopping;
        gboolean asked; /* somebody waits for the keeper's answer */
        int answer;
        char *answer_text;
        enum framekey_media media;
        enum framekey_codec codec;
        gboolean has_codec;
        framekey_channel *channel;
        guint32 stream;
        guint64 cookie;
};

/* ---- the keeper's calls ---- */

static void take_error(char **ret_error, const char *text) {
        g_free(*ret_error);
        *ret_error = g_strdup(text);
}

static int client_failed(Port *port, int r, char **ret_error) {
        take_error(ret_error,
                   *framekey_client_error(port->client) ? framekey_client_error(port->client) : g_strerror(-r));
        return r;
}

/* The id of the session with this id or label. */
static int find_session(Port *port, char **ret_id, char **ret_error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        const char *id, *path, *profile, *label;
        g_autofree char *found = NULL;
        guint n_labels = 0;
        guint64 created;
        guint32 uid;
        int r;

        r = sd_bus_call_method(framekey_client_get_bus(port->client), "org.framekey1", "/org/framekey1",
                               "org.framekey1.Manager", "ListSessions", &error, &reply, "");
        if (r < 0)
                return client_failed(port, framekey_client_note_error(port->client, r, &error), ret_error);
        r = sd_bus_message_enter_container(reply, 'a', "(sosstu)");
        while (r >= 0 &&
               (r = sd_bus_message_read(reply, "(sosstu)", &id, &path, &profile, &label, &created, &uid)) > 0) {
                if (strcmp(id, port->session_name) == 0) {
                        g_free(found);
                        found = g_strdup(id);
                        n_labels = 1;
                        break;
                }
                if (strcmp(label, port->session_name) == 0) {
                        g_free(found);
                        found = g_strdup(id);
                        n_labels++;
                }
        }
        if (r < 0) {
                take_error(ret_error, "The daemon's reply cannot be read.");
                return r;
        }
        if (n_labels != 1) {
                g_free(*ret_error);
                *ret_error =
                        g_strdup_printf(n_labels == 0 ? "There is no session '%s' of this user."
                                                      : "Several sessions have the label '%s': name one by its id.",
                                        port->session_name);
                return -ENXIO;
        }
        *ret_id = g_steal_pointer(&found);
        return 0;
}

static void close_channel(Port *port) {
        if (port->channel_path)
                (void)framekey_session_close_channel(port->session, port->channel_path);
        free(port->channel_path); /* malloc'd by the library */
        port->channel_path = NULL;
}

static void disconnect(Port *port) {
        close_channel(port);
        port->session = framekey_session_free(port->session);
        port->client = framekey_client_free(port->client);
}

static int join_session(Port *port, char **ret_error) {
        g_autofree char *id = NULL;
        char *error = NULL;
        int r;

        r = framekey_client_open(&port->client, port->bus, port->address, &error);
        if (r < 0) {
                take_error(ret_error, error ? error : g_strerror(-r));
                free(error);
                return r;
        }
        framekey_client_set_timeout(port->client, CALL_TIMEOUT_USEC);
        r = find_session(port, &id, ret_error);
        if (r == 0) {
                r = framekey_session_attach(port->client, id, &port->session);
                if (r < 0)
                        (void)client_failed(port, r, ret_error);
        }
        if (r < 0)
                disconnect(port);
        return r;
}

static int add_stream(Port *port, enum framekey_media media, enum framekey_codec codec, guint32 *ret) {
        enum framekey_role role = port->direction == FRAMEKEY_ENCRYPT ? FRAMEKEY_LOCAL : FRAMEKEY_REMOTE;
        const char *id = framekey_session_get_id(port->session);
        int r;

        r = framekey_session_add_stream(port->session, port->channel_path, port->participant, port->direction, media,
                                        codec, NULL, ret);
        /* Once a session: who is taken out of the call stays out. */
        if (r != -ESRCH || !port->add_participant || g_strcmp0(port->added_to, id) == 0)
                return r;
        g_free(port->added_to);
        port->added_to = g_strdup(id);
        r = framekey_session_add_participant(port->session, port->participant, role, NULL);
        if (r < 0 && r != -ENOTUNIQ) /* the element of another stream was first */
                return r;
        return framekey_session_add_stream(port->session, port->channel_path, port->participant, port->direction, media,
                                           codec, NULL, ret);
}

/* One frame is under way at a time; the other slots are for those that were not answered in time. */
static int open_channel(Port *port, enum framekey_media media, enum framekey_codec codec, framekey_channel **ret,
                        guint32 *ret_stream, char **ret_error) {
        static const char *const audio[] = { "small-slots=4", "video-slots=1", "jumbo-slots=0", "streams=1", NULL };
        static const char *const video[] = { "small-slots=4", "video-slots=4", "jumbo-slots=2", "streams=1", NULL };
        framekey_channel *channel;
        int r;

        r = framekey_session_open_channel(port->session, media == FRAMEKEY_MEDIA_AUDIO ? audio : video, &channel,
                                          &port->channel_path);
        if (r < 0)
                return client_failed(port, r, ret_error);
        r = add_stream(port, media, codec, ret_stream);
        if (r < 0) {
                (void)client_failed(port, r, ret_error);
                close_channel(port);
                framekey_channel_free(channel);
                return r;
        }
        *ret = channel;
        return 0;
}

/* A channel from outside: whether the stream on it is what this element needs. */
static int check_stream(Port *port, enum framekey_media wanted, char **ret_error) {
        enum framekey_direction direction;
        enum framekey_media media;
        int r;

        r = framekey_stream_get(port->channel, port->stream, &direction, NULL, &media, NULL);
        if (r == -ENOENT)
                take_error(ret_error, "There is no such stream on the channel: see the property stream.");
        else if (r < 0)
                take_error(ret_error, framekey_verdict_text(r));
        else if (direction != port->direction || media != wanted) {
                take_error(ret_error, "The stream on the channel is of the other direction, or of other media.");
                r = -EMEDIUMTYPE;
        }
        return r;
}

static int adopt_channel(Port *port, char **ret_error) {
        int r;

        r = framekey_channel_new_from_fds(&port->channel, port->fds, N_FDS);
        if (r < 0)
                take_error(ret_error, framekey_verdict_text(r));
        for (guint i = 0; i < N_FDS; i++)
                port->fds[i] = close_fd(port->fds[i]);
        return r;
}

/* ---- the keeper ---- */

/* Whatever is to be done to have a channel. Called and left with the lock held; the bus is called without it. */
static int keeper_open(Port *port, char **ret_error) {
        enum framekey_media media = port->media;
        enum framekey_codec codec = port->codec;
        gboolean has_codec = port->has_codec;
        framekey_channel *channel = NULL;
        guint32 stream = 0;
        int r = 0;

        g_mutex_unlock(&port->lock);
        if (port->session && port->channel_path)
                disconnect(port); /* the channel was lost, or is of another codec */
        if (!port->session)
                r = join_session(port, ret_error);
        if (r == 0 && has_codec)
                r = open_channel(port, media, codec, &channel, &stream, ret_error);
        if (r < 0)
                disconnect(port);
        g_mutex_lock(&port->lock);
        if (r < 0)
                return r;
        if (has_codec != port->has_codec || codec != port->codec) {
                framekey_channel_free(channel);
                return -EAGAIN; /* somebody wants another one by now */
        }
        port->channel = channel;
        port->stream = stream;
        return 0;
}

static gboolean needs_work(const Port *port) {
        return port->session_name && (!port->session || (port->has_codec && !port->channel));
}

static void keeper_answer(Port *port, int r, const char *text) {
        if (!port->asked)
                return;
        port->asked = FALSE;
        port->answer = r;
        g_free(port->answer_text);
        port->answer_text = g_strdup(text);
        g_cond_broadcast(&port->done);
}

static void keeper_work(Port *port, gint64 *retry_usec) {
        g_autofree char *error = NULL;
        gboolean asked = port->asked;
        int r;

        r = keeper_open(port, &error);
        if (r == -EAGAIN)
                return;
        keeper_answer(port, r, error);
        if (r == 0) {
                *retry_usec = RETRY_FIRST_USEC;
                if (port->channel) {
                        g_mutex_unlock(&port->lock);
                        port->changed(port->userdata, TRUE, NULL);
                        g_mutex_lock(&port->lock);
                }
                return;
        }
        if (!asked && *retry_usec == RETRY_FIRST_USEC) {
                g_mutex_unlock(&port->lock);
                port->changed(port->userdata, FALSE, error);
                g_mutex_lock(&port->lock);
        }
        (void)g_cond_wait_until(&port->wake, &port->lock, g_get_monotonic_time() + *retry_usec);
        *retry_usec = MIN(*retry_usec * 2, RETRY_LAST_USEC);
}

static gpointer keeper_run(gpointer userdata) {
        gint64 retry_usec = RETRY_FIRST_USEC;
        Port *port = userdata;

        g_mutex_lock(&port->lock);
        while (!port->stopping) {
                if (needs_work(port)) {
                        keeper_work(port, &retry_usec);
                        continue;
                }
                keeper_answer(port, 0, NULL);
                (void)g_cond_wait_until(&port->wake, &port->lock, g_get_monotonic_time() + IDLE_USEC);
                g_mutex_unlock(&port->lock);
                if (port->client)
                        (void)framekey_client_process(port->client); /* a lost channel says so itself */
                g_mutex_lock(&port->lock);
        }
        g_mutex_unlock(&port->lock);
        port->channel = framekey_channel_free(port->channel);
        disconnect(port);
        return NULL;
}

/* With the lock. */
static int ask_keeper(Port *port, char **ret_error) {
        port->asked = TRUE;
        g_cond_signal(&port->wake);
        while (port->asked)
                g_cond_wait(&port->done, &port->lock);
        if (port->answer < 0)
                *ret_error = g_strdup(port->answer_text);
        return port->answer;
}

/* ---- life ---- */

static void configure(Port *port, const PortConfig *config) {
        port->direction = config->direction;
        port->bus = config->bus;
        port->address = g_strdup(config->address);
        port->session_name = g_strdup(config->session);
        port->participant = g_strdup(config->participant);
        port->add_participant = config->add_participant;
        port->stream = config->stream;
        for (guint i = 0; i < N_FDS; i++)
                port->fds[i] = config->fds ? fcntl(config->fds[i], F_DUPFD_CLOEXEC, 3) : -EBADF;
}

int port_new(Port **ret, const PortConfig *config, PortChanged changed, void *userdata, char **ret_error) {
        Port *port = g_new0(Port, 1);
        int r = 0;

        configure(port, config);
        port->changed = changed;
        port->userdata = userdata;
        g_mutex_init(&port->lock);
        g_cond_init(&port->wake);
        g_cond_init(&port->done);
        if (!port->session_name)
                r = adopt_channel(port, ret_error);
        if (r == 0) {
                g_mutex_lock(&port->lock);
                port->keeper = g_thread_new("framekey", keeper_run, port);
                r = ask_keeper(port, ret_error);
                g_mutex_unlock(&port->lock);
        }
        if (r < 0) {
                (void)port_free(port);
                return r;
        }
        *ret = port;
        return 0;
}

Port *port_free(Port *port) {
        if (!port)
                return NULL;
        if (port->keeper) {
                g_mutex_lock(&port->lock);
                port->stopping = TRUE;
                g_cond_signal(&port->wake);
                g_mutex_unlock(&port->lock);
                (void)g_thread_join(port->keeper);
        }
        framekey_channel_free(port->channel);
        g_mutex_clear(&port->lock);
        g_cond_clear(&port->wake);
        g_cond_clear(&port->done);
        g_free(port->address);
        g_free(port->session_name);
        g_free(port->participant);
        g_free(port->answer_text);
        g_free(port->added_to);
        g_free(port);
        return NULL;
}

int port_set_codec(Port *port, enum framekey_media media, enum framekey_codec codec, char **ret_error) {
        int r = 0;

        g_mutex_lock(&port->lock);
        if (!port->session_name) {
                port->codec = codec;
                port->has_codec = TRUE;
                r = port->channel ? check_stream(port, media, ret_error) : 0;
        } else if (!port->has_codec || port->media != media || port->codec != codec) {
                gboolean away = port->has_codec && !port->channel;

                port->channel = framekey_channel_free(port->channel);
                port->media = media;
                port->codec = codec;
                port->has_codec = TRUE;
                if (!away)
                        r = ask_keeper(port, ret_error);
        }
        g_mutex_unlock(&port->lock);
        return r;
}

/* ---- frames ---- */

/* Whether this ends the channel's use. */
static gboolean is_end(int r) {
        return r == -EPIPE || r == -EPROTO || r == -ESTALE || r == -ECONNRESET || r == -ECHILD || r == -ENOENT;
}

/* Waits for the answer to the latest frame; those to earlier ones, which were given up, free their slots. */
static int await(Port *port, gint64 deadline, struct framekey_result *ret) {
        struct pollfd item = { .fd = framekey_channel_get_fd(port->channel), .events = POLLIN };
        int r;

        if (item.fd < 0)
                return item.fd;
        for (;;) {
                gint64 left;

                r = framekey_reap(port->channel, ret);
                if (r < 0)
                        return r;
                if (r > 0 && ret->cookie == port->cookie)
                        return 0;
                if (r > 0) {
                        framekey_release(port->channel, ret->slot);
                        continue;
                }
                left = deadline - g_get_monotonic_time();
                if (left <= 0)
                        return -ETIMEDOUT;
                (void)poll(&item, 1, (int)MIN((left + 999) / 1000, G_MAXINT));
        }
}

static int collect(Port *port, const struct framekey_result *result, GstBuffer **ret_out) {
        GstBuffer *out;
        GstMapInfo map;
        int r;

        if (!framekey_verdict_delivers(result->verdict)) {
                framekey_release(port->channel, result->slot);
                return result->verdict;
        }
        out = gst_buffer_new_allocate(NULL, result->length, NULL);
        if (!gst_buffer_map(out, &map, GST_MAP_WRITE)) {
                framekey_release(port->channel, result->slot);
                gst_buffer_unref(out);
                return -ENOMEM;
        }
        r = framekey_take(port->channel, result, map.data, map.size, NULL);
        gst_buffer_unmap(out, &map);
        if (r < 0) {
                framekey_release(port->channel, result->slot);
                gst_buffer_unref(out);
                return r;
        }
        *ret_out = out;
        return result->verdict;
}

/* Slots whose answers came after their time. */
static int reserve(Port *port, const struct framekey_frame *frame, gsize length, guint32 *ret_slot, void **ret_place) {
        struct framekey_result late = { .size = sizeof(late) };
        int r;

        r = framekey_reserve(port->channel, frame, length, ret_slot, ret_place);
        if (r != -EAGAIN)
                return r;
        while ((r = framekey_reap(port->channel, &late)) > 0)
                framekey_release(port->channel, late.slot);
        return r < 0 ? r : framekey_reserve(port->channel, frame, length, ret_slot, ret_place);
}

static int exchange(Port *port, GstBuffer *in, const struct framekey_frame *frame, gint64 deadline, GstBuffer **ret_out,
                    struct framekey_result *ret) {
        gsize length = gst_buffer_get_size(in);
        guint32 slot;
        void *place;
        int r;

        r = reserve(port, frame, length, &slot, &place);
        if (r == -EMSGSIZE)
                return FRAMEKEY_VERDICT_TOO_LONG;
        if (r < 0)
                return r;
        (void)gst_buffer_extract(in, 0, place, length);
        r = framekey_submit(port->channel, slot, frame, length, ++port->cookie);
        if (r < 0) {
                framekey_release(port->channel, slot);
                return r;
        }
        r = framekey_flush(port->channel);
        if (r == 0)
                r = await(port, deadline, ret);
        return r < 0 ? r : collect(port, ret, ret_out);
}

int port_frame(Port *port, GstBuffer *in, enum framekey_frame_type type, guint64 timeout_usec, GstBuffer **ret_out,
               struct framekey_result *ret_result) {
        gint64 deadline = g_get_monotonic_time() + (gint64)MIN(timeout_usec, G_MAXINT64 / 2);
        struct framekey_frame frame = { .size = sizeof(frame), .frame_type = (uint8_t)type };
        gboolean lost;
        int r;

        *ret_out = NULL;
        *ret_result = (struct framekey_result){ .size = sizeof(*ret_result) };
        g_mutex_lock(&port->lock);
        if (!port->channel) {
                g_mutex_unlock(&port->lock);
                return -ENOTCONN;
        }
        frame.stream = port->stream;
        frame.codec = (uint8_t)port->codec;
        r = exchange(port, in, &frame, deadline, ret_out, ret_result);
        lost = is_end(r);
        if (lost) {
                port->channel = framekey_channel_free(port->channel);
                g_cond_signal(&port->wake);
        }
        g_mutex_unlock(&port->lock);
        if (lost)
                port->changed(port->userdata, FALSE, framekey_verdict_text(r));
        return lost ? -ENOTCONN : r;
}
