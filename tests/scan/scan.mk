# SPDX-License-Identifier: LGPL-2.1-or-later
check_PROGRAMS += \
	tests/scan/key-patterns \
	tests/scan/scan-memory \
	tests/scan/scan-victim
dist_check_SCRIPTS += tests/scan/test-scan.sh tests/scan/test-daemon-scan.sh
TESTS += tests/scan/test-scan.sh tests/scan/test-daemon-scan.sh

tests_scan_key_patterns_SOURCES = tests/scan/key-patterns.c
tests_scan_key_patterns_CFLAGS = $(AM_CFLAGS) $(LIBGCRYPT_CFLAGS)
tests_scan_key_patterns_LDADD = $(LIBGCRYPT_LIBS)

tests_scan_scan_memory_SOURCES = tests/scan/scan-memory.c

tests_scan_scan_victim_SOURCES = tests/scan/scan-victim.c
tests_scan_scan_victim_CFLAGS = $(AM_CFLAGS) -pthread
tests_scan_scan_victim_LDADD = libkeyplane.la -lpthread
