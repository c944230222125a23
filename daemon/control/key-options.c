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

OptionKinds key_options_kind(const Schedule *schedule) {
        switch (schedule->kdf) {
        case SCHEDULE_SFRAME:
                return KEY_OPTION_SFRAME;
        case SCHEDULE_EPOCH:
                return KEY_OPTION_MLS;
        case SCHEDULE_DAVE:
                return KEY_OPTION_DAVE;
        default:
                return KEY_OPTION_SALTED;
        }
}

int key_options_check_secret(const Schedule *schedule, size_t len, sd_bus_error *error) {
        size_t least, most;

        schedule_secret_len(schedule, &least, &most);
        if (len >= least && len <= most)
                return 0;
        if (least == most)
                return error_setf(error, ERROR_SECRET_INVALID,
                                  "The secret has %zu bytes; a key of this kind has %zu. Pass its bytes alone, not "
                                  "their text.",
                                  len, least);
        return error_setf(error, ERROR_SECRET_INVALID,
                          "The secret has %zu bytes; a key of this kind has %zu to %zu. Pass its bytes alone, not "
                          "their text.",
                          len, least, most);
}

const char *key_options_suite(const Schedule *schedule) {
        if (schedule->kdf == SCHEDULE_SFRAME || schedule->kdf == SCHEDULE_EPOCH)
                return suite_find(schedule->suite)->name;
        if (schedule->kdf == SCHEDULE_DAVE)
                return suite_find(SUITE_DAVE)->name;
        return schedule->key_bits == 256 ? "AES_256_GCM" : "AES_128_GCM";
}
