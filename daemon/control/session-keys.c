/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.framekey1.Session: keys that come, step, are replaced, used and retired. */
#include "control/errors.h"
#include "control/operation.h"
#include "control/request.h"
#include "control/session-bus.h"

static const Option key_options[] = {
        KEY_OPTION_ROWS(KeyOptions),
        SFRAME_OPTION_ROWS(KeyOptions),
        SOURCE_OPTION_ROWS(KeyOptions),
        ACTIVATION_OPTION_ROWS(KeyOptions),
        { .name = "step", .type = OPTION_U32, .offset = offsetof(KeyOptions, step), .max = SESSION_STEP_MAX },
        { .name = "allow-empty",
          .type = OPTION_BOOL,
          .offset = offsetof(KeyOptions, allow_empty),
          .only = KEY_OPTION_SALTED },
        { .name = NULL },
};

static int read_key_options(sd_bus_message *message, KeyOptions *options, sd_bus_error *error) {
        int r;

        options->activation = ACTIVATION_OPTIONS_NONE;
        r = options_read_for(message, key_options, key_options_kind(&options->schedule), options, error);
        if (r < 0)
                return r;
        activation_options_settle(&options->activation);
        return key_options_check(&options->schedule, error);
}

int session_method_import_key(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        SessionObject *session = userdata;
        KeyOptions options = { .schedule = session->schedule };
        OperationRequest request = { .session = session, .message = message };
        Caller caller;
        int r, fd;

        r = sd_bus_message_read(message, "suh", &request.identity, &request.index, &fd);
        if (r < 0)
                return r;
        r = read_key_options(message, &options, error);
        if (r < 0)
                return r;
        r = request_change(session, message, AUDIT_IMPORT_KEY, &caller, error);
        if (r < 0)
                return r;
        r = request_check_unlocked(session->daemon, error);
        if (r < 0)
                return r;
        request.caller = &caller;
        r = operation_import(&request, fd, &options, error);
        return r < 0 ? r : 1;
}

/* A credential is the administrator's, to be used where the administrator says, or polkit; gate.h has asked. */
static int request_credential(SessionObject *session, sd_bus_message *message, Caller *ret, sd_bus_error *error) {
        AuditRecord record;
        int r;

        r = caller_get(&session->daemon->callers, message, ret);
        if (r < 0 || caller_may(ret, CALLER_IMPORT))
                return r;
        r = session_object_may_change(session, ret)
                    ? authority_explain(session->daemon->authority, message, CALLER_IMPORT, error)
                    : error_set(error, ERROR_NOT_OWNER);
        record = request_record(AUDIT_IMPORT_CREDENTIAL, ret, NULL, AUDIT_NO_NUMBER);
        return request_audit(session, &record, r, error);
}

int session_method_import_credential(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        SessionObject *session = userdata;
        KeyOptions options = { .schedule = session->schedule };
        OperationRequest request = { .session = session, .message = message };
        const char *name;
        Caller caller;
        int r;

        r = sd_bus_message_read(message, "sus", &request.identity, &request.index, &name);
        if (r < 0)
                return r;
        r = read_key_options(message, &options, error);
        if (r < 0)
                return r;
        r = request_credential(session, message, &caller, error);
        if (r < 0)
                return r;
        r = request_check_unlocked(session->daemon, error);
        if (r < 0)
                return r;
        request.caller = &caller;
        r = operation_import_credential(&request, name, &options, error);
        return r < 0 ? r : 1;
}

int session_method_generate_key(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        SessionObject *session = userdata;
        KeyOptions options = { .schedule = session->schedule };
        OperationRequest request = { .session = session, .message = message };
        Caller caller;
        int r;

        r = sd_bus_message_read(message, "su", &request.identity, &request.index);
        if (r < 0)
                return r;
        /* Stretching is for passphrases; random bytes need none. */
        if (options.schedule.kdf == SCHEDULE_PBKDF2)
                options.schedule.kdf = SCHEDULE_HKDF;
        r = read_key_options(message, &options, error);
        if (r < 0)
                return r;
        r = request_change(session, message, AUDIT_GENERATE_KEY, &caller, error);
        if (r < 0)
                return r;
        r = request_check_unlocked(session->daemon, error);
        if (r < 0)
                return r;
        request.caller = &caller;
        r = operation_generate(&request, &options, error);
        return r < 0 ? r : 1;
}

typedef struct RatchetOptions {
        uint32_t index;
} RatchetOptions;

static const Option ratchet_options[] = {
        { .name = "index", .type = OPTION_U32, .offset = offsetof(RatchetOptions, index), .max = UINT32_MAX },
        { .name = NULL },
};

