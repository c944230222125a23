/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An element's way to framekeyd: the session it joins, one channel, one stream.
 *
 * A port has a thread of its own, the keeper, that makes all calls of the bus, so that a daemon that is away or slow
 * holds up no media: frames that come meanwhile answer -ENOTCONN, and the keeper tries again until the session is
 * back. Frames go through on the caller's thread, straight into a slot of the ring.
 *
 * Nothing here knows elements: what becomes of the channel is told by a callback, on the keeper's thread or on the one
 * that has the frame.
 */
#pragma once

#include <framekey-bus.h>
#include <gst/gst.h>

typedef struct Port Port;

/* Strings are borrowed until port_new() returns. */
typedef struct PortConfig {
        enum framekey_direction direction;
        enum framekey_bus bus;
        const char *address;      /* with FRAMEKEY_BUS_ADDRESS */
        const char *session;      /* id, or the label of one session; NULL: by descriptors */
        const char *participant;  /* whose stream it is */
        gboolean add_participant; /* if the session does not know it yet */
        const int *fds;           /* a channel's four descriptors in place of a session; duplicated */
        guint32 stream;           /* and the stream on it */
} PortConfig;

/* The channel is open (`text` NULL), or was lost, or cannot be opened again; then `text` says why. */
typedef void (*PortChanged)(void *userdata, gboolean open, const char *text);

/* Joins the session, or takes the channel over. 0 or a negative errno with a sentence for people. */
int port_new(Port **ret, const PortConfig *config, PortChanged changed, void *userdata, char **ret_error);
/* Closes everything. Takes NULL; returns NULL. */
Port *port_free(Port *port);

/* Opens the channel and has the stream granted; what was open for another codec is closed. 0 or a negative errno with a
 * sentence. While the daemon is away this is put off, and the answer is 0. */
int port_set_codec(Port *port, enum framekey_media media, enum framekey_codec codec, char **ret_error);

/* Has one frame encrypted or decrypted: 0 or a verdict, with `ret_out` where it delivers (the bytes alone, no
 * timestamps) and `ret_result`. -ENOTCONN there is no channel now; -ETIMEDOUT; other negative errno. */
int port_frame(Port *port, GstBuffer *in, enum framekey_frame_type type, guint64 timeout_usec, GstBuffer **ret_out,
               struct framekey_result *ret_result);
