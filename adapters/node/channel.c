/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Channels: frames in and out, blocking or through Node's loop.
 */
#include "addon.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef struct Channel {
        napi_env env;
        framekey_channel *handle; /* NULL: closed */
        Watch *watch;
        napi_ref on_result;
        uint64_t next_cookie;
        uint64_t pending;
} Channel;

static const napi_type_tag channel_tag = { 0x6672616d656b6579, 0x6368616e6e656c31 };

static void channel_close(Channel *channel) {
        channel->watch = watch_stop(channel->watch);
        if (channel->on_result)
                (void)napi_delete_reference(channel->env, channel->on_result);
        channel->on_result = NULL;
        channel->handle = framekey_channel_free(channel->handle);
}

static void channel_finalize(napi_env env, void *data, void *hint) {
        channel_close(data);
        free(data);
}

napi_value channel_wrap(napi_env env, framekey_channel *handle) {
        Channel *channel = calloc(1, sizeof(*channel));
        napi_value object;

        if (!channel) {
                (void)framekey_channel_free(handle);
                return throw_error(env, -ENOMEM, NULL);
        }
        channel->env = env;
        channel->handle = handle;
        if (napi_create_object(env, &object) != napi_ok ||
            napi_wrap(env, object, channel, channel_finalize, NULL, NULL) != napi_ok) {
                channel_finalize(env, channel, NULL);
                return NULL;
        }
        return napi_type_tag_object(env, object, &channel_tag) == napi_ok ? object : NULL;
}

static Channel *value_channel(napi_env env, napi_value value) {
        bool is_channel = false;
        void *data = NULL;

        if (napi_check_object_type_tag(env, value, &channel_tag, &is_channel) != napi_ok || !is_channel ||
            napi_unwrap(env, value, &data) != napi_ok) {
                (void)napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", "a channel is needed here");
                return NULL;
        }
        if (!((Channel *)data)->handle) {
                (void)throw_error(env, -EPIPE, "this channel is closed: open another one");
                return NULL;
        }
        return data;
}

static napi_value channel_from_fds(napi_env env, napi_callback_info info) {
        napi_value arguments[ARGUMENTS_MAX], element;
        framekey_channel *handle;
        uint32_t n = 0;
        int fds[4], r;

        if (!arguments_get(env, info, arguments) || napi_get_array_length(env, arguments[0], &n) != napi_ok)
                return throw_error(env, -EINVAL, "an array of four descriptors is needed here");
        for (uint32_t i = 0; i < n && i < ELEMENTS(fds); i++)
                if (napi_get_element(env, arguments[0], i, &element) != napi_ok ||
                    napi_get_value_int32(env, element, &fds[i]) != napi_ok)
                        return throw_error(env, -EINVAL, "an array of four descriptors is needed here");
        r = framekey_channel_new_from_fds(&handle, fds, n);
        return r < 0 ? throw_error(env, r, NULL) : channel_wrap(env, handle);
}

static napi_value channel_close_call(napi_env env, napi_callback_info info) {
        napi_value arguments[ARGUMENTS_MAX];
        bool is_channel = false;
        void *data;

        if (arguments_get(env, info, arguments) &&
            napi_check_object_type_tag(env, arguments[0], &channel_tag, &is_channel) == napi_ok && is_channel &&
            napi_unwrap(env, arguments[0], &data) == napi_ok)
                channel_close(data);
        return NULL;
}

/* ---- frames ---- */

/* stream, frame type, codec, SSRC, RTP timestamp, metadata: the arguments from `first` on. */
static bool value_frame(napi_env env, napi_value *arguments, struct framekey_frame *ret) {
        uint32_t frame_type, codec;
        uint8_t *metadata;
        size_t length;

        *ret = (struct framekey_frame){ .size = sizeof(*ret) };
        if (!value_uint32(env, arguments[0], &ret->stream) || !value_uint32(env, arguments[1], &frame_type) ||
            !value_uint32(env, arguments[2], &codec) || !value_uint32(env, arguments[3], &ret->ssrc) ||
            !value_uint32(env, arguments[4], &ret->rtp_timestamp) ||
            !value_bytes(env, arguments[5], &metadata, &length))
                return false;
        if (frame_type > UINT8_MAX || codec > UINT8_MAX || length > FRAMEKEY_METADATA_MAX) {
                (void)throw_error(env, -EINVAL, NULL);
                return false;
        }
        ret->frame_type = (uint8_t)frame_type;
        ret->codec = (uint8_t)codec;
        ret->metadata = metadata;
        ret->metadata_len = (uint32_t)length;
        return true;
}

