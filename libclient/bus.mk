# SPDX-License-Identifier: LGPL-2.1-or-later
# libframekey-bus: the control plane on sd-bus.
lib_LTLIBRARIES += libclient/libframekey-bus.la
include_HEADERS += libclient/framekey-bus.h
pkgconfig_DATA += libclient/libframekey-bus.pc
EXTRA_DIST += libclient/framekey-bus.sym

libclient_libframekey_bus_la_SOURCES = \
	libclient/bus/bus-internal.h \
	libclient/bus/channel.c \
	libclient/bus/client.c \
	libclient/bus/code.c \
	libclient/bus/events.c \
	libclient/bus/keys.c \
	libclient/bus/options.c \
	libclient/bus/provider.c \
	libclient/bus/session.c
libclient_libframekey_bus_la_CFLAGS = $(AM_CFLAGS) $(LIBSYSTEMD_CFLAGS)
libclient_libframekey_bus_la_LDFLAGS = $(AM_LDFLAGS) -version-info 0:0:0 -no-undefined \
	-Wl,--version-script=$(srcdir)/libclient/framekey-bus.sym
libclient_libframekey_bus_la_LIBADD = libclient/libframekey.la $(LIBSYSTEMD_LIBS)
EXTRA_libclient_libframekey_bus_la_DEPENDENCIES = libclient/framekey-bus.sym
