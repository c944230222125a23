# SPDX-License-Identifier: LGPL-2.1-or-later
check_PROGRAMS += \
	tests/scan/blind-bridge \
	tests/scan/key-life \
	tests/scan/key-patterns \
	tests/scan/scan-memory \
	tests/scan/scan-victim
scan_tests = \
	tests/scan/test-scan.sh \
	tests/scan/test-transcrypt-scan.sh \
	tests/scan/test-wrapped-scan.sh
dist_check_SCRIPTS += $(scan_tests)
TESTS += $(scan_tests)

tests_scan_blind_bridge_SOURCES = tests/scan/blind-bridge.c tests/call/bridge.c tests/call/bridge.h \
	tests/call/side.c tests/call/side.h
tests_scan_blind_bridge_CFLAGS = $(AM_CFLAGS) $(LIBSYSTEMD_CFLAGS)
tests_scan_blind_bridge_LDADD = libclient/libframekey-bus.la libclient/libframekey.la $(LIBSYSTEMD_LIBS)

tests_scan_key_life_SOURCES = tests/scan/key-life.c tests/call/side.c tests/call/side.h
tests_scan_key_life_CFLAGS = $(AM_CFLAGS) $(LIBSYSTEMD_CFLAGS)
tests_scan_key_life_LDADD = libclient/libframekey-bus.la libclient/libframekey.la $(LIBSYSTEMD_LIBS)

tests_scan_key_patterns_SOURCES = tests/scan/key-patterns.c
tests_scan_key_patterns_CFLAGS = $(AM_CFLAGS) $(LIBGCRYPT_CFLAGS)
tests_scan_key_patterns_LDADD = $(LIBGCRYPT_LIBS)

tests_scan_scan_memory_SOURCES = tests/scan/scan-memory.c

tests_scan_scan_victim_SOURCES = tests/scan/scan-victim.c
tests_scan_scan_victim_CFLAGS = $(AM_CFLAGS) -pthread
tests_scan_scan_victim_LDADD = libkeyplane.la -lpthread
