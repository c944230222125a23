/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.framekey1.Manager: opening sessions, and what administrators do to those of others. */
#include "config.h"

#include "control/errors.h"
#include "control/key-options.h"
#include "control/manager-bus.h"
#include "control/object-tree.h"
#include "control/operation.h"
#include "control/request.h"
#include "control/session-options.h"
#include "control/statistics.h"
#include "crypto/arena.h"

static int open_session(Daemon *daemon, const Caller *caller, const SessionRequest *request, SessionObject **ret,
                        sd_bus_error *error) {
        char setting[POLICY_TEXT_MAX];
        int r;

        r = request_check_unlocked(daemon, error);
        if (r < 0)
                return r;
        if (!policy_allows_profile(&daemon->policy, request->preset))
                return error_setf(error, ERROR_POLICY_FORBIDS,
                                  "Sessions of the profile '%s' are not allowed by %s; choose one of those, or ask the "
                                  "administrator.",
                                  request->preset->name,
                                  policy_cite(&daemon->policy, POLICY_ALLOWED_PROFILES, setting));
        r = session_object_new(ret, daemon, caller, request);
        if (r == SESSION_OBJECT_QUOTA)
                return error_setf(error, ERROR_QUOTA_EXCEEDED,
                                  "Your quota of %" PRIu64 " sessions is used up; close some, or ask the administrator "
                                  "for more.",
                                  quota_limit(daemon->quota, QUOTA_SESSIONS));
        return r;
}

static int method_open_session(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        SessionObject *session = NULL;
        SessionRequest request = { 0 };
        Daemon *daemon = userdata;
        const char *profile;
        Caller caller;
        int r;

        r = sd_bus_message_read(message, "ss", &profile, &request.label);
        if (r < 0)
                return r;
        request.preset = preset_find(profile);
        if (!request.preset)
                return error_setf(error, ERROR_NO_SUCH_PROFILE,
                                  "There is no profile '%.64s'; the Manager's property Profiles lists them.", profile);
        r = request_check_text("label", request.label, SESSION_LABEL_MAX, error);
        if (r < 0)
                return r;
        r = session_options_read(message, &daemon->policy, &request, error);
        if (r < 0)
                return r;
        r = request_right(daemon, message, CALLER_OPEN_SESSION, AUDIT_OPEN_SESSION, &caller, error);
        if (r != 0)
                return r;
        r = open_session(daemon, &caller, &request, &session, error);
        audit_write(daemon->audit, &(AuditRecord){ .action = AUDIT_OPEN_SESSION,
                                                   .caller = &caller,
                                                   .session = r < 0 ? NULL : session->id,
                                                   .index = AUDIT_NO_NUMBER,
                                                   .step = AUDIT_NO_NUMBER,
                                                   .result = r < 0 ? error_short_name(error) : "ok" });
        if (r < 0)
                return r;
        return sd_bus_reply_method_return(message, "so", session->id, session->path);
}

static int answer_sessions(Daemon *daemon, sd_bus_message *message, const Caller *caller) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        r = sd_bus_message_new_method_return(message, &reply);
        if (r < 0)
                return r;
        r = sd_bus_message_open_container(reply, 'a', "(sosstu)");
        if (r < 0)
                return r;
        for (SessionObject *session = daemon->sessions; session; session = session->hh.next) {
                if (!caller_may_read(caller, session->owner.uid))
                        continue;
                r = sd_bus_message_append(reply, "(sosstu)", session->id, session->path,
                                          framekey_format_name(session_config(session->session)->format),
                                          session->label, session->created_usec, (uint32_t)session->owner.uid);
                if (r < 0)
                        return r;
        }
        r = sd_bus_message_close_container(reply);
        if (r < 0)
                return r;
        watchers_add(daemon->watchers, caller);
        return sd_bus_send(NULL, reply, NULL);
}

static int method_list_sessions(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        Daemon *daemon = userdata;
        Caller caller;
        int r;

        r = caller_get(&daemon->callers, message, &caller);
        return r < 0 ? r : answer_sessions(daemon, message, &caller);
}

/* Not ListSessions: who lists the own sessions neither waits for polkit nor is shown a dialog. */
static int method_list_all_sessions(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        Daemon *daemon = userdata;
        Caller caller;
        int r;

        r = request_right(daemon, message, CALLER_INSPECT, AUDIT_AUTHORIZE, &caller, error);
        return r != 0 ? r : answer_sessions(daemon, message, &caller);
}

