/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A channel and what its data thread does in a turn: fetch, process, complete, at most 32 frames
 * or one millisecond, then the next channel.
 */
#include "channel/channel.h"

#include "channel/server.h"
#include "keys/frame.h"
#include "util/clock.h"
#include "util/entropy.h"

/* A turn's bounds (design 4): short enough that audio beside a flood of video stays in time. */
#define TURN_FRAMES 32u
#define TURN_USEC   (1 * USEC_PER_MSEC)
/* Look at the clock after so many bytes: about 20 us of GCM. */
#define TURN_CLOCK_BYTES (64u * 1024u)
/* IVs fetched with one system call; ENTROPY_MAX bytes are atomic (security 4.1). */
#define TURN_IVS (ENTROPY_MAX / 12u)

_Static_assert(sizeof(DaveRange) == 8, "as in a payload");

struct Channel {
        Session *session;
        DataThread *thread;
        Ring *ring;
        ChannelGoneHandler gone;
        void *userdata;
        /* Under the session's lock: */
        FrameGrant **grants; /* by stream id; NULL: free */
        uint32_t n_grants;
        ChannelInfo info;
};

/* IVs of one turn: fetched when the first is needed, the rest wiped at its end, never kept for the next. */
typedef struct IvBatch {
        uint8_t bytes[TURN_IVS * 12];
        size_t n;
        size_t used;
} IvBatch;

static const uint8_t *iv_next(IvBatch *batch, uint32_t expected) {
        if (batch->used == batch->n) {
                batch->n = MAX_OF(1u, MIN_OF(expected, TURN_IVS));
                batch->used = 0;
                entropy_fill_ivs(batch->bytes, batch->n);
        }
        return batch->bytes + 12 * batch->used++;
}

/* Does what a well-formed request asks for. `scratch_out` holds the payload. */
static void serve_request(Channel *channel, const RingRequest *request, IvBatch *ivs, uint32_t expected, uint64_t now,
                          uint8_t *scratch_out, FrameResult *ret) {
        FrameGrant *grant = request->stream < channel->n_grants ? channel->grants[request->stream] : NULL;
        DaveRange ranges[RING_RANGES_MAX]; /* a payload's are not aligned */
        FrameRequest frame = {
                .frame = request->frame,
                .len = request->frame_len,
                .clear_len = request->clear_len,
                .frame_type = request->frame_type,
                .packet = request->flags & RING_REQUEST_PACKET,
                .now_usec = now,
                .ssrc = request->ssrc,
                .rtp_timestamp = request->rtp_timestamp,
                .metadata = request->metadata,
                .metadata_len = request->metadata_len,
                .ranges = ranges,
                .n_ranges = request->n_ranges,
                .start_codes = request->flags & RING_REQUEST_START_CODES,
        };

        *ret = (FrameResult){ .verdict = FRAMEKEY_VERDICT_REFUSED };
        if (!grant)
                return;
        if (request->n_ranges > 0)
                memcpy(ranges, request->ranges, request->n_ranges * sizeof(*ranges));
        if (request->flags & RING_REQUEST_NOTE) {
                frame_note(grant, request->note, now, ret);
                return;
        }
        if (frame_grant_wants_iv(grant))
                frame.iv = iv_next(ivs, expected);
        frame_process(grant, &frame, scratch_out, request->out_max, ret);
}

static void complete(Channel *channel, const RingRequest *request, const FrameResult *result, const uint8_t *payload) {
        RingCompletion completion = {
                .verdict = result->verdict,
                .frame_len = result->len,
                .clear_len = result->clear_len,
                .step = result->step,
                .flags = result->flags,
                .key_index = result->key_index,
        };

        ring_complete(channel->ring, request, &completion, result->len > 0 ? payload : NULL);
        channel->info.frames++;
        channel->info.bytes += result->len;
        channel->info.refused += result->verdict == FRAMEKEY_VERDICT_REFUSED;
}

TurnOutcome channel_turn(Channel *channel, const TurnScratch *scratch) {
        uint32_t waiting = ring_pending(channel->ring);
        TurnOutcome outcome = TURN_MORE;
        uint64_t start = clock_boottime_usec();
        size_t bytes = 0;
        IvBatch ivs = { .n = 0 };
        RingRequest request;
        FrameResult result;

        session_enter(channel->session);
        for (uint32_t n = 0; n < TURN_FRAMES; n++) {
                int r = ring_fetch(channel->ring, scratch->in, &request);

                if (r != 0 && r != RING_BAD_REQUEST) {
                        outcome = r == RING_BROKEN ? TURN_BROKEN : n > 0 ? TURN_DONE : TURN_IDLE;
                        break;
                }
                if (r == RING_BAD_REQUEST)
                        result = (FrameResult){ .verdict = FRAMEKEY_VERDICT_REFUSED };
                else
                        serve_request(channel, &request, &ivs, waiting > n ? waiting - n : 1, start, scratch->out,
                                      &result);
                complete(channel, &request, &result, scratch->out);

                /* A refused frame costs as much as a good one. */
                bytes += (r == 0 ? request.frame_len : 0) + 1024;
                if (bytes >= TURN_CLOCK_BYTES) {
                        bytes = 0;
                        if (clock_boottime_usec() - start > TURN_USEC)
                                break;
                }
        }
        session_leave(channel->session);
        explicit_bzero(&ivs, sizeof(ivs));
        if (outcome == TURN_BROKEN)
                ring_close(channel->ring, RING_CLOSED_PROTOCOL);
        else
                ring_publish(channel->ring);
        return outcome;
}

