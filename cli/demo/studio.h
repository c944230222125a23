/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The demo's own little studio: a person who sings, encoded by real encoders, and the two pictures
 * at the end.
 */
#pragma once

#include "cli/demo/ffmpeg.h"
#include "cli/demo/media.h"

/* Records `seconds` of it as `directory`/recorded.ogg, .ivf and .h264. As ffmpeg_run(). */
int studio_record(const Ffmpeg *ffmpeg, const char *directory, unsigned seconds, Progress *progress);
/* Path of such a recording. NULL: no memory. Free it. */
char *studio_recording(const char *directory, const MediaKind *kind);

/* Draws two pictures side by side, of what a media server sees that plays `encrypted` (VP8 in IVF), and of what the
 * receiver sees in `decrypted` at the same moment. `directory` is for files in between. *ret_decoded: whether a
 * decoder made something of the encrypted one; if it did not, its bytes are drawn as they are. As ffmpeg_run(). */
int studio_compare(const Ffmpeg *ffmpeg, const char *encrypted, const char *decrypted, const char *directory,
                   const char *picture, bool *ret_decoded);
/* Puts decrypted sound and picture into one film, without touching a frame. As ffmpeg_run(). */
int studio_film(const Ffmpeg *ffmpeg, const char *picture, const char *sound, const char *film);
