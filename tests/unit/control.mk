# SPDX-License-Identifier: LGPL-2.1-or-later
# Unit tests of the control plane's parsers; what it does on the bus is in tests/bus.
if HAVE_CHECK
control_unit_tests = \
	tests/unit/test-config-file \
	tests/unit/test-timespan
check_PROGRAMS += $(control_unit_tests)
TESTS += $(control_unit_tests)

tests_unit_test_config_file_SOURCES = tests/unit/test-config-file.c tests/unit/runner.h
tests_unit_test_config_file_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_config_file_LDADD = libcontrol.la libkeyplane.la $(LIBGCRYPT_LIBS) $(CHECK_LIBS)

tests_unit_test_timespan_SOURCES = tests/unit/test-timespan.c tests/unit/runner.h
tests_unit_test_timespan_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_timespan_LDADD = libcontrol.la $(CHECK_LIBS)
endif