/* (channel, decrypt, bytes, stream ... metadata, timeout) */
static napi_value channel_run(napi_env env, napi_callback_info info) {
        struct framekey_result result = { .size = sizeof(result) };
        napi_value arguments[ARGUMENTS_MAX], buffer = NULL;
        size_t length, capacity, n = 0;
        struct framekey_frame frame;
        uint32_t decrypt;
        Channel *channel;
        uint8_t *data;
        void *out;
        int r;

        if (!arguments_get(env, info, arguments) || !(channel = value_channel(env, arguments[0])) ||
            !value_uint32(env, arguments[1], &decrypt) || !value_bytes(env, arguments[2], &data, &length) ||
            !value_frame(env, &arguments[3], &frame))
                return NULL;
        capacity = decrypt ? framekey_opened_max(channel->handle, frame.stream, length)
                           : framekey_sealed_max(channel->handle, frame.stream, length);
        if (napi_create_buffer(env, capacity + 1, &out, &buffer) != napi_ok)
                return throw_error(env, -ENOMEM, NULL);
        r = (decrypt ? framekey_decrypt : framekey_encrypt)(channel->handle, &frame, data ? data : out, length, out,
                                                            capacity + 1, &n, &result,
                                                            value_timeout(env, arguments[9]));
        if (r < 0)
                return throw_error(env, r, NULL);
        return from_result(env, &result, framekey_verdict_delivers(r) ? buffer : NULL, n);
}

/* (channel, bytes, stream ... metadata): the cookie */
static napi_value channel_submit(napi_env env, napi_callback_info info) {
        napi_value arguments[ARGUMENTS_MAX], cookie = NULL;
        struct framekey_frame frame;
        Channel *channel;
        uint8_t *data;
        void *place;
        size_t length;
        uint32_t slot;
        int r;

        if (!arguments_get(env, info, arguments) || !(channel = value_channel(env, arguments[0])) ||
            !value_bytes(env, arguments[1], &data, &length) || !value_frame(env, &arguments[2], &frame))
                return NULL;
        if (!channel->watch)
                return throw_error(env, -EPIPE, NULL);
        r = framekey_reserve(channel->handle, &frame, length, &slot, &place);
        if (r < 0)
                return throw_error(env, r, NULL);
        if (length > 0)
                memcpy(place, data, length);
        r = framekey_submit(channel->handle, slot, &frame, length, channel->next_cookie);
        if (r < 0) {
                framekey_release(channel->handle, slot);
                return throw_error(env, r, NULL);
        }
        if (channel->pending++ == 0)
                watch_hold(channel->watch, true);
        (void)napi_create_double(env, (double)channel->next_cookie++, &cookie);
        return cookie;
}

static napi_value channel_flush(napi_env env, napi_callback_info info) {
        napi_value arguments[ARGUMENTS_MAX];
        Channel *channel;
        int r;

        if (!arguments_get(env, info, arguments) || !(channel = value_channel(env, arguments[0])))
                return NULL;
        r = framekey_flush(channel->handle);
        return r < 0 ? throw_error(env, r, NULL) : NULL;
}

/* The output, which is copied once: out of the slot, or with the codec's last step. */
static napi_value take_output(Channel *channel, const struct framekey_result *result, size_t *ret_length) {
        napi_value buffer = NULL;
        size_t capacity;
        void *out;

        *ret_length = 0;
        if (framekey_verdict_delivers(result->verdict)) {
                capacity = framekey_sealed_max(channel->handle, result->stream, result->length) + result->length + 1;
                if (result->data)
                        capacity = result->length;
                if (napi_create_buffer(channel->env, capacity, &out, &buffer) != napi_ok ||
                    framekey_take(channel->handle, result, out, capacity, ret_length) < 0)
                        buffer = NULL;
        }
        if (!buffer)
                framekey_release(channel->handle, result->slot);
        return buffer;
}

