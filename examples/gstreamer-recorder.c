/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A recorder that can decrypt what it was granted, and nothing else: it has no bus, no key, and no right to encrypt.
 * What it has, for each stream, are the stream's number and inherited descriptors: a channel's four, and a pipe from
 * which encrypted frames come as gdppay writes them. It writes the frames to a Matroska file, decrypted, not decoded.
 * gstreamer-call --record starts it:
 *
 *   gstreamer-recorder FILE [video=STREAM,PIPE,FD,FD,FD,FD] [audio=STREAM,...]
 *
 * It ends when the pipes do; then the file is whole.
 */
#include <gst/gst.h>
#include <stdio.h>

/* Appends a stream's way from its pipe into the file. */
static gboolean describe(GString *pipeline, const char *grant) {
        unsigned int stream;
        char medium[6]; /* video or audio, as the muxer calls its inputs */
        int pipe, n = 0;

        if (sscanf(grant, "%5[a-z]=%u,%d,%n", medium, &stream, &pipe, &n) != 3 || n == 0)
                return FALSE;
        g_string_append_printf(
                pipeline, "fdsrc fd=%d ! gdpdepay ! framekeydec channel-fds=\"<%s>\" stream=%u ! queue ! mux.%s_0 ",
                pipe, grant + n, stream, medium);
        return TRUE;
}

static int record(GstElement *pipeline) {
        g_autoptr(GstBus) bus = gst_element_get_bus(pipeline);
        g_autoptr(GstMessage) message = NULL;
        g_autoptr(GError) error = NULL;

        gst_element_set_state(pipeline, GST_STATE_PLAYING);
        message = gst_bus_timed_pop_filtered(bus, GST_CLOCK_TIME_NONE, GST_MESSAGE_ERROR | GST_MESSAGE_EOS);
        if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR)
                gst_message_parse_error(message, &error, NULL);
        if (error)
                g_printerr("%s: %s\n", GST_OBJECT_NAME(GST_MESSAGE_SRC(message)), error->message);
        gst_element_set_state(pipeline, GST_STATE_NULL);
        return error ? 1 : 0;
}

int main(int argc, char **argv) {
        g_autoptr(GString) description = g_string_new("matroskamux name=mux ! filesink name=file ");
        g_autoptr(GstElement) pipeline = NULL, file = NULL;
        g_autoptr(GError) error = NULL;
        gboolean is_good = argc >= 3;

        gst_init(NULL, NULL);
        for (int i = 2; i < argc && is_good; i++)
                is_good = describe(description, argv[i]);
        if (!is_good) {
                g_printerr("gstreamer-recorder FILE [video=STREAM,PIPE,FD,FD,FD,FD] [audio=STREAM,...]\n");
                return 2;
        }
        pipeline = gst_parse_launch(description->str, &error);
        if (error) {
                g_printerr("%s\n", error->message);
                return 1;
        }
        file = gst_bin_get_by_name(GST_BIN(pipeline), "file");
        g_object_set(file, "location", argv[1], NULL);
        return record(pipeline);
}
