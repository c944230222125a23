/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bus client of the tests; see client.h. */
#include "client.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>

#define NAME "org.framekey1"

sd_bus *client_open(void) {
        sd_bus *bus = NULL;
        const char *unique;

        ck_assert_int_ge(sd_bus_open_system(&bus), 0);
        ck_assert_int_ge(sd_bus_get_unique_name(bus, &unique), 0);
        return bus;
}

sd_bus *client_open_second(void) {
        const char *address = getenv("DBUS_SYSTEM_BUS_ADDRESS_2"), *unique;
        sd_bus *bus = NULL;

        ck_assert_ptr_nonnull(address);
        ck_assert_int_ge(sd_bus_new(&bus), 0);
        ck_assert_int_ge(sd_bus_set_address(bus, address), 0);
        ck_assert_int_ge(sd_bus_set_bus_client(bus, 1), 0);
        ck_assert_int_ge(sd_bus_start(bus), 0);
        ck_assert_int_ge(sd_bus_get_unique_name(bus, &unique), 0);
        return bus;
}

sd_bus *client_open_as(uid_t uid) {
        sd_bus *bus;

        /* The bus asks the kernel who connects. */
        ck_assert_int_eq(seteuid(uid), 0);
        bus = client_open();
        ck_assert_int_eq(seteuid(0), 0);
        return bus;
}

static sd_bus_message *new_call(sd_bus *bus, const char *path, const char *interface, const char *member,
                                const char *types, va_list values) {
        sd_bus_message *message = NULL;

        ck_assert_int_ge(sd_bus_message_new_method_call(bus, &message, NAME, path, interface, member), 0);
        if (types)
                ck_assert_int_ge(sd_bus_message_appendv(message, types, values), 0);
        return message;
}

sd_bus_message *client_call(sd_bus *bus, const char *path, const char *interface, const char *member, const char *types,
                            ...) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *message = NULL;
        sd_bus_message *reply = NULL;
        va_list values;
        int r;

        va_start(values, types);
        message = new_call(bus, path, interface, member, types, values);
        va_end(values);
        r = sd_bus_call(bus, message, 0, &error, &reply);
        ck_assert_msg(r >= 0, "%s failed: %s: %s", member, error.name, error.message);
        return reply;
}

char *client_refused(sd_bus *bus, const char *path, const char *interface, const char *member, const char *name,
                     const char *types, ...) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *message = NULL, *reply = NULL;
        va_list values;
        int r;

        va_start(values, types);
        message = new_call(bus, path, interface, member, types, values);
        va_end(values);
        r = sd_bus_call(bus, message, 0, &error, &reply);
        ck_assert_msg(r < 0, "%s was not refused with %s", member, name);
        ck_assert_msg(strcmp(error.name, name) == 0, "%s: refused with %s (%s), not %s", member, error.name,
                      error.message, name);
        ck_assert_ptr_nonnull(error.message);
        ck_assert_msg(error.message[strlen(error.message) - 1] == '.', "not a sentence: %s", error.message);
        return strdup(error.message);
}

