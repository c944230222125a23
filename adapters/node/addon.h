/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the parts of the Node-API addon share: values in and out, errors, and descriptors in Node's loop.
 *
 * The functions of the addon are plain and take their arguments in order; index.js makes classes, options and promises
 * of them. All run on the thread of the environment that loaded the addon. Bytes are copied once on their way in and
 * once on their way out: Electron forbids buffers that lie outside of V8's memory.
 */
#pragma once

#define NAPI_VERSION 8
#include <framekey.h>
#include <node_api.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

#define ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))

/* ---- arguments: false if an exception is pending ---- */

#define ARGUMENTS_MAX 10
/* All of them; what is missing is undefined. */
bool arguments_get(napi_env env, napi_callback_info info, napi_value ret_arguments[ARGUMENTS_MAX]);
bool value_uint32(napi_env env, napi_value value, uint32_t *ret);
/* A number of microseconds; anything else is without limit. */
uint64_t value_timeout(napi_env env, napi_value value);
/* A copy for free(); undefined and null are NULL. */
bool value_text(napi_env env, napi_value value, char **ret);
/* The bytes of a Uint8Array, where they lie; undefined has none. */
bool value_bytes(napi_env env, napi_value value, uint8_t **ret, size_t *ret_length);
/* An array of strings as the libraries take options, for strings_free(). */
bool value_strings(napi_env env, napi_value value, char ***ret);
void strings_free(char **strings);

/* ---- results ---- */

napi_value from_text(napi_env env, const char *text);
napi_value from_uint32(napi_env env, uint32_t number);
/* Property by property. */
void set_number(napi_env env, napi_value object, const char *name, double number);
void set_value(napi_env env, napi_value object, const char *name, napi_value value);
/* What became of a frame; `data` is NULL if there is no output. */
napi_value from_result(napi_env env, const struct framekey_result *result, napi_value data, size_t length);

/* An Error with `code` ("EPIPE"), `errno`, `dbusName` and a sentence. */
napi_value error_new(napi_env env, int r, const char *sentence, const char *dbus_name);
napi_value throw_error(napi_env env, int r, const char *sentence);

/* ---- a descriptor in Node's loop ---- */

typedef struct Watch Watch;
typedef void (*WatchHandler)(void *userdata);

/* `handler` runs in the loop whenever the descriptor is readable, in a scope of its own. It may stop the watch. Ends by
 * itself with the environment, and calls `ended` then. Negative errno. */
int watch_start(napi_env env, int fd, WatchHandler handler, WatchHandler ended, void *userdata, Watch **ret);
/* Takes NULL; returns NULL. */
Watch *watch_stop(Watch *watch);
/* Whether it keeps the process alive. */
void watch_hold(Watch *watch, bool hold);
/* Calls a function from the handler: promises that it settles go on at once. */
void watch_call(Watch *watch, napi_ref function, size_t n, napi_value *arguments);

/* ---- the parts ---- */

int channel_functions(napi_env env, napi_value exports);
int session_functions(napi_env env, napi_value exports);
/* Hands a channel to JavaScript. On failure it is freed, and an exception pending. */
napi_value channel_wrap(napi_env env, framekey_channel *channel);

typedef struct Function {
        const char *name;
        napi_callback callback;
} Function;
int functions_export(napi_env env, napi_value exports, const Function *functions, size_t n);
