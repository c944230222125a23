/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Finding, reading and writing the configuration; see config-file.h.
 *
 * libinih takes the lines apart. It says neither where a key stands nor which of several lines was
 * wrong, so the reader that feeds it keeps count, and notices lines from which nothing came.
 */
#include "control/config-file.h"

#include "control/timespan.h"

#include <dirent.h>
#include <ini.h>
#include <stdarg.h>
#include <sys/stat.h>

#define DROPIN_SUFFIX ".conf"
/* Some editors begin a file with it. */
#define BYTE_ORDER_MARK "\xef\xbb\xbf"

static void tell_fault(const Log *log, ConfigFault *fault, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

static void tell_fault(const Log *log, ConfigFault *fault, const char *format, ...) {
        char text[CONFIG_FAULT_MAX], escaped[LOG_ESCAPED_MAX];
        va_list arguments;

        va_start(arguments, format);
        (void)vsnprintf(text, sizeof(text), format, arguments);
        va_end(arguments);
        log_line(log, LOG_ERR, "%s", text);
        if (fault->text[0] == '\0')
                (void)snprintf(fault->text, sizeof(fault->text), "%s", log_escape(text, escaped));
}

/* ---- finding ---- */

void config_files_clear(ConfigFiles *files) {
        for (size_t i = 0; i < files->n; i++)
                free(files->paths[i]);
        free(files->paths);
        *files = (ConfigFiles){ 0 };
}

static const char *base_name(const char *path) {
        const char *slash = strrchr(path, '/');

        return slash ? slash + 1 : path;
}

static int files_add(ConfigFiles *files, const char *directory, const char *name) {
        char **paths = reallocarray(files->paths, files->n + 1, sizeof(*paths));

        if (!paths)
                return -ENOMEM;
        files->paths = paths;
        if (asprintf(&paths[files->n], "%s%s%s", directory, *directory ? "/" : "", name) < 0)
                return -ENOMEM;
        files->n++;
        return 0;
}

static bool is_there(const char *path) {
        struct stat st;

        /* What is there but cannot be read must not pass as absent. */
        return stat(path, &st) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

static int find_main(ConfigFiles *files, const ConfigSource *source) {
        for (const char *const *directory = source->directories; *directory; directory++) {
                _cleanup_free_ char *path = NULL;

                if (asprintf(&path, "%s/%s", *directory, CONFIG_NAME) < 0) {
                        path = NULL;
                        return -ENOMEM;
                }
                if (is_there(path))
                        return files_add(files, *directory, CONFIG_NAME);
        }
        return 0;
}

static bool is_dropin(const char *name) {
        size_t len = strlen(name), suffix = strlen(DROPIN_SUFFIX);

        return name[0] != '.' && len > suffix && strcmp(name + len - suffix, DROPIN_SUFFIX) == 0;
}

static bool is_masked(const ConfigFiles *files, size_t n_main, const char *name) {
        for (size_t i = n_main; i < files->n; i++)
                if (strcmp(base_name(files->paths[i]), name) == 0)
                        return true;
        return false;
}

static void closedir_p(DIR **directory) {
        if (*directory)
                (void)closedir(*directory); /* it was only read */
}

static int find_dropins(ConfigFiles *files, size_t n_main, const char *parent, const Log *log, ConfigFault *fault) {
        _cleanup_(closedir_p) DIR *directory = NULL;
        _cleanup_free_ char *path = NULL;
        struct dirent *entry;
        int r = 0;

        if (asprintf(&path, "%s/%s.d", parent, CONFIG_NAME) < 0) {
                path = NULL;
                return -ENOMEM;
        }
        directory = opendir(path);
        if (!directory && (errno == ENOENT || errno == ENOTDIR))
                return 0;
        if (!directory) {
                tell_fault(log, fault, "Cannot read the directory %s: %s.", path, strerror(errno));
                return CONFIG_INVALID;
        }
        while (r == 0 && (entry = readdir(directory)))
                if (is_dropin(entry->d_name) && !is_masked(files, n_main, entry->d_name))
                        r = files_add(files, path, entry->d_name);
        return r;
}

static int compare_names(const void *a, const void *b) {
        return strcmp(base_name(*(char *const *)a), base_name(*(char *const *)b));
}

int config_files_find(ConfigFiles *ret, const ConfigSource *source, const Log *log, ConfigFault *fault) {
        ConfigFiles files = { 0 };
        size_t n_main;
        int r;

        *fault = (ConfigFault){ { 0 } };
        r = source->file ? files_add(&files, "", source->file) : find_main(&files, source);
        n_main = files.n;
        for (size_t i = 0; r == 0 && !source->file && source->directories[i]; i++)
                r = find_dropins(&files, n_main, source->directories[i], log, fault);
        if (r != 0) {
                config_files_clear(&files);
                return r;
        }
        if (files.n > n_main)
                qsort(files.paths + n_main, files.n - n_main, sizeof(*files.paths), compare_names);
        *ret = files;
        return 0;
}

/* ---- reading ---- */

typedef struct Parser {
        const Log *log;
        ConfigFault *fault;
        const char *path;
        FILE *file;
        char *line; /* getline()'s */
        size_t line_size;
        unsigned number;
        bool unused; /* nothing came yet from a line that should hold something */
        bool failed;
        Policy policy;
} Parser;

static void tell_error(Parser *parser, const char *what) {
        tell_fault(parser->log, parser->fault, "%s:%u: %s", parser->path, parser->number, what);
        parser->failed = true;
}

static void check_line_before(Parser *parser) {
        if (parser->unused)
                tell_error(parser,
                           "This is no line of a configuration; write [Section], Key=Value, or # and a comment.");
        parser->unused = false;
}

/* For libinih, in the place of fgets(). Blanks in front go, because they would mean a continued value to it. */
static char *read_line(char *out, int size, void *userdata) {
        Parser *parser = userdata;
        const char *start;
        ssize_t len;

        check_line_before(parser);
        len = getline(&parser->line, &parser->line_size, parser->file);
        if (len < 0)
                return NULL;
        parser->number++;
        start = parser->line;
        if (parser->number == 1 && strncmp(start, BYTE_ORDER_MARK, strlen(BYTE_ORDER_MARK)) == 0)
                start += strlen(BYTE_ORDER_MARK);
        start += strspn(start, " \t");
        out[0] = '\0';
        if (*start == '#' || *start == ';')
                return out;
        if (strlen(parser->line) != (size_t)len)
                tell_error(parser, "The line has a byte of zero in it; write text.");
        else if (strlen(start) >= (size_t)size)
                tell_error(parser, "The line is too long; no value needs so much.");
        else {
                memcpy(out, start, strlen(start) + 1);
                parser->unused = start[strspn(start, "\r\n")] != '\0' && !(*start == '[' && strchr(start, ']'));
        }
        return out;
}

/* -1: neither. */
static int parse_bool(const char *text) {
        static const char *const words[][6] = { { "no", "false", "off", "0", "n", "f" },
                                                { "yes", "true", "on", "1", "y", "t" } };

        for (int truth = 0; truth < 2; truth++)
                for (size_t i = 0; i < ELEMENTS(words[truth]); i++)
                        if (strcasecmp(text, words[truth][i]) == 0)
                                return truth;
        return -1;
}

/* A set of presets, by their names with blanks between them. NULL; or what would be right. */
static const char *parse_profiles(const char *text, uint64_t *ret) {
        uint64_t profiles = 0;

        for (size_t len; *(text += strspn(text, " \t")) != '\0'; text += len) {
                size_t i = 0;

                len = strcspn(text, " \t");
                while (preset_at(i) && (strncmp(preset_at(i)->name, text, len) != 0 || preset_at(i)->name[len] != '\0'))
                        i++;
                if (!preset_at(i))
                        return "write names of profiles with blanks between them, as framekey(7) lists them";
                profiles |= UINT64_C(1) << i;
        }
        *ret = profiles;
        return NULL;
}

/* NULL; or what would be right. An empty value is the default, as with systemd. */
static const char *parse_value(const PolicySetting *setting, const char *text, uint64_t *ret) {
        bool none = setting->type == POLICY_SPAN_OR_NONE;
        Policy defaults;
        int r;

        if (*text == '\0') {
                policy_defaults(&defaults);
                *ret = policy_get(&defaults, setting);
                return NULL;
        }
        if (setting->type == POLICY_BOOL) {
                r = parse_bool(text);
                *ret = r > 0;
                return r < 0 ? "write yes or no" : NULL;
        }
        if (setting->type == POLICY_PROFILES)
                return parse_profiles(text, ret);
        r = timespan_parse(text, ret);
        if (r == TIMESPAN_MALFORMED)
                return none ? "write a time like 10min, 1h 30min or 500ms, or infinity for none"
                            : "write a time like 10min, 1h 30min or 500ms, or 0 for none";
        if (r == 0 && *ret == USEC_INFINITY && none)
                *ret = 0;
        if (r != 0 || *ret > POLICY_SPAN_MAX_USEC)
                return none ? "at most 366d can be set, or infinity for none" : "at most 366d can be set";
        return NULL;
}

/* What an unknown key was meant to be, as far as its letters tell. */
static void warn_unknown(const Parser *parser, const char *section, const char *key) {
        char escaped[LOG_ESCAPED_MAX], escaped_section[LOG_ESCAPED_MAX];

        (void)log_escape(key, escaped);
        for (size_t i = 0; i < POLICY_SETTING_MAX; i++)
                if (strcasecmp(policy_settings[i].key, key) == 0) {
                        log_line(parser->log, LOG_WARNING, "%s:%u: %s= is ignored here; write %s= in the section [%s].",
                                 parser->path, parser->number, escaped, policy_settings[i].key,
                                 policy_settings[i].section);
                        return;
                }
        for (size_t i = 0; i < POLICY_SETTING_MAX; i++)
                if (strcmp(policy_settings[i].section, section) == 0) {
                        log_line(
                                parser->log, LOG_WARNING,
                                "%s:%u: %s= is unknown and ignored; framekeyd.conf(5) lists what the section [%s] has.",
                                parser->path, parser->number, escaped, section);
                        return;
                }
        log_line(parser->log, LOG_WARNING,
                 "%s:%u: %s= is ignored, because the section [%s] is unknown; framekeyd.conf(5) lists the sections.",
                 parser->path, parser->number, escaped, log_escape(section, escaped_section));
}

/* libinih's handler; always 1, since errors are told here. */
static int take_value(void *userdata, const char *section, const char *key, const char *value) {
        char message[LOG_ESCAPED_MAX + 256], escaped[LOG_ESCAPED_MAX];
        const PolicySetting *setting = NULL;
        Parser *parser = userdata;
        const char *wanted;
        uint64_t number;

        parser->unused = false;
        for (size_t i = 0; i < POLICY_SETTING_MAX && !setting; i++)
                if (strcmp(policy_settings[i].section, section) == 0 && strcmp(policy_settings[i].key, key) == 0)
                        setting = &policy_settings[i];
        if (!setting) {
                warn_unknown(parser, section, key);
                return 1;
        }
        wanted = parse_value(setting, value, &number);
        if (!wanted) {
                policy_set(&parser->policy, setting, number);
                (void)snprintf(parser->policy.origins[setting - policy_settings], POLICY_ORIGIN_MAX, "%s:%u",
                               log_escape(parser->path, escaped), parser->number);
                return 1;
        }
        (void)snprintf(message, sizeof(message), "%s=%s cannot be taken; %s.", key, log_escape(value, escaped), wanted);
        tell_error(parser, message);
        return 1;
}

static void read_file(Parser *parser, const char *path) {
        int r;

        parser->path = path;
        parser->number = 0;
        parser->unused = false;
        parser->file = fopen(path, "re");
        if (!parser->file) {
                tell_fault(parser->log, parser->fault, "Cannot read %s: %s. It must be a file that uid %u may read.",
                           path, strerror(errno), (unsigned)geteuid());
                parser->failed = true;
                return;
        }
        errno = 0;
        r = ini_parse_stream(read_line, parser, take_value, parser);
        if (!feof(parser->file)) {
                tell_fault(parser->log, parser->fault, "Cannot read %s: %s.", path, strerror(errno));
                parser->failed = true;
        } else if (r != 0 && !parser->failed)
                /* Something that only libinih finds wrong. */
                tell_fault(parser->log, parser->fault,
                           "%s:%d: This cannot be understood; framekeyd.conf(5) has the syntax.", path, MAX_OF(r, 1));
        parser->failed |= r != 0;
        (void)fclose(parser->file); /* it was only read */
}

static void warn_contradiction(const Policy *policy, const Log *log) {
        char wished[TIMESPAN_TEXT_MAX], least[TIMESPAN_TEXT_MAX];

        if (policy->default_ratchet_interval_usec == 0 ||
            policy->default_ratchet_interval_usec >= policy->minimum_ratchet_interval_usec)
                return;
        log_line(log, LOG_WARNING,
                 "DefaultIntervalSec=%s is below MinimumIntervalSec=%s; sessions get the latter. Raise the one or "
                 "lower the other.",
                 timespan_format(policy->default_ratchet_interval_usec, wished),
                 timespan_format(policy->minimum_ratchet_interval_usec, least));
}

int config_files_read(const ConfigFiles *files, const Log *log, Policy *ret, ConfigFault *fault) {
        Parser parser = { .log = log, .fault = fault };

        *fault = (ConfigFault){ { 0 } };
        policy_defaults(&parser.policy);
        for (size_t i = 0; i < files->n; i++)
                read_file(&parser, files->paths[i]);
        free(parser.line);
        if (parser.failed)
                return CONFIG_INVALID;
        warn_contradiction(&parser.policy, log);
        *ret = parser.policy;
        return 0;
}

int config_load(const ConfigSource *source, const Log *log, Policy *ret, ConfigFault *fault) {
        ConfigFiles files = { 0 };
        int r;

        r = config_files_find(&files, source, log, fault);
        if (r == 0)
                r = config_files_read(&files, log, ret, fault);
        config_files_clear(&files);
        return r;
}

/* ---- writing ---- */

void config_print(const Policy *policy, FILE *file) {
        char text[POLICY_TEXT_MAX];
        const char *section = "";

        for (const PolicySetting *s = policy_settings; s < policy_settings + POLICY_SETTING_MAX; s++) {
                const char *origin = policy->origins[s - policy_settings];

                if (strcmp(section, s->section) != 0)
                        (void)fprintf(file, "%s[%s]\n", *section ? "\n" : "", s->section);
                section = s->section;
                (void)fprintf(file, "# %s\n%s=%s\n", *origin ? origin : "the default", s->key,
                              policy_format(policy, s, text));
        }
}
