/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * LiveKit's encrypted data packets (formats/trailer-frames, section 6).
 *
 * To the daemon a packet is a frame without clear bytes. On the wire its parts travel apart:
 *
 *   daemon   ciphertext | tag | IV (12) | 0c | key index
 *   packet   ciphertext | tag             and IV, key index in fields of their own
 */
#include <errno.h>
#include <string.h>

#include "channel.h"

#define PACKET_TAG 16u
#define PACKET_END (FRAMEKEY_PACKET_IV_LENGTH + 2u) /* IV, its length, key index */

/* Takes the daemon's frame apart. 0; -ENOBUFS; -EIO it is no such frame. */
static int split(const uint8_t *sealed, size_t length, void *out, size_t capacity, size_t *ret_length, uint8_t *ret_iv,
                 uint32_t *ret_key_index) {
        size_t body;

        if (length < PACKET_TAG + PACKET_END)
                return -EIO;
        body = length - PACKET_END;
        if (body > capacity)
                return -ENOBUFS;
        memcpy(out, sealed, body);
        if (ret_length)
                *ret_length = body;
        if (ret_iv)
                memcpy(ret_iv, sealed + body, FRAMEKEY_PACKET_IV_LENGTH);
        if (ret_key_index)
                *ret_key_index = sealed[length - 1];
        return 0;
}

int framekey_packet_encrypt(framekey_channel *channel, uint32_t stream, const void *plain, size_t length, void *out,
                            size_t capacity, size_t *ret_length, uint8_t ret_iv[FRAMEKEY_PACKET_IV_LENGTH],
                            uint32_t *ret_key_index, uint64_t timeout_usec) {
        const struct framekey_frame frame = { .size = sizeof(frame), .stream = stream };
        const Exchange x = {
                .frame = &frame,
                .direction = FRAMEKEY_ENCRYPT,
                .bytes = plain,
                .len = length,
                .packet = true,
                .room = capacity,
        };
        const uint8_t *sealed;
        size_t sealed_len;
        uint32_t slot;
        int r;

        r = channel_enter(channel);
        if (r < 0)
                return r;
        r = channel_exchange(channel, &x, timeout_usec, &slot);
        if (r == 0) {
                r = channel->slots.slots[slot].completion.verdict;
                sealed = channel_output(channel, slot, &sealed_len);
                if (r == 0)
                        r = split(sealed, sealed_len, out, capacity, ret_length, ret_iv, ret_key_index);
                slots_free(&channel->slots, slot);
        }
        channel_leave(channel);
        return r;
}

int framekey_packet_decrypt(framekey_channel *channel, uint32_t stream, const void *sealed, size_t length,
                            const uint8_t *iv, size_t iv_length, uint32_t key_index, void *out, size_t capacity,
                            size_t *ret_length, uint64_t timeout_usec) {
        const struct framekey_frame frame = { .size = sizeof(frame), .stream = stream };
        uint8_t end[PACKET_END] = { 0 };
        Exchange x = {
                .frame = &frame,
                .direction = FRAMEKEY_DECRYPT,
                .bytes = sealed,
                .len = length,
                .tail = end,
                .tail_len = sizeof(end),
                .packet = true,
                .room = capacity,
        };
        const uint8_t *plain;
        size_t plain_len;
        uint32_t slot;
        int r;

        if (!iv && iv_length > 0)
                return -EINVAL;
        /* The key index is a byte in every frame, and a packet with another one was not made by a peer. */
        if (iv_length != FRAMEKEY_PACKET_IV_LENGTH || key_index > UINT8_MAX)
                x.verdict = FRAMEKEY_VERDICT_MALFORMED;
        else
                memcpy(end, iv, FRAMEKEY_PACKET_IV_LENGTH);
        end[FRAMEKEY_PACKET_IV_LENGTH] = FRAMEKEY_PACKET_IV_LENGTH;
        end[FRAMEKEY_PACKET_IV_LENGTH + 1] = (uint8_t)key_index;

        r = channel_enter(channel);
        if (r < 0)
                return r;
        r = channel_exchange(channel, &x, timeout_usec, &slot);
        if (r == 0) {
                r = channel->slots.slots[slot].completion.verdict;
                plain = channel_output(channel, slot, &plain_len);
                if (r == 0 && plain_len > capacity)
                        r = -ENOBUFS;
                else if (r == 0) {
                        if (plain_len > 0)
                                memcpy(out, plain, plain_len);
                        if (ret_length)
                                *ret_length = plain_len;
                }
                slots_free(&channel->slots, slot);
        }
        channel_leave(channel);
        return r;
}
