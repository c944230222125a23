/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Clear ranges of DAVE, see dave-ranges.h.
 *
 * A frame is walked through from its first byte to its last, and each piece of it is given to a
 * sink, as clear or as encrypted. Planning and writing are the same walk: while planning the sink
 * has nowhere to write to.
 */
#include <string.h>

#include "codec/dave-ranges.h"

/* What a trailer of 255 bytes has for ranges: less tag (8), longest nonce (5), size byte and marker (3). */
#define ENCODED_MAX 239u

#define VP8_CLEAR_KEY   10u
#define VP8_CLEAR_DELTA 1u

#define H264_HEADER_LEN 1u
#define H265_HEADER_LEN 2u
/* Exp-Golomb codes of 32 bits have at most so many leading zeros. */
#define GOLOMB_ZEROS_MAX 31u

#define OBU_EXTENSION 0x04u
#define OBU_HAS_SIZE  0x02u
#define OBU_FORBIDDEN 0x80u
#define OBU_SIZE_MAX  8u /* bytes of a size, AV1 bitstream 4.10.5 */
#define OBU_DELIMITER 2u
#define OBU_TILE_LIST 8u
#define OBU_PADDING   15u

static const uint8_t long_start_code[] = { 0, 0, 0, 1 };

/* ---- the sink ---- */

typedef struct Sink {
        DaveRanges *plan;
        uint8_t *to;    /* NULL while planning */
        size_t at;      /* in the frame to encrypt */
        size_t encoded; /* length of the ranges in the trailer */
} Sink;

static size_t number_len(uint64_t value) {
        size_t n = 1;

        for (; value >= 0x80; value >>= 7)
                n++;
        return n;
}

/* The range that the next clear bytes extend, or NULL if they begin a new one. */
static FrameRange *adjacent(const Sink *sink) {
        DaveRanges *plan = sink->plan;
        FrameRange *last;

        if (plan->n_ranges == 0)
                return NULL;
        last = &plan->ranges[plan->n_ranges - 1];
        return last->offset + last->size == sink->at ? last : NULL;
}

/* Length of all ranges in the trailer once `len` more bytes are clear. */
static size_t encoded_with(const Sink *sink, size_t len) {
        const FrameRange *range = adjacent(sink);

        if (range)
                return sink->encoded - number_len(range->size) + number_len(range->size + len);
        return sink->encoded + number_len(sink->at) + number_len(len);
}

static bool has_room(const Sink *sink, size_t len) {
        return (adjacent(sink) || sink->plan->n_ranges < DAVE_RANGES_LIMIT) && encoded_with(sink, len) <= ENCODED_MAX;
}

static void put(Sink *sink, const uint8_t *bytes, size_t len) {
        if (sink->to && len > 0)
                memmove(sink->to + sink->at, bytes, len);
        sink->at += len;
}

/* Only where there is room. */
static void put_clear(Sink *sink, const uint8_t *bytes, size_t len) {
        FrameRange *range = adjacent(sink);

        if (len == 0)
                return;
        sink->encoded = encoded_with(sink, len);
        if (range)
                range->size += (uint32_t)len;
        else
                sink->plan->ranges[sink->plan->n_ranges++] = (FrameRange){ (uint32_t)sink->at, (uint32_t)len };
        put(sink, bytes, len);
}

/* ---- H.264 and H.265 ---- */

/* From its start code to the next one, or to the end of the frame. */
typedef struct NalUnit {
        size_t begin;
        size_t header;
        size_t end;
} NalUnit;

/* Position behind the next 00 00 01 that has a byte behind it; `len` if there is none. */
static size_t next_header(const uint8_t *frame, size_t len, size_t from) {
        while (len - from > 3) {
                const uint8_t *one = memchr(frame + from + 2, 1, len - from - 3);

                if (!one)
                        break;
                if (one[-1] == 0 && one[-2] == 0)
                        return (size_t)(one - frame) + 1;
                from = (size_t)(one - frame) + 1;
        }
        return len;
}

/* Where the start code in front of this header begins, if nothing before `from` belongs to it. */
static size_t start_code_begin(const uint8_t *frame, size_t header, size_t from) {
        return header - from > 3 && frame[header - 4] == 0 ? header - 4 : header - 3;
}

static NalUnit unit_at(const uint8_t *frame, size_t len, size_t from, size_t header) {
        size_t next = next_header(frame, len, header);

        return (NalUnit){
                .begin = start_code_begin(frame, header, from),
                .header = header,
                .end = next < len ? start_code_begin(frame, next, header) : len,
        };
}

/* Three numbers of a slice header (H.264, 7.3.3 and 9.1), bit by bit. */
typedef struct Golomb {
        unsigned n_read;
        unsigned n_zeros; /* so many bits follow the next one */
        unsigned n_bits;  /* still to come of this number */
} Golomb;

