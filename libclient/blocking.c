/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One frame in, one frame out: blocking encryption and decryption.
 *
 * The lock is held from copy-in to copy-out, so there is at most one waiter; completions of
 * submitted frames that come meanwhile are put aside for framekey_reap().
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "channel.h"

/* Whether a frame can be transcrypted for this stream. 0 or a verdict. */
static int check_target(framekey_channel *channel, const struct framekey_frame *to, struct framekey_abi_stream *ret) {
        if (link_stream(&channel->link, to->stream, ret) < 0 || ret->direction != FRAMEKEY_ENCRYPT)
                return FRAMEKEY_VERDICT_REFUSED;
        return 0;
}

/* Finds the streams, and says what becomes of the frame. */
static void plan(framekey_channel *channel, const Exchange *x, struct framekey_abi_stream *ret_row,
                 struct framekey_abi_stream *ret_target, ClearFrame *ret_clear, Payload *ret_payload) {
        *ret_payload = (Payload){ .verdict = FRAMEKEY_VERDICT_REFUSED };
        if (link_stream(&channel->link, x->frame->stream, ret_row) < 0)
                return;
        *ret_clear = channel_describe(ret_row, x->frame, x->bytes, x->len);
        if (ret_row->direction != (uint8_t)x->direction || (x->packet && ret_row->media != FRAMEKEY_MEDIA_DATA))
                return;
        if (x->packet && ret_row->format != FRAMEKEY_FORMAT_LIVEKIT) {
                ret_payload->verdict = FRAMEKEY_VERDICT_UNSUPPORTED;
                return;
        }
        if (x->to && (ret_payload->verdict = check_target(channel, x->to, ret_target)) != 0)
                return;
        payload_plan(ret_clear, ret_payload);
        if (x->verdict != 0)
                ret_payload->verdict = x->verdict;
        ret_payload->in_max += x->tail_len;
}

/* Takes a slot for the payload, or any slot for a note. */
static int take_slot(framekey_channel *channel, const Exchange *x, const struct framekey_abi_stream *row,
                     const struct framekey_abi_stream *target, Payload *payload, uint32_t *ret_slot) {
        uint64_t need = 0;
        int r;

        if (payload->verdict == 0) {
                need = (uint64_t)x->frame->metadata_len + payload->in_max;
                if (row->direction == FRAMEKEY_ENCRYPT)
                        need += row->overhead;
                if (x->to)
                        need += x->to->metadata_len + channel_growth(target);
        }
        r = slots_take(&channel->slots, need, ret_slot);
        if (r != -EMSGSIZE)
                return r;
        payload->verdict = FRAMEKEY_VERDICT_TOO_LONG;
        return slots_take(&channel->slots, 0, ret_slot);
}

static size_t fill(framekey_channel *channel, const Exchange *x, const ClearFrame *clear, const Payload *payload,
                   uint32_t slot) {
        uint8_t *in = link_slot_in(&channel->link, slot);
        size_t len;

        if (x->frame->metadata_len > 0)
                memcpy(in, x->frame->metadata, x->frame->metadata_len);
        in += x->frame->metadata_len;
        if (x->to && x->to->metadata_len > 0) {
                memcpy(in, x->to->metadata, x->to->metadata_len);
                in += x->to->metadata_len;
        }
        len = payload_write(payload, clear, in);
        if (x->tail_len > 0) /* a packet, which has no ranges */
                memcpy(in + len, x->tail, x->tail_len);
        return len + x->tail_len;
}

/* What a blocking call can wait for. */
typedef bool (*Condition)(framekey_channel *channel, uint32_t argument);

static bool is_settled(framekey_channel *channel, uint32_t ignored) {
        return link_settled(&channel->link);
}

static bool is_done(framekey_channel *channel, uint32_t slot) {
        return channel->slots.slots[slot].state == SLOT_DONE;
}

static bool abandoned_fell_below(framekey_channel *channel, uint32_t n) {
        return channel->slots.n_abandoned < n;
}

/* 0; -ETIMEDOUT; common errors. */
static int wait_until(framekey_channel *channel, Condition condition, uint32_t argument, uint64_t deadline) {
        int r = 0;

        for (;;) {
                int state = link_state(&channel->link);

                /* After the state, so that the last completions of a closing daemon count. */
                channel_collect(channel);
                if (condition(channel, argument))
                        return 0;
                if (state < 0)
                        return state;
                if (r < 0)
                        return r;
                if (link_rest(&channel->link))
                        r = link_wait(&channel->link, deadline);
        }
}

/* Takes a slot; where frames that earlier calls gave up hold them all, waits for the answer to one of these. */
static int wait_for_slot(framekey_channel *channel, const Exchange *x, const struct framekey_abi_stream *row,
                         const struct framekey_abi_stream *target, Payload *payload, uint64_t deadline,
                         uint32_t *ret_slot) {
        int r = 0;

        /* Late answers free their slots here. */
        channel_collect(channel);
        if (!link_settled(&channel->link))
                r = wait_until(channel, is_settled, 0, deadline);
        while (r == 0) {
                uint32_t n_abandoned = channel->slots.n_abandoned;

                r = take_slot(channel, x, row, target, payload, ret_slot);
                if (r != -EAGAIN || n_abandoned == 0)
                        return r;
                r = wait_until(channel, abandoned_fell_below, n_abandoned, deadline);
        }
        return r;
}

