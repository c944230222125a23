/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * framekeyd: command line, and the order in which the process becomes fit to hold keys.
 *
 * Signals are blocked before the first thread starts (a handler's frame would spill registers with
 * round keys to the stack; they come through a signalfd), the process is made undumpable and
 * coreless before the first secret exists, and the self test must pass before the name is taken.
 */
#include "config.h"

#include "control/daemon.h"
#include "crypto/aead.h"
#include "crypto/arena.h"
#include "framekey-messages.h"
#include "keys/selftest.h"

#include <getopt.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>

/* Room for about a thousand keys with their look-ahead; for the system, for calls of thousands of people: a key takes
 * up to 2.8 KiB, and twice as many are there while all are being replaced. */
#define ARENA_SIZE_DEFAULT (UINT64_C(4) << 20)
#define ARENA_SIZE_SYSTEM  (UINT64_C(24) << 20)
#define ARENA_SIZE_MAX     (UINT64_C(1) << 30)
/* More than a few data threads share too few cores with the media processes they serve. */
#define THREADS_DEFAULT_MAX 4u
#define THREADS_MAX         16u

typedef enum ExitStatus {
        EXIT_STOPPED = 0,
        EXIT_FAILED = 1,
        EXIT_USAGE = 2,
        EXIT_BUS = 3,
        EXIT_MEMORY = 4,
        EXIT_SELFTEST = 5,
        EXIT_CONFIG = 6,
        EXIT_UNPROTECTED = 7,
} ExitStatus;

typedef struct Arguments {
        DaemonConfig daemon;
        ArenaProtection protection;
        uint64_t arena_size; /* 0: the default, or less if the limits say so */
        int log_level;
        bool check_config; /* and nothing else */
        bool self_test;    /* and nothing else */
} Arguments;

static const char help_text[] =
        "Usage: framekeyd [OPTION]...\n"
        "\n"
        "Holds the end-to-end-encryption keys of calls, and encrypts and decrypts media frames for\n"
        "processes that never see a key. Served on D-Bus as org.framekey1.\n"
        "\n"
        "      --system            serve the system bus (default)\n"
        "      --user              serve the calling user's bus\n"
        "      --address=ADDRESS   serve the bus at this D-Bus address\n"
        "      --config=FILE       read this file instead of framekeyd.conf and its drop-ins\n"
        "      --check-config      say what the configuration is, and what is wrong with it, and exit\n"
        "      --self-test         run the self test, say what was tested, and exit\n"
        "      --runtime-directory=DIR, --state-directory=DIR\n"
        "                          where counters of SFrame and DAVE keys are kept over a restart (default:\n"
        "                          what systemd says, with --user what XDG says, else nowhere)\n"
        "      --no-secretmem      keep keys in locked memory instead of memfd_secret(2), which root\n"
        "                          can read; lets the machine hibernate\n"
        "      --arena-size=SIZE   memory for secrets, with suffix K or M (default: 24M for the system bus,\n"
        "                          else 4M, or what RLIMIT_MEMLOCK allows)\n"
        "      --threads=N         data threads, 1 to 16 (default: one a CPU, at most 4)\n"
        "      --quota=NAME=N      what each user may hold: sessions, participants, channels,\n"
        "                          region-bytes, keys, operations, authorizations; may be given\n"
        "                          several times\n"
        "      --log-level=LEVEL   emerg, alert, crit, err, warning, notice, info (default) or debug\n"
        "      --version           print the version\n"
        "  -h, --help              print this text\n"
        "\n"
        "Examples:\n"
        "  framekeyd --user\n"
        "        for the sessions of one desktop user, without root\n"
        "  framekeyd --address=unix:path=/tmp/bus --log-level=debug\n"
        "        on a private bus, for trying things out\n"
        "  framekeyd --check-config\n"
        "        after a change of /etc/framekey/framekeyd.conf, before \"systemctl reload framekeyd\"\n"
        "  framekeyd --system --arena-size=32M --quota=channels=256 --quota=region-bytes=1073741824\n"
        "        for a host that records or bridges many calls\n"
        "\n"
        "Exit status:\n"
        "  0  stopped by SIGTERM or SIGINT\n"
        "  1  something failed on our side; the last line says what\n"
        "  2  the command line is wrong\n"
        "  3  there is no bus, it hung up, or it refuses the name org.framekey1\n"
        "  4  there is not enough memory for secrets; raise RLIMIT_MEMLOCK\n"
        "  5  the self test failed: do not use this build\n"
        "  6  the configuration is wrong; the log says where\n"
        "  7  the configuration asks for secret memory, and there is none\n"
        "\n"
        "See framekeyd(8), framekeyd.conf(5), framekeyctl(1) and org.framekey1(5).\n";

