/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Counters over everything that can happen to the daemon and its directories: none comes twice, a key
 * whose counters are not known any more is spent, and a fresh key never is.
 */
#include "keys/ledger.h"

#include "crypto/arena.h"
#include "runner.h"
#include "util/util.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Where the files have what; ledger.c. */
#define BOOT_ID_OFFSET 16
#define RECORDS        16384u
#define NAMES_MAX      65536u
#define HEADER_LEN     64

static char runtime[64], state[64];

static void __attribute__((format(printf, 1, 2))) shell(const char *format, ...) {
        char *command = NULL;
        va_list arguments;

        va_start(arguments, format);
        ck_assert_int_gt(vasprintf(&command, format, arguments), 0);
        va_end(arguments);
        ck_assert_int_eq(system(command), 0);
        free(command);
}

static void setup(void) {
        char template[] = "/tmp/framekeyd-test-XXXXXX";

        ck_assert_ptr_nonnull(mkdtemp(template));
        (void)snprintf(runtime, sizeof(runtime), "%s/run", template);
        (void)snprintf(state, sizeof(state), "%s/state", template);
        ck_assert_int_eq(mkdir(runtime, 0700), 0);
        ck_assert_int_eq(mkdir(state, 0700), 0);
}

static void teardown(void) {
        *strrchr(runtime, '/') = '\0';
        shell("rm -r %s", runtime);
}

static Ledger *open_ledger(void) {
        Ledger *ledger = NULL;

        ck_assert_int_eq(ledger_open(&ledger, runtime, state), 0);
        ck_assert(ledger_is_kept(ledger));
        return ledger;
}

static void name_of(uint32_t number, uint8_t ret[LEDGER_NAME_LEN]) {
        memset(ret, 0xaa, LEDGER_NAME_LEN);
        memcpy(ret, &number, sizeof(number));
}

static int claim(Ledger *ledger, uint32_t number, bool fresh, LedgerEntry **ret) {
        uint8_t name[LEDGER_NAME_LEN];

        name_of(number, name);
        return ledger_claim(ledger, name, fresh, ret);
}

static LedgerEntry *must_claim(Ledger *ledger, uint32_t number) {
        LedgerEntry *entry = NULL;

        ck_assert_int_eq(claim(ledger, number, false, &entry), 0);
        return entry;
}

/* In a life of its own: opens, takes `n` numbers of key `number` from `first` on, closes. */
static void live(uint32_t number, uint64_t first, unsigned n) {
        Ledger *ledger = open_ledger();
        LedgerEntry *entry = must_claim(ledger, number);

        for (unsigned i = 0; i < n; i++)
                ck_assert_uint_eq(ledger_take(entry), first + i);
        ledger_release(entry);
        ledger_close(ledger);
}

static int claim_once(uint32_t number, bool fresh) {
        Ledger *ledger = open_ledger();
        LedgerEntry *entry = NULL;
        int r = claim(ledger, number, fresh, &entry);

        ledger_release(entry);
        ledger_close(ledger);
        return r;
}

static void corrupt(const char *directory, const char *file, off_t at, const char *bytes) {
        char path[128];
        int fd;

        (void)snprintf(path, sizeof(path), "%s/%s", directory, file);
        fd = open(path, O_WRONLY | O_CLOEXEC);
        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq((int)pwrite(fd, bytes, strlen(bytes), at), (int)strlen(bytes));
        (void)close(fd);
}

/* ---- lives and deaths ---- */

START_TEST(counters_go_on_after_a_restart) {
        setup();
        live(1, 0, 5);
        live(2, 0, 1);
        live(1, 5, 3);
        live(2, 1, 1);
        teardown();
}
END_TEST

START_TEST(one_key_has_one_counter_whoever_claims_it) {
        Ledger *ledger;
        LedgerEntry *a, *b;

        setup();
        ledger = open_ledger();
        a = must_claim(ledger, 1);
        b = must_claim(ledger, 1);
        ck_assert_uint_eq(ledger_take(a), 0);
        ck_assert_uint_eq(ledger_take(b), 1);
        ledger_release(a);
        ck_assert_uint_eq(ledger_take(b), 2);
        ledger_release(b);
        ledger_close(ledger);
        live(1, 3, 1);
        teardown();
}
END_TEST