static int method_get_session(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        Daemon *daemon = userdata;
        SessionObject *session;
        const char *id;
        Caller caller;
        int r;

        r = sd_bus_message_read(message, "s", &id);
        if (r < 0)
                return r;
        r = caller_get(&daemon->callers, message, &caller);
        if (r < 0)
                return r;
        session = session_object_find(daemon, &caller, id);
        if (!session) {
                r = authority_ask(daemon->authority, message, &caller, CALLER_INSPECT, error);
                return r < 0 || r == AUTHORITY_HELD ? r : error_set(error, ERROR_NO_SUCH_SESSION);
        }
        return sd_bus_reply_method_return(message, "o", session->path);
}

static int method_ratchet_keys(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        SessionObject *session = NULL;
        Daemon *daemon = userdata;
        const char *id, *reason;
        Caller caller;
        int r;

        r = sd_bus_message_read(message, "ss", &id, &reason);
        if (r < 0)
                return r;
        r = options_read(message, options_none, NULL, error);
        if (r < 0)
                return r;
        r = request_check_text("reason", reason, REQUEST_REASON_MAX, error);
        if (r < 0)
                return r;
        if (id[0] == '\0')
                r = request_right(daemon, message, CALLER_ROTATE, AUDIT_RATCHET, &caller, error);
        else
                r = request_admin_session(daemon, message, id, AUDIT_RATCHET, &caller, &session, error);
        if (r != 0)
                return r;
        r = operation_ratchet_all(daemon, session, message, &caller, reason, error);
        return r < 0 ? r : 1;
}

static int rotate_session(SessionObject *session, const Caller *caller, const char *reason, SessionRotation *total) {
        /* An owner who calls here is asked for fresh keys as by Rotate. */
        SessionReason why = session_object_may_change(session, caller) ? SESSION_REASON_REQUEST : SESSION_REASON_ADMIN;
        AuditRecord record = request_record(AUDIT_ROTATE, caller, NULL, AUDIT_NO_NUMBER);
        SessionRotation rotation = { 0 };
        int r;

        r = session_rotate(session->session, SESSION_SENDERS, why, &rotation);
        record.reason = reason;
        (void)request_audit(session, &record, MIN_OF(r, 0), NULL);
        total->n_rotated += rotation.n_rotated;
        total->n_requested += rotation.n_requested;
        return MIN_OF(r, 0);
}

static int method_rotate_keys(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        SessionRotation total = { 0 };
        SessionObject *session = NULL;
        Daemon *daemon = userdata;
        const char *id, *reason;
        Caller caller;
        uint64_t before;
        int r;

        r = sd_bus_message_read(message, "ss", &id, &reason);
        if (r < 0)
                return r;
        r = options_read(message, options_none, NULL, error);
        if (r < 0)
                return r;
        r = request_check_text("reason", reason, REQUEST_REASON_MAX, error);
        if (r < 0)
                return r;
        if (id[0] == '\0')
                r = request_right(daemon, message, CALLER_ROTATE, AUDIT_ROTATE, &caller, error);
        else
                r = request_admin_session(daemon, message, id, AUDIT_ROTATE, &caller, &session, error);
        if (r != 0)
                return r;
        before = audit_count(daemon->audit);
        if (session)
                r = rotate_session(session, &caller, reason, &total);
        else
                for (session = daemon->sessions; session; session = session->hh.next) {
                        int q = rotate_session(session, &caller, reason, &total);

                        r = r < 0 ? r : q;
                }
        if (audit_count(daemon->audit) == before)
                /* There is no session: who wanted this is told all the same. */
                audit_write(daemon->audit, &(AuditRecord){ .action = AUDIT_ROTATE,
                                                           .caller = &caller,
                                                           .index = AUDIT_NO_NUMBER,
                                                           .step = AUDIT_NO_NUMBER,
                                                           .reason = reason,
                                                           .result = r < 0 ? strerror(-r) : "ok" });
        return r < 0 ? r : sd_bus_reply_method_return(message, "uu", total.n_rotated, total.n_requested);
}

