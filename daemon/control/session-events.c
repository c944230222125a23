/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the key plane does without a call that asked for it, told to the session's owners and, where
 * it changes what is sent under or ends a key, to the audit.
 */
#include "control/session-object.h"
#include "util/realtime.h"

#include <assert.h>

/* An event in the words of the bus. */
typedef struct Told {
        SessionObject *session;
        const SessionEvent *event;
        const char *identity; /* "": the shared key */
} Told;

static void audit(const Told *told, AuditAction action, uint32_t index, uint32_t step, SessionReason reason,
                  const char *result) {
        const SessionObject *session = told->session;

        audit_write(session->daemon->audit, &(AuditRecord){ .action = action,
                                                            .owner_uid = session->owner.uid,
                                                            .session = session->id,
                                                            .participant = told->identity,
                                                            .index = index,
                                                            .step = step,
                                                            .reason = reason ? session_reason_name(reason) : NULL,
                                                            .result = result });
}

static void on_installed(const Told *told) {
        const SessionEvent *event = told->event;

        session_object_settle_made(told->session, event->participant, event->index);
        audit(told, AUDIT_ROTATE, event->index, event->step, event->reason, "ok");
        session_object_tell_installed(told->session, event->participant, event->index, event->generation, event->step);
}

static void on_activated(const Told *told) {
        audit(told, AUDIT_ACTIVATE, told->event->index, AUDIT_NO_NUMBER, told->event->reason, "ok");
        session_object_emit(told->session, "KeyActivated", "su", told->identity, told->event->index);
}

/* Whether it is about what we send under. Receivers follow their senders, as often as those like: no act of ours. */
static bool is_sender(const Told *told) {
        const ParticipantObject *participant = session_object_participant(told->session, told->identity);

        return !participant || participant->local;
}

static void on_ratcheted(const Told *told) {
        const SessionEvent *event = told->event;

        if (is_sender(told))
                audit(told, AUDIT_RATCHET, event->index, event->step, event->reason, "ok");
        session_object_emit(told->session, "KeyRatcheted", "suu", told->identity, event->index, event->step);
}

/* The end of a grace time is no news for the audit; that of a whole key is, once, though each participant of a shared
 * session has a copy. */
static void on_wiped(const Told *told) {
        const SessionEvent *event = told->event;
        Session *session = told->session->session;
        SessionKeyInfo info;

        if (event->reason == SESSION_REASON_FORGERIES ||
            (session_config(session)->shared == (event->participant == SESSION_SHARED) &&
             session_key_info(session, event->participant, event->index, &info) != 0))
                audit(told, AUDIT_RETIRE_KEY, event->index, event->step, event->reason, "ok");
        (void)session_object_settle_keys(told->session); /* fewer: never refused */
        session_object_emit(told->session, "KeyWiped", "suu", told->identity, event->index, event->step);
}

static void on_rotation_requested(const Told *told) {
        const SessionEvent *event = told->event;

        audit(told, AUDIT_ROTATE, event->index, AUDIT_NO_NUMBER, event->reason, "requested");
        session_object_emit(told->session, "RotationRequested", "sust", told->identity, event->index,
                            session_reason_name(event->reason), realtime_from_boottime(event->usec));
}

static const char *find_path(const SessionObject *session, const void *wanted) {
        for (const ChannelObject *channel = session->channels; channel; channel = channel->hh.next)
                if (channel->channel == wanted)
                        return channel->path;
        return NULL;
}

static const char *channel_path(const Told *told) {
        const char *path = find_path(told->session, told->event->channel);

        for (const SessionObject *other = told->session->daemon->sessions;
             !path && told->session->n_guests > 0 && other; other = other->hh.next)
                path = find_path(other, told->event->channel);
        return path; /* NULL: closed meanwhile */
}

static void on_stream(const Told *told) {
        const SessionEvent *event = told->event;
        const char *path = channel_path(told);

        if (!path)
                return;
        if (event->type == SESSION_EVENT_STALLED)
                session_object_emit(told->session, "DecryptionStalled", "sousut", told->identity, path, event->stream,
                                    session_stream_state_name(event->state), event->index, event->frames);
        else if (event->type == SESSION_EVENT_RESUMED)
                session_object_emit(told->session, "DecryptionResumed", "sout", told->identity, path, event->stream,
                                    event->frames);
        else
                session_object_emit(told->session, "UnencryptedFrame", "sou", told->identity, path, event->stream);
}

void session_events_handle(Session *plane_session, const SessionEvent *event, void *userdata) {
        Told told = { .session = userdata, .event = event };

        told.identity = session_object_identity(told.session, event->participant);
        if (!told.identity)
                return; /* it left meanwhile */
        switch (event->type) {
        case SESSION_EVENT_INSTALLED:
                on_installed(&told);
                return;
        case SESSION_EVENT_ACTIVATED:
                on_activated(&told);
                return;
        case SESSION_EVENT_RATCHETED:
                on_ratcheted(&told);
                return;
        case SESSION_EVENT_EXPIRING:
                session_object_emit(told.session, "KeyExpiring", "sut", told.identity, event->index,
                                    realtime_from_boottime(event->usec));
                return;
        case SESSION_EVENT_WIPED:
                on_wiped(&told);
                return;
        case SESSION_EVENT_ROTATION_REQUESTED:
                on_rotation_requested(&told);
                return;
        case SESSION_EVENT_ALL_FOLLOWED:
                session_object_emit(told.session, "AllFollowed", "");
                return;
        case SESSION_EVENT_STALLED:
        case SESSION_EVENT_RESUMED:
        case SESSION_EVENT_UNENCRYPTED:
                on_stream(&told);
                return;
        default:
                assert(false);
        }
}
