/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * org.framekey1.Manager: the administrator's policy, as framekeyd.conf set it and as it is changed
 * while the daemon runs. Holds for sessions that are opened from then on; the least interval also
 * for what is set in those that are open.
 */
#include "control/errors.h"
#include "control/manager-bus.h"
#include "control/reload.h"
#include "control/request.h"
#include "control/session-limits.h"

#include <inttypes.h>
#include <stdio.h>

static const PolicySetting *setting_find(const char *property) {
        const PolicySetting *setting = policy_settings;

        while (strcmp(setting->property, property) != 0)
                setting++; /* the vtable names no other */
        return setting;
}

static int append_profiles(sd_bus_message *reply, const Policy *policy) {
        int r;

        r = sd_bus_message_open_container(reply, 'a', "s");
        for (size_t i = 0; r >= 0 && preset_at(i); i++)
                if (policy_allows_profile(policy, preset_at(i)))
                        r = sd_bus_message_append(reply, "s", preset_at(i)->name);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

int manager_property_policy(sd_bus *bus, const char *path, const char *interface, const char *property,
                            sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const PolicySetting *setting = setting_find(property);
        const Daemon *daemon = userdata;
        uint64_t value = policy_get(&daemon->policy, setting);

        switch (setting->type) {
        case POLICY_BOOL:
                return sd_bus_message_append(reply, "b", (int)value);
        case POLICY_PROFILES:
                return append_profiles(reply, &daemon->policy);
        default:
                return sd_bus_message_append(reply, "t", value);
        }
}

static void audit_setting(Daemon *daemon, const Caller *caller, const char *property, uint64_t value, int r,
                          const sd_bus_error *error) {
        char setting[64];

        (void)snprintf(setting, sizeof(setting), "%s=%" PRIu64, property, value);
        audit_write(daemon->audit, &(AuditRecord){ .action = AUDIT_SET_POLICY,
                                                   .caller = caller,
                                                   .index = AUDIT_NO_NUMBER,
                                                   .step = AUDIT_NO_NUMBER,
                                                   .setting = setting,
                                                   .result = r < 0 ? error_short_name(error) : "ok" });
}

int manager_property_set_policy(sd_bus *bus, const char *path, const char *interface, const char *property,
                                sd_bus_message *value, void *userdata, sd_bus_error *error) {
        Daemon *daemon = userdata;
        uint64_t number;
        Caller caller;
        int r;

        r = sd_bus_message_read(value, "t", &number);
        if (r < 0)
                return r;
        /* The value comes in the message of the caller. */
        r = request_right_held(daemon, value, CALLER_POLICY, AUDIT_SET_POLICY, &caller, error);
        if (r < 0)
                return r;
        r = session_limits_check_span(property, number, error);
        audit_setting(daemon, &caller, property, number, r, error);
        if (r < 0)
                return r;
        policy_set_on_bus(&daemon->policy, setting_find(property), number);
        /* Not personal, and everybody's business. */
        (void)sd_bus_emit_properties_changed(daemon->bus, DAEMON_PATH, MANAGER_INTERFACE, property, NULL);
        return 0;
}

int manager_method_reload(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        Daemon *daemon = userdata;
        Caller caller;
        int r;

        r = request_right(daemon, message, CALLER_POLICY, AUDIT_RELOAD, &caller, error);
        if (r != 0)
                return r;
        r = reload_config(daemon, &caller);
        if (r < 0)
                return r;
        if (r > 0)
                return error_setf(error, ERROR_CONFIGURATION_INVALID, "%s What was read before applies.",
                                  daemon->fault.text);
        return sd_bus_reply_method_return(message, NULL);
}
