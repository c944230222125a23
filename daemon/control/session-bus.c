/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.framekey1.Session: one call, for its owners. The vtable, and what is about the session as a whole. */
#include "control/session-bus.h"

#include "control/errors.h"
#include "control/object-tree.h"
#include "control/request.h"
#include "control/statistics.h"

static int method_attach_session(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        SessionObject *session = userdata;
        AuditRecord record;
        Caller caller;
        int r;

        r = caller_get(&session->daemon->callers, message, &caller);
        if (r < 0)
                return r;
        r = session_object_attach(session, &caller);
        if (r == -EPERM)
                r = error_setf(error, ERROR_NOT_OWNER,
                               "This session is its opener's alone; have it opened with exclusive=false, by the user "
                               "who wants to attach.");
        else if (r == -EDQUOT)
                r = error_setf(error, ERROR_QUOTA_EXCEEDED,
                               "%u connections are attached to this session already; let some of them go.",
                               SESSION_ATTACHED_MAX);
        record = request_record(AUDIT_ATTACH_SESSION, &caller, NULL, AUDIT_NO_NUMBER);
        (void)request_audit(session, &record, r, error);
        return r < 0 ? r : sd_bus_reply_method_return(message, NULL);
}

static int method_get_statistics(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        SessionObject *session = userdata;
        SessionCounters sum = { 0 };
        int r;

        for (ParticipantObject *p = session->by_identity; p; p = p->by_identity.next) {
                SessionParticipantInfo info;

                if (session_participant_info(session->session, p->id, &info) == 0)
                        statistics_add(&sum, &info.counters);
        }
        r = sd_bus_message_new_method_return(message, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "{sv}");
        if (r >= 0)
                r = statistics_append(reply, &sum);
        if (r >= 0)
                r = statistics_append_number(reply, "participants", HASH_CNT(by_identity, session->by_identity));
        if (r >= 0)
                r = statistics_append_number(reply, "channels", HASH_COUNT(session->channels));
        if (r >= 0)
                r = statistics_append_number(reply, "keys", session_n_keys(session->session));
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

static int method_close(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        SessionObject *session = userdata;
        AuditRecord record;
        Caller caller;
        int r;

        r = request_change(session, message, AUDIT_CLOSE_SESSION, &caller, error);
        if (r < 0)
                return r;
        record = request_record(AUDIT_CLOSE_SESSION, &caller, NULL, AUDIT_NO_NUMBER);
        (void)request_audit(session, &record, 0, NULL);
        (void)session_object_free(session);
        return sd_bus_reply_method_return(message, NULL);
}

/* As in manager-bus.c. */
#define TOLD(handler, action) REQUEST_TOLD(handler, action, ((SessionObject *)userdata)->daemon, userdata)
TOLD(session_method_add_participant, AUDIT_ADD_PARTICIPANT)
TOLD(session_method_remove_participant, AUDIT_REMOVE_PARTICIPANT)
TOLD(session_method_join, AUDIT_JOIN)
TOLD(session_method_leave, AUDIT_LEAVE)
TOLD(session_method_allow_unencrypted, AUDIT_ALLOW_UNENCRYPTED)
TOLD(session_method_import_key, AUDIT_IMPORT_KEY)
TOLD(session_method_import_credential, AUDIT_IMPORT_CREDENTIAL)
TOLD(session_method_generate_key, AUDIT_GENERATE_KEY)
TOLD(session_method_ratchet, AUDIT_RATCHET)
TOLD(session_method_rotate, AUDIT_ROTATE)
TOLD(session_method_activate, AUDIT_ACTIVATE)
TOLD(session_method_retire_key, AUDIT_RETIRE_KEY)
TOLD(session_method_get_transport_key, AUDIT_FIND)
TOLD(session_method_export_wrapped, AUDIT_EXPORT_WRAPPED)
TOLD(session_method_import_wrapped, AUDIT_IMPORT_WRAPPED)
TOLD(session_method_get_security_code, AUDIT_SECURITY_CODE)
TOLD(session_method_open_channel, AUDIT_OPEN_CHANNEL)
TOLD(session_method_add_stream, AUDIT_ADD_STREAM)
TOLD(session_method_remove_stream, AUDIT_REMOVE_STREAM)
TOLD(method_attach_session, AUDIT_ATTACH_SESSION)
TOLD(method_get_statistics, AUDIT_FIND)
TOLD(method_close, AUDIT_CLOSE_SESSION)

const sd_bus_vtable session_bus_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Id", "s", NULL, offsetof(SessionObject, id), SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Label", "s", NULL, offsetof(SessionObject, label), SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Profile", "s", session_property_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Preset", "s", session_property_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("CipherSuite", "s", session_property_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("KeyMode", "s", session_property_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Owner", "s", session_property_text, 0, 0),
        SD_BUS_PROPERTY("OwnerUID", "u", session_property_number, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("GraceUSec", "t", session_property_number, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("RatchetWindow", "u", session_property_number, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("RingSize", "u", session_property_number, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("RatchetBits", "u", session_property_number, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("MlsIndexBits", "u", session_property_number, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("MlsEpochBits", "u", session_property_number, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_WRITABLE_PROPERTY("RatchetIntervalUSec", "t", session_property_ratchet, session_property_set_ratchet, 0,
                                 SD_BUS_VTABLE_PROPERTY_EMITS_INVALIDATION | SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_WRITABLE_PROPERTY("RatchetFrames", "t", session_property_ratchet, session_property_set_ratchet, 0,
                                 SD_BUS_VTABLE_PROPERTY_EMITS_INVALIDATION | SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_WRITABLE_PROPERTY("RatchetBytes", "t", session_property_ratchet, session_property_set_ratchet, 0,
                                 SD_BUS_VTABLE_PROPERTY_EMITS_INVALIDATION | SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_PROPERTY("NextRatchetUSec", "t", session_property_time, 0, 0),
        SD_BUS_PROPERTY("NextRatchetUSecMonotonic", "t", session_property_time, 0, 0),
        SD_BUS_PROPERTY("NextRotationUSec", "t", session_property_time, 0, 0),
        SD_BUS_PROPERTY("NextRotationUSecMonotonic", "t", session_property_time, 0, 0),
        SD_BUS_PROPERTY("RotateAfterUSec", "t", session_property_number, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("MaximumKeyAgeUSec", "t", session_property_number, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("ActivateAfterUSec", "t", session_property_number, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("CoalesceUSec", "t", session_property_number, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("ForwardSecrecy", "b", session_property_flag, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("FullyProtected", "b", session_property_flag, 0, 0),
        SD_BUS_PROPERTY("Followed", "b", session_property_flag, 0, 0),
        SD_BUS_PROPERTY("Participants", "as", session_property_participants, 0,
                        SD_BUS_VTABLE_PROPERTY_EMITS_INVALIDATION),
        SD_BUS_METHOD_WITH_ARGS("AddParticipant", SD_BUS_ARGS("s", identity, "s", role, "a{sv}", options),
                                SD_BUS_RESULT("o", path), told_session_method_add_participant,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("RemoveParticipant", SD_BUS_ARGS("s", identity, "a{sv}", options), SD_BUS_NO_RESULT,
                                told_session_method_remove_participant, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Join", SD_BUS_ARGS("s", identity, "a{sv}", options),
                                SD_BUS_RESULT("o", path, "t", when), told_session_method_join,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Leave", SD_BUS_ARGS("s", identity, "a{sv}", options), SD_BUS_RESULT("t", when),
                                told_session_method_leave, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("AllowUnencrypted",
                                SD_BUS_ARGS("s", participant, "s", what, "t", usec, "a{sv}", options), SD_BUS_NO_RESULT,
                                told_session_method_allow_unencrypted, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ImportKey", SD_BUS_ARGS("s", participant, "u", index, "h", secret, "a{sv}", options),
                                SD_BUS_RESULT("t", generation), told_session_method_import_key,
                                SD_BUS_VTABLE_UNPRIVILEGED | SD_BUS_VTABLE_SENSITIVE),
        SD_BUS_METHOD_WITH_ARGS(
                "ImportCredential", SD_BUS_ARGS("s", participant, "u", index, "s", name, "a{sv}", options),
                SD_BUS_RESULT("t", generation), told_session_method_import_credential, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GenerateKey", SD_BUS_ARGS("s", participant, "u", index, "a{sv}", options),
                                SD_BUS_RESULT("t", generation), told_session_method_generate_key,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Ratchet", SD_BUS_ARGS("s", participant, "a{sv}", options), SD_BUS_RESULT("u", step),
                                told_session_method_ratchet, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Rotate", SD_BUS_ARGS("s", participant, "s", reason, "a{sv}", options),
                                SD_BUS_RESULT("u", rotated, "u", requested), told_session_method_rotate,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Activate", SD_BUS_ARGS("s", participant, "u", index, "a{sv}", options),
                                SD_BUS_NO_RESULT, told_session_method_activate, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("RetireKey", SD_BUS_ARGS("s", participant, "u", index), SD_BUS_NO_RESULT,
                                told_session_method_retire_key, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetTransportKey", SD_BUS_NO_ARGS, SD_BUS_RESULT("ay", key, "s", fingerprint),
                                told_session_method_get_transport_key, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ExportWrapped", SD_BUS_ARGS("s", participant, "ay", recipient, "a{sv}", options),
                                SD_BUS_RESULT("ay", package), told_session_method_export_wrapped,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ImportWrapped", SD_BUS_ARGS("s", participant, "ay", package, "a{sv}", options),
                                SD_BUS_RESULT("u", index, "t", generation), told_session_method_import_wrapped,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetSecurityCode", SD_BUS_ARGS("a{sv}", options),
                                SD_BUS_RESULT("s", code, "a(sutu)", keys), told_session_method_get_security_code,
                                SD_BUS_VTABLE_UNPRIVILEGED | SD_BUS_VTABLE_SENSITIVE),
        SD_BUS_METHOD_WITH_ARGS("OpenChannel", SD_BUS_ARGS("a{sv}", options),
                                SD_BUS_RESULT("o", channel, "h", request, "h", response, "h", doorbell, "h", wakeup),
                                told_session_method_open_channel, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS(
                "AddStream",
                SD_BUS_ARGS("o", channel, "s", participant, "s", direction, "s", media, "s", codec, "a{sv}", options),
                SD_BUS_RESULT("u", stream), told_session_method_add_stream, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("RemoveStream", SD_BUS_ARGS("o", channel, "u", stream), SD_BUS_NO_RESULT,
                                told_session_method_remove_stream, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("AttachSession", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, told_method_attach_session,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetStatistics", SD_BUS_NO_ARGS, SD_BUS_RESULT("a{sv}", statistics),
                                told_method_get_statistics, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Close", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, told_method_close,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_SIGNAL_WITH_ARGS("KeyInstalled", SD_BUS_ARGS("s", participant, "u", index, "t", generation, "u", step),
                                0),
        SD_BUS_SIGNAL_WITH_ARGS("KeyActivated", SD_BUS_ARGS("s", participant, "u", index), 0),
        SD_BUS_SIGNAL_WITH_ARGS("KeyRatcheted", SD_BUS_ARGS("s", participant, "u", index, "u", step), 0),
        SD_BUS_SIGNAL_WITH_ARGS("KeyWiped", SD_BUS_ARGS("s", participant, "u", index, "u", step), 0),
        SD_BUS_SIGNAL_WITH_ARGS("KeyExpiring", SD_BUS_ARGS("s", participant, "u", index, "t", usec), 0),
        SD_BUS_SIGNAL_WITH_ARGS("RotationRequested",
                                SD_BUS_ARGS("s", participant, "u", next_index, "s", reason, "t", deadline), 0),
        SD_BUS_SIGNAL_WITH_ARGS("AllFollowed", SD_BUS_NO_ARGS, 0),
        SD_BUS_SIGNAL_WITH_ARGS(
                "DecryptionStalled",
                SD_BUS_ARGS("s", participant, "o", channel, "u", stream, "s", state, "u", key_index, "t", frames), 0),
        SD_BUS_SIGNAL_WITH_ARGS("DecryptionResumed",
                                SD_BUS_ARGS("s", participant, "o", channel, "u", stream, "t", frames), 0),
        SD_BUS_SIGNAL_WITH_ARGS("UnencryptedFrame", SD_BUS_ARGS("s", participant, "o", channel, "u", stream), 0),
        SD_BUS_VTABLE_END,
};