/* Whether all three are read. */
static bool golomb_take(Golomb *golomb, bool bit) {
        if (golomb->n_bits > 0) {
                if (--golomb->n_bits == 0)
                        golomb->n_read++;
        } else if (!bit) {
                golomb->n_zeros++;
        } else {
                golomb->n_bits = golomb->n_zeros;
                golomb->n_zeros = 0;
                if (golomb->n_bits == 0)
                        golomb->n_read++;
        }
        return golomb->n_read == 3;
}

static bool golomb_take_byte(Golomb *golomb, uint8_t byte) {
        for (unsigned bit = 8; bit-- > 0;)
                if (golomb_take(golomb, byte >> bit & 1))
                        return true;
        return false;
}

/* Bytes of a slice that hold first_mb_in_slice, slice_type and pic_parameter_set_id; 0 if it ends within them. */
static size_t slice_numbers_len(const uint8_t *bytes, size_t len) {
        Golomb golomb = { 0 };
        unsigned n_zero_bytes = 0;

        for (size_t i = 0; i < len && golomb.n_zeros <= GOLOMB_ZEROS_MAX; i++) {
                if (n_zero_bytes >= 2 && bytes[i] == 3) { /* emulation prevention */
                        n_zero_bytes = 0;
                        continue;
                }
                n_zero_bytes = bytes[i] == 0 ? n_zero_bytes + 1 : 0;
                if (golomb_take_byte(&golomb, bytes[i]))
                        return i + 1;
        }
        return 0;
}

/* How many bytes of a unit stay clear behind its start code. */
static size_t h264_clear(const uint8_t *unit, size_t len) {
        unsigned type = unit[0] & 0x1f;

        if (type >= 7 && type <= 15)
                return len;
        if (type == 1 || type == 5)
                return H264_HEADER_LEN + slice_numbers_len(unit + H264_HEADER_LEN, len - H264_HEADER_LEN);
        return H264_HEADER_LEN;
}

static size_t h265_clear(const uint8_t *unit, size_t len) {
        unsigned type = unit[0] >> 1 & 0x3f;

        if (len < H265_HEADER_LEN)
                return 0;
        return type >= 32 && type <= 38 ? len : H265_HEADER_LEN;
}

static bool all_zero(const uint8_t *bytes, size_t len) {
        for (size_t i = 0; i < len; i++)
                if (bytes[i] != 0)
                        return false;
        return true;
}

/* False: not a frame of NAL units. Zeros in front of the first start code are none of anybody's data; other bytes
 * would get lost on the way through a packetiser. */
static bool walk_h26x(Sink *sink, enum framekey_codec codec, const uint8_t *frame, size_t len) {
        size_t header = next_header(frame, len, 0);
        NalUnit unit = { 0 };

        if (header == len || !all_zero(frame, header - 3))
                return false;
        for (size_t from = 0; header < len; from = unit.end, header = next_header(frame, len, unit.end)) {
                size_t clear;

                unit = unit_at(frame, len, from, header);
                clear = unit.end == unit.header        ? 0
                        : codec == FRAMEKEY_CODEC_H264 ? h264_clear(frame + header, unit.end - header)
                                                       : h265_clear(frame + header, unit.end - header);
                if (!has_room(sink, sizeof(long_start_code) + clear)) {
                        /* From here on all is the payload of the unit before. */
                        put(sink, frame + unit.begin, len - unit.begin);
                        return true;
                }
                sink->plan->room += sizeof(long_start_code) - (header - unit.begin);
                put_clear(sink, long_start_code, sizeof(long_start_code));
                put_clear(sink, frame + header, clear);
                put(sink, frame + header + clear, unit.end - header - clear);
        }
        return true;
}

/* ---- AV1 ---- */

typedef struct Obu {
        uint8_t header, extension;
        size_t payload;
        size_t payload_len;
} Obu;

/* Reads a size (AV1 bitstream, 4.10.5). False if it does not end in time. */
static bool obu_size_parse(const uint8_t *frame, size_t len, size_t *at, uint64_t *ret) {
        uint64_t value = 0;

        for (unsigned i = 0; i < OBU_SIZE_MAX && *at < len; i++) {
                uint8_t byte = frame[(*at)++];

                value |= (uint64_t)(byte & 0x7f) << (7 * i);
                if (!(byte & 0x80)) {
                        *ret = value;
                        return true;
                }
        }
        return false;
}

static size_t obu_size_write(uint8_t to[OBU_SIZE_MAX], size_t value) {
        size_t n = 0;

        for (; value >= 0x80; value >>= 7)
                to[n++] = (uint8_t)(value | 0x80);
        to[n++] = (uint8_t)value;
        return n;
}

