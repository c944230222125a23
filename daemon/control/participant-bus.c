/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.framekey1.Participant: read only; a session's participants are changed at the Session. */
#include "control/object-tree.h"
#include "control/session-bus.h"
#include "control/statistics.h"
#include "util/realtime.h"

static int get_info(const ParticipantObject *participant, SessionParticipantInfo *ret) {
        int r = session_participant_info(participant->session->session, participant->id, ret);

        return r == 0 ? 0 : -ENXIO; /* the object is there, so its number is too */
}

static int property_role(sd_bus *bus, const char *path, const char *interface, const char *property,
                         sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const ParticipantObject *participant = userdata;

        return sd_bus_message_append(reply, "s", participant->local ? "local" : "remote");
}

static int property_state(sd_bus *bus, const char *path, const char *interface, const char *property,
                          sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        SessionParticipantInfo info;
        int r;

        r = get_info(userdata, &info);
        if (r < 0)
                return r;
        return sd_bus_message_append(reply, "s", session_stream_state_name(info.state));
}

static int property_follows_window(sd_bus *bus, const char *path, const char *interface, const char *property,
                                   sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        SessionParticipantInfo info;
        int r;

        r = get_info(userdata, &info);
        if (r < 0)
                return r;
        return sd_bus_message_append(reply, "b", (int)info.follows_window);
}

static int property_keys(sd_bus *bus, const char *path, const char *interface, const char *property,
                         sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const ParticipantObject *participant = userdata;
        Session *session = participant->session->session;
        int r;

        r = sd_bus_message_open_container(reply, 'a', "(utub)");
        if (r < 0)
                return r;
        for (uint32_t index = 0; index < session_config(session)->ring_size; index++) {
                SessionKeyInfo info;

                if (session_key_info(session, participant->id, index, &info) != 0)
                        continue; /* nothing there */
                r = sd_bus_message_append(reply, "(utub)", info.index, info.generation, info.step, (int)info.active);
                if (r < 0)
                        return r;
        }
        return sd_bus_message_close_container(reply);
}

static const char *origin_name(SessionOrigin origin) {
        switch (origin) {
        case SESSION_GENERATED:
                return "generated";
        case SESSION_UNWRAPPED:
                return "unwrapped";
        default:
                return "imported";
        }
}

/* Of a local participant of a shared session, the times of the shared key that it sends under. */
static int property_key_times(sd_bus *bus, const char *path, const char *interface, const char *property,
                              sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const ParticipantObject *participant = userdata;
        Session *session = participant->session->session;
        bool shared = session_config(session)->shared && participant->local;
        int r;

        r = sd_bus_message_open_container(reply, 'a', "(usttt)");
        if (r < 0)
                return r;
        for (uint32_t index = 0; index < session_config(session)->ring_size; index++) {
                SessionKeyInfo info;

                if (session_key_info(session, shared ? SESSION_SHARED : participant->id, index, &info) != 0)
                        continue; /* nothing there */
                r = sd_bus_message_append(
                        reply, "(usttt)", index, origin_name(info.origin), realtime_from_boottime(info.installed_usec),
                        realtime_from_boottime(info.activates_usec), realtime_from_boottime(info.dies_usec));
                if (r < 0)
                        return r;
        }
        return sd_bus_message_close_container(reply);
}

/* SFrame: which KIDs frames of this participant have, by key index. */
static int property_key_ids(sd_bus *bus, const char *path, const char *interface, const char *property,
                            sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const ParticipantObject *participant = userdata;
        Session *session = participant->session->session;
        int r;

        r = sd_bus_message_open_container(reply, 'a', "(ut)");
        if (r < 0)
                return r;
        for (uint32_t index = 0; index < session_config(session)->ring_size; index++) {
                SessionKeyInfo info;

                if (session_config(session)->format != FRAMEKEY_FORMAT_SFRAME ||
                    session_key_info(session, participant->id, index, &info) != 0)
                        continue;
                r = sd_bus_message_append(reply, "(ut)", index, info.kid);
                if (r < 0)
                        return r;
        }
        return sd_bus_message_close_container(reply);
}

static int property_unencrypted(sd_bus *bus, const char *path, const char *interface, const char *property,
                                sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        SessionParticipantInfo info;
        int r;

        r = get_info(userdata, &info);
        if (r < 0)
                return r;
        return sd_bus_message_append(
                reply, "(st)", session_clear_name(info.clear),
                info.clear == SESSION_CLEAR_NOTHING ? UINT64_C(0) : realtime_from_boottime(info.clear_until_usec));
}

static int property_frames(sd_bus *bus, const char *path, const char *interface, const char *property,
                           sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        SessionParticipantInfo info;
        uint64_t ok, failed;
        int r;

        r = get_info(userdata, &info);
        if (r < 0)
                return r;
        participant_totals(&info.counters, &ok, &failed);
        return sd_bus_message_append(reply, "t", strcmp(property, "FramesOk") == 0 ? ok : failed);
}

static int method_get_statistics(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        SessionParticipantInfo info;
        int r;

        r = get_info(userdata, &info);
        if (r < 0)
                return r;
        r = sd_bus_message_new_method_return(message, &reply);
        if (r < 0)
                return r;
        r = sd_bus_message_open_container(reply, 'a', "{sv}");
        if (r < 0)
                return r;
        r = statistics_append(reply, &info.counters);
        if (r < 0)
                return r;
        r = sd_bus_message_close_container(reply);
        if (r < 0)
                return r;
        return sd_bus_send(NULL, reply, NULL);
}

const sd_bus_vtable participant_bus_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Identity", "s", NULL, offsetof(ParticipantObject, identity), SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Role", "s", property_role, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("State", "s", property_state, 0, 0),
        SD_BUS_PROPERTY("Keys", "a(utub)", property_keys, 0, 0),
        SD_BUS_PROPERTY("KeyTimes", "a(usttt)", property_key_times, 0, 0),
        SD_BUS_PROPERTY("KeyIds", "a(ut)", property_key_ids, 0, 0),
        SD_BUS_PROPERTY("Unencrypted", "(st)", property_unencrypted, 0, 0),
        SD_BUS_PROPERTY("FollowsWindow", "b", property_follows_window, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("FramesOk", "t", property_frames, 0, 0),
        SD_BUS_PROPERTY("FramesFailed", "t", property_frames, 0, 0),
        SD_BUS_METHOD_WITH_ARGS("GetStatistics", SD_BUS_NO_ARGS, SD_BUS_RESULT("a{sv}", statistics),
                                method_get_statistics, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};
