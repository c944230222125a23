# SPDX-License-Identifier: LGPL-2.1-or-later
# Whether time tells anything of a key: by valgrind, and by the clock (make check-long).
EXTRA_DIST += tests/timing/wraps tests/timing/libgcrypt.supp tests/timing/test-secrecy.c
if HAVE_CHECK
if HAVE_VALGRIND_H
check_PROGRAMS += tests/timing/test-secrecy
tests_timing_test_secrecy_SOURCES = tests/timing/test-secrecy.c
tests_timing_test_secrecy_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS) $(LIBGCRYPT_CFLAGS)
tests_timing_test_secrecy_LDFLAGS = $(AM_LDFLAGS) -Wl,@$(srcdir)/tests/timing/wraps
tests_timing_test_secrecy_LDADD = libkeyplane.la $(CHECK_LIBS) $(LIBGCRYPT_LIBS)
endif
endif
check_PROGRAMS += tests/timing/tag-timing
tests_timing_tag_timing_SOURCES = tests/timing/tag-timing.c
tests_timing_tag_timing_LDADD = libkeyplane.la -lm
TESTS += tests/timing/test-secrecy.sh
dist_check_SCRIPTS += tests/timing/test-secrecy.sh
