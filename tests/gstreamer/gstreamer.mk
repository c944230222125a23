# SPDX-License-Identifier: LGPL-2.1-or-later
# The GStreamer plugin in pipelines, with a real daemon.
EXTRA_DIST += tests/gstreamer/common.sh
gstreamer_tests = \
	tests/gstreamer/test-guide.sh \
	tests/gstreamer/test-network.sh \
	tests/gstreamer/test-restart.sh
dist_check_SCRIPTS += $(gstreamer_tests)
TESTS += $(gstreamer_tests)

if HAVE_GSTREAMER
check_PROGRAMS += tests/gstreamer/frames
tests_gstreamer_frames_SOURCES = tests/gstreamer/frames.c
tests_gstreamer_frames_CFLAGS = $(AM_CFLAGS) $(GSTREAMER_CFLAGS)
tests_gstreamer_frames_LDADD = $(GSTREAMER_LIBS)
endif
