/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The handlers behind org.framekey1.Manager that are not in manager-bus.c, whose vtable names them.
 * Main thread.
 */
#pragma once

#include "control/daemon.h"

#define MANAGER_INTERFACE DAEMON_BUS_NAME ".Manager"

typedef int ManagerProperty(sd_bus *bus, const char *path, const char *interface, const char *property,
                            sd_bus_message *message, void *userdata, sd_bus_error *error);

/* manager-policy.c */
ManagerProperty manager_property_policy, manager_property_set_policy;
int manager_method_reload(sd_bus_message *message, void *userdata, sd_bus_error *error);