int session_method_ratchet(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        SessionObject *session = userdata;
        RatchetOptions options = { .index = SESSION_ACTIVE };
        OperationRequest request = { .session = session, .message = message };
        Caller caller;
        int r;

        r = sd_bus_message_read(message, "s", &request.identity);
        if (r < 0)
                return r;
        r = options_read(message, ratchet_options, &options, error);
        if (r < 0)
                return r;
        r = request_change(session, message, AUDIT_RATCHET, &caller, error);
        if (r < 0)
                return r;
        request.index = options.index;
        request.caller = &caller;
        r = operation_ratchet(&request, error);
        return r < 0 ? r : 1;
}

/* "": every key that is sent under, which in a shared session is the shared one. */
static int rotate(SessionObject *session, const char *identity, SessionRotation *ret, sd_bus_error *error) {
        uint32_t id = SESSION_SENDERS;
        int r;

        if (identity[0] != '\0') {
                r = request_participant(session, identity, &id, error);
                if (r < 0)
                        return r;
        }
        r = session_rotate(session->session, id, SESSION_REASON_REQUEST, ret);
        return r == 0 ? 0 : error_set_outcome(error, r);
}

int session_method_rotate(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        SessionObject *session = userdata;
        SessionRotation rotation = { 0 };
        const char *identity, *reason;
        AuditRecord record;
        Caller caller;
        int r;

        r = sd_bus_message_read(message, "ss", &identity, &reason);
        if (r < 0)
                return r;
        r = options_read(message, options_none, NULL, error);
        if (r < 0)
                return r;
        r = request_check_text("reason", reason, REQUEST_REASON_MAX, error);
        if (r < 0)
                return r;
        r = request_change(session, message, AUDIT_ROTATE, &caller, error);
        if (r < 0)
                return r;
        r = rotate(session, identity, &rotation, error);
        record = request_record(AUDIT_ROTATE, &caller, identity[0] != '\0' ? identity : NULL, AUDIT_NO_NUMBER);
        record.reason = reason;
        (void)request_audit(session, &record, r, error);
        if (r < 0)
                return r;
        return sd_bus_reply_method_return(message, "uu", rotation.n_rotated, rotation.n_requested);
}

static const Option activate_options[] = {
        { .name = "after-usec",
          .type = OPTION_U64,
          .offset = offsetof(SessionActivation, after_usec),
          .max = ACTIVATE_AFTER_MAX_USEC },
        { .name = "at-key-frame", .type = OPTION_BOOL, .offset = offsetof(SessionActivation, at_key_frame) },
        { .name = NULL },
};

static int activate(SessionObject *session, const char *identity, uint32_t index, const SessionActivation *when,
                    sd_bus_error *error) {
        uint32_t id = 0;
        int r;

        r = request_participant(session, identity, &id, error);
        if (r < 0)
                return r;
        r = session_activate(session->session, id, index, when);
        if (r != 0)
                return error_set_outcome(error, r);
        if (activation_is_now(when))
                session_object_emit(session, "KeyActivated", "su", identity, index);
        return 0;
}

int session_method_activate(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        SessionObject *session = userdata;
        SessionActivation when = { 0 };
        AuditRecord record;
        const char *identity;
        Caller caller;
        uint32_t index;
        int r;

        r = sd_bus_message_read(message, "su", &identity, &index);
        if (r < 0)
                return r;
        r = options_read(message, activate_options, &when, error);
        if (r < 0)
                return r;
        r = request_change(session, message, AUDIT_ACTIVATE, &caller, error);
        if (r < 0)
                return r;
        r = activate(session, identity, index, &when, error);
        record = request_record(AUDIT_ACTIVATE, &caller, identity, index);
        (void)request_audit(session, &record, r, error);
        return r < 0 ? r : sd_bus_reply_method_return(message, NULL);
}

static int retire(SessionObject *session, const char *identity, uint32_t index, sd_bus_error *error) {
        SessionKeyInfo info = { 0 };
        uint32_t id = 0;
        int r;

        r = request_participant(session, identity, &id, error);
        if (r < 0)
                return r;
        r = session_key_info(session->session, id, index, &info);
        if (r == 0)
                r = session_retire(session->session, id, index);
        if (r != 0)
                return error_set_outcome(error, r);
        (void)session_object_settle_keys(session); /* fewer: never refused */
        session_object_emit(session, "KeyWiped", "suu", identity, index, info.step);
        return 0;
}

int session_method_retire_key(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        SessionObject *session = userdata;
        AuditRecord record;
        const char *identity;
        Caller caller;
        uint32_t index;
        int r;

        r = sd_bus_message_read(message, "su", &identity, &index);
        if (r < 0)
                return r;
        r = request_change(session, message, AUDIT_RETIRE_KEY, &caller, error);
        if (r < 0)
                return r;
        r = retire(session, identity, index, error);
        record = request_record(AUDIT_RETIRE_KEY, &caller, identity, index);
        (void)request_audit(session, &record, r, error);
        return r < 0 ? r : sd_bus_reply_method_return(message, NULL);
}
