/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The base of framekeyenc and framekeydec, see crypt.h.
 *
 * A frame that is not delivered is dropped, and never passed on as it came: encrypted bytes would break a decoder, and
 * plain ones the promise to the people in the call. What failed is told by a message of the element, one when the
 * verdict changes and at most a few a second; undecryptable frames are ordinary while keys change.
 */
#include "crypt.h"
#include "codecs.h"

#include <gst/video/video.h>

GST_DEBUG_CATEGORY_STATIC(framekey_debug);
#define GST_CAT_DEFAULT framekey_debug

/* Between two messages about verdicts, and between two requests for a key frame. */
#define MESSAGE_INTERVAL  (200 * GST_MSECOND)
#define KEY_UNIT_INTERVAL (500 * GST_MSECOND)
#define TIMEOUT_DEFAULT   (100 * GST_MSECOND)
#define N_FDS             4u

typedef enum OnVerdict {
        ON_VERDICT_DROP,
        ON_VERDICT_ERROR,
} OnVerdict;

typedef struct GstFramekeyCryptPrivate {
        /* Properties. */
        char *session, *participant, *address;
        gboolean add_participant, force_key_unit;
        enum framekey_bus bus;
        int fds[N_FDS];
        gboolean has_fds;
        guint stream;
        guint64 timeout;
        OnVerdict on_verdict;

        Port *port;
        enum framekey_media media;
        enum framekey_codec codec;
        GMutex lock; /* of the counts, which an application reads at any time */
        Tally tally;

        /* The streaming thread's. */
        int verdict;        /* of the latest frame; negative: none */
        guint64 n_since;    /* frames since the last message about verdicts */
        GstClockTime told;  /* when that was; GST_CLOCK_TIME_NONE: never */
        GstClockTime asked; /* for a key frame */
        gboolean wants_key_unit;
} GstFramekeyCryptPrivate;

G_DEFINE_ABSTRACT_TYPE_WITH_PRIVATE(GstFramekeyCrypt, gst_framekey_crypt, GST_TYPE_BASE_TRANSFORM)

#define PRIVATE(crypt) ((GstFramekeyCryptPrivate *)gst_framekey_crypt_get_instance_private(crypt))

enum {
        PROPERTY_SESSION = 1,
        PROPERTY_PARTICIPANT,
        PROPERTY_ADD_PARTICIPANT,
        PROPERTY_BUS,
        PROPERTY_ADDRESS,
        PROPERTY_CHANNEL_FDS,
        PROPERTY_STREAM,
        PROPERTY_TIMEOUT,
        PROPERTY_ON_VERDICT,
        PROPERTY_FORCE_KEY_UNIT,
        PROPERTY_STATISTICS,
};

static GType bus_get_type(void) {
        static const GEnumValue values[] = {
                { FRAMEKEY_BUS_SYSTEM, "The system's bus", "system" },
                { FRAMEKEY_BUS_USER, "The user's bus", "user" },
                { 0, NULL, NULL },
        };
        static gsize type;

        if (g_once_init_enter(&type))
                g_once_init_leave(&type, g_enum_register_static("GstFramekeyBus", values));
        return type;
}

static GType on_verdict_get_type(void) {
        static const GEnumValue values[] = {
                { ON_VERDICT_DROP, "Drop the frame, tell it by a message, and go on", "drop" },
                { ON_VERDICT_ERROR, "Post an error, which ends the pipeline", "error" },
                { 0, NULL, NULL },
        };
        static gsize type;

        if (g_once_init_enter(&type))
                g_once_init_leave(&type, g_enum_register_static("GstFramekeyOnVerdict", values));
        return type;
}

/* ---- messages ---- */

static void post(GstFramekeyCrypt *crypt, GstStructure *structure) {
        (void)gst_element_post_message(GST_ELEMENT(crypt), gst_message_new_element(GST_OBJECT(crypt), structure));
}

