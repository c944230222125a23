/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* framekeyd.conf: which files are read in which order, what their lines mean, and what is told of wrong ones. */
#include "control/config-file.h"
#include "runner.h"

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define SECOND USEC_PER_SEC
#define DAY    (24 * 3600 * SECOND)

/* Two directories, one to win over the other, and what was logged. */
typedef struct Fixture {
        char root[32];
        char etc[64], lib[64];
        ConfigSource source;
        Log log;
        ConfigFault fault;
        int log_fd;
        char said[4096];
} Fixture;

static int remove_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw) {
        return remove(path);
}

static void fixture_clear(Fixture *fixture) {
        (void)nftw(fixture->root, remove_entry, 8, FTW_DEPTH | FTW_PHYS); /* what stays is in /tmp */
        (void)close_fd(fixture->log_fd);
}
#define _fixture_ _cleanup_(fixture_clear)

static void must(bool truth) {
        if (!truth)
                ck_abort_msg("the test's own files: %s", strerror(errno));
}

static void make_directory(const char *parent, const char *name) {
        char path[PATH_MAX];

        (void)snprintf(path, sizeof(path), "%s/%s", parent, name);
        must(mkdir(path, 0755) == 0 || errno == EEXIST);
}

static void fixture_init(Fixture *fixture) {
        *fixture = (Fixture){ .root = "/tmp/test-config.XXXXXX", .log = { LOG_TARGET_STDERR, LOG_WARNING } };
        must(mkdtemp(fixture->root) != NULL && chmod(fixture->root, 0755) == 0);
        (void)snprintf(fixture->etc, sizeof(fixture->etc), "%s/etc", fixture->root);
        (void)snprintf(fixture->lib, sizeof(fixture->lib), "%s/lib", fixture->root);
        make_directory(fixture->root, "etc");
        make_directory(fixture->root, "lib");
        fixture->source = (ConfigSource){ .directories = { fixture->etc, fixture->lib } };
        fixture->log_fd = memfd_create("log", MFD_CLOEXEC);
        must(fixture->log_fd >= 0);
        must(dup2(fixture->log_fd, STDERR_FILENO) >= 0); /* each case is a process of its own */
}

