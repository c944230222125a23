# SPDX-License-Identifier: LGPL-2.1-or-later
# The daemon with calls that fail on purpose; never installed. The linker reads what to wrap from the file `wraps`.
check_PROGRAMS += tests/framekeyd-faulty tests/faults/fault-run tests/faults/fault-start
tests_framekeyd_faulty_SOURCES = daemon/main.c tests/faults/faults.c tests/faults/faults.h
tests_framekeyd_faulty_CFLAGS = $(AM_CFLAGS) $(LIBSYSTEMD_CFLAGS) $(LIBGCRYPT_CFLAGS)
tests_framekeyd_faulty_LDFLAGS = $(AM_LDFLAGS) -Wl,@$(srcdir)/tests/faults/wraps
tests_framekeyd_faulty_LDADD = libcontrol.la libkeyplane.la $(LIBSYSTEMD_LIBS) $(LIBGCRYPT_LIBS)
tests_framekeyd_faulty_DEPENDENCIES = libcontrol.la libkeyplane.la $(srcdir)/tests/faults/wraps
tests_faults_fault_run_SOURCES = tests/faults/fault-run.c tests/faults/scenario.c tests/faults/scenario.h \
	tests/faults/faults.h
tests_faults_fault_run_CFLAGS = $(AM_CFLAGS) $(LIBSYSTEMD_CFLAGS)
tests_faults_fault_run_LDADD = libclient/libframekey.la $(LIBSYSTEMD_LIBS)
tests_faults_fault_start_SOURCES = tests/faults/fault-start.c tests/faults/faults.h
EXTRA_DIST += tests/faults/wraps
TESTS += tests/faults/test-faults.sh tests/faults/test-start.sh
dist_check_SCRIPTS += tests/faults/test-faults.sh tests/faults/test-start.sh
