# SPDX-License-Identifier: LGPL-2.1-or-later
# Timings; never part of a test.
noinst_PROGRAMS += bench/bench bench/frames
bench_bench_SOURCES = \
	bench/agents.c \
	bench/bench.c \
	bench/channels.c \
	bench/derivation.c \
	bench/endpoint.c \
	bench/endpoint.h \
	bench/figures.c \
	bench/figures.h \
	bench/latency.c \
	bench/machine.c \
	bench/machine.h \
	bench/paced.c \
	bench/parts.h \
	bench/pipe.c \
	bench/pipe.h \
	bench/ratchet.c \
	bench/reference.c \
	bench/reference.h \
	bench/sealer.c \
	bench/sealer.h \
	bench/steady.c \
	bench/steady.h \
	bench/throughput.c \
	bench/transcrypt.c
bench_bench_CFLAGS = $(AM_CFLAGS) $(LIBGCRYPT_CFLAGS) $(LIBSYSTEMD_CFLAGS)
bench_bench_LDADD = libclient/libframekey-bus.la libclient/libframekey.la $(LIBGCRYPT_LIBS) $(LIBSYSTEMD_LIBS)
if HAVE_OPENSSL
bench_bench_CFLAGS += $(LIBCRYPTO_CFLAGS) -DHAVE_OPENSSL=1
bench_bench_LDADD += $(LIBCRYPTO_LIBS)
endif
if HAVE_PKCS11
bench_bench_SOURCES += bench/softhsm.c bench/softhsm.h
bench_bench_CFLAGS += $(P11KIT_CFLAGS) -DHAVE_PKCS11=1
endif
bench_frames_SOURCES = bench/endpoint.c bench/endpoint.h bench/frames.c
bench_frames_CFLAGS = $(AM_CFLAGS) $(LIBSYSTEMD_CFLAGS)
bench_frames_LDADD = libclient/libframekey-bus.la libclient/libframekey.la $(LIBSYSTEMD_LIBS)
EXTRA_DIST += bench/instructions bench/run bench/plots bench/rows bench/webcrypto.mjs docs/performance.md
