/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Memory for secrets: one mapping with guard pages, made once at start, that no debugger, core
 * dump, swap or /proc read gets at.
 *
 * Backed by memfd_secret(2) where the kernel has it, else by locked, undumpable memory, which
 * root can read; callers must be able to tell (arena_protection). The descriptor is closed after
 * mapping and the mapping is not inherited by fork. The allocator is O(1), lock-free (a deriver
 * thread at SCHED_IDLE shares it with frame threads, so a lock could be held by a thread that is
 * not running), and never falls back to other memory: NULL means the operation must fail.
 * Freed blocks are wiped before they can be handed out again.
 */
#pragma once

#include "util/util.h"

/* Smallest arena that is of use: a few handles and one PBKDF2. */
#define ARENA_SIZE_MIN (64u * 1024u)
/* Largest single block. */
#define ARENA_BLOCK_MAX (64u * 1024u)

typedef enum ArenaProtection {
        ARENA_PROTECTION_SECRETMEM, /* memfd_secret: "secretmem" */
        ARENA_PROTECTION_LOCKED,    /* mlock + MADV_DONTDUMP: "mlock" */
} ArenaProtection;

typedef struct Arena Arena;

/* Maps `size` bytes (rounded up to pages). With ARENA_PROTECTION_SECRETMEM the fallback is taken
 * when the kernel has no memfd_secret or the unit forbids it (ENOSYS, EPERM); with
 * ARENA_PROTECTION_LOCKED memfd_secret is not tried.
 * Returns 0; -EINVAL; -ENOMEM or -EAGAIN RLIMIT_MEMLOCK is too small for `size`. */
int arena_new(Arena **ret, size_t size, ArenaProtection wanted);
/* Wipes and unmaps. Takes NULL; returns NULL. Nothing allocated from it may be in use. */
Arena *arena_free(Arena *arena);
DEFINE_CLEANUP(Arena, arena_free)

/* Makes this arena libgcrypt's secure memory and initialises libgcrypt. Once a process, before
 * any other libgcrypt call; the arena then lives as long as the process.
 * Returns 0; -EALREADY; -EOPNOTSUPP libgcrypt is in FIPS mode, where it ignores our handlers;
 * -ELIBBAD libgcrypt is older than the headers. */
int arena_install(Arena *arena);
/* The arena given to arena_install(), or NULL. */
Arena *arena_installed(void);

/* From here to arena_scratch_end(), libgcrypt's requests in this thread are met from one block of `len` bytes, until
 * it is used up: nothing is given back in between. For its calls that end the process when memory runs out, as its
 * big integers do. What libgcrypt keeps for longer must not be made meanwhile. Not nested. 0; -ENOMEM. */
int arena_scratch_begin(size_t len);
/* The same from memory of the caller's outside the arena, for what no secret can be read off any more and is too large
 * to be kept in there. */
void arena_scratch_lend(void *memory, size_t len);
/* Wipes and gives the block back; lent memory stays with its owner. */
void arena_scratch_end(void);

ArenaProtection arena_protection(const Arena *arena);
const char *arena_protection_name(ArenaProtection protection);

/* A zeroed block, 16-byte aligned, or NULL if there is no room or len > ARENA_BLOCK_MAX. Any thread. */
void *arena_alloc(Arena *arena, size_t len);
/* Wipes and gives back. Takes NULL. A pointer that is not the start of a block aborts. Any thread. */
void arena_release(Arena *arena, void *block);
/* Whether the pointer lies in the arena. */
bool arena_owns(const Arena *arena, const void *pointer);
/* Usable length of a block, at least what was asked for. */
size_t arena_block_len(const Arena *arena, const void *block);

/* Bytes that can be handed out in all, and bytes in use (rounded up blocks included). */
size_t arena_capacity(const Arena *arena);
size_t arena_in_use(const Arena *arena);
/* The mapping, for tests that walk it. */
void arena_extent(const Arena *arena, const uint8_t **ret_base, size_t *ret_len);
