/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A new policy in place of the old one; see reload.h. */
#include "control/reload.h"

#include "control/errors.h"
#include "control/manager-bus.h"
#include "control/status.h"
#include "crypto/arena.h"
#include "framekey-messages.h"

#include <inttypes.h>
#include <stdio.h>
#include <systemd/sd-daemon.h>

static void audit(Daemon *daemon, const Caller *caller, AuditAction action, const char *setting, const char *result) {
        audit_write(daemon->audit, &(AuditRecord){ .action = action,
                                                   .caller = caller,
                                                   .owner_uid = geteuid(),
                                                   .index = AUDIT_NO_NUMBER,
                                                   .step = AUDIT_NO_NUMBER,
                                                   .reason = CONFIG_NAME,
                                                   .setting = setting,
                                                   .result = result });
}

/* Open sessions keep what they were granted. Each change is told to the audit and to who listens on the bus. */
static void replace_policy(Daemon *daemon, const Caller *caller, const Policy *policy) {
        const char *changed[POLICY_SETTING_MAX + 1] = { NULL };
        char setting[POLICY_TEXT_MAX + 64], value[POLICY_TEXT_MAX];
        size_t n = 0;

        for (size_t i = 0; i < POLICY_SETTING_MAX; i++) {
                const PolicySetting *s = &policy_settings[i];

                if (policy_get(policy, s) == policy_get(&daemon->policy, s))
                        continue;
                changed[n++] = s->property;
                if (s->type == POLICY_PROFILES)
                        (void)snprintf(setting, sizeof(setting), "%s=%s", s->property, policy_format(policy, s, value));
                else
                        (void)snprintf(setting, sizeof(setting), "%s=%" PRIu64, s->property, policy_get(policy, s));
                audit(daemon, caller, AUDIT_SET_POLICY, setting, "ok");
        }
        daemon->policy = *policy;
        if (n > 0)
                (void)sd_bus_emit_properties_changed_strv(daemon->bus, DAEMON_PATH, MANAGER_INTERFACE,
                                                          (char **)changed); /* who listens can still ask */
}

/* What can only be had at a start cannot be had by a reload. */
static int check_memory(Daemon *daemon, const Policy *policy) {
        char text[POLICY_TEXT_MAX];

        if (!policy->require_secret_memory || arena_protection(arena_installed()) == ARENA_PROTECTION_SECRETMEM)
                return 0;
        (void)snprintf(daemon->fault.text, sizeof(daemon->fault.text),
                       "%s cannot be had while the keys are in locked memory; restart framekeyd, without "
                       "--no-secretmem.",
                       policy_cite(policy, POLICY_REQUIRE_SECRET_MEMORY, text));
        log_line(daemon->log, LOG_ERR, "%s", daemon->fault.text);
        return CONFIG_INVALID;
}

static int load(Daemon *daemon, Policy *ret) {
        int r;

        r = config_load(&daemon->config.source, daemon->log, ret, &daemon->fault);
        if (r == 0)
                r = check_memory(daemon, ret);
        if (r < 0)
                (void)snprintf(daemon->fault.text, sizeof(daemon->fault.text), "Cannot read it: %s.", strerror(-r));
        if (r != 0)
                log_message(daemon->log, LOG_ERR, FRAMEKEY_MESSAGE_CONFIGURATION_REFUSED,
                            "The configuration stays as it was: %s.",
                            r < 0 ? strerror(-r) : "what it says now cannot be taken, see above");
        return r;
}

int reload_config(Daemon *daemon, const Caller *caller) {
        Policy policy;
        int r;

        (void)sd_notify(0, "RELOADING=1\nSTATUS=Reading the configuration again."); /* nobody may be listening */
        r = load(daemon, &policy);
        audit(daemon, caller, AUDIT_RELOAD, NULL, r == 0 ? "ok" : r > 0 ? "ConfigurationInvalid" : strerror(-r));
        if (r == 0) {
                replace_policy(daemon, caller, &policy);
                log_line(daemon->log, LOG_INFO, "The configuration was read again.");
        }
        status_tell(daemon->status, "READY=1");
        return r;
}
