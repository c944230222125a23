/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The ledger: a mapped table of counters, and a list of names on disk; see the header.
 *
 * What a crash finds at any point of a claim of a new key:
 *
 *   entry written, name not on disk   the key goes on from 0, and comes on disk with its next claim
 *   both written                      the key goes on from 0
 *
 * and no counter is given out before both are. Where the disk has the name and the table does not, the
 * machine went down in between, or somebody put an old table there: the key is spent.
 */
#include "keys/ledger.h"

#include "crypto/arena.h"
#include "crypto/kdf.h"
#include "crypto/secret.h"
#include "util/counter.h"
#include "util/entropy.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define COUNTERS_NAME "counters"
#define NAMES_NAME    "sent-keys"
#define NAMES_NEW     "sent-keys.new"
#define VERSION       1u
/* Keys with a counter in one boot: 512 kB. */
#define RECORDS 16384u
/* Names on disk: 1 MB. When it is full, the older half goes; a key of which 32,768 others were sent under since is
 * taken for new if it comes back after a reboot. */
#define NAMES_MAX    65536u
#define BOOT_ID_LEN  36u
#define NAMES_ID_LEN 12u

static const uint8_t counters_magic[8] = "FKCOUNT", names_magic[8] = "FKNAMES";

typedef struct Record {
        uint8_t name[LEDGER_NAME_LEN];
        _Atomic uint64_t next;
        _Atomic uint64_t sequence; /* of claims that made a record; 0: free. Written last */
} Record;

typedef struct CountersFile {
        uint8_t magic[8]; /* written last */
        uint32_t version;
        uint32_t n_records;
        char boot_id[BOOT_ID_LEN];
        uint8_t names_id[NAMES_ID_LEN]; /* under whose secret the names are */
        Record records[RECORDS];
} CountersFile;

typedef struct NamesHeader {
        uint8_t magic[8];
        uint32_t version;
        uint8_t pad[20];
        uint8_t secret[32];
} NamesHeader;

_Static_assert(sizeof(Record) == 32 && offsetof(CountersFile, records) == 64, "layout of the file");
_Static_assert(sizeof(NamesHeader) == 64, "layout of the file");

struct LedgerEntry {
        Record *record;
        unsigned n_refs;
};

struct Ledger {
        bool kept;
        CountersFile *counters; /* mapped; in memory alone if not kept */
        LedgerEntry *entries;   /* of each record */
        uint64_t last_sequence;
        int runtime_fd; /* directories, locked */
        int state_fd;
        int names_fd;
        size_t n_names;
        uint8_t (*names)[LEDGER_NAME_LEN];
        uint8_t secret[32];
};

static int write_all(int fd, const void *bytes, size_t len, off_t at) {
        for (size_t done = 0; done < len;) {
                ssize_t n = pwrite(fd, (const uint8_t *)bytes + done, len - done, at + (off_t)done);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return n < 0 ? -errno : -EIO;
                done += (size_t)n;
        }
        return 0;
}

static int read_all(int fd, void *bytes, size_t len, off_t at) {
        for (size_t done = 0; done < len;) {
                ssize_t n = pread(fd, (uint8_t *)bytes + done, len - done, at + (off_t)done);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return n < 0 ? -errno : -EBADMSG;
                done += (size_t)n;
        }
        return 0;
}

/* Locks the directory and not a file in it, which may be replaced. */
static int open_directory(const char *path) {
        int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (fd < 0)
                return -errno;
        if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
                int r = -errno;

                (void)close(fd);
                return r;
        }
        return fd;
}

/* ---- the table ---- */

static int read_boot_id(char ret[BOOT_ID_LEN]) {
        _cleanup_close_ int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);

        return fd < 0 ? -errno : read_all(fd, ret, BOOT_ID_LEN, 0);
}

/* Whether the file is of this boot. A torn or older one is good for nothing, and nothing is lost by that but counters
 * whose keys are spent then. 0, 1 or -EBADMSG. */
