/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.framekey1.Channel: what is granted on a channel and how much went through it. */
#include "control/errors.h"
#include "control/object-tree.h"
#include "control/request.h"

static int property_streams(sd_bus *bus, const char *path, const char *interface, const char *property,
                            sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const ChannelObject *channel = userdata;
        const StreamRow *row;
        int r;

        r = sd_bus_message_open_container(reply, 'a', "(ussss)");
        if (r < 0)
                return r;
        DL_FOREACH(channel->streams, row) {
                const char *codec = framekey_codec_name(row->codec);

                r = sd_bus_message_append(reply, "(ussss)", row->id, row->participant->identity,
                                          framekey_direction_name(row->direction), framekey_media_name(row->media),
                                          codec ? codec : "");
                if (r < 0)
                        return r;
        }
        return sd_bus_message_close_container(reply);
}

static int property_stream_states(sd_bus *bus, const char *path, const char *interface, const char *property,
                                  sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const ChannelObject *channel = userdata;
        const StreamRow *row;
        int r;

        r = sd_bus_message_open_container(reply, 'a', "(usut)");
        if (r < 0)
                return r;
        DL_FOREACH(channel->streams, row) {
                ChannelStreamInfo info;

                if (channel_stream_info(channel->channel, row->id, &info) < 0)
                        continue; /* it left */
                r = sd_bus_message_append(reply, "(usut)", row->id, session_stream_state_name(info.state),
                                          info.seen_index, info.failed);
                if (r < 0)
                        return r;
        }
        return sd_bus_message_close_container(reply);
}

static int property_counter(sd_bus *bus, const char *path, const char *interface, const char *property,
                            sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const ChannelObject *channel = userdata;
        ChannelInfo info;
        uint64_t value;

        channel_info(channel->channel, &info);
        if (strcmp(property, "Frames") == 0)
                value = info.frames;
        else if (strcmp(property, "Bytes") == 0)
                value = info.bytes;
        else
                value = info.refused;
        return sd_bus_message_append(reply, "t", value);
}

static int method_close(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        ChannelObject *channel = userdata;
        Caller caller;
        int r;

        r = request_change(channel->session, message, AUDIT_CLOSE_CHANNEL, &caller, error);
        if (r < 0)
                return r;
        (void)request_audit(channel->session,
                            &(AuditRecord){ .action = AUDIT_CLOSE_CHANNEL,
                                            .caller = &caller,
                                            .index = AUDIT_NO_NUMBER,
                                            .step = AUDIT_NO_NUMBER },
                            0, NULL);
        (void)channel_object_free(channel);
        return sd_bus_reply_method_return(message, NULL);
}

REQUEST_TOLD(method_close, AUDIT_CLOSE_CHANNEL, ((ChannelObject *)userdata)->session->daemon,
             ((ChannelObject *)userdata)->session)

const sd_bus_vtable channel_bus_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Streams", "a(ussss)", property_streams, 0, 0),
        SD_BUS_PROPERTY("StreamStates", "a(usut)", property_stream_states, 0, 0),
        SD_BUS_PROPERTY("Frames", "t", property_counter, 0, 0),
        SD_BUS_PROPERTY("Bytes", "t", property_counter, 0, 0),
        SD_BUS_PROPERTY("Refused", "t", property_counter, 0, 0),
        SD_BUS_METHOD_WITH_ARGS("Close", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, told_method_close,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};
