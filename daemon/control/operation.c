/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Key operations between call and answer; see operation.h. */
#include "control/operation.h"

#include "control/credential.h"
#include "control/errors.h"
#include "control/request.h"
#include "control/secret-fd.h"

#include <assert.h>

/* Answers once all steps of a RatchetKeys have ended. */
typedef struct Batch {
        sd_bus_message *message;
        unsigned n_pending; /* operations, and the call that starts them */
        uint32_t n_stepped;
} Batch;

struct Operation {
        SessionObject *session;
        sd_bus_message *message; /* NULL: part of a batch */
        Batch *batch;
        Caller caller;
        AuditAction action;
        char *identity;
        char *reason;     /* of an administrator; may be NULL */
        char *credential; /* its name; NULL: the secret comes from elsewhere */
        uint32_t participant;
        uint32_t index;
        KeyOptions options; /* of a wrapped key: its activation only */
        bool pending_key;   /* counted in the session's n_pending_keys */
        SecretRead *reading;
        Charge charge;
        struct Operation *prev, *next;
};

static void batch_put(Batch *batch) {
        if (!batch || --batch->n_pending > 0)
                return;
        request_answered(batch->message, sd_bus_reply_method_return(batch->message, "u", batch->n_stepped));
        sd_bus_message_unref(batch->message);
        free(batch);
}

static void pending_key_done(Operation *operation) {
        SessionObject *session = operation->session;

        if (!operation->pending_key)
                return;
        operation->pending_key = false;
        session->n_pending_keys--;
}

static Operation *operation_free(Operation *operation) {
        if (!operation)
                return NULL;
        if (operation->prev)
                DL_DELETE(operation->session->operations, operation);
        pending_key_done(operation);
        (void)secret_read_free(operation->reading);
        batch_put(operation->batch);
        sd_bus_message_unref(operation->message);
        charge_release(&operation->charge);
        free(operation->credential);
        free(operation->reason);
        free(operation->identity);
        free(operation);
        return NULL;
}
DEFINE_CLEANUP(Operation, operation_free)

static int operation_new(Operation **ret, const OperationRequest *request, AuditAction action, sd_bus_error *error) {
        _cleanup_(operation_free_p) Operation *operation = NULL;
        SessionObject *session = request->session;
        uint32_t participant = 0;
        int r;

        r = request_participant(session, request->identity, &participant, error);
        if (r < 0)
                return r;
        operation = calloc(1, sizeof(*operation));
        if (!operation)
                return -ENOMEM;
        *operation = (Operation){ .session = session,
                                  .caller = *request->caller,
                                  .action = action,
                                  .participant = participant,
                                  .index = request->index };
        DL_APPEND(session->operations, operation);
        operation->identity = strdup(request->identity);
        if (!operation->identity)
                return -ENOMEM;
        *ret = take_ptr(operation);
        return 0;
}

/* Operations of single calls hold a message, and imports descriptors, as long as a client likes: they are counted. */
static int operation_hold(Operation *operation, sd_bus_message *message, sd_bus_error *error) {
        int r;

        if (!caller_is_admin(&operation->caller) && quota_fds_are_scarce())
                return sd_bus_error_set_const(
                        error, SD_BUS_ERROR_LIMITS_EXCEEDED,
                        "The daemon is nearly out of descriptors; wait, or have the administrator "
                        "raise LimitNOFILE.");
        r = quota_charge(operation->session->daemon->quota, operation->caller.uid, QUOTA_OPERATIONS, 1,
                         &operation->charge);
        if (r == QUOTA_REFUSED)
                return error_setf(error, ERROR_QUOTA_EXCEEDED,
                                  "Too many of your calls are waiting for a key; wait for their answers first.");
        if (r < 0)
                return r;
        operation->message = sd_bus_message_ref(message);
        return 0;
}

static void operation_audit(const Operation *operation, uint32_t step, const char *result) {
        audit_write(operation->session->daemon->audit, &(AuditRecord){ .action = operation->action,
                                                                       .caller = &operation->caller,
                                                                       .session = operation->session->id,
                                                                       .participant = operation->identity,
                                                                       .index = operation->index,
                                                                       .step = step,
                                                                       .reason = operation->reason,
                                                                       .credential = operation->credential,
                                                                       .result = result });
}