static int counters_are_current(const CountersFile *counters, const char *boot_id) {
        static const uint8_t nothing[sizeof(counters->magic)];

        if (memcmp(counters->magic, nothing, sizeof(nothing)) == 0)
                return 0;
        if (memcmp(counters->magic, counters_magic, sizeof(counters_magic)) != 0 || counters->version != VERSION ||
            counters->n_records != RECORDS)
                return -EBADMSG;
        return memcmp(counters->boot_id, boot_id, BOOT_ID_LEN) == 0;
}

static void counters_begin(CountersFile *counters, const char *boot_id) {
        memset(counters, 0, sizeof(*counters));
        counters->version = VERSION;
        counters->n_records = RECORDS;
        memcpy(counters->boot_id, boot_id, BOOT_ID_LEN);
        atomic_signal_fence(memory_order_release); /* the magic says that the rest is there */
        memcpy(counters->magic, counters_magic, sizeof(counters_magic));
}

static int open_counters(Ledger *ledger, const char *directory) {
        _cleanup_close_ int fd = -EBADF;
        char boot_id[BOOT_ID_LEN];
        struct stat st;
        void *map;
        int r;

        ledger->runtime_fd = open_directory(directory);
        if (ledger->runtime_fd < 0)
                return ledger->runtime_fd;
        r = read_boot_id(boot_id);
        if (r < 0)
                return r;
        fd = openat(ledger->runtime_fd, COUNTERS_NAME, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode) || (st.st_size != 0 && st.st_size != sizeof(CountersFile)))
                return -EBADMSG;
        /* All of it now: a page that the file system has no room for would be a SIGBUS in the middle of a frame. */
        r = posix_fallocate(fd, 0, sizeof(CountersFile));
        if (r != 0)
                return -r;
        map = mmap(NULL, sizeof(CountersFile), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (map == MAP_FAILED)
                return -errno;
        ledger->counters = map;
        r = counters_are_current(ledger->counters, boot_id);
        if (r < 0)
                return r;
        if (r == 0)
                counters_begin(ledger->counters, boot_id);
        return 0;
}

static Record *find_record(const Ledger *ledger, const uint8_t *name) {
        for (size_t i = 0; i < RECORDS; i++) {
                Record *record = &ledger->counters->records[i];

                if (atomic_load_explicit(&record->sequence, memory_order_relaxed) != 0 &&
                    secret_bytes_equal(record->name, name, LEDGER_NAME_LEN))
                        return record;
        }
        return NULL;
}

static LedgerEntry *entry_of(Ledger *ledger, const Record *record) {
        return &ledger->entries[record - ledger->counters->records];
}

/* A free record, or the one of the key that was first claimed longest ago and that nobody has. NULL: none. */
static Record *make_room(Ledger *ledger) {
        Record *oldest = NULL;
        uint64_t least = UINT64_MAX;

        for (size_t i = 0; i < RECORDS; i++) {
                Record *record = &ledger->counters->records[i];
                uint64_t sequence = atomic_load_explicit(&record->sequence, memory_order_relaxed);

                if (sequence < least && entry_of(ledger, record)->n_refs == 0) {
                        oldest = record;
                        least = sequence;
                }
        }
        return oldest;
}

static void record_begin(Ledger *ledger, Record *record, const uint8_t *name) {
        atomic_store_explicit(&record->sequence, 0, memory_order_release);
        atomic_signal_fence(memory_order_seq_cst); /* whoever finds this after our death sees it free, or whole */
        memcpy(record->name, name, LEDGER_NAME_LEN);
        atomic_store_explicit(&record->next, 0, memory_order_relaxed);
        atomic_store_explicit(&record->sequence, ++ledger->last_sequence, memory_order_release);
}

/* ---- the names ---- */