/* The OBU at `at`; false if it is malformed. The next one begins behind its payload. */
static bool obu_parse(const uint8_t *frame, size_t len, size_t at, Obu *ret) {
        uint64_t size;

        ret->header = frame[at++];
        if (ret->header & OBU_FORBIDDEN)
                return false;
        if (ret->header & OBU_EXTENSION) {
                if (at == len)
                        return false;
                ret->extension = frame[at++];
        }
        size = len - at;
        if (ret->header & OBU_HAS_SIZE && (!obu_size_parse(frame, len, &at, &size) || size > len - at))
                return false;
        ret->payload = at;
        ret->payload_len = (size_t)size;
        return true;
}

/* Packetisers drop the others. */
static bool obu_is_kept(const Obu *obu) {
        unsigned type = obu->header >> 3 & 0xf;

        return type != OBU_DELIMITER && type != OBU_TILE_LIST && type != OBU_PADDING;
}

static bool put_obu(Sink *sink, const uint8_t *frame, const Obu *obu, bool is_last) {
        uint8_t clear[2 + OBU_SIZE_MAX];
        size_t len = 0;

        /* The trailer that follows has to look like the end of the last one. */
        clear[len++] = is_last ? (uint8_t)(obu->header & ~OBU_HAS_SIZE) : obu->header;
        if (obu->header & OBU_EXTENSION)
                clear[len++] = obu->extension;
        if (clear[0] & OBU_HAS_SIZE)
                len += obu_size_write(clear + len, obu->payload_len);
        if (!has_room(sink, len))
                return false;
        put_clear(sink, clear, len);
        put(sink, frame + obu->payload, obu->payload_len);
        return true;
}

/* False: not a frame of OBUs, or one of more than there can be ranges. */
static bool walk_av1(Sink *sink, const uint8_t *frame, size_t len) {
        size_t last = len;
        Obu obu = { 0 };

        for (size_t at = 0; at < len; at = obu.payload + obu.payload_len) {
                if (!obu_parse(frame, len, at, &obu))
                        return false;
                if (obu_is_kept(&obu))
                        last = at;
        }
        for (size_t at = 0; at < len; at = obu.payload + obu.payload_len) {
                if (!obu_parse(frame, len, at, &obu))
                        return false;
                if (obu_is_kept(&obu) && !put_obu(sink, frame, &obu, at == last))
                        return false;
        }
        return true;
}

/* ---- all ---- */

static bool walk_vp8(Sink *sink, const uint8_t *frame, size_t len) {
        size_t clear;

        if (len == 0)
                return false;
        clear = frame[0] & 1 ? VP8_CLEAR_DELTA : VP8_CLEAR_KEY;
        if (len < clear)
                return false;
        put_clear(sink, frame, clear);
        put(sink, frame + clear, len - clear);
        return true;
}

static bool walk(Sink *sink, enum framekey_codec codec, const uint8_t *frame, size_t len) {
        switch (codec) {
        case FRAMEKEY_CODEC_VP8:
                return walk_vp8(sink, frame, len);
        case FRAMEKEY_CODEC_H264:
        case FRAMEKEY_CODEC_H265:
                return walk_h26x(sink, codec, frame, len);
        case FRAMEKEY_CODEC_AV1:
                return walk_av1(sink, frame, len);
        default:
                return false;
        }
}

void dave_ranges_plan(enum framekey_codec codec, const uint8_t *frame, size_t len, DaveRanges *ret) {
        Sink sink = { .plan = ret };

        ret->n_ranges = 0;
        ret->room = len;
        ret->scan = codec == FRAMEKEY_CODEC_H264 || codec == FRAMEKEY_CODEC_H265;
        if (walk(&sink, codec, frame, len)) {
                ret->len = sink.at;
                ret->rewritten = codec != FRAMEKEY_CODEC_VP8;
                return;
        }
        ret->n_ranges = 0;
        ret->room = len;
        ret->len = len;
        ret->rewritten = false;
}

size_t dave_ranges_write(const DaveRanges *plan, enum framekey_codec codec, const uint8_t *frame, size_t len,
                         uint8_t *ret) {
        DaveRanges scratch = { 0 };
        Sink sink = { .plan = &scratch, .to = ret };

        if (!plan->rewritten) {
                if (len > 0)
                        memmove(ret, frame, len);
                return len;
        }
        /* In place the frame first makes way by what will be added, and what is written never overtakes what is
         * read. */
        if (ret == frame) {
                memmove(ret + (plan->room - len), frame, len);
                frame = ret + (plan->room - len);
        }
        (void)walk(&sink, codec, frame, len); /* it has succeeded before */
        return sink.at;
}
