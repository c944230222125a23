# SPDX-License-Identifier: LGPL-2.1-or-later
# The daemon on a private bus, as its clients see it.

dist_check_SCRIPTS += tests/with-daemon
EXTRA_DIST += $(bus_scripts)
bus_scripts = \
	tests/bus/audit.sh \
	tests/bus/authority.sh \
	tests/bus/capacity.sh \
	tests/bus/codes.sh \
	tests/bus/configuration.sh \
	tests/bus/credentials.sh \
	tests/bus/export.sh \
	tests/bus/formats.sh \
	tests/bus/fuzz-bus.sh \
	tests/bus/idle.sh \
	tests/bus/introspection.sh \
	tests/bus/keys.sh \
	tests/bus/life.sh \
	tests/bus/limits.sh \
	tests/bus/log-control.sh \
	tests/bus/policy.sh \
	tests/bus/quotas.sh \
	tests/bus/restarted.sh \
	tests/bus/sessions.sh \
	tests/bus/settings.sh \
	tests/bus/startup-failures.sh \
	tests/bus/startup.sh \
	tests/bus/status.sh \
	tests/bus/units.sh \
	tests/bus/wrapped.sh
bus_client = tests/bus/client.c tests/bus/client.h
bus_cflags = $(AM_CFLAGS) $(CHECK_CFLAGS) $(LIBSYSTEMD_CFLAGS)
bus_libs = $(CHECK_LIBS) $(LIBSYSTEMD_LIBS)

bus_call = tests/bus/call.c tests/bus/call.h $(bus_client)
bus_programs = \
	tests/bus/fuzz-bus \
	tests/bus/hold-objects \
	tests/bus/without-call \
	tests/bus/test-audit \
	tests/bus/test-authority \
	tests/bus/test-capacity \
	tests/bus/test-codes \
	tests/bus/test-credentials \
	tests/bus/test-formats \
	tests/bus/test-keys \
	tests/bus/test-life \
	tests/bus/test-limits \
	tests/bus/test-quotas \
	tests/bus/test-restarted \
	tests/bus/test-sessions \
	tests/bus/test-settings \
	tests/bus/test-wrapped
EXTRA_DIST += $(bus_programs:=.c) $(bus_call) tests/bus/polkit.c tests/bus/polkit.h
if HAVE_CHECK
TESTS += $(bus_scripts)
check_PROGRAMS += $(bus_programs)
tests_bus_fuzz_bus_SOURCES = tests/bus/fuzz-bus.c
tests_bus_fuzz_bus_CFLAGS = $(bus_cflags)
tests_bus_fuzz_bus_LDADD = $(LIBSYSTEMD_LIBS)
tests_bus_without_call_SOURCES = tests/bus/without-call.c
tests_bus_hold_objects_SOURCES = tests/bus/hold-objects.c
tests_bus_hold_objects_CFLAGS = $(bus_cflags)
tests_bus_hold_objects_LDADD = $(LIBSYSTEMD_LIBS)
tests_bus_test_audit_SOURCES = tests/bus/test-audit.c $(bus_call)
tests_bus_test_audit_CFLAGS = $(bus_cflags)
tests_bus_test_audit_LDADD = libclient/libframekey.la $(bus_libs)
tests_bus_test_authority_SOURCES = tests/bus/test-authority.c tests/bus/polkit.c tests/bus/polkit.h $(bus_call)
tests_bus_test_authority_CFLAGS = $(bus_cflags)
tests_bus_test_authority_LDADD = libclient/libframekey.la $(bus_libs)
tests_bus_test_capacity_SOURCES = tests/bus/test-capacity.c $(bus_call)
tests_bus_test_capacity_CFLAGS = $(bus_cflags)
tests_bus_test_capacity_LDADD = libclient/libframekey.la $(bus_libs)
tests_bus_test_codes_SOURCES = tests/bus/test-codes.c $(bus_call)
tests_bus_test_codes_CFLAGS = $(bus_cflags)
tests_bus_test_codes_LDADD = libclient/libframekey.la $(bus_libs)
tests_bus_test_credentials_SOURCES = tests/bus/test-credentials.c $(bus_call)
tests_bus_test_credentials_CFLAGS = $(bus_cflags)
tests_bus_test_credentials_LDADD = libclient/libframekey.la $(bus_libs)
tests_bus_test_formats_SOURCES = tests/bus/test-formats.c $(bus_client)
tests_bus_test_formats_CFLAGS = $(bus_cflags)
tests_bus_test_formats_LDADD = $(bus_libs)
tests_bus_test_keys_SOURCES = tests/bus/test-keys.c $(bus_client)
tests_bus_test_keys_CFLAGS = $(bus_cflags)
tests_bus_test_keys_LDADD = $(bus_libs)
tests_bus_test_life_SOURCES = tests/bus/test-life.c $(bus_call)
tests_bus_test_life_CFLAGS = $(bus_cflags)
tests_bus_test_life_LDADD = libclient/libframekey.la $(bus_libs)
tests_bus_test_limits_SOURCES = tests/bus/test-limits.c $(bus_client)
tests_bus_test_limits_CFLAGS = $(bus_cflags)
tests_bus_test_limits_LDADD = $(bus_libs)
tests_bus_test_quotas_SOURCES = tests/bus/test-quotas.c $(bus_client)
tests_bus_test_quotas_CFLAGS = $(bus_cflags)
tests_bus_test_quotas_LDADD = $(bus_libs)
tests_bus_test_restarted_SOURCES = tests/bus/test-restarted.c
tests_bus_test_restarted_CFLAGS = $(bus_cflags)
tests_bus_test_restarted_LDADD = libclient/libframekey-bus.la libclient/libframekey.la $(bus_libs)
tests_bus_test_sessions_SOURCES = tests/bus/test-sessions.c $(bus_client)
tests_bus_test_sessions_CFLAGS = $(bus_cflags)
tests_bus_test_sessions_LDADD = $(bus_libs)
tests_bus_test_settings_SOURCES = tests/bus/test-settings.c $(bus_call)
tests_bus_test_settings_CFLAGS = $(bus_cflags)
tests_bus_test_settings_LDADD = libclient/libframekey.la $(bus_libs)
tests_bus_test_wrapped_SOURCES = tests/bus/test-wrapped.c $(bus_call)
tests_bus_test_wrapped_CFLAGS = $(bus_cflags)
tests_bus_test_wrapped_LDADD = libclient/libframekey.la $(bus_libs)
endif
