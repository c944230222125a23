/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The main() that all unit-test programs share: RUN_TESTS("noun", case, case, ...). */
#pragma once

#include <check.h>
#include <stdlib.h>

/* Seconds a case may take; generous, since sanitizers and a busy machine slow everything down. */
#define RUNNER_TIMEOUT 120

#define RUN_TESTS(noun, ...)                                                                                           \
        int main(void) {                                                                                               \
                const TTest *const runner_tests[] = { __VA_ARGS__ };                                                   \
                TCase *runner_case = tcase_create(noun);                                                               \
                Suite *runner_suite = suite_create(noun);                                                              \
                SRunner *runner;                                                                                       \
                int runner_failed;                                                                                     \
                                                                                                                       \
                tcase_set_timeout(runner_case, RUNNER_TIMEOUT);                                                        \
                for (size_t i = 0; i < sizeof(runner_tests) / sizeof(*runner_tests); i++)                              \
                        tcase_add_test(runner_case, runner_tests[i]);                                                  \
                suite_add_tcase(runner_suite, runner_case);                                                            \
                runner = srunner_create(runner_suite);                                                                 \
                srunner_run_all(runner, CK_NORMAL);                                                                    \
                runner_failed = srunner_ntests_failed(runner);                                                         \
                srunner_free(runner);                                                                                  \
                return runner_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;                                               \
        }
