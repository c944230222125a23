/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the administrator allows and sets as defaults: framekeyd.conf, and for the running daemon
 * the Manager's properties. Main thread.
 */
#pragma once

#include "keys/preset.h"
#include "util/util.h"

/* Longest interval or age; far from where sums of times wrap. */
#define POLICY_SPAN_MAX_USEC (366 * 24 * 3600 * USEC_PER_SEC)

/* Each has a row in policy_settings[]. */
typedef enum PolicyId {
        POLICY_DEFAULT_INTERVAL,
        POLICY_MINIMUM_INTERVAL,
        POLICY_ALLOWED_PROFILES,
        POLICY_MAXIMUM_AGE,
        POLICY_ALLOW_IMPORT,
        POLICY_ALLOW_EXPORT,
        POLICY_REQUIRE_SECRET_MEMORY,
        POLICY_SETTING_MAX,
} PolicyId;

/* Room for "FILE:LINE"; a longer path is cut. */
#define POLICY_ORIGIN_MAX 256u

typedef struct Policy {
        uint64_t default_ratchet_interval_usec;              /* of sessions that ask for none; 0: no timer */
        uint64_t minimum_ratchet_interval_usec;              /* no session may ask for less */
        uint64_t maximum_key_age_usec;                       /* of sending keys; 0: unlimited */
        uint64_t allowed_profiles;                           /* a bit for each preset, in the order of preset_at() */
        bool allow_import;                                   /* of keys that an application brings */
        bool allow_export;                                   /* of keys, wrapped for another daemon */
        bool require_secret_memory;                          /* no start without memfd_secret */
        char origins[POLICY_SETTING_MAX][POLICY_ORIGIN_MAX]; /* "FILE:LINE", printable; empty: the default */
} Policy;

/* The defaults: step every 10 minutes where that is safe, at least 1 s apart, no age limit, everything allowed. */
void policy_defaults(Policy *ret);

typedef enum PolicyType {
        POLICY_SPAN,         /* uint64_t in microseconds, at most POLICY_SPAN_MAX_USEC */
        POLICY_SPAN_OR_NONE, /* the same; 0 is written "infinity" in the file */
        POLICY_BOOL,
        POLICY_PROFILES, /* uint64_t, a set of presets */
} PolicyType;

/* One field of Policy under all its names. */
typedef struct PolicySetting {
        const char *section, *key; /* in framekeyd.conf */
        const char *property;      /* of the Manager */
        PolicyType type;
        size_t offset;
} PolicySetting;

/* By PolicyId. Those of a section stand together. */
extern const PolicySetting policy_settings[POLICY_SETTING_MAX];

/* Any field as a number. The value must fit the type. */
uint64_t policy_get(const Policy *policy, const PolicySetting *setting);
void policy_set(Policy *policy, const PolicySetting *setting, uint64_t value);
/* What is set on the bus comes from no file any more. */
void policy_set_on_bus(Policy *policy, const PolicySetting *setting, uint64_t value);
bool policy_allows_profile(const Policy *policy, const Preset *preset);

/* Room for any value as text, and for policy_cite(). */
#define POLICY_TEXT_MAX 512u
/* A field's value as the file has it: "1h 30min", "no", "jitsi dave"; returns `out`. */
const char *policy_format(const Policy *policy, const PolicySetting *setting, char out[POLICY_TEXT_MAX]);
/* For who is refused because of it: "AllowExport=no (/etc/framekey/framekeyd.conf:12)"; returns `out`. */
const char *policy_cite(const Policy *policy, PolicyId id, char out[POLICY_TEXT_MAX]);
