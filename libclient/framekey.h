/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * @file framekey.h
 * The data plane of framekeyd: encrypt and decrypt encoded media frames with keys that this
 * process never sees.
 *
 * A channel is a pair of shared-memory regions and two doorbells, handed out by the daemon's
 * `Session.OpenChannel`. This library needs nothing but these descriptors: no bus, no
 * configuration, no thread, no signal, no global state, and no allocation per frame.
 * `libframekey-bus` opens channels; any other bus client can too, and can pass the descriptors
 * on to a sandboxed process.
 *
 * Results. Every function that works on a frame answers
 *   0    done: the output is valid;
 *   > 0  a verdict about the frame, `enum framekey_verdict`: expected, counted by the daemon,
 *        never worth a log line of its own. framekey_verdict_delivers() tells which verdicts come
 *        with output (empty and server-injected frames);
 *   < 0  a negative errno: something on *our* side failed. Nothing was written to the output.
 *
 * Threads. All functions may be called from any thread; calls on one channel exclude each other
 * (a blocking call holds the channel until it returns). Use one channel a thread for parallelism.
 * After fork() the child's calls answer -ECHILD; the parent goes on.
 *
 * Errors common to all calls on a channel: -EPIPE the channel was closed by its owner, an
 * admin or the end of the session; -EPROTO the daemon closed it because the ring was violated;
 * -ESTALE the daemon ended without keeping this channel, get new descriptors; -ECHILD called
 * in a forked child.
 *
 * Restarts. A daemon that keeps its channels is missed by nobody: what was submitted is answered by
 * the next one, each frame once, and calls that wait go on waiting until their timeout. While the
 * service manager has the channel for the next daemon it is not stale, however long that takes.
 */
#ifndef FRAMEKEY_H
#define FRAMEKEY_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#ifdef __GNUC__
#pragma GCC visibility push(default) /* also where the including code hides its symbols by default */
#endif

/** Longest frame that can be encrypted or decrypted, in bytes (1 MiB before encryption). */
#define FRAMEKEY_FRAME_MAX (1u << 20)
/** Longest metadata that can be authenticated with a frame (SFrame), in bytes. */
#define FRAMEKEY_METADATA_MAX 512u
/** Wait without limit. */
#define FRAMEKEY_TIMEOUT_INFINITE UINT64_MAX

typedef struct framekey_channel framekey_channel;

enum framekey_direction {
        FRAMEKEY_ENCRYPT = 1,
        FRAMEKEY_DECRYPT = 2,
};

enum framekey_format {
        FRAMEKEY_FORMAT_LIVEKIT = 1,
        FRAMEKEY_FORMAT_REALTIMEKIT = 2,
        FRAMEKEY_FORMAT_JITSI = 3,
        FRAMEKEY_FORMAT_SFRAME = 4,
        FRAMEKEY_FORMAT_DAVE = 5,
};

enum framekey_media {
        FRAMEKEY_MEDIA_AUDIO = 1,
        FRAMEKEY_MEDIA_VIDEO = 2,
        FRAMEKEY_MEDIA_DATA = 3, /**< opaque bytes, nothing stays clear */
};

enum framekey_codec {
        FRAMEKEY_CODEC_UNKNOWN = 0, /**< in a frame: take the stream's codec */
        FRAMEKEY_CODEC_OPUS = 1,
        FRAMEKEY_CODEC_RED = 2, /**< Opus in RED; treated as audio */
        FRAMEKEY_CODEC_PCMU = 3,
        FRAMEKEY_CODEC_PCMA = 4,
        FRAMEKEY_CODEC_G722 = 5,
        FRAMEKEY_CODEC_AUDIO = 6, /**< any other audio codec */
        FRAMEKEY_CODEC_VP8 = 16,
        FRAMEKEY_CODEC_VP9 = 17,
        FRAMEKEY_CODEC_AV1 = 18,
        FRAMEKEY_CODEC_H264 = 19,
        FRAMEKEY_CODEC_H265 = 20,
        FRAMEKEY_CODEC_DATA = 32,
};