/* Answers with an error, tells the audit, and forgets the operation. */
static void operation_refuse(Operation *operation, sd_bus_error *error) {
        operation_audit(operation, AUDIT_NO_NUMBER, error_short_name(error));
        if (operation->message)
                request_answered(operation->message, sd_bus_reply_method_error(operation->message, error));
        sd_bus_error_free(error);
        (void)operation_free(operation);
}

/* A key that took the place of the one in use, or is a sender's first, is in use already: nothing is left to wait for.
 * 0 or a SessionOutcome. */
static int plan_use(const Operation *operation) {
        const ActivationOptions *activation = &operation->options.activation;
        Session *session = operation->session->session;
        SessionKeyInfo info;

        if (!activation->wanted)
                return 0;
        if (session_key_info(session, operation->participant, operation->index, &info) == 0 && info.active)
                return 0;
        return session_activate(session, operation->participant, operation->index, &activation->when);
}

static void answer_installed(const Operation *operation, uint64_t generation) {
        int r = operation->action == AUDIT_IMPORT_WRAPPED
                        ? sd_bus_reply_method_return(operation->message, "ut", operation->index, generation)
                        : sd_bus_reply_method_return(operation->message, "t", generation);

        request_answered(operation->message, r);
}

static void on_installed(Session *plane_session, int result, uint64_t generation, uint32_t step, void *userdata) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        Operation *operation = userdata;
        SessionObject *session = operation->session;

        pending_key_done(operation);
        if (session->session)
                (void)session_object_settle_keys(session); /* what was expected is there now, or is not */
        if (result == 0)
                result = plan_use(operation);
        if (result != 0) {
                (void)error_set_outcome(&error, result);
                operation_refuse(operation, &error);
                return;
        }
        session_object_tell_installed(session, operation->participant, operation->index, generation, step);
        operation_audit(operation, step, "ok");
        answer_installed(operation, generation);
        (void)operation_free(operation);
}

static void on_stepped(Session *plane_session, int result, uint64_t generation, uint32_t step, void *userdata) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        Operation *operation = userdata;

        if (result != 0) {
                (void)error_set_outcome(&error, result);
                operation_refuse(operation, &error);
                return;
        }
        session_object_emit(operation->session, "KeyRatcheted", "suu", operation->identity, operation->index, step);
        operation_audit(operation, step, "ok");
        if (operation->batch)
                operation->batch->n_stepped++;
        else
                request_answered(operation->message, sd_bus_reply_method_return(operation->message, "u", step));
        (void)operation_free(operation);
}

/* Bad participants, indices and modes are told before the secret is asked for. A new key is charged before it is made;
 * so is one whose index a package will tell. */
static int reserve_key(Operation *operation, sd_bus_error *error) {
        bool told_by_package = operation->action == AUDIT_IMPORT_WRAPPED && operation->index == SESSION_ACTIVE;
        SessionObject *session = operation->session;
        SessionKeyInfo info;
        int r;

        if (session_config(session->session)->shared != (operation->participant == SESSION_SHARED))
                return error_set(error, ERROR_WRONG_KEY_MODE);
        if (!told_by_package && operation->index >= session_config(session->session)->ring_size)
                return error_set(error, ERROR_INVALID_INDEX);
        if (operation->options.activation.wanted && operation->identity[0] != '\0' &&
            !session_object_participant(session, operation->identity)->local)
                return error_set(error, ERROR_WRONG_ROLE);
        r = session_key_info(session->session, operation->participant, operation->index, &info);
        if (r == 0)
                return 0;
        if (r != SESSION_NO_KEY)
                return error_set_outcome(error, r);
        session->n_pending_keys++;
        operation->pending_key = true;
        if (session_object_settle_keys(session) != 0)
                return error_setf(error, ERROR_QUOTA_EXCEEDED,
                                  "Your quota of %" PRIu64 " keys is used up; retire keys you no longer need, or ask "
                                  "the administrator for more.",
                                  quota_limit(session->daemon->quota, QUOTA_KEYS));
        return 0;
}