static void on_port_changed(void *userdata, gboolean open, const char *text) {
        GstFramekeyCrypt *crypt = userdata;

        if (open) {
                g_mutex_lock(&PRIVATE(crypt)->lock);
                PRIVATE(crypt)->tally.n_opened++;
                g_mutex_unlock(&PRIVATE(crypt)->lock);
        }
        GST_INFO_OBJECT(crypt, "channel %s: %s", open ? "open" : "lost", text ? text : "");
        post(crypt, gst_structure_new("framekey-channel", "open", G_TYPE_BOOLEAN, open, "text", G_TYPE_STRING,
                                      text ? text : "", NULL));
}

/* Counts, and tells when frames begin or cease to fail, and how. */
static void tell_verdict(GstFramekeyCrypt *crypt, const struct framekey_result *result) {
        GstFramekeyCryptPrivate *p = PRIVATE(crypt);
        GstClockTime now = gst_util_get_timestamp();

        p->n_since++;
        if (result->verdict == p->verdict)
                return;
        if (p->told != GST_CLOCK_TIME_NONE && now - p->told < MESSAGE_INTERVAL)
                return; /* it is told with a later frame, if it lasts */
        if (p->verdict >= 0 || result->verdict != 0)
                post(crypt,
                     gst_structure_new("framekey-verdict", "verdict", G_TYPE_STRING,
                                       framekey_verdict_name(result->verdict), "code", G_TYPE_INT, result->verdict,
                                       "text", G_TYPE_STRING, framekey_verdict_text(result->verdict), "key-index",
                                       G_TYPE_UINT, result->key_index, "step", G_TYPE_UINT, result->step, "frames",
                                       G_TYPE_UINT64, p->n_since, NULL));
        p->verdict = result->verdict;
        p->told = now;
        p->n_since = 0;
}

/* The first frame under a key: an application shows it, or knows by it that a rotation has arrived. */
static void tell_key(GstFramekeyCrypt *crypt, const struct framekey_result *result) {
        if (result->flags & FRAMEKEY_RESULT_NEW_KEY)
                post(crypt, gst_structure_new("framekey-key", "key-index", G_TYPE_UINT, result->key_index, "step",
                                              G_TYPE_UINT, result->step, NULL));
}

/* Sending it asks the encoder, receiving the depayloader, which has the sender asked. */
static void ask_for_key_unit(GstFramekeyCrypt *crypt, const struct framekey_result *result) {
        GstFramekeyCryptPrivate *p = PRIVATE(crypt);
        GstClockTime now = gst_util_get_timestamp();

        if (result->flags & (FRAMEKEY_RESULT_KEYFRAME_WANTED | FRAMEKEY_RESULT_REQUEST_KEYFRAME))
                p->wants_key_unit = TRUE;
        if (!p->wants_key_unit || !p->force_key_unit || p->media != FRAMEKEY_MEDIA_VIDEO)
                return;
        if (p->asked != GST_CLOCK_TIME_NONE && now - p->asked < KEY_UNIT_INTERVAL)
                return;
        p->wants_key_unit = FALSE;
        p->asked = now;
        g_mutex_lock(&p->lock);
        p->tally.n_key_units++;
        g_mutex_unlock(&p->lock);
        (void)gst_pad_push_event(GST_BASE_TRANSFORM_SINK_PAD(crypt),
                                 gst_video_event_new_upstream_force_key_unit(GST_CLOCK_TIME_NONE, TRUE, 0));
}

/* ---- frames ---- */

/* What is told with a frame. On the receiving side the type of VP8, VP9 and AV1 stands in bytes that stay clear, and is
 * surer than what a depayloader makes of a descriptor. */
static enum framekey_frame_type frame_type(GstFramekeyCrypt *crypt, GstBuffer *in) {
        GstFramekeyCryptPrivate *p = PRIVATE(crypt);

        if (p->media != FRAMEKEY_MEDIA_VIDEO)
                return FRAMEKEY_FRAME_UNSPECIFIED;
        if (GST_FRAMEKEY_CRYPT_GET_CLASS(crypt)->direction == FRAMEKEY_DECRYPT && p->codec != FRAMEKEY_CODEC_H264 &&
            p->codec != FRAMEKEY_CODEC_H265)
                return FRAMEKEY_FRAME_UNSPECIFIED;
        return GST_BUFFER_FLAG_IS_SET(in, GST_BUFFER_FLAG_DELTA_UNIT) ? FRAMEKEY_FRAME_DELTA : FRAMEKEY_FRAME_KEY;
}