static int method_revoke_participant(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        ParticipantObject *participant;
        SessionObject *session = NULL;
        Daemon *daemon = userdata;
        const char *id, *identity, *reason;
        Caller caller;
        int r;

        r = sd_bus_message_read(message, "sss", &id, &identity, &reason);
        if (r < 0)
                return r;
        r = request_check_text("reason", reason, REQUEST_REASON_MAX, error);
        if (r < 0)
                return r;
        r = request_admin_session(daemon, message, id, AUDIT_REMOVE_PARTICIPANT, &caller, &session, error);
        if (r != 0)
                return r;
        participant = session_object_participant(session, identity);
        r = participant ? 0 : error_set(error, ERROR_NO_SUCH_PARTICIPANT);
        (void)request_audit(session,
                            &(AuditRecord){ .action = AUDIT_REMOVE_PARTICIPANT,
                                            .caller = &caller,
                                            .participant = identity,
                                            .index = AUDIT_NO_NUMBER,
                                            .step = AUDIT_NO_NUMBER,
                                            .reason = reason },
                            r, error);
        if (r < 0)
                return r;
        (void)participant_object_free(participant);
        session_object_invalidate(session, "Participants");
        return sd_bus_reply_method_return(message, NULL);
}

static int method_close_session(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        SessionObject *session = NULL;
        Daemon *daemon = userdata;
        const char *id, *reason;
        Caller caller;
        int r;

        r = sd_bus_message_read(message, "ss", &id, &reason);
        if (r < 0)
                return r;
        r = request_check_text("reason", reason, REQUEST_REASON_MAX, error);
        if (r < 0)
                return r;
        r = request_admin_session(daemon, message, id, AUDIT_CLOSE_SESSION, &caller, &session, error);
        if (r != 0)
                return r;
        (void)request_audit(session,
                            &(AuditRecord){ .action = AUDIT_CLOSE_SESSION,
                                            .caller = &caller,
                                            .index = AUDIT_NO_NUMBER,
                                            .step = AUDIT_NO_NUMBER,
                                            .reason = reason },
                            0, NULL);
        (void)session_object_free(session);
        return sd_bus_reply_method_return(message, NULL);
}

static int method_lock(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        Daemon *daemon = userdata;
        const char *reason;
        Caller caller;
        int r, locked;

        r = sd_bus_message_read(message, "bs", &locked, &reason);
        if (r < 0)
                return r;
        r = request_check_text("reason", reason, REQUEST_REASON_MAX, error);
        if (r < 0)
                return r;
        r = request_right(daemon, message, CALLER_ROTATE, AUDIT_LOCK, &caller, error);
        if (r != 0)
                return r;
        plane_set_locked(daemon->plane, locked);
        audit_write(daemon->audit, &(AuditRecord){ .action = AUDIT_LOCK,
                                                   .caller = &caller,
                                                   .index = AUDIT_NO_NUMBER,
                                                   .step = AUDIT_NO_NUMBER,
                                                   .reason = reason,
                                                   .result = locked ? "locked" : "unlocked" });
        /* Not personal, and everybody's business. */
        (void)sd_bus_emit_properties_changed(daemon->bus, DAEMON_PATH, MANAGER_INTERFACE, "Locked", NULL);
        return sd_bus_reply_method_return(message, NULL);
}

typedef struct Totals {
        SessionCounters counters;
        uint64_t sessions, participants, channels, keys;
} Totals;

static void totals_add(Totals *totals, SessionObject *session) {
        for (ParticipantObject *p = session->by_identity; p; p = p->by_identity.next) {
                SessionParticipantInfo info;

                if (session_participant_info(session->session, p->id, &info) == 0)
                        statistics_add(&totals->counters, &info.counters);
                totals->participants++;
        }
        totals->channels += HASH_COUNT(session->channels);
        totals->keys += session_n_keys(session->session);
        totals->sessions++;
}

static int append_totals(sd_bus_message *reply, const Totals *totals) {
        int r;

        r = statistics_append(reply, &totals->counters);
        if (r >= 0)
                r = statistics_append_number(reply, "sessions", totals->sessions);
        if (r >= 0)
                r = statistics_append_number(reply, "participants", totals->participants);
        if (r >= 0)
                r = statistics_append_number(reply, "channels", totals->channels);
        if (r >= 0)
                r = statistics_append_number(reply, "keys", totals->keys);
        return r;
}

