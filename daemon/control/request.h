/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What handlers of bus calls do first: who calls, may it, are its texts of a bearable length.
 * Refusals are told to the audit here. Main thread.
 */
#pragma once

#include "control/session-object.h"

/* Reasons of administrators, for the log. */
#define REQUEST_REASON_MAX 256u

/*
 * Runs a method's handler, and tells the audit if it refused the call before anything else had: because of an option, a
 * name, a lock. So no handler has to think of it. `session`: NULL for the Manager's.
 */
int request_run(Daemon *daemon, const SessionObject *session, AuditAction action, sd_bus_message_handler_t handler,
                sd_bus_message *message, void *userdata, sd_bus_error *error);
/* Defines told_HANDLER() for a vtable, which does that. `daemon` and `session` are made of `userdata`. */
#define REQUEST_TOLD(handler, action, daemon, session)                                                                 \
        static int told_##handler(sd_bus_message *message, void *userdata, sd_bus_error *error) {                      \
                return request_run((daemon), (session), (action), handler, message, userdata, error);                  \
        }
/* For what somebody asked for that is not there, or is not the caller's, and for that alone. */
void request_tell_lost(Daemon *daemon, sd_bus_message *message, const Caller *caller, const char *session,
                       const sd_bus_error *error);

/* For calls that change a session: its owners. 0; negative errno with `error` set. */
int request_change(SessionObject *session, sd_bus_message *message, AuditAction action, Caller *ret,
                   sd_bus_error *error);
/* The same for settings, which administrators may make too, and whom polkit let: gate.h has asked. */
int request_set(SessionObject *session, sd_bus_message *message, AuditAction action, Caller *ret, sd_bus_error *error);
/* For what only the connection that opened the session may do, however many have attached. As above. */
int request_own(SessionObject *session, sd_bus_message *message, AuditAction action, Caller *ret, sd_bus_error *error);
/* For what administrators alone may do, whatever polkit says. 0; negative errno with `error` set. */
int request_admin(Daemon *daemon, sd_bus_message *message, AuditAction action, Caller *ret, sd_bus_error *error);
/*
 * For methods; the next two ask polkit where the caller has no right of its own. 0; AUTHORITY_HELD: return that, the
 * call comes again; negative errno with `error` set.
 */
/* The session a Manager call names, to change it: for its owners, and who may do that to all sessions. */
int request_admin_session(Daemon *daemon, sd_bus_message *message, const char *id, AuditAction action, Caller *ret,
                          SessionObject **ret_session, sd_bus_error *error);
/* For calls that everybody may make to whom polkit allows them, or that concern everybody. */
int request_right(Daemon *daemon, sd_bus_message *message, CallerRight right, AuditAction action, Caller *ret,
                  sd_bus_error *error);
/* The same for properties, where nothing can be asked any more. 0; negative errno with `error` set. */
int request_right_held(Daemon *daemon, sd_bus_message *message, CallerRight right, AuditAction action, Caller *ret,
                       sd_bus_error *error);
/* 0; negative errno with `error` set. */
int request_check_text(const char *name, const char *text, size_t max, sd_bus_error *error);
/* A participant's number, SESSION_SHARED for "". 0; negative errno with `error` set. */
int request_participant(const SessionObject *session, const char *identity, uint32_t *ret, sd_bus_error *error);
/* While an administrator has locked the service, nothing new is let in. */
int request_check_unlocked(const Daemon *daemon, sd_bus_error *error);
/* A record about a participant and a key index, either of which may be none. */
AuditRecord request_record(AuditAction action, const Caller *caller, const char *participant, uint32_t index);
/* Tells a call's result, and passes `r` through. `error` says what went wrong if r < 0. */
int request_audit(const SessionObject *session, const AuditRecord *record, int r, const sd_bus_error *error);
/* For answers that come later than the call, with what sending one came to: where it failed, the caller is told that,
 * instead of waiting for ever. */
void request_answered(sd_bus_message *message, int r);