static int usage_error(const char *what, const char *value, const char *wanted) {
        (void)fprintf(stderr, "framekeyd: %s%s: %s\nTry 'framekeyd --help'.\n", what, value, wanted);
        return -EINVAL;
}

/* Decimal with an optional suffix K or M, within min..max. */
static int parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret) {
        unsigned long long value;
        unsigned shift = 0;
        char *end;

        if (text[0] < '0' || text[0] > '9')
                return -EINVAL;
        errno = 0;
        value = strtoull(text, &end, 10);
        if (errno != 0)
                return -ERANGE;
        if (*end == 'K' || *end == 'M') {
                shift = *end == 'K' ? 10 : 20;
                end++;
        }
        if (*end != '\0')
                return -EINVAL;
        if (value > max >> shift || value << shift < min)
                return -ERANGE;
        *ret = value << shift;
        return 0;
}

static int parse_quota(const char *text, uint64_t quotas[QUOTA_MAX]) {
        const char *equals = strchr(text, '=');
        char name[32];
        QuotaKind kind;

        if (!equals || (size_t)(equals - text) >= sizeof(name))
                return -EINVAL;
        memcpy(name, text, (size_t)(equals - text));
        name[equals - text] = '\0';
        kind = quota_kind_from_name(name);
        if (kind == QUOTA_MAX)
                return -EINVAL;
        return parse_number(equals + 1, 0, UINT64_MAX >> 1, &quotas[kind]);
}

enum {
        OPTION_SYSTEM = 0x100,
        OPTION_USER,
        OPTION_ADDRESS,
        OPTION_CONFIG,
        OPTION_CHECK_CONFIG,
        OPTION_SELF_TEST,
        OPTION_RUNTIME_DIRECTORY,
        OPTION_STATE_DIRECTORY,
        OPTION_NO_SECRETMEM,
        OPTION_ARENA_SIZE,
        OPTION_THREADS,
        OPTION_QUOTA,
        OPTION_LOG_LEVEL,
        OPTION_VERSION,
};

static int parse_option(int option, const char *value, Arguments *arguments) {
        uint64_t number;

        switch (option) {
        case OPTION_SYSTEM:
                arguments->daemon.bus = DAEMON_BUS_SYSTEM;
                return 0;
        case OPTION_USER:
                arguments->daemon.bus = DAEMON_BUS_USER;
                return 0;
        case OPTION_ADDRESS:
                arguments->daemon.bus = DAEMON_BUS_ADDRESS;
                arguments->daemon.address = value;
                return 0;
        case OPTION_CONFIG:
                arguments->daemon.source.file = value;
                return 0;
        case OPTION_SELF_TEST:
                arguments->self_test = true;
                return 0;
        case OPTION_CHECK_CONFIG:
                arguments->check_config = true;
                return 0;
        case OPTION_RUNTIME_DIRECTORY:
                arguments->daemon.runtime_directory = value;
                return 0;
        case OPTION_STATE_DIRECTORY:
                arguments->daemon.state_directory = value;
                return 0;
        case OPTION_NO_SECRETMEM:
                arguments->protection = ARENA_PROTECTION_LOCKED;
                return 0;
        case OPTION_ARENA_SIZE:
                if (parse_number(value, ARENA_SIZE_MIN, ARENA_SIZE_MAX, &arguments->arena_size) < 0)
                        return usage_error("--arena-size=", value, "a size from 64K to 1024M is wanted.");
                return 0;
        case OPTION_THREADS:
                if (parse_number(value, 1, THREADS_MAX, &number) < 0)
                        return usage_error("--threads=", value, "a number from 1 to 16 is wanted.");
                arguments->daemon.n_threads = (unsigned)number;
                return 0;
        case OPTION_QUOTA:
                if (parse_quota(value, arguments->daemon.quotas) < 0)
                        return usage_error("--quota=", value, "NAME=NUMBER is wanted, with a name that --help lists.");
                return 0;
        case OPTION_LOG_LEVEL:
                arguments->log_level = log_level_from_name(value);
                if (arguments->log_level < 0)
                        return usage_error("--log-level=", value,
                                           "emerg, alert, crit, err, warning, notice, info or debug is wanted.");
                return 0;
        default:
                return usage_error("command line", "", "it cannot be understood.");
        }
}

