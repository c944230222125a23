# SPDX-License-Identifier: LGPL-2.1-or-later
# Tests of framekeyctl and libframekey-bus, each under a bus and a daemon of its own.
cli_tests = \
	tests/cli/test-client.sh \
	tests/cli/test-code.sh \
	tests/cli/test-completion.sh \
	tests/cli/test-dave.sh \
	tests/cli/test-doctor.sh \
	tests/cli/test-events.sh \
	tests/cli/test-formats.sh \
	tests/cli/test-inspect.sh \
	tests/cli/test-keys.sh \
	tests/cli/test-life.sh \
	tests/cli/test-lines.sh \
	tests/cli/test-log.sh \
	tests/cli/test-monitor.sh \
	tests/cli/test-provider.sh \
	tests/cli/test-quiet.sh \
	tests/cli/test-remote.sh \
	tests/cli/test-round-trip.sh \
	tests/cli/test-selftest.sh \
	tests/cli/test-sframe.sh \
	tests/cli/test-terminal.sh \
	tests/cli/test-top.sh \
	tests/cli/test-usage.sh \
	tests/cli/test-verbs.sh \
	tests/cli/test-verdicts.sh \
	tests/cli/test-wrapped.sh
dist_check_SCRIPTS += $(cli_tests)
TESTS += $(cli_tests)
EXTRA_DIST += tests/cli/common.sh tests/cli/on-terminal.py tests/cli/shell-complete.py tests/cli/terminal-import.py

if HAVE_CHECK
check_PROGRAMS += tests/cli/test-client
tests_cli_test_client_SOURCES = tests/cli/test-client.c
tests_cli_test_client_CFLAGS = $(AM_CFLAGS) $(LIBSYSTEMD_CFLAGS) $(CHECK_CFLAGS)
tests_cli_test_client_LDADD = \
	libclient/libframekey-bus.la \
	libclient/libframekey.la \
	$(LIBSYSTEMD_LIBS) \
	$(CHECK_LIBS)
check_PROGRAMS += tests/cli/test-formats
tests_cli_test_formats_SOURCES = tests/cli/test-formats.c
tests_cli_test_formats_CFLAGS = $(AM_CFLAGS) $(LIBSYSTEMD_CFLAGS) $(CHECK_CFLAGS)
tests_cli_test_formats_LDADD = \
	libclient/libframekey-bus.la \
	libclient/libframekey.la \
	$(LIBSYSTEMD_LIBS) \
	$(CHECK_LIBS)
check_PROGRAMS += tests/cli/test-provider
tests_cli_test_provider_SOURCES = tests/cli/test-provider.c
tests_cli_test_provider_CFLAGS = $(AM_CFLAGS) $(LIBSYSTEMD_CFLAGS) $(CHECK_CFLAGS)
tests_cli_test_provider_LDADD = \
	libclient/libframekey-bus.la \
	libclient/libframekey.la \
	$(LIBSYSTEMD_LIBS) \
	$(CHECK_LIBS)
endif
