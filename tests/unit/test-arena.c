/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Unit tests of crypto/arena: protection, allocator, wiping, libgcrypt's memory. The stress case is
 * the one for the thread sanitizer.
 */
#include "crypto/arena.h"

#include <check.h>
#include <gcrypt.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define SIZE_SMALL (256u * 1024u)
#define SIZE_WHOLE (4u * 1024u * 1024u)

static const size_t lengths[] = { 0,    1,    16,   64,   65,   128,  129,  560,  600,  696,   1072,
                                  1345, 1967, 2048, 2049, 4096, 4097, 4104, 8192, 8193, 65535, 65536 };

static Arena *make(size_t size) {
        Arena *arena = NULL;

        ck_assert_int_eq(arena_new(&arena, size, ARENA_PROTECTION_SECRETMEM), 0);
        return arena;
}

static bool is_zero(const uint8_t *bytes, size_t len) {
        for (size_t i = 0; i < len; i++)
                if (bytes[i] != 0)
                        return false;
        return true;
}

static bool holds(const Arena *arena, const void *pattern, size_t len) {
        const uint8_t *base;
        size_t extent;

        arena_extent(arena, &base, &extent);
        return memmem(base, extent, pattern, len) != NULL;
}

START_TEST(new_refuses_useless_sizes) {
        Arena *arena = NULL;

        ck_assert_int_eq(arena_new(&arena, ARENA_SIZE_MIN - 1, ARENA_PROTECTION_LOCKED), -EINVAL);
        ck_assert_int_eq(arena_new(&arena, SIZE_MAX, ARENA_PROTECTION_LOCKED), -EINVAL);
        ck_assert_ptr_null(arena);
        ck_assert_int_eq(arena_new(&arena, ARENA_SIZE_MIN, ARENA_PROTECTION_LOCKED), 0);
        ck_assert_uint_eq(arena_capacity(arena), ARENA_SIZE_MIN);
        arena = arena_free(arena);
        ck_assert_ptr_null(arena);
}
END_TEST

START_TEST(locked_is_what_it_says) {
        _cleanup_(arena_free_p) Arena *arena = NULL;

        ck_assert_int_eq(arena_new(&arena, SIZE_SMALL, ARENA_PROTECTION_LOCKED), 0);
        ck_assert_int_eq(arena_protection(arena), ARENA_PROTECTION_LOCKED);
        ck_assert_str_eq(arena_protection_name(arena_protection(arena)), "mlock");
        ck_assert_str_eq(arena_protection_name(ARENA_PROTECTION_SECRETMEM), "secretmem");
}
END_TEST

/* A fault is not enough: there may be nothing at all, by luck. */
static bool is_guard(const void *address) {
        FILE *maps = fopen("/proc/self/maps", "re");
        bool found = false;
        char line[512];

        ck_assert_ptr_nonnull(maps);
        while (fgets(line, sizeof(line), maps)) {
                char *end = NULL;
                unsigned long from = strtoul(line, &end, 16), to = strtoul(end + 1, &end, 16);

                if ((uintptr_t)address >= from && (uintptr_t)address < to)
                        found = strncmp(end, " ---p", 5) == 0;
        }
        ck_assert_int_eq(fclose(maps), 0);
        return found;
}

/* Of the mapping at `address` in /proc/self/smaps: whether its VmFlags have `flag`. */
static bool has_vm_flag(const void *address, const char *flag) {
        FILE *smaps = fopen("/proc/self/smaps", "re");
        bool inside = false, found = false;
        char line[512];

        ck_assert_ptr_nonnull(smaps);
        while (fgets(line, sizeof(line), smaps)) {
                char *end = NULL;
                unsigned long from = strtoul(line, &end, 16), to = 0;

                if (end && *end == '-' && end != line) {
                        to = strtoul(end + 1, NULL, 16);
                        inside = (uintptr_t)address >= from && (uintptr_t)address < to;
                }
                if (inside && strncmp(line, "VmFlags:", 8) == 0)
                        found = strstr(line, flag) != NULL;
        }
        ck_assert_int_eq(fclose(smaps), 0);
        return found;
}

/* The sanitizers' runtimes turn mlock(2) into nothing. */
static bool mlock_is_real(void) {
        size_t page = (size_t)sysconf(_SC_PAGESIZE);
        void *memory = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        bool real;

        ck_assert_ptr_ne(memory, MAP_FAILED);
        ck_assert_int_eq(mlock(memory, page), 0);
        real = has_vm_flag(memory, " lo");
        ck_assert_int_eq(munmap(memory, page), 0);
        return real;
}

