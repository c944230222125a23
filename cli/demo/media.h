/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Encoded media as a sequence of frames, taken out of a container file and put back, so that the
 * same frames give the same file, byte for byte.
 *
 *   ivf.c     VP8 in IVF          ogg.c   Opus in Ogg         annexb.c   H.264 as a byte stream
 *
 * Every frame exists three times: as it was encoded, as the sender's daemon encrypted it, and as
 * the receiver's daemon decrypted it; each of the three can be written as a file.
 */
#pragma once

#include "util/util.h"

#include <framekey.h>
#include <stdio.h>

typedef enum MediaCopy {
        MEDIA_INPUT,
        MEDIA_ENCRYPTED,
        MEDIA_DECRYPTED,
        MEDIA_COPIES,
} MediaCopy;

typedef struct Bytes {
        uint8_t *data; /* NULL: none */
        size_t len;
} Bytes;

typedef struct MediaFrame {
        Bytes copies[MEDIA_COPIES];
        uint64_t usec; /* when it is shown or heard, from the beginning */
        bool key;      /* decodable without earlier frames */
        int64_t stamp; /* the container's own time: IVF pts; Ogg granule position, -1 within a page */
        bool last;     /* Ogg: ends its page */
        bool final;    /* Ogg: ends the stream */
} MediaFrame;

typedef struct Media Media;

/* A codec in its container. */
typedef struct MediaKind {
        const char *name; /* "VP8" */
        const char *ending;
        enum framekey_codec codec;
        enum framekey_media media;
        uint32_t clock_rate; /* of its RTP timestamps */
        /* Cuts media->file. 0; -EBADMSG not such a file; -ENOMEM. */
        int (*cut)(Media *media);
        /* 0; negative errno. */
        int (*join)(const Media *media, MediaCopy copy, FILE *file);
} MediaKind;

struct Media {
        const MediaKind *kind;
        Bytes file; /* the container's bytes; frames do not point into it */
        MediaFrame *frames;
        size_t n_frames;
        size_t allocated;
        size_t n_headers; /* so many leading frames describe the stream and never travel as media */
        int serial;       /* Ogg: number of the logical stream */
};

/* In the order of their streams. */
enum {
        MEDIA_OPUS,
        MEDIA_VP8,
        MEDIA_H264,
        MEDIA_KINDS,
};
extern const MediaKind media_kinds[MEDIA_KINDS];

/* Video's only rate here; the byte stream of H.264 carries none. */
#define MEDIA_FPS 30u
/* The picture's size. */
#define MEDIA_WIDTH  640u
#define MEDIA_HEIGHT 360u

/* Reads a file of this kind. 0; -EBADMSG it cannot be cut into frames, or not be put together again; other errno. */
int media_read(Media *ret, const MediaKind *kind, const char *path);
void media_done(Media *media);
/* Writes one of the copies; frames that never travelled are the same in all. 0; negative errno. */
int media_write(const Media *media, MediaCopy copy, const char *path);
/* The bytes of a frame in one of the files. */
const Bytes *media_bytes(const Media *media, MediaCopy copy, size_t frame);
/* Keeps a copy of `data`. 0; -EEXIST there is one; -ENOMEM. */
int media_keep(Media *media, MediaCopy copy, size_t frame, const void *data, size_t len);

/* For the containers: appends a frame with a copy of `data` as its input. 0; -ENOMEM. */
int media_append(Media *media, const void *data, size_t len, const MediaFrame *facts);
int ivf_cut(Media *media);
int ivf_join(const Media *media, MediaCopy copy, FILE *file);
int ogg_cut(Media *media);
int ogg_join(const Media *media, MediaCopy copy, FILE *file);
int annexb_cut(Media *media);
int annexb_join(const Media *media, MediaCopy copy, FILE *file);

/* Whole files. 0; negative errno; -EFBIG over 256 MiB. */
int file_read(const char *path, Bytes *ret);
/* Whether two files have the same bytes: 1, 0, or negative errno. */
int file_same(const char *a, const char *b);
static inline void bytes_done(Bytes *bytes) {
        free(bytes->data);
        *bytes = (Bytes){ 0 };
}
