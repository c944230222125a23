/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of errors and the ways into it; see errors.h. */
#include "control/errors.h"

#include "keys/session.h"

#include <assert.h>
#include <stdarg.h>

static const struct {
        const char *name;
        int number;
        const char *text;
} table[] = {
#define ERROR_ROW(id, name, number, text) { ERROR_PREFIX name, number, text },
        ERROR_TABLE(ERROR_ROW)
#undef ERROR_ROW
};

static const sd_bus_error_map map[] = {
#define ERROR_MAP(id, name, number, text) SD_BUS_ERROR_MAP(ERROR_PREFIX name, number),
        ERROR_TABLE(ERROR_MAP)
#undef ERROR_MAP
                SD_BUS_ERROR_MAP_END,
};

int errors_register(void) {
        int r = sd_bus_error_add_map(map);

        return r < 0 ? r : 0;
}

int error_fill(sd_bus_error *error, ErrorId id) {
        assert(id < ERROR_MAX);
        return sd_bus_error_set_const(error, table[id].name, table[id].text);
}

int error_fillf(sd_bus_error *error, ErrorId id, const char *format, ...) {
        va_list arguments;
        int r;

        assert(id < ERROR_MAX);
        va_start(arguments, format);
        r = sd_bus_error_setfv(error, table[id].name, format, arguments);
        va_end(arguments);
        return r;
}

int error_fill_invalid(sd_bus_error *error, const char *format, ...) {
        va_list arguments;
        int r;

        va_start(arguments, format);
        r = sd_bus_error_setfv(error, SD_BUS_ERROR_INVALID_ARGS, format, arguments);
        va_end(arguments);
        return r;
}

int error_fill_outcome(sd_bus_error *error, int outcome) {
        switch (outcome) {
        case SESSION_NO_PARTICIPANT:
                return error_set(error, ERROR_NO_SUCH_PARTICIPANT);
        case SESSION_NO_KEY:
                return error_set(error, ERROR_NO_SUCH_KEY);
        case SESSION_BAD_INDEX:
                return error_set(error, ERROR_INVALID_INDEX);
        case SESSION_WRONG_MODE:
                return error_set(error, ERROR_WRONG_KEY_MODE);
        case SESSION_WRONG_ROLE:
                return error_set(error, ERROR_WRONG_ROLE);
        case SESSION_BUSY:
                return error_set(error, ERROR_BUSY);
        case SESSION_CLOSED:
                return error_set(error, ERROR_NO_SUCH_SESSION);
        case SESSION_FORGED:
                return error_set(error, ERROR_WRAPPED_KEY_INVALID);
        case SESSION_KEY_EXISTS:
                return error_set(error, ERROR_KEY_EXISTS);
        case SESSION_BOTH_WAYS:
                return error_set(error, ERROR_KEY_DIRECTION);
        case SESSION_SPENT:
                return error_set(error, ERROR_KEY_SPENT);
        case SESSION_NO_MEMBER:
                return error_set(error, ERROR_NO_MEMBER);
        case SESSION_NO_STEPS:
                return error_set(error, ERROR_NO_STEPS);
        case -ENOMEM:
                /* What the key plane allocates for a key lies in the arena, which is far smaller than the heap. */
                return error_set(error, ERROR_SECRET_MEMORY_FULL);
        default:
                return sd_bus_error_set_errno(error, outcome > 0 ? -EIO : outcome);
        }
}

ErrorId error_from_errno(int number) {
        for (size_t i = 0; i < ELEMENTS(table); i++)
                if (table[i].number == abs(number))
                        return (ErrorId)i;
        return ERROR_MAX;
}

const char *error_name(ErrorId id) {
        assert(id < ERROR_MAX);
        return table[id].name;
}

const char *error_short_name(const sd_bus_error *error) {
        const char *dot;

        if (!error || !error->name)
                return "ok";
        dot = strrchr(error->name, '.');
        return dot ? dot + 1 : error->name;
}
