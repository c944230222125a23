/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Defaults and names of what the administrator sets; see policy.h. */
#include "control/policy.h"

#include <assert.h>
#include <stddef.h>

const PolicySetting policy_settings[POLICY_SETTING_MAX] = {
        { "Ratchet", "DefaultIntervalSec", "DefaultRatchetIntervalUSec", POLICY_SPAN_OR_NONE,
          offsetof(Policy, default_ratchet_interval_usec) },
        { "Ratchet", "MinimumIntervalSec", "MinimumRatchetIntervalUSec", POLICY_SPAN,
          offsetof(Policy, minimum_ratchet_interval_usec) },
        { "Keys", "MaximumAgeSec", "MaximumKeyAgeUSec", POLICY_SPAN_OR_NONE, offsetof(Policy, maximum_key_age_usec) },
        { "Keys", "AllowExport", "AllowExport", POLICY_BOOL, offsetof(Policy, allow_export) },
};

void policy_defaults(Policy *ret) {
        *ret = (Policy){
                .default_ratchet_interval_usec = 600 * USEC_PER_SEC,
                .minimum_ratchet_interval_usec = 1 * USEC_PER_SEC,
                .maximum_key_age_usec = 0,
                .allow_export = true,
        };
}

uint64_t policy_get(const Policy *policy, const PolicySetting *setting) {
        const char *field = (const char *)policy + setting->offset;

        return setting->type == POLICY_BOOL ? *(const bool *)field : *(const uint64_t *)field;
}

void policy_set(Policy *policy, const PolicySetting *setting, uint64_t value) {
        char *field = (char *)policy + setting->offset;

        assert(setting->type == POLICY_BOOL ? value <= 1 : value <= POLICY_SPAN_MAX_USEC);
        if (setting->type == POLICY_BOOL)
                *(bool *)field = value;
        else
                *(uint64_t *)field = value;
}