/* The child tells what it took through shared memory, and is killed while it takes more. */
START_TEST(a_killed_daemon_repeats_nothing) {
        _Atomic uint64_t *told = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        uint64_t next = 0;

        setup();
        for (unsigned i = 0; i < 20; i++) {
                pid_t child = fork();

                ck_assert_int_ge(child, 0);
                if (child == 0) {
                        Ledger *ledger = open_ledger();
                        LedgerEntry *entry = must_claim(ledger, 7);

                        for (;;)
                                atomic_store(told, ledger_take(entry) + 1);
                }
                while (atomic_load(told) < next + 100)
                        (void)usleep(100);
                ck_assert_int_eq(kill(child, SIGKILL), 0);
                ck_assert_int_eq(waitpid(child, NULL, 0), child);
                ck_assert_uint_gt(atomic_load(told), next);
                next = atomic_load(told);
        }
        {
                Ledger *ledger = open_ledger();
                LedgerEntry *entry = must_claim(ledger, 7);
                uint64_t after = ledger_take(entry);

                ck_assert_uint_ge(after, next);
                ck_assert_uint_le(after, next + 1); /* the one that was taken and not told */
                ledger_release(entry);
                ledger_close(ledger);
        }
        teardown();
}
END_TEST

#define THREADS 4
#define TAKES   20000

static LedgerEntry *taken_from;

static void *take_many(void *userdata) {
        uint64_t *numbers = userdata;

        for (unsigned i = 0; i < TAKES; i++)
                numbers[i] = ledger_take(taken_from);
        return NULL;
}

START_TEST(threads_take_no_number_twice) {
        static uint64_t numbers[THREADS][TAKES];
        static bool seen[THREADS * TAKES];
        pthread_t threads[THREADS];
        Ledger *ledger;

        setup();
        ledger = open_ledger();
        taken_from = must_claim(ledger, 1);
        for (unsigned i = 0; i < THREADS; i++)
                ck_assert_int_eq(pthread_create(&threads[i], NULL, take_many, numbers[i]), 0);
        for (unsigned i = 0; i < THREADS; i++) {
                ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
                for (unsigned k = 0; k < TAKES; k++) {
                        ck_assert_uint_lt(numbers[i][k], THREADS * TAKES);
                        ck_assert(!seen[numbers[i][k]]);
                        ck_assert(k == 0 || numbers[i][k] > numbers[i][k - 1]);
                        seen[numbers[i][k]] = true;
                }
        }
        ledger_release(taken_from);
        ledger_close(ledger);
        teardown();
}
END_TEST

/* ---- what happens to the directories ---- */

START_TEST(after_a_reboot_a_key_is_spent_and_a_new_one_is_not) {
        setup();
        live(1, 0, 5);
        corrupt(runtime, "counters", BOOT_ID_OFFSET, "another"); /* as if the directory had lived through it */
        ck_assert_int_eq(claim_once(1, false), LEDGER_SPENT);
        live(2, 0, 1);
        shell("rm %s/counters", runtime);
        ck_assert_int_eq(claim_once(1, false), LEDGER_SPENT);
        ck_assert_int_eq(claim_once(2, false), LEDGER_SPENT);
        live(3, 0, 1);
        teardown();
}
END_TEST

START_TEST(the_names_put_back_or_gone_change_nothing_while_the_counters_are_there) {
        setup();
        live(1, 0, 5);
        shell("cp %s/sent-keys %s/older", state, state);
        live(2, 0, 5);
        shell("mv %s/older %s/sent-keys", state, state);
        live(2, 5, 1); /* and its name is on disk again */
        shell("rm %s/counters", runtime);
        ck_assert_int_eq(claim_once(2, false), LEDGER_SPENT);
        teardown();
}
END_TEST

START_TEST(a_clone_has_no_counters_and_so_all_is_spent) {
        setup();
        live(1, 0, 5);
        shell("rm %s/counters", runtime); /* what a copy of the disk has */
        ck_assert_int_eq(claim_once(1, false), LEDGER_SPENT);
        ck_assert_int_eq(claim_once(1, true), 0); /* made just now: it is another key */
        teardown();
}
END_TEST

/* Killed between the table and the disk: the name is in the table alone. */
START_TEST(a_claim_that_did_not_reach_the_disk_is_not_spent) {
        setup();
        live(1, 0, 1);
        shell("truncate -s %d %s/sent-keys", HEADER_LEN, state);
        live(1, 1, 1);
        shell("rm %s/counters", runtime);
        ck_assert_int_eq(claim_once(1, false), LEDGER_SPENT);
        teardown();
}
END_TEST

