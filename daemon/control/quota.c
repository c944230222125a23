/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Accounts by uid; a user without charges has no record. See quota.h. */
#include "control/quota.h"

#include "control/table.h"
#include "keys/budget.h"

#include <assert.h>

struct QuotaUser {
        uid_t uid;
        Quota *quota;
        unsigned n_charges;
        uint64_t used[QUOTA_MAX];
        Budget slow;
        UT_hash_handle hh;
};

struct Quota {
        uint64_t limits[QUOTA_MAX];
        QuotaUser *users;
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
};

int quota_new(Quota **ret, const uint64_t limits[QUOTA_MAX]) {
        Quota *quota = calloc(1, sizeof(*quota));

        if (!quota)
                return -ENOMEM;
        memcpy(quota->limits, limits, sizeof(quota->limits));
        *ret = quota;
        return 0;
}

Quota *quota_free(Quota *quota) {
        if (!quota)
                return NULL;
        assert(!quota->users);
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
