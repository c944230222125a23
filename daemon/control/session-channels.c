/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.framekey1.Session: channels, and the streams granted on them. */
#include "control/errors.h"
#include "control/object-tree.h"
#include "control/options.h"
#include "control/request.h"
#include "control/session-bus.h"

#include <inttypes.h>
#include <stdio.h>

/* Enough for a call: audio of a few tracks in flight, video, and one frame of the largest size. */
#define SMALL_SLOTS   32u
#define VIDEO_SLOTS   8u
#define JUMBO_SLOTS   1u
#define STREAMS       64u
#define SLOTS_LIMIT   1023u
#define STREAMS_LIMIT 4096u

static const Option channel_options[] = {
        { .name = "small-slots", .type = OPTION_U32, .offset = offsetof(RingConfig, n_slots[0]), .max = SLOTS_LIMIT },
        { .name = "video-slots", .type = OPTION_U32, .offset = offsetof(RingConfig, n_slots[1]), .max = SLOTS_LIMIT },
        { .name = "jumbo-slots", .type = OPTION_U32, .offset = offsetof(RingConfig, n_slots[2]), .max = SLOTS_LIMIT },
        { .name = "streams",
          .type = OPTION_U32,
          .offset = offsetof(RingConfig, n_streams),
          .min = 1,
          .max = STREAMS_LIMIT },
        { .name = NULL },
};

static int open_channel(SessionObject *session, const RingConfig *config, ChannelObject **ret, RingFds *ret_fds,
                        sd_bus_error *error) {
        const Quota *quota = session->daemon->quota;
        uint64_t n_slots = (uint64_t)config->n_slots[0] + config->n_slots[1] + config->n_slots[2];
        int r;

        if (n_slots == 0 || n_slots > SLOTS_LIMIT)
                return error_set_invalid(error,
                                         "The slots of all sizes are %" PRIu64 "; they must be between 1 and %u.",
                                         n_slots, SLOTS_LIMIT);
        r = -EMFILE;
        if (session->owner.uid == 0 || !quota_fds_are_scarce())
                r = channel_object_new(ret, session, config, ret_fds);
        switch (r) {
        case CHANNEL_QUOTA_COUNT:
                return error_setf(error, ERROR_QUOTA_EXCEEDED,
                                  "Your quota of %" PRIu64 " channels is used up; close some, or ask the administrator "
                                  "for more.",
                                  quota_limit(quota, QUOTA_CHANNELS));
        case CHANNEL_QUOTA_BYTES:
                return error_setf(error, ERROR_QUOTA_EXCEEDED,
                                  "This channel takes %" PRIu64 " bytes and your quota is %" PRIu64 " for all; ask for "
                                  "fewer slots, or close channels.",
                                  ring_size(config), quota_limit(quota, QUOTA_REGION_BYTES));
        case -EMFILE:
        case -ENFILE:
                return sd_bus_error_set_const(error, SD_BUS_ERROR_LIMITS_EXCEEDED,
                                              "The daemon is out of descriptors; close channels, or have the "
                                              "administrator raise LimitNOFILE.");
        case -ENOMEM:
                return sd_bus_error_set_const(error, SD_BUS_ERROR_NO_MEMORY,
                                              "There is no memory for a channel of this size; ask for fewer slots.");
        default:
                return r;
        }
}

static void ring_fds_close(RingFds *fds) {
        fds->request = close_fd(fds->request);
        fds->response = close_fd(fds->response);
        fds->doorbell = close_fd(fds->doorbell);
        fds->wakeup = close_fd(fds->wakeup);
}

int session_method_open_channel(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        _cleanup_(ring_fds_close) RingFds fds = { -EBADF, -EBADF, -EBADF, -EBADF };
        SessionObject *session = userdata;
        RingConfig config = { .n_slots = { SMALL_SLOTS, VIDEO_SLOTS, JUMBO_SLOTS }, .n_streams = STREAMS };
        ChannelObject *channel = NULL;
        AuditRecord record;
        Caller caller;
        int r;

        r = options_read(message, channel_options, &config, error);
        if (r < 0)
                return r;
        r = request_change(session, message, AUDIT_OPEN_CHANNEL, &caller, error);
        if (r < 0)
                return r;
        r = request_check_unlocked(session->daemon, error);
        if (r < 0)
                return r;
        config.same_uid = caller.uid == geteuid();
        r = open_channel(session, &config, &channel, &fds, error);
        record = request_record(AUDIT_OPEN_CHANNEL, &caller, NULL, AUDIT_NO_NUMBER);
        (void)request_audit(session, &record, r, error);
        if (r < 0 || !channel)
                return r;
        r = sd_bus_reply_method_return(message, "ohhhh", channel->path, fds.request, fds.response, fds.doorbell,
                                       fds.wakeup);
        if (r < 0)
                (void)channel_object_free(channel); /* nobody has its descriptors */
        return r;
}