/** What the encoder says of a video frame; formats with 10/3 clear bytes depend on it. */
enum framekey_frame_type {
        FRAMEKEY_FRAME_UNSPECIFIED = 0, /**< audio and data; for video taken from the bytes where the codec tells */
        FRAMEKEY_FRAME_KEY = 1,
        FRAMEKEY_FRAME_DELTA = 2,
        FRAMEKEY_FRAME_EMPTY = 3, /**< the browsers' third type; not the same as a frame of 0 bytes */
};

/** What became of a frame. framekey_verdict_text() says what to do about each. */
enum framekey_verdict {
        FRAMEKEY_OK = 0,
        FRAMEKEY_VERDICT_EMPTY = 1,           /**< 0 bytes in, 0 bytes out, no key used; delivered */
        FRAMEKEY_VERDICT_SERVER_INJECTED = 2, /**< known blank frame of the media server, marker removed; delivered */
        FRAMEKEY_VERDICT_FORGED = 3,          /**< authentication failed under every key that could apply */
        FRAMEKEY_VERDICT_REPLAYED = 4,        /**< a frame with this IV was accepted before: a copy, or made from one */
        FRAMEKEY_VERDICT_UNKNOWN_KEY = 5,     /**< no key under the frame's index; encrypt: no active key yet */
        FRAMEKEY_VERDICT_TOO_OLD = 6,         /**< its key was retired, or it is older than the replay window */
        FRAMEKEY_VERDICT_BUDGET = 7,          /**< not tried: too many undecryptable frames from this sender */
        FRAMEKEY_VERDICT_MALFORMED = 8,       /**< not a frame of this format (length, trailer, IV length) */
        FRAMEKEY_VERDICT_TOO_SHORT = 9,       /**< encrypt: shorter than the part that must stay clear */
        FRAMEKEY_VERDICT_UNSUPPORTED = 10,    /**< this format cannot carry this codec */
        FRAMEKEY_VERDICT_LIMIT = 11,          /**< encrypt: the key's use limit or age is reached; rotate */
        FRAMEKEY_VERDICT_REFUSED = 12,        /**< no such stream, wrong direction, or bad descriptor */
        FRAMEKEY_VERDICT_LOCKED = 13,         /**< an admin locked the service */
        FRAMEKEY_VERDICT_TOO_LONG = 14,       /**< over FRAMEKEY_FRAME_MAX or no slot of that size */
        FRAMEKEY_VERDICT_UNENCRYPTED = 15,    /**< not encrypted, and passed by the owner's permission; delivered */
        FRAMEKEY_VERDICT_MAX = 16,
};

/** Name of a verdict ("forged"), as printed by the tools and used on the bus; "?" if unknown. Static. */
const char *framekey_verdict_name(int verdict);
/** One sentence that says what a verdict means and what to do; also takes negative errno values. Static. */
const char *framekey_verdict_text(int verdict);
/** Whether output was delivered: true for FRAMEKEY_OK, _EMPTY, _SERVER_INJECTED and _UNENCRYPTED. */
int framekey_verdict_delivers(int verdict);

/** Names as used on the bus ("vp8", "audio", "livekit", "encrypt"); NULL or 0 if unknown. Static.
 * Codec 0 and frame type 0 have names too: "unknown" and "unspecified". */
const char *framekey_codec_name(enum framekey_codec codec);
enum framekey_codec framekey_codec_from_name(const char *name);
const char *framekey_media_name(enum framekey_media media);
enum framekey_media framekey_media_from_name(const char *name);
const char *framekey_format_name(enum framekey_format format);
enum framekey_format framekey_format_from_name(const char *name);
const char *framekey_direction_name(enum framekey_direction direction);
enum framekey_direction framekey_direction_from_name(const char *name);
const char *framekey_frame_type_name(enum framekey_frame_type type);
enum framekey_frame_type framekey_frame_type_from_name(const char *name);

