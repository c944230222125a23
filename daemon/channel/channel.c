/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A channel and what its data thread does in a turn: fetch, process, complete, at most 32 frames
 * or one millisecond, then the next channel.
 */
#include "channel/channel.h"

#include "channel/server.h"
#include "keys/frame.h"
#include "keys/transcrypt.h"
#include "util/clock.h"
#include "util/entropy.h"
#include "util/turnstile.h"

/* A turn's bounds (design 4): short enough that audio beside a flood of video stays in time. */
#define TURN_FRAMES 32u
/* Look at the clock after so many bytes: about 20 us of GCM. */
#define TURN_CLOCK_BYTES (64u * 1024u)
_Static_assert(sizeof(DaveRange) == 8, "as in a payload");

/* What may be done on a channel: a grant of its session, or of another one (for transcryption). */
typedef struct ChannelStream {
        FrameGrant *grant; /* NULL: free */
        Session *session;
        enum framekey_codec codec;
} ChannelStream;

struct Channel {
        Session *session;
        ChannelServer *server;
        DataThread *thread; /* NULL: nobody serves it */
        Ring *ring;
        ChannelGoneHandler gone;
        void *userdata;
        /* Held by the data thread for its turn, by the main thread for changes; taken before any session's lock, of
         * which only a data thread holds two, the one at the lower address first. */
        Turnstile gate;
        ChannelStream *streams; /* by id */
        uint32_t n_streams;
        ChannelInfo info;
};

/* One turn of the data thread. */
typedef struct Turn {
        Channel *channel;
        TurnScratch *scratch;
        Session *entered; /* whose lock is held */
        Session *also;    /* ... and a second one's; NULL as a rule */
        uint64_t now_usec;
        uint32_t waiting; /* frames, this one included */
} Turn;

static const uint8_t *iv_next(const Turn *turn) {
        IvBatch *batch = &turn->scratch->ivs;

        if (batch->used == batch->n) {
                /* Of the channels whose turn comes, each may have a frame that needs one. */
                uint32_t wanted = turn->waiting + turn->scratch->n_turns - 1;

                batch->n = MAX_OF(1u, MIN_OF(wanted, sizeof(batch->bytes) / 12u));
                batch->used = 0;
                entropy_fill_ivs(batch->bytes, batch->n);
        }
        return batch->bytes + 12 * batch->used++;
}

/* What a turn changed under a lock is committed before that is given back: nobody else may have built on it when it is
 * undone. */
static void leave(Turn *turn) {
        if (turn->scratch->undo)
                ring_commit(turn->channel->ring, turn->scratch->undo);
        session_leave(turn->entered);
        if (turn->also)
                session_leave(turn->also);
        turn->entered = turn->also = NULL;
}

static bool is_entered(const Turn *turn, const Session *session) {
        return turn->entered == session || turn->also == session;
}

/* Nearly always it is the channel's own, and entered already. */
static void enter(Turn *turn, Session *session) {
        if (is_entered(turn, session))
                return;
        if (turn->entered)
                leave(turn);
        session_enter(session);
        turn->entered = session;
}

/* For a frame that changes something in both: it holds whole, or not at all. */
static void enter_both(Turn *turn, Session *one, Session *other) {
        if (is_entered(turn, one) && is_entered(turn, other))
                return;
        if (turn->entered)
                leave(turn);
        turn->entered = (uintptr_t)one < (uintptr_t)other ? one : other;
        turn->also = turn->entered == one ? other : one;
        session_enter(turn->entered);
        session_enter(turn->also);
}

static const ChannelStream *find_stream(const Channel *channel, uint32_t stream) {
        return stream < channel->n_streams && channel->streams[stream].grant ? &channel->streams[stream] : NULL;
}

static void serve_frame(Turn *turn, const ChannelStream *stream, const RingRequest *request, uint8_t *out,
                        size_t out_max, FrameResult *ret) {
        DaveRange ranges[RING_RANGES_MAX]; /* a payload's are not aligned */
        FrameRequest frame = {
                .frame = request->frame,
                .len = request->frame_len,
                .clear_len = request->clear_len,
                .frame_type = request->frame_type,
                .packet = request->flags & RING_REQUEST_PACKET,
                .now_usec = turn->now_usec,
                .ssrc = request->ssrc,
                .rtp_timestamp = request->rtp_timestamp,
                .metadata = request->metadata,
                .metadata_len = request->metadata_len,
                .ranges = ranges,
                .n_ranges = request->n_ranges,
                .start_codes = request->flags & RING_REQUEST_START_CODES,
        };

        if (request->n_ranges > 0)
                memcpy(ranges, request->ranges, request->n_ranges * sizeof(*ranges));
        enter(turn, stream->session);
        if (frame_grant_wants_iv(stream->grant))
                frame.iv = iv_next(turn);
        frame_process(stream->grant, &frame, out, out_max, ret);
}