static void write_file(const char *directory, const char *name, const char *bytes, size_t len) {
        char path[PATH_MAX];
        FILE *file;

        (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
        file = fopen(path, "we");
        must(file && fwrite(bytes, 1, len, file) == len);
        must(fclose(file) == 0);
}

static void write_text(const char *directory, const char *name, const char *text) {
        make_directory(directory, CONFIG_NAME ".d");
        write_file(directory, name, text, strlen(text));
}

/* What the log got since the last load is in fixture->said. */
static int load(Fixture *fixture, Policy *ret) {
        ssize_t len;
        int r;

        must(ftruncate(fixture->log_fd, 0) == 0 && lseek(fixture->log_fd, 0, SEEK_SET) == 0);
        r = config_load(&fixture->source, &fixture->log, ret, &fixture->fault);
        len = pread(fixture->log_fd, fixture->said, sizeof(fixture->said) - 1, 0);
        must(len >= 0);
        fixture->said[len] = '\0';
        return r;
}

static Policy load_good(Fixture *fixture) {
        Policy policy;

        ck_assert_msg(load(fixture, &policy) == 0, "refused: %s", fixture->said);
        return policy;
}

static void check_said(const Fixture *fixture, const char *text) {
        ck_assert_msg(strstr(fixture->said, text), "'%s' is not in: %s", text, fixture->said);
}

static bool equal(const Policy *a, const Policy *b) {
        for (size_t i = 0; i < POLICY_SETTING_MAX; i++)
                if (policy_get(a, &policy_settings[i]) != policy_get(b, &policy_settings[i]))
                        return false;
        return true;
}

START_TEST(without_files_the_defaults_apply) {
        _fixture_ Fixture fixture;
        Policy policy;

        fixture_init(&fixture);
        policy = load_good(&fixture);
        ck_assert_uint_eq(policy.default_ratchet_interval_usec, 600 * SECOND);
        ck_assert_uint_eq(policy.minimum_ratchet_interval_usec, SECOND);
        ck_assert_uint_eq(policy.maximum_key_age_usec, 0);
        ck_assert(policy.allow_export);
        fixture.source.directories[0] = NULL;
        (void)load_good(&fixture);
        ck_assert_str_eq(fixture.said, "");
}
END_TEST

START_TEST(every_key_is_taken) {
        _fixture_ Fixture fixture;
        Policy policy;

        fixture_init(&fixture);
        write_text(fixture.etc, CONFIG_NAME,
                   "# a comment\n; another\n\n[Ratchet]\nDefaultIntervalSec=1h 30min\n  MinimumIntervalSec = 5s \n"
                   "[Keys]\r\nMaximumAgeSec=1d\r\nAllowExport=no");
        policy = load_good(&fixture);
        ck_assert_uint_eq(policy.default_ratchet_interval_usec, 5400 * SECOND);
        ck_assert_uint_eq(policy.minimum_ratchet_interval_usec, 5 * SECOND);
        ck_assert_uint_eq(policy.maximum_key_age_usec, DAY);
        ck_assert(!policy.allow_export);
        ck_assert_str_eq(fixture.said, "");
}
END_TEST

START_TEST(values_are_taken_up_to_their_bounds) {
        static const struct {
                const char *lines;
                const char *said; /* NULL: taken */
                uint64_t interval, minimum, age;
        } rows[] = {
                { "[Ratchet]\nDefaultIntervalSec=0", NULL, 0, SECOND, 0 },
                { "[Ratchet]\nDefaultIntervalSec=infinity", NULL, 0, SECOND, 0 },
                { "[Ratchet]\nDefaultIntervalSec=366d", NULL, 366 * DAY, SECOND, 0 },
                { "[Ratchet]\nDefaultIntervalSec=366d 1us", "at most 366d", 0, 0, 0 },
                { "[Ratchet]\nDefaultIntervalSec=1d\nDefaultIntervalSec=", NULL, 600 * SECOND, SECOND, 0 },
                { "[Ratchet]\nMinimumIntervalSec=0", NULL, 600 * SECOND, 0, 0 },
                { "[Ratchet]\nMinimumIntervalSec=500ms", NULL, 600 * SECOND, 500000, 0 },
                { "[Ratchet]\nMinimumIntervalSec=infinity", "at most 366d", 0, 0, 0 },
                { "[Ratchet]\nMinimumIntervalSec=366d 1us", "at most 366d", 0, 0, 0 },
                { "[Ratchet]\nMinimumIntervalSec=-1s", "write a time like", 0, 0, 0 },
                { "[Keys]\nMaximumAgeSec=infinity", NULL, 600 * SECOND, SECOND, 0 },
                { "[Keys]\nMaximumAgeSec=366d", NULL, 600 * SECOND, SECOND, 366 * DAY },
                { "[Keys]\nMaximumAgeSec=99999999999999999999", "at most 366d", 0, 0, 0 },
                { "[Keys]\nMaximumAgeSec=never", "or infinity for none", 0, 0, 0 },
        };
        _fixture_ Fixture fixture;

        fixture_init(&fixture);
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                Policy policy = { 0 };

                write_text(fixture.etc, CONFIG_NAME, rows[i].lines);
                ck_assert_msg(load(&fixture, &policy) == (rows[i].said ? CONFIG_INVALID : 0), "%s: %s", rows[i].lines,
                              fixture.said);
                ck_assert_uint_eq(policy.default_ratchet_interval_usec, rows[i].interval);
                ck_assert_uint_eq(policy.minimum_ratchet_interval_usec, rows[i].minimum);
                ck_assert_uint_eq(policy.maximum_key_age_usec, rows[i].age);
                if (rows[i].said)
                        check_said(&fixture, rows[i].said);
        }
}
END_TEST