START_TEST(new_says_when_the_limit_is_too_small) {
        for (int protection = ARENA_PROTECTION_SECRETMEM; protection <= ARENA_PROTECTION_LOCKED; protection++) {
                const struct rlimit none = { 0, 0 };
                pid_t child;
                int status;

                if (protection == ARENA_PROTECTION_LOCKED && !mlock_is_real())
                        continue;
                child = fork();

                if (child == 0) {
                        Arena *arena = NULL;
                        int r;

                        /* Root is above the limit, so not as root. */
                        if (setrlimit(RLIMIT_MEMLOCK, &none) < 0 || (geteuid() == 0 && setuid(65534) < 0))
                                _exit(2);
                        r = arena_new(&arena, SIZE_SMALL, (ArenaProtection)protection);
                        _exit(r == -EAGAIN || r == -ENOMEM ? 0 : 1);
                }
                ck_assert_int_eq(waitpid(child, &status, 0), child);
                ck_assert_int_eq(status, 0);
        }
}
END_TEST

START_TEST(pages_are_kept_from_children_and_dumps_and_swap) {
        for (int protection = ARENA_PROTECTION_SECRETMEM; protection <= ARENA_PROTECTION_LOCKED; protection++) {
                _cleanup_(arena_free_p) Arena *arena = NULL;
                const uint8_t *base;
                size_t len;

                ck_assert_int_eq(arena_new(&arena, SIZE_SMALL, (ArenaProtection)protection), 0);
                arena_extent(arena, &base, &len);
                ck_assert(has_vm_flag(base, " dc"));
                ck_assert(has_vm_flag(base, " dd"));
                if (protection == ARENA_PROTECTION_SECRETMEM || mlock_is_real())
                        ck_assert(has_vm_flag(base, " lo"));
        }
}
END_TEST

START_TEST(secretmem_keeps_no_descriptor) {
        int before, after;

        before = dup(0);
        ck_assert_int_ge(before, 0);
        ck_assert_int_eq(close(before), 0);
        Arena *arena = make(SIZE_SMALL);
        after = dup(0);
        ck_assert_int_eq(after, before);
        ck_assert_int_eq(close(after), 0);
        arena_free(arena);
}
END_TEST

/* Signal cases: they end with SIGSEGV, which a sanitizer would make an exit of. */
START_TEST(guard_before_the_arena_faults) {
        const uint8_t *base;
        size_t len;

        ck_assert(signal(SIGSEGV, SIG_DFL) != SIG_ERR);
        arena_extent(make(SIZE_SMALL), &base, &len);
        if (is_guard(base - 1))
                ((volatile uint8_t *)base)[-1] = 1;
}
END_TEST

START_TEST(guard_after_the_arena_faults) {
        const uint8_t *base;
        size_t len;

        ck_assert(signal(SIGSEGV, SIG_DFL) != SIG_ERR);
        arena_extent(make(SIZE_SMALL), &base, &len);
        if (is_guard(base + len))
                ((volatile uint8_t *)base)[len] = 1;
}
END_TEST

START_TEST(blocks_are_aligned_zero_and_long_enough) {
        _cleanup_(arena_free_p) Arena *arena = make(SIZE_WHOLE);
        void *blocks[ELEMENTS(lengths)];

        for (int round = 0; round < 3; round++) {
                for (size_t i = 0; i < ELEMENTS(lengths); i++) {
                        size_t len;

                        blocks[i] = arena_alloc(arena, lengths[i]);
                        ck_assert_ptr_nonnull(blocks[i]);
                        ck_assert(arena_owns(arena, blocks[i]));
                        ck_assert_uint_eq((uintptr_t)blocks[i] % 16, 0);
                        len = arena_block_len(arena, blocks[i]);
                        ck_assert_uint_ge(len, lengths[i]);
                        ck_assert(is_zero(blocks[i], len));
                        memset(blocks[i], 0xA5, len);
                }
                for (size_t i = 0; i < ELEMENTS(lengths); i++) {
                        for (size_t k = 0; k < arena_block_len(arena, blocks[i]); k++)
                                ck_assert_int_eq(((uint8_t *)blocks[i])[k], 0xA5);
                        arena_release(arena, blocks[i]);
                }
        }
        ck_assert_uint_eq(arena_in_use(arena), 0);
}
END_TEST

