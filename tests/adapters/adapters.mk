# SPDX-License-Identifier: LGPL-2.1-or-later
# The bindings for other languages, with a real daemon behind them.
adapter_tests = tests/adapters/node/test-node.sh tests/adapters/python/test-aiortc.sh tests/adapters/python/test-bot.sh tests/adapters/python/test-frames.sh \
	tests/adapters/python/test-types.sh tests/adapters/webrtc/test-webrtc.sh
dist_check_SCRIPTS += $(adapter_tests)
TESTS += $(adapter_tests)
EXTRA_DIST += \
	tests/adapters/node/electron.js \
	tests/adapters/node/frames.mjs \
	tests/adapters/python/common.sh \
	tests/adapters/python/test_abi.py \
	tests/adapters/python/test_aiortc.py \
	tests/adapters/python/test_frames.py

webrtc_stubs = \
	tests/adapters/webrtc/api/array_view.h \
	tests/adapters/webrtc/api/crypto/frame_decryptor_interface.h \
	tests/adapters/webrtc/api/crypto/frame_encryptor_interface.h \
	tests/adapters/webrtc/api/frame_transformer_interface.h \
	tests/adapters/webrtc/api/make_ref_counted.h \
	tests/adapters/webrtc/api/media_types.h \
	tests/adapters/webrtc/api/names.h \
	tests/adapters/webrtc/api/ref_count.h \
	tests/adapters/webrtc/api/rtp_transceiver_interface.h
webrtc_cppflags = $(AM_CPPFLAGS) -I$(srcdir)/adapters/webrtc -I$(srcdir)/tests/adapters/webrtc
EXTRA_DIST += $(webrtc_stubs) tests/adapters/webrtc/old-names.cc tests/adapters/webrtc/test-webrtc.cc

if HAVE_CXX17
check_PROGRAMS += tests/adapters/webrtc/old-names tests/adapters/webrtc/test-webrtc
tests_adapters_webrtc_old_names_SOURCES = tests/adapters/webrtc/old-names.cc
tests_adapters_webrtc_old_names_CPPFLAGS = $(webrtc_cppflags)
tests_adapters_webrtc_old_names_CXXFLAGS = $(AM_CXXFLAGS) -pthread
tests_adapters_webrtc_old_names_LDADD = libclient/libframekey.la -lpthread
tests_adapters_webrtc_test_webrtc_SOURCES = tests/adapters/webrtc/test-webrtc.cc examples/webrtc-transformers.cc
tests_adapters_webrtc_test_webrtc_CPPFLAGS = $(webrtc_cppflags) -DSTUB_NEW_NAMES
tests_adapters_webrtc_test_webrtc_CXXFLAGS = $(AM_CXXFLAGS) $(LIBSYSTEMD_CFLAGS) -pthread
tests_adapters_webrtc_test_webrtc_LDADD = libclient/libframekey-bus.la libclient/libframekey.la -lpthread
endif
