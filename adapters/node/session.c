/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Clients and sessions. Calls block until the daemon has answered; events wait for clientProcess(), which index.js
 * calls when the connection's descriptor is readable, and after every call, because calls take events in.
 */
#include "addon.h"

#include <framekey-bus.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef struct Client {
        napi_env env;
        framekey_client *handle; /* NULL: closed */
        Watch *watch;
        napi_ref on_readable;
        napi_value events; /* during clientProcess(): an array */
        uint32_t n_sessions;
        int n_refs; /* the object's, and its sessions' */
} Client;

typedef struct Session {
        Client *client;
        framekey_session *handle; /* NULL: closed */
        uint32_t number;
} Session;

static const napi_type_tag client_tag = { 0x6672616d656b6579, 0x636c69656e743131 };
static const napi_type_tag session_tag = { 0x6672616d656b6579, 0x73657373696f6e31 };

/* ---- clients ---- */

static void client_unref(Client *client) {
        if (--client->n_refs == 0)
                free(client);
}

static void client_close(Client *client) {
        client->watch = watch_stop(client->watch);
        if (client->on_readable)
                (void)napi_delete_reference(client->env, client->on_readable);
        client->on_readable = NULL;
        client->handle = framekey_client_free(client->handle);
}

static void client_finalize(napi_env env, void *data, void *hint) {
        client_close(data);
        client_unref(data);
}

static void *value_tagged(napi_env env, napi_value value, const napi_type_tag *tag, const char *sentence) {
        bool is_ours = false;
        void *data = NULL;

        if (napi_check_object_type_tag(env, value, tag, &is_ours) == napi_ok && is_ours &&
            napi_unwrap(env, value, &data) == napi_ok)
                return data;
        (void)napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", sentence);
        return NULL;
}

static Client *value_client(napi_env env, napi_value value) {
        Client *client = value_tagged(env, value, &client_tag, "a client is needed here");

        if (client && !client->handle) {
                (void)throw_error(env, -ENOTCONN, "this client is closed: open another one");
                return NULL;
        }
        return client;
}

static napi_value client_throw(Client *client, int r) {
        napi_value error = error_new(client->env, r, framekey_client_error(client->handle),
                                     framekey_client_error_name(client->handle));

        if (error)
                (void)napi_throw(client->env, error);
        return NULL;
}

/* (bus, where) */
static napi_value client_open(napi_env env, napi_callback_info info) {
        napi_value arguments[ARGUMENTS_MAX], object = NULL;
        char *where = NULL, *sentence = NULL;
        Client *client;
        uint32_t bus;
        int r;

        if (!arguments_get(env, info, arguments) || !value_uint32(env, arguments[0], &bus) ||
            !value_text(env, arguments[1], &where))
                return NULL;
        client = calloc(1, sizeof(*client));
        r = client ? framekey_client_open(&client->handle, (enum framekey_bus)bus, where, &sentence) : -ENOMEM;
        free(where);
        if (r < 0) {
                (void)throw_error(env, r, sentence);
                free(sentence);
                free(client);
                return NULL;
        }
        client->env = env;
        client->n_refs = 1;
        if (napi_create_object(env, &object) != napi_ok ||
            napi_wrap(env, object, client, client_finalize, NULL, NULL) != napi_ok) {
                client_finalize(env, client, NULL);
                return NULL;
        }
        return napi_type_tag_object(env, object, &client_tag) == napi_ok ? object : NULL;
}

static napi_value client_close_call(napi_env env, napi_callback_info info) {
        napi_value arguments[ARGUMENTS_MAX];
        Client *client;

        if (arguments_get(env, info, arguments) &&
            (client = value_tagged(env, arguments[0], &client_tag, "a client is needed here")))
                client_close(client);
        return NULL;
}

/* The events that are there. */
static napi_value client_process(napi_env env, napi_callback_info info) {
        napi_value arguments[ARGUMENTS_MAX], events = NULL;
        Client *client;
        int r;

        if (!arguments_get(env, info, arguments) || !(client = value_client(env, arguments[0])) ||
            napi_create_array(env, &events) != napi_ok)
                return NULL;
        client->events = events;
        r = framekey_client_process(client->handle);
        client->events = NULL;
        if (r < 0)
                return throw_error(env, r, "The bus closed the connection: open a new client.");
        return events;
}

