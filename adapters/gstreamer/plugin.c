/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The GStreamer plugin framekey: its four elements. framekey-gstreamer(7) tells how to use them. */
#include "config.h"
#include "crypt.h"
#include "pay.h"

#define PACKAGE_ORIGIN "framekeyd"

static gboolean plugin_init(GstPlugin *plugin) {
        return gst_element_register(plugin, "framekeyenc", GST_RANK_NONE, gst_framekey_enc_get_type()) &&
               gst_element_register(plugin, "framekeydec", GST_RANK_NONE, gst_framekey_dec_get_type()) &&
               gst_element_register(plugin, "framekeyvp8pay", GST_RANK_NONE, gst_framekey_vp8_pay_get_type()) &&
               gst_element_register(plugin, "framekeyvp9pay", GST_RANK_NONE, gst_framekey_vp9_pay_get_type());
}

GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, framekey,
                  "End-to-end encryption of media frames with keys that framekeyd holds", plugin_init, VERSION, "LGPL",
                  PACKAGE_NAME, PACKAGE_ORIGIN)
