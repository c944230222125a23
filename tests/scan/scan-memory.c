/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * scan-memory [--stops=N] PID: looks for byte patterns in all readable memory of a process, as an
 * attacker with root would, by /proc/PID/mem and process_vm_readv(2).
 *
 * Standard input: lines "LABEL HEX". The process is stopped while it is read, N times (default 1) at
 * random moments. Prints "LABEL ADDRESS MAPPING" once for each place, at the end "N hits". Never prints
 * bytes of the process. Exit status: 0 none, 1 hits, 2 error, or memory that could not be judged.
 */
#include "util/util.h"

#include <dirent.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/uio.h>
#include <time.h>

#define PATTERN_MIN 4u
#define PATTERN_MAX 4096u
#define N_BUCKETS   65536u /* by the first two bytes */
#define CHUNK       ((size_t)4 * 1024 * 1024)
#define PAGE        4096u
/* Larger ones are a sanitizer's shadow; reading them would take days. */
#define MAPPING_MAX (UINT64_C(4) << 30)

typedef struct Pattern Pattern;
struct Pattern {
        Pattern *next;
        char *label;
        uint8_t *bytes;
        size_t len;
};

typedef struct Hit {
        const Pattern *pattern;
        uint64_t address;
} Hit;

typedef struct Scan {
        pid_t pid;
        int memory;
        Pattern *buckets[N_BUCKETS];
        size_t n_patterns;
        size_t overlap; /* longest pattern less one */
        uint8_t *chunk;
        Hit *hits;
        size_t n_hits;
        uint64_t n_read, n_refused; /* bytes, in the last round */
        bool incomplete;
} Scan;

static volatile sig_atomic_t stopped_pid;

/* Ended from outside, leave nobody stopped behind. */
static void let_go(int signal_number) {
        if (stopped_pid > 0)
                kill(stopped_pid, SIGCONT);
        _exit(2);
}

static int hex_digit(char c) {
        const char *digits = "0123456789abcdef", *at = c ? strchr(digits, c | 0x20) : NULL;

        return at ? (int)(at - digits) : -1;
}

static void pattern_free(Pattern *pattern) {
        free(pattern->label);
        free(pattern->bytes);
        free(pattern);
}

static bool unhex(const char *hex, size_t len, uint8_t *bytes) {
        for (size_t i = 0; i < len; i++) {
                int high = hex_digit(hex[2 * i]), low = hex_digit(hex[2 * i + 1]);

                if (high < 0 || low < 0)
                        return false;
                bytes[i] = (uint8_t)(high << 4 | low);
        }
        return true;
}

static int add_pattern(Scan *scan, const char *label, const char *hex) {
        size_t len = strlen(hex) / 2, bucket;
        Pattern *pattern;

        if (strlen(hex) % 2 != 0 || len < PATTERN_MIN || len > PATTERN_MAX)
                return -EINVAL;
        pattern = calloc(1, sizeof(*pattern));
        if (!pattern)
                return -ENOMEM;
        pattern->label = strdup(label);
        pattern->bytes = malloc(len);
        pattern->len = len;
        if (!pattern->label || !pattern->bytes || !unhex(hex, len, pattern->bytes)) {
                pattern_free(pattern);
                return -EINVAL;
        }
        bucket = (size_t)pattern->bytes[0] << 8 | pattern->bytes[1];
        pattern->next = scan->buckets[bucket];
        scan->buckets[bucket] = pattern;
        scan->n_patterns++;
        scan->overlap = MAX_OF(scan->overlap, len - 1);
        return 0;
}

static int read_patterns(Scan *scan) {
        char label[128], hex[2 * PATTERN_MAX + 2];
        int n;

        while ((n = scanf(" %127s %8193s", label, hex)) == 2)
                if (add_pattern(scan, label, hex) < 0)
                        return -EINVAL;
        return n == EOF && scan->n_patterns > 0 ? 0 : -EINVAL;
}

