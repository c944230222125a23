/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * org.framekey1.Session: keys on their way from one daemon to another. What passes through messages
 * here is public: transport keys, and packages that open in one daemon only.
 */
#include "control/errors.h"
#include "control/fingerprint.h"
#include "control/operation.h"
#include "control/request.h"
#include "control/session-bus.h"
#include "keys/wrap.h"

static int append_bytes(sd_bus_message *message, const void *bytes, size_t len) {
        return sd_bus_message_append_array(message, 'y', bytes, len);
}

int session_method_get_transport_key(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const SessionObject *session = userdata;
        const uint8_t *key = plane_transport_key(session->daemon->plane);
        char fingerprint[FINGERPRINT_MAX];
        int r;

        fingerprint_format(key, PLANE_TRANSPORT_KEY_LEN, fingerprint);
        r = sd_bus_message_new_method_return(message, &reply);
        if (r >= 0)
                r = append_bytes(reply, key, PLANE_TRANSPORT_KEY_LEN);
        if (r >= 0)
                r = sd_bus_message_append(reply, "s", fingerprint);
        return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

typedef struct ExportOptions {
        uint32_t index;
} ExportOptions;

static const Option export_options[] = {
        { .name = "index", .type = OPTION_U32, .offset = offsetof(ExportOptions, index), .max = UINT32_MAX },
        { .name = NULL },
};

/* Whom the package is for. */
typedef struct Recipient {
        const void *key;
        size_t len;
} Recipient;

typedef struct Package {
        uint8_t bytes[WRAP_MAX];
        size_t len;
} Package;

static int wrap(SessionObject *session, const char *identity, uint32_t index, const Recipient *recipient, Package *ret,
                sd_bus_error *error) {
        char setting[POLICY_TEXT_MAX];
        uint32_t id = 0;
        int r;

        if (!session->daemon->policy.allow_export)
                return error_setf(error, ERROR_POLICY_FORBIDS,
                                  "Keys may not leave this daemon: %s. Import the same key at both ends, or ask the "
                                  "administrator.",
                                  policy_cite(&session->daemon->policy, POLICY_ALLOW_EXPORT, setting));
        if (recipient->len != HPKE_KEY_LEN)
                return error_set_invalid(error, "The recipient has %zu bytes; pass the %u of its GetTransportKey.",
                                         recipient->len, HPKE_KEY_LEN);
        r = request_participant(session, identity, &id, error);
        if (r < 0)
                return r;
        r = session_export(session->session, id, index, identity, recipient->key, ret->bytes, &ret->len);
        if (r == SESSION_FORGED)
                return error_set_invalid(error, "The recipient is no public key; pass what its GetTransportKey gives.");
        return r == 0 ? 0 : error_set_outcome(error, r);
}

int session_method_export_wrapped(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        ExportOptions options = { .index = SESSION_ACTIVE };
        char fingerprint[FINGERPRINT_MAX];
        SessionObject *session = userdata;
        Package package = { .len = 0 };
        Recipient recipient;
        const char *identity;
        AuditRecord record;
        Caller caller;
        int r;

        r = sd_bus_message_read(message, "s", &identity);
        if (r < 0)
                return r;
        r = sd_bus_message_read_array(message, 'y', &recipient.key, &recipient.len);
        if (r < 0)
                return r;
        r = options_read(message, export_options, &options, error);
        if (r < 0)
                return r;
        r = request_own(session, message, AUDIT_EXPORT_WRAPPED, &caller, error);
        if (r < 0)
                return r;
        r = wrap(session, identity, options.index, &recipient, &package, error);
        fingerprint_format(recipient.key, recipient.len, fingerprint);
        /* SESSION_ACTIVE is AUDIT_NO_NUMBER: the key that is sent under. */
        record = request_record(AUDIT_EXPORT_WRAPPED, &caller, identity, options.index);
        record.recipient = fingerprint;
        (void)request_audit(session, &record, r, error);
        if (r < 0)
                return r;
        r = sd_bus_message_new_method_return(message, &reply);
        if (r >= 0)
                r = append_bytes(reply, package.bytes, package.len);
        return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

static const Option import_options[] = {
        { .name = "index", .type = OPTION_U32, .offset = offsetof(WrappedOptions, index), .max = UINT32_MAX },
        ACTIVATION_OPTION_ROWS(WrappedOptions),
        { .name = NULL },
};

int session_method_import_wrapped(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        WrappedOptions options = { .index = SESSION_ACTIVE, .activation = ACTIVATION_OPTIONS_NONE };
        SessionObject *session = userdata;
        OperationRequest request = { .session = session, .message = message };
        Caller caller;
        int r;

        r = sd_bus_message_read(message, "s", &request.identity);
        if (r < 0)
                return r;
        r = sd_bus_message_read_array(message, 'y', &options.package, &options.len);
        if (r < 0)
                return r;
        r = options_read(message, import_options, &options, error);
        if (r < 0)
                return r;
        activation_options_settle(&options.activation);
        r = request_change(session, message, AUDIT_IMPORT_WRAPPED, &caller, error);
        if (r < 0)
                return r;
        r = request_check_unlocked(session->daemon, error);
        if (r < 0)
                return r;
        request.index = options.index;
        request.caller = &caller;
        r = operation_import_wrapped(&request, &options, error);
        return r < 0 ? r : 1;
}