START_TEST(profiles_are_a_set_of_names) {
        static const struct {
                const char *value;
                const char *printed; /* NULL: refused */
        } rows[] = {
                { "dave", "AllowedProfiles=dave\n" },
                { "dave  livekit\tdave", "AllowedProfiles=livekit dave\n" },
                { "", "AllowedProfiles=livekit livekit-passphrase" },
                { "livekit-", NULL },
                { "livekit,dave", NULL },
                { "Dave", NULL },
        };
        _fixture_ Fixture fixture;
        char text[4096];

        fixture_init(&fixture);
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                Policy policy;
                FILE *file;

                (void)snprintf(text, sizeof(text), "[Sessions]\nAllowedProfiles=%s\n", rows[i].value);
                write_text(fixture.etc, CONFIG_NAME, text);
                ck_assert_int_eq(load(&fixture, &policy), rows[i].printed ? 0 : CONFIG_INVALID);
                if (!rows[i].printed) {
                        check_said(&fixture, ":2: AllowedProfiles=");
                        continue;
                }
                file = fmemopen(text, sizeof(text), "w");
                must(file != NULL);
                config_print(&policy, file);
                must(fclose(file) == 0);
                ck_assert_msg(strstr(text, rows[i].printed), "%s", text);
        }
}
END_TEST

START_TEST(each_value_tells_where_it_comes_from) {
        _fixture_ Fixture fixture;
        char expected[PATH_MAX], cited[POLICY_TEXT_MAX];
        Policy policy;

        fixture_init(&fixture);
        write_text(fixture.etc, CONFIG_NAME, "[Keys]\nAllowExport=yes\nAllowImport=no\n");
        write_text(fixture.lib, CONFIG_NAME ".d/\x01.conf", "\n\n[Keys]\n\nAllowExport=no\n");
        policy = load_good(&fixture);
        (void)snprintf(expected, sizeof(expected), "%s/" CONFIG_NAME ":3", fixture.etc);
        ck_assert_str_eq(policy.origins[POLICY_ALLOW_IMPORT], expected);
        (void)snprintf(expected, sizeof(expected), "AllowExport=no (%s/" CONFIG_NAME ".d/\\x01.conf:5)", fixture.lib);
        ck_assert_str_eq(policy_cite(&policy, POLICY_ALLOW_EXPORT, cited), expected);
        ck_assert_str_eq(policy_cite(&policy, POLICY_MAXIMUM_AGE, cited),
                         "MaximumAgeSec=infinity (the default of framekeyd.conf)");
        policy_set_on_bus(&policy, &policy_settings[POLICY_MAXIMUM_AGE], DAY);
        ck_assert_str_eq(policy_cite(&policy, POLICY_MAXIMUM_AGE, cited),
                         "MaximumAgeSec=1d (set on the bus in place of framekeyd.conf)");
}
END_TEST

START_TEST(words_for_yes_and_no_are_systemds) {
        static const char *const yes[] = { "yes", "true", "on", "1", "y", "t", "YES", "True" };
        static const char *const no[] = { "no", "false", "off", "0", "n", "f", "NO", "False" };
        static const char *const neither[] = { "maybe", "2", "yess", "-", "yes no" };
        _fixture_ Fixture fixture;
        char text[64];
        Policy policy;

        fixture_init(&fixture);
        for (size_t i = 0; i < ELEMENTS(yes); i++) {
                (void)snprintf(text, sizeof(text), "[Keys]\nAllowExport=no\nAllowExport=%s\n", yes[i]);
                write_text(fixture.etc, CONFIG_NAME, text);
                ck_assert(load_good(&fixture).allow_export);
                (void)snprintf(text, sizeof(text), "[Keys]\nAllowExport=%s\n", no[i]);
                write_text(fixture.etc, CONFIG_NAME, text);
                ck_assert(!load_good(&fixture).allow_export);
        }
        for (size_t i = 0; i < ELEMENTS(neither); i++) {
                (void)snprintf(text, sizeof(text), "[Keys]\nAllowExport=%s\n", neither[i]);
                write_text(fixture.etc, CONFIG_NAME, text);
                ck_assert_int_eq(load(&fixture, &policy), CONFIG_INVALID);
                check_said(&fixture, "write yes or no");
        }
}
END_TEST

