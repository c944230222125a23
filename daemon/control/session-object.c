/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sessions by id, their owners, and the signals only owners get; see session-object.h. */
#include "control/session-object.h"

#include "control/operation.h"
#include "util/entropy.h"
#include "util/realtime.h"

#include <assert.h>
#include <stdarg.h>

/* 60 random bits: not to be guessed or counted. The first letter is one, so that the path needs no escape. */
#define ID_LEN 12u
/* Two equal ids of 60 bits do not happen; a broken source of randomness must not hang the daemon. */
#define ID_ATTEMPTS 8u

static void make_id(char ret[ID_LEN + 1]) {
        static const char letters[32] = "abcdefghijkmnpqrstuvwxyz23456789";
        uint8_t bytes[ID_LEN];

        entropy_fill(bytes, sizeof(bytes));
        for (size_t i = 0; i < ID_LEN; i++)
                ret[i] = letters[bytes[i] % (i == 0 ? 16 : 32)];
        ret[ID_LEN] = '\0';
}

static SessionObject *find_any(Daemon *daemon, const char *id) {
        SessionObject *session;

        HASH_FIND_STR(daemon->sessions, id, session);
        return session;
}

static int choose_id(SessionObject *session) {
        char id[ID_LEN + 1];
        unsigned attempt = 0;

        do {
                if (attempt++ >= ID_ATTEMPTS)
                        return -EEXIST;
                make_id(id);
        } while (find_any(session->daemon, id));
        session->id = strdup(id);
        if (!session->id)
                return -ENOMEM;
        return sd_bus_path_encode(SESSION_PATH, session->id, &session->path);
}

int session_object_new(SessionObject **ret, Daemon *daemon, const Caller *owner, const SessionRequest *request) {
        _cleanup_(session_object_free_p) SessionObject *session = NULL;
        SessionConfig config = request->config;
        int r;

        session = calloc(1, sizeof(*session));
        if (!session)
                return -ENOMEM;
        *session = (SessionObject){
                .daemon = daemon,
                .preset = request->preset,
                .schedule = request->schedule,
                .owner = *owner,
                .exclusive = request->exclusive,
                .linger = request->linger,
                .created_usec = realtime_usec(),
        };
        r = quota_charge(daemon->quota, owner->uid, QUOTA_SESSIONS, 1, &session->charge);
        if (r == 0)
                r = quota_charge(daemon->quota, owner->uid, QUOTA_KEYS, 0, &session->keys);
        if (r != 0)
                return r < 0 ? r : SESSION_OBJECT_QUOTA;
        session->label = strdup(request->label);
        if (!session->label)
                return -ENOMEM;
        r = choose_id(session);
        if (r < 0)
                return r;
        config.account = owner->uid;
        r = session_new(&session->session, daemon->plane, &config, session_events_handle, session);
        if (r < 0)
                return r;
        HASH_ADD_KEYPTR(hh, daemon->sessions, session->id, strlen(session->id), session);
        if (!session->hh.tbl)
                return -ENOMEM;
        watchers_tell(daemon->watchers, "SessionNew", session);
        *ret = take_ptr(session);
        return 0;
}

static void detach(SessionObject *session, Attached *attached) {
        DL_DELETE(session->attached, attached);
        free(attached);
}

static Attached *find_attached(const SessionObject *session, const char *name) {
        Attached *attached;

        DL_FOREACH(session->attached, attached) {
                if (strcmp(attached->name, name) == 0)
                        return attached;
        }
        return NULL;
}

SessionObject *session_object_free(SessionObject *session) {
        ParticipantObject *participant, *next;

        if (!session)
                return NULL;
        if (session->hh.tbl) {
                HASH_DEL(session->daemon->sessions, session);
                watchers_tell(session->daemon->watchers, "SessionRemoved", session);
        }
        while (session->channels)
                (void)channel_object_free(session->channels);
        channel_object_forget_session(session);
        operation_cancel_reading(session);
        {
                Session *closing = take_ptr(session->session);

                (void)session_free(closing); /* operations that wait for a derivation end here */
        }
        assert(!session->operations);
        HASH_ITER (by_identity, session->by_identity, participant, next)
                (void)participant_object_free(participant);
        while (session->attached)
                detach(session, session->attached);
        charge_release(&session->keys);
        charge_release(&session->charge);
        free(session->label);
        free(session->path);
        free(session->id);
        free(session);
        return NULL;
}

SessionObject *session_object_find(Daemon *daemon, const Caller *caller, const char *id) {
        SessionObject *session = find_any(daemon, id);

        return session && caller_may_read(caller, session->owner.uid) ? session : NULL;
}

bool session_object_is_owner(const SessionObject *session, const Caller *caller) {
        return !session->orphaned && strcmp(session->owner.name, caller->name) == 0;
}

bool session_object_may_change(const SessionObject *session, const Caller *caller) {
        return session_object_is_owner(session, caller) || find_attached(session, caller->name);
}

int session_object_attach(SessionObject *session, const Caller *caller) {
        unsigned n;
        Attached *attached;

        if (session_object_may_change(session, caller))
                return 0;
        if (session->exclusive || caller->uid != session->owner.uid)
                return -EPERM;
        DL_COUNT(session->attached, attached, n);
        if (n >= SESSION_ATTACHED_MAX)
                return -EDQUOT;
        attached = calloc(1, sizeof(*attached));
        if (!attached)
                return -ENOMEM;
        memcpy(attached->name, caller->name, sizeof(attached->name));
        DL_APPEND(session->attached, attached);
        return 0;
}