/** What the caller knows of a frame. Zero everything, set `size`, then what applies. */
struct framekey_frame {
        uint32_t size;          /**< sizeof(struct framekey_frame) */
        uint32_t stream;        /**< from Session.AddStream */
        uint8_t frame_type;     /**< enum framekey_frame_type */
        uint8_t codec;          /**< enum framekey_codec; UNKNOWN = the stream's */
        uint16_t reserved;      /**< 0 */
        uint32_t ssrc;          /**< of its RTP packets, 0 if unknown; SFrame's per-stream keys go by the stream */
        uint32_t rtp_timestamp; /**< informative */
        uint32_t metadata_len;  /**< bytes at `metadata`, <= FRAMEKEY_METADATA_MAX; SFrame, else unsupported */
        const void *metadata;   /**< authenticated, not sent: both ends give the same; read before the call returns */
};

enum framekey_result_flags {
        FRAMEKEY_RESULT_NEW_KEY = 1u << 0,         /**< first frame of this stream under this key or step */
        FRAMEKEY_RESULT_KEYFRAME_WANTED = 1u << 1, /**< encrypt: make the next video frame a key frame */
        FRAMEKEY_RESULT_REQUEST_KEYFRAME =
                1u << 2, /**< decrypt: recovered after failures; ask the sender for a key frame */
        FRAMEKEY_RESULT_RATCHET_SOON = 1u << 3, /**< encrypt: the key nears its limit */
        FRAMEKEY_RESULT_OUTGOING = 1u << 4,     /**< transcrypt: it was opened; the verdict is of the encrypting half */
};

/** What became of a frame. */
struct framekey_result {
        uint32_t size;   /**< sizeof(struct framekey_result), set by the caller */
        int32_t verdict; /**< 0, enum framekey_verdict, or negative errno */
        uint32_t stream;
        uint32_t length;    /**< bytes of output; 0 unless framekey_verdict_delivers() */
        uint32_t key_index; /**< key index that was used or asked for; SFrame: the low 16 bits of the KID */
        uint32_t step;      /**< ratchet step of that key; DAVE: its generation */
        uint32_t flags;     /**< enum framekey_result_flags */
        uint32_t slot;      /**< for framekey_take() and framekey_release() */
        uint64_t cookie;    /**< as given to framekey_submit() */
        /** The output in shared memory, read-only, valid until framekey_release(); NULL where the
         * codec needs a last step on the way out (H.264/H.265 escaping): then framekey_take(). */
        const void *data;
};

/**
 * Takes over a channel from its descriptors, in the order of OpenChannel's reply: request region,
 * response region, doorbell (eventfd), wake-up (socket, to be read only).
 * The descriptors are duplicated; the caller still owns and closes the ones it passed.
 * Returns 0; -EINVAL n_fds is not 4; -EPROTO these are not a channel's descriptors, or of another
 * version of the daemon; -EPIPE the channel is closed already; -ENOMEM, -EMFILE.
 */
int framekey_channel_new_from_fds(framekey_channel **ret_channel, const int *fds, size_t n_fds);
/** Ends the caller's use: unmaps, closes; frames in flight are forgotten. Takes NULL; returns NULL. */
framekey_channel *framekey_channel_free(framekey_channel *channel);

/** A descriptor that polls readable when completions are waiting, *after* framekey_reap() said 0.
 * Owned by the channel; only poll it. The first call makes it and can fail: -EMFILE, -ENFILE, -ENOMEM; -ECHILD. */
int framekey_channel_get_fd(framekey_channel *channel);

/** Facts of a stream, from the daemon's stream table. Out pointers may be NULL.
 * Returns 0; -ENOENT no such stream (now); common errors. */
int framekey_stream_get(framekey_channel *channel, uint32_t stream, enum framekey_direction *ret_direction,
                        enum framekey_format *ret_format, enum framekey_media *ret_media,
                        enum framekey_codec *ret_codec);

/** Upper bound of the encrypted length of a plain frame of `length` bytes on this stream, escaping
 * included; 0 if there is no such stream. */
