/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A call of two parties in GStreamer: VP8 and Opus over WebRTC, encrypted and decrypted by framekeyd. The other party
 * is another gstreamer-call, or a browser with the worker of LiveKit or RealtimeKit.
 *
 *   gstreamer-call --key-file=FILE [OPTION...] offer|answer
 *
 * Signalling is lines of JSON, what we say on standard output, what the other says on standard input; carry them as you
 * like. {"type": ...} is one of
 *   offer, answer    with "sdp"
 *   candidate        with "candidate" and "sdpMLineIndex"
 *   bye              the call ends, as it does with the input
 * and, for whoever runs us, not for the other party,
 *   ratchet          send one step further; the other follows by itself
 *   key              with "file" and "index": receive under this key, too
 *   activate         with "index": send under it, in a second; everybody has it by then
 *   state            from us: "ice", the state of the connection, or "stream", what became of its frames
 * One party is told "offer", the other "answer". Two on one machine:
 *
 *   mkfifo back; gstreamer-call --key-file=k offer <back | gstreamer-call --key-file=k answer >back
 */
#include <fcntl.h>
#include <framekey-bus.h>
#include <glib-unix.h>
#include <gst/gst.h>
#include <gst/sdp/sdp.h>
#define GST_USE_UNSTABLE_API
#include <gst/webrtc/webrtc.h>
#include <jansson.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define US   "us"
#define THEM "them"

static struct {
        char *address, *profile, *key_file, *video_source, *audio_source, *video_sink, *audio_sink, *record, *recorder;
} options = {
        .recorder = "gstreamer-recorder",
        .profile = "livekit",
        .video_source = "videotestsrc is-live=true ! video/x-raw,width=640,height=480,framerate=30/1",
        .audio_source = "audiotestsrc is-live=true wave=ticks",
        .video_sink = "autovideosink",
        .audio_sink = "autoaudiosink",
};

static const GOptionEntry entries[] = {
        { "address", 0, 0, G_OPTION_ARG_STRING, &options.address, "The bus, if it is not the system's", "ADDRESS" },
        { "profile", 0, 0, G_OPTION_ARG_STRING, &options.profile, "What the other party has (livekit)", "PRESET" },
        { "key-file", 0, 0, G_OPTION_ARG_FILENAME, &options.key_file, "Passphrase or byte key of the call", "FILE" },
        { "video-source", 0, 0, G_OPTION_ARG_STRING, &options.video_source, "As for gst-launch-1.0", "ELEMENTS" },
        { "audio-source", 0, 0, G_OPTION_ARG_STRING, &options.audio_source, "As for gst-launch-1.0", "ELEMENTS" },
        { "video-sink", 0, 0, G_OPTION_ARG_STRING, &options.video_sink, "As for gst-launch-1.0", "ELEMENTS" },
        { "audio-sink", 0, 0, G_OPTION_ARG_STRING, &options.audio_sink, "As for gst-launch-1.0", "ELEMENTS" },
        { "record", 0, 0, G_OPTION_ARG_FILENAME, &options.record, "Record what the other party sends", "FILE" },
        { "recorder", 0, 0, G_OPTION_ARG_FILENAME, &options.recorder, "By this (gstreamer-recorder)", "PROGRAM" },
        { 0 },
};

enum { VIDEO, AUDIO, N_MEDIA };

static const enum framekey_media media_of[] = { FRAMEKEY_MEDIA_VIDEO, FRAMEKEY_MEDIA_AUDIO };
static const enum framekey_codec codec_of[] = { FRAMEKEY_CODEC_VP8, FRAMEKEY_CODEC_OPUS };

/* A channel with one stream on it, for one element or recorder: its descriptors and the stream's number are all that
 * encrypting, or decrypting, takes. */
typedef struct Grant {
        int fds[4];
        uint32_t stream;
} Grant;

typedef struct Call {
        GMainLoop *loop;
        framekey_client *client;
        framekey_session *session;
        GstElement *pipeline, *webrtc;
        Grant sending[N_MEDIA], playing[N_MEDIA], recording[N_MEDIA];
        int record_pipes[N_MEDIA]; /* their ends to write to */
        GPid recorder;
        gboolean offers;
        int status;
} Call;

/* ---- signalling ---- */