int channel_exchange(framekey_channel *channel, const Exchange *x, uint64_t timeout_usec, uint32_t *ret_slot) {
        uint64_t deadline = link_deadline(timeout_usec);
        struct framekey_abi_stream row, target = { 0 };
        size_t in_len = 0;
        ClearFrame clear;
        Payload payload;
        uint32_t number = SLOT_NONE;
        Slot *slot;
        int r;

        r = channel_check_frame(x->frame);
        if (r == 0 && x->to)
                r = channel_check_frame(x->to);
        if (r == 0 && x->to && x->frame->metadata_len + x->to->metadata_len > FRAMEKEY_METADATA_MAX)
                return -EINVAL;
        if (r < 0 || (!x->bytes && x->len > 0))
                return -EINVAL;
        r = link_state(&channel->link);
        if (r < 0)
                return r;
        plan(channel, x, &row, &target, &clear, &payload);
        r = wait_for_slot(channel, x, &row, &target, &payload, deadline, &number);
        if (r != 0)
                return r;

        if (payload.verdict == 0) {
                in_len = fill(channel, x, &clear, &payload, number);
                /* A decrypted frame is never shorter than this. Said before the daemon remembers the frame as seen. */
                if (x->direction == FRAMEKEY_DECRYPT && in_len > row.overhead && x->room < in_len - row.overhead) {
                        slots_free(&channel->slots, number);
                        return -ENOBUFS;
                }
        }
        slot = &channel->slots.slots[number];
        slot->blocking = true;
        channel_push(channel, number,
                     &(Push){ .frame = x->frame,
                              .to = x->to,
                              .payload = &payload,
                              .in_len = in_len,
                              .flags = x->packet ? FRAMEKEY_ABI_PACKET : 0 });
        link_publish(&channel->link);
        link_yield(&channel->link);

        r = wait_until(channel, is_done, number, deadline);
        if (r < 0)
                slots_abandon(&channel->slots, number);
        else
                slot->state = SLOT_REAPED;
        channel_rearm(channel);
        *ret_slot = number;
        return r;
}

/* Copies the output out and frees the slot. 0, a verdict, negative errno of the daemon's, -ENOBUFS. */
static int finish(framekey_channel *channel, uint32_t number, void *out, size_t capacity, size_t *ret_length,
                  struct framekey_result *ret_result) {
        const Slot *slot = &channel->slots.slots[number];
        int verdict = slot->completion.verdict;
        const uint8_t *bytes;
        size_t length;

        bytes = channel_output(channel, number, &length);
        if (length > capacity) {
                slots_free(&channel->slots, number);
                return -ENOBUFS;
        }
        if (length > 0)
                (void)channel_read(slot, bytes, out);
        if (ret_length && framekey_verdict_delivers(verdict))
                *ret_length = length;
        if (ret_result)
                channel_result(channel, number, false, ret_result);
        slots_free(&channel->slots, number);
        return verdict;
}

static int run(framekey_channel *channel, const Exchange *x, void *out, size_t *ret_length,
               struct framekey_result *ret_result, uint64_t timeout_usec) {
        uint32_t slot;
        int r = channel_enter(channel);

        if (r < 0)
                return r;
        r = channel_check_result(ret_result);
        if (r == 0)
                r = channel_exchange(channel, x, timeout_usec, &slot);
        if (r == 0)
                r = finish(channel, slot, out, x->room, ret_length, ret_result);
        channel_leave(channel);
        return r;
}

int framekey_encrypt(framekey_channel *channel, const struct framekey_frame *frame, const void *plain, size_t length,
                     void *out, size_t capacity, size_t *ret_length, struct framekey_result *ret_result,
                     uint64_t timeout_usec) {
        Exchange x = { .frame = frame, .direction = FRAMEKEY_ENCRYPT, .bytes = plain, .len = length, .room = capacity };

        return run(channel, &x, out, ret_length, ret_result, timeout_usec);
}

int framekey_decrypt(framekey_channel *channel, const struct framekey_frame *frame, const void *sealed, size_t length,
                     void *out, size_t capacity, size_t *ret_length, struct framekey_result *ret_result,
                     uint64_t timeout_usec) {
        Exchange x = {
                .frame = frame, .direction = FRAMEKEY_DECRYPT, .bytes = sealed, .len = length, .room = capacity
        };

        return run(channel, &x, out, ret_length, ret_result, timeout_usec);
}

int framekey_transcrypt(framekey_channel *channel, const struct framekey_frame *from, const struct framekey_frame *to,
                        const void *sealed, size_t length, void *out, size_t capacity, size_t *ret_length,
                        struct framekey_result *ret_result, uint64_t timeout_usec) {
        Exchange x = {
                .frame = from, .to = to, .direction = FRAMEKEY_DECRYPT, .bytes = sealed, .len = length, .room = capacity
        };

        return to ? run(channel, &x, out, ret_length, ret_result, timeout_usec) : -EINVAL;
}
