/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A descriptor in Node's loop, for as long as its owner or the environment lives.
 *
 * A handle of libuv is freed when the loop says that it is closed, which is later than the owner's end; an environment
 * (a worker, too) does not end before its handles are closed.
 */
#include "addon.h"

#include <errno.h>
#include <stdlib.h>

struct Watch {
        uv_poll_t poll; /* first: the handle is the object */
        napi_env env;
        napi_async_context context;
        napi_async_cleanup_hook_handle hook;
        WatchHandler handler;
        WatchHandler ended;
        void *userdata;
        bool closing;
};

static void on_closed(uv_handle_t *handle) {
        Watch *watch = (Watch *)handle;

        (void)napi_remove_async_cleanup_hook(watch->hook);
        free(watch);
}

static void watch_close(Watch *watch) {
        if (watch->closing)
                return;
        watch->closing = true;
        (void)uv_poll_stop(&watch->poll);
        (void)napi_async_destroy(watch->env, watch->context);
        uv_close((uv_handle_t *)&watch->poll, on_closed);
}

static void on_environment_end(napi_async_cleanup_hook_handle hook, void *data) {
        Watch *watch = data;

        if (!watch->closing)
                watch->ended(watch->userdata);
        watch_close(watch);
}

static void on_readable(uv_poll_t *poll, int status, int events) {
        Watch *watch = (Watch *)poll;
        napi_handle_scope scope;

        if (watch->closing || napi_open_handle_scope(watch->env, &scope) != napi_ok)
                return;
        watch->handler(watch->userdata);
        (void)napi_close_handle_scope(watch->env, scope);
}

int watch_start(napi_env env, int fd, WatchHandler handler, WatchHandler ended, void *userdata, Watch **ret) {
        struct uv_loop_s *loop;
        napi_value name;
        Watch *watch;
        int r;

        if (napi_get_uv_event_loop(env, &loop) != napi_ok)
                return -EIO;
        watch = calloc(1, sizeof(*watch));
        if (!watch)
                return -ENOMEM;
        watch->env = env;
        watch->handler = handler;
        watch->ended = ended;
        watch->userdata = userdata;
        r = uv_poll_init(loop, &watch->poll, fd);
        if (r < 0) {
                free(watch);
                return r; /* libuv's errors are errno's */
        }
        if (napi_create_string_utf8(env, "framekey", NAPI_AUTO_LENGTH, &name) != napi_ok ||
            napi_async_init(env, NULL, name, &watch->context) != napi_ok ||
            napi_add_async_cleanup_hook(env, on_environment_end, watch, &watch->hook) != napi_ok)
                r = -EIO;
        if (r >= 0)
                r = uv_poll_start(&watch->poll, UV_READABLE, on_readable);
        if (r < 0) {
                watch_close(watch);
                return r;
        }
        *ret = watch;
        return 0;
}

Watch *watch_stop(Watch *watch) {
        if (watch)
                watch_close(watch);
        return NULL;
}

void watch_hold(Watch *watch, bool hold) {
        if (hold)
                uv_ref((uv_handle_t *)&watch->poll);
        else
                uv_unref((uv_handle_t *)&watch->poll);
}

void watch_call(Watch *watch, napi_ref function, size_t n, napi_value *arguments) {
        napi_value receiver, callback, error;
        bool pending = false;

        if (napi_get_global(watch->env, &receiver) != napi_ok ||
            napi_get_reference_value(watch->env, function, &callback) != napi_ok || !callback)
                return;
        (void)napi_make_callback(watch->env, watch->context, receiver, callback, n, arguments, NULL);
        /* What a callback throws, nobody catches: as everywhere in Node. */
        if (napi_is_exception_pending(watch->env, &pending) == napi_ok && pending &&
            napi_get_and_clear_last_exception(watch->env, &error) == napi_ok)
                (void)napi_fatal_exception(watch->env, error);
}
