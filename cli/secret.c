/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Keys and passphrases on their way from a file, a descriptor or the terminal to the daemon.
 *
 * They are read with read(2) into locked memory of their own that is not dumped, not swapped and
 * not inherited, and that is wiped before it is unmapped. Never through stdio, whose buffers stay.
 */
#include "cli.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <termios.h>

/* One byte more than the daemon takes, so that a longer file is noticed. */
#define SECRET_BUFFER_BYTES (SECRET_BUFFER_SIZE + 1u)
#define SECRET_MAPPING      (sizeof(SecretBuffer) + SECRET_BUFFER_BYTES)

static int fail_with(char **ret_error, int r, const char *what, const char *name) {
        if (asprintf(ret_error, "%s%s: %s.", what, name, strerror(-r)) < 0)
                *ret_error = NULL;
        return r;
}

static int last_error(void) {
        return errno > 0 ? -errno : -EIO;
}

int secret_buffer_new(SecretBuffer **ret) {
        void *memory;

        memory = mmap(NULL, SECRET_MAPPING, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED)
                return last_error();
        if (mlock(memory, SECRET_MAPPING) < 0 || madvise(memory, SECRET_MAPPING, MADV_DONTDUMP) < 0 ||
            madvise(memory, SECRET_MAPPING, MADV_DONTFORK) < 0) {
                int r = last_error();

                (void)munmap(memory, SECRET_MAPPING);
                return r;
        }
        *ret = memory;
        return 0;
}

SecretBuffer *secret_buffer_free(SecretBuffer *buffer) {
        if (!buffer)
                return NULL;
        explicit_bzero(buffer, SECRET_MAPPING);
        (void)munmap(buffer, SECRET_MAPPING);
        return NULL;
}

static int fill_from(SecretBuffer *buffer, int fd) {
        while (buffer->length < SECRET_BUFFER_BYTES) {
                ssize_t n = read(fd, buffer->bytes + buffer->length, SECRET_BUFFER_BYTES - buffer->length);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return last_error();
                if (n == 0)
                        return 0;
                buffer->length += (size_t)n;
        }
        return -EFBIG;
}

static int read_named(int fd, const char *name, SecretBuffer **ret, char **ret_error) {
        _cleanup_(secret_buffer_free_p) SecretBuffer *buffer = NULL;
        int r;

        r = secret_buffer_new(&buffer);
        if (!buffer)
                return fail_with(ret_error, r, "Cannot lock memory for the key; raise LimitMEMLOCK", "");
        r = fill_from(buffer, fd);
        if (r == -EFBIG) {
                if (asprintf(ret_error, "The key in %s is longer than %u bytes.", name, SECRET_BUFFER_SIZE) < 0)
                        *ret_error = NULL;
                return r;
        }
        if (r < 0)
                return fail_with(ret_error, r, "Cannot read the key from ", name);
        if (buffer->length == 0) {
                if (asprintf(ret_error, "There is no key in %s: it is empty.", name) < 0)
                        *ret_error = NULL;
                return -ENODATA;
        }
        *ret = take_ptr(buffer);
        return 0;
}

int secret_read_file(const char *path, SecretBuffer **ret, char **ret_error) {
        _cleanup_close_ int fd = -EBADF;

        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        if (fd < 0)
                return fail_with(ret_error, last_error(), "Cannot open the key file ", path);
        return read_named(fd, path, ret, ret_error);
}

int secret_read_fd(int fd, SecretBuffer **ret, char **ret_error) {
        char name[sizeof("descriptor 2147483647")];

        (void)snprintf(name, sizeof(name), "descriptor %d", fd);
        return read_named(fd, name, ret, ret_error);
}

bool secret_ends_with_newline(const SecretBuffer *buffer) {
        if (buffer->length < 2 || buffer->bytes[buffer->length - 1] != '\n')
                return false;
        for (size_t i = 0; i + 1 < buffer->length; i++)
                if (buffer->bytes[i] < ' ')
                        return false; /* bytes, not text */
        return true;
}

/* ---- the terminal ---- */

static volatile sig_atomic_t interrupted; /* the signal that ended the prompt */

static void on_interrupt(int number) {
        interrupted = number;
}

static const int interrupt_signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP };

/* One line without its newline. Echo must come back whatever ends the prompt, so signals only end the read here. */
static int read_line_hidden(SecretBuffer *buffer) {
        struct sigaction action = { .sa_handler = on_interrupt }, saved[ELEMENTS(interrupt_signals)];
        struct termios shown, hidden;
        ssize_t n;
        int r = 0;

        if (tcgetattr(STDIN_FILENO, &shown) < 0)
                return last_error();
        hidden = shown;
        hidden.c_lflag = (hidden.c_lflag & ~(tcflag_t)ECHO) | ICANON | ECHONL;
        interrupted = 0;
        for (size_t i = 0; i < ELEMENTS(interrupt_signals); i++)
                (void)sigaction(interrupt_signals[i], &action, &saved[i]);
        if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden) < 0)
                r = last_error();
        if (r == 0) {
                n = read(STDIN_FILENO, buffer->bytes, SECRET_BUFFER_BYTES);
                if (n < 0)
                        r = last_error();
                else
                        buffer->length = (size_t)n;
                (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
        }
        for (size_t i = 0; i < ELEMENTS(interrupt_signals); i++)
                (void)sigaction(interrupt_signals[i], &saved[i], NULL);
        if (interrupted) {
                explicit_bzero(buffer->bytes, SECRET_BUFFER_BYTES);
                (void)raise(interrupted);
                return -EINTR;
        }
        if (buffer->length > 0 && buffer->bytes[buffer->length - 1] == '\n')
                buffer->bytes[--buffer->length] = 0;
        return r;
}

int secret_read_stdin(const char *prompt, SecretBuffer **ret, char **ret_error) {
        _cleanup_(secret_buffer_free_p) SecretBuffer *buffer = NULL;
        int r;

        if (!isatty(STDIN_FILENO))
                return read_named(STDIN_FILENO, "standard input", ret, ret_error);
        r = secret_buffer_new(&buffer);
        if (!buffer)
                return fail_with(ret_error, r, "Cannot lock memory for the key; raise LimitMEMLOCK", "");
        (void)fputs(prompt, stderr);
        r = read_line_hidden(buffer);
        if (r < 0)
                return fail_with(ret_error, r, "Cannot read the key from the terminal", "");
        if (buffer->length == 0)
                return fail_with(ret_error, -ENODATA, "No key was typed", "");
        *ret = take_ptr(buffer);
        return 0;
}
