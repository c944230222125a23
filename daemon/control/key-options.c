/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Words and checks of the options that calls share; see key-options.h. */
#include "control/key-options.h"

#include "control/errors.h"

_Static_assert(sizeof(ScheduleKdf) == sizeof(uint32_t), "OPTION_WORD writes 32 bits");

const OptionWord key_option_kdfs[] = {
        { "pbkdf2", SCHEDULE_PBKDF2 },
        { "hkdf", SCHEDULE_HKDF },
        { NULL, 0 },
};

int key_options_check(const Schedule *schedule, sd_bus_error *error) {
        const char *problem = schedule_check(schedule);

        return problem ? error_set_invalid(error, "These options do not fit: %s.", problem) : 0;
}

void activation_options_settle(ActivationOptions *options) {
        options->wanted = options->wanted || options->when.after_usec != USEC_INFINITY || options->when.at_key_frame;
        if (options->when.after_usec == USEC_INFINITY)
                options->when.after_usec = 0;
}

const char *key_options_suite(const Schedule *schedule) {
        return schedule->key_bits == 256 ? "AES_256_GCM" : "AES_128_GCM";
}
