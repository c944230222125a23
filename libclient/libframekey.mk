# SPDX-License-Identifier: LGPL-2.1-or-later
# libframekey, the data plane: libc only.

include_HEADERS += libclient/framekey.h libclient/framekey-messages.h
pkgconfig_DATA += libclient/libframekey.pc
EXTRA_DIST += libclient/framekey.sym

# The codec rules alone, which tests and fuzz targets link without the library around them.
noinst_LTLIBRARIES += libclient/libcodec.la
libclient_libcodec_la_SOURCES = \
	libclient/codec/clear.c \
	libclient/codec/clear.h \
	libclient/codec/dave-ranges.c \
	libclient/codec/dave-ranges.h \
	libclient/codec/escape.c \
	libclient/codec/escape.h \
	libclient/codec/nalu.c \
	libclient/codec/nalu.h \
	libclient/payload.c \
	libclient/payload.h

lib_LTLIBRARIES += libclient/libframekey.la
libclient_libframekey_la_SOURCES = \
	libclient/blocking.c \
	libclient/channel.c \
	libclient/channel.h \
	libclient/framekey-abi.h \
	libclient/framekey.h \
	libclient/link.c \
	libclient/link.h \
	libclient/names.c \
	libclient/packet.c \
	libclient/slots.c \
	libclient/slots.h \
	libclient/trailer.c
libclient_libframekey_la_LIBADD = libclient/libcodec.la
libclient_libframekey_la_LDFLAGS = $(AM_LDFLAGS) -version-info 0:0:0 \
	-Wl,--version-script=$(srcdir)/libclient/framekey.sym
EXTRA_libclient_libframekey_la_DEPENDENCIES = libclient/framekey.sym
