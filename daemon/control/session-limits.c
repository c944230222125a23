/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Intervals and ages between wish and policy; see session-limits.h. */
#include "control/session-limits.h"

#include "control/errors.h"
#include "control/timespan.h"

/* Whatever the administrator allows: a timer must not be all that the main thread does. */
#define INTERVAL_FLOOR_USEC USEC_PER_MSEC

int session_limits_check_span(const char *what, uint64_t usec, sd_bus_error *error) {
        char wished[TIMESPAN_TEXT_MAX], most[TIMESPAN_TEXT_MAX];

        if (usec <= POLICY_SPAN_MAX_USEC)
                return 0;
        return error_set_invalid(error, "%s of %s is too long; it may be at most %s.", what,
                                 timespan_format(usec, wished), timespan_format(POLICY_SPAN_MAX_USEC, most));
}

int session_limits_steps(const Schedule *schedule, const RatchetPolicy *ratchet, sd_bus_error *error) {
        if (schedule_steps_at_will(schedule) || (ratchet->interval_usec | ratchet->frames | ratchet->bytes) == 0)
                return 0;
        if (schedule->kdf == SCHEDULE_DAVE)
                return error_set_invalid(error,
                                         "DAVE's generations follow from the count of frames, and receivers take "
                                         "no other; leave the ratchet options out.");
        return error_set_invalid(error, "SFrame steps in the bits of the KID that the option ratchet-bits sets aside, "
                                        "and there are none; give it, or leave the other ratchet options out.");
}

int session_limits_interval(const Policy *policy, const Schedule *schedule, uint64_t wished_usec,
                            RatchetPolicy *ratchet, sd_bus_error *error) {
        uint64_t least = MAX_OF(policy->minimum_ratchet_interval_usec, INTERVAL_FLOOR_USEC),
                 by_default = policy->default_ratchet_interval_usec;
        char wished[TIMESPAN_TEXT_MAX], setting[POLICY_TEXT_MAX];
        int r;

        if (wished_usec == SESSION_LIMIT_UNSAID) {
                /* Nobody of this call has said that its peers can follow a timer. SFrame's see the step in the KID. */
                ratchet->only_if_followed = schedule->kdf != SCHEDULE_SFRAME;
                ratchet->interval_usec = by_default > 0 ? MAX_OF(by_default, least) : 0;
                if (!schedule_steps_at_will(schedule))
                        ratchet->interval_usec = 0;
                return 0;
        }
        r = session_limits_check_span("A ratchet interval", wished_usec, error);
        if (r < 0)
                return r;
        if (wished_usec > 0 && wished_usec < policy->minimum_ratchet_interval_usec)
                return error_setf(error, ERROR_POLICY_FORBIDS, "The ratchet interval of %s is below %s.",
                                  timespan_format(wished_usec, wished),
                                  policy_cite(policy, POLICY_MINIMUM_INTERVAL, setting));
        if (wished_usec > 0 && wished_usec < INTERVAL_FLOOR_USEC)
                return error_set_invalid(error, "The ratchet interval of %s is below 1ms, which is the shortest.",
                                         timespan_format(wished_usec, wished));
        ratchet->only_if_followed = false;
        ratchet->interval_usec = wished_usec;
        return 0;
}

int session_limits_age(const Policy *policy, uint64_t wished_usec, SessionConfig *config, sd_bus_error *error) {
        uint64_t most = policy->maximum_key_age_usec;
        char wished[TIMESPAN_TEXT_MAX], setting[POLICY_TEXT_MAX];
        int r;

        if (wished_usec == SESSION_LIMIT_UNSAID) {
                config->maximum_age_usec = most;
                return 0;
        }
        r = session_limits_check_span("A maximum key age", wished_usec, error);
        if (r < 0)
                return r;
        if (most > 0 && wished_usec == 0)
                return error_setf(error, ERROR_POLICY_FORBIDS, "Keys without a maximum age are not allowed by %s.",
                                  policy_cite(policy, POLICY_MAXIMUM_AGE, setting));
        if (most > 0 && wished_usec > most)
                return error_setf(error, ERROR_POLICY_FORBIDS, "The maximum key age of %s is above %s.",
                                  timespan_format(wished_usec, wished),
                                  policy_cite(policy, POLICY_MAXIMUM_AGE, setting));
        config->maximum_age_usec = wished_usec;
        return 0;
}