/* What a user may hold and holds; to administrators, what all hold together. */
static int append_quotas(sd_bus_message *reply, const Daemon *daemon, const Caller *caller) {
        bool all = caller_is_admin(caller);
        int r = 0;

        if (all)
                r = statistics_append_number(reply, "calls-refused", quota_calls_refused(daemon->quota));
        for (QuotaKind kind = 0; r >= 0 && kind < QUOTA_MAX; kind++) {
                char name[64];

                (void)snprintf(name, sizeof(name), "quota-%s", quota_kind_name(kind));
                r = statistics_append_number(reply, name, quota_limit(daemon->quota, kind));
                (void)snprintf(name, sizeof(name), "quota-%s-used", quota_kind_name(kind));
                if (r >= 0 && kind != QUOTA_CALLS)
                        r = statistics_append_number(reply, name,
                                                     all ? quota_used_by_all(daemon->quota, kind)
                                                         : quota_used(daemon->quota, caller->uid, kind));
        }
        return r;
}

/* Users get the sums of their own sessions, administrators those of all and the state of the arena. */
static int method_get_statistics(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const Arena *arena = arena_installed();
        Daemon *daemon = userdata;
        Totals totals = { 0 };
        Caller caller;
        int r;

        r = caller_get(&daemon->callers, message, &caller);
        if (r < 0)
                return r;
        for (SessionObject *session = daemon->sessions; session; session = session->hh.next)
                if (caller_may_read(&caller, session->owner.uid))
                        totals_add(&totals, session);
        r = sd_bus_message_new_method_return(message, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "{sv}");
        if (r >= 0)
                r = append_totals(reply, &totals);
        if (r >= 0)
                r = append_quotas(reply, daemon, &caller);
        if (r >= 0 && arena && caller_is_admin(&caller)) {
                r = statistics_append_number(reply, "arena-bytes", arena_capacity(arena));
                if (r >= 0)
                        r = statistics_append_number(reply, "arena-bytes-used", arena_in_use(arena));
        }
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

static int property_profiles(sd_bus *bus, const char *path, const char *interface, const char *property,
                             sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        int r;

        r = sd_bus_message_open_container(reply, 'a', "s");
        for (size_t i = 0; r >= 0 && preset_at(i); i++)
                r = sd_bus_message_append(reply, "s", preset_at(i)->name);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int property_cipher_suites(sd_bus *bus, const char *path, const char *interface, const char *property,
                                  sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        int r;

        r = sd_bus_message_open_container(reply, 'a', "s");
        if (r >= 0)
                r = sd_bus_message_append(reply, "ss", key_options_suite(&(Schedule){ .key_bits = 128 }),
                                          key_options_suite(&(Schedule){ .key_bits = 256 }));
        for (size_t i = 0; r >= 0 && suite_at(i); i++)
                r = sd_bus_message_append(reply, "s", suite_at(i)->name);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int property_text(sd_bus *bus, const char *path, const char *interface, const char *property,
                         sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const Arena *arena = arena_installed();
        const Daemon *daemon = userdata;

        if (strcmp(property, "CounterState") == 0)
                return sd_bus_message_append(reply, "s", ledger_is_kept(daemon->ledger) ? "kept" : "volatile");
        if (strcmp(property, "Version") == 0)
                return sd_bus_message_append(reply, "s", PACKAGE_VERSION);
        return sd_bus_message_append(reply, "s", arena ? arena_protection_name(arena_protection(arena)) : "none");
}

static int property_count(sd_bus *bus, const char *path, const char *interface, const char *property,
                          sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        Daemon *daemon = userdata;
        uint32_t n = 0;
        Caller caller;
        int r;

        r = caller_get(&daemon->callers, sd_bus_get_current_message(bus), &caller);
        if (r < 0)
                return r;
        for (SessionObject *session = daemon->sessions; session; session = session->hh.next)
                if (caller_may_read(&caller, session->owner.uid))
                        n += strcmp(property, "Sessions") == 0 ? 1 : session_n_keys(session->session);
        return sd_bus_message_append(reply, "u", n);
}

static int property_locked(sd_bus *bus, const char *path, const char *interface, const char *property,
                           sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const Daemon *daemon = userdata;

        return sd_bus_message_append(reply, "b", (int)plane_locked(daemon->plane));
}

/* What a handler refuses before it tells the audit of anything, is told by these. */
#define TOLD(handler, action) REQUEST_TOLD(handler, action, userdata, NULL)
TOLD(method_open_session, AUDIT_OPEN_SESSION)
TOLD(method_list_sessions, AUDIT_FIND)
TOLD(method_list_all_sessions, AUDIT_FIND)
TOLD(method_get_session, AUDIT_FIND)
TOLD(method_ratchet_keys, AUDIT_RATCHET)
TOLD(method_rotate_keys, AUDIT_ROTATE)
TOLD(method_revoke_participant, AUDIT_REMOVE_PARTICIPANT)
TOLD(method_close_session, AUDIT_CLOSE_SESSION)
TOLD(method_lock, AUDIT_LOCK)
TOLD(manager_method_reload, AUDIT_RELOAD)
TOLD(method_get_statistics, AUDIT_FIND)

static const sd_bus_vtable manager_bus_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Version", "s", property_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Profiles", "as", property_profiles, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("CipherSuites", "as", property_cipher_suites, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("MemoryProtection", "s", property_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("CounterState", "s", property_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Sessions", "u", property_count, 0, 0),
        SD_BUS_PROPERTY("Keys", "u", property_count, 0, 0),
        SD_BUS_PROPERTY("Locked", "b", property_locked, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_WRITABLE_PROPERTY("DefaultRatchetIntervalUSec", "t", manager_property_policy,
                                 manager_property_set_policy, 0,
                                 SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE | SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_WRITABLE_PROPERTY("MinimumRatchetIntervalUSec", "t", manager_property_policy,
                                 manager_property_set_policy, 0,
                                 SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE | SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_WRITABLE_PROPERTY("MaximumKeyAgeUSec", "t", manager_property_policy, manager_property_set_policy, 0,
                                 SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE | SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_PROPERTY("AllowedProfiles", "as", manager_property_policy, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("AllowImport", "b", manager_property_policy, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("AllowExport", "b", manager_property_policy, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("RequireSecretMemory", "b", manager_property_policy, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_METHOD_WITH_ARGS("OpenSession", SD_BUS_ARGS("s", profile, "s", label, "a{sv}", options),
                                SD_BUS_RESULT("s", id, "o", path), told_method_open_session,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ListSessions", SD_BUS_NO_ARGS, SD_BUS_RESULT("a(sosstu)", sessions),
                                told_method_list_sessions, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ListAllSessions", SD_BUS_NO_ARGS, SD_BUS_RESULT("a(sosstu)", sessions),
                                told_method_list_all_sessions, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetSession", SD_BUS_ARGS("s", id), SD_BUS_RESULT("o", path), told_method_get_session,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("RatchetKeys", SD_BUS_ARGS("s", session, "s", reason, "a{sv}", options),
                                SD_BUS_RESULT("u", ratcheted), told_method_ratchet_keys, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("RotateKeys", SD_BUS_ARGS("s", session, "s", reason, "a{sv}", options),
                                SD_BUS_RESULT("u", rotated, "u", requested), told_method_rotate_keys,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("RevokeParticipant", SD_BUS_ARGS("s", session, "s", participant, "s", reason),
                                SD_BUS_NO_RESULT, told_method_revoke_participant, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("CloseSession", SD_BUS_ARGS("s", session, "s", reason), SD_BUS_NO_RESULT,
                                told_method_close_session, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Lock", SD_BUS_ARGS("b", locked, "s", reason), SD_BUS_NO_RESULT, told_method_lock,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Reload", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, told_manager_method_reload,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetStatistics", SD_BUS_NO_ARGS, SD_BUS_RESULT("a{sv}", statistics),
                                told_method_get_statistics, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_SIGNAL_WITH_ARGS("SessionNew", SD_BUS_ARGS("s", id, "o", path), 0),
        SD_BUS_SIGNAL_WITH_ARGS("SessionRemoved", SD_BUS_ARGS("s", id, "o", path), 0),
        SD_BUS_VTABLE_END,
};

int manager_bus_export(Daemon *daemon) {
        return sd_bus_add_object_vtable(daemon->bus, NULL, DAEMON_PATH, MANAGER_INTERFACE, manager_bus_vtable, daemon);
}
