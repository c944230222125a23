/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Layout of the two shared regions of a channel: numbers and structs, no behaviour.
 *
 * Included in the daemon by channel/ring.c alone, in the library by link.h. The layout is shared;
 * ring code is not, because the two ends need different distrust: the daemon believes nothing in
 * the request region, the library believes the daemon. Not installed; both ends come from one
 * build and compare `version` first.
 *
 *   request region (client writes, daemon reads)     response region (daemon writes, client reads)
 *   0      submit line                                0      layout line (constant)
 *   64     completion line                            128    consumed line
 *   4096   entries x 64   descriptors                 192    completion line
 *   ...    payload-in slots, by class                 256    state line
 *                                                     4096   entries x 64   completions
 *                                                     ...    streams x 64   stream table
 *                                                     ...    payload-out slots, by class
 *
 * Slots are numbered through all classes: small 0..n0-1, video n0..n0+n1-1, jumbo after that.
 * Payload-in slot i and payload-out slot i belong together and have the same size. A payload-in
 * slot holds  [metadata <= 512][ranges, 8 bytes each, <= 64][frame].
 *
 * Indices run freely over 32 bits; `entries` is a power of two, an index is masked on use. Each
 * has one writer, and lines of different writers never share a cache line.
 */
#pragma once

#include <stdint.h>

#define FRAMEKEY_ABI_MAGIC        0x314b4d46u /* "FMK1" in memory */
#define FRAMEKEY_ABI_VERSION      2u
#define FRAMEKEY_ABI_LINE         64u
#define FRAMEKEY_ABI_HEADER_SIZE  4096u
#define FRAMEKEY_ABI_CLASSES      3u         /* small (audio), video, jumbo */
#define FRAMEKEY_ABI_FRAME_MAX    (1u << 20) /* longest frame handed in by an application */
#define FRAMEKEY_ABI_SLOT_SMALL   2048u
#define FRAMEKEY_ABI_SLOT_VIDEO   65536u
#define FRAMEKEY_ABI_SLOT_JUMBO   (FRAMEKEY_ABI_FRAME_MAX + 8192u) /* + metadata, ranges, trailer */
#define FRAMEKEY_ABI_METADATA_MAX 512u
#define FRAMEKEY_ABI_RANGES_MAX   64u
#define FRAMEKEY_ABI_ENTRIES_MAX  1024u
#define FRAMEKEY_ABI_STREAMS_MAX  4096u

/* Wake-up by index, as virtio's event idx: the sleeper publishes the index whose passing shall
 * wake it; the other side rings only if moving its index from `before` to `after` passes it. */
#define FRAMEKEY_ABI_PASSES(want, before, after) ((uint32_t)((after) - (want)-1u) < (uint32_t)((after) - (before)))

struct framekey_abi_submit_line { /* writer: client */
        uint32_t submit_index;    /* descriptors made visible so far */
        uint32_t pad[15];
};

struct framekey_abi_reap_line {       /* writer: client */
        uint32_t completion_consumed; /* completions the client is done with */
        uint32_t completion_want;     /* wake me when completion_index passes this */
        uint32_t pad[14];
};

struct framekey_abi_request {
        struct framekey_abi_submit_line submit;
        struct framekey_abi_reap_line reap;
};

struct framekey_abi_layout { /* constant after the channel was made; two lines */
        uint32_t magic;
        uint32_t version;
        uint32_t entries;   /* descriptors = completions, power of two */
        uint32_t n_streams; /* rows of the stream table */
        uint32_t n_slots[FRAMEKEY_ABI_CLASSES];
        uint32_t slot_size[FRAMEKEY_ABI_CLASSES];
        uint32_t request_size;
        uint32_t response_size;
        uint32_t descriptor_offset; /* in the request region */
        uint32_t completion_offset; /* in the response region, like the next */
        uint32_t stream_offset;
        uint32_t in_offset[FRAMEKEY_ABI_CLASSES];  /* first payload-in slot of a class */
        uint32_t out_offset[FRAMEKEY_ABI_CLASSES]; /* first payload-out slot of a class */
        uint32_t pad[11];
};

struct framekey_abi_consumed_line { /* writer: daemon */
        uint32_t consumed_index;    /* descriptors fetched so far */
        uint32_t submit_want;       /* ring the doorbell when submit_index passes this */
        uint32_t pad[14];
};

struct framekey_abi_completion_line { /* writer: daemon */
        uint32_t completion_index;    /* completions made visible so far */
        uint32_t pad[15];
};