TestSession client_open_session(sd_bus *bus, const char *profile, unsigned n_options, ...) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *message = NULL, *reply = NULL;
        const char *id, *path;
        TestSession session;
        va_list options;
        int r;

        ck_assert_int_ge(
                sd_bus_message_new_method_call(bus, &message, NAME, MANAGER_PATH, NAME ".Manager", "OpenSession"), 0);
        ck_assert_int_ge(sd_bus_message_append(message, "ss", profile, "test"), 0);
        ck_assert_int_ge(sd_bus_message_open_container(message, 'a', "{sv}"), 0);
        va_start(options, n_options);
        while (n_options-- > 0) {
                const char *name = va_arg(options, const char *), *type = va_arg(options, const char *);

                /* A string, a time, or a number or boolean that an int holds. */
                if (type[0] == 's') {
                        const char *word = va_arg(options, const char *);

                        r = sd_bus_message_append(message, "{sv}", name, type, word);
                } else if (type[0] == 't') {
                        uint64_t time = va_arg(options, uint64_t);

                        r = sd_bus_message_append(message, "{sv}", name, type, time);
                } else {
                        int number = va_arg(options, int);

                        r = sd_bus_message_append(message, "{sv}", name, type, number);
                }
                ck_assert_int_ge(r, 0);
        }
        va_end(options);
        ck_assert_int_ge(sd_bus_message_close_container(message), 0);
        r = sd_bus_call(bus, message, 0, &error, &reply);
        ck_assert_msg(r >= 0, "OpenSession failed: %s: %s", error.name, error.message);
        ck_assert_int_ge(sd_bus_message_read(reply, "so", &id, &path), 0);
        (void)snprintf(session.id, sizeof(session.id), "%s", id);
        (void)snprintf(session.path, sizeof(session.path), "%s", path);
        return session;
}

char *client_string(sd_bus *bus, const char *path, const char *interface, const char *property) {
        char *value = NULL;

        ck_assert_int_ge(sd_bus_get_property_string(bus, NAME, path, interface, property, NULL, &value), 0);
        return value;
}

uint32_t client_u32(sd_bus *bus, const char *path, const char *interface, const char *property) {
        uint32_t value = 0;

        ck_assert_int_ge(sd_bus_get_property_trivial(bus, NAME, path, interface, property, NULL, 'u', &value), 0);
        return value;
}

uint64_t client_u64(sd_bus *bus, const char *path, const char *interface, const char *property) {
        uint64_t value = 0;

        ck_assert_int_ge(sd_bus_get_property_trivial(bus, NAME, path, interface, property, NULL, 't', &value), 0);
        return value;
}

bool client_bool(sd_bus *bus, const char *path, const char *interface, const char *property) {
        int value = 0;

        ck_assert_int_ge(sd_bus_get_property_trivial(bus, NAME, path, interface, property, NULL, 'b', &value), 0);
        return value;
}

int client_secret(const char *text) {
        int fds[2];

        ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
        ck_assert_int_eq((int)write(fds[1], text, strlen(text)), (int)strlen(text));
        (void)close_fd(fds[1]);
        return fds[0];
}

uint64_t client_import(sd_bus *bus, const char *session, const char *participant, uint32_t index, const char *text) {
        _cleanup_close_ int fd = client_secret(text);
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        uint64_t generation = 0;

        /* One iteration: what is tested here is the way of the secret, not its strength. */
        reply = client_session(bus, session, "ImportKey", "suha{sv}", participant, index, fd, 1, "iterations", "u", 1);
        ck_assert_int_ge(sd_bus_message_read(reply, "t", &generation), 0);
        return generation;
}

void client_settle(sd_bus *bus, uint64_t usec) {
        for (;;) {
                int r = sd_bus_process(bus, NULL);

                ck_assert_int_ge(r, 0);
                if (r > 0)
                        continue;
                r = sd_bus_wait(bus, usec);
                ck_assert_int_ge(r, 0);
                if (r == 0)
                        return;
        }
}

void client_wait(sd_bus *bus, const int *flag) {
        unsigned waits = 0;

        while (!*flag) {
                int r = sd_bus_process(bus, NULL);

                ck_assert_int_ge(r, 0);
                if (r > 0)
                        continue;
                ck_assert_msg(waits++ < 500, "nothing came within five seconds");
                ck_assert_int_ge(sd_bus_wait(bus, 10 * USEC_PER_MSEC), 0);
        }
}

bool client_is_root(void) {
        if (geteuid() == 0)
                return true;
        (void)fprintf(stderr, "cases with several users need root\n");
        return false;
}

int client_main(Suite *suite) {
        SRunner *runner = srunner_create(suite);
        int failed;

        srunner_run_all(runner, CK_ENV);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
