/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.framekey1.Session: who is in the call, who comes and who goes. */
#include "control/errors.h"
#include "control/options.h"
#include "control/request.h"
#include "control/session-bus.h"
#include "util/realtime.h"

static const OptionWord roles[] = { { "local", true }, { "remote", false }, { NULL, 0 } };

/* Whether a remote participant catches up several steps. */
typedef enum Follows {
        FOLLOWS_ONE_STEP,
        FOLLOWS_WINDOW,
        FOLLOWS_UNSAID,
} Follows;

_Static_assert(sizeof(Follows) == sizeof(uint32_t), "OPTION_WORD writes 32 bits");

static const OptionWord follows_words[] = {
        { "window", FOLLOWS_WINDOW },
        { "one-step", FOLLOWS_ONE_STEP },
        { NULL, 0 },
};

typedef struct AddOptions {
        Follows follows;
        bool ratchet;
} AddOptions;

#define FOLLOWS_ROW                                                                                                    \
        { .name = "follows", .type = OPTION_WORD, .offset = offsetof(AddOptions, follows), .words = follows_words }

static const Option add_options[] = { FOLLOWS_ROW, { .name = NULL } };

static const Option join_options[] = {
        FOLLOWS_ROW,
        { .name = "ratchet", .type = OPTION_BOOL, .offset = offsetof(AddOptions, ratchet) },
        { .name = NULL },
};

static int read_role(const char *role, bool *ret_local, sd_bus_error *error) {
        const OptionWord *word = roles;

        while (word->word && strcmp(word->word, role) != 0)
                word++;
        if (!word->word)
                return error_set_invalid(error, "The role is '%.64s'; it must be local or remote.", role);
        *ret_local = word->value;
        return 0;
}

static int add(SessionObject *session, const char *identity, bool local, Follows follows, ParticipantObject **ret,
               sd_bus_error *error) {
        int r;

        if (identity[0] == '\0')
                return error_set_invalid(error, "The identity is empty; the empty one stands for the shared key.");
        if (local && follows != FOLLOWS_UNSAID)
                return error_set_invalid(error, "Option 'follows' is about remote participants; leave it out.");
        r = request_check_text("identity", identity, PARTICIPANT_IDENTITY_MAX, error);
        if (r < 0)
                return r;
        r = participant_object_new(ret, session, identity, local);
        if (r == PARTICIPANT_EXISTS)
                return error_set(error, ERROR_PARTICIPANT_EXISTS);
        if (r == PARTICIPANT_QUOTA)
                return error_setf(error, ERROR_QUOTA_EXCEEDED,
                                  "Your quota of %" PRIu64 " participants is used up; remove some, or ask the "
                                  "administrator for more.",
                                  quota_limit(session->daemon->quota, QUOTA_PARTICIPANTS));
        if (r != 0)
                return r < 0 ? r : -EIO;
        if (follows == FOLLOWS_WINDOW)
                (void)session_set_follows_window(session->session, (*ret)->id, true); /* it is there */
        return 0;
}

int session_method_add_participant(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        AddOptions options = { .follows = FOLLOWS_UNSAID };
        SessionObject *session = userdata;
        ParticipantObject *participant = NULL;
        const char *identity, *role;
        AuditRecord record;
        bool local = false;
        Caller caller;
        int r;

        r = sd_bus_message_read(message, "ss", &identity, &role);
        if (r < 0)
                return r;
        r = options_read(message, add_options, &options, error);
        if (r < 0)
                return r;
        r = request_change(session, message, AUDIT_ADD_PARTICIPANT, &caller, error);
        if (r < 0)
                return r;
        r = read_role(role, &local, error);
        if (r >= 0)
                r = add(session, identity, local, options.follows, &participant, error);
        record = request_record(AUDIT_ADD_PARTICIPANT, &caller, identity, AUDIT_NO_NUMBER);
        (void)request_audit(session, &record, r, error);
        if (r < 0)
                return r;
        session_object_invalidate(session, "Participants");
        return sd_bus_reply_method_return(message, "o", participant->path);
}

int session_method_join(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        AddOptions options = { .follows = FOLLOWS_UNSAID };
        SessionObject *session = userdata;
        ParticipantObject *participant = NULL;
        const char *identity;
        AuditRecord record;
        uint64_t when;
        Caller caller;
        int r;

        r = sd_bus_message_read(message, "s", &identity);
        if (r < 0)
                return r;
        r = options_read(message, join_options, &options, error);
        if (r < 0)
                return r;
        r = request_change(session, message, AUDIT_JOIN, &caller, error);
        if (r < 0)
                return r;
        r = add(session, identity, false, options.follows, &participant, error);
        record = request_record(AUDIT_JOIN, &caller, identity, AUDIT_NO_NUMBER);
        (void)request_audit(session, &record, r, error);
        if (r < 0)
                return r;
        when = session_joined(session->session, options.ratchet);
        session_object_invalidate(session, "Participants");
        return sd_bus_reply_method_return(message, "ot", participant->path, realtime_from_boottime(when));
}

static int drop(SessionObject *session, const Caller *caller, AuditAction action, const char *identity,
                sd_bus_error *error) {
        ParticipantObject *participant = session_object_participant(session, identity);
        AuditRecord record = request_record(action, caller, identity, AUDIT_NO_NUMBER);
        int r = participant ? 0 : error_set(error, ERROR_NO_SUCH_PARTICIPANT);

        (void)request_audit(session, &record, r, error);
        if (r < 0)
                return r;
        (void)participant_object_free(participant);
        session_object_invalidate(session, "Participants");
        return 0;
}

typedef struct RemoveOptions {
        bool rotate;
} RemoveOptions;

static const Option remove_options[] = {
        { .name = "rotate", .type = OPTION_BOOL, .offset = offsetof(RemoveOptions, rotate) },
        { .name = NULL },
};

int session_method_remove_participant(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        SessionObject *session = userdata;
        RemoveOptions options = { 0 };
        const char *identity;
        AuditAction action;
        Caller caller;
        int r;

        r = sd_bus_message_read(message, "s", &identity);
        if (r < 0)
                return r;
        r = options_read(message, remove_options, &options, error);
        if (r < 0)
                return r;
        action = options.rotate ? AUDIT_LEAVE : AUDIT_REMOVE_PARTICIPANT;
        r = request_change(session, message, action, &caller, error);
        if (r < 0)
                return r;
        r = drop(session, &caller, action, identity, error);
        if (r < 0)
                return r;
        if (options.rotate)
                (void)session_left(session->session); /* the signals tell when */
        return sd_bus_reply_method_return(message, NULL);
}

int session_method_leave(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        SessionObject *session = userdata;
        const char *identity;
        Caller caller;
        int r;

        r = sd_bus_message_read(message, "s", &identity);
        if (r < 0)
                return r;
        r = options_read(message, options_none, NULL, error);
        if (r < 0)
                return r;
        r = request_change(session, message, AUDIT_LEAVE, &caller, error);
        if (r < 0)
                return r;
        r = drop(session, &caller, AUDIT_LEAVE, identity, error);
        if (r < 0)
                return r;
        return sd_bus_reply_method_return(message, "t", realtime_from_boottime(session_left(session->session)));
}