static int record(Scan *scan, const Pattern *pattern, uint64_t address, const char *mapping) {
        Hit *hits;

        for (size_t i = 0; i < scan->n_hits; i++)
                if (scan->hits[i].pattern == pattern && scan->hits[i].address == address)
                        return 0;
        hits = realloc(scan->hits, (scan->n_hits + 1) * sizeof(*hits));
        if (!hits)
                return -ENOMEM;
        scan->hits = hits;
        scan->hits[scan->n_hits++] = (Hit){ pattern, address };
        (void)printf("%s %#" PRIx64 " %s\n", pattern->label, address, mapping);
        return 0;
}

static int search(Scan *scan, size_t len, uint64_t address, const char *mapping) {
        for (size_t i = 0; i + PATTERN_MIN <= len; i++) {
                const Pattern *p = scan->buckets[(size_t)scan->chunk[i] << 8 | scan->chunk[i + 1]];

                for (; p; p = p->next)
                        if (p->len <= len - i && memcmp(scan->chunk + i, p->bytes, p->len) == 0 &&
                            record(scan, p, address + i, mapping) < 0)
                                return -ENOMEM;
        }
        return 0;
}

/* As many bytes as the kernel gives away, by one way or the other. */
static size_t read_memory(Scan *scan, uint64_t address, uint8_t *to, size_t len) {
        struct iovec local = { to, len }, remote = { (void *)(uintptr_t)address, len };
        ssize_t n;

        n = pread(scan->memory, to, len, (off_t)address);
        if (n <= 0)
                n = process_vm_readv(scan->pid, &local, 1, &remote, 1, 0);
        return n > 0 ? (size_t)n : 0;
}

/* Reads until a page is refused, searches, goes on behind that page. What two readings have in common
 * is the overlap, so that a pattern across their border is found. */
static int scan_mapping(Scan *scan, uint64_t from, uint64_t to, const char *mapping) {
        size_t kept = 0;

        if (to - from > MAPPING_MAX) {
                (void)fprintf(stderr, "scan-memory: %s: %" PRIu64 " bytes are too many, not read\n", mapping,
                              to - from);
                scan->incomplete = true;
                return 0;
        }
        for (uint64_t at = from; at < to;) {
                size_t n = read_memory(scan, at, scan->chunk + kept, (size_t)MIN_OF(to - at, CHUNK));

                if (n == 0) {
                        uint64_t next = (at / PAGE + 1) * PAGE;

                        scan->n_refused += MIN_OF(next, to) - at;
                        at = next;
                        kept = 0;
                        continue;
                }
                if (search(scan, kept + n, at - kept, mapping) < 0)
                        return -ENOMEM;
                scan->n_read += n;
                at += n;
                n += kept;
                kept = MIN_OF(n, scan->overlap);
                memmove(scan->chunk, scan->chunk + n - kept, kept);
        }
        return 0;
}

static int scan_all(Scan *scan) {
        char path[64], line[4608];
        FILE *maps;
        int r = 0;

        scan->n_read = scan->n_refused = 0;
        (void)snprintf(path, sizeof(path), "/proc/%d/maps", (int)scan->pid);
        maps = fopen(path, "re");
        if (!maps)
                return -errno;
        while (r == 0 && fgets(line, sizeof(line), maps)) {
                char access[5] = "", name[4096] = "anonymous";
                uint64_t from, to;

                if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %*s %*s %*s %4095[^\n]", &from, &to, access, name) < 3)
                        r = -EIO;
                /* vsyscall has an address beyond what pread(2) can name, and the kernel's constant content. */
                else if (access[0] == 'r' && strcmp(name, "[vsyscall]") != 0)
                        r = scan_mapping(scan, from, to, name);
        }
        if (fclose(maps) != 0 && r == 0)
                r = -EIO;
        return r == 0 && scan->n_read == 0 ? -EACCES : r;
}

/* Whether the scheduler shows every thread as stopped. A stop signal takes effect a thread at a time. */
static bool all_stopped(pid_t pid) {
        char path[64];
        struct dirent *entry;
        bool stopped = true;
        DIR *tasks;

        (void)snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
        tasks = opendir(path);
        if (!tasks)
                return true; /* gone: the scan will say so */
        while (stopped && (entry = readdir(tasks)) != NULL) {
                char state = 'T', stat_path[512];
                FILE *stat;

                if (entry->d_name[0] == '.')
                        continue;
                (void)snprintf(stat_path, sizeof(stat_path), "%s/%s/stat", path, entry->d_name);
                stat = fopen(stat_path, "re");
                if (!stat)
                        continue;
                if (fscanf(stat, "%*d (%*[^)]) %c", &state) == 1)
                        stopped = state == 'T' || state == 't' || state == 'Z' || state == 'X';
                (void)fclose(stat); /* was only read */
        }
        (void)closedir(tasks); /* likewise */
        return stopped;
}