START_TEST(drop_ins_follow_the_main_file_by_name) {
        _fixture_ Fixture fixture;
        Policy policy;

        fixture_init(&fixture);
        write_text(fixture.etc, CONFIG_NAME,
                   "[Ratchet]\nDefaultIntervalSec=1s\nMinimumIntervalSec=1ms\n"
                   "[Keys]\nMaximumAgeSec=1d\n");
        write_text(fixture.lib, CONFIG_NAME ".d/10-a.conf", "[Ratchet]\nDefaultIntervalSec=10s\nMinimumIntervalSec=2s");
        write_text(fixture.etc, CONFIG_NAME ".d/20-b.conf", "[Ratchet]\nDefaultIntervalSec=20s\n");
        /* A package's comes after the administrator's if its name does. */
        write_text(fixture.lib, CONFIG_NAME ".d/30-c.conf", "[Ratchet]\nDefaultIntervalSec=30s\n");
        policy = load_good(&fixture);
        ck_assert_uint_eq(policy.default_ratchet_interval_usec, 30 * SECOND);
        ck_assert_uint_eq(policy.minimum_ratchet_interval_usec, 2 * SECOND);
        ck_assert_uint_eq(policy.maximum_key_age_usec, DAY);
}
END_TEST

START_TEST(of_two_files_of_one_name_the_first_directorys_is_read) {
        char path[PATH_MAX];
        _fixture_ Fixture fixture;

        fixture_init(&fixture);
        write_text(fixture.lib, CONFIG_NAME, "[Keys]\nMaximumAgeSec=1d\nAllowExport=no\n");
        write_text(fixture.lib, CONFIG_NAME ".d/10-a.conf", "[Keys]\nMaximumAgeSec=2d\n");
        ck_assert_uint_eq(load_good(&fixture).maximum_key_age_usec, 2 * DAY);
        ck_assert(!load_good(&fixture).allow_export);

        write_text(fixture.etc, CONFIG_NAME ".d/10-a.conf", "[Keys]\nMaximumAgeSec=3d\n");
        ck_assert_uint_eq(load_good(&fixture).maximum_key_age_usec, 3 * DAY);
        (void)snprintf(path, sizeof(path), "%s/%s.d/10-a.conf", fixture.etc, CONFIG_NAME);
        must(unlink(path) == 0 && symlink("/dev/null", path) == 0);
        ck_assert_uint_eq(load_good(&fixture).maximum_key_age_usec, DAY);

        write_text(fixture.etc, CONFIG_NAME, "[Keys]\nMaximumAgeSec=4d\n");
        ck_assert_uint_eq(load_good(&fixture).maximum_key_age_usec, 4 * DAY);
        ck_assert(load_good(&fixture).allow_export);
}
END_TEST

START_TEST(other_names_are_no_drop_ins) {
        static const char *const names[] = { "50-a.conf~", "50-a.conf.bak", ".50-a.conf", ".conf", "conf", "50-aconf" };
        char path[PATH_MAX];
        _fixture_ Fixture fixture;

        fixture_init(&fixture);
        for (size_t i = 0; i < ELEMENTS(names); i++) {
                (void)snprintf(path, sizeof(path), CONFIG_NAME ".d/%s", names[i]);
                write_text(fixture.etc, path, "[Keys]\nAllowExport=no\n");
        }
        ck_assert(load_good(&fixture).allow_export);
}
END_TEST

