/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The daemon's end of a channel: two sealed regions and two doorbells, and the only code that
 * touches memory a client can write.
 *
 * A request is copied once into private memory and checked there; the caller works on the copy.
 * Masters of all the daemon's indices are private and only mirrored to the client. A client that
 * lies about an index gets RING_BROKEN and the channel is closed; a client that lies in a
 * descriptor gets RING_BAD_REQUEST for that frame. Nothing here blocks, allocates (after
 * ring_new) or waits for the client. Used by one data thread at a time; ring_new, ring_free and
 * ring_set_stream by the main thread while the data thread keeps out.
 */
#pragma once

#include "state/undo.h"
#include "util/util.h"

#define RING_CLASSES      3u
#define RING_METADATA_MAX 512u
#define RING_RANGES_MAX   64u
/* Private room that ring_fetch() needs for the largest payload: metadata, ranges and frame. */
#define RING_SCRATCH_SIZE ((1u << 20) + 8192u)

typedef struct Ring Ring;

/* What another process needs to go on with the ring, besides its descriptors. No pointers, no secrets. */
typedef struct RingState RingState;

typedef struct RingConfig {
        uint32_t n_slots[RING_CLASSES]; /* small (2 kB), video (64 kB), jumbo (1 MiB + 8 kB) */
        uint32_t n_streams;             /* rows of the stream table */
        /* The client has the daemon's uid: seal the response region too. Not if the ring outlives the process, since
         * then nobody could take it over; such a client can forge what its own channel tells it. */
        bool same_uid;
        RingState
                *state; /* ring_state_size() bytes, 8-byte aligned, that outlive the process; NULL: the ring does not */
} RingConfig;

/* What the client gets, in OpenChannel's order. The caller closes them after passing them on. */
typedef struct RingFds {
        int request;
        int response; /* read-only description */
        int doorbell; /* eventfd; the daemon never reads or writes it */
        int wakeup;   /* a socket whose other end only the daemon holds; to be read only */
} RingFds;

/* What the daemon keeps of a ring that outlives the process. */
typedef struct RingKept {
        int request;
        int response;
        int doorbell;
        int wakeup;
} RingKept;

typedef enum RingOutcome {
        RING_EMPTY = 1,   /* nothing submitted */
        RING_FULL,        /* the completion ring is full: take nothing until the client reaps */
        RING_BAD_REQUEST, /* fetched, but the descriptor or its lengths are wrong: complete it as refused */
        RING_BROKEN,      /* an index lies: close the channel */
} RingOutcome;

/* A request in private memory. Pointers point into the caller's scratch. */
typedef struct RingRequest {
        uint64_t cookie;
        uint32_t stream;
        uint32_t slot;
        uint32_t flags; /* enum ring_request_flags */
        uint32_t ssrc;
        uint32_t rtp_timestamp;
        uint8_t frame_type; /* enum framekey_frame_type, unchecked */
        uint8_t note;       /* with RING_REQUEST_NOTE: the verdict the library gave, unchecked */
        uint32_t n_ranges;
        const uint8_t *ranges; /* n_ranges x { u32 offset, u32 size }, unchecked */
        uint32_t metadata_len; /* without what is for `to_stream` */
        const uint8_t *metadata;
        uint32_t to_stream; /* with RING_REQUEST_TRANSCRYPT, as the next four */
        uint32_t to_metadata_len;
        const uint8_t *to_metadata;
        uint8_t to_frame_type; /* unchecked, as the next */
        uint8_t to_codec;
        uint32_t frame_len;
        uint32_t clear_len; /* <= frame_len */
        uint8_t *frame;
        uint32_t out_max; /* size of the payload-out slot */
} RingRequest;

typedef enum RingRequestFlags {
        RING_REQUEST_NOTE = 1u << 0,
        RING_REQUEST_START_CODES = 1u << 1,
        RING_REQUEST_PACKET = 1u << 2,
        RING_REQUEST_TRANSCRYPT = 1u << 3,
} RingRequestFlags;

typedef struct RingCompletion {
        int32_t verdict;
        uint32_t frame_len;
        uint32_t clear_len;
        uint32_t step;
        uint32_t flags;
        uint16_t key_index;
} RingCompletion;

