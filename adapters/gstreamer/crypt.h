/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What framekeyenc and framekeydec have in common: properties, the way of a frame through the port, messages on the
 * pipeline's bus, requests for key frames, statistics. The two say in which direction they go.
 */
#pragma once

#include "port.h"
#include "tally.h"

#include <gst/base/gstbasetransform.h>

#define GST_TYPE_FRAMEKEY_CRYPT (gst_framekey_crypt_get_type())
G_DECLARE_DERIVABLE_TYPE(GstFramekeyCrypt, gst_framekey_crypt, GST, FRAMEKEY_CRYPT, GstBaseTransform)

struct _GstFramekeyCryptClass {
        GstBaseTransformClass parent_class;

        enum framekey_direction direction;
        /* Looks at a frame that is to be pushed. GST_FLOW_OK; GST_BASE_TRANSFORM_FLOW_DROPPED; an error that was
         * posted. NULL: there is nothing to look at. */
        GstFlowReturn (*check)(GstFramekeyCrypt *crypt, GstBuffer *out, enum framekey_codec codec, guint key_index);
};

GType gst_framekey_enc_get_type(void);
GType gst_framekey_dec_get_type(void);
