/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The first lines of every handler; see request.h. */
#include "control/request.h"

#include "control/errors.h"

#include <stdio.h>

static void tell_refusal(Daemon *daemon, const SessionObject *session, const Caller *caller, AuditAction action,
                         const sd_bus_error *error) {
        audit_write(daemon->audit, &(AuditRecord){ .action = action,
                                                   .caller = caller,
                                                   .session = session ? session->id : NULL,
                                                   .index = AUDIT_NO_NUMBER,
                                                   .step = AUDIT_NO_NUMBER,
                                                   .result = error_short_name(error) });
}

/* "INTERFACE.MEMBER" of the call; returns `out`. */
#define METHOD_MAX 128u
static const char *method_name(sd_bus_message *message, char out[METHOD_MAX]) {
        const char *interface = sd_bus_message_get_interface(message);

        (void)snprintf(out, METHOD_MAX, "%.80s%s%.40s", interface ? interface : "", interface ? "." : "",
                       sd_bus_message_get_member(message));
        return out;
}

int request_run(Daemon *daemon, const SessionObject *session, AuditAction action, sd_bus_message_handler_t handler,
                sd_bus_message *message, void *userdata, sd_bus_error *error) {
        uint64_t before = audit_count(daemon->audit);
        char method[METHOD_MAX];
        Caller caller;
        int r;

        r = handler(message, userdata, error);
        if (r >= 0 || audit_count(daemon->audit) != before || caller_get(&daemon->callers, message, &caller) < 0)
                return r;
        /* Nothing was done: the session is still there. */
        audit_write(daemon->audit,
                    &(AuditRecord){ .action = action,
                                    .caller = &caller,
                                    .session = session ? session->id : NULL,
                                    .index = AUDIT_NO_NUMBER,
                                    .step = AUDIT_NO_NUMBER,
                                    .method = method_name(message, method),
                                    .result = sd_bus_error_is_set(error) ? error_short_name(error) : strerror(-r) });
        return r;
}

void request_tell_lost(Daemon *daemon, sd_bus_message *message, const Caller *caller, const char *session,
                       const sd_bus_error *error) {
        char method[METHOD_MAX];
        uint64_t cookie = 0;

        (void)sd_bus_message_get_cookie(message, &cookie); /* it has one, since it came */
        /* One call looks for its object several times. */
        if (cookie == daemon->lost_cookie && strcmp(caller->name, daemon->lost_name) == 0)
                return;
        daemon->lost_cookie = cookie;
        memcpy(daemon->lost_name, caller->name, sizeof(daemon->lost_name));
        audit_write(daemon->audit, &(AuditRecord){ .action = AUDIT_FIND,
                                                   .caller = caller,
                                                   .session = session,
                                                   .index = AUDIT_NO_NUMBER,
                                                   .step = AUDIT_NO_NUMBER,
                                                   .method = method_name(message, method),
                                                   .result = error_short_name(error) });
}

int request_change(SessionObject *session, sd_bus_message *message, AuditAction action, Caller *ret,
                   sd_bus_error *error) {
        int r;

        r = caller_get(&session->daemon->callers, message, ret);
        if (r < 0)
                return r;
        if (session_object_may_change(session, ret))
                return 0;
        r = error_set(error, ERROR_NOT_OWNER);
        tell_refusal(session->daemon, session, ret, action, error);
        return r;
}

int request_set(SessionObject *session, sd_bus_message *message, AuditAction action, Caller *ret, sd_bus_error *error) {
        int r;

        r = caller_get(&session->daemon->callers, message, ret);
        if (r < 0)
                return r;
        return caller_may(ret, CALLER_ROTATE) ? 0 : request_change(session, message, action, ret, error);
}

int request_own(SessionObject *session, sd_bus_message *message, AuditAction action, Caller *ret, sd_bus_error *error) {
        int r;

        r = request_change(session, message, action, ret, error);
        if (r < 0 || session_object_is_owner(session, ret))
                return r;
        r = error_setf(error, ERROR_NOT_OWNER,
                       "Only the connection that opened the session may give its keys to another daemon; call from "
                       "there.");
        tell_refusal(session->daemon, session, ret, action, error);
        return r;
}

