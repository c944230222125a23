# SPDX-License-Identifier: LGPL-2.1-or-later
# One test or two for each promise of docs/security.md, named after it. What the promises rest on is tested elsewhere, too.

promises_raw = tests/hostile/raw-channel.c tests/hostile/raw-channel.h
promises_cflags = $(AM_CFLAGS) $(LIBSYSTEMD_CFLAGS)
promises_libs = libclient/libframekey-bus.la libclient/libframekey.la $(LIBSYSTEMD_LIBS) -lpthread

check_PROGRAMS += tests/promises/flip-bits tests/promises/fuzz-client
tests_promises_flip_bits_SOURCES = tests/promises/flip-bits.c $(promises_raw)
tests_promises_flip_bits_CFLAGS = $(promises_cflags)
tests_promises_flip_bits_LDADD = $(promises_libs)
tests_promises_fuzz_client_SOURCES = tests/promises/fuzz-client.c $(promises_raw)
tests_promises_fuzz_client_CFLAGS = $(promises_cflags)
tests_promises_fuzz_client_LDADD = $(promises_libs)

# Preloaded by P12.
check_LTLIBRARIES += tests/promises/broken-gcrypt.la
tests_promises_broken_gcrypt_la_SOURCES = tests/promises/broken-gcrypt.c
tests_promises_broken_gcrypt_la_CFLAGS = $(AM_CFLAGS) $(LIBGCRYPT_CFLAGS)
tests_promises_broken_gcrypt_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -shared -rpath /nowhere

promises_scripts = \
	tests/promises/P1-keys-lie-only-in-memory-for-secrets.sh \
	tests/promises/P2-no-core-swap-proc-or-ptrace-read-yields-a-key.sh \
	tests/promises/P3-a-client-gets-frames-and-never-a-key.sh \
	tests/promises/P4-what-is-not-authentic-is-never-seen.sh \
	tests/promises/P5-one-client-cannot-harm-another.sh \
	tests/promises/P6-no-key-seals-two-frames-alike.sh \
	tests/promises/P7-a-dead-key-is-gone.sh \
	tests/promises/P9-the-unit-s-exposure-is-little.sh \
	tests/promises/P11-bogus-frames-cost-a-bounded-share.sh \
	tests/promises/P12-the-formats-are-the-peers-own.sh
promises_nspawn = \
	tests/promises/P8-restart-and-crash-keep-or-drop-keys-as-set.nspawn \
	tests/promises/P9-the-service-has-no-capability.nspawn \
	tests/promises/P10-every-act-is-told-and-no-secret-is.nspawn
dist_check_SCRIPTS += $(promises_scripts)
EXTRA_DIST += $(promises_nspawn) tests/promises/steal-keys.py
TESTS += $(promises_scripts) $(promises_nspawn)
