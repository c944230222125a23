/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* framekeydec: decrypts frames, behind the depayloader and before the decoder. */
#include "crypt.h"

#define GST_TYPE_FRAMEKEY_DEC (gst_framekey_dec_get_type())
G_DECLARE_FINAL_TYPE(GstFramekeyDec, gst_framekey_dec, GST, FRAMEKEY_DEC, GstFramekeyCrypt)

struct _GstFramekeyDec {
        GstFramekeyCrypt parent;
};

G_DEFINE_TYPE(GstFramekeyDec, gst_framekey_dec, GST_TYPE_FRAMEKEY_CRYPT)

static void gst_framekey_dec_class_init(GstFramekeyDecClass *class) {
        GST_FRAMEKEY_CRYPT_CLASS(class)->direction = FRAMEKEY_DECRYPT;
        gst_element_class_set_static_metadata(
                GST_ELEMENT_CLASS(class), "Frame decrypter", "Filter/Effect/Audio/Video/Decryptor",
                "Decrypts end-to-end-encrypted frames with keys that framekeyd holds; behind the depayloader",
                "framekeyd maintainers");
}

static void gst_framekey_dec_init(GstFramekeyDec *decoder) {
}
