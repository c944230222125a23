/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What framekeyvp8pay and framekeyvp9pay have in common. Both say in their descriptors what the buffer and the caps say
 * of a frame, and never look into it: behind a few clear bytes, or from the first, it is encrypted. The two differ in
 * the descriptor that stands before each fragment.
 */
#pragma once

#include <gst/rtp/gstrtpbasepayload.h>

#define GST_TYPE_FRAMEKEY_PAY (gst_framekey_pay_get_type())
G_DECLARE_DERIVABLE_TYPE(GstFramekeyPay, gst_framekey_pay, GST, FRAMEKEY_PAY, GstRTPBasePayload)

#define PAY_DESCRIPTOR_MAX 16u

typedef enum PictureIdMode {
        PICTURE_ID_NONE,
        PICTURE_ID_7_BITS,
        PICTURE_ID_15_BITS,
} PictureIdMode;

/* A piece of a frame. */
typedef struct PayFragment {
        gboolean first, last;
        gboolean key, discardable; /* of the frame: needs no other; no other needs it */
        PictureIdMode mode;
        guint16 picture_id;    /* fits the mode */
        guint16 width, height; /* 0: not known */
} PayFragment;

struct _GstFramekeyPayClass {
        GstRTPBasePayloadClass parent_class;

        const char *encoding_name;
        /* Writes the descriptor; its length. */
        guint (*describe)(const PayFragment *fragment, guint8 descriptor[PAY_DESCRIPTOR_MAX]);
};

/* The picture ID, as both formats have it; its length: 1 or 2. */
guint pay_write_picture_id(const PayFragment *fragment, guint8 *out);

GType gst_framekey_vp8_pay_get_type(void);
GType gst_framekey_vp9_pay_get_type(void);