/* 0; 1: done already (--help, --version); -EINVAL. */
static int parse_arguments(int argc, char *argv[], Arguments *arguments) {
        static const struct option options[] = {
                { "system", no_argument, NULL, OPTION_SYSTEM },
                { "user", no_argument, NULL, OPTION_USER },
                { "address", required_argument, NULL, OPTION_ADDRESS },
                { "config", required_argument, NULL, OPTION_CONFIG },
                { "check-config", no_argument, NULL, OPTION_CHECK_CONFIG },
                { "self-test", no_argument, NULL, OPTION_SELF_TEST },
                { "runtime-directory", required_argument, NULL, OPTION_RUNTIME_DIRECTORY },
                { "state-directory", required_argument, NULL, OPTION_STATE_DIRECTORY },
                { "no-secretmem", no_argument, NULL, OPTION_NO_SECRETMEM },
                { "arena-size", required_argument, NULL, OPTION_ARENA_SIZE },
                { "threads", required_argument, NULL, OPTION_THREADS },
                { "quota", required_argument, NULL, OPTION_QUOTA },
                { "log-level", required_argument, NULL, OPTION_LOG_LEVEL },
                { "version", no_argument, NULL, OPTION_VERSION },
                { "help", no_argument, NULL, 'h' },
                { 0 },
        };
        int option;

        while ((option = getopt_long(argc, argv, "h", options, NULL)) >= 0) {
                switch (option) {
                case 'h':
                        (void)fputs(help_text, stdout);
                        return 1;
                case OPTION_VERSION:
                        (void)puts("framekeyd " PACKAGE_VERSION);
                        return 1;
                default:
                        if (parse_option(option, optarg, arguments) < 0)
                                return -EINVAL;
                }
        }
        if (optind < argc)
                return usage_error("", argv[optind], "framekeyd takes options only.");
        return 0;
}

/* Where the configuration lies unless --config says so: nowhere for a bus by its address, which is for trials. */
static int choose_directories(DaemonConfig *config, const Log *log, char **ret_directory) {
        const char *base = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
        int n = 0;

        if (config->bus == DAEMON_BUS_SYSTEM) {
                config->source.directories[0] = SYSCONFDIR "/framekey";
                config->source.directories[1] = VENDORCONFDIR;
        }
        if (config->bus != DAEMON_BUS_USER)
                return 0;
        if (base && base[0] == '/')
                n = asprintf(ret_directory, "%s/framekey", base);
        else if (home && home[0] == '/')
                n = asprintf(ret_directory, "%s/.config/framekey", home);
        if (n < 0) {
                *ret_directory = NULL;
                return -ENOMEM;
        }
        if (*ret_directory && access(*ret_directory, X_OK) < 0 && errno == EACCES)
                /* As a rule somebody else's $HOME, which is no reason to refuse a user the own daemon. */
                log_line(log, LOG_WARNING, "Nothing is read from %s: %s. Is HOME right?", *ret_directory,
                         strerror(EACCES));
        else
                config->source.directories[0] = *ret_directory;
        return 0;
}

static int print_config(const DaemonConfig *config, const Log *log) {
        ConfigFiles files = { 0 };
        ConfigFault fault;
        Policy policy;
        int r;

        r = config_files_find(&files, &config->source, log, &fault);
        if (r == 0)
                r = config_files_read(&files, log, &policy, &fault);
        for (size_t i = 0; r == 0 && i < files.n; i++)
                (void)printf("# read: %s\n", files.paths[i]);
        config_files_clear(&files);
        if (r != 0)
                return r;
        config_print(&policy, stdout);
        return fflush(stdout) == 0 ? 0 : -errno;
}

/* A status other than EXIT_STOPPED ends the start. */
static ExitStatus read_config(Arguments *arguments, const Log *log, char **ret_directory) {
        ConfigFault fault;
        int r;

        r = choose_directories(&arguments->daemon, log, ret_directory);
        if (r == 0 && arguments->check_config)
                r = print_config(&arguments->daemon, log);
        else if (r == 0)
                r = config_load(&arguments->daemon.source, log, &arguments->daemon.policy, &fault);
        if (r < 0)
                log_line(log, LOG_ERR, "Cannot read and show the configuration: %s.", strerror(-r));
        else if (r > 0)
                log_message(log, LOG_ERR, FRAMEKEY_MESSAGE_CONFIGURATION_REFUSED,
                            "The configuration is wrong; mend it, and try again with --check-config.");
        return r < 0 ? EXIT_FAILED : r > 0 ? EXIT_CONFIG : EXIT_STOPPED;
}

