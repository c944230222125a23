/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Journal records with MESSAGE_ID and fields, within a budget for each user; see audit.h. */
#include "control/audit.h"

#include "control/table.h"
#include "framekey-messages.h"
#include "util/clock.h"

#include <inttypes.h>
#include <stdio.h>

/* Enough for a call of a thousand participants to start at once, and for an app that re-keys all the time. */
#define BURST         2000u
#define USEC_A_RECORD (50 * USEC_PER_MSEC)
/* Users remembered; a budget that is full again need not be. */
#define USERS_MAX 256u
/* After so long it is told what was left out, if no record that fits in tells it before. */
#define TELL_USEC (2 * USEC_PER_SEC)
/* The longest fields: a participant's identity, escaped or not, and a reason. */
#define FIELD_MAX 320u

static const struct {
        const char *name;
        const char *message_id;
} actions[AUDIT_ACTION_MAX] = {
        [AUDIT_OPEN_SESSION] = { "open-session", FRAMEKEY_MESSAGE_OPEN_SESSION },
        [AUDIT_CLOSE_SESSION] = { "close-session", FRAMEKEY_MESSAGE_CLOSE_SESSION },
        [AUDIT_ATTACH_SESSION] = { "attach-session", FRAMEKEY_MESSAGE_ATTACH_SESSION },
        [AUDIT_ADD_PARTICIPANT] = { "add-participant", FRAMEKEY_MESSAGE_ADD_PARTICIPANT },
        [AUDIT_REMOVE_PARTICIPANT] = { "remove-participant", FRAMEKEY_MESSAGE_REMOVE_PARTICIPANT },
        [AUDIT_JOIN] = { "join", FRAMEKEY_MESSAGE_JOIN },
        [AUDIT_LEAVE] = { "leave", FRAMEKEY_MESSAGE_LEAVE },
        [AUDIT_ALLOW_UNENCRYPTED] = { "allow-unencrypted", FRAMEKEY_MESSAGE_ALLOW_UNENCRYPTED },
        [AUDIT_IMPORT_KEY] = { "import-key", FRAMEKEY_MESSAGE_IMPORT_KEY },
        [AUDIT_IMPORT_CREDENTIAL] = { "import-credential", FRAMEKEY_MESSAGE_IMPORT_CREDENTIAL },
        [AUDIT_GENERATE_KEY] = { "generate-key", FRAMEKEY_MESSAGE_GENERATE_KEY },
        [AUDIT_IMPORT_WRAPPED] = { "import-wrapped", FRAMEKEY_MESSAGE_IMPORT_WRAPPED },
        [AUDIT_EXPORT_WRAPPED] = { "export-wrapped", FRAMEKEY_MESSAGE_EXPORT_WRAPPED },
        [AUDIT_RATCHET] = { "ratchet", FRAMEKEY_MESSAGE_RATCHET },
        [AUDIT_ROTATE] = { "rotate", FRAMEKEY_MESSAGE_ROTATE },
        [AUDIT_ACTIVATE] = { "activate", FRAMEKEY_MESSAGE_ACTIVATE },
        [AUDIT_RETIRE_KEY] = { "retire-key", FRAMEKEY_MESSAGE_RETIRE_KEY },
        [AUDIT_SECURITY_CODE] = { "security-code", FRAMEKEY_MESSAGE_SECURITY_CODE },
        [AUDIT_OPEN_CHANNEL] = { "open-channel", FRAMEKEY_MESSAGE_OPEN_CHANNEL },
        [AUDIT_CLOSE_CHANNEL] = { "close-channel", FRAMEKEY_MESSAGE_CLOSE_CHANNEL },
        [AUDIT_ADD_STREAM] = { "add-stream", FRAMEKEY_MESSAGE_ADD_STREAM },
        [AUDIT_REMOVE_STREAM] = { "remove-stream", FRAMEKEY_MESSAGE_REMOVE_STREAM },
        [AUDIT_CHANNEL_VIOLATED] = { "channel-violated", FRAMEKEY_MESSAGE_CHANNEL_VIOLATED },
        [AUDIT_LOCK] = { "lock", FRAMEKEY_MESSAGE_LOCK },
        [AUDIT_SET_RATCHET] = { "set-ratchet", FRAMEKEY_MESSAGE_SET_RATCHET },
        [AUDIT_SET_POLICY] = { "set-policy", FRAMEKEY_MESSAGE_SET_POLICY },
        [AUDIT_RELOAD] = { "reload", FRAMEKEY_MESSAGE_RELOAD },
        [AUDIT_SET_LOG] = { "set-log", FRAMEKEY_MESSAGE_SET_LOG },
        [AUDIT_AUTHORIZE] = { "authorize", FRAMEKEY_MESSAGE_AUTHORIZE },
        [AUDIT_FIND] = { "find", FRAMEKEY_MESSAGE_FIND },
};