static void on_event(framekey_session *handle, const struct framekey_event *event, void *userdata) {
        Session *session = userdata;
        napi_env env = session->client->env;
        napi_value object, key_index;
        uint32_t n;

        /* Elsewhere the library calls no handlers. */
        if (!session->client->events || napi_create_object(env, &object) != napi_ok)
                return;
        set_number(env, object, "session", session->number);
        set_value(env, object, "name", from_text(env, event->name));
        set_value(env, object, "participant", from_text(env, event->participant));
        if (event->key_index == UINT32_MAX)
                (void)napi_get_null(env, &key_index);
        else
                key_index = from_uint32(env, event->key_index);
        set_value(env, object, "keyIndex", key_index);
        set_number(env, object, "step", event->step);
        set_number(env, object, "generation", (double)event->generation);
        set_value(env, object, "reason", from_text(env, event->reason));
        set_number(env, object, "deadlineUsec", (double)event->deadline_usec);
        set_value(env, object, "channel", from_text(env, event->channel));
        set_number(env, object, "stream", event->stream);
        set_value(env, object, "state", from_text(env, event->state));
        set_number(env, object, "frames", (double)event->frames);
        if (napi_get_array_length(env, session->client->events, &n) == napi_ok)
                (void)napi_set_element(env, session->client->events, n, object);
}

static void client_readable(void *userdata) {
        Client *client = userdata;

        watch_call(client->watch, client->on_readable, 0, NULL);
}

static void client_ended(void *userdata) {
        Client *client = userdata;

        client->watch = NULL; /* it is being stopped */
        client_close(client);
}

/* (client, on_readable) */
static napi_value client_watch(napi_env env, napi_callback_info info) {
        napi_value arguments[ARGUMENTS_MAX];
        Client *client;
        int fd, r;

        if (!arguments_get(env, info, arguments) || !(client = value_client(env, arguments[0])) || client->watch)
                return NULL;
        fd = sd_bus_get_fd(framekey_client_get_bus(client->handle));
        if (fd < 0)
                return throw_error(env, fd, NULL);
        if (napi_create_reference(env, arguments[1], 1, &client->on_readable) != napi_ok)
                return NULL;
        r = watch_start(env, fd, client_readable, client_ended, client, &client->watch);
        if (r < 0)
                return throw_error(env, r, NULL);
        return NULL;
}

static napi_value client_unwatch(napi_env env, napi_callback_info info) {
        napi_value arguments[ARGUMENTS_MAX];
        Client *client;

        if (!arguments_get(env, info, arguments) || !(client = value_client(env, arguments[0])))
                return NULL;
        client->watch = watch_stop(client->watch);
        if (client->on_readable)
                (void)napi_delete_reference(env, client->on_readable);
        client->on_readable = NULL;
        return NULL;
}

/* ---- calls: (session, identity, number, options, extra ...) ---- */

typedef struct Call {
        napi_env env;
        napi_value arguments[ARGUMENTS_MAX];
        Session *session;
        framekey_session *handle;
        char *identity;
        uint32_t number;
        char **strings;
        char *text;     /* extra, if it is a string */
        uint8_t *bytes; /* extra, if it is bytes */
        size_t length;
} Call;

#define call_options(call) ((const char *const *)(call)->strings)

static void call_free(Call *call) {
        free(call->identity);
        free(call->text);
        strings_free(call->strings);
}

static bool call_extra(Call *call) {
        napi_value extra = call->arguments[4];
        napi_valuetype type;

        if (napi_typeof(call->env, extra, &type) != napi_ok || type == napi_number)
                return true;
        return type == napi_object ? value_bytes(call->env, extra, &call->bytes, &call->length)
                                   : value_text(call->env, extra, &call->text);
}

