# SPDX-License-Identifier: LGPL-2.1-or-later
# A call with a browser: examples that need GStreamer with webrtcbin, and what plays them against headless Chromium.
if HAVE_GST_WEBRTC
noinst_PROGRAMS += examples/gstreamer-call examples/gstreamer-recorder
check_PROGRAMS += tests/browser/grasping-recorder
endif
examples_gstreamer_call_SOURCES = examples/gstreamer-call.c
examples_gstreamer_call_CFLAGS = $(AM_CFLAGS) $(GST_WEBRTC_CFLAGS) $(JANSSON_CFLAGS) $(LIBSYSTEMD_CFLAGS)
examples_gstreamer_call_LDADD = libclient/libframekey-bus.la libclient/libframekey.la $(GST_WEBRTC_LIBS) \
	$(JANSSON_LIBS) $(LIBSYSTEMD_LIBS)
examples_gstreamer_recorder_SOURCES = examples/gstreamer-recorder.c
examples_gstreamer_recorder_CFLAGS = $(AM_CFLAGS) $(GST_WEBRTC_CFLAGS)
examples_gstreamer_recorder_LDADD = $(GST_WEBRTC_LIBS)
tests_browser_grasping_recorder_SOURCES = tests/browser/grasping-recorder.c tests/hostile/raw-channel.c \
	tests/hostile/raw-channel.h
tests_browser_grasping_recorder_CFLAGS = $(AM_CFLAGS) $(LIBSYSTEMD_CFLAGS)
tests_browser_grasping_recorder_LDADD = libclient/libframekey-bus.la libclient/libframekey.la $(LIBSYSTEMD_LIBS)

browser_tests = tests/browser/test-livekit-script.sh tests/browser/test-livekit-streams.sh \
	tests/browser/test-realtimekit.sh tests/browser/test-recorder.sh tests/browser/test-wrong-passphrase.sh
dist_check_SCRIPTS += $(browser_tests)
TESTS += $(browser_tests)
CLEANFILES += tests/browser/registry.bin
EXTRA_DIST += \
	tests/browser/call.mjs \
	tests/browser/chromium.mjs \
	tests/browser/common.sh \
	tests/browser/flow.mjs \
	tests/browser/native.mjs \
	tests/browser/page.html \
	tests/browser/page.mjs \
	tests/browser/recorder.mjs \
	tests/browser/signals.mjs