/* Writes a whole file of names in the place of the one that is there, if any. */
static int replace_names(Ledger *ledger, size_t first) {
        NamesHeader header = { .version = VERSION };
        int fd, r;

        memcpy(header.magic, names_magic, sizeof(names_magic));
        memcpy(header.secret, ledger->secret, sizeof(header.secret));
        fd = openat(ledger->state_fd, NAMES_NEW, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                return -errno;
        r = write_all(fd, &header, sizeof(header), 0);
        if (r == 0 && ledger->n_names > first)
                r = write_all(fd, ledger->names[first], (ledger->n_names - first) * LEDGER_NAME_LEN, sizeof(header));
        if (r == 0 && fsync(fd) < 0)
                r = -errno;
        if (r == 0 && renameat(ledger->state_fd, NAMES_NEW, ledger->state_fd, NAMES_NAME) < 0)
                r = -errno;
        if (r == 0 && fsync(ledger->state_fd) < 0)
                r = -errno;
        if (r < 0) {
                (void)close(fd);
                return r;
        }
        close_fd(ledger->names_fd);
        ledger->names_fd = fd;
        ledger->n_names -= first;
        memmove(ledger->names, ledger->names + first, ledger->n_names * LEDGER_NAME_LEN);
        return 0;
}

static int load_names(Ledger *ledger) {
        NamesHeader header;
        struct stat st;
        int r;

        if (fstat(ledger->names_fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode) || st.st_size < (off_t)sizeof(header))
                return -EBADMSG;
        r = read_all(ledger->names_fd, &header, sizeof(header), 0);
        if (r < 0)
                return r;
        /* A name that a crash left half written goes: its key has not been sent under. */
        ledger->n_names = (size_t)(st.st_size - (off_t)sizeof(header)) / LEDGER_NAME_LEN;
        if (memcmp(header.magic, names_magic, sizeof(names_magic)) != 0 || header.version != VERSION ||
            ledger->n_names > NAMES_MAX)
                return -EBADMSG;
        memcpy(ledger->secret, header.secret, sizeof(header.secret));
        return read_all(ledger->names_fd, ledger->names, ledger->n_names * LEDGER_NAME_LEN, sizeof(header));
}

/* Both may be one; then it is locked already. */
static int open_state_directory(const Ledger *ledger, const char *path) {
        struct stat a, b;

        if (stat(path, &a) == 0 && fstat(ledger->runtime_fd, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino) {
                int fd = fcntl(ledger->runtime_fd, F_DUPFD_CLOEXEC, 0);

                return fd < 0 ? -errno : fd;
        }
        return open_directory(path);
}

static int open_names(Ledger *ledger, const char *directory) {
        ledger->names = calloc(NAMES_MAX, LEDGER_NAME_LEN);
        if (!ledger->names)
                return -ENOMEM;
        ledger->state_fd = open_state_directory(ledger, directory);
        if (ledger->state_fd < 0)
                return ledger->state_fd;
        ledger->names_fd = openat(ledger->state_fd, NAMES_NAME, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
        if (ledger->names_fd >= 0)
                return load_names(ledger);
        if (errno != ENOENT)
                return -errno;
        entropy_fill(ledger->secret, sizeof(ledger->secret));
        return replace_names(ledger, 0);
}

static bool is_on_disk(const Ledger *ledger, const uint8_t *name) {
        for (size_t i = 0; i < ledger->n_names; i++)
                if (secret_bytes_equal(ledger->names[i], name, LEDGER_NAME_LEN))
                        return true;
        return false;
}

static int put_on_disk(Ledger *ledger, const uint8_t *name) {
        int r;

        if (is_on_disk(ledger, name))
                return 0;
        if (ledger->n_names == NAMES_MAX) {
                r = replace_names(ledger, NAMES_MAX / 2);
                if (r < 0)
                        return r;
        }
        r = write_all(ledger->names_fd, name, LEDGER_NAME_LEN,
                      (off_t)(sizeof(NamesHeader) + ledger->n_names * LEDGER_NAME_LEN));
        if (r == 0 && fdatasync(ledger->names_fd) < 0)
                r = -errno;
        if (r == 0)
                memcpy(ledger->names[ledger->n_names++], name, LEDGER_NAME_LEN);
        return r;
}

/* ---- the ledger ---- */

/* A table whose names were made with another secret tells nothing of any key: somebody took the list away. */
static int bind_files(Ledger *ledger) {
        static const uint8_t unbound[NAMES_ID_LEN];
        uint8_t digest[32];
        int r = kdf_sha256(ledger->secret, sizeof(ledger->secret), digest);

        assert(ledger->counters);
        if (r < 0)
                return r;
        if (memcmp(ledger->counters->names_id, unbound, sizeof(unbound)) == 0)
                memcpy(ledger->counters->names_id, digest, NAMES_ID_LEN);
        return memcmp(ledger->counters->names_id, digest, NAMES_ID_LEN) == 0 ? 0 : -EBADMSG;
}

static int open_files(Ledger *ledger, const char *runtime_directory, const char *state_directory) {
        int r;

        if (!runtime_directory || !state_directory) {
                ledger->counters =
                        mmap(NULL, sizeof(CountersFile), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                if (ledger->counters == MAP_FAILED) {
                        ledger->counters = NULL;
                        return -ENOMEM;
                }
                entropy_fill(ledger->secret, sizeof(ledger->secret));
                return 0;
        }
        r = open_counters(ledger, runtime_directory);
        if (r == 0)
                r = open_names(ledger, state_directory);
        if (r == 0)
                r = bind_files(ledger);
        ledger->kept = r == 0;
        return r;
}

int ledger_open(Ledger **ret, const char *runtime_directory, const char *state_directory) {
        _cleanup_(ledger_close_p) Ledger *ledger = calloc(1, sizeof(*ledger));
        int r;

        if (!ledger)
                return -ENOMEM;
        ledger->runtime_fd = ledger->state_fd = ledger->names_fd = -EBADF;
        ledger->entries = calloc(RECORDS, sizeof(*ledger->entries));
        if (!ledger->entries)
                return -ENOMEM;
        r = open_files(ledger, runtime_directory, state_directory);
        if (r < 0)
                return r;
        for (size_t i = 0; i < RECORDS; i++) {
                Record *record = &ledger->counters->records[i];

                ledger->entries[i].record = record;
                ledger->last_sequence = MAX_OF(ledger->last_sequence, atomic_load(&record->sequence));
        }
        *ret = take_ptr(ledger);
        return 0;
}

Ledger *ledger_close(Ledger *ledger) {
        if (!ledger)
                return NULL;
        if (ledger->counters)
                (void)munmap(ledger->counters, sizeof(*ledger->counters));
        close_fd(ledger->names_fd);
        close_fd(ledger->state_fd);
        close_fd(ledger->runtime_fd);
        wipe(ledger->secret, sizeof(ledger->secret));
        free(ledger->names);
        free(ledger->entries);
        free(ledger);
        return NULL;
}

bool ledger_is_kept(const Ledger *ledger) {
        return ledger->kept;
}

int ledger_name(const Ledger *ledger, const void *key, size_t key_len, uint8_t ret[LEDGER_NAME_LEN]) {
        uint8_t *mac = arena_alloc(arena_installed(), kdf_hash_len(KDF_SHA256));
        int r;

        if (!mac)
                return -ENOMEM;
        /* HKDF's extraction is HMAC with the salt as its key. */
        r = kdf_hkdf_extract(KDF_SHA256, ledger->secret, sizeof(ledger->secret), key, key_len, mac);
        if (r == 0)
                memcpy(ret, mac, LEDGER_NAME_LEN);
        arena_release(arena_installed(), mac);
        return r;
}

int ledger_claim(Ledger *ledger, const uint8_t name[LEDGER_NAME_LEN], bool fresh, LedgerEntry **ret) {
        Record *record = find_record(ledger, name);
        bool known = record;
        int r;

        if (!known) {
                if (!fresh && (!ledger->kept || is_on_disk(ledger, name)))
                        return LEDGER_SPENT;
                record = make_room(ledger);
                if (!record)
                        return LEDGER_FULL;
                record_begin(ledger, record, name);
        }
        if (!fresh && ledger->kept) {
                r = put_on_disk(ledger, name);
                if (r < 0) {
                        if (!known)
                                atomic_store(&record->sequence, 0);
                        return r;
                }
        }
        *ret = ledger_ref(entry_of(ledger, record));
        return 0;
}

LedgerEntry *ledger_ref(LedgerEntry *entry) {
        entry->n_refs++;
        return entry;
}

LedgerEntry *ledger_release(LedgerEntry *entry) {
        if (entry)
                entry->n_refs--;
        return NULL;
}

uint64_t ledger_take(LedgerEntry *entry) {
        return counter_take(&entry->record->next);
}