static void say(json_t *message) {
        char *line = json_dumps(message, JSON_COMPACT);

        /* Candidates come from other threads: one write a line. */
        g_autofree char *text = g_strdup_printf("%s\n", line);
        if (write(STDOUT_FILENO, text, strlen(text)) < 0)
                g_printerr("Nobody hears what we say.\n");
        free(line);
        json_decref(message);
}

static void fail(Call *call, const char *what, const char *why) {
        g_printerr("%s: %s\n", what, why);
        call->status = 1;
        g_main_loop_quit(call->loop);
}

static void on_description_made(GstPromise *promise, gpointer userdata) {
        Call *call = userdata;
        const char *type = call->offers ? "offer" : "answer";
        g_autoptr(GstWebRTCSessionDescription) description = NULL;
        g_autofree char *sdp = NULL;

        gst_structure_get(gst_promise_get_reply(promise), type, GST_TYPE_WEBRTC_SESSION_DESCRIPTION, &description,
                          NULL);
        gst_promise_unref(promise);
        if (!description)
                return fail(call, type, "could not be made");
        g_signal_emit_by_name(call->webrtc, "set-local-description", description, NULL);
        sdp = gst_sdp_message_as_text(description->sdp);
        say(json_pack("{ssss}", "type", type, "sdp", sdp));
}

static void on_negotiation_needed(GstElement *webrtc, gpointer userdata) {
        Call *call = userdata;

        if (call->offers)
                g_signal_emit_by_name(webrtc, "create-offer", NULL,
                                      gst_promise_new_with_change_func(on_description_made, call, NULL));
}

static void on_candidate(GstElement *webrtc, guint line, char *candidate, gpointer userdata) {
        say(json_pack("{sssssi}", "type", "candidate", "candidate", candidate, "sdpMLineIndex", (int)line));
}

static void take_description(Call *call, const char *text) {
        g_autoptr(GstWebRTCSessionDescription) description = NULL;
        GstSDPMessage *sdp = NULL;

        if (!text || gst_sdp_message_new_from_text(text, &sdp) != GST_SDP_OK)
                return fail(call, "Signalling", "no session description");
        description = gst_webrtc_session_description_new(
                call->offers ? GST_WEBRTC_SDP_TYPE_ANSWER : GST_WEBRTC_SDP_TYPE_OFFER, sdp);
        g_signal_emit_by_name(call->webrtc, "set-remote-description", description, NULL);
        if (!call->offers)
                g_signal_emit_by_name(call->webrtc, "create-answer", NULL,
                                      gst_promise_new_with_change_func(on_description_made, call, NULL));
}

/* ---- keys ---- */

