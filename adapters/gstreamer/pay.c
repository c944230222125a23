/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The base of framekeyvp8pay and framekeyvp9pay, see pay.h: cuts frames into packets. */
#include "pay.h"

#include <gst/rtp/gstrtpbuffer.h>

#define CLOCK_RATE 90000

typedef struct GstFramekeyPayPrivate {
        PictureIdMode mode;
        gint offset;        /* -1: random */
        guint16 picture_id; /* of the next frame */
        guint16 width, height;
} GstFramekeyPayPrivate;

G_DEFINE_ABSTRACT_TYPE_WITH_PRIVATE(GstFramekeyPay, gst_framekey_pay, GST_TYPE_RTP_BASE_PAYLOAD)

#define PRIVATE(pay) ((GstFramekeyPayPrivate *)gst_framekey_pay_get_instance_private(pay))

enum {
        PROPERTY_PICTURE_ID_MODE = 1,
        PROPERTY_PICTURE_ID_OFFSET,
        PROPERTY_PICTURE_ID,
};

static GType picture_id_mode_get_type(void) {
        static const GEnumValue values[] = {
                { PICTURE_ID_NONE, "No picture ID", "none" },
                { PICTURE_ID_7_BITS, "7-bit picture ID", "7-bit" },
                { PICTURE_ID_15_BITS, "15-bit picture ID", "15-bit" },
                { 0, NULL, NULL },
        };
        static gsize type;

        if (g_once_init_enter(&type))
                g_once_init_leave(&type, g_enum_register_static("GstFramekeyPictureIDMode", values));
        return type;
}

guint pay_write_picture_id(const PayFragment *fragment, guint8 *out) {
        if (fragment->mode == PICTURE_ID_7_BITS) {
                out[0] = (guint8)fragment->picture_id;
                return 1;
        }
        GST_WRITE_UINT16_BE(out, fragment->picture_id | 0x8000); /* M: the long form */
        return 2;
}

static guint16 picture_id_mask(const GstFramekeyPayPrivate *p) {
        return p->mode == PICTURE_ID_7_BITS ? 0x7f : 0x7fff;
}

static void reset(GstFramekeyPayPrivate *p) {
        guint32 first = p->offset < 0 ? g_random_int() : (guint32)p->offset;

        p->picture_id = first & picture_id_mask(p);
        p->width = p->height = 0;
}

/* One packet: header and descriptor in memory of its own, the piece of the frame as it lies. */
static GstBuffer *make_packet(GstRTPBasePayload *base, GstBuffer *frame, gsize offset, gsize length,
                              const PayFragment *fragment) {
        guint8 descriptor[PAY_DESCRIPTOR_MAX];
        guint n = GST_FRAMEKEY_PAY_GET_CLASS(base)->describe(fragment, descriptor);
        GstRTPBuffer rtp = GST_RTP_BUFFER_INIT;
        GstBuffer *packet;

        packet = gst_rtp_base_payload_allocate_output_buffer(base, n, 0, 0);
        if (!gst_rtp_buffer_map(packet, GST_MAP_WRITE, &rtp)) {
                gst_buffer_unref(packet);
                return NULL;
        }
        memcpy(gst_rtp_buffer_get_payload(&rtp), descriptor, n);
        gst_rtp_buffer_set_marker(&rtp, fragment->last);
        gst_rtp_buffer_unmap(&rtp);
        if (!gst_buffer_copy_into(packet, frame, GST_BUFFER_COPY_MEMORY, offset, length)) {
                gst_buffer_unref(packet);
                return NULL;
        }
        if (fragment->last)
                GST_BUFFER_FLAG_SET(packet, GST_BUFFER_FLAG_MARKER);
        if (!fragment->key || !fragment->first)
                GST_BUFFER_FLAG_SET(packet, GST_BUFFER_FLAG_DELTA_UNIT);
        if (fragment->discardable)
                GST_BUFFER_FLAG_SET(packet, GST_BUFFER_FLAG_DROPPABLE);
        GST_BUFFER_PTS(packet) = GST_BUFFER_PTS(frame);
        GST_BUFFER_DTS(packet) = GST_BUFFER_DTS(frame);
        return packet;
}

static GstBufferList *cut(GstRTPBasePayload *base, GstBuffer *frame, PayFragment *fragment) {
        gsize length = gst_buffer_get_size(frame), offset = 0;
        guint8 ignored[PAY_DESCRIPTOR_MAX];
        GstBufferList *list;
        gsize room, n_packets;

        fragment->first = fragment->last = TRUE; /* of all descriptors the longest */
        room = gst_rtp_buffer_calc_payload_len(GST_RTP_BASE_PAYLOAD_MTU(base), 0, 0);
        room -= MIN(room - 1, GST_FRAMEKEY_PAY_GET_CLASS(base)->describe(fragment, ignored));
        n_packets = (length + room - 1) / room;
        list = gst_buffer_list_new_sized((guint)n_packets);
        for (; n_packets > 0; n_packets--) {
                gsize piece = (length - offset + n_packets - 1) / n_packets; /* all of about one size */
                GstBuffer *packet;

                fragment->first = offset == 0;
                fragment->last = n_packets == 1;
                packet = make_packet(base, frame, offset, piece, fragment);
                if (!packet) {
                        gst_buffer_list_unref(list);
                        return NULL;
                }
                gst_buffer_list_add(list, packet);
                offset += piece;
        }
        return list;
}

