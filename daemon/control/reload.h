/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The configuration, read again while the daemon runs: all of it applies, or none. Main thread. */
#pragma once

#include "control/daemon.h"

/* Reads the files of the start again, at the wish of `caller` (NULL: of the service manager, by SIGHUP), tells the
 * service manager, the log and the audit, and leaves what is wrong in daemon->fault. 0; CONFIG_INVALID: what was read
 * before applies; negative errno: the same. */
int reload_config(Daemon *daemon, const Caller *caller);
