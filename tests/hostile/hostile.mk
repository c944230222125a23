# SPDX-License-Identifier: LGPL-2.1-or-later
# A hostile client with a victim beside it, on a running daemon.
check_PROGRAMS += tests/hostile/hostile-client
tests_hostile_hostile_client_SOURCES = \
	tests/hostile/attacks-descriptor.c \
	tests/hostile/attacks-files.c \
	tests/hostile/attacks-foreign.c \
	tests/hostile/attacks-payload.c \
	tests/hostile/attacks-ring.c \
	tests/hostile/call.c \
	tests/hostile/footprint.c tests/hostile/footprint.h \
	tests/hostile/hostile-client.c \
	tests/hostile/hostile.h \
	tests/hostile/raw-channel.c \
	tests/hostile/raw-channel.h \
	tests/hostile/siege.c tests/hostile/siege.h \
	tests/hostile/victim.c
tests_hostile_hostile_client_CFLAGS = $(AM_CFLAGS) $(LIBSYSTEMD_CFLAGS)
tests_hostile_hostile_client_LDADD = libclient/libframekey-bus.la libclient/libframekey.la $(LIBSYSTEMD_LIBS) -lpthread

check_PROGRAMS += tests/hostile/fairness
tests_hostile_fairness_SOURCES = \
	tests/hostile/call.c \
	tests/hostile/fairness.c \
	tests/hostile/hostile.h \
	tests/hostile/raw-channel.c \
	tests/hostile/raw-channel.h \
	tests/hostile/victim.c
tests_hostile_fairness_CFLAGS = $(AM_CFLAGS) $(LIBSYSTEMD_CFLAGS)
tests_hostile_fairness_LDADD = libclient/libframekey-bus.la libclient/libframekey.la $(LIBSYSTEMD_LIBS)

TESTS += tests/hostile/test-fairness.sh tests/hostile/test-siege.sh
# The third is run by tests/promises/P5.
dist_check_SCRIPTS += tests/hostile/test-fairness.sh tests/hostile/test-hostile.sh tests/hostile/test-siege.sh
