/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where the counters of sending keys are kept: finds the two directories, makes them if need be, and
 * opens the ledger there.
 *
 *   --runtime-directory=, --state-directory=     as the administrator says; else
 *   $RUNTIME_DIRECTORY, $STATE_DIRECTORY         as systemd says; else, on a user's bus,
 *   $XDG_RUNTIME_DIR/framekeyd, $XDG_STATE_HOME/framekeyd or ~/.local/state/framekeyd
 */
#pragma once

#include "control/log.h"
#include "keys/ledger.h"

/* The first two may be NULL: not said. Whatever is wrong with the directories is said in the log, and counters are
 * then in memory alone: only keys made here can be sent under, as ledger_is_kept() tells. 0; -ENOMEM. */
int counters_open(Ledger **ret, const char *runtime_directory, const char *state_directory, bool user, const Log *log);