static int add_stream(SessionObject *session, ChannelObject *channel, const StreamRow *row, uint32_t *ret,
                      sd_bus_error *error) {
        int r;

        r = channel_object_add_stream(channel, row, ret);
        switch (r) {
        case -EOPNOTSUPP:
                return error_set(error, ERROR_UNSUPPORTED_CODEC);
        case -ENOSPC:
                return error_setf(error, ERROR_QUOTA_EXCEEDED,
                                  "The channel's stream table is full; remove streams, or open the channel with a "
                                  "larger option streams.");
        case -ENOMEM:
                return -ENOMEM;
        default:
                return r == 0 ? 0 : error_set_outcome(error, r);
        }
}

static int parse_stream(const SessionObject *session, const char *const names[4], StreamRow *ret, sd_bus_error *error) {
        ret->participant = session_object_participant(session, names[0]);
        if (!ret->participant)
                return error_set(error, ERROR_NO_SUCH_PARTICIPANT);
        ret->direction = framekey_direction_from_name(names[1]);
        if (ret->direction == 0)
                return error_set_invalid(error, "The direction is '%.64s'; it must be encrypt or decrypt.", names[1]);
        ret->media = framekey_media_from_name(names[2]);
        if (ret->media == 0)
                return error_set_invalid(error, "The media is '%.64s'; it must be audio, video or data.", names[2]);
        ret->codec = framekey_codec_from_name(names[3]);
        /* "" and "unknown": each frame says its codec. */
        if (ret->codec == FRAMEKEY_CODEC_UNKNOWN && names[3][0] != '\0' && strcmp(names[3], "unknown") != 0)
                return error_setf(error, ERROR_UNSUPPORTED_CODEC,
                                  "There is no codec '%.64s' here; org.framekey1(5) lists the names.", names[3]);
        return 0;
}

static ChannelObject *channel_by_path(const SessionObject *session, const char *path) {
        return session_object_channel(session, object_tree_channel_number(session, path));
}

/* The session's own, or a channel of another session that the caller may change as well: a bridge between systems has
 * a session for each of them, and one channel. */
static ChannelObject *channel_for_stream(SessionObject *session, const Caller *caller, const char *path) {
        ChannelObject *channel = channel_by_path(session, path);

        for (SessionObject *other = session->daemon->sessions; other && !channel; other = other->hh.next)
                if (session_object_may_change(other, caller))
                        channel = channel_by_path(other, path);
        return channel;
}

int session_method_add_stream(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        SessionObject *session = userdata;
        ChannelObject *channel;
        const char *path, *names[4];
        StreamRow row = { 0 };
        uint32_t stream = 0;
        AuditRecord record;
        char setting[64];
        Caller caller;
        int r;

        r = sd_bus_message_read(message, "ossss", &path, &names[0], &names[1], &names[2], &names[3]);
        if (r < 0)
                return r;
        r = options_read(message, options_none, NULL, error);
        if (r < 0)
                return r;
        r = request_change(session, message, AUDIT_ADD_STREAM, &caller, error);
        if (r < 0)
                return r;
        channel = channel_for_stream(session, &caller, path);
        r = channel ? parse_stream(session, names, &row, error) : error_set(error, ERROR_NO_SUCH_CHANNEL);
        if (r >= 0)
                r = add_stream(session, channel, &row, &stream, error);
        (void)snprintf(setting, sizeof(setting), "%.16s %.16s %.16s", names[1], names[2], names[3]);
        record = request_record(AUDIT_ADD_STREAM, &caller, names[0], AUDIT_NO_NUMBER);
        record.setting = setting;
        (void)request_audit(session, &record, r, error);
        if (r < 0)
                return r;
        return sd_bus_reply_method_return(message, "u", stream);
}

int session_method_remove_stream(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        SessionObject *session = userdata;
        ChannelObject *channel;
        AuditRecord record;
        char setting[32];
        const char *path;
        uint32_t stream;
        Caller caller;
        int r;

        r = sd_bus_message_read(message, "ou", &path, &stream);
        if (r < 0)
                return r;
        r = request_change(session, message, AUDIT_REMOVE_STREAM, &caller, error);
        if (r < 0)
                return r;
        channel = channel_for_stream(session, &caller, path);
        if (!channel)
                r = error_set(error, ERROR_NO_SUCH_CHANNEL);
        else if (channel_object_remove_stream(channel, stream) < 0)
                r = error_set(error, ERROR_NO_SUCH_STREAM);
        (void)snprintf(setting, sizeof(setting), "stream=%" PRIu32, stream);
        record = request_record(AUDIT_REMOVE_STREAM, &caller, NULL, AUDIT_NO_NUMBER);
        record.setting = setting;
        (void)request_audit(session, &record, r, error);
        return r < 0 ? r : sd_bus_reply_method_return(message, NULL);
}