static int install(Operation *operation, Secret *secret, sd_bus_error *error) {
        int r;

        r = session_import(operation->session->session, operation->participant, operation->index, secret,
                           &operation->options.schedule, operation->options.step, on_installed, operation);
        if (r == -EINVAL && operation->options.schedule.kdf == SCHEDULE_DAVE)
                return error_set_invalid(error, "A sender's generation follows from its count of frames; leave the "
                                                "option step out.");
        if (r == -EINVAL && !schedule_steps(&operation->options.schedule))
                return error_set_invalid(error, "Keys of this session do not step; leave the option step out.");
        if (r == -EINVAL)
                /* The schedule was checked with the options: what is left is their product. */
                return error_set_invalid(error, "The options step and iterations together ask for a derivation of many "
                                                "seconds; import the key of a later step instead.");
        return r == 0 ? 0 : error_set_outcome(error, r);
}

static int secret_error(sd_bus_error *error, int result) {
        switch (result) {
        case SECRET_READ_TIMEOUT:
                return error_set(error, ERROR_SECRET_TIMEOUT);
        case SECRET_READ_EMPTY:
                return error_setf(error, ERROR_SECRET_INVALID,
                                  "The secret is empty; write 1 to 4096 bytes before closing the pipe (an empty "
                                  "passphrase needs the option allow-empty).");
        case SECRET_READ_TOO_LONG:
                return error_setf(error, ERROR_SECRET_INVALID,
                                  "The secret is longer than 4096 bytes; pass the passphrase or the key alone.");
        case -ENOMEM:
                return error_set(error, ERROR_SECRET_MEMORY_FULL);
        case SECRET_READ_KIND:
        case SECRET_READ_FAILED:
                return error_set(error, ERROR_SECRET_INVALID);
        default:
                return sd_bus_error_set_errno(error, result);
        }
}

static int check_and_install(Operation *operation, Secret *owned, sd_bus_error *error) {
        _cleanup_(secret_free_p) Secret *secret = owned;
        int r;

        r = key_options_check_secret(&operation->options.schedule, secret->len, error);
        return r < 0 ? r : install(operation, take_ptr(secret), error);
}

static void on_secret(SecretRead *reading, int result, Secret *secret, void *userdata) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        Operation *operation = userdata;

        operation->reading = secret_read_free(reading);
        if (result == SECRET_READ_EMPTY && operation->options.allow_empty &&
            operation->options.schedule.kdf == SCHEDULE_PBKDF2)
                result = secret_new(&secret, 0);
        result = result == 0 ? check_and_install(operation, secret, &error) : secret_error(&error, result);
        if (result < 0)
                operation_refuse(operation, &error);
}

/* A call that was refused before it became an operation is told as well. */
static int refuse_call(Operation *operation, int r, sd_bus_error *error) {
        SessionObject *session = operation->session;

        if (!sd_bus_error_is_set(error))
                (void)sd_bus_error_set_errno(error, r);
        operation_audit(operation, AUDIT_NO_NUMBER, error_short_name(error));
        pending_key_done(operation);
        (void)session_object_settle_keys(session); /* fewer: never refused */
        (void)operation_free(operation);
        return r;
}

static int check_import_allowed(const Daemon *daemon, sd_bus_error *error) {
        char setting[POLICY_TEXT_MAX];

        if (daemon->policy.allow_import)
                return 0;
        return error_setf(error, ERROR_POLICY_FORBIDS,
                          "Applications may not bring keys: %s. Have the key made here with GenerateKey, take one that "
                          "another framekeyd wrapped, or ask the administrator.",
                          policy_cite(&daemon->policy, POLICY_ALLOW_IMPORT, setting));
}

