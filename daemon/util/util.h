/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The handful of idioms every file uses: cleanup attributes, pointer hand-over, small maths.
 * Header only, no state.
 */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define _cleanup_(f) __attribute__((cleanup(f)))
#define _unused_     __attribute__((unused))
#define _pure_       __attribute__((pure))

#define ELEMENTS(a)  (sizeof(a) / sizeof(*(a)))
#define MIN_OF(a, b) ((a) < (b) ? (a) : (b))
#define MAX_OF(a, b) ((a) > (b) ? (a) : (b))

/* Hands the value over and leaves NULL behind, so that a cleanup attribute does nothing. */
#define take_ptr(p)                                                                                                    \
        ({                                                                                                             \
                __typeof__(p) *_pp = &(p);                                                                             \
                __typeof__(p) _v = *_pp;                                                                               \
                *_pp = NULL;                                                                                           \
                _v;                                                                                                    \
        })

static inline int take_fd(int *fd) {
        int v = *fd;

        *fd = -EBADF;
        return v;
}

static inline void free_p(void *p) {
        free(*(void **)p);
}
#define _cleanup_free_ _cleanup_(free_p)

static inline int close_fd(int fd) {
        if (fd >= 0) {
                int saved = errno;

                (void)close(fd); /* nothing to do about a failing close of a descriptor without data */
                errno = saved;
        }
        return -EBADF;
}

static inline void close_p(int *fd) {
        *fd = close_fd(*fd);
}
#define _cleanup_close_ _cleanup_(close_p)

#define DEFINE_CLEANUP(type, func)                                                                                     \
        static inline void func##_p(type **p) {                                                                        \
                *p = func(*p);                                                                                         \
        }

#define USEC_PER_SEC  UINT64_C(1000000)
#define USEC_PER_MSEC UINT64_C(1000)
#define NSEC_PER_USEC UINT64_C(1000)
#define USEC_INFINITY UINT64_MAX

/* Asks for all cache lines of a struct. */
#define PREFETCH_WHOLE(pointer)                                                                                        \
        do {                                                                                                           \
                for (size_t line_ = 0; line_ < sizeof(*(pointer)); line_ += 64)                                        \
                        __builtin_prefetch((const uint8_t *)(pointer) + line_, 1);                                     \
        } while (0)