/* What could not be asked: the daemon is away, or did not answer in time. */
static GstFlowReturn lose(GstFramekeyCrypt *crypt, int r) {
        GstFramekeyCryptPrivate *p = PRIVATE(crypt);
        struct framekey_result result = { .verdict = r };

        p->wants_key_unit = TRUE; /* once frames come through again */
        if (r != -ENOTCONN)       /* the channel's end was told */
                tell_verdict(crypt, &result);
        if (p->on_verdict != ON_VERDICT_ERROR)
                return GST_BASE_TRANSFORM_FLOW_DROPPED;
        GST_ELEMENT_ERROR(crypt, RESOURCE, FAILED, ("A frame could not be handed to framekeyd."),
                          ("%s", r == -ENOTCONN ? "There is no channel now." : framekey_verdict_text(r)));
        return GST_FLOW_ERROR;
}

static GstFlowReturn refuse(GstFramekeyCrypt *crypt, int verdict) {
        if (PRIVATE(crypt)->on_verdict != ON_VERDICT_ERROR)
                return GST_BASE_TRANSFORM_FLOW_DROPPED;
        if (GST_FRAMEKEY_CRYPT_GET_CLASS(crypt)->direction == FRAMEKEY_ENCRYPT)
                GST_ELEMENT_ERROR(crypt, STREAM, FAILED, ("A frame was not encrypted."),
                                  ("%s", framekey_verdict_text(verdict)));
        else
                GST_ELEMENT_ERROR(crypt, STREAM, DECRYPT, ("A frame was not decrypted."),
                                  ("%s", framekey_verdict_text(verdict)));
        return GST_FLOW_ERROR;
}

static GstFlowReturn process(GstFramekeyCrypt *crypt, GstBuffer *in, GstBuffer **ret) {
        GstFramekeyCryptClass *class = GST_FRAMEKEY_CRYPT_GET_CLASS(crypt);
        GstFramekeyCryptPrivate *p = PRIVATE(crypt);
        g_autoptr(GstBuffer) out = NULL;
        struct framekey_result result;
        GstClockTime start = gst_util_get_timestamp();
        GstFlowReturn flow = GST_FLOW_OK;
        int r;

        r = port_frame(p->port, in, frame_type(crypt, in), p->timeout / GST_USECOND, &out, &result);
        g_mutex_lock(&p->lock);
        tally_frame(&p->tally, r, out ? gst_buffer_get_size(out) : 0, gst_util_get_timestamp() - start);
        g_mutex_unlock(&p->lock);
        if (r < 0)
                return lose(crypt, r);
        result.verdict = r;
        tell_verdict(crypt, &result);
        tell_key(crypt, &result);
        ask_for_key_unit(crypt, &result);
        if (!out)
                return refuse(crypt, r);
        if (class->check)
                flow = class->check(crypt, out, p->codec, result.key_index);
        if (flow != GST_FLOW_OK)
                return flow;
        if (!GST_BASE_TRANSFORM_CLASS(class)->copy_metadata(GST_BASE_TRANSFORM(crypt), in, out))
                return GST_FLOW_ERROR;
        *ret = g_steal_pointer(&out);
        return GST_FLOW_OK;
}

static GstFlowReturn generate_output(GstBaseTransform *transform, GstBuffer **ret) {
        g_autoptr(GstBuffer) in = g_steal_pointer(&transform->queued_buf);

        return in ? process(GST_FRAMEKEY_CRYPT(transform), in, ret) : GST_FLOW_OK;
}

/* ---- life ---- */

static gboolean check_properties(GstFramekeyCrypt *crypt) {
        GstFramekeyCryptPrivate *p = PRIVATE(crypt);

        if (p->has_fds && p->session) {
                GST_ELEMENT_ERROR(crypt, RESOURCE, SETTINGS, ("Both a session and channel-fds are set."),
                                  ("Set the one or the other."));
                return FALSE;
        }
        if (p->has_fds || (p->session && p->participant))
                return TRUE;
        GST_ELEMENT_ERROR(crypt, RESOURCE, SETTINGS, ("Nothing says whose frames these are."),
                          ("Set the properties session and participant, or channel-fds and stream."));
        return FALSE;
}