int operation_import(const OperationRequest *request, int fd, const KeyOptions *options, sd_bus_error *error) {
        Operation *operation;
        int r;

        r = operation_new(&operation, request, AUDIT_IMPORT_KEY, error);
        if (r < 0)
                return r;
        operation->options = *options;
        r = check_import_allowed(request->session->daemon, error);
        if (r == 0)
                r = operation_hold(operation, request->message, error);
        if (r == 0)
                r = reserve_key(operation, error);
        if (r == 0) {
                r = secret_read_new(&operation->reading, request->session->daemon->event, fd, on_secret, operation);
                if (r != 0)
                        r = secret_error(error, r);
        }
        return r == 0 ? 0 : refuse_call(operation, r, error);
}

static int credential_error(sd_bus_error *error, const char *name, int result) {
        switch (result) {
        case CREDENTIAL_NAME:
                return error_set_invalid(error, "This is no name of a credential: a file name of printable ASCII "
                                                "without '/' and ':', of at most 255 letters.");
        case CREDENTIAL_ABSENT:
                return error_setf(error, ERROR_CREDENTIAL_NOT_FOUND,
                                  "The service has no credential '%s'; give it one with LoadCredential= in a drop-in "
                                  "of its unit, and restart it.",
                                  name);
        case CREDENTIAL_EMPTY:
                return error_setf(error, ERROR_SECRET_INVALID, "The credential '%s' is empty; put a key in it.", name);
        case CREDENTIAL_TOO_LONG:
                return error_setf(error, ERROR_SECRET_INVALID,
                                  "The credential '%s' is longer than 4096 bytes; put the passphrase or the key alone "
                                  "in it.",
                                  name);
        default:
                return secret_error(error, result);
        }
}

static int install_credential(Operation *operation, const char *name, sd_bus_error *error) {
        Secret *secret;
        int r;

        r = credential_read(&secret, name);
        if (r != CREDENTIAL_NAME) {
                operation->credential = strdup(name);
                if (!operation->credential && r == 0)
                        r = (secret_free(secret), -ENOMEM);
        }
        if (r == CREDENTIAL_EMPTY && operation->options.allow_empty &&
            operation->options.schedule.kdf == SCHEDULE_PBKDF2)
                r = secret_new(&secret, 0);
        return r == 0 ? check_and_install(operation, secret, error) : credential_error(error, name, r);
}

int operation_import_credential(const OperationRequest *request, const char *name, const KeyOptions *options,
                                sd_bus_error *error) {
        Operation *operation;
        int r;

        r = operation_new(&operation, request, AUDIT_IMPORT_CREDENTIAL, error);
        if (r < 0)
                return r;
        operation->options = *options;
        r = operation_hold(operation, request->message, error);
        if (r == 0)
                r = reserve_key(operation, error);
        if (r == 0)
                r = install_credential(operation, name, error);
        return r == 0 ? 0 : refuse_call(operation, r, error);
}

int operation_generate(const OperationRequest *request, const KeyOptions *options, sd_bus_error *error) {
        Operation *operation;
        int r;

        r = operation_new(&operation, request, AUDIT_GENERATE_KEY, error);
        if (r < 0)
                return r;
        operation->options = *options;
        r = operation_hold(operation, request->message, error);
        if (r == 0)
                r = reserve_key(operation, error);
        if (r == 0) {
                r = session_generate(request->session->session, operation->participant, operation->index,
                                     &options->schedule, on_installed, operation);
                if (r != 0)
                        r = error_set_outcome(error, r);
        }
        return r == 0 ? 0 : refuse_call(operation, r, error);
}

int operation_import_wrapped(const OperationRequest *request, const WrappedOptions *options, sd_bus_error *error) {
        Operation *operation;
        int r;

        r = operation_new(&operation, request, AUDIT_IMPORT_WRAPPED, error);
        if (r < 0)
                return r;
        operation->options.activation = options->activation;
        r = operation_hold(operation, request->message, error);
        if (r == 0)
                r = reserve_key(operation, error);
        if (r == 0) {
                r = session_import_wrapped(request->session->session, operation->participant, request->index,
                                           operation->identity, options->package, options->len, &operation->index,
                                           on_installed, operation);
                if (r != 0)
                        r = error_set_outcome(error, r);
        }
        return r == 0 ? 0 : refuse_call(operation, r, error);
}