/* The first is sent under at once. */
static int import_key(Call *call, const char *file, uint32_t index) {
        char secret[4096];
        ssize_t n;
        int fd, r;

        fd = open(file, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        n = read(fd, secret, sizeof(secret));
        (void)close(fd);
        if (n < 0)
                return -errno;
        r = framekey_session_import_key(call->session, NULL, index, secret, (size_t)n, NULL);
        explicit_bzero(secret, sizeof(secret));
        return r;
}

/* Both parties share one key; each sends as itself. */
static int open_session(Call *call) {
        g_autofree char *error = NULL;
        int r;

        r = framekey_client_open(&call->client, options.address ? FRAMEKEY_BUS_ADDRESS : FRAMEKEY_BUS_SYSTEM,
                                 options.address, &error);
        if (r < 0) {
                g_printerr("%s\n", error);
                return r;
        }
        r = framekey_session_open(call->client, options.profile, "gstreamer-call", NULL, &call->session);
        if (r >= 0)
                r = framekey_session_add_participant(call->session, US, FRAMEKEY_LOCAL, NULL);
        if (r >= 0)
                r = framekey_session_add_participant(call->session, THEM, FRAMEKEY_REMOTE, NULL);
        if (r >= 0)
                r = import_key(call, options.key_file, 0);
        if (r < 0)
                g_printerr("%s\n",
                           *framekey_client_error(call->client) ? framekey_client_error(call->client) : g_strerror(-r));
        return r;
}

static int grant(Call *call, Grant grants[N_MEDIA], const char *identity, enum framekey_direction direction) {
        int r = 0;

        for (int i = 0; i < N_MEDIA && r >= 0; i++) {
                g_autofree char *path = NULL;

                r = framekey_session_open_channel_fds(call->session, NULL, grants[i].fds, &path);
                if (r >= 0)
                        r = framekey_session_add_stream(call->session, path, identity, direction, media_of[i],
                                                        codec_of[i], NULL, &grants[i].stream);
        }
        if (r < 0)
                g_printerr("%s\n", framekey_client_error(call->client));
        return r;
}

/* The recorder inherits, for each medium, a pipe and a channel on which it may decrypt, under the numbers it is told.
 */
static gboolean start_recorder(Call *call) {
        enum { FIRST = 3, EACH = 5 };
        g_autofree char *grants[N_MEDIA] = { NULL };
        const char *argv[] = { options.recorder, options.record, NULL, NULL, NULL };
        int from[N_MEDIA * EACH], to[N_MEDIA * EACH], pipe[2];
        g_autoptr(GError) error = NULL;

        for (int i = 0; i < N_MEDIA; i++) {
                if (!g_unix_open_pipe(pipe, FD_CLOEXEC, &error))
                        break;
                call->record_pipes[i] = pipe[1];
                from[i * EACH] = pipe[0];
                memcpy(&from[i * EACH + 1], call->recording[i].fds, sizeof(call->recording[i].fds));
                for (int n = i * EACH; n < (i + 1) * EACH; n++)
                        to[n] = FIRST + n;
                const int *at = &to[i * EACH];
                grants[i] = g_strdup_printf("%s=%u,%d,%d,%d,%d,%d", framekey_media_name(media_of[i]),
                                            call->recording[i].stream, at[0], at[1], at[2], at[3], at[4]);
                argv[2 + i] = grants[i];
        }
        if (!error)
                (void)g_spawn_async_with_pipes_and_fds(
                        NULL, argv, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, -1, -1, -1, from,
                        to, N_MEDIA * EACH, &call->recorder, NULL, NULL, NULL, &error);
        if (error)
                g_printerr("%s\n", error->message);
        return !error;
}

/* ---- media ---- */

/* The element has a stream, and no key. */
static void protect(GstElement *bin, const char *name, const Grant *grant) {
        g_autoptr(GstElement) element = gst_bin_get_by_name(GST_BIN(bin), name);
        g_autofree char *fds =
                g_strdup_printf("<%d,%d,%d,%d>", grant->fds[0], grant->fds[1], grant->fds[2], grant->fds[3]);

        gst_util_set_object_arg(G_OBJECT(element), "channel-fds", fds);
        g_object_set(element, "stream", grant->stream, NULL);
}

static gboolean make_pipeline(Call *call) {
        g_autofree char *description = g_strdup_printf(
                "webrtcbin name=webrtc bundle-policy=max-bundle "
                "%s ! videoconvert ! queue leaky=downstream max-size-buffers=2 ! "
                "vp8enc deadline=1 cpu-used=8 target-bitrate=1000000 keyframe-max-dist=300 ! "
                "framekeyenc name=encrypt-video ! framekeyvp8pay ! "
                "application/x-rtp,media=video,encoding-name=VP8,payload=96 ! webrtc. "
                "%s ! audioconvert ! audioresample ! queue leaky=downstream max-size-time=100000000 ! opusenc ! "
                "framekeyenc name=encrypt-audio ! rtpopuspay ! "
                "application/x-rtp,media=audio,encoding-name=OPUS,payload=111 ! webrtc.",
                options.video_source, options.audio_source);
        g_autoptr(GError) error = NULL;

        call->pipeline = gst_parse_launch(description, &error);
        if (error) {
                g_printerr("%s\n", error->message);
                return FALSE;
        }
        call->webrtc = gst_bin_get_by_name(GST_BIN(call->pipeline), "webrtc");
        protect(call->pipeline, "encrypt-video", &call->sending[VIDEO]);
        protect(call->pipeline, "encrypt-audio", &call->sending[AUDIO]);
        return TRUE;
}

/* What a track of the other party goes through, from here to the speaker or the screen, and to the recorder. */
static GstElement *make_receiver(Call *call, int medium, GError **ret_error) {
        g_autofree char *to_recorder = NULL, *description = NULL;

        if (options.record)
                to_recorder =
                        g_strdup_printf("tee name=t t. ! queue ! gdppay ! fdsink fd=%d sync=false async=false t. ! "
                                        "queue !",
                                        call->record_pipes[medium]);
        if (medium == VIDEO)
                description = g_strdup_printf("queue ! rtpvp8depay wait-for-keyframe=true request-keyframe=true ! %s "
                                              "framekeydec name=decrypt ! "
                                              "vp8dec ! videoconvert ! videoscale ! %s",
                                              to_recorder ? to_recorder : "", options.video_sink);
        else
                description = g_strdup_printf("queue ! rtpopusdepay ! %s framekeydec name=decrypt ! opusdec ! "
                                              "audioconvert ! audioresample ! %s",
                                              to_recorder ? to_recorder : "", options.audio_sink);
        return gst_parse_bin_from_description(description, TRUE, ret_error);
}

/* From a thread of the pipeline. */
static void on_pad_added(GstElement *webrtc, GstPad *pad, gpointer userdata) {
        Call *call = userdata;
        g_autoptr(GstCaps) caps = gst_pad_get_current_caps(pad);
        g_autoptr(GstPad) sink = NULL;
        g_autoptr(GError) error = NULL;
        const char *codec;
        GstElement *bin;
        int medium;

        if (GST_PAD_DIRECTION(pad) != GST_PAD_SRC)
                return;
        codec = gst_structure_get_string(gst_caps_get_structure(caps, 0), "encoding-name");
        medium = g_strcmp0(codec, "VP8") == 0 ? VIDEO : AUDIO;
        if (medium == AUDIO && g_strcmp0(codec, "OPUS") != 0)
                return fail(call, "The other party sends", codec);
        bin = make_receiver(call, medium, &error);
        if (error)
                return fail(call, codec, error->message);
        protect(bin, "decrypt", &call->playing[medium]);
        gst_bin_add(GST_BIN(call->pipeline), bin);
        gst_element_sync_state_with_parent(bin);
        sink = gst_element_get_static_pad(bin, "sink");
        if (gst_pad_link(pad, sink) != GST_PAD_LINK_OK)
                fail(call, codec, "does not fit");
}

static void on_connection_state(GstElement *webrtc, GParamSpec *property, gpointer userdata) {
        GstWebRTCICEConnectionState state;
        GEnumClass *names = g_type_class_ref(GST_TYPE_WEBRTC_ICE_CONNECTION_STATE);

        g_object_get(webrtc, "ice-connection-state", &state, NULL);
        say(json_pack("{ssss}", "type", "state", "ice", g_enum_get_value(names, (int)state)->value_nick));
        g_type_class_unref(names);
}

static gboolean on_pipeline_message(GstBus *bus, GstMessage *message, gpointer userdata) {
        Call *call = userdata;
        g_autoptr(GError) error = NULL;

        if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) {
                gst_message_parse_error(message, &error, NULL);
                fail(call, GST_OBJECT_NAME(GST_MESSAGE_SRC(message)), error->message);
        } else if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_LATENCY) {
                gst_bin_recalculate_latency(GST_BIN(call->pipeline));
        }
        return G_SOURCE_CONTINUE;
}

