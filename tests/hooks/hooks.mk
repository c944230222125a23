# SPDX-License-Identifier: LGPL-2.1-or-later
# The daemon with pinned IVs, counters and clock, for known-answer tests; never installed.
check_PROGRAMS += tests/framekeyd-hooked
tests_framekeyd_hooked_SOURCES = daemon/main.c tests/hooks/hooks.c tests/hooks/pins.h
tests_framekeyd_hooked_CFLAGS = $(AM_CFLAGS) $(LIBSYSTEMD_CFLAGS)
tests_framekeyd_hooked_LDADD = libcontrol.la libkeyplane.la $(LIBSYSTEMD_LIBS) $(LIBGCRYPT_LIBS)
dist_check_SCRIPTS += tests/hooks/test-hooks-absent.sh
TESTS += tests/hooks/test-hooks-absent.sh
