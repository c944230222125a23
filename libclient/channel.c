/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A channel: its life, and frames that are submitted and reaped.
 *
 * One mutex a channel; every public call takes it, except the readers of the stream table. The
 * wake-up socket has one reader, this library, but two kinds of sleepers: a blocking call inside, and
 * the application's poll(). A blocking call may take bytes out of the socket and completions out of
 * the ring that the poller waits for; it then rings the poller through an eventfd of ours.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "channel.h"

#define PARENT_MAGIC 0x6b796d31u
/* The page is the kernel's unit for MADV_WIPEONFORK; on machines with larger ones mmap() rounds this up. */
#define PARENT_PAGE_SIZE 4096u
/* Of so many times that nothing is there, one looks whether the daemon is. */
#define EMPTY_LOOK 64u
/* Room in a reserved slot for start codes that become longer: more than any encoder puts before its first slice. */
#define START_CODE_ROOM 64u

/* ---- life ---- */

static bool in_child(const framekey_channel *channel) {
        return *channel->parent_page != PARENT_MAGIC;
}

static int parent_page_new(const volatile uint32_t **ret) {
        uint32_t *page = mmap(NULL, PARENT_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        int r;

        if (page == MAP_FAILED)
                return -ENOMEM;
        if (madvise(page, PARENT_PAGE_SIZE, MADV_WIPEONFORK) < 0) {
                r = -errno;
                (void)munmap(page, PARENT_PAGE_SIZE);
                return r;
        }
        *page = PARENT_MAGIC;
        *ret = page;
        return 0;
}

static int channel_init(framekey_channel *channel, const int *fds) {
        struct timespec ts;
        int r;

        r = parent_page_new(&channel->parent_page);
        if (r < 0)
                return r;
        r = link_open(&channel->link, fds);
        if (r < 0)
                return r;
        r = slots_init(&channel->slots, &channel->link.layout);
        if (r < 0)
                return r;
        /* Serials of a former holder of these descriptors must not come up again; it used earlier nanoseconds. */
        (void)clock_gettime(CLOCK_MONOTONIC, &ts);
        channel->serial = (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
        return -pthread_mutex_init(&channel->lock, NULL);
}

int framekey_channel_new_from_fds(framekey_channel **ret_channel, const int *fds, size_t n_fds) {
        framekey_channel *channel;
        int r;

        if (!ret_channel || !fds || n_fds != LINK_FDS)
                return -EINVAL;
        channel = calloc(1, sizeof(*channel));
        if (!channel)
                return -ENOMEM;
        channel->link.doorbell = channel->link.wakeup = -EBADF;
        channel->poll_fd = channel->kick_fd = -EBADF;

        r = channel_init(channel, fds);
        if (r < 0) {
                (void)framekey_channel_free(channel);
                return r;
        }
        *ret_channel = channel;
        return 0;
}

framekey_channel *framekey_channel_free(framekey_channel *channel) {
        if (!channel)
                return NULL;
        if (channel->parent_page) {
                if (in_child(channel))
                        link_close_child(&channel->link);
                (void)munmap((void *)channel->parent_page, PARENT_PAGE_SIZE);
        }
        link_close(&channel->link);
        slots_deinit(&channel->slots);
        if (channel->poll_fd >= 0)
                (void)close(channel->poll_fd);
        if (channel->kick_fd >= 0)
                (void)close(channel->kick_fd);
        /* The mutex holds nothing; in a child it may be locked for good by a thread that was not copied. */
        free(channel);
        return NULL;
}

int channel_enter(framekey_channel *channel) {
        if (in_child(channel))
                return -ECHILD;
        (void)pthread_mutex_lock(&channel->lock); /* a default mutex cannot fail here */
        return 0;
}

void channel_leave(framekey_channel *channel) {
        (void)pthread_mutex_unlock(&channel->lock);
}

/* ---- waking the application's poll() ---- */

static void kick(framekey_channel *channel) {
        if (channel->kicked || channel->kick_fd < 0)
                return;
        channel->kicked = eventfd_write(channel->kick_fd, 1) == 0;
}

static int poll_fd_new(framekey_channel *channel) {
        struct epoll_event event = { .events = EPOLLIN };
        int poll_fd = epoll_create1(EPOLL_CLOEXEC);
        int kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        int r = 0;

        if (poll_fd < 0 || kick_fd < 0 || epoll_ctl(poll_fd, EPOLL_CTL_ADD, kick_fd, &event) < 0 ||
            epoll_ctl(poll_fd, EPOLL_CTL_ADD, channel->link.wakeup, &event) < 0)
                r = -errno;
        if (r < 0) {
                if (poll_fd >= 0)
                        (void)close(poll_fd);
                if (kick_fd >= 0)
                        (void)close(kick_fd);
                return r;
        }
        channel->poll_fd = poll_fd;
        channel->kick_fd = kick_fd;
        channel->reap_waits = true;
        channel_rearm(channel);
        if (channel->slots.done_head != SLOT_NONE)
                kick(channel); /* put aside before there was anybody to ring */
        return poll_fd;
}

int framekey_channel_get_fd(framekey_channel *channel) {
        int r = channel_enter(channel);

        if (r < 0)
                return r;
        r = channel->poll_fd >= 0 ? channel->poll_fd : poll_fd_new(channel);
        channel_leave(channel);
        return r;
}

static void unkick(framekey_channel *channel) {
        eventfd_t ignored;

        if (!channel->kicked)
                return;
        (void)eventfd_read(channel->kick_fd, &ignored);
        channel->kicked = false;
}

void channel_collect(framekey_channel *channel) {
        struct framekey_abi_completion completion;

        while (link_pop(&channel->link, &completion))
                if (slots_complete(&channel->slots, &completion) && channel->reap_waits)
                        kick(channel);
}

void channel_rearm(framekey_channel *channel) {
        if (!channel->reap_waits)
                return;
        /* What came before the wish was stored does not ring: it is taken now, and kicks. */
        while (!link_rest(&channel->link))
                channel_collect(channel);
}

/* ---- the stream table: no lock, the table is read-only and checks itself ---- */

static int stream_row(framekey_channel *channel, uint32_t stream, struct framekey_abi_stream *ret) {
        if (in_child(channel))
                return -ECHILD;
        return link_stream(&channel->link, stream, ret);
}

int framekey_stream_get(framekey_channel *channel, uint32_t stream, enum framekey_direction *ret_direction,
                        enum framekey_format *ret_format, enum framekey_media *ret_media,
                        enum framekey_codec *ret_codec) {
        struct framekey_abi_stream row;
        int r;

        r = channel_enter(channel);
        if (r < 0)
                return r;
        r = link_state(&channel->link);
        channel_leave(channel);
        if (r < 0)
                return r;
        if (link_stream(&channel->link, stream, &row) != 0)
                return -ENOENT;

        if (ret_direction)
                *ret_direction = (enum framekey_direction)row.direction;
        if (ret_format)
                *ret_format = (enum framekey_format)row.format;
        if (ret_media)
                *ret_media = (enum framekey_media)row.media;
        if (ret_codec)
                *ret_codec = (enum framekey_codec)row.codec;
        return 0;
}

size_t framekey_sealed_max(framekey_channel *channel, uint32_t stream, size_t length) {
        struct framekey_abi_stream row;
        size_t sealed;

        if (stream_row(channel, stream, &row) < 0 || length > SIZE_MAX / 2 - row.overhead)
                return 0;
        sealed = length + row.overhead;
        /* Any video frame may turn out to be H.26x, whatever the stream's codec. Its clear part grows by a third at
         * most (start codes), the rest by half (escapes). */
        if (row.format == FRAMEKEY_FORMAT_LIVEKIT && row.media == FRAMEKEY_MEDIA_VIDEO)
                sealed = PAYLOAD_OUT_MAX(sealed);
        /* Under DAVE it is start codes alone. */
        if (row.format == FRAMEKEY_FORMAT_DAVE && row.media == FRAMEKEY_MEDIA_VIDEO)
                sealed += length / 3;
        return sealed;
}

size_t framekey_opened_max(framekey_channel *channel, uint32_t stream, size_t length) {
        struct framekey_abi_stream row;

        return stream_row(channel, stream, &row) < 0 ? 0 : length;
}

/* ---- frames ---- */

/* Whether the bytes of a caller's struct behind the part we know are zero: then it asks for nothing we do not know. */
static bool tail_is_zero(const void *object, size_t known, size_t size) {
        const uint8_t *bytes = object;

        for (size_t i = known; i < size; i++)
                if (bytes[i] != 0)
                        return false;
        return true;
}

int channel_check_frame(const struct framekey_frame *frame) {
        if (!frame || frame->size < sizeof(*frame) || !tail_is_zero(frame, sizeof(*frame), frame->size))
                return -EINVAL;
        if (frame->reserved != 0 || frame->frame_type > FRAMEKEY_FRAME_EMPTY ||
            !framekey_codec_name((enum framekey_codec)frame->codec))
                return -EINVAL;
        if (frame->metadata_len > FRAMEKEY_METADATA_MAX || (frame->metadata_len > 0 && !frame->metadata))
                return -EINVAL;
        return 0;
}

int channel_check_result(const struct framekey_result *result) {
        return result && result->size < sizeof(*result) ? -EINVAL : 0;
}

ClearFrame channel_describe(const struct framekey_abi_stream *row, const struct framekey_frame *frame,
                            const void *bytes, size_t len) {
        return (ClearFrame){
                .direction = (enum framekey_direction)row->direction,
                .format = (enum framekey_format)row->format,
                .media = (enum framekey_media)row->media,
                .codec = (enum framekey_codec)(frame->codec ? frame->codec : row->codec),
                .type = (enum framekey_frame_type)frame->frame_type,
                .bytes = bytes,
                .len = len,
        };
}

static void describe_target(struct framekey_abi_descriptor *descriptor, const struct framekey_frame *from,
                            const struct framekey_frame *to) {
        descriptor->flags |= FRAMEKEY_ABI_TRANSCRYPT;
        descriptor->to_stream = to->stream;
        descriptor->to_frame_type = to->frame_type;
        descriptor->to_codec = to->codec ? to->codec : from->codec;
        descriptor->to_metadata_len = (uint16_t)to->metadata_len;
        descriptor->metadata_len += descriptor->to_metadata_len;
}

void channel_push(framekey_channel *channel, uint32_t slot, const Push *push) {
        const struct framekey_frame *frame = push->frame;
        const Payload *payload = push->payload;
        Slot *s = &channel->slots.slots[slot];
        bool note = payload->verdict != 0;
        struct framekey_abi_descriptor descriptor = {
                .cookie = channel->serial++,
                .stream = frame->stream,
                .slot = slot,
                .flags = FRAMEKEY_ABI_NOTE,
                .frame_type = frame->frame_type,
                .note = (uint8_t)payload->verdict,
                .ssrc = frame->ssrc,
                .rtp_timestamp = frame->rtp_timestamp,
        };

        if (!note) {
                descriptor.frame_len = (uint32_t)push->in_len;
                descriptor.clear_len = (uint32_t)payload->clear_len;
                descriptor.metadata_len = (uint16_t)frame->metadata_len;
                descriptor.n_ranges = (uint16_t)payload->ranges.n_ranges;
                descriptor.flags = push->flags | (payload->ranges.scan ? FRAMEKEY_ABI_START_CODES : 0);
        }
        if (!note && push->to)
                describe_target(&descriptor, frame, push->to);

        s->state = SLOT_SUBMITTED;
        s->stream = frame->stream;
        s->serial = descriptor.cookie;
        s->clear_len = descriptor.clear_len;
        s->escape = !note && payload->escape;
        s->transcrypt = !note && push->to;
        link_push(&channel->link, &descriptor);
}

/* What is to be escaped of an output: of a transcrypted frame only the daemon knows it. */
static size_t escape_from(const Slot *slot, bool *ret_escape) {
        *ret_escape = slot->transcrypt ? slot->completion.flags & FRAMEKEY_ABI_ESCAPE : slot->escape;
        return slot->transcrypt ? slot->completion.clear_len : slot->clear_len;
}

size_t channel_read(const Slot *slot, const uint8_t *bytes, uint8_t *out) {
        bool escape;
        size_t clear_len = escape_from(slot, &escape);

        return payload_read(out, bytes, slot->completion.frame_len, clear_len, escape);
}

const uint8_t *channel_output(const framekey_channel *channel, uint32_t slot, size_t *ret_length) {
        const Slot *s = &channel->slots.slots[slot];
        const uint8_t *out = link_slot_out(&channel->link, slot);
        size_t len = s->completion.frame_len, clear_len;
        bool escape;

        if (!framekey_verdict_delivers(s->completion.verdict) || len > link_slot_size(&channel->link, slot))
                len = 0;
        clear_len = escape_from(s, &escape);
        *ret_length = payload_read_len(out, len, clear_len, escape);
        return out;
}

void channel_result(const framekey_channel *channel, uint32_t slot, bool keep, struct framekey_result *ret) {
        const Slot *s = &channel->slots.slots[slot];
        const uint8_t *out;
        size_t length;

        out = channel_output(channel, slot, &length);
        *ret = (struct framekey_result){
                .size = ret->size,
                .verdict = s->completion.verdict,
                .stream = s->stream,
                .length = (uint32_t)length,
                .key_index = s->completion.key_index,
                .step = s->completion.step,
                .flags = s->completion.flags & ~FRAMEKEY_ABI_ESCAPE,
                .slot = keep ? slot : SLOT_NONE,
                .cookie = s->cookie,
                .data = keep && !s->escape && !s->transcrypt && framekey_verdict_delivers(s->completion.verdict) ? out
                                                                                                                 : NULL,
        };
}

uint64_t channel_growth(const struct framekey_abi_stream *row) {
        if (row->direction != FRAMEKEY_ENCRYPT)
                return 0;
        if (row->media != FRAMEKEY_MEDIA_VIDEO)
                return row->overhead;
        if (row->format == FRAMEKEY_FORMAT_DAVE)
                return row->overhead + START_CODE_ROOM + DAVE_RANGES_LIMIT * PAYLOAD_RANGE_SIZE;
        return row->overhead + (row->format == FRAMEKEY_FORMAT_LIVEKIT ? START_CODE_ROOM : 0);
}

static int reserve_locked(framekey_channel *channel, const struct framekey_frame *frame, size_t length,
                          uint32_t *ret_slot, void **ret_buffer) {
        struct framekey_abi_stream row;
        uint64_t need;
        Slot *slot;
        int r;

        r = link_state(&channel->link);
        if (r < 0)
                return r;
        r = link_stream(&channel->link, frame->stream, &row);
        if (r < 0)
                return r;
        if (length > UINT32_MAX)
                return -EMSGSIZE;
        if (!link_settled(&channel->link)) {
                channel_collect(channel);
                if (!link_settled(&channel->link))
                        return -EAGAIN;
        }

        need = (uint64_t)frame->metadata_len + length + channel_growth(&row);
        r = slots_take(&channel->slots, need, ret_slot);
        if (r < 0)
                return r;
        slot = &channel->slots.slots[*ret_slot];
        slot->offset = frame->metadata_len;
        slot->capacity = (uint32_t)length;
        *ret_buffer = link_slot_in(&channel->link, *ret_slot) + slot->offset;
        return 0;
}

int framekey_reserve(framekey_channel *channel, const struct framekey_frame *frame, size_t length, uint32_t *ret_slot,
                     void **ret_buffer) {
        int r = channel_enter(channel);

        if (r < 0)
                return r;
        r = ret_slot && ret_buffer ? channel_check_frame(frame) : -EINVAL;
        if (r == 0)
                r = reserve_locked(channel, frame, length, ret_slot, ret_buffer);
        channel_leave(channel);
        return r;
}

/* Plans a frame that lies in its slot, and does the codec's first step there. */
static int prepare_in_place(framekey_channel *channel, uint32_t number, const struct framekey_frame *frame,
                            size_t length, Payload *ret, size_t *ret_in_len) {
        Slot *slot = &channel->slots.slots[number];
        uint8_t *in = link_slot_in(&channel->link, number);
        size_t size = link_slot_size(&channel->link, number);
        struct framekey_abi_stream row;
        ClearFrame clear;

        if (link_stream(&channel->link, frame->stream, &row) < 0) {
                *ret = (Payload){ .verdict = FRAMEKEY_VERDICT_REFUSED };
                return 0;
        }
        /* Metadata that is longer or shorter than announced moves the frame. */
        if (length > size || frame->metadata_len > size - length)
                return -EINVAL;
        clear = channel_describe(&row, frame, in + frame->metadata_len, length);
        if (frame->metadata_len != slot->offset) {
                memmove(in + frame->metadata_len, in + slot->offset, length);
                slot->offset = frame->metadata_len;
        }

        payload_plan(&clear, ret);
        if (ret->verdict == 0 && ret->in_max > size - slot->offset)
                ret->verdict = FRAMEKEY_VERDICT_TOO_LONG;
        if (ret->verdict != 0)
                return 0;
        if (frame->metadata_len > 0)
                memcpy(in, frame->metadata, frame->metadata_len);
        *ret_in_len = payload_write(ret, &clear, in + slot->offset);
        return 0;
}

static int submit_locked(framekey_channel *channel, uint32_t number, const struct framekey_frame *frame, size_t length,
                         uint64_t cookie) {
        Slot *slot = slots_get(&channel->slots, number, SLOT_RESERVED);
        size_t in_len = 0;
        Payload payload;
        int r;

        r = link_state(&channel->link);
        if (r < 0)
                return r;
        if (!slot || length > slot->capacity)
                return -EINVAL;
        r = prepare_in_place(channel, number, frame, length, &payload, &in_len);
        if (r < 0)
                return r;
        slot->cookie = cookie;
        channel_push(channel, number, &(Push){ .frame = frame, .payload = &payload, .in_len = in_len });
        return 0;
}

int framekey_submit(framekey_channel *channel, uint32_t slot, const struct framekey_frame *frame, size_t length,
                    uint64_t cookie) {
        int r = channel_enter(channel);

        if (r < 0)
                return r;
        r = channel_check_frame(frame);
        if (r == 0)
                r = submit_locked(channel, slot, frame, length, cookie);
        channel_leave(channel);
        return r;
}

int framekey_flush(framekey_channel *channel) {
        int r = channel_enter(channel);

        if (r < 0)
                return r;
        r = link_state(&channel->link);
        if (r == 0)
                link_publish(&channel->link);
        channel_leave(channel);
        return r;
}

static int reap_locked(framekey_channel *channel, struct framekey_result *ret_result) {
        uint32_t slot = slots_pop_done(&channel->slots);
        int r;

        channel->reap_waits = false; /* the poller is here: what comes now needs no ringing */
        if (slot == SLOT_NONE) {
                channel_collect(channel);
                slot = slots_pop_done(&channel->slots);
        }
        while (slot == SLOT_NONE) {
                /* Without a poller nobody would hear the wake-up, which costs the daemon a system call. But the socket
                 * is also how one learns that the daemon died. */
                bool polled = channel->poll_fd >= 0, look = polled || channel->n_empty++ % EMPTY_LOOK == 0;

                /* State first: what a closing daemon completed before is still handed out by the collecting below. */
                r = link_state(&channel->link);
                if (look)
                        link_drain(&channel->link);
                if (r == 0 && (!polled || link_rest(&channel->link))) {
                        unkick(channel);
                        channel->reap_waits = polled;
                        return link_state(&channel->link);
                }
                channel_collect(channel);
                slot = slots_pop_done(&channel->slots);
                if (slot == SLOT_NONE && r < 0)
                        return r;
        }
        channel_result(channel, slot, true, ret_result);
        return 1;
}

int framekey_reap(framekey_channel *channel, struct framekey_result *ret_result) {
        int r = channel_enter(channel);

        if (r < 0)
                return r;
        r = ret_result ? channel_check_result(ret_result) : -EINVAL;
        if (r == 0)
                r = reap_locked(channel, ret_result);
        channel_leave(channel);
        return r;
}

static int take_locked(framekey_channel *channel, uint32_t number, void *out, size_t capacity, size_t *ret_length) {
        const Slot *slot = slots_get(&channel->slots, number, SLOT_REAPED);
        const uint8_t *bytes;
        size_t length;

        if (!slot)
                return -EINVAL;
        bytes = channel_output(channel, number, &length);
        if (length > capacity)
                return -ENOBUFS;
        if (length > 0)
                (void)channel_read(slot, bytes, out);
        slots_free(&channel->slots, number);
        if (ret_length)
                *ret_length = length;
        return 0;
}

int framekey_take(framekey_channel *channel, const struct framekey_result *result, void *out, size_t capacity,
                  size_t *ret_length) {
        int r = channel_enter(channel);

        if (r < 0)
                return r;
        r = result && result->size >= sizeof(*result) ? 0 : -EINVAL;
        if (r == 0)
                r = take_locked(channel, result->slot, out, capacity, ret_length);
        channel_leave(channel);
        return r;
}

void framekey_release(framekey_channel *channel, uint32_t slot) {
        if (channel_enter(channel) < 0)
                return;
        if (slots_get(&channel->slots, slot, SLOT_RESERVED) || slots_get(&channel->slots, slot, SLOT_REAPED))
                slots_free(&channel->slots, slot);
        channel_leave(channel);
}
