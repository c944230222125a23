# SPDX-License-Identifier: LGPL-2.1-or-later
# Calls through real daemons, from end to end.
call_side = tests/call/side.c tests/call/side.h
call_cflags = $(AM_CFLAGS) $(LIBSYSTEMD_CFLAGS)
call_libs = libclient/libframekey-bus.la libclient/libframekey.la $(LIBSYSTEMD_LIBS)

check_PROGRAMS += tests/call/flood tests/call/open-package tests/call/transcrypt tests/call/wrapped-call
tests_call_flood_SOURCES = tests/call/flood.c $(call_side)
tests_call_flood_CFLAGS = $(call_cflags)
tests_call_flood_LDADD = $(call_libs)
tests_call_open_package_SOURCES = tests/call/open-package.c
tests_call_open_package_LDADD = libkeyplane.la
tests_call_transcrypt_SOURCES = tests/call/transcrypt.c tests/call/bridge.c tests/call/bridge.h $(call_side)
tests_call_transcrypt_CFLAGS = $(call_cflags)
tests_call_transcrypt_LDADD = $(call_libs)
tests_call_wrapped_call_SOURCES = tests/call/wrapped-call.c $(call_side)
tests_call_wrapped_call_CFLAGS = $(call_cflags) -pthread
tests_call_wrapped_call_LDADD = $(call_libs) -lpthread

call_tests = tests/call/test-transcrypt.sh tests/call/test-wrapped-call.sh
EXTRA_DIST += tests/call/frames.mjs
TESTS += $(call_tests)
dist_check_SCRIPTS += $(call_tests)
