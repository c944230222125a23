/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The addon's beginning, and values between JavaScript and C.
 */
#include "addon.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool arguments_get(napi_env env, napi_callback_info info, napi_value ret_arguments[ARGUMENTS_MAX]) {
        size_t n = ARGUMENTS_MAX;

        return napi_get_cb_info(env, info, &n, ret_arguments, NULL, NULL) == napi_ok;
}

static bool type_error(napi_env env, const char *sentence) {
        (void)napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", sentence);
        return false;
}

static bool is_missing(napi_env env, napi_value value) {
        napi_valuetype type;

        return napi_typeof(env, value, &type) != napi_ok || type == napi_undefined || type == napi_null;
}

bool value_uint32(napi_env env, napi_value value, uint32_t *ret) {
        double number;

        *ret = 0;
        if (is_missing(env, value))
                return true;
        if (napi_get_value_double(env, value, &number) != napi_ok || !(number >= 0 && number <= UINT32_MAX))
                return type_error(env, "a number from 0 to 4294967295 is needed here");
        *ret = (uint32_t)number;
        return true;
}

uint64_t value_timeout(napi_env env, napi_value value) {
        double number;

        if (napi_get_value_double(env, value, &number) != napi_ok || !(number >= 0 && number < 1e15))
                return FRAMEKEY_TIMEOUT_INFINITE;
        return (uint64_t)number;
}

bool value_text(napi_env env, napi_value value, char **ret) {
        size_t length;
        char *text;

        *ret = NULL;
        if (is_missing(env, value))
                return true;
        if (napi_get_value_string_utf8(env, value, NULL, 0, &length) != napi_ok)
                return type_error(env, "a string is needed here");
        text = malloc(length + 1);
        if (!text || napi_get_value_string_utf8(env, value, text, length + 1, &length) != napi_ok) {
                free(text);
                (void)throw_error(env, -ENOMEM, NULL);
                return false;
        }
        *ret = text;
        return true;
}

bool value_bytes(napi_env env, napi_value value, uint8_t **ret, size_t *ret_length) {
        napi_typedarray_type type;
        bool is_array = false;
        void *data = NULL;

        *ret = NULL;
        *ret_length = 0;
        if (is_missing(env, value))
                return true;
        if (napi_is_typedarray(env, value, &is_array) != napi_ok || !is_array ||
            napi_get_typedarray_info(env, value, &type, ret_length, &data, NULL, NULL) != napi_ok ||
            type != napi_uint8_array)
                return type_error(env, "a Buffer or Uint8Array is needed here");
        *ret = data;
        return true;
}

void strings_free(char **strings) {
        for (size_t i = 0; strings && strings[i]; i++)
                free(strings[i]);
        free(strings);
}

bool value_strings(napi_env env, napi_value value, char ***ret) {
        char **strings;
        uint32_t n = 0;

        *ret = NULL;
        if (is_missing(env, value))
                return true;
        if (napi_get_array_length(env, value, &n) != napi_ok)
                return type_error(env, "an array of strings is needed here");
        strings = calloc(n + 1, sizeof(*strings));
        for (uint32_t i = 0; strings && i < n; i++) {
                napi_value element;

                if (napi_get_element(env, value, i, &element) != napi_ok || !value_text(env, element, &strings[i]) ||
                    !strings[i]) {
                        strings_free(strings);
                        return false;
                }
        }
        *ret = strings;
        return true;
}

/* ---- results ---- */

napi_value from_text(napi_env env, const char *text) {
        napi_value value = NULL;

        (void)napi_create_string_utf8(env, text ? text : "", NAPI_AUTO_LENGTH, &value);
        return value;
}

napi_value from_uint32(napi_env env, uint32_t number) {
        napi_value value = NULL;

        (void)napi_create_uint32(env, number, &value);
        return value;
}

void set_value(napi_env env, napi_value object, const char *name, napi_value value) {
        if (value)
                (void)napi_set_named_property(env, object, name, value);
}

void set_number(napi_env env, napi_value object, const char *name, double number) {
        napi_value value = NULL;

        (void)napi_create_double(env, number, &value);
        set_value(env, object, name, value);
}

napi_value from_result(napi_env env, const struct framekey_result *result, napi_value data, size_t length) {
        napi_value object = NULL;

        if (napi_create_object(env, &object) != napi_ok)
                return NULL;
        set_number(env, object, "verdict", result->verdict);
        set_number(env, object, "keyIndex", result->key_index);
        set_number(env, object, "step", result->step);
        set_number(env, object, "flags", result->flags);
        if (!data)
                (void)napi_get_null(env, &data);
        set_value(env, object, "data", data);
        set_number(env, object, "length", (double)length);
        return object;
}

napi_value error_new(napi_env env, int r, const char *sentence, const char *dbus_name) {
        const char *code = strerrorname_np(-r);
        napi_value error = NULL;

        if (!sentence || !*sentence)
                sentence = framekey_verdict_text(r);
        if (napi_create_error(env, from_text(env, code ? code : "UNKNOWN"), from_text(env, sentence), &error) !=
            napi_ok)
                return NULL;
        set_number(env, error, "errno", r);
        set_value(env, error, "dbusName", from_text(env, dbus_name));
        return error;
}

napi_value throw_error(napi_env env, int r, const char *sentence) {
        napi_value error = error_new(env, r, sentence, NULL);

        if (error)
                (void)napi_throw(env, error);
        return NULL;
}

int functions_export(napi_env env, napi_value exports, const Function *functions, size_t n) {
        for (size_t i = 0; i < n; i++) {
                napi_value function;

                if (napi_create_function(env, functions[i].name, NAPI_AUTO_LENGTH, functions[i].callback, NULL,
                                         &function) != napi_ok ||
                    napi_set_named_property(env, exports, functions[i].name, function) != napi_ok)
                        return -1;
        }
        return 0;
}

/* ---- texts of verdicts ---- */

static napi_value verdict_text(napi_env env, napi_callback_info info) {
        napi_value arguments[ARGUMENTS_MAX];
        int32_t verdict = 0;

        if (!arguments_get(env, info, arguments))
                return NULL;
        (void)napi_get_value_int32(env, arguments[0], &verdict);
        return from_text(env, framekey_verdict_text(verdict));
}

NAPI_MODULE_INIT() {
        static const Function functions[] = { { "verdictText", verdict_text } };

        if (functions_export(env, exports, functions, ELEMENTS(functions)) < 0 || channel_functions(env, exports) < 0 ||
            session_functions(env, exports) < 0)
                return NULL;
        return exports;
}