static gboolean start(GstBaseTransform *transform) {
        GstFramekeyCrypt *crypt = GST_FRAMEKEY_CRYPT(transform);
        GstFramekeyCryptPrivate *p = PRIVATE(crypt);
        g_autofree char *error = NULL;
        PortConfig config = {
                .direction = GST_FRAMEKEY_CRYPT_GET_CLASS(crypt)->direction,
                .bus = p->address ? FRAMEKEY_BUS_ADDRESS : p->bus,
                .address = p->address,
                .session = p->session,
                .participant = p->participant,
                .add_participant = p->add_participant,
                .fds = p->has_fds ? p->fds : NULL,
                .stream = p->stream,
        };

        if (!check_properties(crypt))
                return FALSE;
        g_mutex_lock(&p->lock);
        p->tally = (Tally){ 0 };
        g_mutex_unlock(&p->lock);
        p->verdict = -1;
        p->n_since = 0;
        p->told = p->asked = GST_CLOCK_TIME_NONE;
        p->wants_key_unit = FALSE;
        if (port_new(&p->port, &config, on_port_changed, crypt, &error) == 0)
                return TRUE;
        GST_ELEMENT_ERROR(crypt, RESOURCE, OPEN_READ_WRITE, ("Cannot join the session."), ("%s", error));
        return FALSE;
}

static gboolean stop(GstBaseTransform *transform) {
        GstFramekeyCryptPrivate *p = PRIVATE(GST_FRAMEKEY_CRYPT(transform));

        p->port = port_free(p->port);
        return TRUE;
}

static gboolean set_caps(GstBaseTransform *transform, GstCaps *caps, GstCaps *out) {
        GstFramekeyCrypt *crypt = GST_FRAMEKEY_CRYPT(transform);
        GstFramekeyCryptPrivate *p = PRIVATE(crypt);
        g_autofree char *error = NULL;

        if (!codecs_from_caps(caps, &p->media, &p->codec))
                return FALSE;
        if (port_set_codec(p->port, p->media, p->codec, &error) == 0)
                return TRUE;
        GST_ELEMENT_ERROR(crypt, RESOURCE, NOT_AUTHORIZED, ("The stream was not granted."), ("%s", error));
        return FALSE;
}

/* ---- properties ---- */

static void set_string(char **place, const GValue *value) {
        g_free(*place);
        *place = g_value_dup_string(value);
        if (*place && !**place)
                g_clear_pointer(place, g_free);
}

static void set_fds(GstFramekeyCrypt *crypt, const GValue *value) {
        GstFramekeyCryptPrivate *p = PRIVATE(crypt);
        guint n = gst_value_array_get_size(value);

        p->has_fds = n == N_FDS;
        if (n != 0 && n != N_FDS)
                g_warning("framekey: channel-fds takes the four descriptors of a channel, not %u", n);
        for (guint i = 0; p->has_fds && i < N_FDS; i++)
                p->fds[i] = g_value_get_int(gst_value_array_get_value(value, i));
}

static void set_property(GObject *object, guint id, const GValue *value, GParamSpec *spec) {
        GstFramekeyCrypt *crypt = GST_FRAMEKEY_CRYPT(object);
        GstFramekeyCryptPrivate *p = PRIVATE(crypt);

        switch (id) {
        case PROPERTY_SESSION:
                set_string(&p->session, value);
                break;
        case PROPERTY_PARTICIPANT:
                set_string(&p->participant, value);
                break;
        case PROPERTY_ADD_PARTICIPANT:
                p->add_participant = g_value_get_boolean(value);
                break;
        case PROPERTY_BUS:
                p->bus = (enum framekey_bus)g_value_get_enum(value);
                break;
        case PROPERTY_ADDRESS:
                set_string(&p->address, value);
                break;
        case PROPERTY_CHANNEL_FDS:
                set_fds(crypt, value);
                break;
        case PROPERTY_STREAM:
                p->stream = g_value_get_uint(value);
                break;
        case PROPERTY_TIMEOUT:
                p->timeout = g_value_get_uint64(value);
                break;
        case PROPERTY_ON_VERDICT:
                p->on_verdict = (OnVerdict)g_value_get_enum(value);
                break;
        case PROPERTY_FORCE_KEY_UNIT:
                p->force_key_unit = g_value_get_boolean(value);
                break;
        default:
                G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
                break;
        }
}

