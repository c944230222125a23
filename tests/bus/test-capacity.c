/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Two thousand people in one call, each with a key and its successor. See capacity.sh. */
#include "call.h"

#include <stdio.h>

#define PEOPLE 2000u

static uint64_t statistic(sd_bus *bus, const char *wanted) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = client_manager(bus, "GetStatistics", NULL);
        const char *name;

        ck_assert_int_gt(sd_bus_message_enter_container(reply, 'a', "{sv}"), 0);
        while (sd_bus_message_enter_container(reply, 'e', "sv") > 0) {
                uint64_t value = 0;

                ck_assert_int_gt(sd_bus_message_read(reply, "s", &name), 0);
                if (strcmp(name, wanted) == 0) {
                        ck_assert_int_gt(sd_bus_message_read(reply, "v", "t", &value), 0);
                        return value;
                }
                ck_assert_int_gt(sd_bus_message_skip(reply, "v"), 0);
                ck_assert_int_gt(sd_bus_message_exit_container(reply), 0);
        }
        ck_abort_msg("there is no statistic %s", wanted);
}

START_TEST(thousands_of_keys_fit) {
        _client_ bus = client_open_as(FOREIGN_UID);
        _client_ root = client_open();
        TestSession session = client_open_session(bus, "element-call", 0);
        uint64_t used, all;

        for (unsigned i = 0; i < PEOPLE; i++) {
                char name[32], path[256];

                (void)snprintf(name, sizeof(name), "participant-%u", i);
                call_add(bus, &session, name, i == 0 ? "local" : "remote", path);
                for (uint32_t index = 0; index < 2; index++)
                        client_do(bus, session.path, SESSION, "GenerateKey", "sua{sv}", name, index, 0);
        }
        ck_assert_uint_eq(statistic(bus, "keys"), 2 * PEOPLE);
        used = statistic(root, "arena-bytes-used");
        all = statistic(root, "arena-bytes");
        (void)printf("%u keys: %ju of %ju bytes\n", 2 * PEOPLE, (uintmax_t)used, (uintmax_t)all);
        /* Room for generations in their grace, and for others. */
        ck_assert_uint_lt(used, all / 2);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("capacity");
        TCase *one = tcase_create("a large call");

        tcase_set_timeout(one, 120);
        tcase_add_test(one, thousands_of_keys_fit);
        suite_add_tcase(suite, one);
        return client_is_root() ? client_main(suite) : 77;
}