START_TEST(a_file_by_name_is_read_alone) {
        char path[PATH_MAX];
        _fixture_ Fixture fixture;
        Policy policy;

        fixture_init(&fixture);
        write_text(fixture.etc, CONFIG_NAME, "[Keys]\nMaximumAgeSec=1d\n");
        write_text(fixture.etc, CONFIG_NAME ".d/10-a.conf", "[Keys]\nMaximumAgeSec=2d\n");
        write_text(fixture.etc, "other", "[Keys]\nAllowExport=no\n");
        (void)snprintf(path, sizeof(path), "%s/other", fixture.etc);
        fixture.source.file = path;
        policy = load_good(&fixture);
        ck_assert_uint_eq(policy.maximum_key_age_usec, 0);
        ck_assert(!policy.allow_export);
        must(unlink(path) == 0);
        ck_assert_int_eq(load(&fixture, &policy), CONFIG_INVALID);
        check_said(&fixture, "No such file");
}
END_TEST

START_TEST(every_wrong_line_is_told_with_its_place) {
        _fixture_ Fixture fixture;
        char expected[PATH_MAX];
        Policy policy, before;

        fixture_init(&fixture);
        write_text(
                fixture.etc, CONFIG_NAME,
                "[Ratchet]\nDefaultIntervalSec=ten\nwhat is this\n\n# fine\n  and this\n[Keys\nMaximumAgeSec=\x01\n");
        write_text(fixture.etc, CONFIG_NAME ".d/10-a.conf", "[Keys]\nMaximumAgeSec=1d\nAllowExport=maybe\n");
        before = policy =
                (Policy){ .default_ratchet_interval_usec = 11, .maximum_key_age_usec = 13, .allow_import = true };
        ck_assert_int_eq(load(&fixture, &policy), CONFIG_INVALID);
        ck_assert(equal(&policy, &before));
        (void)snprintf(expected, sizeof(expected),
                       "framekeyd: %s/" CONFIG_NAME ":2: DefaultIntervalSec=ten cannot be taken; write a time like",
                       fixture.etc);
        check_said(&fixture, expected);
        /* What comes first goes without a line of the log, and is a line of its own. */
        ck_assert_str_eq(fixture.fault.text + strlen(fixture.etc),
                         "/" CONFIG_NAME ":2: DefaultIntervalSec=ten cannot be taken; write a time like 10min, 1h "
                         "30min or 500ms, or infinity for none.");
        check_said(&fixture, CONFIG_NAME ":3: This is no line of a configuration; write [Section], Key=Value");
        check_said(&fixture, CONFIG_NAME ":6: This is no line");
        check_said(&fixture, CONFIG_NAME ":7: This is no line");
        /* The section before goes on, as libinih has it. */
        check_said(&fixture, CONFIG_NAME ":8: MaximumAgeSec= is ignored here");
        check_said(&fixture, CONFIG_NAME ".d/10-a.conf:3: AllowExport=maybe cannot be taken; write yes or no.");
        ck_assert(!strstr(fixture.said, CONFIG_NAME ":5:"));
}
END_TEST

START_TEST(the_last_line_is_looked_at_too) {
        _fixture_ Fixture fixture;
        Policy policy;

        fixture_init(&fixture);
        write_text(fixture.etc, CONFIG_NAME, "[Keys]\nno value");
        ck_assert_int_eq(load(&fixture, &policy), CONFIG_INVALID);
        check_said(&fixture, CONFIG_NAME ":2: ");
        write_text(fixture.etc, CONFIG_NAME, "[Keys ;]\n");
        ck_assert_int_eq(load(&fixture, &policy), CONFIG_INVALID);
        check_said(&fixture, CONFIG_NAME ":1: ");
}
END_TEST