START_TEST(blocks_do_not_waste_much) {
        _cleanup_(arena_free_p) Arena *arena = make(SIZE_WHOLE);

        ck_assert_uint_eq(arena_block_len(arena, arena_alloc(arena, 64)), 64);
        for (size_t len = 64; len <= 8192; len++) {
                void *block = arena_alloc(arena, len);
                size_t limit = len <= 2048 ? len + len * 6 / 10 + 64 : (len + 4095) / 4096 * 4096;

                ck_assert_uint_le(arena_block_len(arena, block), limit);
                arena_release(arena, block);
        }
}
END_TEST

START_TEST(too_long_or_too_many_is_null) {
        _cleanup_(arena_free_p) Arena *arena = make(SIZE_SMALL);
        size_t n = 0;

        ck_assert_ptr_null(arena_alloc(arena, ARENA_BLOCK_MAX + 1));
        ck_assert_ptr_null(arena_alloc(arena, SIZE_MAX));
        while (arena_alloc(arena, 2048))
                n++;
        ck_assert_uint_eq(n, SIZE_SMALL / 2048);
        ck_assert_uint_eq(arena_in_use(arena), arena_capacity(arena));
        ck_assert_ptr_null(arena_alloc(arena, 1));
}
END_TEST

START_TEST(every_class_fills_and_empties_the_whole_arena_again_and_again) {
        _cleanup_(arena_free_p) Arena *arena = make(SIZE_SMALL);
        static void *blocks[SIZE_SMALL / 64];

        /* Memory must not stay with the class that had it first. */
        for (int round = 0; round < 3; round++)
                for (size_t i = 0; i < ELEMENTS(lengths); i++) {
                        size_t n = 0, sum = 0;
                        void *block;

                        while ((block = arena_alloc(arena, lengths[i])) != NULL) {
                                sum += arena_block_len(arena, block);
                                blocks[n++] = block;
                        }
                        ck_assert_uint_eq(arena_in_use(arena), sum);
                        ck_assert_uint_ge(sum, SIZE_SMALL * 5 / 8); /* 12288 of 16384 at worst, and slab tails */
                        while (n > 0)
                                arena_release(arena, blocks[--n]);
                        ck_assert_uint_eq(arena_in_use(arena), 0);
                }
}
END_TEST

START_TEST(small_requests_take_larger_blocks_before_they_fail) {
        _cleanup_(arena_free_p) Arena *arena = make(ARENA_SIZE_MIN);
        void *last = NULL, *block, *small;

        while ((block = arena_alloc(arena, 2048)) != NULL)
                last = block;
        arena_release(arena, last);
        small = arena_alloc(arena, 40);
        ck_assert_ptr_eq(small, last);
        ck_assert_uint_eq(arena_block_len(arena, small), 2048);
}
END_TEST

START_TEST(release_wipes_every_byte) {
        _cleanup_(arena_free_p) Arena *arena = make(SIZE_SMALL);
        static const uint8_t secret[] = "a secret of 27 bytes, whole";

        for (size_t i = 0; i < ELEMENTS(lengths); i++) {
                uint8_t *block = arena_alloc(arena, lengths[i]);
                size_t len = arena_block_len(arena, block);

                memcpy(block, secret, sizeof(secret));
                memcpy(block + len - sizeof(secret), secret, sizeof(secret));
                ck_assert(holds(arena, secret, sizeof(secret)));
                arena_release(arena, block);
                ck_assert(!holds(arena, secret, sizeof(secret)));
        }
        const uint8_t *base;
        size_t extent;

        arena_extent(arena, &base, &extent);
        ck_assert(is_zero(base, extent));
}
END_TEST

START_TEST(owns_exactly_its_pages) {
        _cleanup_(arena_free_p) Arena *arena = make(SIZE_SMALL);
        const uint8_t *base;
        size_t len;
        int local;

        arena_extent(arena, &base, &len);
        ck_assert_uint_eq(len, SIZE_SMALL);
        ck_assert(arena_owns(arena, base));
        ck_assert(arena_owns(arena, base + len - 1));
        ck_assert(!arena_owns(arena, base + len));
        ck_assert(!arena_owns(arena, base - 1));
        ck_assert(!arena_owns(arena, NULL));
        ck_assert(!arena_owns(arena, &local));
}
END_TEST

/* The next ones end with SIGABRT. */
START_TEST(second_release_of_a_block_aborts) {
        Arena *arena = make(SIZE_SMALL);
        void *block = arena_alloc(arena, 100), *other = arena_alloc(arena, 100);

        ck_assert_ptr_ne(block, other);
        arena_release(arena, block);
        arena_release(arena, block);
}
END_TEST