START_TEST(a_name_half_written_is_cut_off) {
        setup();
        live(1, 0, 1);
        live(2, 0, 1);
        shell("truncate -s %d %s/sent-keys", HEADER_LEN + LEDGER_NAME_LEN + 5, state);
        live(3, 0, 1);
        shell("rm %s/counters", runtime);
        ck_assert_int_eq(claim_once(1, false), LEDGER_SPENT);
        ck_assert_int_eq(claim_once(3, false), LEDGER_SPENT);
        teardown();
}
END_TEST

START_TEST(what_others_wrote_is_left_alone) {
        static const char *const files[] = { "counters", "sent-keys" };
        Ledger *ledger = NULL;

        for (size_t i = 0; i < ELEMENTS(files); i++) {
                setup();
                live(1, 0, 1);
                corrupt(i == 0 ? runtime : state, files[i], 0, "GARBAGE");
                ck_assert_int_eq(ledger_open(&ledger, runtime, state), -EBADMSG);
                teardown();
        }
        setup();
        shell("echo short >%s/sent-keys", state);
        ck_assert_int_eq(ledger_open(&ledger, runtime, state), -EBADMSG);
        shell("rm %s/sent-keys && mkfifo %s/sent-keys", state, state);
        ck_assert_int_eq(ledger_open(&ledger, runtime, state), -EBADMSG);
        shell("rm %s/sent-keys && ln -s /dev/null %s/sent-keys", state, state);
        ck_assert_int_eq(ledger_open(&ledger, runtime, state), -ELOOP);
        ck_assert_int_eq(ledger_open(&ledger, runtime, "/nonexistent"), -ENOENT);
        teardown();
}
END_TEST

START_TEST(one_daemon_at_a_time_has_them) {
        Ledger *first, *second = NULL;
        LedgerEntry *entry = NULL;
        struct stat st;
        char path[128];

        setup();
        first = open_ledger();
        ck_assert_int_eq(ledger_open(&second, runtime, state), -EWOULDBLOCK);
        ledger_close(first);
        first = open_ledger();
        (void)snprintf(path, sizeof(path), "%s/sent-keys", state);
        ck_assert_int_eq(stat(path, &st), 0);
        ck_assert_uint_eq(st.st_mode & 0777, 0600);
        (void)snprintf(path, sizeof(path), "%s/counters", runtime);
        ck_assert_int_eq(stat(path, &st), 0);
        ck_assert_uint_eq(st.st_mode & 0777, 0600);
        ledger_close(first);

        /* One directory for both is one lock. */
        ck_assert_int_eq(ledger_open(&first, state, state), 0);
        ck_assert_int_eq(claim(first, 1, false, &entry), 0);
        ledger_release(entry);
        ledger_close(first);
        teardown();
}
END_TEST

START_TEST(without_directories_only_fresh_keys_count) {
        LedgerEntry *entry = NULL;
        Ledger *ledger;

        ck_assert_int_eq(ledger_open(&ledger, NULL, NULL), 0);
        ck_assert(!ledger_is_kept(ledger));
        ck_assert_int_eq(claim(ledger, 1, false, &entry), LEDGER_SPENT);
        ck_assert_int_eq(claim(ledger, 1, true, &entry), 0);
        ck_assert_uint_eq(ledger_take(entry), 0);
        ck_assert_uint_eq(ledger_take(entry), 1);
        ledger_release(entry);
        ck_assert_int_eq(claim(ledger, 1, false, &entry), 0); /* this very process knows it */
        ck_assert_uint_eq(ledger_take(entry), 2);
        ledger_release(entry);
        ledger_close(ledger);
}
END_TEST

/* ---- full ---- */

START_TEST(a_full_table_gives_up_what_nobody_has) {
        LedgerEntry *entry = NULL, *held;
        Ledger *ledger;

        setup();
        ledger = open_ledger();
        held = must_claim(ledger, 0);
        (void)ledger_take(held);
        for (uint32_t i = 1; i <= RECORDS; i++) {
                ck_assert_int_eq(claim(ledger, i, true, &entry), 0);
                ledger_release(entry);
        }
        ck_assert_uint_eq(ledger_take(held), 1);
        entry = must_claim(ledger, 0);
        ck_assert_uint_eq(ledger_take(entry), 2);
        ledger_release(entry);
        ledger_release(held);
        ledger_close(ledger);
        teardown();
}
END_TEST

