/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * framekeyvp9pay: puts encrypted VP9 frames into RTP packets. The descriptor of RFC 9628, section 4.2, in non-flexible
 * mode (F 0), of one layer (L 0):
 *
 *        0 1 2 3 4 5 6 7
 *       |I|P|L|F|B|E|V|Z|     P: needs other frames; B, E: first and last packet of the frame; V: has the structure
 *   I:  |M| PICTURE ID  |     M: 15 bits, with the next byte
 *   V:  | N_S |Y|G|-----|     one spatial layer, Y: width and height follow, 16 bits each
 */
#include "pay.h"

#define GST_TYPE_FRAMEKEY_VP9_PAY (gst_framekey_vp9_pay_get_type())
G_DECLARE_FINAL_TYPE(GstFramekeyVp9Pay, gst_framekey_vp9_pay, GST, FRAMEKEY_VP9_PAY, GstFramekeyPay)

#define I_PICTURE_ID     0x80
#define P_INTER          0x40
#define B_BEGIN          0x08
#define E_END            0x04
#define V_STRUCTURE      0x02
#define Y_WIDTH_HEIGHT   0x10
#define STRUCTURE_LENGTH 5

struct _GstFramekeyVp9Pay {
        GstFramekeyPay parent;
};

G_DEFINE_TYPE(GstFramekeyVp9Pay, gst_framekey_vp9_pay, GST_TYPE_FRAMEKEY_PAY)

static guint describe(const PayFragment *fragment, guint8 descriptor[PAY_DESCRIPTOR_MAX]) {
        gboolean structure = fragment->key && fragment->first && fragment->width > 0 && fragment->height > 0;
        guint n = 1;

        descriptor[0] = (fragment->first ? B_BEGIN : 0) | (fragment->last ? E_END : 0) | (fragment->key ? 0 : P_INTER);
        if (fragment->mode != PICTURE_ID_NONE) {
                descriptor[0] |= I_PICTURE_ID;
                n += pay_write_picture_id(fragment, descriptor + n);
        }
        if (!structure)
                return n;
        descriptor[0] |= V_STRUCTURE;
        descriptor[n] = Y_WIDTH_HEIGHT;
        GST_WRITE_UINT16_BE(descriptor + n + 1, fragment->width);
        GST_WRITE_UINT16_BE(descriptor + n + 3, fragment->height);
        return n + STRUCTURE_LENGTH;
}

static void gst_framekey_vp9_pay_class_init(GstFramekeyVp9PayClass *class) {
        static GstStaticPadTemplate sink =
                GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS("video/x-vp9"));
        static GstStaticPadTemplate source = GST_STATIC_PAD_TEMPLATE(
                "src", GST_PAD_SRC, GST_PAD_ALWAYS,
                GST_STATIC_CAPS("application/x-rtp, media = (string) video, payload = (int) [ 96, 127 ], "
                                "clock-rate = (int) 90000, encoding-name = (string) VP9"));
        GstElementClass *element_class = GST_ELEMENT_CLASS(class);

        GST_FRAMEKEY_PAY_CLASS(class)->encoding_name = "VP9";
        GST_FRAMEKEY_PAY_CLASS(class)->describe = describe;
        gst_element_class_add_static_pad_template(element_class, &sink);
        gst_element_class_add_static_pad_template(element_class, &source);
        gst_element_class_set_static_metadata(element_class, "RTP payloader of encrypted VP9",
                                              "Codec/Payloader/Network/RTP",
                                              "Puts VP9 frames from framekeyenc into RTP packets (RFC 9628) without "
                                              "looking into them",
                                              "framekeyd maintainers");
}

static void gst_framekey_vp9_pay_init(GstFramekeyVp9Pay *pay) {
}
