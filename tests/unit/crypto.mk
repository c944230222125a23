# SPDX-License-Identifier: LGPL-2.1-or-later
if HAVE_CHECK
crypto_unit_tests = \
	tests/unit/test-arena \
	tests/unit/test-arena-races \
	tests/unit/test-secret \
	tests/unit/test-kdf \
	tests/unit/test-aead \
	tests/unit/test-hpke \
	tests/unit/test-suite
check_PROGRAMS += $(crypto_unit_tests)
TESTS += $(crypto_unit_tests)

tests_unit_test_arena_SOURCES = tests/unit/test-arena.c
tests_unit_test_arena_CFLAGS = $(AM_CFLAGS) $(LIBGCRYPT_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_arena_LDADD = libkeyplane.la $(LIBGCRYPT_LIBS) $(CHECK_LIBS)

# Includes daemon/crypto/arena.c, so it does not link the library.
tests_unit_test_arena_races_SOURCES = tests/unit/test-arena-races.c
tests_unit_test_arena_races_CFLAGS = $(AM_CFLAGS) $(LIBGCRYPT_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_arena_races_LDADD = $(LIBGCRYPT_LIBS) $(CHECK_LIBS) -lpthread

tests_unit_test_secret_SOURCES = tests/unit/test-secret.c
tests_unit_test_secret_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_secret_LDADD = libkeyplane.la $(CHECK_LIBS)

tests_unit_test_kdf_SOURCES = tests/unit/test-kdf.c
tests_unit_test_kdf_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_kdf_LDADD = libkeyplane.la $(CHECK_LIBS)

tests_unit_test_aead_SOURCES = tests/unit/test-aead.c
tests_unit_test_aead_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_aead_LDADD = libkeyplane.la $(CHECK_LIBS)

# Includes daemon/crypto/hpke.c, so that it can look at what lies between; the linker does not take the library's.
tests_unit_test_hpke_SOURCES = tests/unit/test-hpke.c tests/unit/outside-arena.h
tests_unit_test_hpke_CFLAGS = $(AM_CFLAGS) $(LIBGCRYPT_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_hpke_LDADD = libkeyplane.la $(LIBGCRYPT_LIBS) $(CHECK_LIBS) -lpthread

tests_unit_test_suite_SOURCES = tests/unit/test-suite.c tests/unit/vector-file.h
tests_unit_test_suite_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS) $(JANSSON_CFLAGS)
tests_unit_test_suite_LDADD = libkeyplane.la $(CHECK_LIBS) $(JANSSON_LIBS)
endif
