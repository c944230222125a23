/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ffmpeg's command lines; see studio.h.
 *
 * The song is the theme of the last movement of Beethoven's ninth symphony: fifteen degrees of the scale as
 * the digits of one number, half a second each. The mouth is open while a note sounds.
 */
#include "cli/demo/studio.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#define NOTES "334554321123322"
#define HEAD  "hypot((X-160)/72,(Y-125)/86)"
#define BODY  "hypot((X-160)/140,(Y-330)/112)"
#define EYES  "lt(min(hypot(X-134,(Y-112)*0.8),hypot(X-186,(Y-112)*0.8)),8)"
#define SMILE "lt(abs(hypot(X-160,(Y-130)*1.2)-34),2.6)*gt(Y,148)"
/* One colour channel of the person: head with shading, lines on it, body with shading. */
#define PAINT(head, line, body) "if(lt(" HEAD ",1),if(" EYES "+" SMILE "," line "," head ")," body "-0.12*(Y-200))"
/* An opaque shape with a soft edge of one pixel, `radius` across. */
#define SHAPE(distance, radius) "clip((1-" distance ")*" radius ",0,1)"
/* A picture that is painted once and then stands. */
#define STILL ",loop=-1:1,setpts=N/30/TB"
#define SWAY  "x='160+26*sin(PI*t/2)':y='46+5*sin(2*PI*t)'"

/* Sine with two overtones, struck and fading; ld(0) is the frequency, ld(1) the degree: do re mi fa so. */
static const char song[] = "aevalsrc='st(1,floor(mod(" NOTES "/pow(10,14-mod(floor(t/0.5),15)),10)));"
                           "st(0,261.63*pow(2,(2*(ld(1)-1)-gt(ld(1),3))/12));"
                           "0.32*exp(-2.2*mod(t,0.5))*(sin(2*PI*mod(t,0.5)*ld(0))+0.4*sin(4*PI*mod(t,0.5)*ld(0))"
                           "+0.15*sin(6*PI*mod(t,0.5)*ld(0)))':s=48000:d=%u";

static const char scene[] =
        "gradients=s=%ux%u:r=%u:nb_colors=3:seed=3:c0=0x0b132b:c1=0x1c5d99:c2=0x3a0ca3:x0=0:y0=0:x1=%u:y1=%u:speed=0."
        "00001,"
        "trim=end_frame=1" STILL ",format=yuv420p[wall];"
        "color=c=black:s=320x320:r=30,format=rgba,trim=end_frame=1,"
        "geq=r='" PAINT("250-0.35*Y", "30", "239") "':g='" PAINT("205-0.35*Y", "30", "83") "':b='" PAINT(
                "120-0.25*Y", "50",
                "80") "':a='255*max(" SHAPE(HEAD,
                                            "72") "," SHAPE(BODY,
                                                            "112") ")'" STILL "[person];"
                                                                   "color=c=black:s=320x320:r=30,format=rgba,trim=end_"
                                                                   "frame=1,"
                                                                   "geq=r=90:g=20:b=40:a='255*" SHAPE(
                                                                           "hypot((X-160)/22,(Y-166)/16)",
                                                                           "16") "'" STILL "[mouth];"
                                                                                 "[wall][person]overlay=" SWAY
                                                                                 ":format=yuv420[quiet];"
                                                                                 "[quiet][mouth]overlay=" SWAY
                                                                                 ":enable='lt(mod(t,0.5),0.3)':format="
                                                                                 "yuv420,"
                                                                                 "%s" /* text, or nothing */
                                                                                 "trim=duration=%u,split=2[one][two]";

static const char scene_text[] = "drawtext=font=Sans:text='framekeyd':x=18:y=16:fontsize=26:fontcolor=white,"
                                 "drawtext=font=Sans:text='%{pts\\:hms}':x=w-tw-18:y=h-34:fontsize=18:fontcolor=white,";

/* ffmpeg takes "name:rest" for a protocol; this says that it is a file. */
static char *as_file(const char *path) {
        char *text;

        return asprintf(&text, "file:%s", path) < 0 ? NULL : text;
}

char *studio_recording(const char *directory, const MediaKind *kind) {
        char *path;

        return asprintf(&path, "%s/recorded.%s", directory, kind->ending) < 0 ? NULL : path;
}

static char *recording_file(const char *directory, size_t kind) {
        _cleanup_free_ char *path = studio_recording(directory, &media_kinds[kind]);

        return path ? as_file(path) : NULL;
}