/* Opens to one scratch buffer and seals to the other, over the frame as it came. Returns where the result is. */
static const uint8_t *serve_transcrypt(Turn *turn, const ChannelStream *from, const RingRequest *request,
                                       FrameResult *ret) {
        const ChannelStream *to = find_stream(turn->channel, request->to_stream);
        TranscryptRequest again = {
                .plain = turn->scratch->out,
                .room = RING_SCRATCH_SIZE,
                .frame_type = request->to_frame_type,
                .metadata = request->to_metadata,
                .metadata_len = request->to_metadata_len,
                .now_usec = turn->now_usec,
                .ssrc = request->ssrc,
                .rtp_timestamp = request->rtp_timestamp,
        };
        uint8_t *sealed = request->frame;
        uint32_t flags;

        if (!to || frame_grant_direction(from->grant) != FRAMEKEY_DECRYPT ||
            frame_grant_direction(to->grant) != FRAMEKEY_ENCRYPT)
                return NULL;
        if (from->session != to->session)
                enter_both(turn, from->session, to->session);
        serve_frame(turn, from, request, turn->scratch->out, RING_SCRATCH_SIZE, ret);
        if (ret->verdict != FRAMEKEY_OK) {
                ret->len = 0; /* what is not authentic is not passed on as if it were */
                explicit_bzero(turn->scratch->out, request->frame_len);
                return NULL;
        }

        flags = ret->flags;
        again.len = ret->len;
        again.codec = (enum framekey_codec)request->to_codec;
        if (again.codec == FRAMEKEY_CODEC_UNKNOWN) /* it is the same frame on both sides */
                again.codec = to->codec != FRAMEKEY_CODEC_UNKNOWN ? to->codec : from->codec;
        if (frame_grant_wants_iv(to->grant))
                again.iv = iv_next(turn);
        transcrypt_seal(to->grant, &again, sealed,
                        MIN_OF((size_t)request->out_max, RING_SCRATCH_SIZE - (size_t)(sealed - turn->scratch->in)),
                        ret);
        ret->flags |= flags | FRAMEKEY_RESULT_OUTGOING;
        return sealed;
}

