/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Accounts by uid; a user without charges has no record. See quota.h. */
#include "control/quota.h"

#include "control/table.h"
#include "keys/budget.h"

#include <assert.h>
#include <sys/eventfd.h>
#include <sys/resource.h>

struct QuotaUser {
        uid_t uid;
        Quota *quota;
        unsigned n_charges;
        uint64_t used[QUOTA_MAX];
        Budget slow;
        UT_hash_handle hh;
};

/* Of who called lately. */
typedef struct CallRate {
        uid_t uid;
        Budget budget;
        UT_hash_handle hh;
} CallRate;

struct Quota {
        uint64_t limits[QUOTA_MAX];
        QuotaUser *users;
        CallRate *rates;
        uint64_t n_calls_refused;
};

static const struct {
        const char *name;
        uint64_t limit;
} kinds[QUOTA_MAX] = {
        [QUOTA_SESSIONS] = { "sessions", 16 },
        /* A bridge with a thousand participants fits; the names alone are at most 1 MiB. */
        [QUOTA_PARTICIPANTS] = { "participants", 4096 },
        [QUOTA_CHANNELS] = { "channels", 16 },
        [QUOTA_REGION_BYTES] = { "region-bytes", UINT64_C(64) << 20 },
        [QUOTA_KEYS] = { "keys", 1024 },
        [QUOTA_OPERATIONS] = { "operations", 64 },
        [QUOTA_AUTHORIZATIONS] = { "authorizations", 8 },
        /* About a tenth of what the main thread can answer. */
        [QUOTA_CALLS] = { "calls", 2000 },
};

int quota_new(Quota **ret, const uint64_t limits[QUOTA_MAX]) {
        Quota *quota = calloc(1, sizeof(*quota));

        if (!quota)
                return -ENOMEM;
        memcpy(quota->limits, limits, sizeof(quota->limits));
        *ret = quota;
        return 0;
}

/* Those that have had their rest by then: they begin anew in any case. */
static void rates_forget(Quota *quota, uint64_t now_usec) {
        CallRate *rate, *next;

        HASH_ITER (hh, quota->rates, rate, next)
                if (rate->budget.paid_nsec / NSEC_PER_USEC <= now_usec) {
                        HASH_DEL(quota->rates, rate);
                        free(rate);
                }
}

Quota *quota_free(Quota *quota) {
        if (!quota)
                return NULL;
        assert(!quota->users);
        rates_forget(quota, UINT64_MAX);
        free(quota);
        return NULL;
}

static QuotaUser *user_find(const Quota *quota, uid_t uid) {
        QuotaUser *user = NULL;

        HASH_FIND(hh, quota->users, &uid, sizeof(uid), user);
        return user;
}

static int user_get(Quota *quota, uid_t uid, QuotaUser **ret) {
        QuotaUser *user = user_find(quota, uid);

        if (!user) {
                user = calloc(1, sizeof(*user));
                if (!user)
                        return -ENOMEM;
                user->uid = uid;
                user->quota = quota;
                HASH_ADD(hh, quota->users, uid, sizeof(user->uid), user);
                if (!user->hh.tbl) {
                        free(user);
                        return -ENOMEM;
                }
        }
        *ret = user;
        return 0;
}

static void user_put(QuotaUser *user) {
        if (user->n_charges > 0)
                return;
        HASH_DEL(user->quota->users, user);
        free(user);
}

static bool user_has_room(const QuotaUser *user, QuotaKind kind, uint64_t amount) {
        uint64_t limit = user->quota->limits[kind];

        return user->used[kind] <= limit && amount <= limit - user->used[kind];
}

int quota_charge(Quota *quota, uid_t uid, QuotaKind kind, uint64_t amount, Charge *ret) {
        QuotaUser *user;
        int r;

        assert(kind < QUOTA_MAX);
        r = user_get(quota, uid, &user);
        if (r < 0)
                return r;
        if (!user_has_room(user, kind, amount)) {
                user_put(user);
                return QUOTA_REFUSED;
        }
        user->n_charges++;
        user->used[kind] += amount;
        *ret = (Charge){ .user = user, .kind = kind, .amount = amount };
        return 0;
}

