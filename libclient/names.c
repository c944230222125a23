/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Names and texts of verdicts, codecs, media, formats, directions and frame types.
 *
 * Tables only. The daemon's control layer compiles this file too, so that the words on the bus and
 * in the library are the same ones: it may depend on nothing but framekey.h.
 */
#include <errno.h>
#include <string.h>

#include <framekey.h>

#define ROWS(table) (sizeof(table) / sizeof(*(table)))

struct name_row {
        int value;
        const char *name;
};

struct text_row {
        int value;
        const char *text;
};

static const struct name_row codecs[] = {
        { FRAMEKEY_CODEC_UNKNOWN, "unknown" }, { FRAMEKEY_CODEC_OPUS, "opus" }, { FRAMEKEY_CODEC_RED, "red" },
        { FRAMEKEY_CODEC_PCMU, "pcmu" },       { FRAMEKEY_CODEC_PCMA, "pcma" }, { FRAMEKEY_CODEC_G722, "g722" },
        { FRAMEKEY_CODEC_AUDIO, "audio" },     { FRAMEKEY_CODEC_VP8, "vp8" },   { FRAMEKEY_CODEC_VP9, "vp9" },
        { FRAMEKEY_CODEC_AV1, "av1" },         { FRAMEKEY_CODEC_H264, "h264" }, { FRAMEKEY_CODEC_H265, "h265" },
        { FRAMEKEY_CODEC_DATA, "data" },
};

static const struct name_row media_kinds[] = {
        { FRAMEKEY_MEDIA_AUDIO, "audio" },
        { FRAMEKEY_MEDIA_VIDEO, "video" },
        { FRAMEKEY_MEDIA_DATA, "data" },
};

static const struct name_row formats[] = {
        { FRAMEKEY_FORMAT_LIVEKIT, "livekit" }, { FRAMEKEY_FORMAT_REALTIMEKIT, "realtimekit" },
        { FRAMEKEY_FORMAT_JITSI, "jitsi" },     { FRAMEKEY_FORMAT_SFRAME, "sframe" },
        { FRAMEKEY_FORMAT_DAVE, "dave" },
};

static const struct name_row directions[] = {
        { FRAMEKEY_ENCRYPT, "encrypt" },
        { FRAMEKEY_DECRYPT, "decrypt" },
};

static const struct name_row frame_types[] = {
        { FRAMEKEY_FRAME_UNSPECIFIED, "unspecified" },
        { FRAMEKEY_FRAME_KEY, "key" },
        { FRAMEKEY_FRAME_DELTA, "delta" },
        { FRAMEKEY_FRAME_EMPTY, "empty" },
};

static const struct name_row verdicts[] = {
        { FRAMEKEY_OK, "ok" },
        { FRAMEKEY_VERDICT_EMPTY, "empty" },
        { FRAMEKEY_VERDICT_SERVER_INJECTED, "server-injected" },
        { FRAMEKEY_VERDICT_FORGED, "forged" },
        { FRAMEKEY_VERDICT_REPLAYED, "replayed" },
        { FRAMEKEY_VERDICT_UNKNOWN_KEY, "unknown-key" },
        { FRAMEKEY_VERDICT_TOO_OLD, "too-old" },
        { FRAMEKEY_VERDICT_BUDGET, "budget" },
        { FRAMEKEY_VERDICT_MALFORMED, "malformed" },
        { FRAMEKEY_VERDICT_TOO_SHORT, "too-short" },
        { FRAMEKEY_VERDICT_UNSUPPORTED, "unsupported" },
        { FRAMEKEY_VERDICT_LIMIT, "limit" },
        { FRAMEKEY_VERDICT_REFUSED, "refused" },
        { FRAMEKEY_VERDICT_LOCKED, "locked" },
        { FRAMEKEY_VERDICT_TOO_LONG, "too-long" },
        { FRAMEKEY_VERDICT_UNENCRYPTED, "unencrypted" },
};

