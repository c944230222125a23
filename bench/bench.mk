# SPDX-License-Identifier: LGPL-2.1-or-later
# Timings; never part of a test.
noinst_PROGRAMS += bench/bench bench/ratchet bench/transcrypt
bench_bench_SOURCES = bench/bench.c bench/reference.c bench/reference.h
bench_bench_CFLAGS = $(AM_CFLAGS) $(LIBGCRYPT_CFLAGS) $(LIBSYSTEMD_CFLAGS)
bench_bench_LDADD = libclient/libframekey-bus.la libclient/libframekey.la $(LIBGCRYPT_LIBS) $(LIBSYSTEMD_LIBS)
bench_ratchet_SOURCES = bench/ratchet.c bench/reference.c bench/reference.h
bench_ratchet_CFLAGS = $(bench_bench_CFLAGS)
bench_ratchet_LDADD = $(bench_bench_LDADD)
bench_transcrypt_SOURCES = bench/transcrypt.c bench/reference.c bench/reference.h
bench_transcrypt_CFLAGS = $(bench_bench_CFLAGS)
bench_transcrypt_LDADD = $(bench_bench_LDADD)
if HAVE_OPENSSL
bench_bench_CFLAGS += $(LIBCRYPTO_CFLAGS) -DHAVE_OPENSSL=1
bench_bench_LDADD += $(LIBCRYPTO_LIBS)
endif
EXTRA_DIST += bench/run