/* ---- what is said to us ---- */

/* Sessions tell of streams that stop to decrypt, and why. */
static void on_session_event(framekey_session *session, const struct framekey_event *event, void *userdata) {
        if (strcmp(event->name, "DecryptionStalled") == 0)
                say(json_pack("{ssssss}", "type", "state", "stream", event->participant, "why", event->state));
}

static gboolean on_bus(int fd, GIOCondition condition, gpointer userdata) {
        Call *call = userdata;
        int r = framekey_client_process(call->client);

        if (r < 0)
                fail(call, "framekeyd", g_strerror(-r));
        return r < 0 ? G_SOURCE_REMOVE : G_SOURCE_CONTINUE;
}

static void take_message(Call *call, json_t *message) {
        static const char *const in_a_second[] = { "after-usec=1000000", NULL };
        const char *type = "", *text = NULL;
        int number = 0, r = 0;

        (void)json_unpack(message, "{s?s, s?s, s?s, s?s, s?i, s?i}", "type", &type, "sdp", &text, "candidate", &text,
                          "file", &text, "sdpMLineIndex", &number, "index", &number);
        if (strcmp(type, call->offers ? "answer" : "offer") == 0)
                take_description(call, text);
        else if (strcmp(type, "candidate") == 0)
                g_signal_emit_by_name(call->webrtc, "add-ice-candidate", number, text);
        else if (strcmp(type, "ratchet") == 0)
                r = framekey_session_ratchet(call->session, NULL, FRAMEKEY_KEY_ACTIVE, NULL);
        else if (strcmp(type, "key") == 0)
                r = import_key(call, text, (uint32_t)number);
        else if (strcmp(type, "activate") == 0)
                r = framekey_session_activate(call->session, NULL, (uint32_t)number, in_a_second);
        else if (strcmp(type, "bye") == 0)
                g_main_loop_quit(call->loop);
        if (r < 0)
                fail(call, type, framekey_client_error(call->client));
}

