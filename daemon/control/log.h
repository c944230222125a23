/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where the daemon's sentences go: the journal when it started us, else standard error.
 *
 * Main thread only; the key plane never logs. Nothing that comes from a frame, and no secret, is
 * ever logged, and never a line per frame. Texts of clients are escaped (log_escape) so that a
 * label cannot forge a line.
 */
#pragma once

#include "util/util.h"

#include <sys/uio.h>
#include <syslog.h>

/* What the journal calls us. */
#define LOG_IDENTIFIER "framekeyd"

typedef enum LogTarget {
        LOG_TARGET_STDERR,
        LOG_TARGET_JOURNAL,
} LogTarget;

typedef struct Log {
        LogTarget target;
        int level; /* LOG_EMERG .. LOG_DEBUG: what is more detailed than this is dropped */
} Log;

/* Chooses the target as systemd's protocol says: JOURNAL_STREAM names the file behind standard error. */
void log_init(Log *ret, int level);
void log_line(const Log *log, int priority, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The same for a kind that has a MESSAGE_ID in framekey-messages.h. */
void log_message(const Log *log, int priority, const char *message_id, const char *format, ...)
        __attribute__((format(printf, 4, 5)));
/* A message with fields of its own ("FK_SESSION=..."); standard error gets the message alone. */
void log_fields(const Log *log, int priority, const char *message, const struct iovec *fields, size_t n_fields);
/* "emerg".."debug", or -EINVAL; and back. */
int log_level_from_name(const char *name);
const char *log_level_name(int level);
/* "journal", "console" (standard error), or "auto" for what log_init() chooses. 0; -ENOENT no journal runs here;
 * -EINVAL. */
int log_set_target(Log *log, const char *name);
const char *log_target_name(LogTarget target);

/* Longest text that log_escape() gives, with its end. */
#define LOG_ESCAPED_MAX 1100u
/* Copies `text` with everything that is not printable ASCII as \xNN, cut where it does not fit; returns `out`. */
const char *log_escape(const char *text, char out[LOG_ESCAPED_MAX]);
