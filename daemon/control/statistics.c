/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Counters for people and scripts; see statistics.h. */
#include "control/statistics.h"

void statistics_add(SessionCounters *a, const SessionCounters *b) {
        for (size_t i = 0; i < FRAMEKEY_VERDICT_MAX; i++)
                a->frames[i] += b->frames[i];
        a->bytes += b->bytes;
        a->trials += b->trials;
        a->failures += b->failures;
}

int statistics_append_number(sd_bus_message *reply, const char *name, uint64_t value) {
        return sd_bus_message_append(reply, "{sv}", name, "t", value);
}

int statistics_append(sd_bus_message *reply, const SessionCounters *counters) {
        int r;

        for (int verdict = 0; verdict < FRAMEKEY_VERDICT_MAX; verdict++) {
                r = statistics_append_number(reply, framekey_verdict_name(verdict), counters->frames[verdict]);
                if (r < 0)
                        return r;
        }
        r = statistics_append_number(reply, "bytes", counters->bytes);
        if (r >= 0)
                r = statistics_append_number(reply, "trials", counters->trials);
        if (r >= 0)
                r = statistics_append_number(reply, "errors", counters->failures);
        return r < 0 ? r : 0;
}