START_TEST(bytes_of_the_file_do_not_forge_lines_of_the_log) {
        _fixture_ Fixture fixture;
        Policy policy;

        fixture_init(&fixture);
        write_text(fixture.etc, CONFIG_NAME, "[Keys]\nMaximumAgeSec=1\x1b[31m\n\x07=1\n[\x1b]\nx=1\n");
        ck_assert_int_eq(load(&fixture, &policy), CONFIG_INVALID);
        ck_assert(!strpbrk(fixture.said, "\x1b\x07"));
        check_said(&fixture, "MaximumAgeSec=1\\x1b[31m cannot be taken");
}
END_TEST

START_TEST(what_is_unknown_is_told_and_ignored) {
        _fixture_ Fixture fixture;
        Policy policy, defaults;

        fixture_init(&fixture);
        policy_defaults(&defaults);
        write_text(fixture.etc, CONFIG_NAME,
                   "AllowExport=no\n[Keys]\nAllowExprot=no\nallowexport=no\nMinimumIntervalSec=1h\n[Keyss]\nFoo=1\n");
        policy = load_good(&fixture);
        ck_assert(equal(&policy, &defaults));
        check_said(&fixture, CONFIG_NAME ":1: AllowExport= is ignored here; write AllowExport= in the section [Keys].");
        check_said(&fixture, CONFIG_NAME ":3: AllowExprot= is unknown and ignored; framekeyd.conf(5) lists what");
        check_said(&fixture, CONFIG_NAME ":4: allowexport= is ignored here; write AllowExport= in the section [Keys].");
        check_said(&fixture, CONFIG_NAME ":5: MinimumIntervalSec= is ignored here; write MinimumIntervalSec= in the "
                                         "section [Ratchet].");
        check_said(&fixture, CONFIG_NAME ":7: Foo= is ignored, because the section [Keyss] is unknown");
}
END_TEST

START_TEST(a_default_below_the_minimum_is_told) {
        _fixture_ Fixture fixture;

        fixture_init(&fixture);
        write_text(fixture.etc, CONFIG_NAME, "[Ratchet]\nDefaultIntervalSec=10s\nMinimumIntervalSec=1min\n");
        ck_assert_uint_eq(load_good(&fixture).default_ratchet_interval_usec, 10 * SECOND);
        check_said(&fixture, "DefaultIntervalSec=10s is below MinimumIntervalSec=1min");
        write_text(fixture.etc, CONFIG_NAME, "[Ratchet]\nDefaultIntervalSec=0\nMinimumIntervalSec=1min\n");
        (void)load_good(&fixture);
        ck_assert_str_eq(fixture.said, "");
}
END_TEST

START_TEST(lines_that_are_no_text_are_refused) {
        static const char zero[] = "[Keys]\nAllowExport=no\0w\nMaximumAgeSec=never\n";
        static const char mark[] = "\xef\xbb\xbf[Keys]\nAllowExport=no\n";
        _fixture_ Fixture fixture;
        char text[2000];
        Policy policy;

        fixture_init(&fixture);
        write_file(fixture.etc, CONFIG_NAME, zero, sizeof(zero) - 1);
        ck_assert_int_eq(load(&fixture, &policy), CONFIG_INVALID);
        check_said(&fixture, CONFIG_NAME ":2: The line has a byte of zero");
        check_said(&fixture, CONFIG_NAME ":3: ");

        (void)snprintf(text, sizeof(text), "[Keys]\n%01000d=1\nAllowExport=maybe\n", 0);
        write_text(fixture.etc, CONFIG_NAME, text);
        ck_assert_int_eq(load(&fixture, &policy), CONFIG_INVALID);
        check_said(&fixture, CONFIG_NAME ":2: The line is too long");
        check_said(&fixture, CONFIG_NAME ":3: ");

        (void)snprintf(text, sizeof(text), "[Keys]\n#%01000d\nAllowExport=no\n", 0);
        write_text(fixture.etc, CONFIG_NAME, text);
        ck_assert(!load_good(&fixture).allow_export);

        write_file(fixture.etc, CONFIG_NAME, mark, sizeof(mark) - 1);
        ck_assert(!load_good(&fixture).allow_export);
        ck_assert_str_eq(fixture.said, "");
}
END_TEST

