/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One child, its progress read line by line; see ffmpeg.h. */
#include "cli/demo/ffmpeg.h"

#include "cli/demo/child.h"
#include "cli/demo/media.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/wait.h>

#define ARGUMENTS_MAX 96u
#define POLL_MSEC     100

static const char *const usual_arguments[] = { "-hide_banner", "-nostdin", "-y",        "-v",
                                               "error",        "-nostats", "-progress", "pipe:1" };

int ffmpeg_init(Ffmpeg *ret, const char *log, const sigset_t *mask) {
        static const char *const trial[] = { "-f", "lavfi", "-i", "color=s=64x64:d=0.04,drawtext=font=Sans:text=x",
                                             "-f", "null",  "-",  NULL };
        Ffmpeg ffmpeg = { .log = log, .mask = mask };
        int r;

        r = program_find("ffmpeg", &ffmpeg.program);
        if (r < 0)
                return r;
        r = ffmpeg_run(&ffmpeg, trial, NULL, 0);
        if (r < 0 && r != -EIO) {
                ffmpeg_done(&ffmpeg);
                return r;
        }
        ffmpeg.labels = r == 0;
        *ret = ffmpeg;
        return 0;
}

void ffmpeg_done(Ffmpeg *ffmpeg) {
        free(ffmpeg->program);
        ffmpeg->program = NULL;
}

/* Lines "name=value"; only the time that is encoded so far is of use. */
static void take_line(const char *line, Progress *progress, uint64_t total_usec) {
        static const char name[] = "out_time_us=";

        if (progress && total_usec > 0 && strncmp(line, name, sizeof(name) - 1) == 0)
                progress_update(progress, (double)strtoull(line + sizeof(name) - 1, NULL, 10) / (double)total_usec,
                                NULL);
}

/* Reads progress until the child closes its output. */
static int follow(int fd, Progress *progress, uint64_t total_usec) {
        char buffer[4096];
        size_t n = 0;

        for (;;) {
                struct pollfd input = { .fd = fd, .events = POLLIN };
                char *line = buffer, *end;
                ssize_t len;

                if (demo_interrupted())
                        return -EINTR;
                if (poll(&input, 1, POLL_MSEC) <= 0)
                        continue;
                len = read(fd, buffer + n, sizeof(buffer) - 1 - n);
                if (len <= 0)
                        return 0;
                n += (size_t)len;
                buffer[n] = '\0';
                while ((end = strchr(line, '\n'))) {
                        *end = '\0';
                        take_line(line, progress, total_usec);
                        line = end + 1;
                }
                n = strlen(line);
                if (n == sizeof(buffer) - 1)
                        n = 0; /* no line of ffmpeg is so long */
                memmove(buffer, line, n);
        }
}

int ffmpeg_run(const Ffmpeg *ffmpeg, const char *const *arguments, Progress *progress, uint64_t total_usec) {
        _cleanup_close_ int out = -EBADF, in = -EBADF, log = -EBADF;
        const char *argv[ARGUMENTS_MAX + 1] = { ffmpeg->program };
        size_t n = 1;
        Child child;
        int fds[2], status = 0, r;

        for (size_t i = 0; i < ELEMENTS(usual_arguments); i++)
                argv[n++] = usual_arguments[i];
        while (*arguments && n < ARGUMENTS_MAX)
                argv[n++] = *arguments++;
        if (*arguments)
                return -E2BIG;
        log = open(ffmpeg->log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (log < 0 || pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        in = fds[0];
        out = fds[1];

        r = child_start(&child, argv, &(ChildSetup){ .out_fd = out, .err_fd = log, .mask = ffmpeg->mask });
        if (r < 0)
                return r;
        close_p(&out);
        r = follow(in, progress, total_usec);
        if (r < 0) {
                (void)child_stop(&child);
                return r;
        }
        while (!child_wait(&child, POLL_MSEC * USEC_PER_MSEC, &status))
                if (demo_interrupted()) {
                        (void)child_stop(&child);
                        return -EINTR;
                }
        return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EIO;
}

char *ffmpeg_complaint(const Ffmpeg *ffmpeg) {
        _cleanup_(bytes_done) Bytes log = { 0 };
        const char *text, *line;

        if (file_read(ffmpeg->log, &log) < 0)
                return strdup("");
        while (log.len > 0 && log.data[log.len - 1] == '\n')
                log.len--;
        log.data[log.len] = '\0'; /* file_read() leaves room for it */
        text = (const char *)log.data;
        line = strrchr(text, '\n');
        return strdup(line ? line + 1 : text);
}
