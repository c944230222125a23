/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Journal or standard error; see log.h. */
/* The place in our source where all records are sent from tells nothing. */
#define SD_JOURNAL_SUPPRESS_LOCATION
#include "control/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <systemd/sd-journal.h>

#define LINE_MAX_LEN 4096u
#define FIELDS_MAX   24u

#define JOURNAL_SOCKET "/run/systemd/journal/socket"

static const char *const levels[] = {
        [LOG_EMERG] = "emerg",     [LOG_ALERT] = "alert",   [LOG_CRIT] = "crit", [LOG_ERR] = "err",
        [LOG_WARNING] = "warning", [LOG_NOTICE] = "notice", [LOG_INFO] = "info", [LOG_DEBUG] = "debug",
};

static bool stderr_is_journal(void) {
        const char *stream = getenv("JOURNAL_STREAM");
        unsigned long long device = 0, inode = 0;
        struct stat st;
        char *end = NULL;

        if (!stream)
                return false;
        device = strtoull(stream, &end, 10);
        if (*end != ':')
                return false;
        inode = strtoull(end + 1, &end, 10);
        if (*end != '\0' || fstat(STDERR_FILENO, &st) < 0)
                return false;
        return st.st_dev == device && st.st_ino == inode;
}

static LogTarget choose_target(void) {
        return stderr_is_journal() ? LOG_TARGET_JOURNAL : LOG_TARGET_STDERR;
}

void log_init(Log *ret, int level) {
        *ret = (Log){ .target = choose_target(), .level = level };
}

int log_set_target(Log *log, const char *name) {
        if (strcmp(name, "auto") == 0)
                log->target = choose_target();
        else if (strcmp(name, "console") == 0)
                log->target = LOG_TARGET_STDERR;
        else if (strcmp(name, "journal") != 0)
                return -EINVAL;
        else if (access(JOURNAL_SOCKET, F_OK) < 0)
                return -ENOENT; /* sd_journal_sendv() would lose every line in silence */
        else
                log->target = LOG_TARGET_JOURNAL;
        return 0;
}

const char *log_target_name(LogTarget target) {
        return target == LOG_TARGET_JOURNAL ? "journal" : "console";
}

void log_fields(const Log *log, int priority, const char *message, const struct iovec *fields, size_t n_fields) {
        char text[LINE_MAX_LEN], level[16];
        struct iovec iov[FIELDS_MAX + 2];
        size_t n = 0;

        if (priority > log->level)
                return;
        if (log->target == LOG_TARGET_STDERR) {
                (void)dprintf(STDERR_FILENO, LOG_IDENTIFIER ": %s\n", message); /* nowhere left to complain */
                return;
        }

        (void)snprintf(text, sizeof(text), "MESSAGE=%s", message);
        (void)snprintf(level, sizeof(level), "PRIORITY=%d", priority);
        iov[n++] = (struct iovec){ text, strlen(text) };
        iov[n++] = (struct iovec){ level, strlen(level) };
        for (size_t i = 0; i < n_fields && i < FIELDS_MAX; i++)
                iov[n++] = fields[i];
        (void)sd_journal_sendv(iov, (int)n);
}

void log_line(const Log *log, int priority, const char *format, ...) {
        char text[LINE_MAX_LEN];
        va_list arguments;

        if (priority > log->level)
                return;
        va_start(arguments, format);
        (void)vsnprintf(text, sizeof(text), format, arguments);
        va_end(arguments);
        log_fields(log, priority, text, NULL, 0);
}

void log_message(const Log *log, int priority, const char *message_id, const char *format, ...) {
        char text[LINE_MAX_LEN], id[64];
        va_list arguments;

        va_start(arguments, format);
        (void)vsnprintf(text, sizeof(text), format, arguments);
        va_end(arguments);
        (void)snprintf(id, sizeof(id), "MESSAGE_ID=%s", message_id);
        log_fields(log, priority, text, &(struct iovec){ id, strlen(id) }, 1);
}

int log_level_from_name(const char *name) {
        for (size_t i = 0; i < ELEMENTS(levels); i++)
                if (strcmp(levels[i], name) == 0)
                        return (int)i;
        return -EINVAL;
}

const char *log_level_name(int level) {
        return levels[level];
}

const char *log_escape(const char *text, char out[LOG_ESCAPED_MAX]) {
        static const char hex[] = "0123456789abcdef";
        size_t n = 0;

        for (const unsigned char *p = (const unsigned char *)text; *p != '\0' && n + 5 < LOG_ESCAPED_MAX; p++) {
                if (*p >= ' ' && *p < 0x7f && *p != '\\' && *p != '"') {
                        out[n++] = (char)*p;
                        continue;
                }
                out[n++] = '\\';
                out[n++] = 'x';
                out[n++] = hex[*p >> 4];
                out[n++] = hex[*p & 15];
        }
        out[n] = '\0';
        return out;
}
