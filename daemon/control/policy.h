/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the administrator allows and sets as defaults: framekeyd.conf, and for the running daemon
 * the Manager's properties. Main thread.
 */
#pragma once

#include "util/util.h"

/* Longest interval or age; far from where sums of times wrap. */
#define POLICY_SPAN_MAX_USEC (366 * 24 * 3600 * USEC_PER_SEC)

typedef struct Policy {
        uint64_t default_ratchet_interval_usec; /* of sessions that ask for none; 0: no timer */
        uint64_t minimum_ratchet_interval_usec; /* no session may ask for less */
        uint64_t maximum_key_age_usec;          /* of sending keys; 0: unlimited */
        bool allow_export;                      /* of keys, wrapped for another daemon */
} Policy;

/* The defaults: step every 10 minutes where that is safe, at least 1 s apart, no age limit, export allowed. */
void policy_defaults(Policy *ret);

typedef enum PolicyType {
        POLICY_SPAN,         /* uint64_t in microseconds, at most POLICY_SPAN_MAX_USEC */
        POLICY_SPAN_OR_NONE, /* the same; 0 is written "infinity" in the file */
        POLICY_BOOL,
} PolicyType;

/* One field of Policy under all its names. */
typedef struct PolicySetting {
        const char *section, *key; /* in framekeyd.conf */
        const char *property;      /* of the Manager */
        PolicyType type;
        size_t offset;
} PolicySetting;

#define POLICY_SETTING_MAX 4u
/* Those of a section stand together. */
extern const PolicySetting policy_settings[POLICY_SETTING_MAX];

/* Any field as a number. The value must fit the type. */
uint64_t policy_get(const Policy *policy, const PolicySetting *setting);
void policy_set(Policy *policy, const PolicySetting *setting, uint64_t value);