START_TEST(what_cannot_be_read_is_not_taken_for_absent) {
        _fixture_ Fixture fixture;
        char path[PATH_MAX];
        Policy policy;

        fixture_init(&fixture);
        make_directory(fixture.etc, CONFIG_NAME);
        ck_assert_int_eq(load(&fixture, &policy), CONFIG_INVALID);
        check_said(&fixture, "Is a directory");

        (void)snprintf(path, sizeof(path), "%s/%s", fixture.etc, CONFIG_NAME);
        must(rmdir(path) == 0 && symlink(CONFIG_NAME, path) == 0);
        ck_assert_int_eq(load(&fixture, &policy), CONFIG_INVALID);
        check_said(&fixture, "Too many levels of symbolic links");
        must(unlink(path) == 0);
        write_text(fixture.etc, CONFIG_NAME, "[Keys]\nAllowExport=no\n");
        must(chmod(path, 0) == 0);
        if (geteuid() == 0)
                must(seteuid(65534) == 0);
        ck_assert_int_eq(load(&fixture, &policy), CONFIG_INVALID);
        check_said(&fixture, "Permission denied. It must be a file that uid");
        if (getuid() == 0)
                must(seteuid(0) == 0);

        must(chmod(path, 0644) == 0);
        (void)snprintf(path, sizeof(path), "%s/%s.d", fixture.lib, CONFIG_NAME);
        make_directory(fixture.lib, CONFIG_NAME ".d");
        must(chmod(path, 0) == 0);
        if (geteuid() == 0)
                must(seteuid(65534) == 0);
        ck_assert_int_eq(load(&fixture, &policy), CONFIG_INVALID);
        check_said(&fixture, "Cannot read the directory");
        if (getuid() == 0)
                must(seteuid(0) == 0);
        must(chmod(path, 0755) == 0);
        ck_assert(!load_good(&fixture).allow_export);
}
END_TEST

START_TEST(what_is_printed_sets_the_same) {
        static const Policy policies[] = {
                { .default_ratchet_interval_usec = 0, .minimum_ratchet_interval_usec = 0, .allowed_profiles = 4 },
                { 90 * SECOND, 1500, 365 * DAY, .allowed_profiles = 5, .allow_import = true,
                  .require_secret_memory = true },
                { 366 * DAY, 366 * DAY, 366 * DAY, .allowed_profiles = 1, .allow_export = true },
                { 1, 1, 1, .allowed_profiles = 2 },
        };
        char text[4096];

        for (size_t i = 0; i < ELEMENTS(policies); i++) {
                FILE *file = fmemopen(text, sizeof(text), "w");
                _fixture_ Fixture fixture;
                Policy policy;

                must(file != NULL);
                config_print(&policies[i], file);
                must(fclose(file) == 0);
                fixture_init(&fixture);
                write_text(fixture.etc, CONFIG_NAME, text);
                policy = load_good(&fixture);
                ck_assert_msg(equal(&policy, &policies[i]), "%s", text);
        }
}
END_TEST

RUN_TESTS("config-file", without_files_the_defaults_apply, every_key_is_taken, values_are_taken_up_to_their_bounds,
          profiles_are_a_set_of_names, each_value_tells_where_it_comes_from, words_for_yes_and_no_are_systemds,
          drop_ins_follow_the_main_file_by_name, of_two_files_of_one_name_the_first_directorys_is_read,
          other_names_are_no_drop_ins, a_file_by_name_is_read_alone, every_wrong_line_is_told_with_its_place,
          the_last_line_is_looked_at_too, bytes_of_the_file_do_not_forge_lines_of_the_log,
          what_is_unknown_is_told_and_ignored, a_default_below_the_minimum_is_told, lines_that_are_no_text_are_refused,
          what_cannot_be_read_is_not_taken_for_absent, what_is_printed_sets_the_same)