START_TEST(a_table_of_keys_in_use_is_full) {
        static LedgerEntry *entries[RECORDS];
        LedgerEntry *entry = NULL;
        Ledger *ledger;

        ck_assert_int_eq(ledger_open(&ledger, NULL, NULL), 0);
        for (uint32_t i = 0; i < RECORDS; i++)
                ck_assert_int_eq(claim(ledger, i, true, &entries[i]), 0);
        ck_assert_int_eq(claim(ledger, RECORDS, true, &entry), LEDGER_FULL);
        ledger_release(entries[5]);
        ck_assert_int_eq(claim(ledger, RECORDS, true, &entries[5]), 0);
        for (uint32_t i = 0; i < RECORDS; i++)
                ledger_release(entries[i]);
        ledger_close(ledger);
}
END_TEST

START_TEST(a_full_list_of_names_loses_its_older_half) {
        char path[128];
        uint8_t name[LEDGER_NAME_LEN];
        struct stat st;
        FILE *file;

        setup();
        live(1, 0, 1);
        (void)snprintf(path, sizeof(path), "%s/sent-keys", state);
        file = fopen(path, "ae");
        ck_assert_ptr_nonnull(file);
        for (uint32_t i = 2; i <= NAMES_MAX; i++) {
                name_of(i, name);
                ck_assert_uint_eq(fwrite(name, sizeof(name), 1, file), 1);
        }
        (void)fclose(file);
        live(NAMES_MAX + 1, 0, 1);
        ck_assert_int_eq(stat(path, &st), 0);
        ck_assert_int_eq(st.st_size, (off_t)HEADER_LEN + (off_t)(NAMES_MAX / 2 + 1) * LEDGER_NAME_LEN);
        shell("rm %s/counters", runtime);
        ck_assert_int_eq(claim_once(1, false), 0);
        ck_assert_int_eq(claim_once(NAMES_MAX, false), LEDGER_SPENT);
        ck_assert_int_eq(claim_once(NAMES_MAX + 1, false), LEDGER_SPENT);
        teardown();
}
END_TEST

/* ---- names ---- */

START_TEST(names_are_a_ledgers_own) {
        uint8_t a[LEDGER_NAME_LEN], b[LEDGER_NAME_LEN], *key;
        Ledger *ledger;
        Arena *arena;

        ck_assert_int_eq(arena_new(&arena, 256 * 1024, ARENA_PROTECTION_SECRETMEM), 0);
        ck_assert_int_eq(arena_install(arena), 0);
        key = arena_alloc(arena, 16);
        setup();
        ledger = open_ledger();
        ck_assert_int_eq(ledger_name(ledger, key, 16, a), 0);
        key[15] ^= 1;
        ck_assert_int_eq(ledger_name(ledger, key, 16, b), 0);
        ck_assert_mem_ne(a, b, sizeof(a));
        key[15] ^= 1;
        ledger_close(ledger);
        ledger = open_ledger();
        ck_assert_int_eq(ledger_name(ledger, key, 16, b), 0);
        ck_assert_mem_eq(a, b, sizeof(a));
        ledger_close(ledger);
        shell("rm %s/sent-keys", state);
        ck_assert_int_eq(ledger_open(&ledger, runtime, state), -EBADMSG); /* the counters there are of other names */
        shell("rm %s/counters", runtime);
        ledger = open_ledger();
        ck_assert_int_eq(ledger_name(ledger, key, 16, b), 0);
        ck_assert_mem_ne(a, b, sizeof(a));
        ledger_close(ledger);
        arena_release(arena, key);
        teardown();
}
END_TEST

RUN_TESTS("ledger", counters_go_on_after_a_restart, one_key_has_one_counter_whoever_claims_it,
          a_killed_daemon_repeats_nothing, threads_take_no_number_twice,
          after_a_reboot_a_key_is_spent_and_a_new_one_is_not,
          the_names_put_back_or_gone_change_nothing_while_the_counters_are_there,
          a_clone_has_no_counters_and_so_all_is_spent, a_claim_that_did_not_reach_the_disk_is_not_spent,
          a_name_half_written_is_cut_off, what_others_wrote_is_left_alone, one_daemon_at_a_time_has_them,
          without_directories_only_fresh_keys_count, a_full_table_gives_up_what_nobody_has,
          a_table_of_keys_in_use_is_full, a_full_list_of_names_loses_its_older_half, names_are_a_ledgers_own)