/* The index that is sent under, where none was named: signals and the audit name it. 0; SESSION_NO_KEY. */
static int resolve_index(Operation *operation) {
        Session *session = operation->session->session;

        if (operation->index != SESSION_ACTIVE)
                return 0;
        for (uint32_t index = 0; index < session_config(session)->ring_size; index++) {
                SessionKeyInfo info;

                if (session_key_info(session, operation->participant, index, &info) == 0 && info.active) {
                        operation->index = index;
                        return 0;
                }
        }
        return SESSION_NO_KEY;
}

static int start_step(Operation *operation) {
        int r;

        r = resolve_index(operation);
        if (r != 0)
                return r;
        return session_ratchet(operation->session->session, operation->participant, operation->index, on_stepped,
                               operation);
}

int operation_ratchet(const OperationRequest *request, sd_bus_error *error) {
        Operation *operation;
        int r;

        r = operation_new(&operation, request, AUDIT_RATCHET, error);
        if (r < 0)
                return r;
        r = operation_hold(operation, request->message, error);
        if (r == 0) {
                r = start_step(operation);
                if (r != 0)
                        r = error_set_outcome(error, r);
        }
        return r == 0 ? 0 : refuse_call(operation, r, error);
}

/* One more step of a batch. A participant without a key, or one that is being derived, is not an error of the batch. */
static int batch_step(Batch *batch, SessionObject *session, const char *identity, const Caller *caller,
                      const char *reason) {
        OperationRequest request = {
                .session = session, .caller = caller, .identity = identity, .index = SESSION_ACTIVE
        };
        sd_bus_error error = SD_BUS_ERROR_NULL;
        Operation *operation;
        int r;

        r = operation_new(&operation, &request, AUDIT_RATCHET, &error);
        sd_bus_error_free(&error);
        if (r < 0)
                return r;
        operation->reason = strdup(reason);
        operation->batch = batch;
        batch->n_pending++;
        r = start_step(operation);
        if (r != 0)
                (void)operation_free(operation);
        return r < 0 ? r : 0;
}

static int batch_session(Batch *batch, SessionObject *session, const Caller *caller, const char *reason) {
        ParticipantObject *participant;
        int r = 0;

        if (session_config(session->session)->shared)
                return batch_step(batch, session, "", caller, reason);
        for (participant = session->by_identity; participant && r >= 0; participant = participant->by_identity.next)
                if (participant->local)
                        r = batch_step(batch, session, participant->identity, caller, reason);
        return r;
}

int operation_ratchet_all(Daemon *daemon, SessionObject *session, sd_bus_message *message, const Caller *caller,
                          const char *reason, sd_bus_error *error) {
        Batch *batch;
        int r = 0;

        batch = malloc(sizeof(*batch));
        if (!batch)
                return -ENOMEM;
        *batch = (Batch){ .message = sd_bus_message_ref(message), .n_pending = 1 };
        if (session)
                r = batch_session(batch, session, caller, reason);
        else
                for (SessionObject *each = daemon->sessions; each; each = each->hh.next) {
                        int q = batch_session(batch, each, caller, reason);

                        r = r < 0 ? r : q;
                }
        if (r < 0)
                log_line(daemon->log, LOG_WARNING, "Some keys could not be stepped: %s.", strerror(-r));
        if (batch->n_pending == 1)
                /* There is nothing to step: who wanted it is told all the same. */
                audit_write(daemon->audit, &(AuditRecord){ .action = AUDIT_RATCHET,
                                                           .caller = caller,
                                                           .session = session ? session->id : NULL,
                                                           .index = AUDIT_NO_NUMBER,
                                                           .step = AUDIT_NO_NUMBER,
                                                           .reason = reason,
                                                           .result = "ok" });
        batch_put(batch);
        return 0;
}

void operation_cancel_reading(SessionObject *session) {
        Operation *operation, *next;

        DL_FOREACH_SAFE(session->operations, operation, next) {
                sd_bus_error error = SD_BUS_ERROR_NULL;

                if (!operation->reading)
                        continue;
                (void)error_set(&error, ERROR_NO_SUCH_SESSION);
                operation_refuse(operation, &error);
        }
}