/* A bucket of records: full means nothing to remember. */
typedef struct AuditUser {
        uid_t uid;
        uint64_t since_usec; /* the bucket was empty then; each USEC_A_RECORD fills in one */
        uint64_t dropped;
        UT_hash_handle hh;
} AuditUser;

struct Audit {
        const Log *log;
        AuditUser *users;
        uint64_t n_records;
        sd_event_source *timer; /* armed while something was left out and not told */
};

static void user_free(Audit *audit, AuditUser *user) {
        /* The analyzer does not see that HASH_DEL() mends the neighbours. */
        HASH_DEL(audit->users, user); /* NOLINT(clang-analyzer-unix.Malloc) */
        free(user);
}

static void forget_idle(Audit *audit, uint64_t now_usec) {
        AuditUser *user, *next;

        HASH_ITER (hh, audit->users, user, next) {
                if (now_usec - user->since_usec >= BURST * USEC_A_RECORD && user->dropped == 0)
                        user_free(audit, user);
        }
}

static AuditUser *user_get(Audit *audit, uid_t uid, uint64_t now_usec) {
        AuditUser *user;

        HASH_FIND(hh, audit->users, &uid, sizeof(uid), user);
        if (user)
                return user;
        if (HASH_COUNT(audit->users) >= USERS_MAX)
                forget_idle(audit, now_usec);
        user = calloc(1, sizeof(*user));
        if (!user)
                return NULL;
        user->uid = uid;
        user->since_usec = now_usec > BURST * USEC_A_RECORD ? now_usec - BURST * USEC_A_RECORD : 0;
        HASH_ADD(hh, audit->users, uid, sizeof(user->uid), user); /* NOLINT(clang-analyzer-unix.Malloc): as above */
        if (!user->hh.tbl) {
                free(user);
                return NULL;
        }
        return user;
}

/* Every field that a record can have, and one. */
#define FIELDS_MAX 17u

typedef struct Fields {
        char text[FIELDS_MAX][FIELD_MAX];
        struct iovec iov[FIELDS_MAX];
        size_t n;
} Fields;

static void field_add(Fields *fields, const char *name, const char *value) {
        char *text = fields->text[fields->n];

        (void)snprintf(text, FIELD_MAX, "%s=%s", name, value);
        fields->iov[fields->n++] = (struct iovec){ text, strlen(text) };
}

static void field_add_number(Fields *fields, const char *name, uint64_t value) {
        char text[24];

        (void)snprintf(text, sizeof(text), "%" PRIu64, value);
        field_add(fields, name, text);
}

static void tell_dropped(Audit *audit, AuditUser *user) {
        Fields fields = { .n = 0 };
        char message[128];

        (void)snprintf(message, sizeof(message), "%" PRIu64 " audit records of uid %u were dropped: too many at once.",
                       user->dropped, (unsigned)user->uid);
        field_add(&fields, "MESSAGE_ID", FRAMEKEY_MESSAGE_AUDIT_DROPPED);
        field_add_number(&fields, "FK_DROPPED", user->dropped);
        field_add_number(&fields, "FK_OWNER_UID", user->uid);
        log_fields(audit->log, LOG_WARNING, message, fields.iov, fields.n);
        user->dropped = 0;
}

/* Whether there may be one more record. What root asks for is always told. */
static bool spend(Audit *audit, const AuditRecord *record) {
        uid_t uid = record->caller ? record->caller->uid : record->owner_uid;
        uint64_t now_usec = clock_boottime_usec();
        AuditUser *user;

        if (record->caller && uid == 0)
                return true;
        user = user_get(audit, uid, now_usec);
        if (!user)
                return true; /* rather one line too many than none */
        if (now_usec - user->since_usec > BURST * USEC_A_RECORD)
                user->since_usec = now_usec - BURST * USEC_A_RECORD;
        if (now_usec - user->since_usec < USEC_A_RECORD) {
                user->dropped++;
                (void)sd_event_source_set_time_relative(audit->timer,
                                                        TELL_USEC); /* else it is told with the next one */
                (void)sd_event_source_set_enabled(audit->timer, SD_EVENT_ONESHOT);
                return false;
        }
        user->since_usec += USEC_A_RECORD;
        if (user->dropped > 0) {
                tell_dropped(audit, user);
        }
        return true;
}