START_TEST(second_release_of_a_run_aborts) {
        Arena *arena = make(SIZE_SMALL);
        void *block = arena_alloc(arena, 10000);

        arena_release(arena, block);
        arena_release(arena, block);
}
END_TEST

START_TEST(release_inside_a_block_aborts) {
        Arena *arena = make(SIZE_SMALL);

        arena_release(arena, (uint8_t *)arena_alloc(arena, 100) + 16);
}
END_TEST

START_TEST(release_inside_a_run_aborts) {
        Arena *arena = make(SIZE_SMALL);

        arena_release(arena, (uint8_t *)arena_alloc(arena, 10000) + 4096);
}
END_TEST

START_TEST(release_in_the_tail_of_a_slab_aborts) {
        Arena *arena = make(SIZE_SMALL);
        uint8_t *block = arena_alloc(arena, 1344); /* three a unit, 64 bytes left */

        arena_release(arena, block + (size_t)3 * 1344);
}
END_TEST

START_TEST(release_of_foreign_memory_aborts) {
        Arena *arena = make(SIZE_SMALL);
        int local;

        arena_release(arena, &local);
}
END_TEST

typedef struct Stress {
        Arena *arena;
        unsigned seed;
        atomic_bool *stop;
        size_t failures;
} Stress;

static unsigned next_random(unsigned *seed) {
        *seed = *seed * 1664525u + 1013904223u;
        return *seed >> 8;
}

/* Fills blocks with its own mark and looks whether it is still there: two owners would show, and so
 * would a block that is not zero. Random classes, with times of a full arena, so that units change
 * hands between classes while others look at them. */
static void *stress_thread(void *userdata) {
        Stress *stress = userdata;
        uint8_t *blocks[64] = { 0 };
        const uint8_t mark = (uint8_t)(stress->seed | 1);

        for (int i = 0; i < 60000; i++) {
                size_t slot = next_random(&stress->seed) % ELEMENTS(blocks);
                size_t len = lengths[next_random(&stress->seed) % 18];

                if (blocks[slot]) {
                        size_t used = arena_block_len(stress->arena, blocks[slot]);

                        ck_assert_int_eq(blocks[slot][0], mark);
                        ck_assert_int_eq(blocks[slot][used - 1], mark);
                        arena_release(stress->arena, blocks[slot]);
                        blocks[slot] = NULL;
                        continue;
                }
                blocks[slot] = arena_alloc(stress->arena, len);
                if (!blocks[slot]) {
                        stress->failures++;
                        continue;
                }
                len = arena_block_len(stress->arena, blocks[slot]);
                ck_assert(is_zero(blocks[slot], len));
                memset(blocks[slot], mark, len);
        }
        for (size_t i = 0; i < ELEMENTS(blocks); i++)
                arena_release(stress->arena, blocks[i]);
        return NULL;
}

START_TEST(threads_never_share_a_block_and_lose_none) {
        /* Small, so that it is full most of the time and is swept all the time. */
        _cleanup_(arena_free_p) Arena *arena = make(SIZE_SMALL);
        Stress stress[4];
        pthread_t threads[4];
        size_t n = 0, failures = 0;

        for (size_t i = 0; i < ELEMENTS(threads); i++) {
                stress[i] = (Stress){ .arena = arena, .seed = (unsigned)i * 2 + 11 };
                ck_assert_int_eq(pthread_create(&threads[i], NULL, stress_thread, &stress[i]), 0);
        }
        for (size_t i = 0; i < ELEMENTS(threads); i++) {
                ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
                failures += stress[i].failures;
        }
        ck_assert_uint_gt(failures, 0); /* else it was never full and the test has not tested */
        ck_assert_uint_eq(arena_in_use(arena), 0);
        while (arena_alloc(arena, 2048))
                n++;
        ck_assert_uint_eq(n, SIZE_SMALL / 2048);
}
END_TEST

static Arena *install(size_t size) {
        Arena *arena = make(size);

        ck_assert_int_eq(arena_install(arena), 0);
        return arena;
}

START_TEST(install_happens_once) {
        Arena *arena, *other = make(SIZE_SMALL);

        ck_assert_ptr_null(arena_installed());
        arena = install(SIZE_SMALL);
        ck_assert_ptr_eq(arena_installed(), arena);
        ck_assert_int_eq(arena_install(other), -EALREADY);
        ck_assert_ptr_eq(arena_installed(), arena);
        ck_assert_uint_eq(arena_in_use(arena), 0);
        arena_free(other);
        arena_free(arena);
        ck_assert_ptr_null(arena_installed());
}
END_TEST