/* One result to on_result(error, cookie, result). */
static void give_result(Channel *channel, const struct framekey_result *result) {
        napi_value arguments[3], data;
        size_t length;

        data = take_output(channel, result, &length);
        if (result->verdict < 0)
                arguments[0] = error_new(channel->env, result->verdict, NULL, NULL);
        else
                (void)napi_get_null(channel->env, &arguments[0]);
        (void)napi_create_double(channel->env, (double)result->cookie, &arguments[1]);
        arguments[2] = from_result(channel->env, result, data, length);
        if (--channel->pending == 0)
                watch_hold(channel->watch, false);
        watch_call(channel->watch, channel->on_result, 3, arguments);
}

/* To the last: only then does the descriptor tell of the next. A callback may close the channel. */
static void channel_reap(void *userdata) {
        struct framekey_result result = { .size = sizeof(result) };
        Channel *channel = userdata;
        napi_value error;
        int r = 0;

        while (channel->handle && channel->watch && (r = framekey_reap(channel->handle, &result)) > 0)
                give_result(channel, &result);
        if (r < 0) {
                Watch *watch = channel->watch;

                /* It has ended, and would stay readable. */
                channel->pending = 0;
                error = error_new(channel->env, r, NULL, NULL);
                watch_call(watch, channel->on_result, 1, &error);
                if (channel->watch)
                        channel->watch = watch_stop(watch);
        }
}

static void channel_ended(void *userdata) {
        Channel *channel = userdata;

        channel->watch = NULL; /* it is being stopped */
        channel_close(channel);
}

/* (channel, on_result) */
static napi_value channel_watch(napi_env env, napi_callback_info info) {
        napi_value arguments[ARGUMENTS_MAX];
        Channel *channel;
        int fd, r;

        if (!arguments_get(env, info, arguments) || !(channel = value_channel(env, arguments[0])))
                return NULL;
        if (channel->watch)
                return throw_error(env, -EBUSY, "this channel is watched already");
        fd = framekey_channel_get_fd(channel->handle);
        if (fd < 0)
                return throw_error(env, fd, NULL);
        if (!channel->on_result && napi_create_reference(env, arguments[1], 1, &channel->on_result) != napi_ok)
                return NULL;
        r = watch_start(env, fd, channel_reap, channel_ended, channel, &channel->watch);
        if (r < 0)
                return throw_error(env, r, NULL);
        watch_hold(channel->watch, false);
        channel_reap(channel);
        return NULL;
}

static napi_value stream_info(napi_env env, napi_callback_info info) {
        enum framekey_direction direction;
        napi_value arguments[ARGUMENTS_MAX], object = NULL;
        enum framekey_format format;
        enum framekey_media media;
        enum framekey_codec codec;
        Channel *channel;
        uint32_t stream;
        int r;

        if (!arguments_get(env, info, arguments) || !(channel = value_channel(env, arguments[0])) ||
            !value_uint32(env, arguments[1], &stream))
                return NULL;
        r = framekey_stream_get(channel->handle, stream, &direction, &format, &media, &codec);
        if (r < 0)
                return throw_error(env, r, NULL);
        if (napi_create_object(env, &object) != napi_ok)
                return NULL;
        set_value(env, object, "direction", from_text(env, framekey_direction_name(direction)));
        set_value(env, object, "format", from_text(env, framekey_format_name(format)));
        set_value(env, object, "media", from_text(env, framekey_media_name(media)));
        set_value(env, object, "codec", from_text(env, framekey_codec_name(codec)));
        return object;
}

int channel_functions(napi_env env, napi_value exports) {
        static const Function functions[] = {
                { "channelFromFds", channel_from_fds }, { "channelClose", channel_close_call },
                { "channelRun", channel_run },          { "channelSubmit", channel_submit },
                { "channelFlush", channel_flush },      { "channelWatch", channel_watch },
                { "streamInfo", stream_info },
        };

        return functions_export(env, exports, functions, ELEMENTS(functions));
}
