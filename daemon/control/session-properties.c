/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.framekey1.Session: what can be read of a session, and the settings of its ratchet. */
#include "control/errors.h"
#include "control/key-options.h"
#include "control/request.h"
#include "control/session-bus.h"
#include "control/session-limits.h"
#include "util/realtime.h"

#include <inttypes.h>
#include <stdio.h>

int session_property_text(sd_bus *bus, const char *path, const char *interface, const char *property,
                          sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const SessionObject *session = userdata;
        const SessionConfig *config = session_config(session->session);
        const char *text;

        if (strcmp(property, "Profile") == 0)
                text = framekey_format_name(config->format);
        else if (strcmp(property, "Preset") == 0)
                text = session->preset->name;
        else if (strcmp(property, "CipherSuite") == 0)
                text = key_options_suite(&session->schedule);
        else if (strcmp(property, "KeyMode") == 0)
                text = config->shared ? "shared" : "participant";
        else
                text = session->orphaned ? "" : session->owner.name; /* Owner */
        return sd_bus_message_append(reply, "s", text);
}

int session_property_number(sd_bus *bus, const char *path, const char *interface, const char *property,
                            sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const SessionObject *session = userdata;
        const SessionConfig *config = session_config(session->session);
        const struct {
                const char *name;
                uint64_t value;
        } times[] = {
                { "GraceUSec", config->grace_usec },
                { "RotateAfterUSec", config->rotate_after_usec },
                { "MaximumKeyAgeUSec", config->maximum_age_usec },
                { "ActivateAfterUSec", config->activate_after_usec },
                { "CoalesceUSec", config->coalesce_usec },
        };

        for (size_t i = 0; i < ELEMENTS(times); i++)
                if (strcmp(property, times[i].name) == 0)
                        return sd_bus_message_append(reply, "t", times[i].value);
        if (strcmp(property, "RatchetWindow") == 0)
                return sd_bus_message_append(reply, "u", config->ratchet_window);
        if (strcmp(property, "RatchetBits") == 0)
                return sd_bus_message_append(reply, "u", session->schedule.ratchet_bits);
        if (strcmp(property, "MlsIndexBits") == 0)
                return sd_bus_message_append(reply, "u", (uint32_t)config->mls_index_bits);
        if (strcmp(property, "MlsEpochBits") == 0)
                return sd_bus_message_append(reply, "u", (uint32_t)config->mls_epoch_bits);
        if (strcmp(property, "RingSize") == 0)
                return sd_bus_message_append(reply, "u", config->ring_size);
        return sd_bus_message_append(reply, "u", (uint32_t)session->owner.uid); /* OwnerUID */
}

int session_property_participants(sd_bus *bus, const char *path, const char *interface, const char *property,
                                  sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const SessionObject *session = userdata;
        int r;

        r = sd_bus_message_open_container(reply, 'a', "s");
        if (r < 0)
                return r;
        for (const ParticipantObject *p = session->by_identity; p; p = p->by_identity.next) {
                r = sd_bus_message_append(reply, "s", p->identity);
                if (r < 0)
                        return r;
        }
        return sd_bus_message_close_container(reply);
}

/* NextRatchetUSec and NextRotationUSec, and the same by the clock that goes on through suspend and is never set. */
int session_property_time(sd_bus *bus, const char *path, const char *interface, const char *property,
                          sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const SessionObject *session = userdata;
        SessionInfo info;
        uint64_t when;

        session_info(session->session, &info);
        when = strncmp(property, "NextRatchet", strlen("NextRatchet")) == 0 ? info.next_ratchet_usec
                                                                            : info.next_rotation_usec;
        if (strstr(property, "Monotonic"))
                when = when == USEC_INFINITY ? 0 : when;
        else
                when = realtime_from_boottime(when);
        return sd_bus_message_append(reply, "t", when);
}

int session_property_flag(sd_bus *bus, const char *path, const char *interface, const char *property,
                          sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const SessionObject *session = userdata;
        SessionInfo info;
        bool value;

        if (strcmp(property, "ForwardSecrecy") == 0)
                value = !session_config(session->session)->retain_root;
        else {
                session_info(session->session, &info);
                value = strcmp(property, "FullyProtected") == 0 ? info.fully_protected : info.followed;
        }
        return sd_bus_message_append(reply, "b", (int)value);
}

/* ---- the ratchet policy ---- */

static uint64_t *ratchet_field(RatchetPolicy *ratchet, const char *property) {
        if (strcmp(property, "RatchetIntervalUSec") == 0)
                return &ratchet->interval_usec;
        return strcmp(property, "RatchetFrames") == 0 ? &ratchet->frames : &ratchet->bytes;
}

int session_property_ratchet(sd_bus *bus, const char *path, const char *interface, const char *property,
                             sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const SessionObject *session = userdata;
        RatchetPolicy ratchet = session_config(session->session)->ratchet;

        return sd_bus_message_append(reply, "t", *ratchet_field(&ratchet, property));
}

static int set_ratchet(SessionObject *session, const char *property, uint64_t value, sd_bus_error *error) {
        RatchetPolicy ratchet = session_config(session->session)->ratchet;
        uint64_t *field = ratchet_field(&ratchet, property);
        int r = 0;

        if (field == &ratchet.interval_usec)
                r = session_limits_interval(&session->daemon->policy, &session->schedule,
                                            MIN_OF(value, SESSION_LIMIT_UNSAID - 1), &ratchet, error);
        else
                *field = value;
        if (r == 0)
                r = session_limits_steps(&session->schedule, &ratchet, error);
        if (r == 0)
                session_set_ratchet(session->session, &ratchet);
        return r;
}

int session_property_set_ratchet(sd_bus *bus, const char *path, const char *interface, const char *property,
                                 sd_bus_message *value, void *userdata, sd_bus_error *error) {
        SessionObject *session = userdata;
        AuditRecord record;
        char setting[64];
        uint64_t number;
        Caller caller;
        int r;

        r = sd_bus_message_read(value, "t", &number);
        if (r < 0)
                return r;
        /* The value comes in the message of the caller. */
        r = request_set(session, value, AUDIT_SET_RATCHET, &caller, error);
        if (r < 0)
                return r;
        r = set_ratchet(session, property, number, error);
        (void)snprintf(setting, sizeof(setting), "%s=%" PRIu64, property, number);
        record = request_record(AUDIT_SET_RATCHET, &caller, NULL, AUDIT_NO_NUMBER);
        record.setting = setting;
        (void)request_audit(session, &record, r, error);
        if (r < 0)
                return r;
        session_object_invalidate(session, property);
        return 0;
}