static unsigned default_threads(void) {
        cpu_set_t set;
        unsigned n;

        if (sched_getaffinity(0, sizeof(set), &set) < 0)
                return 1;
        n = (unsigned)CPU_COUNT(&set);
        return MAX_OF(1u, MIN_OF(n, THREADS_DEFAULT_MAX));
}

/* Nobody's debugger, no core, no signal handler, no pipe that ends us. */
static int harden(void) {
        /* Whose default is the right thing: the watchdog's and everybody's who finds something broken. */
        static const int deadly[] = { SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGQUIT, SIGSEGV, SIGSYS, SIGTRAP, SIGXCPU };
        sigset_t all;

        if (sigfillset(&all) < 0)
                return -errno;
        for (size_t i = 0; i < ELEMENTS(deadly); i++)
                (void)sigdelset(&all, deadly[i]);
        if (sigprocmask(SIG_BLOCK, &all, NULL) < 0)
                return -errno;
        if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
                return -errno;
        if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
                return -errno;
        if (setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 }) < 0)
                return -errno;
        return 0;
}

/* Takes what the hard limit grants; what it is afterwards. */
static uint64_t raise_limit(int resource) {
        struct rlimit limit;

        if (getrlimit(resource, &limit) < 0)
                return 0;
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(resource, &limit); /* then it stays as it was, which the next call tells */
        if (getrlimit(resource, &limit) < 0)
                return 0;
        return limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : limit.rlim_cur;
}

static int make_arena(const Arguments *arguments, const Log *log, Arena **ret) {
        uint64_t limit = raise_limit(RLIMIT_MEMLOCK), size = arguments->arena_size;
        uint64_t wanted = arguments->daemon.bus == DAEMON_BUS_SYSTEM ? ARENA_SIZE_SYSTEM : ARENA_SIZE_DEFAULT;
        int r;

        if (size > 0)
                r = arena_new(ret, size, arguments->protection);
        else {
                /* Root is not bound by the limit, and other memory may be locked already: trying tells. */
                size = wanted;
                while ((r = arena_new(ret, size, arguments->protection)) < 0 && (r == -EAGAIN || r == -ENOMEM) &&
                       size / 2 >= ARENA_SIZE_MIN)
                        size /= 2;
                if (r == 0 && size < wanted)
                        log_message(log, LOG_WARNING, FRAMEKEY_MESSAGE_MEMORY_LIMITED,
                                    "Memory for secrets is only %" PRIu64 " KiB: RLIMIT_MEMLOCK is %" PRIu64
                                    " bytes; raise "
                                    "it (LimitMEMLOCK= in the unit) for more keys.",
                                    size >> 10, limit);
        }
        if (r < 0)
                log_message(log, LOG_ERR, FRAMEKEY_MESSAGE_MEMORY_LIMITED,
                            "Cannot lock %" PRIu64 " KiB of memory for secrets: %s. RLIMIT_MEMLOCK is %" PRIu64
                            " bytes; raise "
                            "it (LimitMEMLOCK= in the unit), or ask for less with --arena-size.",
                            size >> 10, strerror(-r), limit);
        return r;
}

static int install_arena(const Arguments *arguments, const Log *log) {
        _cleanup_(arena_free_p) Arena *arena = NULL;
        int r;

        r = make_arena(arguments, log, &arena);
        if (r < 0)
                return r;
        r = arena_install(arena);
        if (r == -EOPNOTSUPP)
                log_message(log, LOG_ERR, FRAMEKEY_MESSAGE_FIPS_MODE,
                            "libgcrypt is in FIPS mode, where it would keep keys outside the protected memory; turn "
                            "that mode off for framekeyd.");
        else if (r < 0)
                log_line(log, LOG_ERR, "Cannot set up libgcrypt: %s.", strerror(-r));
        if (r < 0)
                return r;
        if (arena_protection(arena) != ARENA_PROTECTION_SECRETMEM)
                log_message(log, LOG_WARNING, FRAMEKEY_MESSAGE_MEMORY_NOT_SECRET,
                            "Keys are in locked memory that root can read: %s.",
                            arguments->protection == ARENA_PROTECTION_LOCKED
                                    ? "--no-secretmem was given"
                                    : "this kernel or unit has no memfd_secret");
        (void)take_ptr(arena); /* lives as long as the process */
        return 0;
}