static bool call_begin(Call *call, napi_env env, napi_callback_info info) {
        *call = (Call){ .env = env };
        if (!arguments_get(env, info, call->arguments))
                return false;
        call->session = value_tagged(env, call->arguments[0], &session_tag, "a session is needed here");
        if (!call->session)
                return false;
        if (!call->session->handle || !call->session->client->handle) {
                (void)throw_error(env, -ENXIO, "this session or its client is closed: open another one");
                return false;
        }
        call->handle = call->session->handle;
        if (value_text(env, call->arguments[1], &call->identity) &&
            value_uint32(env, call->arguments[2], &call->number) &&
            value_strings(env, call->arguments[3], &call->strings) && call_extra(call))
                return true;
        call_free(call);
        return false;
}

/* Its end: `value` if it went well. */
static napi_value call_end(Call *call, int r, napi_value value) {
        if (r < 0)
                (void)client_throw(call->session->client, r);
        call_free(call);
        return r < 0 ? NULL : value;
}

static napi_value from_double(napi_env env, double number) {
        napi_value value = NULL;

        (void)napi_create_double(env, number, &value);
        return value;
}

#define SESSION_CALL(name, expression)                                                                                 \
        static napi_value name(napi_env env, napi_callback_info info) {                                                \
                Call call;                                                                                             \
                return call_begin(&call, env, info) ? call_end(&call, (expression), NULL) : NULL;                      \
        }

SESSION_CALL(add_participant, framekey_session_add_participant(call.handle, call.identity,
                                                               (enum framekey_role)call.number, call_options(&call)))
SESSION_CALL(remove_participant, framekey_session_remove_participant(call.handle, call.identity, call_options(&call)))
SESSION_CALL(import_key, framekey_session_import_key(call.handle, call.identity, call.number, call.bytes, call.length,
                                                     call_options(&call)))
SESSION_CALL(generate_key, framekey_session_generate_key(call.handle, call.identity, call.number, call_options(&call)))
SESSION_CALL(activate, framekey_session_activate(call.handle, call.identity, call.number, call_options(&call)))
SESSION_CALL(retire_key, framekey_session_retire_key(call.handle, call.identity, call.number))
SESSION_CALL(close_channel, framekey_session_close_channel(call.handle, call.text ? call.text : ""))
SESSION_CALL(remove_stream, framekey_session_remove_stream(call.handle, call.text ? call.text : "", call.number))

static napi_value import_key_fd(napi_env env, napi_callback_info info) {
        int32_t fd = -1;
        Call call;

        if (!call_begin(&call, env, info))
                return NULL;
        (void)napi_get_value_int32(env, call.arguments[4], &fd);
        return call_end(
                &call, framekey_session_import_key_fd(call.handle, call.identity, call.number, fd, call_options(&call)),
                NULL);
}

/* When the keys move on, in microseconds of the wall clock. */
static napi_value join(napi_env env, napi_callback_info info) {
        uint64_t when = 0;
        Call call;
        int r;

        if (!call_begin(&call, env, info))
                return NULL;
        r = framekey_session_join(call.handle, call.identity, call_options(&call), &when);
        return call_end(&call, r, from_double(env, (double)when));
}

static napi_value leave(napi_env env, napi_callback_info info) {
        uint64_t when = 0;
        Call call;
        int r;

        if (!call_begin(&call, env, info))
                return NULL;
        r = framekey_session_leave(call.handle, call.identity, call_options(&call), &when);
        return call_end(&call, r, from_double(env, (double)when));
}

static napi_value ratchet(napi_env env, napi_callback_info info) {
        uint32_t step = 0;
        Call call;
        int r;

        if (!call_begin(&call, env, info))
                return NULL;
        r = framekey_session_ratchet(call.handle, call.identity, call.number, &step);
        return call_end(&call, r, from_uint32(env, step));
}

static napi_value rotate(napi_env env, napi_callback_info info) {
        uint32_t rotated = 0, requested = 0;
        napi_value counts = NULL;
        Call call;
        int r;

        if (!call_begin(&call, env, info))
                return NULL;
        r = framekey_session_rotate(call.handle, call.identity, call.text ? call.text : "", &rotated, &requested);
        if (r >= 0 && napi_create_object(env, &counts) == napi_ok) {
                set_number(env, counts, "rotated", rotated);
                set_number(env, counts, "requested", requested);
        }
        return call_end(&call, r, counts);
}

