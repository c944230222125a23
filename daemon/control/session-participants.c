/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.framekey1.Session: who is in the call, who comes and who goes. */
#include "control/errors.h"
#include "control/key-options.h"
#include "control/request.h"
#include "control/session-bus.h"
#include "util/realtime.h"

#include <inttypes.h>
#include <stdio.h>

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
        ParticipantMember member;
} AddOptions;

#define MEMBER_ROWS                                                                                                    \
        { .name = "member-index",                                                                                      \
          .type = OPTION_U64,                                                                                          \
          .offset = offsetof(AddOptions, member.index),                                                                \
          .max = UINT64_MAX,                                                                                           \
          .given_offset = offsetof(AddOptions, member.given),                                                          \
          .only = KEY_OPTION_MLS },                                                                                    \
        {                                                                                                              \
                .name = "context", .type = OPTION_U64, .offset = offsetof(AddOptions, member.context),                 \
                .max = UINT64_MAX, .only = KEY_OPTION_MLS                                                              \
        }

#define FOLLOWS_ROW                                                                                                    \
        { .name = "follows", .type = OPTION_WORD, .offset = offsetof(AddOptions, follows), .words = follows_words }

static const Option add_options[] = { FOLLOWS_ROW, MEMBER_ROWS, { .name = NULL } };

static const Option join_options[] = {
        FOLLOWS_ROW,
        MEMBER_ROWS,
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

/* What the key plane says to a place in the group, or to the epochs' keys that the newcomer gets. */
static int refuse_member(SessionObject *session, int r, sd_bus_error *error) {
        if (r == -ERANGE)
                return error_set_invalid(error,
                                         "Options 'member-index' and 'context' do not fit into a KID with %u bits for "
                                         "the index and %u for the epoch.",
                                         session_config(session->session)->mls_index_bits,
                                         session_config(session->session)->mls_epoch_bits);
        if (r == PARTICIPANT_PLANE + SESSION_KEY_EXISTS)
                return error_set(error, ERROR_MEMBER_EXISTS);
        return r < 0 ? r : error_set_outcome(error, r - PARTICIPANT_PLANE);
}

static int add(SessionObject *session, const char *identity, bool local, const AddOptions *options,
               ParticipantObject **ret, sd_bus_error *error) {
        Follows follows = options->follows;
        int r;

        if (identity[0] == '\0')
                return error_set_invalid(error, "The identity is empty; the empty one stands for the shared key.");
        if (local && follows != FOLLOWS_UNSAID)
                return error_set_invalid(error, "Option 'follows' is about remote participants; leave it out.");
        r = request_check_text("identity", identity, PARTICIPANT_IDENTITY_MAX, error);
        if (r < 0)
                return r;
        r = participant_object_new(ret, session, identity, local, &options->member);
        if (r == PARTICIPANT_EXISTS)
                return error_set(error, ERROR_PARTICIPANT_EXISTS);
        if (r == PARTICIPANT_QUOTA)
                return error_setf(error, ERROR_QUOTA_EXCEEDED,
                                  "Your quota of %" PRIu64 " participants is used up; remove some, or ask the "
                                  "administrator for more.",
                                  quota_limit(session->daemon->quota, QUOTA_PARTICIPANTS));
        if (r != 0)
                return refuse_member(session, r, error);
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
        r = options_read_for(message, add_options, key_options_kind(&session->schedule), &options, error);
        if (r < 0)
                return r;
        r = request_change(session, message, AUDIT_ADD_PARTICIPANT, &caller, error);
        if (r < 0)
                return r;
        r = read_role(role, &local, error);
        if (r >= 0)
                r = add(session, identity, local, &options, &participant, error);
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
        r = options_read_for(message, join_options, key_options_kind(&session->schedule), &options, error);
        if (r < 0)
                return r;
        r = request_change(session, message, AUDIT_JOIN, &caller, error);
        if (r < 0)
                return r;
        r = add(session, identity, false, &options, &participant, error);
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

/* ---- what passes without a key ---- */

/* Whoever is silent for longer asks again. */
#define CLEAR_SILENCE_MAX_USEC (24 * 3600 * USEC_PER_SEC)
/* A call goes over to encryption within 10 s, or something is wrong with it. */
#define CLEAR_ALL_MAX_USEC (60 * USEC_PER_SEC)

static const struct {
        const char *word;
        SessionClear clear;
        uint64_t most_usec;
} clear_words[] = {
        { "nothing", SESSION_CLEAR_NOTHING, USEC_INFINITY },
        { "silence", SESSION_CLEAR_SILENCE, CLEAR_SILENCE_MAX_USEC },
        { "all", SESSION_CLEAR_ALL, CLEAR_ALL_MAX_USEC },
};

const char *session_clear_name(SessionClear clear) {
        return clear_words[clear].word;
}

static int allow_clear(SessionObject *session, const char *identity, const char *what, uint64_t usec,
                       sd_bus_error *error) {
        uint32_t id = 0;
        size_t i = 0;
        int r;

        if (session_config(session->session)->format != FRAMEKEY_FORMAT_DAVE)
                return error_set_invalid(error, "Only sessions of the profile dave can let unencrypted frames pass.");
        while (i < ELEMENTS(clear_words) && strcmp(clear_words[i].word, what) != 0)
                i++;
        if (i == ELEMENTS(clear_words))
                return error_set_invalid(error, "What may pass is '%.64s'; it must be silence, all or nothing.", what);
        if (usec > clear_words[i].most_usec)
                return error_set_invalid(error,
                                         "This may pass for %" PRIu64 " s at most; ask again when they are over.",
                                         clear_words[i].most_usec / USEC_PER_SEC);
        r = request_participant(session, identity, &id, error);
        if (r < 0)
                return r;
        r = session_allow_clear(session->session, id, clear_words[i].clear, usec);
        return r == 0 ? 0 : error_set_outcome(error, r);
}

int session_method_allow_unencrypted(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        SessionObject *session = userdata;
        const char *identity, *what;
        AuditRecord record;
        char setting[64];
        Caller caller;
        uint64_t usec;
        int r;

        r = sd_bus_message_read(message, "sst", &identity, &what, &usec);
        if (r < 0)
                return r;
        r = options_read(message, options_none, NULL, error);
        if (r < 0)
                return r;
        r = request_change(session, message, AUDIT_ALLOW_UNENCRYPTED, &caller, error);
        if (r < 0)
                return r;
        r = allow_clear(session, identity, what, usec, error);
        (void)snprintf(setting, sizeof(setting), "%.16s=%" PRIu64, what, usec);
        record = request_record(AUDIT_ALLOW_UNENCRYPTED, &caller, identity, AUDIT_NO_NUMBER);
        record.setting = setting;
        (void)request_audit(session, &record, r, error);
        return r < 0 ? r : sd_bus_reply_method_return(message, NULL);
}
