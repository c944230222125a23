/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Codecs by their names in caps, see codecs.h. */
#include "codecs.h"

static const struct {
        const char *name;
        enum framekey_media media;
        enum framekey_codec codec;
} codecs[] = {
        { "audio/x-opus", FRAMEKEY_MEDIA_AUDIO, FRAMEKEY_CODEC_OPUS },
        { "audio/x-mulaw", FRAMEKEY_MEDIA_AUDIO, FRAMEKEY_CODEC_PCMU },
        { "audio/x-alaw", FRAMEKEY_MEDIA_AUDIO, FRAMEKEY_CODEC_PCMA },
        { "audio/G722", FRAMEKEY_MEDIA_AUDIO, FRAMEKEY_CODEC_G722 },
        { "video/x-vp8", FRAMEKEY_MEDIA_VIDEO, FRAMEKEY_CODEC_VP8 },
        { "video/x-vp9", FRAMEKEY_MEDIA_VIDEO, FRAMEKEY_CODEC_VP9 },
        { "video/x-av1", FRAMEKEY_MEDIA_VIDEO, FRAMEKEY_CODEC_AV1 },
        { "video/x-h264", FRAMEKEY_MEDIA_VIDEO, FRAMEKEY_CODEC_H264 },
        { "video/x-h265", FRAMEKEY_MEDIA_VIDEO, FRAMEKEY_CODEC_H265 },
};

gboolean codecs_from_caps(const GstCaps *caps, enum framekey_media *ret_media, enum framekey_codec *ret_codec) {
        const GstStructure *structure = gst_caps_get_structure(caps, 0);

        for (gsize i = 0; i < G_N_ELEMENTS(codecs); i++) {
                if (!gst_structure_has_name(structure, codecs[i].name))
                        continue;
                *ret_media = codecs[i].media;
                *ret_codec = codecs[i].codec;
                return TRUE;
        }
        return FALSE;
}
