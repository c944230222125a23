# SPDX-License-Identifier: LGPL-2.1-or-later
if HAVE_CHECK
lib_codec_tests = \
	tests/unit/test-clear \
	tests/unit/test-codec-vectors \
	tests/unit/test-dave-ranges \
	tests/unit/test-escape \
	tests/unit/test-nalu
lib_channel_tests = \
	tests/unit/test-channel \
	tests/unit/test-channel-formats \
	tests/unit/test-channel-life \
	tests/unit/test-channel-restart \
	tests/unit/test-channel-stress
lib_public_tests = \
	tests/unit/test-names \
	tests/unit/test-trailer
check_PROGRAMS += $(lib_codec_tests) $(lib_channel_tests) $(lib_public_tests)
TESTS += $(lib_codec_tests) $(lib_channel_tests) $(lib_public_tests)

tests_unit_test_clear_SOURCES = tests/unit/test-clear.c tests/unit/runner.h
tests_unit_test_clear_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_clear_LDADD = libclient/libcodec.la $(CHECK_LIBS)

tests_unit_test_codec_vectors_SOURCES = tests/unit/test-codec-vectors.c tests/unit/runner.h
tests_unit_test_codec_vectors_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS) $(JANSSON_CFLAGS) $(LIBGCRYPT_CFLAGS)
tests_unit_test_codec_vectors_LDADD = libclient/libcodec.la libclient/libframekey.la \
	$(JANSSON_LIBS) $(LIBGCRYPT_LIBS) $(CHECK_LIBS)

tests_unit_test_dave_ranges_SOURCES = tests/unit/test-dave-ranges.c tests/unit/runner.h tests/unit/vector-file.h
tests_unit_test_dave_ranges_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS) $(JANSSON_CFLAGS)
tests_unit_test_dave_ranges_LDADD = libclient/libcodec.la $(JANSSON_LIBS) $(CHECK_LIBS)

tests_unit_test_escape_SOURCES = tests/unit/test-escape.c tests/unit/runner.h
tests_unit_test_escape_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_escape_LDADD = libclient/libcodec.la $(CHECK_LIBS)

tests_unit_test_nalu_SOURCES = tests/unit/test-nalu.c tests/unit/runner.h
tests_unit_test_nalu_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_nalu_LDADD = libclient/libcodec.la $(CHECK_LIBS)

tests_unit_test_names_SOURCES = tests/unit/test-names.c tests/unit/runner.h
tests_unit_test_names_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_names_LDADD = libclient/libframekey.la $(CHECK_LIBS)

tests_unit_test_trailer_SOURCES = tests/unit/test-trailer.c tests/unit/runner.h
tests_unit_test_trailer_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_trailer_LDADD = libclient/libframekey.la $(CHECK_LIBS)

# The library as applications link it, against the daemon's own end of the ring.
echo_server = tests/unit/echo-server.c tests/unit/echo-server.h tests/unit/runner.h
tests_unit_test_channel_SOURCES = tests/unit/test-channel.c $(echo_server)
tests_unit_test_channel_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_channel_LDADD = libclient/libframekey.la libkeyplane.la $(LIBGCRYPT_LIBS) $(CHECK_LIBS)

tests_unit_test_channel_formats_SOURCES = tests/unit/test-channel-formats.c $(echo_server)
tests_unit_test_channel_formats_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_channel_formats_LDADD = libclient/libframekey.la libkeyplane.la $(LIBGCRYPT_LIBS) $(CHECK_LIBS)

tests_unit_test_channel_life_SOURCES = tests/unit/test-channel-life.c $(echo_server)
tests_unit_test_channel_life_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_channel_life_LDADD = libclient/libframekey.la libkeyplane.la $(LIBGCRYPT_LIBS) $(CHECK_LIBS)

tests_unit_test_channel_restart_SOURCES = tests/unit/test-channel-restart.c tests/unit/runner.h
tests_unit_test_channel_restart_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_channel_restart_LDADD = libclient/libframekey.la libkeyplane.la $(LIBGCRYPT_LIBS) $(CHECK_LIBS)

tests_unit_test_channel_stress_SOURCES = tests/unit/test-channel-stress.c $(echo_server)
tests_unit_test_channel_stress_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_channel_stress_LDADD = libclient/libframekey.la libkeyplane.la $(LIBGCRYPT_LIBS) $(CHECK_LIBS)
endif
EXTRA_DIST += tests/vectors/livekit.json tests/vectors/realtimekit.json tests/vectors/dave.json