static napi_value transport_key(napi_env env, napi_callback_info info) {
        uint8_t key[FRAMEKEY_TRANSPORT_KEY_LENGTH];
        napi_value object = NULL, bytes = NULL;
        char *fingerprint = NULL;
        Call call;
        int r;

        if (!call_begin(&call, env, info))
                return NULL;
        r = framekey_session_get_transport_key(call.handle, key, &fingerprint);
        if (r >= 0 && napi_create_object(env, &object) == napi_ok &&
            napi_create_buffer_copy(env, sizeof(key), key, NULL, &bytes) == napi_ok) {
                set_value(env, object, "key", bytes);
                set_value(env, object, "fingerprint", from_text(env, fingerprint));
        }
        free(fingerprint);
        return call_end(&call, r, object);
}

static napi_value export_wrapped(napi_env env, napi_callback_info info) {
        napi_value package = NULL;
        uint8_t *bytes = NULL;
        size_t length = 0;
        Call call;
        int r;

        if (!call_begin(&call, env, info))
                return NULL;
        if (call.length != FRAMEKEY_TRANSPORT_KEY_LENGTH) {
                call_free(&call);
                return throw_error(env, -EINVAL, "a transport key has 32 bytes");
        }
        r = framekey_session_export_wrapped(call.handle, call.identity, call.number, call.bytes, &bytes, &length);
        if (r >= 0)
                (void)napi_create_buffer_copy(env, length, bytes, NULL, &package);
        free(bytes);
        return call_end(&call, r, package);
}

static napi_value import_wrapped(napi_env env, napi_callback_info info) {
        uint32_t key_index = 0;
        Call call;
        int r;

        if (!call_begin(&call, env, info))
                return NULL;
        r = framekey_session_import_wrapped(call.handle, call.identity, call.number, call.bytes, call.length,
                                            call_options(&call), &key_index);
        return call_end(&call, r, from_uint32(env, key_index));
}

static napi_value security_code(napi_env env, napi_callback_info info) {
        char code[FRAMEKEY_SECURITY_CODE_SIZE] = "";
        napi_value value;
        Call call;
        int r;

        if (!call_begin(&call, env, info))
                return NULL;
        r = framekey_session_get_security_code(call.handle, code, NULL, NULL);
        value = from_text(env, code);
        explicit_bzero(code, sizeof(code));
        return call_end(&call, r, value);
}

/* ---- channels ---- */

static napi_value open_channel(napi_env env, napi_callback_info info) {
        framekey_channel *channel = NULL;
        napi_value object = NULL, wrapped;
        char *path = NULL;
        Call call;
        int r;

        if (!call_begin(&call, env, info))
                return NULL;
        r = framekey_session_open_channel(call.handle, call_options(&call), &channel, &path);
        if (r >= 0) {
                wrapped = channel_wrap(env, channel);
                if (wrapped && napi_create_object(env, &object) == napi_ok) {
                        set_value(env, object, "channel", wrapped);
                        set_value(env, object, "path", from_text(env, path));
                }
        }
        free(path);
        return call_end(&call, r, object);
}

static napi_value open_channel_fds(napi_env env, napi_callback_info info) {
        napi_value object = NULL, array;
        char *path = NULL;
        int fds[4], r;
        Call call;

        if (!call_begin(&call, env, info))
                return NULL;
        r = framekey_session_open_channel_fds(call.handle, call_options(&call), fds, &path);
        if (r >= 0 && napi_create_object(env, &object) == napi_ok && napi_create_array(env, &array) == napi_ok) {
                for (uint32_t i = 0; i < ELEMENTS(fds); i++)
                        (void)napi_set_element(env, array, i, from_double(env, fds[i]));
                set_value(env, object, "fds", array);
                set_value(env, object, "path", from_text(env, path));
        }
        free(path);
        return call_end(&call, r, object);
}

