/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The arena: protected pages, and a lock-free allocator whose whole state lies outside them.
 *
 * The mapping is a row of units of 4 KiB. A unit is free, or a slab (cut into equal blocks of one
 * class), or part of a run (one block of 1..16 units). Beside it, in plain memory:
 *
 *   taken[]         a bit a unit: not free
 *   units[].kind    what the unit is; a slab's kind is its class
 *   units[].used    a bit a block: in use, or not there because the class has fewer blocks than 64
 *   open[class][]   a bit a unit: try this slab first. A hint that may be wrong, see unit_settle()
 *
 * Every step is one compare-and-swap or one fetch-and on such a word. A bit means "in use" whatever
 * went before, so there is no list and no ABA problem. Three rules carry the proof:
 *
 *   1. Who set a bit in `used` owns that block; while somebody owns one, the unit's kind stays.
 *   2. `used` of a unit that is no slab is ALL_USED, so nobody can get a block of it.
 *   3. A bit can be set in a unit that has become another slab since one looked, because equal
 *      words look alike. So the kind is checked after setting it, and if it is not the expected one,
 *      the bit, which is a free block of the new slab, is given back.
 *
 * A slab that ran empty stays with its class until units are short (sweep): PBKDF2 allocates and
 * frees one block an iteration. All atomics are sequentially consistent; hot paths have two of them.
 *
 * Free memory is always zero: the kernel gives zeros and release wipes before it clears the bit.
 */
#include "crypto/arena.h"

#include <assert.h>
#include <fcntl.h>
#include <gcrypt.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define UNIT      4096u
#define WORD_BITS 64u
#define ALL_USED  UINT64_MAX
#define N_CLASSES ELEMENTS(class_len)

/* Multiples of a cache line, so that handles of two threads never share one. The steps follow what
 * is allocated: 64 schedule steps and PBKDF2 scratch; 128 MAC handles; 576..704 the two parts of an
 * HMAC; 1344 PBKDF2's HMAC; 2048 a GCM handle (1967 bytes), two a unit. The last, number 0 being
 * taken by "free", is the reserve: the length is that of the first, but see arena_gcry_alloc(). */
static const uint16_t class_len[] = { 0, 64, 128, 192, 256, 384, 576, 640, 704, 1024, 1344, 2048, 64 };

enum {
        KIND_FREE = 0,
        KIND_SLAB_FIRST = 1,
        KIND_SLAB_LAST = N_CLASSES - 2,
        KIND_RESERVE = N_CLASSES - 1,
        KIND_RUN,      /* first unit of a run */
        KIND_RUN_BODY, /* further ones */
};

typedef struct Unit {
        _Atomic uint64_t used;
        _Atomic uint8_t kind;
        _Atomic uint8_t run_len; /* units, of the first of a run */
} Unit;

struct Arena {
        uint8_t *base;
        size_t len;
        uint8_t *outer; /* with the guard pages */
        size_t outer_len;
        ArenaProtection protection;
        bool complete; /* the pages can be touched */
        size_t n_units;
        size_t n_words;
        Unit *units;
        _Atomic uint64_t *taken;
        _Atomic uint64_t *open;         /* n_words for each class */
        _Atomic size_t hint[N_CLASSES]; /* word of `open` that last had room */
};

/* libgcrypt's handlers get no context, and its memory is one a process: the only static state here. */
static Arena *installed;
static bool install_done;
static _Thread_local struct Scratch {
        uint8_t *base;
        size_t len, used;
        bool lent;
} scratch;

static uint64_t bit_of(size_t unit) {
        return UINT64_C(1) << (unit % WORD_BITS);
}

static size_t blocks_of(unsigned kind) {
        return UNIT / class_len[kind];
}

/* `used` of a slab of which nothing is in use. */
static uint64_t empty_of(unsigned kind) {
        return blocks_of(kind) == WORD_BITS ? 0 : ALL_USED << blocks_of(kind);
}

static _Atomic uint64_t *open_word(Arena *arena, unsigned kind, size_t unit) {
        return &arena->open[kind * arena->n_words + unit / WORD_BITS];
}

static bool is_slab(unsigned kind) {
        return kind >= KIND_SLAB_FIRST && kind <= KIND_RESERVE;
}

/* Withdraws a hint that led nowhere. Somebody may have made room between the look that failed and
 * this, and have set the bit before it is cleared here; so look again, after clearing: either this
 * sees the room, or the other sees its bit set last. Otherwise a slab with room would be lost. */
