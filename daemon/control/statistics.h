/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Counters as `a{sv}`: one entry a verdict, by its name, then bytes, trials and errors. Main thread.
 */
#pragma once

#include "keys/session.h"

#include <systemd/sd-bus.h>

/* Adds b to a. */
void statistics_add(SessionCounters *a, const SessionCounters *b);
/* Entries of an open `a{sv}`. 0 or negative errno. */
int statistics_append(sd_bus_message *reply, const SessionCounters *counters);
int statistics_append_number(sd_bus_message *reply, const char *name, uint64_t value);
