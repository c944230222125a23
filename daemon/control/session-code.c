/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * org.framekey1.Session: the security code that people compare. A confirmation of guesses for whoever
 * hears it, so it goes to the caller alone and never into a signal, a property or the log; who asked is told
 * to the audit.
 */
#include "control/errors.h"
#include "control/options.h"
#include "control/request.h"
#include "control/session-bus.h"
#include "keys/security-code.h"
#include "util/clock.h"

/* What a code costs at most, with the machine's other work beside it. */
#define CODE_COST_NSEC (200 * USEC_PER_MSEC * NSEC_PER_USEC)

/* A call that waits for its code. */
typedef struct CodeCall {
        SessionObject *session;
        sd_bus_message *message;
        Caller caller;
        Charge charge;
} CodeCall;

static CodeCall *code_call_free(CodeCall *call) {
        if (!call)
                return NULL;
        sd_bus_message_unref(call->message);
        charge_release(&call->charge);
        free(call);
        return NULL;
}
DEFINE_CLEANUP(CodeCall, code_call_free)

static int reply(const CodeCall *call, const SecurityCode *code, const char *digits) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = NULL;
        const SecurityCodeKey *keys;
        size_t n;
        int r;

        keys = security_code_keys(code, &n);
        r = sd_bus_message_new_method_return(call->message, &answer);
        if (r >= 0)
                r = sd_bus_message_sensitive(answer);
        if (r >= 0)
                r = sd_bus_message_append(answer, "s", digits);
        if (r >= 0)
                r = sd_bus_message_open_container(answer, 'a', "(sutu)");
        for (size_t i = 0; i < n && r >= 0; i++)
                r = sd_bus_message_append(answer, "(sutu)", keys[i].identity, keys[i].index, keys[i].kid, keys[i].step);
        if (r >= 0)
                r = sd_bus_message_close_container(answer);
        return r < 0 ? r : sd_bus_send(NULL, answer, NULL);
}

static int audit(const SessionObject *session, const Caller *caller, int r, const sd_bus_error *error) {
        AuditRecord record = request_record(AUDIT_SECURITY_CODE, caller, NULL, AUDIT_NO_NUMBER);

        return request_audit(session, &record, r, error);
}

static void on_code(const SecurityCode *code, int result, const char *digits, void *userdata) {
        _cleanup_(code_call_free_p) CodeCall *call = userdata;
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r = 0;

        if (result != 0)
                r = error_set_outcome(&error, result);
        (void)audit(call->session, &call->caller, r, &error);
        request_answered(call->message,
                         r < 0 ? sd_bus_reply_method_error(call->message, &error) : reply(call, code, digits));
}

static const char *name_of(uint32_t participant, void *userdata) {
        const CodeCall *call = userdata;

        return session_object_identity(call->session, participant);
}

static int start(SessionObject *session, sd_bus_message *message, const Caller *caller, sd_bus_error *error) {
        _cleanup_(code_call_free_p) CodeCall *call = calloc(1, sizeof(*call));
        int r;

        if (!call)
                return -ENOMEM;
        call->session = session;
        call->message = sd_bus_message_ref(message);
        call->caller = *caller;
        r = quota_charge(session->daemon->quota, caller->uid, QUOTA_OPERATIONS, 1, &call->charge);
        /* The share of whose session it is: an administrator's own may not be charged with anything. */
        if (r == QUOTA_REFUSED ||
            (r == 0 && !charge_take_time(&session->charge, clock_boottime_usec(), CODE_COST_NSEC)))
                return error_setf(error, ERROR_BUSY,
                                  "Security codes are slow to make, on purpose; wait a few seconds, then ask again.");
        if (r < 0)
                return r;
        r = security_code_start(session->session, name_of, on_code, call);
        if (r == SESSION_NO_KEY)
                return error_setf(error, ERROR_NO_SUCH_KEY,
                                  "Nobody in this session has a key yet; import or make one, then compare.");
        if (r != 0)
                return error_set_outcome(error, r);
        (void)take_ptr(call);
        return 0;
}

int session_method_get_security_code(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        SessionObject *session = userdata;
        Caller caller;
        int r;

        r = options_read(message, options_none, NULL, error);
        if (r < 0)
                return r;
        r = caller_get(&session->daemon->callers, message, &caller);
        if (r < 0)
                return r;
        /* To have been let change a session is not to be let look into it. */
        if (caller.uid != session->owner.uid && !caller_may(&caller, CALLER_INSPECT))
                return error_set(error, ERROR_NO_SUCH_SESSION);
        r = start(session, message, &caller, error);
        if (r < 0) {
                if (!sd_bus_error_is_set(error))
                        (void)sd_bus_error_set_errno(error, r);
                return audit(session, &caller, r, error);
        }
        return 1;
}