size_t framekey_sealed_max(framekey_channel *channel, uint32_t stream, size_t length);
/** Upper bound of the plain length of an encrypted frame of `length` bytes. */
size_t framekey_opened_max(framekey_channel *channel, uint32_t stream, size_t length);

/**
 * Encrypts one frame and waits for it: `length` bytes at `plain` into at most `capacity` bytes at
 * `out`. The buffers may overlap. `ret_length` and `ret_result` may be NULL; `ret_length` is set,
 * and `out` written, only if something is delivered.
 * Returns 0 or a verdict (EMPTY for 0 bytes, which SFrame and DAVE encrypt like any others);
 * -ENOBUFS `capacity` is less than the result (framekey_sealed_max() is always enough); -ETIMEDOUT
 * the daemon did not answer within `timeout_usec`; -EAGAIN all slots are taken by reserved or
 * submitted frames; -EINVAL a malformed `frame`; common errors.
 */
int framekey_encrypt(framekey_channel *channel, const struct framekey_frame *frame, const void *plain, size_t length,
                     void *out, size_t capacity, size_t *ret_length, struct framekey_result *ret_result,
                     uint64_t timeout_usec);
/** Decrypts one frame and waits for it. As framekey_encrypt(), with framekey_opened_max(). */
int framekey_decrypt(framekey_channel *channel, const struct framekey_frame *frame, const void *sealed, size_t length,
                     void *out, size_t capacity, size_t *ret_length, struct framekey_result *ret_result,
                     uint64_t timeout_usec);

/**
 * Decrypts a frame of one stream and encrypts it for another, in the daemon, for bridges between
 * systems: neither key nor plain frame comes to this process. `from` names a decrypting stream of this
 * channel and what is known of the frame as it came, `to` an encrypting one and, where the caller knows
 * it, the frame's type; else that is read from the plain frame. Streams of another session of the same
 * owner can be granted on a channel for this (AddStream). `length` bytes at `sealed`, into at most
 * `capacity` bytes at `out`; framekey_sealed_max() of `to->stream` and `length` is always enough.
 * Returns 0; a verdict of the decrypting half, or with FRAMEKEY_RESULT_OUTGOING in the result of the
 * encrypting one; FRAMEKEY_VERDICT_EMPTY for 0 bytes. Frames that are delivered without having been
 * authenticated (_SERVER_INJECTED, _UNENCRYPTED) come to nothing here: 0 bytes. Otherwise as
 * framekey_encrypt(); the metadata of both together is at most FRAMEKEY_METADATA_MAX.
 */
int framekey_transcrypt(framekey_channel *channel, const struct framekey_frame *from, const struct framekey_frame *to,
                        const void *sealed, size_t length, void *out, size_t capacity, size_t *ret_length,
                        struct framekey_result *ret_result, uint64_t timeout_usec);

/**
 * Reserves a slot for a frame of up to `length` bytes and gives the place in shared memory to write
 * it to (zero-copy). `frame` names the stream and anything known so far.
 * Returns 0; -EAGAIN no free slot: reap first; -EMSGSIZE longer than any slot; -ENOENT no such
 * stream; common errors.
 */
int framekey_reserve(framekey_channel *channel, const struct framekey_frame *frame, size_t length, uint32_t *ret_slot,
                     void **ret_buffer);
/**
 * Submits the frame of `length` bytes in a reserved slot; direction is the stream's. The slot's
 * bytes belong to the daemon until the completion is reaped. `cookie` comes back in the result.
 * A frame that cannot be parsed gets its verdict through its completion as all others do.
 * The daemon may not see it before framekey_flush(). Returns 0; -EINVAL not a reserved slot, or
 * `length` over what was reserved; common errors. On failure the slot stays reserved.
 */
int framekey_submit(framekey_channel *channel, uint32_t slot, const struct framekey_frame *frame, size_t length,
                    uint64_t cookie);
/** Makes what was submitted visible and rings the doorbell if the daemon sleeps. One call a batch. 0 or common errors.
 */
