/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * framekeyenc: encrypts frames, behind the encoder and before the payloader.
 *
 * A trap of H.264 and H.265: LiveKit's, RealtimeKit's and Jitsi's frames end in the key index, and the stock payloaders
 * take zeros off the end of a picture with start codes, as the codec lets them. So frames under key index 0 would reach
 * nobody. With a parser between, which hands on lengths in place of start codes, they get through.
 */
#include "crypt.h"

#define DEPTH_MAX 16

#define GST_TYPE_FRAMEKEY_ENC (gst_framekey_enc_get_type())
G_DECLARE_FINAL_TYPE(GstFramekeyEnc, gst_framekey_enc, GST, FRAMEKEY_ENC, GstFramekeyCrypt)

struct _GstFramekeyEnc {
        GstFramekeyCrypt parent;

        gboolean passed; /* some frame was all right: from then on the pipeline goes on whatever comes */
        gboolean warned;
};

G_DEFINE_TYPE(GstFramekeyEnc, gst_framekey_enc, GST_TYPE_FRAMEKEY_CRYPT)

static gboolean leads_to_payloader(GstPad *source, guint depth);

/* Whether what goes into this element reaches a payloader as it is. */
static gboolean element_leads_to_payloader(GstElement *element, guint depth) {
        const char *class = gst_element_get_metadata(element, GST_ELEMENT_METADATA_KLASS);
        gboolean found = FALSE;

        if (class && strstr(class, "Payloader/Network/RTP"))
                return TRUE;
        if (!class || !g_str_has_prefix(class, "Generic"))
                return FALSE;
        GST_OBJECT_LOCK(element);
        for (GList *pad = element->srcpads; pad && !found; pad = pad->next) {
                g_autoptr(GstPad) copy = gst_object_ref(pad->data);

                GST_OBJECT_UNLOCK(element);
                found = leads_to_payloader(copy, depth + 1);
                GST_OBJECT_LOCK(element);
        }
        GST_OBJECT_UNLOCK(element);
        return found;
}

static gboolean leads_to_payloader(GstPad *source, guint depth) {
        g_autoptr(GstPad) peer = gst_pad_get_peer(source);
        g_autoptr(GstElement) element = NULL;

        while (peer && GST_IS_GHOST_PAD(peer)) {
                GstPad *inner = gst_ghost_pad_get_target(GST_GHOST_PAD(peer));

                gst_object_unref(peer);
                peer = inner;
        }
        if (peer && GST_IS_PROXY_PAD(peer)) {
                /* The inside of a bin's source pad. */
                GstProxyPad *outer = gst_proxy_pad_get_internal(GST_PROXY_PAD(peer));
                gboolean found = outer && depth < DEPTH_MAX && leads_to_payloader(GST_PAD(outer), depth + 1);

                g_clear_object(&outer);
                return found;
        }
        element = peer ? gst_pad_get_parent_element(peer) : NULL;
        return element && depth < DEPTH_MAX && element_leads_to_payloader(element, depth);
}

static GstFlowReturn refuse_index_zero(GstFramekeyEnc *encoder) {
        static const char text[] = "H.264 and H.265 frames under key index 0 end in a zero, which the payloader takes "
                                   "away, so that nobody can decrypt them: send under index 1 or above, or put "
                                   "h264parse or h265parse between framekeyenc and the payloader.";

        if (!encoder->passed) {
                GST_ELEMENT_ERROR(encoder, STREAM, FAILED, ("Frames under key index 0 do not survive the payloader."),
                                  ("%s", text));
                return GST_FLOW_ERROR;
        }
        if (!encoder->warned)
                GST_ELEMENT_WARNING(encoder, STREAM, FAILED,
                                    ("Frames under key index 0 do not survive the payloader and are dropped."),
                                    ("%s", text));
        encoder->warned = TRUE;
        return GST_BASE_TRANSFORM_FLOW_DROPPED;
}

static GstFlowReturn check(GstFramekeyCrypt *crypt, GstBuffer *out, enum framekey_codec codec, guint key_index) {
        GstFramekeyEnc *encoder = GST_FRAMEKEY_ENC(crypt);
        gsize length = gst_buffer_get_size(out);
        guint8 last = 1;

        if (codec != FRAMEKEY_CODEC_H264 && codec != FRAMEKEY_CODEC_H265)
                return GST_FLOW_OK;
        if (key_index == 0 && length > 0)
                (void)gst_buffer_extract(out, length - 1, &last, 1);
        if (last == 0 && leads_to_payloader(GST_BASE_TRANSFORM_SRC_PAD(crypt), 0))
                return refuse_index_zero(encoder);
        encoder->passed = TRUE;
        encoder->warned = FALSE;
        return GST_FLOW_OK;
}

static void gst_framekey_enc_class_init(GstFramekeyEncClass *class) {
        GST_FRAMEKEY_CRYPT_CLASS(class)->direction = FRAMEKEY_ENCRYPT;
        GST_FRAMEKEY_CRYPT_CLASS(class)->check = check;
        gst_element_class_set_static_metadata(
                GST_ELEMENT_CLASS(class), "Frame encrypter", "Filter/Effect/Audio/Video/Encryptor",
                "Encrypts encoded frames end to end with keys that framekeyd holds; before the payloader",
                "framekeyd maintainers");
}

static void gst_framekey_enc_init(GstFramekeyEnc *encoder) {
}