static void message_add(char *message, size_t size, const char *name, const char *value) {
        char escaped[LOG_ESCAPED_MAX];
        size_t len = strlen(message);

        (void)snprintf(message + len, size - len, " %s=\"%s\"", name, log_escape(value, escaped));
}

static void message_add_number(char *message, size_t size, const char *name, uint64_t value) {
        size_t len = strlen(message);

        (void)snprintf(message + len, size - len, " %s=%" PRIu64, name, value);
}

static void add_text(char *message, size_t size, Fields *fields, const char *name, const char *field,
                     const char *value) {
        if (!value)
                return;
        message_add(message, size, name, value);
        field_add(fields, field, value);
}

static void add_actor(char *message, size_t size, Fields *fields, const AuditRecord *record) {
        const Caller *caller = record->caller;

        if (!caller) {
                message_add_number(message, size, "owner", record->owner_uid);
                field_add_number(fields, "FK_OWNER_UID", record->owner_uid);
                return;
        }
        message_add_number(message, size, "uid", caller->uid);
        message_add_number(message, size, "pid", (uint64_t)caller->pid);
        message_add(message, size, "sender", caller->name);
        field_add_number(fields, "FK_SENDER_UID", caller->uid);
        field_add_number(fields, "FK_SENDER_PID", (uint64_t)caller->pid);
        field_add(fields, "FK_SENDER_UNIQUE", caller->name);
}

/* The flood has ended, or goes on: nobody has to wait for the next record to hear of it. */
static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        Audit *audit = userdata;

        for (AuditUser *user = audit->users; user; user = user->hh.next)
                if (user->dropped > 0)
                        tell_dropped(audit, user);
        return 0;
}

int audit_new(Audit **ret, const Log *log, sd_event *event) {
        Audit *audit = calloc(1, sizeof(*audit));
        int r;

        if (!audit)
                return -ENOMEM;
        audit->log = log;
        r = sd_event_add_time(event, &audit->timer, CLOCK_MONOTONIC, 0, USEC_PER_SEC, on_timer, audit);
        if (r >= 0)
                r = sd_event_source_set_enabled(audit->timer, SD_EVENT_OFF);
        if (r < 0) {
                (void)audit_free(audit);
                return r;
        }
        *ret = audit;
        return 0;
}

Audit *audit_free(Audit *audit) {
        AuditUser *user, *next;

        if (!audit)
                return NULL;
        HASH_ITER (hh, audit->users, user, next) {
                if (user->dropped > 0)
                        tell_dropped(audit, user);
                user_free(audit, user);
        }
        sd_event_source_disable_unref(audit->timer);
        free(audit);
        return NULL;
}

uint64_t audit_count(const Audit *audit) {
        return audit->n_records;
}

void audit_write(Audit *audit, const AuditRecord *record) {
        char message[3 * LOG_ESCAPED_MAX] = "audit: ";
        Fields fields = { .n = 0 };

        audit->n_records++;
        if (!spend(audit, record))
                return;
        (void)strncat(message, actions[record->action].name, 64);
        field_add(&fields, "MESSAGE_ID", actions[record->action].message_id);
        field_add(&fields, "FK_ACTION", actions[record->action].name);
        add_text(message, sizeof(message), &fields, "session", "FK_SESSION", record->session);
        add_text(message, sizeof(message), &fields, "participant", "FK_PARTICIPANT", record->participant);
        if (record->index != AUDIT_NO_NUMBER) {
                message_add_number(message, sizeof(message), "index", record->index);
                field_add_number(&fields, "FK_KEY_INDEX", record->index);
        }
        if (record->step != AUDIT_NO_NUMBER) {
                message_add_number(message, sizeof(message), "step", record->step);
                field_add_number(&fields, "FK_KEY_STEP", record->step);
        }
        add_text(message, sizeof(message), &fields, "recipient", "FK_RECIPIENT", record->recipient);
        add_text(message, sizeof(message), &fields, "credential", "FK_CREDENTIAL", record->credential);
        add_text(message, sizeof(message), &fields, "setting", "FK_SETTING", record->setting);
        add_text(message, sizeof(message), &fields, "method", "FK_METHOD", record->method);
        add_text(message, sizeof(message), &fields, "polkit", "FK_POLKIT_ACTION", record->polkit);
        add_text(message, sizeof(message), &fields, "reason", "FK_REASON", record->reason);
        add_actor(message, sizeof(message), &fields, record);
        add_text(message, sizeof(message), &fields, "result", "FK_RESULT", record->result);
        log_fields(audit->log, LOG_NOTICE, message, fields.iov, fields.n);
}