static GstFlowReturn handle_buffer(GstRTPBasePayload *base, GstBuffer *frame) {
        GstFramekeyPayPrivate *p = PRIVATE(GST_FRAMEKEY_PAY(base));
        PayFragment fragment = {
                .key = !GST_BUFFER_FLAG_IS_SET(frame, GST_BUFFER_FLAG_DELTA_UNIT),
                .discardable = GST_BUFFER_FLAG_IS_SET(frame, GST_BUFFER_FLAG_DROPPABLE),
                .mode = p->mode,
                .width = p->width,
                .height = p->height,
        };
        GstBufferList *list;

        if (gst_buffer_get_size(frame) == 0) {
                gst_buffer_unref(frame);
                return GST_FLOW_OK;
        }
        GST_OBJECT_LOCK(base);
        fragment.picture_id = p->picture_id;
        p->picture_id = (p->picture_id + 1) & picture_id_mask(p);
        GST_OBJECT_UNLOCK(base);
        list = cut(base, frame, &fragment);
        gst_buffer_unref(frame);
        if (!list) {
                GST_ELEMENT_ERROR(base, RESOURCE, FAILED, ("A packet could not be written."), (NULL));
                return GST_FLOW_ERROR;
        }
        return gst_rtp_base_payload_push_list(base, list);
}

static gboolean set_caps(GstRTPBasePayload *base, GstCaps *caps) {
        const GstStructure *structure = gst_caps_get_structure(caps, 0);
        GstFramekeyPayPrivate *p = PRIVATE(GST_FRAMEKEY_PAY(base));
        const char *name = GST_FRAMEKEY_PAY_GET_CLASS(base)->encoding_name;
        gint width = 0, height = 0;

        (void)gst_structure_get_int(structure, "width", &width);
        (void)gst_structure_get_int(structure, "height", &height);
        p->width = width > 0 && width <= G_MAXUINT16 ? (guint16)width : 0;
        p->height = height > 0 && height <= G_MAXUINT16 ? (guint16)height : 0;
        gst_rtp_base_payload_set_options(base, "video", TRUE, name, CLOCK_RATE);
        return gst_rtp_base_payload_set_outcaps(base, NULL);
}

static gboolean sink_event(GstRTPBasePayload *base, GstEvent *event) {
        if (GST_EVENT_TYPE(event) == GST_EVENT_FLUSH_START) {
                GST_OBJECT_LOCK(base);
                reset(PRIVATE(GST_FRAMEKEY_PAY(base)));
                GST_OBJECT_UNLOCK(base);
        }
        return GST_RTP_BASE_PAYLOAD_CLASS(gst_framekey_pay_parent_class)->sink_event(base, event);
}

static GstStateChangeReturn change_state(GstElement *element, GstStateChange transition) {
        if (transition == GST_STATE_CHANGE_READY_TO_PAUSED)
                reset(PRIVATE(GST_FRAMEKEY_PAY(element)));
        return GST_ELEMENT_CLASS(gst_framekey_pay_parent_class)->change_state(element, transition);
}

static void set_property(GObject *object, guint id, const GValue *value, GParamSpec *spec) {
        GstFramekeyPayPrivate *p = PRIVATE(GST_FRAMEKEY_PAY(object));

        switch (id) {
        case PROPERTY_PICTURE_ID_MODE:
                p->mode = (PictureIdMode)g_value_get_enum(value);
                break;
        case PROPERTY_PICTURE_ID_OFFSET:
                p->offset = g_value_get_int(value);
                break;
        default:
                G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
                break;
        }
}

static void get_property(GObject *object, guint id, GValue *value, GParamSpec *spec) {
        GstFramekeyPayPrivate *p = PRIVATE(GST_FRAMEKEY_PAY(object));

        switch (id) {
        case PROPERTY_PICTURE_ID_MODE:
                g_value_set_enum(value, (gint)p->mode);
                break;
        case PROPERTY_PICTURE_ID_OFFSET:
                g_value_set_int(value, p->offset);
                break;
        case PROPERTY_PICTURE_ID:
                GST_OBJECT_LOCK(object);
                g_value_set_int(value, p->mode == PICTURE_ID_NONE ? -1 : p->picture_id);
                GST_OBJECT_UNLOCK(object);
                break;
        default:
                G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
                break;
        }
}

static void gst_framekey_pay_class_init(GstFramekeyPayClass *class) {
        GstRTPBasePayloadClass *base_class = GST_RTP_BASE_PAYLOAD_CLASS(class);
        GObjectClass *object_class = G_OBJECT_CLASS(class);
        const GParamFlags flags = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY;

        object_class->set_property = set_property;
        object_class->get_property = get_property;
        g_object_class_install_property(
                object_class, PROPERTY_PICTURE_ID_MODE,
                g_param_spec_enum("picture-id-mode", "Picture ID mode",
                                  "Whether frames are numbered in their descriptors; receivers see by it what is lost",
                                  picture_id_mode_get_type(), PICTURE_ID_15_BITS, flags));
        g_object_class_install_property(object_class, PROPERTY_PICTURE_ID_OFFSET,
                                        g_param_spec_int("picture-id-offset", "Picture ID offset",
                                                         "Number of the first frame (-1: random)", -1, 0x7fff, -1,
                                                         flags));
        g_object_class_install_property(object_class, PROPERTY_PICTURE_ID,
                                        g_param_spec_int("picture-id", "Picture ID",
                                                         "Number of the next frame (-1: frames are not numbered)", -1,
                                                         0x7fff, -1, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS));
        GST_ELEMENT_CLASS(class)->change_state = change_state;
        base_class->handle_buffer = handle_buffer;
        base_class->set_caps = set_caps;
        base_class->sink_event = sink_event;
        gst_type_mark_as_plugin_api(GST_TYPE_FRAMEKEY_PAY, 0);
        gst_type_mark_as_plugin_api(picture_id_mode_get_type(), 0);
}

static void gst_framekey_pay_init(GstFramekeyPay *pay) {
        PRIVATE(pay)->mode = PICTURE_ID_15_BITS;
        PRIVATE(pay)->offset = -1;
}