/* Does what a well-formed request asks for. Returns where the result is. */
static const uint8_t *serve_request(Turn *turn, const RingRequest *request, FrameResult *ret) {
        const ChannelStream *stream = find_stream(turn->channel, request->stream);

        *ret = (FrameResult){ .verdict = FRAMEKEY_VERDICT_REFUSED };
        if (!stream)
                return NULL;
        if (request->flags & RING_REQUEST_NOTE) {
                enter(turn, stream->session);
                frame_note(stream->grant, request->note, turn->now_usec, ret);
                return NULL;
        }
        if (request->flags & RING_REQUEST_TRANSCRYPT)
                return serve_transcrypt(turn, stream, request, ret);
        serve_frame(turn, stream, request, turn->scratch->out, request->out_max, ret);
        return turn->scratch->out;
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

static TurnOutcome serve(Turn *turn) {
        Channel *channel = turn->channel;
        uint32_t waiting = ring_pending(channel->ring);
        size_t bytes = 0;
        RingRequest request;
        FrameResult result;

        for (uint32_t n = 0; n < TURN_FRAMES; n++) {
                int r = ring_fetch(channel->ring, turn->scratch->in, &request);
                const uint8_t *payload = NULL;

                if (r != 0 && r != RING_BAD_REQUEST)
                        return r == RING_BROKEN ? TURN_BROKEN : n > 0 ? TURN_DONE : TURN_IDLE;
                turn->waiting = waiting > n ? waiting - n : 1;
                if (r == RING_BAD_REQUEST)
                        result = (FrameResult){ .verdict = FRAMEKEY_VERDICT_REFUSED };
                else
                        payload = serve_request(turn, &request, &result);
                complete(channel, &request, &result, payload);
                if (!undo_has_room(turn->scratch->undo))
                        break;

                /* A refused frame costs as much as a good one. */
                bytes += (r == 0 ? request.frame_len : 0) + 1024;
                if (bytes >= TURN_CLOCK_BYTES) {
                        bytes = 0;
                        if (clock_boottime_usec() - turn->now_usec > turn->scratch->turn_usec)
                                break;
                }
        }
        return TURN_MORE;
}

void channel_prefetch(const Channel *channel, unsigned step) {
        switch (step) {
        case 0:
                PREFETCH_WHOLE(channel);
                break;
        case 1:
                ring_prefetch(channel->ring, 0);
                __builtin_prefetch(channel->streams); /* what is in there needs the gate */
                break;
        default:
                ring_prefetch(channel->ring, 1);
        }
}

TurnOutcome channel_turn(Channel *channel, TurnScratch *scratch) {
        Turn turn = { .channel = channel, .scratch = scratch, .now_usec = clock_boottime_usec() };
        TurnOutcome outcome;

        turnstile_enter(&channel->gate);
        enter(&turn, channel->session);
        outcome = serve(&turn);
        leave(&turn);
        turnstile_leave(&channel->gate);
        if (outcome == TURN_BROKEN)
                ring_close(channel->ring, RING_CLOSED_PROTOCOL);
        else
                ring_publish(channel->ring);
        return outcome;
}

bool channel_rest(Channel *channel) {
        return ring_rest(channel->ring);
}

uint32_t channel_account(const Channel *channel) {
        return session_config(channel->session)->account;
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

static int channel_alloc(Channel **ret, ChannelServer *server, Session *session, uint32_t n_streams,
                         ChannelGoneHandler gone, void *userdata) {
        Channel *channel = calloc(1, sizeof(*channel));

        if (!channel)
                return -ENOMEM;
        channel->session = session;
        channel->server = server;
        channel->gone = gone;
        channel->userdata = userdata;
        turnstile_init(&channel->gate);
        channel->n_streams = n_streams;
        channel->streams = calloc(n_streams, sizeof(*channel->streams));
        if (!channel->streams) {
                channel_free(channel);
                return -ENOMEM;
        }
        *ret = channel;
        return 0;
}

static int serve_from_now_on(Channel *channel) {
        DataThread *thread = server_thread_for(channel->server, channel->session);
        int r = server_add(thread, channel);

        if (r < 0)
                return r;
        channel->thread = thread;
        return 0;
}

int channel_new(Channel **ret, ChannelServer *server, Session *session, const RingConfig *config, RingFds *ret_fds,
                ChannelGoneHandler gone, void *userdata) {
        _cleanup_(channel_free_p) Channel *channel = NULL;
        RingFds fds;
        int r;

        r = channel_alloc(&channel, server, session, config->n_streams, gone, userdata);
        if (r < 0)
                return r;
        r = ring_new(&channel->ring, config, &fds);
        if (r < 0)
                return r;
        r = serve_from_now_on(channel);
        if (r < 0) {
                fds_close(&fds);
                return r;
        }
        *ret_fds = fds;
        *ret = take_ptr(channel);
        return 0;
}

static int adopt(Channel **ret, ChannelServer *server, Session *session, RingState *state, RingKept *fds,
                 ChannelGoneHandler gone, void *userdata) {
        _cleanup_(channel_free_p) Channel *channel = NULL;
        RingConfig config;
        int r;

        r = ring_state_config(state, &config);
        if (r < 0)
                return r;
        r = channel_alloc(&channel, server, session, config.n_streams, gone, userdata);
        if (r < 0)
                return r;
        r = ring_adopt(&channel->ring, state, fds);
        if (r < 0)
                return r;
        *ret = take_ptr(channel);
        return 0;
}

int channel_adopt(Channel **ret, ChannelServer *server, Session *session, RingState *state, RingKept *fds,
                  ChannelGoneHandler gone, void *userdata) {
        int r = adopt(ret, server, session, state, fds, gone, userdata);

        fds->request = close_fd(fds->request);
        fds->response = close_fd(fds->response);
        fds->doorbell = close_fd(fds->doorbell);
        fds->wakeup = close_fd(fds->wakeup);
        return r;
}

int channel_resume(Channel *channel) {
        for (uint32_t i = 0; i < channel->n_streams; i++)
                if (!channel->streams[i].grant) /* freed, or half set, when the former process died */
                        ring_set_stream(channel->ring, i, &(RingStream){ 0 });
        ring_resume(channel->ring);
        return serve_from_now_on(channel);
}

void channel_leave(Channel *channel) {
        if (channel->thread)
                server_remove(channel->thread, channel);
        channel->thread = NULL;
        ring_leave(channel->ring);
}

void channel_kept_fds(const Channel *channel, RingKept *ret) {
        ring_kept_fds(channel->ring, ret);
}

void channel_kept(Channel *channel) {
        ring_kept(channel->ring);
}

/* With the gate shut. */
static void drop(ChannelStream *stream) {
        session_lock(stream->session);
        frame_grant_free(stream->grant);
        session_unlock(stream->session);
        *stream = (ChannelStream){ 0 };
}

Channel *channel_free(Channel *channel) {
        if (!channel)
                return NULL;
        if (channel->thread)
                server_remove(channel->thread, channel);
        for (uint32_t i = 0; channel->streams && i < channel->n_streams; i++)
                if (channel->streams[i].grant)
                        drop(&channel->streams[i]);
        ring_free(channel->ring);
        turnstile_destroy(&channel->gate);
        free(channel->streams);
        free(channel);
        return NULL;
}

static int free_row(const Channel *channel, uint32_t *ret) {
        for (uint32_t i = 0; i < channel->n_streams; i++)
                if (!channel->streams[i].grant) {
                        *ret = i;
                        return 0;
                }
        return -ENOSPC;
}

/* With the gate shut. */
static int set_row(Channel *channel, uint32_t row, Session *session, uint32_t participant,
                   enum framekey_direction direction, enum framekey_media media, enum framekey_codec codec) {
        enum framekey_format format = session_config(session)->format;
        ChannelStream *stream = &channel->streams[row];
        int r;

        session_lock(session);
        r = frame_grant_new(&stream->grant, session, channel, row, participant, direction, media);
        session_unlock(session);
        if (r != 0)
                return r;
        stream->session = session;
        stream->codec = codec;
        ring_set_stream(channel->ring, row,
                        &(RingStream){
                                .direction = (uint8_t)direction,
                                .format = (uint8_t)format,
                                .media = (uint8_t)media,
                                .codec = (uint8_t)codec,
                                .overhead = frame_overhead(format),
                        });
        return 0;
}

int channel_add_stream(Channel *channel, Session *session, uint32_t participant, enum framekey_direction direction,
                       enum framekey_media media, enum framekey_codec codec, uint32_t *ret_stream) {
        uint32_t row;
        int r;

        if (!frame_codec_supported(session_config(session)->format, media, codec))
                return -EOPNOTSUPP;
        turnstile_lock(&channel->gate);
        r = free_row(channel, &row);
        if (r == 0)
                r = set_row(channel, row, session, participant, direction, media, codec);
        turnstile_leave(&channel->gate);
        if (r == 0)
                *ret_stream = row;
        return r;
}

int channel_restore_stream(Channel *channel, uint32_t stream, Session *session, uint32_t participant,
                           enum framekey_direction direction, enum framekey_media media, enum framekey_codec codec) {
        int r = -EBADMSG;

        turnstile_lock(&channel->gate);
        if (stream < channel->n_streams && !channel->streams[stream].grant &&
            frame_codec_supported(session_config(session)->format, media, codec))
                r = set_row(channel, stream, session, participant, direction, media, codec);
        turnstile_leave(&channel->gate);
        return r;
}

int channel_remove_stream(Channel *channel, uint32_t stream) {
        if (!find_stream(channel, stream))
                return -ENOENT;
        turnstile_lock(&channel->gate);
        drop(&channel->streams[stream]);
        ring_set_stream(channel->ring, stream, &(RingStream){ 0 });
        turnstile_leave(&channel->gate);
        return 0;
}

void channel_info(Channel *channel, ChannelInfo *ret) {
        turnstile_lock(&channel->gate);
        *ret = channel->info;
        ret->n_streams = 0;
        for (uint32_t i = 0; i < channel->n_streams; i++)
                ret->n_streams += channel->streams[i].grant != NULL;
        turnstile_leave(&channel->gate);
}

int channel_stream_info(Channel *channel, uint32_t stream, ChannelStreamInfo *ret) {
        const ChannelStream *found = find_stream(channel, stream);
        FrameGrantInfo info;

        if (!found)
                return -ENOENT;
        session_lock(found->session);
        frame_grant_info(found->grant, clock_boottime_usec(), &info);
        session_unlock(found->session);
        *ret = (ChannelStreamInfo){ .state = info.state, .failed = info.failed, .seen_index = info.seen_index };
        return 0;
}