/* Whether keys are where the configuration wants them. */
static bool check_protection(const Policy *policy, const Log *log) {
        char text[POLICY_TEXT_MAX];

        if (!policy->require_secret_memory || arena_protection(arena_installed()) == ARENA_PROTECTION_SECRETMEM)
                return true;
        log_message(log, LOG_ERR, FRAMEKEY_MESSAGE_SECRET_MEMORY_REFUSED,
                    "Nothing is served, because of %s. Take --no-secretmem away, use a kernel and a unit that have "
                    "memfd_secret, or change that setting.",
                    policy_cite(policy, POLICY_REQUIRE_SECRET_MEMORY, text));
        return false;
}

static void tell_started(const Arguments *arguments, const Log *log) {
        const char *memory = arena_protection_name(arena_protection(arena_installed()));
        static const char id[] = "MESSAGE_ID=" FRAMEKEY_MESSAGE_STARTED, version[] = "FK_VERSION=" PACKAGE_VERSION;
        char text[128], protection[64];

        (void)snprintf(text, sizeof(text), "Serving " DAEMON_BUS_NAME " with %u data threads; keys are in %s memory.",
                       arguments->daemon.n_threads, memory);
        (void)snprintf(protection, sizeof(protection), "FK_MEMORY=%s", memory);
        log_fields(log, LOG_INFO, text,
                   (struct iovec[]){ { (void *)id, strlen(id) },
                                     { (void *)version, strlen(version) },
                                     { protection, strlen(protection) } },
                   3);
}

/* One line for each part, all of which were passed. */
static ExitStatus tell_tested(void) {
        for (size_t i = 0; selftest_part(i); i++)
                (void)printf("%s: ok\n", selftest_part(i));
        return fflush(stdout) == EOF ? EXIT_FAILED : EXIT_STOPPED;
}

static ExitStatus serve(const Arguments *arguments, Log *log) {
        _cleanup_(daemon_free_p) Daemon *daemon = NULL;
        int r;

        r = daemon_new(&daemon, &arguments->daemon, log);
        if (r == 0) {
                tell_started(arguments, log);
                r = daemon_run(daemon);
        }
        if (r == 0) {
                log_message(log, LOG_INFO, FRAMEKEY_MESSAGE_STOPPED, "Stopping; all keys are wiped.");
                return EXIT_STOPPED;
        }
        if (r < 0)
                log_line(log, LOG_ERR, "Cannot serve: %s.", strerror(-r));
        return r > 0 ? EXIT_BUS : EXIT_FAILED;
}

int main(int argc, char *argv[]) {
        Arguments arguments = { .protection = ARENA_PROTECTION_SECRETMEM, .log_level = LOG_INFO };
        _cleanup_free_ char *own_directory = NULL;
        const char *failed = NULL;
        ExitStatus status;
        Log log;
        int r;

        arguments.daemon.n_threads = default_threads();
        quota_defaults(arguments.daemon.quotas);
        r = parse_arguments(argc, argv, &arguments);
        if (r != 0)
                return r > 0 ? EXIT_STOPPED : EXIT_USAGE;
        log_init(&log, arguments.log_level);
        /* What is tested does not depend on how this is configured. */
        status = arguments.self_test ? EXIT_STOPPED : read_config(&arguments, &log, &own_directory);
        if (status != EXIT_STOPPED || arguments.check_config)
                return status;

        r = harden();
        if (r < 0) {
                log_line(&log, LOG_ERR, "Cannot protect the process: %s.", strerror(-r));
                return EXIT_FAILED;
        }
        (void)raise_limit(RLIMIT_NOFILE); /* each channel takes a handful */
        r = install_arena(&arguments, &log);
        if (r < 0)
                return EXIT_MEMORY;
        if (!check_protection(&arguments.daemon.policy, &log))
                return EXIT_UNPROTECTED;
        r = selftest_run(&failed);
        if (r != 0) {
                log_message(&log, LOG_ERR, FRAMEKEY_MESSAGE_SELF_TEST_FAILED,
                            "The self test of %s failed (%s); nothing is served. Do not use this build here.",
                            failed ? failed : "the key plane", r == -EBADMSG ? "wrong answer" : strerror(-r));
                return EXIT_SELFTEST;
        }
        if (!aead_is_accelerated())
                log_message(&log, LOG_WARNING, FRAMEKEY_MESSAGE_NOT_ACCELERATED,
                            "AES is computed without instructions of the processor: it is slow, and other processes on "
                            "the same core may learn of keys. Look at /etc/gcrypt/hwf.deny and at what the virtual "
                            "machine passes on.");
        if (arguments.self_test)
                return tell_tested();
        return serve(&arguments, &log);
}