int framekey_flush(framekey_channel *channel);
/**
 * Takes one completion. Returns 1 and fills `ret_result` (set its size first), or 0 when there is
 * none now: only then does framekey_channel_get_fd() poll readable at the next one. The slot stays
 * the caller's until framekey_release() or framekey_take(). Common errors otherwise.
 */
int framekey_reap(framekey_channel *channel, struct framekey_result *ret_result);
/** Copies a reaped result's output to `out`, does the codec's last step, and releases the slot.
 * Returns 0; -ENOBUFS with the slot kept; -EINVAL not a reaped slot; common errors. */
int framekey_take(framekey_channel *channel, const struct framekey_result *result, void *out, size_t capacity,
                  size_t *ret_length);
/** Gives a reserved or reaped slot back. Unknown slots are ignored. */
void framekey_release(framekey_channel *channel, uint32_t slot);

/* ---- LiveKit's encrypted data packets (formats/trailer-frames, section 6) ---- */

#define FRAMEKEY_PACKET_IV_LENGTH 12u

/**
 * Encrypts a data packet on an encrypting stream of media `data`: ciphertext with its tag goes to
 * `out` (`length` + 16 bytes), IV and key index travel beside it. Returns as framekey_encrypt(),
 * but a packet of 0 bytes is encrypted like any other.
 */
int framekey_packet_encrypt(framekey_channel *channel, uint32_t stream, const void *plain, size_t length, void *out,
                            size_t capacity, size_t *ret_length, uint8_t ret_iv[FRAMEKEY_PACKET_IV_LENGTH],
                            uint32_t *ret_key_index, uint64_t timeout_usec);
/** Decrypts a data packet: ciphertext with tag at `sealed`. Returns as framekey_decrypt(). */
int framekey_packet_decrypt(framekey_channel *channel, uint32_t stream, const void *sealed, size_t length,
                            const uint8_t *iv, size_t iv_length, uint32_t key_index, void *out, size_t capacity,
                            size_t *ret_length, uint64_t timeout_usec);

/* ---- LiveKit's frame metadata trailer (formats/trailer-frames, section 5) ---- */

enum framekey_trailer_fields {
        FRAMEKEY_TRAILER_USER_TIMESTAMP = 1u << 0,
        FRAMEKEY_TRAILER_FRAME_ID = 1u << 1,
        FRAMEKEY_TRAILER_USER_DATA = 1u << 2,
};

/** Longest trailer, in bytes: its length is one byte on the wire. */
#define FRAMEKEY_TRAILER_MAX 255u
/** Longest user data, where it is the only field. */
#define FRAMEKEY_TRAILER_USER_DATA_MAX 248u

/** Frame metadata that travels in clear and unauthenticated behind an encrypted video frame. */
struct framekey_trailer {
        uint32_t size;           /**< sizeof(struct framekey_trailer) */
        uint32_t fields;         /**< enum framekey_trailer_fields: which of the others are there */
        uint64_t user_timestamp; /**< microseconds */
        uint32_t frame_id;
        uint32_t user_data_length; /**< <= FRAMEKEY_TRAILER_USER_DATA_MAX; less with the other fields */
        uint8_t user_data[FRAMEKEY_TRAILER_USER_DATA_MAX]; /**< a copy: on the wire the bytes are inverted */
};

/** Appends a trailer behind `length` bytes at `frame`. Never to an empty frame, and none without fields (0, unchanged).
 * Returns 0; -ENOBUFS; -EINVAL, also for more than FRAMEKEY_TRAILER_MAX bytes. */
int framekey_trailer_append(void *frame, size_t length, size_t capacity, const struct framekey_trailer *trailer,
                            size_t *ret_length);
/** Takes a trailer off: 1, the fields (set `ret_trailer->size` first) and the shorter length; 0 if there is none;
 * -EINVAL. Only for streams that announce trailers: by chance any frame may end like one. */
int framekey_trailer_strip(const void *frame, size_t length, struct framekey_trailer *ret_trailer, size_t *ret_length);

#ifdef __GNUC__
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif
#endif
