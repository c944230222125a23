/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What all containers share; see media.h. */
#include "cli/demo/media.h"

#include <fcntl.h>
#include <sys/stat.h>

#define FILE_MAX (256 << 20)

const MediaKind media_kinds[MEDIA_KINDS] = {
        [MEDIA_OPUS] = { "Opus", "ogg", FRAMEKEY_CODEC_OPUS, FRAMEKEY_MEDIA_AUDIO, 48000, ogg_cut, ogg_join },
        [MEDIA_VP8] = { "VP8", "ivf", FRAMEKEY_CODEC_VP8, FRAMEKEY_MEDIA_VIDEO, 90000, ivf_cut, ivf_join },
        [MEDIA_H264] = { "H.264", "h264", FRAMEKEY_CODEC_H264, FRAMEKEY_MEDIA_VIDEO, 90000, annexb_cut, annexb_join },
};

static inline void file_close_p(FILE **file) {
        if (*file)
                (void)fclose(*file); /* files whose content matters are closed, and asked, before */
}

int file_read(const char *path, Bytes *ret) {
        _cleanup_(file_close_p) FILE *file = fopen(path, "re");
        struct stat st;
        uint8_t *data;

        if (!file || fstat(fileno(file), &st) < 0)
                return -errno;
        if (st.st_size > FILE_MAX)
                return -EFBIG;
        data = malloc((size_t)st.st_size + 1);
        if (!data)
                return -ENOMEM;
        if (fread(data, 1, (size_t)st.st_size, file) != (size_t)st.st_size) {
                free(data);
                return -EIO;
        }
        *ret = (Bytes){ data, (size_t)st.st_size };
        return 0;
}

int file_same(const char *a, const char *b) {
        _cleanup_(bytes_done) Bytes x = { 0 }, y = { 0 };
        int r;

        r = file_read(a, &x);
        if (r == 0)
                r = file_read(b, &y);
        if (r < 0 || !x.data || !y.data)
                return r;
        return x.len == y.len && memcmp(x.data, y.data, x.len) == 0;
}

static int copy_bytes(Bytes *ret, const void *data, size_t len) {
        uint8_t *copy = malloc(len + 1); /* an empty frame is a frame too */

        if (!copy)
                return -ENOMEM;
        memcpy(copy, data, len);
        *ret = (Bytes){ copy, len };
        return 0;
}

int media_append(Media *media, const void *data, size_t len, const MediaFrame *facts) {
        MediaFrame *frame;

        if (media->n_frames == media->allocated) {
                size_t allocated = media->allocated > 0 ? media->allocated * 2 : 256;
                MediaFrame *frames = reallocarray(media->frames, allocated, sizeof(*frames));

                if (!frames)
                        return -ENOMEM;
                media->frames = frames;
                media->allocated = allocated;
        }
        frame = &media->frames[media->n_frames];
        *frame = *facts;
        memset(frame->copies, 0, sizeof(frame->copies));
        if (copy_bytes(&frame->copies[MEDIA_INPUT], data, len) < 0)
                return -ENOMEM;
        media->n_frames++;
        return 0;
}

int media_keep(Media *media, MediaCopy copy, size_t frame, const void *data, size_t len) {
        Bytes *bytes = &media->frames[frame].copies[copy];

        return bytes->data ? -EEXIST : copy_bytes(bytes, data, len);
}

const Bytes *media_bytes(const Media *media, MediaCopy copy, size_t frame) {
        return &media->frames[frame].copies[frame < media->n_headers ? MEDIA_INPUT : copy];
}

int media_write(const Media *media, MediaCopy copy, const char *path) {
        FILE *file = fopen(path, "we");
        int r;

        if (!file)
                return -errno;
        r = media->kind->join(media, copy, file);
        if (fclose(file) == EOF && r == 0)
                r = -errno;
        return r;
}

/* A container whose layout we could not reproduce would make every comparison at the end worthless. */
static int check_layout(const Media *media) {
        char *joined = NULL;
        size_t len = 0;
        FILE *file = open_memstream(&joined, &len);
        int r;

        if (!file)
                return -errno;
        r = media->kind->join(media, MEDIA_INPUT, file);
        if (fclose(file) == EOF && r == 0)
                r = -errno;
        if (r == 0 && (len != media->file.len || memcmp(joined, media->file.data, len) != 0))
                r = -EBADMSG;
        free(joined);
        return r;
}

int media_read(Media *ret, const MediaKind *kind, const char *path) {
        Media media = { .kind = kind };
        int r;

        r = file_read(path, &media.file);
        if (r == 0)
                r = kind->cut(&media);
        if (r == 0 && media.n_frames <= media.n_headers)
                r = -EBADMSG;
        if (r == 0)
                r = check_layout(&media);
        if (r < 0) {
                media_done(&media);
                return r;
        }
        *ret = media;
        return 0;
}

void media_done(Media *media) {
        for (size_t i = 0; i < media->n_frames; i++)
                for (size_t c = 0; c < MEDIA_COPIES; c++)
                        bytes_done(&media->frames[i].copies[c]);
        free(media->frames);
        bytes_done(&media->file);
        *media = (Media){ 0 };
}
