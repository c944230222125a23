# SPDX-License-Identifier: LGPL-2.1-or-later
# The GStreamer plugin: framekeyenc, framekeydec, framekeyvp8pay, framekeyvp9pay.

gstreamer_sources = \
	adapters/gstreamer/codecs.c \
	adapters/gstreamer/codecs.h \
	adapters/gstreamer/crypt.c \
	adapters/gstreamer/crypt.h \
	adapters/gstreamer/dec.c \
	adapters/gstreamer/enc.c \
	adapters/gstreamer/pay.c \
	adapters/gstreamer/pay.h \
	adapters/gstreamer/plugin.c \
	adapters/gstreamer/port.c \
	adapters/gstreamer/port.h \
	adapters/gstreamer/tally.c \
	adapters/gstreamer/tally.h \
	adapters/gstreamer/vp8pay.c \
	adapters/gstreamer/vp9pay.c

if HAVE_GSTREAMER
gstreamerdir = $(libdir)/gstreamer-1.0
gstreamer_LTLIBRARIES = adapters/gstreamer/libgstframekey.la
adapters_gstreamer_libgstframekey_la_SOURCES = $(gstreamer_sources)
adapters_gstreamer_libgstframekey_la_CFLAGS = $(AM_CFLAGS) $(GSTREAMER_CFLAGS) $(LIBSYSTEMD_CFLAGS)
adapters_gstreamer_libgstframekey_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -shared
adapters_gstreamer_libgstframekey_la_LIBADD = \
	libclient/libframekey-bus.la libclient/libframekey.la $(GSTREAMER_LIBS) $(LIBSYSTEMD_LIBS)
endif