static void get_fds(GstFramekeyCrypt *crypt, GValue *value) {
        GstFramekeyCryptPrivate *p = PRIVATE(crypt);

        for (guint i = 0; p->has_fds && i < N_FDS; i++) {
                GValue fd = G_VALUE_INIT;

                g_value_init(&fd, G_TYPE_INT);
                g_value_set_int(&fd, p->fds[i]);
                gst_value_array_append_and_take_value(value, &fd);
        }
}

static void get_statistics(GstFramekeyCrypt *crypt, GValue *value) {
        GstFramekeyCryptPrivate *p = PRIVATE(crypt);
        g_autofree Tally *tally = g_new(Tally, 1);

        g_mutex_lock(&p->lock);
        *tally = p->tally;
        g_mutex_unlock(&p->lock);
        g_value_take_boxed(value, tally_structure(tally));
}

static void get_property(GObject *object, guint id, GValue *value, GParamSpec *spec) {
        GstFramekeyCrypt *crypt = GST_FRAMEKEY_CRYPT(object);
        GstFramekeyCryptPrivate *p = PRIVATE(crypt);

        switch (id) {
        case PROPERTY_SESSION:
                g_value_set_string(value, p->session);
                break;
        case PROPERTY_PARTICIPANT:
                g_value_set_string(value, p->participant);
                break;
        case PROPERTY_ADD_PARTICIPANT:
                g_value_set_boolean(value, p->add_participant);
                break;
        case PROPERTY_BUS:
                g_value_set_enum(value, (gint)p->bus);
                break;
        case PROPERTY_ADDRESS:
                g_value_set_string(value, p->address);
                break;
        case PROPERTY_CHANNEL_FDS:
                get_fds(crypt, value);
                break;
        case PROPERTY_STREAM:
                g_value_set_uint(value, p->stream);
                break;
        case PROPERTY_TIMEOUT:
                g_value_set_uint64(value, p->timeout);
                break;
        case PROPERTY_ON_VERDICT:
                g_value_set_enum(value, (gint)p->on_verdict);
                break;
        case PROPERTY_FORCE_KEY_UNIT:
                g_value_set_boolean(value, p->force_key_unit);
                break;
        case PROPERTY_STATISTICS:
                get_statistics(crypt, value);
                break;
        default:
                G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
                break;
        }
}

static void finalize(GObject *object) {
        GstFramekeyCryptPrivate *p = PRIVATE(GST_FRAMEKEY_CRYPT(object));

        g_free(p->session);
        g_free(p->participant);
        g_free(p->address);
        g_mutex_clear(&p->lock);
        G_OBJECT_CLASS(gst_framekey_crypt_parent_class)->finalize(object);
}

#define READY   (G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY)
#define PLAYING (G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING)