int charge_resize(Charge *charge, uint64_t amount) {
        assert(charge->user);
        if (amount > charge->amount && !user_has_room(charge->user, charge->kind, amount - charge->amount))
                return QUOTA_REFUSED;
        charge_force(charge, amount);
        return 0;
}

void charge_force(Charge *charge, uint64_t amount) {
        assert(charge->user);
        charge->user->used[charge->kind] += amount - charge->amount; /* wraps back where it shrinks */
        charge->amount = amount;
}

void charge_release(Charge *charge) {
        QuotaUser *user = charge->user;

        if (!user)
                return;
        user->used[charge->kind] -= charge->amount;
        user->n_charges--;
        *charge = (Charge){ 0 };
        user_put(user);
}

/* A fifth of a core, and a second of it at once: some codes to try around, then one a second. */
static const BudgetLimit slow_limit = { .slowdown = 5, .burst_nsec = UINT64_C(4000000000) };

bool charge_take_time(const Charge *charge, uint64_t now_usec, uint64_t cost_nsec) {
        assert(charge->user);
        return budget_take(&charge->user->slow, &slow_limit, now_usec, cost_nsec);
}

/* Ten seconds' worth at once: an application that starts, and sets up a call of thousands. */
static const BudgetLimit calls_limit = { .slowdown = 1, .burst_nsec = UINT64_C(10000000000) };

bool quota_take_call(Quota *quota, uid_t uid, uint64_t now_usec) {
        uint64_t limit = quota->limits[QUOTA_CALLS];
        CallRate *rate = NULL;

        HASH_FIND(hh, quota->rates, &uid, sizeof(uid), rate);
        if (!rate) {
                rates_forget(quota, now_usec); /* so there are no more than had a call in the last ten seconds */
                rate = calloc(1, sizeof(*rate));
                if (!rate)
                        return false;
                rate->uid = uid;
                HASH_ADD(hh, quota->rates, uid, sizeof(rate->uid), rate);
                if (!rate->hh.tbl) {
                        free(rate);
                        return false;
                }
        }
        if (limit > 0 && budget_take(&rate->budget, &calls_limit, now_usec, UINT64_C(1000000000) / limit))
                return true;
        quota->n_calls_refused++;
        return false;
}

uint64_t quota_calls_refused(const Quota *quota) {
        return quota->n_calls_refused;
}

/* For administrators' calls; and what one call takes while it is handled. */
#define FDS_KEPT 64u
#define FDS_CALL 16u

bool quota_fds_are_scarce(void) {
        struct rlimit limit;
        int lowest;

        /* The kernel gives the lowest free number: all below it are taken. */
        lowest = eventfd(0, EFD_CLOEXEC);
        if (lowest < 0 || getrlimit(RLIMIT_NOFILE, &limit) < 0) {
                (void)close_fd(lowest);
                return true;
        }
        (void)close_fd(lowest);
        return limit.rlim_cur != RLIM_INFINITY && (rlim_t)lowest + FDS_CALL + FDS_KEPT > limit.rlim_cur;
}

uint64_t quota_limit(const Quota *quota, QuotaKind kind) {
        return quota->limits[kind];
}

uint64_t quota_used(const Quota *quota, uid_t uid, QuotaKind kind) {
        const QuotaUser *user = user_find(quota, uid);

        return user ? user->used[kind] : 0;
}

uint64_t quota_used_by_all(const Quota *quota, QuotaKind kind) {
        uint64_t sum = 0;

        for (const QuotaUser *user = quota->users; user; user = user->hh.next)
                sum += user->used[kind];
        return sum;
}

const char *quota_kind_name(QuotaKind kind) {
        assert(kind < QUOTA_MAX);
        return kinds[kind].name;
}

QuotaKind quota_kind_from_name(const char *name) {
        QuotaKind kind = 0;

        while (kind < QUOTA_MAX && strcmp(kinds[kind].name, name) != 0)
                kind++;
        return kind;
}

void quota_defaults(uint64_t ret_limits[QUOTA_MAX]) {
        for (QuotaKind kind = 0; kind < QUOTA_MAX; kind++)
                ret_limits[kind] = kinds[kind].limit;
}