START_TEST(install_comes_before_other_use_of_libgcrypt) {
        _cleanup_(arena_free_p) Arena *arena = make(SIZE_SMALL);

        ck_assert_ptr_nonnull(gcry_check_version(NULL));
        gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
        ck_assert_int_eq(arena_install(arena), -EALREADY);
        ck_assert_ptr_null(arena_installed());
}
END_TEST

START_TEST(install_refuses_fips_mode) {
        _cleanup_(arena_free_p) Arena *arena = make(SIZE_SMALL);

        ck_assert_int_eq(setenv("LIBGCRYPT_FORCE_FIPS_MODE", "1", 1), 0);
        ck_assert_int_eq(arena_install(arena), -EOPNOTSUPP);
        ck_assert_ptr_null(arena_installed());
}
END_TEST

START_TEST(libgcrypt_allocates_in_the_arena_only) {
        Arena *arena = install(SIZE_SMALL);
        gcry_cipher_hd_t cipher;
        void *plain, *secure;

        plain = gcry_malloc(100);
        secure = gcry_malloc_secure(100);
        ck_assert(arena_owns(arena, plain));
        ck_assert(arena_owns(arena, secure));
        ck_assert_int_eq(gcry_is_secure(plain), 1);
        memset(secure, 'x', 100);
        secure = gcry_realloc(secure, 5000);
        ck_assert(arena_owns(arena, secure));
        ck_assert_int_eq(((uint8_t *)secure)[99], 'x');
        gcry_free(plain);
        gcry_free(secure);
        ck_assert_int_eq(gcry_cipher_open(&cipher, GCRY_CIPHER_AES256, GCRY_CIPHER_MODE_GCM, GCRY_CIPHER_SECURE), 0);
        ck_assert_uint_eq(arena_in_use(arena), 2048);
        gcry_cipher_close(cipher);
        ck_assert_uint_eq(arena_in_use(arena), 0);
        arena_free(arena);
}
END_TEST

START_TEST(holds_two_thousand_gcm_handles_in_eight_mebibytes) {
        Arena *arena = NULL;
        gcry_cipher_hd_t cipher;
        gcry_error_t error;
        int n = 0;

        if (arena_new(&arena, 8u * 1024u * 1024u, ARENA_PROTECTION_SECRETMEM) < 0)
                return; /* less than 8 MiB may be locked here */
        ck_assert_int_eq(arena_install(arena), 0);
        while ((error = gcry_cipher_open(&cipher, GCRY_CIPHER_AES256, GCRY_CIPHER_MODE_GCM, GCRY_CIPHER_SECURE)) == 0)
                n++;
        ck_assert_int_eq(gcry_err_code(error), GPG_ERR_ENOMEM);
        ck_assert_int_gt(n, 4000);
}
END_TEST

START_TEST(hmac_in_a_full_arena_does_not_end_the_process) {
        Arena *arena = install(SIZE_SMALL);
        gcry_mac_hd_t mac, other;
        uint8_t tag[64];
        size_t len = sizeof(tag);

        ck_assert_int_eq(gcry_mac_open(&mac, GCRY_MAC_HMAC_SHA512, GCRY_MAC_FLAG_SECURE, NULL), 0);
        while (arena_alloc(arena, 64))
                ;
        ck_assert_ptr_null(arena_alloc(arena, 1));
        ck_assert_int_eq(gcry_mac_setkey(mac, "key", 3), 0);
        ck_assert_int_eq(gcry_mac_read(mac, tag, &len), 0);
        ck_assert_int_eq(gcry_err_code(gcry_mac_open(&other, GCRY_MAC_HMAC_SHA512, GCRY_MAC_FLAG_SECURE, NULL)),
                         GPG_ERR_ENOMEM);
        gcry_mac_close(mac);
}
END_TEST