enum framekey_abi_state {
        FRAMEKEY_ABI_OPEN = 0,
        FRAMEKEY_ABI_CLOSED = 1,   /* by its owner, an admin, or the end of the session */
        FRAMEKEY_ABI_PROTOCOL = 2, /* the client broke the ring's rules */
};

struct framekey_abi_state_line {    /* writer: daemon */
        uint32_t state;             /* enum framekey_abi_state; never goes back to OPEN */
        uint32_t epoch;             /* changes when another daemon process serves the channel */
        uint32_t stream_generation; /* changes with every change of the stream table */
        uint32_t pad[13];
};

struct framekey_abi_response {
        struct framekey_abi_layout layout;
        struct framekey_abi_consumed_line consumed;
        struct framekey_abi_completion_line completion;
        struct framekey_abi_state_line state;
};

enum framekey_abi_descriptor_flags {
        FRAMEKEY_ABI_NOTE =
                1u << 0, /* no payload: the library could not parse this frame; count `note` as its verdict */
        FRAMEKEY_ABI_START_CODES = 1u << 1, /* DAVE H.26x: retry while the result holds a start code */
        FRAMEKEY_ABI_PACKET = 1u << 2,      /* a data packet: encrypted even if it has 0 bytes */
        FRAMEKEY_ABI_TRANSCRYPT = 1u << 3,  /* opened under `stream`, and sealed under `to_stream` */
};

/* Among the flags of a completion, beside enum framekey_result_flags: of a transcrypted frame, the library escapes it
 * behind its clear bytes. */
#define FRAMEKEY_ABI_ESCAPE (1u << 31)

struct framekey_abi_descriptor {
        uint64_t cookie; /* returned untouched */
        uint32_t stream;
        uint32_t slot;
        uint32_t frame_len;    /* bytes of the frame behind metadata and ranges */
        uint32_t clear_len;    /* leading bytes of the frame that stay clear, <= frame_len */
        uint16_t metadata_len; /* <= FRAMEKEY_ABI_METADATA_MAX, that of `to_stream` included, which comes last */
        uint16_t n_ranges;     /* <= FRAMEKEY_ABI_RANGES_MAX */
        uint16_t flags;        /* enum framekey_abi_descriptor_flags */
        uint8_t frame_type;    /* enum framekey_frame_type */
        uint8_t note;          /* with FRAMEKEY_ABI_NOTE: enum framekey_verdict */
        uint32_t ssrc;
        uint32_t rtp_timestamp;
        /* With FRAMEKEY_ABI_TRANSCRYPT, otherwise 0: */
        uint32_t to_stream;
        uint16_t to_metadata_len; /* <= metadata_len */
        uint8_t to_frame_type;    /* enum framekey_frame_type */
        uint8_t to_codec;         /* enum framekey_codec; 0: that of one of the streams */
        uint32_t pad[3];
};

struct framekey_abi_completion {
        uint64_t cookie;
        uint32_t stream;
        uint32_t slot;
        uint32_t frame_len; /* bytes in the payload-out slot; 0 unless something is delivered */
        uint32_t clear_len; /* as the daemon applied it */
        int32_t verdict;    /* 0, enum framekey_verdict, or negative errno */
        uint32_t step;      /* ratchet step of the key that was used */
        uint32_t flags;     /* enum framekey_result_flags */
        uint16_t key_index; /* key index (low 16 bits of a KID) that was used or asked for */
        uint16_t pad16;
        uint32_t pad[6];
};

struct framekey_abi_stream {
        uint32_t id;         /* the row's own number; the stream's handle */
        uint32_t generation; /* odd while the row is in use */
        uint32_t overhead;   /* most bytes an encrypted frame is longer than the plain one, before escaping */
        uint8_t direction;   /* enum framekey_direction, 0 = row unused */
        uint8_t format;      /* enum framekey_format */
        uint8_t media;       /* enum framekey_media */
        uint8_t codec;       /* enum framekey_codec */
        uint32_t flags;      /* enum framekey_stream_flags */
        uint32_t pad[11];
};

_Static_assert(sizeof(struct framekey_abi_layout) == 2 * FRAMEKEY_ABI_LINE, "layout is two lines");
_Static_assert(sizeof(struct framekey_abi_descriptor) == 64, "descriptor is one line");
_Static_assert(sizeof(struct framekey_abi_completion) == 64, "completion is one line");
_Static_assert(sizeof(struct framekey_abi_stream) == 64, "stream row is one line");
_Static_assert(sizeof(struct framekey_abi_request) <= FRAMEKEY_ABI_HEADER_SIZE, "request header fits");
_Static_assert(sizeof(struct framekey_abi_response) <= FRAMEKEY_ABI_HEADER_SIZE, "response header fits");