static void unit_settle(Arena *arena, size_t unit, unsigned kind) {
        Unit *u = &arena->units[unit];

        atomic_fetch_and(open_word(arena, kind, unit), ~bit_of(unit));
        if (atomic_load(&u->kind) == kind && atomic_load(&u->used) != ALL_USED)
                atomic_fetch_or(open_word(arena, kind, unit), bit_of(unit));
}

/* Gives back blocks that the caller owns. False if it did not own them. The wipe must be seen before
 * the block is seen free, by the next owner, who relies on zeros. */
static bool unit_give(Arena *arena, size_t unit, uint64_t bits) {
        unsigned kind = atomic_load(&arena->units[unit].kind); /* before giving: rule 1 */
        uint64_t old = atomic_fetch_and(&arena->units[unit].used, ~bits);

        if ((old & bits) != bits)
                return false;
        if (old == ALL_USED)
                atomic_fetch_or(open_word(arena, kind, unit), bit_of(unit));
        return true;
}

static void *unit_take(Arena *arena, size_t unit, unsigned kind) {
        Unit *u = &arena->units[unit];
        uint64_t used = atomic_load(&u->used);

        while (used != ALL_USED) {
                unsigned block = (unsigned)__builtin_ctzll(~used);

                if (!atomic_compare_exchange_weak(&u->used, &used, used | UINT64_C(1) << block))
                        continue;
                if (atomic_load(&u->kind) == kind)
                        return arena->base + unit * UNIT + (size_t)block * class_len[kind];
                (void)unit_give(arena, unit, UINT64_C(1) << block); /* rule 3; it is ours */
                break;
        }
        unit_settle(arena, unit, kind);
        return NULL;
}

static void *slab_take(Arena *arena, unsigned kind) {
        size_t first = atomic_load_explicit(&arena->hint[kind], memory_order_relaxed); /* any value will do */

        for (size_t i = 0; i < arena->n_words; i++) {
                size_t word = (first + i) % arena->n_words;
                uint64_t open = atomic_load(&arena->open[kind * arena->n_words + word]);

                while (open != 0) {
                        void *block = unit_take(arena, word * WORD_BITS + (size_t)__builtin_ctzll(open), kind);

                        if (block) {
                                if (i > 0)
                                        atomic_store_explicit(&arena->hint[kind], word, memory_order_relaxed);
                                return block;
                        }
                        open &= open - 1;
                }
        }
        return NULL;
}

/* Claims `n` neighbouring units, which are then the caller's alone. Runs do not cross words. */
static bool units_claim(Arena *arena, size_t n, size_t *ret_unit) {
        for (size_t word = 0; word < arena->n_words; word++) {
                uint64_t taken = atomic_load(&arena->taken[word]);

                for (;;) {
                        uint64_t starts = ~taken, claim;

                        for (size_t i = 1; i < n; i++)
                                starts &= ~taken >> i;
                        if (starts == 0)
                                break;
                        claim = ((UINT64_C(1) << n) - 1) << __builtin_ctzll(starts);
                        if (atomic_compare_exchange_weak(&arena->taken[word], &taken, taken | claim)) {
                                *ret_unit = word * WORD_BITS + (size_t)__builtin_ctzll(starts);
                                return true;
                        }
                }
        }
        return false;
}

static void units_return(Arena *arena, size_t unit, size_t n) {
        for (size_t i = 0; i < n; i++)
                atomic_store(&arena->units[unit + i].kind, KIND_FREE);
        atomic_fetch_and(&arena->taken[unit / WORD_BITS], ~(((UINT64_C(1) << n) - 1) << (unit % WORD_BITS)));
}

/* Gives empty slabs back to the units. Owning all blocks of a slab is owning the unit. */
static bool sweep(Arena *arena) {
        bool found = false;

        for (size_t unit = 0; unit < arena->n_units; unit++) {
                Unit *u = &arena->units[unit];
                unsigned kind = atomic_load(&u->kind);
                uint64_t used;

                if (!is_slab(kind) || kind == KIND_RESERVE)
                        continue;
                used = empty_of(kind);
                if (!atomic_compare_exchange_strong(&u->used, &used, ALL_USED))
                        continue;
                if (atomic_load(&u->kind) != kind) {
                        (void)unit_give(arena, unit, ~empty_of(kind)); /* rule 3 */
                        continue;
                }
                atomic_fetch_and(open_word(arena, kind, unit), ~bit_of(unit));
                units_return(arena, unit, 1);
                found = true;
        }
        return found;
}