START_TEST(scratch_is_there_in_a_full_arena_and_wiped_at_its_end) {
        enum { LEN = 4096 };
        Arena *arena = install(SIZE_SMALL);
        uint8_t *piece[LEN / 64], *longer;
        const uint8_t *base;
        size_t len;

        ck_assert_int_eq(arena_scratch_begin(LEN), 0);
        while (arena_alloc(arena, 64))
                ;
        for (size_t i = 0; i < ELEMENTS(piece) - 1; i++) {
                piece[i] = gcry_malloc(50);
                ck_assert(arena_owns(arena, piece[i]));
                ck_assert_uint_eq((uintptr_t)piece[i] % 16, 0);
                memset(piece[i], (int)i, 50);
        }
        gcry_free(piece[0]);
        for (size_t i = 1; i < ELEMENTS(piece) - 1; i++)
                for (size_t k = 0; k < 50; k++)
                        ck_assert_uint_eq(piece[i][k], i);
        longer = gcry_realloc(piece[1], 64);
        ck_assert(arena_owns(arena, longer));
        ck_assert_uint_eq(longer[0], 1);
        ck_assert_uint_eq(longer[49], 1);
        ck_assert_uint_eq(piece[2][0], 2);

        /* Used up: the reserve is left, then nothing. */
        for (size_t i = 0; i < 64; i++)
                ck_assert_ptr_nonnull(gcry_malloc(64));
        ck_assert_ptr_null(gcry_malloc(64));

        arena_scratch_end();
        arena_extent(arena, &base, &len);
        ck_assert_ptr_null(memmem(base, len, "\x02\x02\x02\x02\x02\x02\x02\x02", 8));
        ck_assert_int_eq(arena_scratch_begin(2 * LEN), -ENOMEM); /* one unit is free */
        ck_assert_int_eq(arena_scratch_begin(LEN), 0);
        arena_scratch_end();
}
END_TEST

static TCase *allocator_case(void) {
        TCase *tcase = tcase_create("allocator");

        tcase_set_timeout(tcase, 120);
        tcase_add_test(tcase, blocks_are_aligned_zero_and_long_enough);
        tcase_add_test(tcase, blocks_do_not_waste_much);
        tcase_add_test(tcase, too_long_or_too_many_is_null);
        tcase_add_test(tcase, every_class_fills_and_empties_the_whole_arena_again_and_again);
        tcase_add_test(tcase, small_requests_take_larger_blocks_before_they_fail);
        tcase_add_test(tcase, release_wipes_every_byte);
        tcase_add_test(tcase, owns_exactly_its_pages);
        tcase_add_test(tcase, threads_never_share_a_block_and_lose_none);
        return tcase;
}

/* Each of these needs a process of its own. */
static TCase *process_case(void) {
        TCase *tcase = tcase_create("process");

        tcase_add_test_raise_signal(tcase, guard_before_the_arena_faults, SIGSEGV);
        tcase_add_test_raise_signal(tcase, guard_after_the_arena_faults, SIGSEGV);
        tcase_add_test_raise_signal(tcase, second_release_of_a_block_aborts, SIGABRT);
        tcase_add_test_raise_signal(tcase, second_release_of_a_run_aborts, SIGABRT);
        tcase_add_test_raise_signal(tcase, release_inside_a_block_aborts, SIGABRT);
        tcase_add_test_raise_signal(tcase, release_inside_a_run_aborts, SIGABRT);
        tcase_add_test_raise_signal(tcase, release_in_the_tail_of_a_slab_aborts, SIGABRT);
        tcase_add_test_raise_signal(tcase, release_of_foreign_memory_aborts, SIGABRT);
        tcase_add_test(tcase, install_happens_once);
        tcase_add_test(tcase, install_comes_before_other_use_of_libgcrypt);
        tcase_add_test(tcase, install_refuses_fips_mode);
        tcase_add_test(tcase, libgcrypt_allocates_in_the_arena_only);
        tcase_add_test(tcase, holds_two_thousand_gcm_handles_in_eight_mebibytes);
        tcase_add_test(tcase, hmac_in_a_full_arena_does_not_end_the_process);
        tcase_add_test(tcase, scratch_is_there_in_a_full_arena_and_wiped_at_its_end);
        return tcase;
}

int main(void) {
        Suite *suite = suite_create("arena");
        TCase *mapping = tcase_create("mapping");
        SRunner *runner = srunner_create(suite);
        int failed;

        tcase_add_test(mapping, new_refuses_useless_sizes);
        tcase_add_test(mapping, new_says_when_the_limit_is_too_small);
        tcase_add_test(mapping, locked_is_what_it_says);
        tcase_add_test(mapping, pages_are_kept_from_children_and_dumps_and_swap);
        tcase_add_test(mapping, secretmem_keeps_no_descriptor);
        suite_add_tcase(suite, mapping);
        suite_add_tcase(suite, allocator_case());
        if (srunner_fork_status(runner) == CK_FORK)
                suite_add_tcase(suite, process_case());
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
