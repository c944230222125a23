/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What framekeyd's codecs are called in caps. H.264 and H.265 are taken as framekeyd takes them: whole pictures with
 * start codes.
 */
#pragma once

#include <framekey.h>
#include <gst/gst.h>

/* For the pads of framekeyenc and framekeydec. */
#define CODECS_CAPS                                                                                                    \
        "audio/x-opus; audio/x-mulaw; audio/x-alaw; audio/G722; "                                                      \
        "video/x-vp8; video/x-vp9; video/x-av1, alignment = (string) tu; "                                             \
        "video/x-h264, stream-format = (string) byte-stream, alignment = (string) au; "                                \
        "video/x-h265, stream-format = (string) byte-stream, alignment = (string) au"

/* Whether these caps are of a codec that framekeyd knows. */
gboolean codecs_from_caps(const GstCaps *caps, enum framekey_media *ret_media, enum framekey_codec *ret_codec);