static bool units_claim_swept(Arena *arena, size_t n, size_t *ret_unit) {
        return units_claim(arena, n, ret_unit) || (sweep(arena) && units_claim(arena, n, ret_unit));
}

/* A new slab, of which the first block is the caller's. `used` is stored after the kind, so that
 * whoever sets a bit in it sees the kind. */
static void *slab_make(Arena *arena, unsigned kind) {
        size_t unit;

        if (!units_claim_swept(arena, 1, &unit))
                return NULL;
        atomic_store(&arena->units[unit].kind, (uint8_t)kind);
        atomic_store(&arena->units[unit].used, empty_of(kind) | 1);
        atomic_fetch_or(open_word(arena, kind, unit), bit_of(unit));
        return arena->base + unit * UNIT;
}

static void *run_make(Arena *arena, size_t n) {
        size_t unit;

        if (!units_claim_swept(arena, n, &unit))
                return NULL;
        for (size_t i = 1; i < n; i++)
                atomic_store(&arena->units[unit + i].kind, KIND_RUN_BODY);
        atomic_store(&arena->units[unit].run_len, (uint8_t)n);
        atomic_store(&arena->units[unit].kind, KIND_RUN);
        return arena->base + unit * UNIT;
}

void *arena_alloc(Arena *arena, size_t len) {
        unsigned kind = KIND_SLAB_FIRST;
        void *block;

        if (len > ARENA_BLOCK_MAX)
                return NULL;
        while (kind <= KIND_SLAB_LAST && class_len[kind] < len)
                kind++;
        if (kind > KIND_SLAB_LAST)
                return run_make(arena, (len + UNIT - 1) / UNIT);
        block = slab_take(arena, kind);
        if (!block)
                block = slab_make(arena, kind);
        /* All units are taken: a block that is too large is better than none. */
        while (!block && ++kind <= KIND_SLAB_LAST)
                block = slab_take(arena, kind);
        return block;
}

typedef struct Block {
        size_t unit;
        size_t len;
        uint64_t bit; /* in `used`; 0: a run */
} Block;

/* Finds the block that starts here and is in use; anything else is a bug of ours that would end in
 * two owners of one secret, so nothing is left but to stop. */
static Block block_at(const Arena *arena, const void *pointer) {
        size_t offset, inside, unit;
        unsigned kind;
        uint64_t bit;

        if (!arena_owns(arena, pointer))
                abort();
        offset = (size_t)((const uint8_t *)pointer - arena->base);
        inside = offset % UNIT;
        unit = offset / UNIT;
        kind = atomic_load(&arena->units[unit].kind);
        if (kind == KIND_RUN && inside == 0)
                return (Block){ unit, (size_t)atomic_load(&arena->units[unit].run_len) * UNIT, 0 };
        if (!is_slab(kind) || inside % class_len[kind] != 0 || inside / class_len[kind] >= blocks_of(kind))
                abort();
        bit = UINT64_C(1) << (inside / class_len[kind]);
        if ((atomic_load(&arena->units[unit].used) & bit) == 0)
                abort();
        return (Block){ unit, class_len[kind], bit };
}

void arena_release(Arena *arena, void *block) {
        uint8_t run = KIND_RUN;
        Block b;

        if (!block)
                return;
        b = block_at(arena, block);
        if (b.bit == 0 && !atomic_compare_exchange_strong(&arena->units[b.unit].kind, &run, KIND_RUN_BODY))
                abort();
        explicit_bzero(block, b.len);
        if (b.bit == 0)
                units_return(arena, b.unit, b.len / UNIT);
        else if (!unit_give(arena, b.unit, b.bit))
                abort();
}

bool arena_owns(const Arena *arena, const void *pointer) {
        return (uintptr_t)pointer - (uintptr_t)arena->base < arena->len;
}

size_t arena_block_len(const Arena *arena, const void *block) {
        return block_at(arena, block).len;
}

size_t arena_capacity(const Arena *arena) {
        return (arena->n_units - (arena == installed ? 1 : 0)) * UNIT;
}

/* Counted when asked, so that it costs the hot paths nothing. */
size_t arena_in_use(const Arena *arena) {
        size_t sum = 0;

        for (size_t unit = 0; unit < arena->n_units; unit++) {
                unsigned kind = atomic_load(&arena->units[unit].kind);
                uint64_t used = atomic_load(&arena->units[unit].used);

                if (kind == KIND_RUN)
                        sum += (size_t)atomic_load(&arena->units[unit].run_len) * UNIT;
                else if (is_slab(kind))
                        sum += (size_t)__builtin_popcountll(used & ~empty_of(kind)) * class_len[kind];
        }
        return sum;
}