static void owner_left(SessionObject *session) {
        if (session->linger) {
                session->orphaned = true;
                return;
        }
        audit_write(session->daemon->audit, &(AuditRecord){ .action = AUDIT_CLOSE_SESSION,
                                                            .caller = &session->owner,
                                                            .session = session->id,
                                                            .index = AUDIT_NO_NUMBER,
                                                            .step = AUDIT_NO_NUMBER,
                                                            .reason = "its owner left the bus",
                                                            .result = "ok" });
        (void)session_object_free(session);
}

void session_object_name_left(Daemon *daemon, const char *name) {
        SessionObject *session, *next;

        HASH_ITER (hh, daemon->sessions, session, next) {
                Attached *attached = find_attached(session, name);

                if (attached)
                        detach(session, attached);
                if (!session->orphaned && strcmp(session->owner.name, name) == 0)
                        owner_left(session);
        }
}

ParticipantObject *session_object_participant(const SessionObject *session, const char *identity) {
        ParticipantObject *participant;

        HASH_FIND(by_identity, session->by_identity, identity, strlen(identity), participant);
        return participant;
}

const char *session_object_identity(const SessionObject *session, uint32_t id) {
        ParticipantObject *participant;

        if (id == SESSION_SHARED)
                return "";
        HASH_FIND(by_id, session->by_id, &id, sizeof(id), participant);
        return participant ? participant->identity : NULL;
}

ChannelObject *session_object_channel(const SessionObject *session, uint32_t number) {
        ChannelObject *channel;

        HASH_FIND(hh, session->channels, &number, sizeof(number), channel);
        return channel;
}

int session_object_settle_keys(SessionObject *session) {
        return charge_resize(&session->keys, (uint64_t)session_n_keys(session->session) + session->n_pending_keys);
}

/* Keys of a sender that another one took the place of: they would be retired in a while anyway. */
static void retire_unused(SessionObject *session, uint32_t participant, uint32_t made) {
        for (uint32_t index = 0; index < session_config(session->session)->ring_size; index++) {
                SessionKeyInfo info;

                if (index == made || session_key_info(session->session, participant, index, &info) != 0 || info.active)
                        continue;
                if (session_retire(session->session, participant, index) == 0)
                        session_object_emit(session, "KeyWiped", "suu", session_object_identity(session, participant),
                                            index, info.step);
        }
}

void session_object_settle_made(SessionObject *session, uint32_t participant, uint32_t index) {
        if (session_object_settle_keys(session) == 0)
                return;
        retire_unused(session, participant, index);
        if (session_object_settle_keys(session) != 0)
                charge_force(&session->keys, session_n_keys(session->session) + (uint64_t)session->n_pending_keys);
}

/* Unicast: a broadcast would tell every user of the machine who is in whose call. */
static int emit_to(SessionObject *session, const char *destination, const char *interface, const char *member,
                   const char *types, va_list values) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *signal = NULL;
        va_list copy;
        int r;

        r = sd_bus_message_new_signal(session->daemon->bus, &signal, session->path, interface, member);
        if (r < 0)
                return r;
        va_copy(copy, values);
        r = sd_bus_message_appendv(signal, types, copy);
        va_end(copy);
        if (r < 0)
                return r;
        r = sd_bus_message_set_destination(signal, destination);
        if (r < 0)
                return r;
        return sd_bus_send(session->daemon->bus, signal, NULL);
}

static void emit(SessionObject *session, const char *interface, const char *member, const char *types, va_list values) {
        Attached *attached;
        int r = 0, q;

        if (!session->orphaned)
                r = emit_to(session, session->owner.name, interface, member, types, values);
        DL_FOREACH(session->attached, attached) {
                q = emit_to(session, attached->name, interface, member, types, values);
                if (r >= 0)
                        r = q;
        }
        if (r < 0)
                log_line(session->daemon->log, LOG_WARNING, "Signal %s of session %s was lost: %s.", member,
                         session->id, strerror(-r));
}

void session_object_emit(SessionObject *session, const char *member, const char *types, ...) {
        va_list values;

        va_start(values, types);
        emit(session, SESSION_INTERFACE, member, types, values);
        va_end(values);
}

static void emit_properties(SessionObject *session, const char *types, ...) {
        va_list values;

        va_start(values, types);
        emit(session, "org.freedesktop.DBus.Properties", "PropertiesChanged", types, values);
        va_end(values);
}

void session_object_invalidate(SessionObject *session, const char *property) {
        emit_properties(session, "sa{sv}as", SESSION_INTERFACE, 0, 1, property);
}

void session_object_tell_installed(SessionObject *session, uint32_t participant, uint32_t index, uint64_t generation,
                                   uint32_t step) {
        const char *identity = session_object_identity(session, participant);
        SessionKeyInfo info;

        if (!identity)
                return;
        session_object_emit(session, "KeyInstalled", "sutu", identity, index, generation, step);
        if (session_key_info(session->session, participant, index, &info) == 0 && info.active)
                session_object_emit(session, "KeyActivated", "su", identity, index);
}
