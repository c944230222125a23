# SPDX-License-Identifier: LGPL-2.1-or-later
# libkeyplane: layers 0 to 4, without libsystemd. Static, so that the linker takes single objects and
# the test daemon can replace entropy.o and clock.o.

noinst_LTLIBRARIES += libkeyplane.la
libkeyplane_la_SOURCES = \
	daemon/util/util.h \
	daemon/format/dave.c daemon/format/dave.h \
	daemon/format/injected.c daemon/format/injected.h \
	daemon/format/sframe.c daemon/format/sframe.h \
	daemon/format/trailer.c daemon/format/trailer.h \
	daemon/keys/budget.c daemon/keys/budget.h \
	daemon/keys/chain.c daemon/keys/chain.h \
	daemon/keys/check-value.c daemon/keys/check-value.h \
	daemon/keys/counter-window.c daemon/keys/counter-window.h \
	daemon/keys/dave-schedule.c daemon/keys/dave-schedule.h \
	daemon/keys/derive.c \
	daemon/keys/deriver.c daemon/keys/deriver.h \
	daemon/keys/frame.c daemon/keys/frame.h daemon/keys/frame-internal.h \
	daemon/keys/frame-dave.c \
	daemon/keys/frame-sframe.c \
	daemon/keys/frame-trailer.c \
	daemon/keys/ledger.c daemon/keys/ledger.h \
	daemon/keys/life.c \
	daemon/keys/plane.c daemon/keys/plane.h daemon/keys/plane-internal.h \
	daemon/keys/preset.c daemon/keys/preset.h \
	daemon/keys/rotate.c \
	daemon/keys/sender.c \
	daemon/keys/stream.c \
	daemon/keys/replay.c daemon/keys/replay.h \
	daemon/keys/seen.c daemon/keys/seen.h \
	daemon/keys/schedule.c daemon/keys/schedule.h \
	daemon/keys/security-code.c daemon/keys/security-code.h \
	daemon/keys/selftest.c daemon/keys/selftest.h \
	daemon/keys/transcrypt.c daemon/keys/transcrypt.h \
	libclient/codec/clear.c libclient/codec/dave-ranges.c libclient/codec/escape.c libclient/codec/nalu.c \
	libclient/payload.c \
	daemon/keys/session.c daemon/keys/session.h daemon/keys/session-internal.h \
	daemon/keys/session-info.c \
	daemon/keys/sframe-schedule.c daemon/keys/sframe-schedule.h \
	daemon/keys/slot.c \
	daemon/keys/window.c \
	daemon/keys/wrap.c daemon/keys/wrap.h \
	daemon/channel/channel.c daemon/channel/channel.h \
	daemon/channel/crowd.c daemon/channel/crowd.h \
	daemon/channel/seats.c daemon/channel/seats.h \
	daemon/channel/server.c daemon/channel/server.h
libkeyplane_la_CFLAGS = $(AM_CFLAGS) $(LIBGCRYPT_CFLAGS)
libkeyplane_la_LIBADD = $(LIBGCRYPT_LIBS) -lpthread