int studio_record(const Ffmpeg *ffmpeg, const char *directory, unsigned seconds, Progress *progress) {
        _cleanup_free_ char *sound = NULL, *picture = NULL;
        _cleanup_free_ char *ogg = recording_file(directory, MEDIA_OPUS);
        _cleanup_free_ char *ivf = recording_file(directory, MEDIA_VP8);
        _cleanup_free_ char *h264 = recording_file(directory, MEDIA_H264);

        if (asprintf(&sound, song, seconds) < 0)
                sound = NULL;
        if (asprintf(&picture, scene, MEDIA_WIDTH, MEDIA_HEIGHT, MEDIA_FPS, MEDIA_WIDTH, MEDIA_HEIGHT,
                     ffmpeg->labels ? scene_text : "", seconds) < 0)
                picture = NULL;
        if (!sound || !picture || !ogg || !ivf || !h264)
                return -ENOMEM;

        /* What calls use: no frames that look ahead, a key frame every two seconds, constrained baseline, packets of
         * 20 ms. Delimiters (aud) are where the byte stream is cut; see annexb.c. A negative cpu-used is a fixed
         * speed, a positive one would follow the machine's load. */
        const char *arguments[] = {
                "-f",
                "lavfi",
                "-i",
                sound,
                "-filter_complex",
                picture,
                "-map",
                "0:a",
                "-c:a",
                "libopus",
                "-b:a",
                "48k",
                "-frame_duration",
                "20",
                ogg,
                "-map",
                "[one]",
                "-c:v",
                "libvpx",
                "-deadline",
                "realtime",
                "-cpu-used",
                "-8",
                "-b:v",
                "700k",
                "-g",
                "60",
                "-auto-alt-ref",
                "0",
                "-lag-in-frames",
                "0",
                ivf,
                "-map",
                "[two]",
                "-c:v",
                "libx264",
                "-profile:v",
                "baseline",
                "-preset",
                "ultrafast",
                "-tune",
                "zerolatency",
                "-x264-params",
                "aud=1:sliced-threads=0",
                "-b:v",
                "700k",
                "-g",
                "60",
                h264,
                NULL,
        };

        return ffmpeg_run(ffmpeg, arguments, progress, seconds * USEC_PER_SEC);
}

/* ---- pictures ---- */

/* The frame at `stamp` of a stream, or the first one after it. */
static int draw_frame(const Ffmpeg *ffmpeg, const char *stream, int64_t stamp, const char *picture) {
        _cleanup_free_ char *in = as_file(stream), *out = as_file(picture), *pick = NULL;

        if (asprintf(&pick, "select='gte(pts,%lld)'", (long long)stamp) < 0)
                pick = NULL;
        if (!in || !out || !pick)
                return -ENOMEM;

        const char *arguments[] = { "-i", in, "-vf", pick, "-frames:v", "1", "-update", "1", out, NULL };

        return ffmpeg_run(ffmpeg, arguments, NULL, 0);
}

#define SEEN "seen-"

/* Two frames a second of whatever the decoder makes of a stream, as SEEN and their stamp. */
static int draw_all(const Ffmpeg *ffmpeg, const char *stream, const char *directory) {
        _cleanup_free_ char *in = as_file(stream), *out = NULL;

        if (asprintf(&out, "file:%s/" SEEN "%%d.png", directory) < 0)
                out = NULL;
        if (!in || !out)
                return -ENOMEM;

        const char *arguments[] = {
                "-err_detect", "ignore_err",
                "-flags",      "output_corrupt",
                "-i",          in,
                "-vf",         "select='isnan(prev_selected_t)+gte(t-prev_selected_t,0.5)'",
                "-vsync",      "passthrough",
                "-frame_pts",  "1",
                out,           NULL,
        };

        return ffmpeg_run(ffmpeg, arguments, NULL, 0);
}

/* The one that has most in it: a picture that compresses badly. Decoders fill what they do not get with one colour. Its
 * stamp, -ENOENT if there is none, or other errno. */