static const struct text_row texts[] = {
        { FRAMEKEY_OK, "The frame is done; use the output." },
        { FRAMEKEY_VERDICT_EMPTY, "An empty frame stays empty: pass it on, no key was used." },
        { FRAMEKEY_VERDICT_SERVER_INJECTED,
          "A blank frame that the media server put in for a muted track: decode it, but show it as not encrypted." },
        { FRAMEKEY_VERDICT_FORGED,
          "No key that could apply opens this frame: drop it; if all frames of this sender fail, compare the keys "
          "and the frame type given." },
        { FRAMEKEY_VERDICT_REPLAYED, "This frame was accepted before: drop it." },
        { FRAMEKEY_VERDICT_UNKNOWN_KEY,
          "There is no key under this frame's key index: drop it, and import the key; when sending, import or "
          "activate one." },
        { FRAMEKEY_VERDICT_TOO_OLD,
          "This frame's key was retired or the frame is older than the replay window: drop it; ask for a key frame "
          "if this goes on." },
        { FRAMEKEY_VERDICT_BUDGET,
          "This frame was not tried because too many frames of this sender failed just now: drop it and go on; good "
          "frames are accepted again shortly." },
        { FRAMEKEY_VERDICT_MALFORMED,
          "This is not an encrypted frame of the session's format: drop it; if all frames look so, the sender does "
          "not encrypt or uses another format." },
        { FRAMEKEY_VERDICT_TOO_SHORT,
          "This frame is shorter than the part that must stay clear: do not send it, and check the frame type given." },
        { FRAMEKEY_VERDICT_UNSUPPORTED,
          "This format cannot carry this codec, or needs the frame type to do so: give frame_type, or negotiate "
          "another codec." },
        { FRAMEKEY_VERDICT_LIMIT,
          "The sending key reached its limit of use or age: rotate or ratchet it, then go on." },
        { FRAMEKEY_VERDICT_REFUSED,
          "The stream does not exist or is for the other direction: add the stream, and give its number." },
        { FRAMEKEY_VERDICT_LOCKED,
          "An administrator locked the service: no frame is processed until Lock is called with false." },
        { FRAMEKEY_VERDICT_TOO_LONG,
          "This frame is over 1 MiB or no slot of the channel can hold it: open the channel with larger slots, or "
          "make smaller frames." },
        { FRAMEKEY_VERDICT_UNENCRYPTED,
          "This frame is not encrypted and passed because the session's owner permits it for now: decode it, but show "
          "it as not encrypted." },
        /* Errors of ours, as far as these calls return them. */
        { -EPIPE, "The channel was closed by its owner, an administrator or the end of the session: open a new one." },
        { -EPROTO,
          "The channel broke the ring's rules or is of another version: use a library and a daemon of the same "
          "version, and open a new channel." },
        { -ESTALE, "The service ended or was restarted without keeping this channel: open a new one." },
        { -ECHILD, "This channel belongs to the parent process: open one of its own after fork()." },
        { -ETIMEDOUT, "The service did not answer in time: try again, or see whether framekeyd runs." },
        { -EAGAIN, "All slots of this size are taken: reap and release completed frames, then try again." },
        { -ENOBUFS, "The buffer is smaller than the result: ask framekey_sealed_max() or framekey_opened_max()." },
        { -EMSGSIZE, "No slot of this channel can hold a frame of this length: open it with larger slots." },
        { -EINVAL, "An argument is malformed: see the contract of the call in framekey.h." },
        { -ENOENT, "There is no such stream on this channel: add it with AddStream." },
        { -ENOMEM, "Memory is short: free some, or raise the limit of this process." },
        { -EMFILE, "Too many files are open in this process: close some, or raise its limit." },
        { -ENFILE, "Too many files are open in the system: an administrator has to raise the limit." },
        { -EBADF, "A descriptor is not open: pass the four descriptors of OpenChannel's reply." },
        { -EACCES, "Access was denied: ask the session's owner to pass this channel's descriptors on." },
        { -EPERM, "This is not permitted: ask the session's owner." },
        { -EIO, "The service could not process the frame: see its log for the reason, then try again." },
};

static const char *name_of(const struct name_row *rows, size_t n, int value) {
        for (size_t i = 0; i < n; i++)
                if (rows[i].value == value)
                        return rows[i].name;
        return NULL;
}

static int value_of(const struct name_row *rows, size_t n, const char *name) {
        if (!name)
                return 0;
        for (size_t i = 0; i < n; i++)
                if (strcmp(rows[i].name, name) == 0)
                        return rows[i].value;
        return 0;
}

const char *framekey_verdict_name(int verdict) {
        const char *name = name_of(verdicts, ROWS(verdicts), verdict);

        return name ? name : "?";
}

const char *framekey_verdict_text(int verdict) {
        for (size_t i = 0; i < ROWS(texts); i++)
                if (texts[i].value == verdict)
                        return texts[i].text;
        return verdict < 0
                       ? "The operating system refused this: look up the error number, remove the cause and try again."
                       : "This verdict is newer than the library: drop the frame, and update the library.";
}

int framekey_verdict_delivers(int verdict) {
        return verdict == FRAMEKEY_OK || verdict == FRAMEKEY_VERDICT_EMPTY ||
               verdict == FRAMEKEY_VERDICT_SERVER_INJECTED || verdict == FRAMEKEY_VERDICT_UNENCRYPTED;
}

const char *framekey_codec_name(enum framekey_codec codec) {
        return name_of(codecs, ROWS(codecs), (int)codec);
}

enum framekey_codec framekey_codec_from_name(const char *name) {
        return (enum framekey_codec)value_of(codecs, ROWS(codecs), name);
}

const char *framekey_media_name(enum framekey_media media) {
        return name_of(media_kinds, ROWS(media_kinds), (int)media);
}

enum framekey_media framekey_media_from_name(const char *name) {
        return (enum framekey_media)value_of(media_kinds, ROWS(media_kinds), name);
}

const char *framekey_format_name(enum framekey_format format) {
        return name_of(formats, ROWS(formats), (int)format);
}

enum framekey_format framekey_format_from_name(const char *name) {
        return (enum framekey_format)value_of(formats, ROWS(formats), name);
}

const char *framekey_direction_name(enum framekey_direction direction) {
        return name_of(directions, ROWS(directions), (int)direction);
}

enum framekey_direction framekey_direction_from_name(const char *name) {
        return (enum framekey_direction)value_of(directions, ROWS(directions), name);
}

const char *framekey_frame_type_name(enum framekey_frame_type type) {
        return name_of(frame_types, ROWS(frame_types), (int)type);
}

enum framekey_frame_type framekey_frame_type_from_name(const char *name) {
        return (enum framekey_frame_type)value_of(frame_types, ROWS(frame_types), name);
}