static gboolean on_line(GIOChannel *input, GIOCondition condition, gpointer userdata) {
        Call *call = userdata;
        g_autofree char *line = NULL;
        json_t *message;

        if (g_io_channel_read_line(input, &line, NULL, NULL, NULL) != G_IO_STATUS_NORMAL) {
                g_main_loop_quit(call->loop);
                return G_SOURCE_REMOVE;
        }
        message = json_loads(line, 0, NULL);
        if (message)
                take_message(call, message);
        json_decref(message);
        return G_SOURCE_CONTINUE;
}

static void run(Call *call) {
        g_autoptr(GstBus) bus = gst_element_get_bus(call->pipeline);
        GIOChannel *input = g_io_channel_unix_new(STDIN_FILENO);

        gst_bus_add_watch(bus, on_pipeline_message, call);
        g_signal_connect(call->webrtc, "on-negotiation-needed", G_CALLBACK(on_negotiation_needed), call);
        g_signal_connect(call->webrtc, "on-ice-candidate", G_CALLBACK(on_candidate), call);
        g_signal_connect(call->webrtc, "notify::ice-connection-state", G_CALLBACK(on_connection_state), call);
        g_signal_connect(call->webrtc, "pad-added", G_CALLBACK(on_pad_added), call);
        (void)framekey_session_set_handler(call->session, on_session_event, NULL);
        g_unix_fd_add(sd_bus_get_fd(framekey_client_get_bus(call->client)), G_IO_IN, on_bus, call);
        g_io_add_watch(input, G_IO_IN | G_IO_HUP, on_line, call);
        if (gst_element_set_state(call->pipeline, GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE)
                fail(call, "Pipeline", "does not start");
        else
                g_main_loop_run(call->loop);
        gst_element_set_state(call->pipeline, GST_STATE_NULL);
        gst_bus_remove_watch(bus);
        g_io_channel_unref(input);
}

/* The recorder ends when its pipes do. */
static void stop_recorder(Call *call) {
        int status = 0;

        for (int i = 0; i < N_MEDIA; i++)
                (void)close(call->record_pipes[i]);
        if (waitpid(call->recorder, &status, 0) < 0 || status != 0) {
                g_printerr("The recording is not whole.\n");
                call->status = 1;
        }
}

int main(int argc, char **argv) {
        g_autoptr(GOptionContext) context = g_option_context_new("offer|answer");
        g_autoptr(GError) error = NULL;
        Call call = { .status = 1 };
        int r;

        g_option_context_add_main_entries(context, entries, NULL);
        g_option_context_add_group(context, gst_init_get_option_group());
        if (!g_option_context_parse(context, &argc, &argv, &error) || argc != 2 || !options.key_file) {
                g_printerr("%s\n", error ? error->message : g_option_context_get_help(context, TRUE, NULL));
                return 2;
        }
        call.offers = strcmp(argv[1], "offer") == 0;
        call.loop = g_main_loop_new(NULL, FALSE);
        r = open_session(&call);
        if (r >= 0)
                r = grant(&call, call.sending, US, FRAMEKEY_ENCRYPT);
        if (r >= 0)
                r = grant(&call, call.playing, THEM, FRAMEKEY_DECRYPT);
        if (r >= 0 && options.record)
                r = grant(&call, call.recording, THEM, FRAMEKEY_DECRYPT);
        if (r >= 0 && (!options.record || start_recorder(&call)) && make_pipeline(&call)) {
                call.status = 0;
                run(&call);
        }
        g_clear_object(&call.webrtc);
        g_clear_object(&call.pipeline);
        if (call.recorder > 0)
                stop_recorder(&call);
        framekey_session_close(call.session);
        framekey_client_free(call.client);
        g_main_loop_unref(call.loop);
        return call.status;
}
