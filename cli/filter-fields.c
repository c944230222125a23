/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fields of a line of JSON, and the sentence that says what is wrong with one.
 */
#include "filter.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

void reply_note(Reply *reply, const char *format, ...) {
        va_list arguments;

        va_start(arguments, format);
        if (vasprintf(&reply->error, format, arguments) < 0)
                reply->error = NULL;
        va_end(arguments);
}

int reply_client_error(Reply *reply, const Filter *filter, int r) {
        const char *text = framekey_client_error(filter->client);

        return reply_error(reply, "%s", *text ? text : strerror(-r));
}

int get_u64(const json_t *object, const char *key, uint64_t max, uint64_t fallback, uint64_t *ret, Reply *reply) {
        const json_t *value = json_object_get(object, key);

        if (!value) {
                *ret = fallback;
                return 0;
        }
        if (!json_is_integer(value) || json_integer_value(value) < 0 || (uint64_t)json_integer_value(value) > max)
                return reply_error(reply, "'%s' is no number from 0 to %" PRIu64 ".", key, max);
        *ret = (uint64_t)json_integer_value(value);
        return 0;
}

int get_u32(const json_t *object, const char *key, uint32_t fallback, uint32_t *ret, Reply *reply) {
        uint64_t number;
        int r;

        r = get_u64(object, key, UINT32_MAX, fallback, &number, reply);
        if (r == 0)
                *ret = (uint32_t)number;
        return r;
}

int get_bool(const json_t *object, const char *key, bool *ret, Reply *reply) {
        const json_t *value = json_object_get(object, key);

        if (value && !json_is_boolean(value))
                return reply_error(reply, "'%s' is not true or false.", key);
        *ret = json_is_true(value);
        return 0;
}

int get_string(const json_t *object, const char *key, const char **ret, Reply *reply) {
        const json_t *value = json_object_get(object, key);

        if (value && !json_is_string(value))
                return reply_error(reply, "'%s' is no string.", key);
        *ret = value ? json_string_value(value) : NULL;
        return 0;
}

static int hex_digit(char c) {
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        if (c >= 'A' && c <= 'F')
                return c - 'A' + 10;
        return -1;
}

int hex_to_bytes(const char *text, uint8_t **ret, size_t *ret_length) {
        _cleanup_free_ uint8_t *bytes = NULL;
        size_t length = strlen(text);

        bytes = malloc(length / 2 + 1);
        if (!bytes)
                return -ENOMEM;
        for (size_t i = 0; i < length; i += 2) {
                int high = hex_digit(text[i]), low = hex_digit(text[i + 1]); /* the text ends with a 0 */

                if (high < 0 || low < 0)
                        return -EINVAL;
                bytes[i / 2] = (uint8_t)(high << 4 | low);
        }
        *ret = take_ptr(bytes);
        *ret_length = length / 2;
        return 0;
}

int get_hex(const json_t *object, const char *key, uint8_t **ret, size_t *ret_length, Reply *reply) {
        const char *text;
        int r;

        if (get_string(object, key, &text, reply) < 0)
                return -EINVAL;
        if (!text)
                return reply_error(reply, "'%s' is missing.", key);
        r = hex_to_bytes(text, ret, ret_length);
        if (r == -ENOMEM)
                return reply_error(reply, "Out of memory.");
        return r < 0 ? reply_error(reply, "'%s' is not made of pairs of hex digits.", key) : 0;
}

int get_number_option(const json_t *object, const char *key, const char *name, OptionList *options, Reply *reply) {
        const json_t *value = json_object_get(object, key);

        if (json_is_integer(value) && json_integer_value(value) >= 0)
                option_list_add(options, "%s=%" JSON_INTEGER_FORMAT, name, json_integer_value(value));
        else if (json_is_string(value))
                option_list_add(options, "%s=%s", name, json_string_value(value));
        else if (value)
                return reply_error(reply, "'%s' is no number and no string with one.", key);
        return 0;
}
