/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * framekeyvp8pay: puts encrypted VP8 frames into RTP packets. The descriptor of RFC 7741, section 4.2:
 *
 *        0 1 2 3 4 5 6 7
 *       |X|R|N|S|R| PID |     S: first packet of the partition; here all of a frame is partition 0
 *   X:  |I|L|T|K|  RSV  |
 *   I:  |M| PictureID   |     M: 15 bits, with the next byte
 */
#include "pay.h"

#define GST_TYPE_FRAMEKEY_VP8_PAY (gst_framekey_vp8_pay_get_type())
G_DECLARE_FINAL_TYPE(GstFramekeyVp8Pay, gst_framekey_vp8_pay, GST, FRAMEKEY_VP8_PAY, GstFramekeyPay)

#define X_EXTENDED      0x80
#define N_NON_REFERENCE 0x20
#define S_START         0x10
#define I_PICTURE_ID    0x80

struct _GstFramekeyVp8Pay {
        GstFramekeyPay parent;
};

G_DEFINE_TYPE(GstFramekeyVp8Pay, gst_framekey_vp8_pay, GST_TYPE_FRAMEKEY_PAY)

static guint describe(const PayFragment *fragment, guint8 descriptor[PAY_DESCRIPTOR_MAX]) {
        descriptor[0] = (fragment->first ? S_START : 0) | (fragment->discardable ? N_NON_REFERENCE : 0);
        if (fragment->mode == PICTURE_ID_NONE)
                return 1;
        descriptor[0] |= X_EXTENDED;
        descriptor[1] = I_PICTURE_ID;
        return 2 + pay_write_picture_id(fragment, descriptor + 2);
}

static void gst_framekey_vp8_pay_class_init(GstFramekeyVp8PayClass *class) {
        static GstStaticPadTemplate sink =
                GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS("video/x-vp8"));
        static GstStaticPadTemplate source = GST_STATIC_PAD_TEMPLATE(
                "src", GST_PAD_SRC, GST_PAD_ALWAYS,
                GST_STATIC_CAPS("application/x-rtp, media = (string) video, payload = (int) [ 96, 127 ], "
                                "clock-rate = (int) 90000, encoding-name = (string) VP8"));
        GstElementClass *element_class = GST_ELEMENT_CLASS(class);

        GST_FRAMEKEY_PAY_CLASS(class)->encoding_name = "VP8";
        GST_FRAMEKEY_PAY_CLASS(class)->describe = describe;
        gst_element_class_add_static_pad_template(element_class, &sink);
        gst_element_class_add_static_pad_template(element_class, &source);
        gst_element_class_set_static_metadata(element_class, "RTP payloader of encrypted VP8",
                                              "Codec/Payloader/Network/RTP",
                                              "Puts VP8 frames from framekeyenc into RTP packets (RFC 7741) without "
                                              "looking into them",
                                              "framekeyd maintainers");
}

static void gst_framekey_vp8_pay_init(GstFramekeyVp8Pay *pay) {
}
