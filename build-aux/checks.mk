# SPDX-License-Identifier: LGPL-2.1-or-later
# What the tree as a whole must keep: its layers, and pages that describe what is there.

EXTRA_DIST += bootstrap .ci/run .clang-format .clang-tidy .editorconfig COPYING README.md \
	build-aux/check-layers build-aux/functions.sh build-aux/lint build-aux/run-checks \
	build-aux/valgrind build-aux/valgrind.supp

dist_check_SCRIPTS += tests/layering/check-layers.sh tests/layering/test-layers.sh
TESTS += tests/layering/check-layers.sh tests/layering/test-layers.sh

# The smallest program that uses both libraries; README.md quotes it, so it has to compile.
noinst_PROGRAMS += examples/encrypt-one-frame
examples_encrypt_one_frame_SOURCES = examples/encrypt-one-frame.c
examples_encrypt_one_frame_CFLAGS = $(AM_CFLAGS) $(LIBSYSTEMD_CFLAGS)
examples_encrypt_one_frame_LDADD = libclient/libframekey-bus.la libclient/libframekey.la
dist_check_SCRIPTS += tests/docs/test-example.sh
TESTS += tests/docs/test-example.sh

# The same for libframekey-bus(3).
noinst_PROGRAMS += examples/answer-rotations
examples_answer_rotations_SOURCES = examples/answer-rotations.c
examples_answer_rotations_CFLAGS = $(AM_CFLAGS) $(LIBSYSTEMD_CFLAGS)
examples_answer_rotations_LDADD = libclient/libframekey-bus.la libclient/libframekey.la $(LIBSYSTEMD_LIBS)
dist_check_SCRIPTS += tests/docs/test-rotation-example.sh
TESTS += tests/docs/test-rotation-example.sh

# The default is where this machine's systemd looks, which is no place for a trial installation.
AM_DISTCHECK_CONFIGURE_FLAGS = --with-systemdsystemunitdir=$$dc_install_base/lib/systemd/system \
	--with-systemduserunitdir=$$dc_install_base/lib/systemd/user

# And for framekey-embedding(7): an app on the bus without libframekey-bus, and its media process.
noinst_PROGRAMS += examples/media-process
examples_media_process_SOURCES = examples/media-process.c
examples_media_process_CFLAGS = $(AM_CFLAGS) $(LIBSYSTEMD_CFLAGS)
examples_media_process_LDADD = libclient/libframekey.la $(LIBSYSTEMD_LIBS)
dist_check_SCRIPTS += tests/docs/test-embedding-example.sh
TESTS += tests/docs/test-embedding-example.sh

# What takes minutes: twenty simulated days; every call of the daemon that can fail, failing; the time of tags; ten minutes
# of random attacks; every guard taken out once.
check-long: $(check_PROGRAMS)
	$(AM_TESTS_ENVIRONMENT) $(srcdir)/tests/sim/call-day-long.sh
	$(AM_TESTS_ENVIRONMENT) $(srcdir)/tests/faults/test-faults.sh 1 0
	$(AM_TESTS_ENVIRONMENT) $(srcdir)/tests/faults/test-start.sh 1 0
	$(AM_TESTS_ENVIRONMENT) $(srcdir)/tests/bus/fuzz-bus.sh 1 40000
	$(AM_TESTS_ENVIRONMENT) $(builddir)/tests/timing/tag-timing || test $$? = 77
	$(AM_TESTS_ENVIRONMENT) SIEGE_SECONDS=600 SIEGE_SEED=$${SIEGE_SEED:-$$(date +%s)} \
		$(srcdir)/tests/hostile/test-siege.sh
	$(AM_TESTS_ENVIRONMENT) $(srcdir)/tests/mutate
dist_check_SCRIPTS += tests/mutate
EXTRA_DIST += tests/mutations
.PHONY: check-long

# For build-aux/run-checks, which picks suites by name.
print-tests:
	@printf '%s\n' $(TESTS)
.PHONY: print-tests