static void pause_usec(uint64_t usec) {
        const struct timespec time = { (time_t)(usec / USEC_PER_SEC),
                                       (long)(usec % USEC_PER_SEC) * (long)NSEC_PER_USEC };

        (void)nanosleep(&time, NULL); /* a shorter pause is as good */
}

static int scan_once(Scan *scan) {
        int r;

        stopped_pid = scan->pid;
        if (kill(scan->pid, SIGSTOP) < 0)
                return -errno;
        for (int tries = 0; tries < 10000 && !all_stopped(scan->pid); tries++)
                pause_usec(200);
        r = all_stopped(scan->pid) ? scan_all(scan) : -EBUSY;
        if (kill(scan->pid, SIGCONT) < 0 && r == 0)
                r = -errno;
        stopped_pid = 0;
        return r;
}

static int run(Scan *scan, unsigned stops) {
        char path[64];
        int r = 0;

        (void)snprintf(path, sizeof(path), "/proc/%d/mem", (int)scan->pid);
        scan->memory = open(path, O_RDONLY | O_CLOEXEC);
        if (scan->memory < 0)
                return -errno;
        scan->chunk = malloc(CHUNK + scan->overlap);
        if (!scan->chunk)
                return -ENOMEM;
        for (unsigned i = 0; i < stops && r == 0; i++) {
                uint16_t moment = 0;

                if (getrandom(&moment, sizeof(moment), 0) < 0)
                        return -errno;
                if (i > 0)
                        pause_usec(moment % 20000u);
                r = scan_once(scan);
        }
        return r;
}

static void scan_clear(Scan *scan) {
        for (size_t i = 0; i < N_BUCKETS; i++)
                while (scan->buckets[i]) {
                        Pattern *pattern = scan->buckets[i];

                        scan->buckets[i] = pattern->next;
                        pattern_free(pattern);
                }
        free(scan->chunk);
        free(scan->hits);
        scan->memory = close_fd(scan->memory);
}

int main(int argc, char **argv) {
        static const struct option options[] = { { "stops", required_argument, NULL, 's' }, { 0 } };
        static Scan scan = { .memory = -EBADF };
        unsigned long stops = 1;
        size_t n_hits;
        int option, r;

        while ((option = getopt_long(argc, argv, "", options, NULL)) == 's')
                stops = strtoul(optarg, NULL, 10);
        scan.pid = argc == optind + 1 ? (pid_t)strtol(argv[optind], NULL, 10) : 0;
        if (option != -1 || scan.pid <= 0 || stops == 0 || stops > 100000) {
                (void)fputs("usage: scan-memory [--stops=N] PID <PATTERNS\n", stderr);
                return 2;
        }
        if (signal(SIGINT, let_go) == SIG_ERR || signal(SIGTERM, let_go) == SIG_ERR)
                return 2;
        r = read_patterns(&scan);
        if (r < 0)
                (void)fputs("scan-memory: standard input must have lines of a label and 4 to 4096 bytes in hex\n",
                            stderr);
        else
                r = run(&scan, (unsigned)stops);
        if (r < 0)
                (void)fprintf(stderr, "scan-memory: process %d: %s\n", (int)scan.pid, strerror(-r));
        (void)fprintf(stderr,
                      "scan-memory: %zu patterns, %lu stops; last: %" PRIu64 " KiB read, %" PRIu64 " KiB refused\n",
                      scan.n_patterns, stops, scan.n_read / 1024, scan.n_refused / 1024);
        n_hits = scan.n_hits;
        (void)printf("%zu hits\n", n_hits);
        scan_clear(&scan);
        if (r < 0 || scan.incomplete || fflush(stdout) != 0)
                return 2;
        return n_hits > 0 ? 1 : 0;
}
