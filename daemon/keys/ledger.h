/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which counters of which sending keys are used up, over the daemon's death, a restart and a reboot
 * (RFC 9605, 9.1: a counter is stored before it is used).
 *
 *   RUNTIME/counters   mapped, one entry a key: name, next counter. On a tmpfs, so that it ends with the
 *                      boot. A counter is taken by one atomic addition in this memory, which outlives the
 *                      process: nothing is reserved in blocks, and nothing is lost.
 *   STATE/sent-keys    on disk: the names of all keys that were ever sent under, written and synchronised
 *                      before the first counter is given out.
 *
 * A key that is in neither is new. One that is in RUNTIME goes on where it was. One that is on disk
 * alone comes from before a reboot, from a clone or from a state that was rolled back or lost: nobody
 * knows its counters any more, so it is spent, and good for receiving only.
 *
 * A key's name is a MAC of its derived frame key under a secret of STATE/sent-keys: the files tell
 * nobody which key was used, nor whether a guess is right without that secret.
 *
 * Main thread, except ledger_take().
 */
#pragma once

#include "util/util.h"

#include <stdatomic.h>

#define LEDGER_NAME_LEN 16u

typedef struct Ledger Ledger;
/* A key's counter. Shared by everybody who claims the same key, in whatever session. */
typedef struct LedgerEntry LedgerEntry;

typedef enum LedgerOutcome {
        LEDGER_SPENT = 1, /* sent under before, and its counters are not known any more */
        LEDGER_FULL,      /* no entry is free: as many keys are sent under as there are entries */
} LedgerOutcome;

/* Opens or makes both files, in directories that exist; one ledger at a time has them (flock). NULL directories: kept
 * in memory alone, and only fresh keys are not spent. 0; -EWOULDBLOCK another daemon has them; -EBADMSG they are not
 * what this daemon writes; -errno. */
int ledger_open(Ledger **ret, const char *runtime_directory, const char *state_directory);
/* All entries must have been released. Takes NULL; returns NULL. */
Ledger *ledger_close(Ledger *ledger);
DEFINE_CLEANUP(Ledger, ledger_close)
/* Whether counters survive this process. */
bool ledger_is_kept(const Ledger *ledger);

/* `key`: the key of step 0 that frames are encrypted with, in the arena. Any thread. 0; -ENOMEM; -EIO. */
int ledger_name(const Ledger *ledger, const void *key, size_t key_len, uint8_t ret[LEDGER_NAME_LEN]);
/* Makes sure that the key is on disk before this returns. `fresh`: made in this daemon just now, so that nobody can
 * have sent under it; it needs no place on disk. 0; LEDGER_SPENT; LEDGER_FULL; -errno of the disk. */
int ledger_claim(Ledger *ledger, const uint8_t name[LEDGER_NAME_LEN], bool fresh, LedgerEntry **ret);
LedgerEntry *ledger_ref(LedgerEntry *entry);
/* The counter stays in the ledger. Takes NULL; returns NULL. */
LedgerEntry *ledger_release(LedgerEntry *entry);
/* The next counter: 0, 1, 2 ..., each given out once, whatever becomes of the frame. Any thread. */
uint64_t ledger_take(LedgerEntry *entry);
