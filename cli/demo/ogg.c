/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Opus in Ogg (RFC 7845), taken apart and put together by libogg.
 *
 * A packet remembers whether it ends its page, and a page's granule position stays with the packet
 * that ends it; so pages end where they ended before and the same packets give the same file. Encrypted packets
 * are longer, but a page takes 255 segments of 255 bytes, and the encoder's pages of one second stay
 * far below that.
 */
#include "cli/demo/media.h"

#include <ogg/ogg.h>

/* RFC 7845, 3: the identification header and the comment header come first and are no audio. */
#define N_HEADERS 2u
/* What the encoder is told: 20 ms a packet. */
#define PACKET_USEC 20000u
/* Bytes that fill a page of 255 segments: flushing must not end a page earlier. */
#define PAGE_FILL (255 * 255)

static int append_packets(Media *media, ogg_stream_state *stream, bool final) {
        ogg_packet packet;
        size_t before = media->n_frames;
        int r;

        while ((r = ogg_stream_packetout(stream, &packet)) != 0) {
                size_t n = media->n_frames;

                if (r < 0)
                        return -EBADMSG; /* a gap */
                r = media_append(media, packet.packet, (size_t)packet.bytes,
                                 &(MediaFrame){ .usec = n < N_HEADERS ? 0 : (n - N_HEADERS) * PACKET_USEC,
                                                .key = true,
                                                .stamp = packet.granulepos });
                if (r < 0)
                        return r;
        }
        /* Packets over several pages, and pages without one, are not what the encoder was told to write. */
        if (media->n_frames == before)
                return -EBADMSG;
        media->frames[media->n_frames - 1].last = true;
        media->frames[media->n_frames - 1].final = final;
        return 0;
}

static int cut_pages(Media *media, ogg_sync_state *sync, ogg_stream_state *stream) {
        ogg_page page;
        bool begun = false;
        int r;

        while ((r = ogg_sync_pageout(sync, &page)) != 0) {
                if (r < 0)
                        return -EBADMSG;
                if (!begun) {
                        if (ogg_stream_init(stream, ogg_page_serialno(&page)) < 0)
                                return -ENOMEM;
                        media->serial = ogg_page_serialno(&page);
                        begun = true;
                }
                if (ogg_stream_pagein(stream, &page) < 0)
                        return -EBADMSG;
                r = append_packets(media, stream, ogg_page_eos(&page));
                if (r < 0)
                        return r;
        }
        return begun ? 0 : -EBADMSG;
}

int ogg_cut(Media *media) {
        ogg_stream_state stream = { 0 };
        ogg_sync_state sync;
        char *buffer;
        int r;

        (void)ogg_sync_init(&sync); /* cannot fail */
        buffer = ogg_sync_buffer(&sync, (long)media->file.len);
        if (!buffer)
                return -ENOMEM;
        memcpy(buffer, media->file.data, media->file.len);
        r = ogg_sync_wrote(&sync, (long)media->file.len) < 0 ? -EIO : cut_pages(media, &sync, &stream);
        media->n_headers = N_HEADERS;
        (void)ogg_stream_clear(&stream);
        (void)ogg_sync_clear(&sync);
        return r;
}

static int flush_page(ogg_stream_state *stream, FILE *file) {
        ogg_page page;

        while (ogg_stream_flush_fill(stream, &page, PAGE_FILL) != 0)
                if (fwrite(page.header, 1, (size_t)page.header_len, file) != (size_t)page.header_len ||
                    fwrite(page.body, 1, (size_t)page.body_len, file) != (size_t)page.body_len)
                        return -EIO;
        return 0;
}

int ogg_join(const Media *media, MediaCopy copy, FILE *file) {
        ogg_stream_state stream;
        int r = 0;

        if (ogg_stream_init(&stream, media->serial) < 0)
                return -ENOMEM;
        for (size_t i = 0; i < media->n_frames && r == 0; i++) {
                const MediaFrame *frame = &media->frames[i];
                const Bytes *bytes = media_bytes(media, copy, i);
                ogg_packet packet = {
                        .packet = bytes->data,
                        .bytes = (long)bytes->len,
                        .b_o_s = i == 0,
                        .e_o_s = frame->final,
                        .granulepos = frame->stamp,
                        .packetno = (ogg_int64_t)i,
                };

                if (ogg_stream_packetin(&stream, &packet) < 0)
                        r = -ENOMEM;
                else if (frame->last)
                        r = flush_page(&stream, file);
        }
        (void)ogg_stream_clear(&stream);
        return r;
}
