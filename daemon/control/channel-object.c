/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Channels by number, with the streams granted on them; see channel-object.h. */
#include "control/channel-object.h"

#include "control/session-object.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

/* The client broke the ring's rules, or its last holder is gone: either way the channel is over. */
static void on_gone(Channel *gone, ChannelGone why, void *userdata) {
        ChannelObject *channel = userdata;
        SessionObject *session = channel->session;
        Daemon *daemon = session->daemon;

        if (why == CHANNEL_GONE_PROTOCOL) {
                char reason[32];

                (void)snprintf(reason, sizeof(reason), "channel %" PRIu32, channel->number);
                audit_write(daemon->audit, &(AuditRecord){ .action = AUDIT_CHANNEL_VIOLATED,
                                                           .caller = &session->owner,
                                                           .session = session->id,
                                                           .index = AUDIT_NO_NUMBER,
                                                           .step = AUDIT_NO_NUMBER,
                                                           .reason = reason,
                                                           .result = "closed" });
        } else
                log_line(daemon->log, LOG_DEBUG, "Channel %" PRIu32 " of session %s ended with its last client.",
                         channel->number, session->id);
        (void)channel_object_free(channel);
}

static int charge(ChannelObject *channel, const RingConfig *config) {
        SessionObject *session = channel->session;
        Quota *quota = session->daemon->quota;
        int r;

        r = quota_charge(quota, session->owner.uid, QUOTA_CHANNELS, 1, &channel->count);
        if (r != 0)
                return r < 0 ? r : CHANNEL_QUOTA_COUNT;
        r = quota_charge(quota, session->owner.uid, QUOTA_REGION_BYTES, ring_size(config), &channel->bytes);
        if (r != 0)
                return r < 0 ? r : CHANNEL_QUOTA_BYTES;
        return 0;
}

int channel_object_new(ChannelObject **ret, SessionObject *session, const RingConfig *config, RingFds *ret_fds) {
        _cleanup_(channel_object_free_p) ChannelObject *channel = NULL;
        int r;

        channel = calloc(1, sizeof(*channel));
        if (!channel)
                return -ENOMEM;
        *channel = (ChannelObject){ .session = session, .number = session->last_channel + 1 };
        r = charge(channel, config);
        if (r != 0)
                return r;
        if (asprintf(&channel->path, "%s/channel/%" PRIu32, session->path, channel->number) < 0) {
                channel->path = NULL;
                return -ENOMEM;
        }
        HASH_ADD(hh, session->channels, number, sizeof(channel->number), channel);
        if (!channel->hh.tbl)
                return -ENOMEM;
        r = channel_new(&channel->channel, session->daemon->server, session->session, config, ret_fds, on_gone,
                        channel);
        if (r < 0)
                return r;
        session->last_channel = channel->number;
        *ret = take_ptr(channel);
        return 0;
}

static bool is_guest(const ChannelObject *channel, const StreamRow *row) {
        return row->participant->session != channel->session;
}

static void row_free(ChannelObject *channel, StreamRow *row) {
        if (is_guest(channel, row))
                row->participant->session->n_guests--;
        /* The analyzer does not see that DL_DELETE() mends the neighbours. */
        DL_DELETE(channel->streams, row); /* NOLINT(clang-analyzer-unix.Malloc) */
        free(row);
}

ChannelObject *channel_object_free(ChannelObject *channel) {
        StreamRow *row, *next;

        if (!channel)
                return NULL;
        (void)channel_free(channel->channel);
        DL_FOREACH_SAFE(channel->streams, row, next) {
                row_free(channel, row);
        }
        if (channel->hh.tbl)
                HASH_DEL(channel->session->channels, channel);
        charge_release(&channel->bytes);
        charge_release(&channel->count);
        free(channel->path);
        free(channel);
        return NULL;
}

int channel_object_add_stream(ChannelObject *channel, const StreamRow *row, uint32_t *ret_stream) {
        StreamRow *added = malloc(sizeof(*added));
        int r;

        if (!added)
                return -ENOMEM;
        *added = *row;
        r = channel_add_stream(channel->channel, row->participant->session->session, row->participant->id,
                               row->direction, row->media, row->codec, &added->id);
        if (r != 0) {
                free(added);
                return r;
        }
        DL_APPEND(channel->streams, added);
        if (is_guest(channel, added))
                added->participant->session->n_guests++;
        *ret_stream = added->id;
        return 0;
}

int channel_object_remove_stream(ChannelObject *channel, uint32_t stream) {
        StreamRow *row;

        DL_SEARCH_SCALAR(channel->streams, row, id, stream); /* NOLINT(clang-analyzer-unix.Malloc): as above */
        if (!row)
                return -ENOENT;
        (void)channel_remove_stream(channel->channel, stream); /* it was there */
        row_free(channel, row);
        return 0;
}

typedef bool RowTest(const StreamRow *row, const void *what);

static bool is_of_participant(const StreamRow *row, const void *participant) {
        return row->participant == participant;
}

static bool is_of_session(const StreamRow *row, const void *session) {
        return row->participant->session == session;
}

static void remove_rows(ChannelObject *channel, RowTest *test, const void *what) {
        StreamRow *row, *next;

        DL_FOREACH_SAFE(channel->streams, row, next) {
                if (test(row, what))
                        (void)channel_object_remove_stream(channel, row->id); /* it is there */
        }
}

static void remove_rows_of_others(const SessionObject *session, RowTest *test, const void *what) {
        if (session->n_guests == 0)
                return;
        for (SessionObject *other = session->daemon->sessions; other; other = other->hh.next)
                for (ChannelObject *channel = other->channels; other != session && channel; channel = channel->hh.next)
                        remove_rows(channel, test, what);
}

void channel_object_forget(const ParticipantObject *participant) {
        const SessionObject *session = participant->session;

        for (ChannelObject *channel = session->channels; channel; channel = channel->hh.next)
                remove_rows(channel, is_of_participant, participant);
        remove_rows_of_others(session, is_of_participant, participant);
}

void channel_object_forget_session(const SessionObject *session) {
        remove_rows_of_others(session, is_of_session, session);
}