/* ... path, media, codec; the number is the direction */
static napi_value add_stream(napi_env env, napi_callback_info info) {
        uint32_t media, codec, stream = 0;
        Call call;
        int r;

        if (!call_begin(&call, env, info))
                return NULL;
        if (!value_uint32(env, call.arguments[5], &media) || !value_uint32(env, call.arguments[6], &codec)) {
                call_free(&call);
                return NULL;
        }
        r = framekey_session_add_stream(call.handle, call.text ? call.text : "", call.identity,
                                        (enum framekey_direction)call.number, (enum framekey_media)media,
                                        (enum framekey_codec)codec, call_options(&call), &stream);
        return call_end(&call, r, from_uint32(env, stream));
}

/* ---- sessions ---- */

static void session_finalize(napi_env env, void *data, void *hint) {
        Session *session = data;

        (void)framekey_session_free(session->handle);
        client_unref(session->client);
        free(session);
}

/* Hands a session over; the object has its number and id. */
static napi_value session_wrap(Client *client, framekey_session *handle) {
        Session *session = calloc(1, sizeof(*session));
        napi_value object = NULL;

        if (!session) {
                (void)framekey_session_close(handle);
                return throw_error(client->env, -ENOMEM, NULL);
        }
        session->client = client;
        session->handle = handle;
        session->number = client->n_sessions++;
        client->n_refs++;
        if (napi_create_object(client->env, &object) != napi_ok ||
            napi_wrap(client->env, object, session, session_finalize, NULL, NULL) != napi_ok) {
                session_finalize(client->env, session, NULL);
                return NULL;
        }
        (void)napi_type_tag_object(client->env, object, &session_tag);
        (void)framekey_session_set_handler(handle, on_event, session);
        set_number(client->env, object, "number", session->number);
        set_value(client->env, object, "id", from_text(client->env, framekey_session_get_id(handle)));
        return object;
}

/* (client, profile, label, options), or (client, id) for a session that exists */
static napi_value session_open(napi_env env, napi_callback_info info) {
        char *profile = NULL, *label = NULL, **options = NULL;
        napi_value arguments[ARGUMENTS_MAX], object = NULL;
        framekey_session *handle = NULL;
        Client *client;
        int r;

        if (!arguments_get(env, info, arguments) || !(client = value_client(env, arguments[0])))
                return NULL;
        if (value_text(env, arguments[1], &profile) && value_text(env, arguments[2], &label) &&
            value_strings(env, arguments[3], &options)) {
                if (label)
                        r = framekey_session_open(client->handle, profile ? profile : "", label,
                                                  (const char *const *)options, &handle);
                else
                        r = framekey_session_attach(client->handle, profile ? profile : "", &handle);
                object = r < 0 ? client_throw(client, r) : session_wrap(client, handle);
        }
        free(profile);
        free(label);
        strings_free(options);
        return object;
}

static napi_value session_close(napi_env env, napi_callback_info info) {
        napi_value arguments[ARGUMENTS_MAX];
        Session *session;

        if (!arguments_get(env, info, arguments) ||
            !(session = value_tagged(env, arguments[0], &session_tag, "a session is needed here")))
                return NULL;
        session->handle = framekey_session_close(session->handle);
        return NULL;
}

int session_functions(napi_env env, napi_value exports) {
        static const Function functions[] = {
                { "clientOpen", client_open },
                { "clientClose", client_close_call },
                { "clientProcess", client_process },
                { "clientWatch", client_watch },
                { "clientUnwatch", client_unwatch },
                { "sessionOpen", session_open },
                { "sessionClose", session_close },
                { "addParticipant", add_participant },
                { "removeParticipant", remove_participant },
                { "join", join },
                { "leave", leave },
                { "importKey", import_key },
                { "importKeyFd", import_key_fd },
                { "generateKey", generate_key },
                { "activate", activate },
                { "ratchet", ratchet },
                { "rotate", rotate },
                { "retireKey", retire_key },
                { "transportKey", transport_key },
                { "exportWrapped", export_wrapped },
                { "importWrapped", import_wrapped },
                { "securityCode", security_code },
                { "openChannel", open_channel },
                { "openChannelFds", open_channel_fds },
                { "closeChannel", close_channel },
                { "addStream", add_stream },
                { "removeStream", remove_stream },
        };

        return functions_export(env, exports, functions, ELEMENTS(functions));
}