static int pick_fullest(const char *directory_name, char **ret_picture, int64_t *ret_stamp) {
        DIR *directory = opendir(directory_name);
        const struct dirent *entry;
        off_t most = -1;
        struct stat st;

        if (!directory)
                return -errno;
        *ret_picture = NULL;
        while ((entry = readdir(directory))) {
                if (strncmp(entry->d_name, SEEN, sizeof(SEEN) - 1) != 0 ||
                    fstatat(dirfd(directory), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_size <= most)
                        continue;
                most = st.st_size;
                *ret_stamp = strtoll(entry->d_name + sizeof(SEEN) - 1, NULL, 10);
                free(*ret_picture);
                if (asprintf(ret_picture, "%s/%s", directory_name, entry->d_name) < 0) {
                        *ret_picture = NULL;
                        break;
                }
        }
        (void)closedir(directory);
        return *ret_picture ? 0 : most < 0 ? -ENOENT : -ENOMEM;
}

/* The stream's bytes as grey dots, four pixels each: two seconds of video are enough for that. */
static int draw_bytes(const Ffmpeg *ffmpeg, const char *stream, const char *picture) {
        _cleanup_free_ char *in = as_file(stream), *out = as_file(picture), *size = NULL, *scale = NULL;

        if (asprintf(&size, "%ux%u", MEDIA_WIDTH / 2, MEDIA_HEIGHT / 2) < 0)
                size = NULL;
        if (asprintf(&scale, "scale=%u:%u:flags=neighbor", MEDIA_WIDTH, MEDIA_HEIGHT) < 0)
                scale = NULL;
        if (!in || !out || !size || !scale)
                return -ENOMEM;

        const char *arguments[] = {
                "-f",  "rawvideo", "-pixel_format", "gray", "-video_size", size, "-i", in,
                "-vf", scale,      "-frames:v",     "1",    "-update",     "1",  out,  NULL,
        };

        return ffmpeg_run(ffmpeg, arguments, NULL, 0);
}

/* What a media server sees that tries to play the stream. Ciphertext is different each time, and so is how far
 * a decoder gets with it; if it gets nowhere, the picture is made of the stream's bytes. */
static int draw_server_view(const Ffmpeg *ffmpeg, const char *stream, const char *directory, char **ret_picture,
                            int64_t *ret_stamp, bool *ret_decoded) {
        int r;

        r = draw_all(ffmpeg, stream, directory);
        if (r < 0 && r != -EIO) /* what a decoder thinks of it is no failure of ours */
                return r;
        r = pick_fullest(directory, ret_picture, ret_stamp);
        *ret_decoded = r == 0;
        if (r != -ENOENT)
                return r;
        *ret_stamp = MEDIA_FPS;
        if (asprintf(ret_picture, "%s/bytes.png", directory) < 0) {
                *ret_picture = NULL;
                return -ENOMEM;
        }
        return draw_bytes(ffmpeg, stream, *ret_picture);
}

#define LABEL(text, x) ",drawtext=font=Sans:text='" text "':fontsize=20:fontcolor=white:y=13:x=" x

static const char *labels(const Ffmpeg *ffmpeg, bool decoded) {
        if (!ffmpeg->labels)
                return "";
        return decoded ? LABEL("What the media server sees when it plays the stream", "16")
                                 LABEL("What the receiver sees", "660")
                       : LABEL("What the media server has (its decoder gives up)", "16")
                                 LABEL("What the receiver sees", "660");
}

/* The two have the same size: a decoder takes it from the frame header, which stays clear. */
static int join_pictures(const Ffmpeg *ffmpeg, const char *left, const char *right, bool decoded, const char *picture) {
        _cleanup_free_ char *a = as_file(left), *b = as_file(right), *out = as_file(picture), *filter = NULL;
        unsigned head = ffmpeg->labels ? 46 : 0;

        if (asprintf(&filter,
                     "[0:v]format=rgb24,pad=iw+4:ih:0:0:color=0x202020[l];[1:v]format=rgb24[r];"
                     "[l][r]hstack=inputs=2,pad=iw:ih+%u:0:%u:color=0x202020%s",
                     head, head, labels(ffmpeg, decoded)) < 0)
                filter = NULL;
        if (!a || !b || !out || !filter)
                return -ENOMEM;

        const char *arguments[] = { "-i",      a,   "-i", b,   "-filter_complex", filter, "-frames:v", "1",
                                    "-update", "1", out,  NULL };

        return ffmpeg_run(ffmpeg, arguments, NULL, 0);
}

int studio_compare(const Ffmpeg *ffmpeg, const char *encrypted, const char *decrypted, const char *directory,
                   const char *picture, bool *ret_decoded) {
        _cleanup_free_ char *left = NULL, *right = NULL;
        int64_t stamp = 0;
        bool decoded = false;
        int r;

        if (asprintf(&right, "%s/receiver.png", directory) < 0) {
                right = NULL;
                return -ENOMEM;
        }
        r = draw_server_view(ffmpeg, encrypted, directory, &left, &stamp, &decoded);
        if (r == 0)
                r = draw_frame(ffmpeg, decrypted, stamp, right);
        if (r == 0)
                r = join_pictures(ffmpeg, left, right, decoded, picture);
        if (r == 0)
                *ret_decoded = decoded;
        return r;
}

int studio_film(const Ffmpeg *ffmpeg, const char *picture, const char *sound, const char *film) {
        _cleanup_free_ char *a = as_file(picture), *b = as_file(sound), *out = as_file(film);

        if (!a || !b || !out)
                return -ENOMEM;

        const char *arguments[] = { "-i", a, "-i", b, "-c", "copy", out, NULL };

        return ffmpeg_run(ffmpeg, arguments, NULL, 0);
}
