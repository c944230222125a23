/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The options of OpenSession: what a session is, by its preset, the caller's wishes and the
 * administrator's policy, in this order.
 */
#pragma once

#include "control/policy.h"
#include "control/session-object.h"

/* Reads the dictionary that comes next in the message into `request`, whose preset is set. 0; negative errno with
 * `error` set. */
int session_options_read(sd_bus_message *message, const Policy *policy, SessionRequest *request, sd_bus_error *error);
