/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Promise P1 from inside: are bytes of a secret anywhere in this process's writable memory but in the
 * arena? Looked for are 8 bytes in a row, as they are, backwards (big integers) and as swapped words
 * of a hash. The secrets have to lie in the arena and nowhere else when this is asked.
 *
 * Under a sanitizer nothing is searched: it has stacks and copies of its own, and terabytes of shadow.
 */
#pragma once

#include "crypto/arena.h"
#include "sanitizers.h"

#include <check.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>

#define OUTSIDE_WINDOW 8u
#define OUTSIDE_CHUNK  ((size_t)256 * 1024)
/* Larger ones are a sanitizer's. */
#define OUTSIDE_MAPPING_MAX (UINT64_C(1) << 28)

/* In a mapping of its own that is not searched, since it holds what was found and what is looked for. */
typedef struct Outside {
        uint8_t chunk[OUTSIDE_CHUNK + OUTSIDE_WINDOW];
        uint8_t windows[1024][OUTSIDE_WINDOW];
        size_t n_windows;
        char maps[256 * 1024];
        char last[256]; /* what was found last, for people */
        int memory;
} Outside;

_unused_ static Outside *outside_new(void) {
        Outside *outside = mmap(NULL, sizeof(*outside), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        ck_assert_ptr_ne(outside, MAP_FAILED);
        outside->memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
        ck_assert_int_ge(outside->memory, 0);
        return outside;
}

_unused_ static void outside_free(Outside *outside) {
        (void)close(outside->memory);
        (void)munmap(outside, sizeof(*outside));
}

/* To be looked for: `len` >= 8 random bytes in the arena. */
_unused_ static void outside_add(Outside *outside, const void *secret, size_t len) {
        const uint8_t *bytes = secret;

        ck_assert(arena_owns(arena_installed(), secret));
        for (size_t at = 0; at < len; at += OUTSIDE_WINDOW) {
                const uint8_t *window = bytes + MIN_OF(at, len - OUTSIDE_WINDOW);

                ck_assert_uint_le(outside->n_windows + 3, ELEMENTS(outside->windows));
                for (size_t i = 0; i < OUTSIDE_WINDOW; i++) {
                        outside->windows[outside->n_windows][i] = window[i];
                        outside->windows[outside->n_windows + 1][i] = window[OUTSIDE_WINDOW - 1 - i];
                        outside->windows[outside->n_windows + 2][i] = window[i ^ 3];
                }
                outside->n_windows += 3;
        }
}

static size_t outside_search(Outside *outside, uint64_t from, uint64_t to, const char *line) {
        size_t n_found = 0;

        for (uint64_t at = from; at < to; at += OUTSIDE_CHUNK) {
                size_t wanted = MIN_OF(to - at, sizeof(outside->chunk));
                ssize_t n = pread(outside->memory, outside->chunk, wanted, (off_t)at);

                for (size_t i = 0; n > 0 && i < outside->n_windows; i++)
                        if (memmem(outside->chunk, (size_t)n, outside->windows[i], OUTSIDE_WINDOW)) {
                                (void)snprintf(outside->last, sizeof(outside->last), "window %zu in %.*s", i,
                                               (int)strcspn(line, "\n"), line);
                                n_found++;
                        }
        }
        return n_found;
}

/* How many (window, 256 KiB) pairs there are that match. */
_unused_ static size_t outside_count(Outside *outside) {
        int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
        size_t len = 0, n_found = 0, n_searched = 0;
        const uint8_t *arena;
        ssize_t n;

        arena_extent(arena_installed(), &arena, &(size_t){ 0 });
        while ((n = read(fd, outside->maps + len, sizeof(outside->maps) - 1 - len)) > 0)
                len += (size_t)n;
        (void)close(fd);
        ck_assert_uint_lt(len, sizeof(outside->maps) - 1);
        outside->maps[len] = '\0';
        for (const char *line = outside->maps; *line; line = strchr(line, '\n') + 1) {
                uint64_t from, to;
                char writable;

                ck_assert_int_eq(sscanf(line, "%" SCNx64 "-%" SCNx64 " %*c%c", &from, &to, &writable), 3);
                if (writable != 'w' || to - from > OUTSIDE_MAPPING_MAX ||
                    (from <= (uintptr_t)arena && (uintptr_t)arena < to) ||
                    (from <= (uintptr_t)outside && (uintptr_t)outside < to))
                        continue;
                n_found += outside_search(outside, from, to, line);
                n_searched++;
        }
        ck_assert_uint_gt(n_searched, 3); /* at least data, heap and stack */
        return n_found;
}

/* Nothing is found, and what is put where it must not be is: on the heap, as it is, backwards and swapped. */
_unused_ static void outside_expect_none(Outside *outside) {
        uint8_t *planted;
        size_t n_found;

        if (!PLAIN_MEMORY)
                return;
        planted = malloc(OUTSIDE_WINDOW);
        n_found = outside_count(outside);
        ck_assert_msg(n_found == 0, "%zu, the last is %s", n_found, outside->last);
        for (size_t i = outside->n_windows - 3; i < outside->n_windows; i++) {
                memcpy(planted, outside->windows[i], OUTSIDE_WINDOW);
                n_found = outside_count(outside);
                explicit_bzero(planted, OUTSIDE_WINDOW);
                ck_assert_uint_ge(n_found, 1);
        }
        free(planted);
}

/* Does something far down on the stack, where the search does not write over what it leaves. */
_unused_ static __attribute__((noinline)) void outside_act(void (*act)(void *), void *userdata) {
        volatile uint8_t above[128 * 1024];

        above[0] = above[sizeof(above) - 1] = 1;
        act(userdata);
        above[0] = 0;
}
