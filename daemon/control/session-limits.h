/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the administrator's policy makes of a session's wishes: a refusal that names the limit, or
 * the default where nothing was wished. Pure apart from the error.
 */
#pragma once

#include "control/policy.h"
#include "keys/session.h"

#include <systemd/sd-bus.h>

/* In place of a number: nothing was wished. */
#define SESSION_LIMIT_UNSAID USEC_INFINITY

/* Whether a time is one that can be asked for at all. 0; negative errno with `error` set, which begins with `what`. */
int session_limits_check_span(const char *what, uint64_t usec, sd_bus_error *error);
/* Puts what is allowed into `config`: the timer's interval and the age at which a key is refused. 0; negative errno
 * with `error` set. */
int session_limits_interval(const Policy *policy, const Schedule *schedule, uint64_t wished_usec,
                            RatchetPolicy *ratchet, sd_bus_error *error);
/* Whether keys of the schedule can step as the policy says. As above. */
int session_limits_steps(const Schedule *schedule, const RatchetPolicy *ratchet, sd_bus_error *error);
int session_limits_age(const Policy *policy, uint64_t wished_usec, SessionConfig *config, sd_bus_error *error);
