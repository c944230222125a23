/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Defaults, names and texts of what the administrator sets; see policy.h. */
#include "control/policy.h"

#include "control/timespan.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>

#define ON_BUS "set on the bus in place of framekeyd.conf"

const PolicySetting policy_settings[POLICY_SETTING_MAX] = {
        { "Ratchet", "DefaultIntervalSec", "DefaultRatchetIntervalUSec", POLICY_SPAN_OR_NONE,
          offsetof(Policy, default_ratchet_interval_usec) },
        { "Ratchet", "MinimumIntervalSec", "MinimumRatchetIntervalUSec", POLICY_SPAN,
          offsetof(Policy, minimum_ratchet_interval_usec) },
        { "Sessions", "AllowedProfiles", "AllowedProfiles", POLICY_PROFILES, offsetof(Policy, allowed_profiles) },
        { "Keys", "MaximumAgeSec", "MaximumKeyAgeUSec", POLICY_SPAN_OR_NONE, offsetof(Policy, maximum_key_age_usec) },
        { "Keys", "AllowImport", "AllowImport", POLICY_BOOL, offsetof(Policy, allow_import) },
        { "Keys", "AllowExport", "AllowExport", POLICY_BOOL, offsetof(Policy, allow_export) },
        { "Keys", "RequireSecretMemory", "RequireSecretMemory", POLICY_BOOL, offsetof(Policy, require_secret_memory) },
};

static uint64_t all_profiles(void) {
        size_t n = 0;

        while (preset_at(n))
                n++;
        assert(n < 64);
        return (UINT64_C(1) << n) - 1;
}

void policy_defaults(Policy *ret) {
        *ret = (Policy){
                .default_ratchet_interval_usec = 600 * USEC_PER_SEC,
                .minimum_ratchet_interval_usec = 1 * USEC_PER_SEC,
                .maximum_key_age_usec = 0,
                .allowed_profiles = all_profiles(),
                .allow_import = true,
                .allow_export = true,
        };
}

uint64_t policy_get(const Policy *policy, const PolicySetting *setting) {
        const char *field = (const char *)policy + setting->offset;

        return setting->type == POLICY_BOOL ? *(const bool *)field : *(const uint64_t *)field;
}

static uint64_t largest(PolicyType type) {
        switch (type) {
        case POLICY_BOOL:
                return 1;
        case POLICY_PROFILES:
                return all_profiles();
        default:
                return POLICY_SPAN_MAX_USEC;
        }
}

void policy_set(Policy *policy, const PolicySetting *setting, uint64_t value) {
        char *field = (char *)policy + setting->offset;

        assert(value <= largest(setting->type));
        if (setting->type == POLICY_BOOL)
                *(bool *)field = value;
        else
                *(uint64_t *)field = value;
}

void policy_set_on_bus(Policy *policy, const PolicySetting *setting, uint64_t value) {
        policy_set(policy, setting, value);
        (void)snprintf(policy->origins[setting - policy_settings], POLICY_ORIGIN_MAX, ON_BUS);
}

bool policy_allows_profile(const Policy *policy, const Preset *preset) {
        size_t i = 0;

        while (preset_at(i) != preset)
                i++;
        return policy->allowed_profiles >> i & 1;
}

static void format_profiles(uint64_t profiles, char out[POLICY_TEXT_MAX]) {
        size_t len = 0;

        out[0] = '\0';
        for (size_t i = 0; preset_at(i); i++)
                if (profiles >> i & 1)
                        len += (size_t)snprintf(out + len, POLICY_TEXT_MAX - len, "%s%s", len > 0 ? " " : "",
                                                preset_at(i)->name);
        assert(len < POLICY_TEXT_MAX); /* all names together are far shorter */
}

const char *policy_format(const Policy *policy, const PolicySetting *setting, char out[POLICY_TEXT_MAX]) {
        uint64_t value = policy_get(policy, setting);
        char span[TIMESPAN_TEXT_MAX];

        switch (setting->type) {
        case POLICY_PROFILES:
                format_profiles(value, out);
                break;
        case POLICY_BOOL:
                (void)snprintf(out, POLICY_TEXT_MAX, "%s", value ? "yes" : "no");
                break;
        default:
                if (value == 0 && setting->type == POLICY_SPAN_OR_NONE)
                        value = USEC_INFINITY;
                (void)snprintf(out, POLICY_TEXT_MAX, "%s", timespan_format(value, span));
        }
        return out;
}

const char *policy_cite(const Policy *policy, PolicyId id, char out[POLICY_TEXT_MAX]) {
        const char *origin = policy->origins[id];
        char value[POLICY_TEXT_MAX];

        /* Both parts are cut rather than the end, where the file is. */
        (void)snprintf(out, POLICY_TEXT_MAX, "%s=%.*s (%.*s)", policy_settings[id].key,
                       (int)(POLICY_TEXT_MAX - POLICY_ORIGIN_MAX - 64u),
                       policy_format(policy, &policy_settings[id], value), (int)POLICY_ORIGIN_MAX,
                       *origin ? origin : "the default of framekeyd.conf");
        return out;
}