int request_admin(Daemon *daemon, sd_bus_message *message, AuditAction action, Caller *ret, sd_bus_error *error) {
        int r;

        r = caller_get(&daemon->callers, message, ret);
        if (r < 0 || caller_is_admin(ret))
                return r;
        r = sd_bus_error_set_const(error, SD_BUS_ERROR_ACCESS_DENIED, "Only administrators may do this; call as root.");
        tell_refusal(daemon, NULL, ret, action, error);
        return r;
}

/* Nobody controls a session that outlived its owner: its user may at least end it. */
static bool may_change(const SessionObject *session, const Caller *caller, AuditAction action) {
        return session_object_may_change(session, caller) ||
               (action == AUDIT_CLOSE_SESSION && session->orphaned && caller->uid == session->owner.uid);
}

int request_admin_session(Daemon *daemon, sd_bus_message *message, const char *id, AuditAction action, Caller *ret,
                          SessionObject **ret_session, sd_bus_error *error) {
        SessionObject *session;
        int r;

        r = caller_get(&daemon->callers, message, ret);
        if (r < 0)
                return r;
        session = session_object_find(daemon, ret, id);
        if (!session || !may_change(session, ret, action))
                /* Whether there is one or not: who asked, and how long that took, must not tell. */
                r = authority_ask(daemon->authority, message, ret, CALLER_ROTATE, error);
        if (r == AUTHORITY_HELD)
                return r;
        if (r == AUTHORITY_REFUSED)
                r = error_set(error, session ? ERROR_NOT_OWNER : ERROR_NO_SUCH_SESSION);
        else if (r == 0 && !session)
                r = error_set(error, ERROR_NO_SUCH_SESSION);
        if (r < 0) {
                tell_refusal(daemon, session, ret, action, error);
                return r;
        }
        *ret_session = session;
        return 0;
}

int request_right_held(Daemon *daemon, sd_bus_message *message, CallerRight right, AuditAction action, Caller *ret,
                       sd_bus_error *error) {
        int r;

        r = caller_get(&daemon->callers, message, ret);
        if (r < 0 || caller_may(ret, right))
                return r;
        r = authority_explain(daemon->authority, message, right, error);
        tell_refusal(daemon, NULL, ret, action, error);
        return r;
}

int request_right(Daemon *daemon, sd_bus_message *message, CallerRight right, AuditAction action, Caller *ret,
                  sd_bus_error *error) {
        int r;

        r = caller_get(&daemon->callers, message, ret);
        if (r < 0)
                return r;
        r = authority_ask(daemon->authority, message, ret, right, error);
        if (r == 0 || r == AUTHORITY_HELD)
                return r;
        if (r == AUTHORITY_REFUSED)
                r = authority_explain(daemon->authority, message, right, error);
        tell_refusal(daemon, NULL, ret, action, error);
        return r;
}

int request_check_text(const char *name, const char *text, size_t max, sd_bus_error *error) {
        size_t len = strlen(text);

        if (len > max)
                return error_set_invalid(error, "The %s has %zu bytes; it may have at most %zu.", name, len, max);
        return 0;
}

int request_participant(const SessionObject *session, const char *identity, uint32_t *ret, sd_bus_error *error) {
        const ParticipantObject *participant = session_object_participant(session, identity);

        if (!participant && identity[0] != '\0')
                return error_set(error, ERROR_NO_SUCH_PARTICIPANT);
        *ret = participant ? participant->id : SESSION_SHARED;
        return 0;
}

int request_check_unlocked(const Daemon *daemon, sd_bus_error *error) {
        return plane_locked(daemon->plane) ? error_set(error, ERROR_LOCKED) : 0;
}

AuditRecord request_record(AuditAction action, const Caller *caller, const char *participant, uint32_t index) {
        return (AuditRecord){
                .action = action, .caller = caller, .participant = participant, .index = index, .step = AUDIT_NO_NUMBER
        };
}

int request_audit(const SessionObject *session, const AuditRecord *record, int r, const sd_bus_error *error) {
        AuditRecord told = *record;

        told.session = session->id;
        told.result = r < 0 ? (sd_bus_error_is_set(error) ? error_short_name(error) : strerror(-r)) : "ok";
        audit_write(session->daemon->audit, &told);
        return r;
}

void request_answered(sd_bus_message *message, int r) {
        if (r < 0)
                (void)sd_bus_reply_method_errno(message, r, NULL); /* the caller may be gone */
}