bool channel_rest(Channel *channel) {
        return ring_rest(channel->ring);
}

int channel_doorbell_fd(const Channel *channel) {
        return ring_doorbell_fd(channel->ring);
}

int channel_wakeup_fd(const Channel *channel) {
        return ring_wakeup_fd(channel->ring);
}

void channel_gone(Channel *channel, ChannelGone why) {
        channel->gone(channel, why, channel->userdata);
}

static void fds_close(RingFds *fds) {
        fds->request = close_fd(fds->request);
        fds->response = close_fd(fds->response);
        fds->doorbell = close_fd(fds->doorbell);
        fds->wakeup = close_fd(fds->wakeup);
}

int channel_new(Channel **ret, ChannelServer *server, Session *session, const RingConfig *config, RingFds *ret_fds,
                ChannelGoneHandler gone, void *userdata) {
        Channel *channel = calloc(1, sizeof(*channel));
        RingFds fds;
        int r;

        if (!channel)
                return -ENOMEM;
        channel->session = session;
        channel->gone = gone;
        channel->userdata = userdata;
        channel->n_grants = config->n_streams;
        channel->grants = calloc(config->n_streams, sizeof(*channel->grants));
        if (!channel->grants) {
                channel_free(channel);
                return -ENOMEM;
        }
        r = ring_new(&channel->ring, config, &fds);
        if (r < 0) {
                channel_free(channel);
                return r;
        }

        channel->thread = server_thread_for(server, session);
        r = server_add(channel->thread, channel);
        if (r < 0) {
                channel->thread = NULL;
                fds_close(&fds);
                channel_free(channel);
                return r;
        }
        *ret_fds = fds;
        *ret = channel;
        return 0;
}

Channel *channel_free(Channel *channel) {
        if (!channel)
                return NULL;
        if (channel->thread)
                server_remove(channel->thread, channel);
        if (channel->grants) {
                session_lock(channel->session);
                for (uint32_t i = 0; i < channel->n_grants; i++)
                        frame_grant_free(channel->grants[i]);
                session_unlock(channel->session);
        }
        ring_free(channel->ring);
        free(channel->grants);
        free(channel);
        return NULL;
}

static int free_row(const Channel *channel, uint32_t *ret) {
        for (uint32_t i = 0; i < channel->n_grants; i++)
                if (!channel->grants[i]) {
                        *ret = i;
                        return 0;
                }
        return -ENOSPC;
}

int channel_add_stream(Channel *channel, uint32_t participant, enum framekey_direction direction,
                       enum framekey_media media, enum framekey_codec codec, uint32_t *ret_stream) {
        enum framekey_format format = session_config(channel->session)->format;
        uint32_t row;
        int r;

        if (!frame_codec_supported(format, media, codec))
                return -EOPNOTSUPP;
        session_lock(channel->session);
        r = free_row(channel, &row);
        if (r == 0)
                r = frame_grant_new(&channel->grants[row], channel->session, channel, row, participant, direction,
                                    media);
        if (r == 0)
                ring_set_stream(channel->ring, row,
                                &(RingStream){
                                        .direction = (uint8_t)direction,
                                        .format = (uint8_t)format,
                                        .media = (uint8_t)media,
                                        .codec = (uint8_t)codec,
                                        .overhead = frame_overhead(format),
                                });
        session_unlock(channel->session);
        if (r == 0)
                *ret_stream = row;
        return r;
}

int channel_remove_stream(Channel *channel, uint32_t stream) {
        if (stream >= channel->n_grants || !channel->grants[stream])
                return -ENOENT;
        session_lock(channel->session);
        channel->grants[stream] = frame_grant_free(channel->grants[stream]);
        ring_set_stream(channel->ring, stream, &(RingStream){ 0 });
        session_unlock(channel->session);
        return 0;
}

void channel_info(Channel *channel, ChannelInfo *ret) {
        session_lock(channel->session);
        *ret = channel->info;
        ret->n_streams = 0;
        for (uint32_t i = 0; i < channel->n_grants; i++)
                ret->n_streams += channel->grants[i] != NULL;
        session_unlock(channel->session);
}

int channel_stream_info(Channel *channel, uint32_t stream, ChannelStreamInfo *ret) {
        FrameGrantInfo info;

        if (stream >= channel->n_grants || !channel->grants[stream])
                return -ENOENT;
        session_lock(channel->session);
        frame_grant_info(channel->grants[stream], clock_boottime_usec(), &info);
        session_unlock(channel->session);
        *ret = (ChannelStreamInfo){ .state = info.state, .failed = info.failed, .seen_index = info.seen_index };
        return 0;
}