static void install_properties(GObjectClass *class) {
        g_object_class_install_property(
                class, PROPERTY_SESSION,
                g_param_spec_string("session", "Session",
                                    "Session to join: its id, or its label if one session of this user has it. It must "
                                    "have been opened with exclusive=no",
                                    NULL, READY));
        g_object_class_install_property(class, PROPERTY_PARTICIPANT,
                                        g_param_spec_string("participant", "Participant",
                                                            "Who sends these frames in the session", NULL, READY));
        g_object_class_install_property(
                class, PROPERTY_ADD_PARTICIPANT,
                g_param_spec_boolean("add-participant", "Add participant",
                                     "Add the participant if the session does not know it (framekeyenc: as local, "
                                     "framekeydec: as remote)",
                                     FALSE, READY));
        g_object_class_install_property(class, PROPERTY_BUS,
                                        g_param_spec_enum("bus", "Bus", "The D-Bus on which framekeyd is",
                                                          bus_get_type(), FRAMEKEY_BUS_SYSTEM, READY));
        g_object_class_install_property(class, PROPERTY_ADDRESS,
                                        g_param_spec_string("address", "Address",
                                                            "D-Bus address of the bus, in place of the property bus",
                                                            NULL, READY));
        g_object_class_install_property(
                class, PROPERTY_CHANNEL_FDS,
                gst_param_spec_array("channel-fds", "Channel descriptors",
                                     "The four descriptors of a channel, in the order of OpenChannel's reply, in place "
                                     "of session and participant; they are duplicated when the element starts",
                                     g_param_spec_int("fd", "Descriptor", "A descriptor", 0, G_MAXINT, 0,
                                                      G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS),
                                     READY));
        g_object_class_install_property(
                class, PROPERTY_STREAM,
                g_param_spec_uint("stream", "Stream", "With channel-fds: the stream on this channel, from AddStream", 0,
                                  G_MAXUINT, 0, READY));
        g_object_class_install_property(
                class, PROPERTY_TIMEOUT,
                g_param_spec_uint64("timeout", "Timeout",
                                    "How long a frame may wait for framekeyd before it is dropped, in nanoseconds", 0,
                                    G_MAXINT64, TIMEOUT_DEFAULT, PLAYING));
        g_object_class_install_property(
                class, PROPERTY_ON_VERDICT,
                g_param_spec_enum("on-verdict", "On verdict",
                                  "What happens when a frame is not encrypted or decrypted; it is never passed on as "
                                  "it is",
                                  on_verdict_get_type(), ON_VERDICT_DROP, PLAYING));
        g_object_class_install_property(
                class, PROPERTY_FORCE_KEY_UNIT,
                g_param_spec_boolean("force-key-unit", "Force key unit",
                                     "Ask upstream for a key frame after a change of keys, and when frames come "
                                     "through again",
                                     TRUE, PLAYING));
        g_object_class_install_property(
                class, PROPERTY_STATISTICS,
                g_param_spec_boxed("statistics", "Statistics",
                                   "Frames by verdict, those lost without one, bytes delivered, and latency in "
                                   "nanoseconds (latency-p50 and -p99 of the latest 1024 frames)",
                                   GST_TYPE_STRUCTURE, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS));
}

static void gst_framekey_crypt_class_init(GstFramekeyCryptClass *class) {
        GstBaseTransformClass *transform_class = GST_BASE_TRANSFORM_CLASS(class);
        GObjectClass *object_class = G_OBJECT_CLASS(class);
        static GstStaticPadTemplate sink =
                GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS(CODECS_CAPS));
        static GstStaticPadTemplate source =
                GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS(CODECS_CAPS));

        GST_DEBUG_CATEGORY_INIT(framekey_debug, "framekey", 0, "frames through framekeyd");
        object_class->set_property = set_property;
        object_class->get_property = get_property;
        object_class->finalize = finalize;
        install_properties(object_class);
        gst_element_class_add_static_pad_template(GST_ELEMENT_CLASS(class), &sink);
        gst_element_class_add_static_pad_template(GST_ELEMENT_CLASS(class), &source);
        transform_class->start = start;
        transform_class->stop = stop;
        transform_class->set_caps = set_caps;
        transform_class->generate_output = generate_output;
        gst_type_mark_as_plugin_api(GST_TYPE_FRAMEKEY_CRYPT, 0);
        gst_type_mark_as_plugin_api(bus_get_type(), 0);
        gst_type_mark_as_plugin_api(on_verdict_get_type(), 0);
}

static void gst_framekey_crypt_init(GstFramekeyCrypt *crypt) {
        GstFramekeyCryptPrivate *p = PRIVATE(crypt);

        g_mutex_init(&p->lock);
        p->timeout = TIMEOUT_DEFAULT;
        p->force_key_unit = TRUE;
        /* A late frame is as good as any: receivers need all of them. */
        gst_base_transform_set_qos_enabled(GST_BASE_TRANSFORM(crypt), FALSE);
}