void arena_extent(const Arena *arena, const uint8_t **ret_base, size_t *ret_len) {
        *ret_base = arena->base;
        *ret_len = arena->len;
}

ArenaProtection arena_protection(const Arena *arena) {
        return arena->protection;
}

const char *arena_protection_name(ArenaProtection protection) {
        return protection == ARENA_PROTECTION_SECRETMEM ? "secretmem" : "mlock";
}

/* The pages of the arena, over the address range between the guards. A write to each makes the
 * kernel provide it now: no frame thread ever faults, and what does not fit fails at start. */
static int map_secretmem(Arena *arena) {
        _cleanup_close_ int fd = -EBADF;

        fd = (int)syscall(SYS_memfd_secret, O_CLOEXEC);
        if (fd < 0)
                return -errno;
        if (ftruncate(fd, (off_t)arena->len) < 0)
                return -errno;
        if (mmap(arena->base, arena->len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED)
                return -errno;
        /* The descriptor dies here: a copy of it, taken by pidfd_getfd(2), could be mapped and read. */
        return 0;
}

static int map_locked(Arena *arena) {
        if (mmap(arena->base, arena->len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
            MAP_FAILED)
                return -errno;
        if (mlock(arena->base, arena->len) < 0)
                return errno == EPERM ? -EAGAIN : -errno; /* EPERM: the limit is 0 */
        return 0;
}

static int map_pages(Arena *arena, ArenaProtection wanted) {
        int r = -ENOSYS;

        arena->protection = wanted;
        if (wanted == ARENA_PROTECTION_SECRETMEM)
                r = map_secretmem(arena);
        if (r == -ENOSYS || r == -EPERM) {
                arena->protection = ARENA_PROTECTION_LOCKED;
                r = map_locked(arena);
        }
        if (r < 0)
                return r;
        /* DONTFORK: secretmem is a shared mapping, a child would see it. */
        if (madvise(arena->base, arena->len, MADV_DONTFORK) < 0 || madvise(arena->base, arena->len, MADV_DONTDUMP) < 0)
                return -errno;
        for (size_t offset = 0; offset < arena->len; offset += UNIT)
                *(volatile uint8_t *)(arena->base + offset) = 0;
        arena->complete = true;
        return 0;
}

static int reserve_addresses(Arena *arena, size_t len, size_t page) {
        void *outer;

        outer = mmap(NULL, len + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (outer == MAP_FAILED)
                return -errno;
        arena->outer = outer;
        arena->outer_len = len + 2 * page;
        arena->base = arena->outer + page;
        arena->len = len;
        return 0;
}

static int make_tables(Arena *arena) {
        arena->n_units = arena->len / UNIT;
        assert(arena->n_units > 0);
        arena->n_words = (arena->n_units + WORD_BITS - 1) / WORD_BITS;
        arena->units = calloc(arena->n_units, sizeof(*arena->units));
        arena->taken = calloc(arena->n_words, sizeof(*arena->taken));
        arena->open = calloc(arena->n_words * N_CLASSES, sizeof(*arena->open));
        if (!arena->units || !arena->taken || !arena->open)
                return -ENOMEM;
        for (size_t unit = 0; unit < arena->n_units; unit++)
                atomic_init(&arena->units[unit].used, ALL_USED);
        if (arena->n_units % WORD_BITS != 0) /* units that are not there */
                atomic_init(&arena->taken[arena->n_words - 1], ALL_USED << (arena->n_units % WORD_BITS));
        return 0;
}

int arena_new(Arena **ret, size_t size, ArenaProtection wanted) {
        _cleanup_(arena_free_p) Arena *arena = NULL;
        size_t page = (size_t)sysconf(_SC_PAGESIZE);
        int r;

        if (size < ARENA_SIZE_MIN || size > SIZE_MAX / 2)
                return -EINVAL;
        arena = calloc(1, sizeof(*arena));
        if (!arena)
                return -ENOMEM;
        r = reserve_addresses(arena, (size + page - 1) / page * page, page);
        if (r < 0)
                return r;
        r = make_tables(arena);
        if (r < 0)
                return r;
        r = map_pages(arena, wanted);
        if (r < 0)
                return r;
        *ret = take_ptr(arena);
        return 0;
}

Arena *arena_free(Arena *arena) {
        if (!arena)
                return NULL;
        if (arena == installed)
                installed = NULL;
        if (arena->complete)
                explicit_bzero(arena->base, arena->len);
        if (arena->outer)
                (void)munmap(arena->outer, arena->outer_len); /* cannot fail for a whole mapping of ours */
        free(arena->units);
        free(arena->taken);
        free(arena->open);
        free(arena);
        return NULL;
}

int arena_scratch_begin(size_t len) {
        uint8_t *base;

        assert(!scratch.base);
        base = arena_alloc(installed, len);
        if (!base)
                return -ENOMEM;
        scratch = (struct Scratch){ .base = base, .len = len };
        return 0;
}

void arena_scratch_lend(void *memory, size_t len) {
        assert(!scratch.base);
        scratch = (struct Scratch){ .base = memory, .len = len, .lent = true };
}

void arena_scratch_end(void) {
        if (!scratch.lent)
                arena_release(installed, scratch.base);
        scratch = (struct Scratch){ 0 };
}

static bool scratch_owns(const void *pointer) {
        return (uintptr_t)pointer - (uintptr_t)scratch.base < scratch.len;
}

static void *scratch_take(size_t len) {
        uint8_t *block;

        if (!scratch.base || len > scratch.len - scratch.used)
                return NULL;
        block = scratch.base + scratch.used;
        scratch.used += MIN_OF((len + 15) & ~(size_t)15, scratch.len - scratch.used);
        return block;
}

/* All of libgcrypt's memory comes from the arena, not only what it calls secure: which of its
 * buffers touch key material is its own affair and changes with its version.
 *
 * libgcrypt ends the process when the one small buffer that finishing an HMAC takes cannot be had
 * (md_final in its md.c). A client that fills the arena must not be able to do that, so 64 blocks are
 * kept for it. Each thread holds one at a time. Larger requests of libgcrypt fail with an error. */
static void *arena_gcry_alloc(size_t len) {
        void *block = scratch_take(len);

        if (!block && installed)
                block = arena_alloc(installed, len);
        if (!block && installed && len <= class_len[KIND_RESERVE])
                block = slab_take(installed, KIND_RESERVE);
        if (!block)
                errno = ENOMEM;
        return block;
}

static int arena_gcry_is_secure(const void *pointer) {
        return installed && arena_owns(installed, pointer);
}

static void arena_gcry_free(void *block) {
        if (installed && !scratch_owns(block)) /* else the arena is gone and the block with it, or goes soon */
                arena_release(installed, block);
}

static void *arena_gcry_realloc(void *block, size_t len) {
        size_t old_len;
        void *larger;

        if (scratch_owns(block)) { /* nobody knows how long it is; what follows is scratch as well */
                old_len = MIN_OF(len, (size_t)(scratch.base + scratch.used - (uint8_t *)block));
        } else {
                old_len = arena_block_len(installed, block);
                if (len <= old_len)
                        return block;
        }
        larger = arena_gcry_alloc(len);
        if (larger) {
                memcpy(larger, block, old_len);
                arena_gcry_free(block);
        }
        return larger;
}

/* The first AES key of a process makes libgcrypt run its self test, once, guarded by a plain static
 * variable, and remember an out-of-memory as a failure for good. So it is done here, alone. */
static int test_aes(void) {
        static const uint8_t zeros[16];
        gcry_cipher_hd_t cipher;
        gcry_error_t error;

        error = gcry_cipher_open(&cipher, GCRY_CIPHER_AES128, GCRY_CIPHER_MODE_GCM, GCRY_CIPHER_SECURE);
        if (error)
                return -ELIBBAD;
        error = gcry_cipher_setkey(cipher, zeros, sizeof(zeros));
        gcry_cipher_close(cipher);
        return error ? -ELIBBAD : 0;
}

int arena_install(Arena *arena) {
        void *first;
        int r;

        if (install_done || gcry_control(GCRYCTL_INITIALIZATION_FINISHED_P))
                return -EALREADY;
        gcry_set_allocation_handler(arena_gcry_alloc, arena_gcry_alloc, arena_gcry_is_secure, arena_gcry_realloc,
                                    arena_gcry_free);
        if (gcry_fips_mode_active()) /* only known after the first call, which has ignored the handlers then */
                return -EOPNOTSUPP;
        first = slab_make(arena, KIND_RESERVE);
        if (!first)
                return -ENOMEM;
        arena_release(arena, first);
        install_done = true;
        installed = arena;
        if (!gcry_check_version(GCRYPT_VERSION))
                return -ELIBBAD;
        r = test_aes();
        if (r < 0)
                return r;
        gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
        return 0;
}

Arena *arena_installed(void) {
        return installed;
}
