/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * LiveKit's frame metadata trailer (formats/trailer-frames, section 5): behind the encrypted frame,
 * in clear, unauthenticated, hostile.
 *
 *   ... frame | (tag, length, value, each byte ^ ff)* | total length ^ ff | "LKTS"
 *
 * The total length counts itself and the magic. Numbers are big-endian. Pure.
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include <framekey.h>

#define MAGIC_LEN    4u
#define ENVELOPE_LEN (MAGIC_LEN + 1u)
#define TLV_LEN      2u /* tag and length */

enum {
        TAG_USER_TIMESTAMP = 1,
        TAG_FRAME_ID = 2,
        TAG_USER_DATA = 3,
};

static const uint8_t magic[MAGIC_LEN] = { 'L', 'K', 'T', 'S' };

static uint8_t *put_number(uint8_t *to, uint8_t tag, uint64_t value, uint8_t length) {
        *to++ = (uint8_t)~tag;
        *to++ = (uint8_t)~length;
        for (unsigned i = 0; i < length; i++)
                *to++ = (uint8_t) ~(value >> 8 * (length - 1u - i));
        return to;
}

static uint8_t *put_bytes(uint8_t *to, uint8_t tag, const uint8_t *bytes, uint8_t length) {
        *to++ = (uint8_t)~tag;
        *to++ = (uint8_t)~length;
        for (unsigned i = 0; i < length; i++)
                *to++ = (uint8_t)~bytes[i];
        return to;
}

static size_t trailer_length(const struct framekey_trailer *trailer) {
        size_t length = 0;

        if (trailer->fields & FRAMEKEY_TRAILER_USER_TIMESTAMP)
                length += TLV_LEN + sizeof(trailer->user_timestamp);
        if (trailer->fields & FRAMEKEY_TRAILER_FRAME_ID)
                length += TLV_LEN + sizeof(trailer->frame_id);
        if (trailer->fields & FRAMEKEY_TRAILER_USER_DATA)
                length += TLV_LEN + trailer->user_data_length;
        return length ? length + ENVELOPE_LEN : 0;
}

int framekey_trailer_append(void *frame, size_t length, size_t capacity, const struct framekey_trailer *trailer,
                            size_t *ret_length) {
        const uint32_t known = FRAMEKEY_TRAILER_USER_TIMESTAMP | FRAMEKEY_TRAILER_FRAME_ID | FRAMEKEY_TRAILER_USER_DATA;
        size_t total;
        uint8_t *to;

        if (!frame || !trailer || !ret_length || trailer->size < sizeof(*trailer) || length > capacity ||
            trailer->fields & ~known || trailer->user_data_length > FRAMEKEY_TRAILER_USER_DATA_MAX)
                return -EINVAL;
        total = length > 0 ? trailer_length(trailer) : 0;
        if (total > FRAMEKEY_TRAILER_MAX)
                return -EINVAL;
        if (total > capacity - length)
                return -ENOBUFS;
        *ret_length = length + total;
        if (total == 0)
                return 0;

        to = (uint8_t *)frame + length;
        if (trailer->fields & FRAMEKEY_TRAILER_USER_TIMESTAMP)
                to = put_number(to, TAG_USER_TIMESTAMP, trailer->user_timestamp, sizeof(trailer->user_timestamp));
        if (trailer->fields & FRAMEKEY_TRAILER_FRAME_ID)
                to = put_number(to, TAG_FRAME_ID, trailer->frame_id, sizeof(trailer->frame_id));
        if (trailer->fields & FRAMEKEY_TRAILER_USER_DATA)
                to = put_bytes(to, TAG_USER_DATA, trailer->user_data, (uint8_t)trailer->user_data_length);
        *to++ = (uint8_t)~total;
        memcpy(to, magic, MAGIC_LEN);
        return 0;
}

static uint64_t get_number(const uint8_t *bytes, size_t length) {
        uint64_t value = 0;

        for (size_t i = 0; i < length; i++)
                value = value << 8 | (uint8_t)~bytes[i];
        return value;
}

/* Takes one field; unknown ones and known ones of another length are passed over. */
static void get_field(struct framekey_trailer *trailer, uint8_t tag, const uint8_t *value, size_t length) {
        if (tag == TAG_USER_TIMESTAMP && length == sizeof(trailer->user_timestamp)) {
                trailer->user_timestamp = get_number(value, length);
                trailer->fields |= FRAMEKEY_TRAILER_USER_TIMESTAMP;
        } else if (tag == TAG_FRAME_ID && length == sizeof(trailer->frame_id)) {
                trailer->frame_id = (uint32_t)get_number(value, length);
                trailer->fields |= FRAMEKEY_TRAILER_FRAME_ID;
        } else if (tag == TAG_USER_DATA && length <= FRAMEKEY_TRAILER_USER_DATA_MAX) {
                for (size_t i = 0; i < length; i++)
                        trailer->user_data[i] = (uint8_t)~value[i];
                trailer->user_data_length = (uint32_t)length;
                trailer->fields |= FRAMEKEY_TRAILER_USER_DATA;
        }
}

int framekey_trailer_strip(const void *frame, size_t length, struct framekey_trailer *ret_trailer, size_t *ret_length) {
        struct framekey_trailer trailer = { .size = sizeof(trailer) };
        const uint8_t *bytes = frame;
        size_t total, at, end;

        if (!ret_trailer || !ret_length || ret_trailer->size < sizeof(*ret_trailer))
                return -EINVAL;
        if (length < ENVELOPE_LEN || memcmp(bytes + length - MAGIC_LEN, magic, MAGIC_LEN) != 0)
                return 0;
        total = (uint8_t)~bytes[length - ENVELOPE_LEN];
        if (total < ENVELOPE_LEN || total > length)
                return 0;

        end = length - ENVELOPE_LEN;
        for (at = length - total; end - at >= TLV_LEN;) {
                uint8_t tag = (uint8_t)~bytes[at];
                size_t value_len = (uint8_t)~bytes[at + 1];

                at += TLV_LEN;
                if (value_len > end - at)
                        break;
                get_field(&trailer, tag, bytes + at, value_len);
                at += value_len;
        }
        /* Peers strip only what holds a field they know: an encrypted frame that ends so by chance stays whole. */
        if (trailer.fields == 0)
                return 0;
        trailer.size = ret_trailer->size;
        *ret_trailer = trailer;
        *ret_length = length - total;
        return 1;
}