typedef struct RingStream {
        uint8_t direction; /* 0: the row is free */
        uint8_t format;
        uint8_t media;
        uint8_t codec;
        uint32_t overhead;
        uint32_t flags;
} RingStream;

typedef enum RingClosed {
        RING_CLOSED_BY_OWNER = 1,
        RING_CLOSED_PROTOCOL = 2,
} RingClosed;

/* Checks the configuration (at least one slot, at most 1023 slots and 4096 streams in all).
 * 0; -EINVAL; -ENOMEM, -EMFILE, -ENFILE; -ENOENT, -ENOSYS: no usable /proc, without which no read-only descriptor. */
int ring_new(Ring **ret, const RingConfig *config, RingFds *ret_fds);
/* Marks the channel closed if it is not yet, wakes the client, unmaps. Takes NULL; returns NULL. */
Ring *ring_free(Ring *ring);
DEFINE_CLEANUP(Ring, ring_free)
/* Bytes of both regions when every page is in use, and of the wake-up: what a quota counts. 0 if ring_new() would
 * refuse.
 */
uint64_t ring_size(const RingConfig *config);

/* Of the state in RingConfig; 0 if ring_new() would refuse. */
size_t ring_state_size(const RingConfig *config);
/* How the ring was made that this is the state of. 0; -EBADMSG: of none, or of another version of the daemon. */
int ring_state_config(RingState *state, RingConfig *ret);
/* Descriptors to keep beside the state; they stay the ring's. */
void ring_kept_fds(const Ring *ring, RingKept *ret);
/* They are kept: closes those that the ring itself needs no more. */
void ring_kept(Ring *ring);
/* From now on the ring is another process's: ring_free() does not close it for the client. */
void ring_leave(Ring *ring);
/* Takes over the ring of a former process, where its last committed turn ended. Takes the descriptors; -EBADF is left
 * behind for each that was taken. Nothing is believed of what they are. The client is told by ring_resume(), when the
 * streams are set. 0; -EBADMSG: they are not those of this state; -ENOMEM. */
int ring_adopt(Ring **ret, RingState *state, RingKept *fds);
void ring_resume(Ring *ring);

/* To watch with EPOLLIN | EPOLLET. The client holds the same description, so closing ours does not end the watch:
 * EPOLL_CTL_DEL before ring_free(). */
int ring_doorbell_fd(const Ring *ring);
/* To watch for EPOLLHUP: the last holder of the client's end is gone. */
int ring_wakeup_fd(const Ring *ring);

/* Asks for the memory of the next ring_fetch(): the ring itself, and in step 1, when that is here, what it looks at. */
void ring_prefetch(const Ring *ring, unsigned step);
/* Takes one request: descriptor and payload are copied to `scratch` (RING_SCRATCH_SIZE bytes, private).
 * 0, RING_BAD_REQUEST (ret_request has cookie, stream and slot, nothing else), RING_EMPTY, RING_FULL, RING_BROKEN.
 * After 0 and RING_BAD_REQUEST exactly one ring_complete() must follow before the next fetch. */
int ring_fetch(Ring *ring, uint8_t *scratch, RingRequest *ret_request);
/* Writes the completion of the request fetched last, and its payload, completion->frame_len <= out_max
 * bytes; `payload` may be NULL with 0 bytes. Not visible to the client before ring_publish(). */
void ring_complete(Ring *ring, const RingRequest *request, const RingCompletion *completion, const uint8_t *payload);
/* Ends a turn of a ring that has a state, and a thread's where others do: completions, and what was noted in `undo`,
 * will be there for whoever takes over. Under the locks of all that was noted. */
void ring_commit(Ring *ring, Undo *undo);
/* After the commit: makes completions visible and rings the client if it asked to be woken. Cheap if there are none. */
void ring_publish(Ring *ring);
/* Asks for the doorbell. True: nothing was submitted meanwhile, the thread may sleep. False: go on fetching. */
bool ring_rest(Ring *ring);
/* How many requests wait and can be completed now; 0 also for a broken or closed ring. Does not touch descriptors. */
uint32_t ring_pending(const Ring *ring);
/* Sets or frees a row of the stream table; one that says so already is left as it is. */
void ring_set_stream(Ring *ring, uint32_t row, const RingStream *stream);
/* Tells the client and wakes it; fetches answer RING_BROKEN from now on. */
void ring_close(Ring *ring, RingClosed why);
