# SPDX-License-Identifier: LGPL-2.1-or-later
# The vector runner.
check_PROGRAMS += tests/vectors/run-vectors
tests_vectors_run_vectors_SOURCES = tests/vectors/run-vectors.c tests/vectors/trailer-cases.c tests/vectors/call.c \
	tests/vectors/dave-cases.c tests/vectors/gcm.c tests/vectors/jitsi-file.c tests/vectors/plane.c \
	tests/vectors/sframe-cases.c tests/vectors/vectors.h
tests_vectors_run_vectors_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS) $(LIBGCRYPT_CFLAGS) $(LIBSYSTEMD_CFLAGS)
tests_vectors_run_vectors_LDADD = libkeyplane.la libclient/libframekey-bus.la libclient/libframekey.la $(JANSSON_LIBS) \
	$(LIBGCRYPT_LIBS) $(LIBSYSTEMD_LIBS)
dist_check_SCRIPTS += tests/run-vectors
