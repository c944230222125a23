/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What one user may hold at a time. Charge before allocating; the charge lies in the object it
 * pays for and is released with it.
 *
 * Main thread.
 */
#pragma once

#include "util/util.h"

#include <sys/types.h>

typedef enum QuotaKind {
        QUOTA_SESSIONS,
        QUOTA_PARTICIPANTS,
        QUOTA_CHANNELS,
        QUOTA_REGION_BYTES, /* both regions and the wake-up socket of every channel */
        QUOTA_KEYS,
        QUOTA_OPERATIONS,     /* calls that wait for a secret or a derivation: each holds a message and descriptors */
        QUOTA_AUTHORIZATIONS, /* calls that wait for polkit */
        QUOTA_CALLS,          /* a second, of any method or property; never charged, see quota_take_call() */
        QUOTA_MAX,
} QuotaKind;

typedef enum QuotaOutcome {
        QUOTA_REFUSED = 1,
} QuotaOutcome;

typedef struct Quota Quota;
typedef struct QuotaUser QuotaUser;

/* All zero: nothing charged. */
typedef struct Charge {
        QuotaUser *user;
        QuotaKind kind;
        uint64_t amount;
} Charge;

/* Limits of each user, one of each kind. 0; -ENOMEM. */
int quota_new(Quota **ret, const uint64_t limits[QUOTA_MAX]);
/* All charges must be released. Takes NULL; returns NULL. */
Quota *quota_free(Quota *quota);
DEFINE_CLEANUP(Quota, quota_free)

/* 0; QUOTA_REFUSED; -ENOMEM. */
int quota_charge(Quota *quota, uid_t uid, QuotaKind kind, uint64_t amount, Charge *ret);
/* Changes the amount; growing may be refused, shrinking never is. `charge` must be charged. 0; QUOTA_REFUSED. */
int charge_resize(Charge *charge, uint64_t amount);
/* The same for what is there already and cannot be refused any more: may go over the limit, and then nothing else is
 * granted until enough is given back. */
void charge_force(Charge *charge, uint64_t amount);
/* Gives it back; a second time does nothing. */
void charge_release(Charge *charge);

/* Takes CPU time from the share that the charged user has for work that is slow on purpose. False: it is used up for
 * now. */
bool charge_take_time(const Charge *charge, uint64_t now_usec, uint64_t cost_nsec);

/* Counts a call. Who was quiet for a while may make many at once. False: it comes too early. */
bool quota_take_call(Quota *quota, uid_t uid, uint64_t now_usec);
/* How many came too early since the start. */
uint64_t quota_calls_refused(const Quota *quota);

/* Whether only the descriptors are left that are kept for administrators: what others ask for would take some for long.
 * Of the whole process, by RLIMIT_NOFILE. */
bool quota_fds_are_scarce(void);

uint64_t quota_limit(const Quota *quota, QuotaKind kind);
uint64_t quota_used(const Quota *quota, uid_t uid, QuotaKind kind);
/* Of all users. */
uint64_t quota_used_by_all(const Quota *quota, QuotaKind kind);
/* "sessions", "region-bytes" ... */
const char *quota_kind_name(QuotaKind kind);
/* QUOTA_MAX if unknown. */
QuotaKind quota_kind_from_name(const char *name);
/* A desktop's limits. */
void quota_defaults(uint64_t ret_limits[QUOTA_MAX]);
