/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * org.freedesktop.LogControl1, systemd's interface to a service's log: how much the running daemon
 * says, and where. What is set holds until the daemon ends; administrators set it.
 */
#include "control/daemon.h"
#include "control/errors.h"
#include "control/request.h"

#include <stdio.h>

#define LOG_CONTROL_PATH      "/org/freedesktop/LogControl1"
#define LOG_CONTROL_INTERFACE "org.freedesktop.LogControl1"

static int property_get(sd_bus *bus, const char *path, const char *interface, const char *property,
                        sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const Log *log = ((const Daemon *)userdata)->log;

        if (strcmp(property, "LogLevel") == 0)
                return sd_bus_message_append(reply, "s", log_level_name(log->level));
        if (strcmp(property, "LogTarget") == 0)
                return sd_bus_message_append(reply, "s", log_target_name(log->target));
        return sd_bus_message_append(reply, "s", LOG_IDENTIFIER);
}

/* In the log as it was, or as it is now if that says more: who makes it silent or leaves the journal is told in it. */
static void audit_setting(Daemon *daemon, const Caller *caller, const char *property, const char *value,
                          const Log *before, const char *result) {
        char setting[64];
        const Log after = *daemon->log;

        (void)snprintf(setting, sizeof(setting), "%s=%.32s", property, value);
        *daemon->log = (Log){ .target = before->target, .level = MAX_OF(before->level, after.level) };
        audit_write(daemon->audit, &(AuditRecord){ .action = AUDIT_SET_LOG,
                                                   .caller = caller,
                                                   .index = AUDIT_NO_NUMBER,
                                                   .step = AUDIT_NO_NUMBER,
                                                   .setting = setting,
                                                   .result = result });
        *daemon->log = after;
}

static int change(Log *log, const char *property, const char *value, sd_bus_error *error) {
        int r;

        if (strcmp(property, "LogLevel") == 0) {
                r = log_level_from_name(value);
                if (r < 0)
                        return error_set_invalid(error,
                                                 "There is no log level '%.32s'; it must be emerg, alert, crit, err, "
                                                 "warning, notice, info or debug.",
                                                 value);
                log->level = r;
                return 0;
        }
        r = log_set_target(log, value);
        if (r == -ENOENT)
                return error_set_invalid(error, "No journal runs here; the log target can only be console.");
        if (r < 0)
                return error_set_invalid(error, "There is no log target '%.32s'; it must be journal, console or auto.",
                                         value);
        return 0;
}

static int property_set(sd_bus *bus, const char *path, const char *interface, const char *property,
                        sd_bus_message *value, void *userdata, sd_bus_error *error) {
        Daemon *daemon = userdata;
        Log before = *daemon->log;
        const char *text;
        Caller caller;
        int r;

        r = sd_bus_message_read(value, "s", &text);
        if (r < 0)
                return r;
        /* The value comes in the message of the caller. */
        r = request_admin(daemon, value, AUDIT_SET_LOG, &caller, error);
        if (r < 0)
                return r;
        r = change(daemon->log, property, text, error);
        audit_setting(daemon, &caller, property, text, &before, r < 0 ? error_short_name(error) : "ok");
        return r;
}

/* The interface is systemd's, whose description has no change signals. */
static const sd_bus_vtable log_control_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_WRITABLE_PROPERTY("LogLevel", "s", property_get, property_set, 0, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_WRITABLE_PROPERTY("LogTarget", "s", property_get, property_set, 0, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_PROPERTY("SyslogIdentifier", "s", property_get, 0, 0),
        SD_BUS_VTABLE_END,
};

int log_control_export(Daemon *daemon) {
        return sd_bus_add_object_vtable(daemon->bus, NULL, LOG_CONTROL_PATH, LOG_CONTROL_INTERFACE, log_control_vtable,
                                        daemon);
}
