/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * framekeyd.conf and its drop-ins, read into a Policy; framekeyd.conf(5).
 *
 * As systemd's daemons do it: the main file is the first that one of the directories has; then come
 * the drop-ins of all of them, sorted by name, of equal names only the first directory's; what is
 * read later wins. Who may write these files is trusted, but errs: each wrong line is told in the
 * log with its place and what would be right there. A wrong value is refused, because the one it was
 * meant to replace may let keys out; an unknown key may be for a newer version and is ignored.
 */
#pragma once

#include "control/log.h"
#include "control/policy.h"

#include <stdio.h>

#define CONFIG_NAME            "framekeyd.conf"
#define CONFIG_DIRECTORIES_MAX 2u
#define CONFIG_FAULT_MAX       512u

/* Strings outlive it. */
typedef struct ConfigSource {
        const char *file;                                    /* this one and no drop-ins; NULL: the directories */
        const char *directories[CONFIG_DIRECTORIES_MAX + 1]; /* the first wins; NULL ends them */
} ConfigSource;

/* What there is, in the order in which it is read. */
typedef struct ConfigFiles {
        char **paths;
        size_t n;
} ConfigFiles;

typedef enum ConfigOutcome {
        CONFIG_INVALID = 1, /* the log tells where and why */
} ConfigOutcome;

/* The first thing that is wrong, as the log tells it; printable, and empty if nothing is. */
typedef struct ConfigFault {
        char text[CONFIG_FAULT_MAX];
} ConfigFault;

/* 0; CONFIG_INVALID, with `fault` set; -ENOMEM. Files that are not there are none, but for a `file` by name. */
int config_files_find(ConfigFiles *ret, const ConfigSource *source, const Log *log, ConfigFault *fault);
void config_files_clear(ConfigFiles *files);
/* The defaults, changed by all files. As above; `ret` stays as it was unless 0. */
int config_files_read(const ConfigFiles *files, const Log *log, Policy *ret, ConfigFault *fault);
/* Both. */
int config_load(const ConfigSource *source, const Log *log, Policy *ret, ConfigFault *fault);
/* Writes a policy as a file that would set it, with a comment at each line that tells where it comes from. */
void config_print(const Policy *policy, FILE *file);
