/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One dictionary, one table; see options.h. */
#include "control/options.h"

#include "control/errors.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

const Option options_none[] = { { .name = NULL } };

static const char *const signatures[] = {
        [OPTION_BOOL] = "b", [OPTION_U32] = "u",    [OPTION_U64] = "t",
        [OPTION_WORD] = "s", [OPTION_BYTES] = "ay", [OPTION_TEXT] = "s",
};

/* "a, b and c" for the error texts. */
static void list_append(char *text, size_t size, const char *name) {
        size_t len = strlen(text);

        (void)snprintf(text + len, size - len, "%s%s", len > 0 ? ", " : "", name);
}

static int refuse_unknown(const Option *table, const char *name, sd_bus_error *error) {
        char known[1024] = "";

        for (const Option *option = table; option->name; option++)
                list_append(known, sizeof(known), option->name);
        if (known[0] == '\0')
                return error_set_invalid(error, "Unknown option '%.64s'; this call takes none.", name);
        return error_set_invalid(error, "Unknown option '%.64s'; this call takes %s.", name, known);
}

static int read_number(sd_bus_message *message, const Option *option, void *target, sd_bus_error *error) {
        void *field = (uint8_t *)target + option->offset;
        uint64_t value = 0;
        uint32_t small = 0;
        int r;

        r = option->type == OPTION_U32 ? sd_bus_message_read_basic(message, 'u', &small)
                                       : sd_bus_message_read_basic(message, 't', &value);
        if (r < 0)
                return r;
        if (option->type == OPTION_U32)
                value = small;
        if (value < option->min || value > option->max)
                return error_set_invalid(error,
                                         "Option '%s' is %" PRIu64 "; it must be between %" PRIu64 " and %" PRIu64 ".",
                                         option->name, value, option->min, option->max);
        if (option->type == OPTION_U32)
                *(uint32_t *)field = small;
        else
                *(uint64_t *)field = value;
        if (option->given_offset > 0)
                *(bool *)((uint8_t *)target + option->given_offset) = true;
        return 0;
}

static int read_word(sd_bus_message *message, const Option *option, void *field, sd_bus_error *error) {
        char known[128] = "";
        const char *word;
        int r;

        r = sd_bus_message_read_basic(message, 's', &word);
        if (r < 0)
                return r;
        for (const OptionWord *w = option->words; w->word; w++) {
                if (strcmp(w->word, word) == 0) {
                        *(uint32_t *)field = w->value;
                        return 0;
                }
                list_append(known, sizeof(known), w->word);
        }
        return error_set_invalid(error, "Option '%s' is '%.64s'; it must be one of: %s.", option->name, word, known);
}

static int read_bytes(sd_bus_message *message, const Option *option, void *target, sd_bus_error *error) {
        const void *bytes;
        size_t len;
        int r;

        r = sd_bus_message_read_array(message, 'y', &bytes, &len);
        if (r < 0)
                return r;
        if (len > option->max)
                return error_set_invalid(error, "Option '%s' has %zu bytes; it may have at most %" PRIu64 ".",
                                         option->name, len, option->max);
        if (len > 0)
                memcpy((uint8_t *)target + option->offset, bytes, len);
        *(size_t *)((uint8_t *)target + option->len_offset) = len;
        return 0;
}

static int read_value(sd_bus_message *message, const Option *option, void *target, sd_bus_error *error) {
        void *field = (uint8_t *)target + option->offset;
        int r, value;

        switch (option->type) {
        case OPTION_BOOL:
                r = sd_bus_message_read_basic(message, 'b', &value);
                if (r < 0)
                        return r;
                *(bool *)field = value;
                return 0;
        case OPTION_U32:
        case OPTION_U64:
                return read_number(message, option, target, error);
        case OPTION_WORD:
                return read_word(message, option, field, error);
        case OPTION_BYTES:
                return read_bytes(message, option, target, error);
        case OPTION_TEXT:
                return sd_bus_message_read_basic(message, 's', field);
        default:
                assert(false);
                return -EINVAL;
        }
}

/* Behind the dictionary entry's name stands a variant: its type decides before anything is read. */
static int read_option(sd_bus_message *message, const Option *option, void *target, sd_bus_error *error) {
        const char *wanted = signatures[option->type], *found;
        char type;
        int r;

        r = sd_bus_message_peek_type(message, &type, &found);
        if (r < 0)
                return r;
        if (strcmp(found, wanted) != 0)
                return error_set_invalid(error, "Option '%s' has type '%.32s'; it must have type '%s'.", option->name,
                                         found, wanted);
        r = sd_bus_message_enter_container(message, 'v', wanted);
        if (r < 0)
                return r;
        r = read_value(message, option, target, error);
        if (r < 0)
                return r;
        return sd_bus_message_exit_container(message);
}

static const Option *table_find(const Option *table, const char *name) {
        for (const Option *option = table; option->name; option++)
                if (strcmp(option->name, name) == 0)
                        return option;
        return NULL;
}

int options_read(sd_bus_message *message, const Option *table, void *target, sd_bus_error *error) {
        return options_read_for(message, table, OPTION_FOR_ALL, target, error);
}

int options_read_for(sd_bus_message *message, const Option *table, OptionKinds kind, void *target,
                     sd_bus_error *error) {
        uint64_t seen = 0;
        int r;

        r = sd_bus_message_enter_container(message, 'a', "{sv}");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_enter_container(message, 'e', "sv")) > 0) {
                const Option *option;
                const char *name;

                r = sd_bus_message_read_basic(message, 's', &name);
                if (r < 0)
                        return r;
                option = table_find(table, name);
                if (!option)
                        return refuse_unknown(table, name, error);
                if (option->only != OPTION_FOR_ALL && !(option->only & kind))
                        return error_set_invalid(error,
                                                 "Option '%s' does not go with this session's format and key mode; "
                                                 "leave it out.",
                                                 name);
                if (seen & UINT64_C(1) << (option - table))
                        return error_set_invalid(error, "Option '%s' is given twice; give it once.", name);
                seen |= UINT64_C(1) << (option - table);

                r = read_option(message, option, target, error);
                if (r < 0)
                        return r;
                r = sd_bus_message_exit_container(message);
                if (r < 0)
                        return r;
        }
        if (r < 0)
                return r;
        r = sd_bus_message_exit_container(message);
        return r < 0 ? r : 0;
}
