/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading the vector files from unit tests. A field that is missing or odd fails the case. */
#pragma once

#include <check.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Longest byte string of the files that use this. */
#define VECTOR_BYTES_MAX 8192u

typedef struct VectorBytes {
        size_t len;
        uint8_t bytes[VECTOR_BYTES_MAX];
} VectorBytes;

/* json_decref() what it returns. */
static inline json_t *vector_load(const char *name) {
        const char *srcdir = getenv("srcdir");
        json_error_t error;
        json_t *root;
        char path[4096];

        (void)snprintf(path, sizeof(path), "%s/tests/vectors/%s", srcdir ? srcdir : ".", name);
        root = json_load_file(path, 0, &error);
        ck_assert_msg(root != NULL, "%s: %s", path, error.text);
        return root;
}

/* An array that is there and not empty. */
static inline const json_t *vector_array(const json_t *object, const char *name) {
        const json_t *array = json_object_get(object, name);

        ck_assert_msg(json_array_size(array) > 0, "%s is missing", name);
        return array;
}

static inline const char *vector_text(const json_t *object, const char *name) {
        const char *text = json_string_value(json_object_get(object, name));

        ck_assert_msg(text != NULL, "%s is missing", name);
        return text;
}

static inline uint64_t vector_number(const json_t *object, const char *name) {
        const json_t *number = json_object_get(object, name);

        ck_assert_msg(json_is_integer(number), "%s is missing", name);
        return (uint64_t)json_integer_value(number);
}

/* A number of 64 bits, which the files write as 16 hexadecimal digits. */
static inline uint64_t vector_u64(const json_t *object, const char *name) {
        const char *text = vector_text(object, name);

        ck_assert_uint_eq(strlen(text), 16);
        return strtoull(text, NULL, 16);
}

static inline uint8_t vector_nibble(char digit) {
        ck_assert_msg(strchr("0123456789abcdef", digit) && digit, "not hexadecimal");
        return (uint8_t)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
}

static inline VectorBytes vector_hex(const json_t *object, const char *name) {
        const char *text = vector_text(object, name);
        VectorBytes bytes = { .len = strlen(text) / 2 };

        ck_assert_uint_le(bytes.len, sizeof(bytes.bytes));
        for (size_t i = 0; i < bytes.len; i++)
                bytes.bytes[i] = (uint8_t)(vector_nibble(text[2 * i]) << 4 | vector_nibble(text[2 * i + 1]));
        return bytes;
}
