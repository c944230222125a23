# SPDX-License-Identifier: LGPL-2.1-or-later
# Unit tests of formats, keys and data threads.
if HAVE_CHECK
keys_unit_tests = \
	tests/unit/test-budget \
	tests/unit/test-check-value \
	tests/unit/test-replay \
	tests/unit/test-trailer-frame \
	tests/unit/test-deriver \
	tests/unit/test-schedule \
	tests/unit/test-security-code \
	tests/unit/test-session \
	tests/unit/test-life \
	tests/unit/test-wipe \
	tests/unit/test-wrap \
	tests/unit/test-wrap-plain \
	tests/unit/test-wrapped \
	tests/unit/test-channel-adopt \
	tests/unit/test-data-plane \
	tests/unit/test-transcrypt \
	tests/unit/test-transcrypt-limits \
	tests/unit/test-counted \
	tests/unit/test-ledger \
	tests/unit/test-counter-window \
	tests/unit/test-dave \
	tests/unit/test-dave-frames \
	tests/unit/test-dave-schedule \
	tests/unit/test-sframe \
	tests/unit/test-sframe-schedule
check_PROGRAMS += $(keys_unit_tests)
TESTS += $(keys_unit_tests)
noinst_HEADERS += tests/unit/keyplane-fixture.h tests/unit/runner.h

tests_unit_test_budget_SOURCES = tests/unit/test-budget.c
tests_unit_test_budget_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_budget_LDADD = libkeyplane.la $(CHECK_LIBS)

# Bound at once as the daemon is, as below.
tests_unit_test_check_value_SOURCES = tests/unit/test-check-value.c tests/unit/outside-arena.h
tests_unit_test_check_value_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_check_value_LDFLAGS = $(AM_LDFLAGS) -Wl,-z,now
tests_unit_test_check_value_LDADD = libkeyplane.la $(CHECK_LIBS)

tests_unit_test_security_code_SOURCES = tests/unit/test-security-code.c
tests_unit_test_security_code_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_security_code_LDADD = libkeyplane.la $(CHECK_LIBS)

tests_unit_test_replay_SOURCES = tests/unit/test-replay.c
tests_unit_test_replay_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_replay_LDADD = libkeyplane.la $(CHECK_LIBS)

tests_unit_test_trailer_frame_SOURCES = tests/unit/test-trailer-frame.c
tests_unit_test_trailer_frame_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_trailer_frame_LDADD = libkeyplane.la $(CHECK_LIBS)

tests_unit_test_deriver_SOURCES = tests/unit/test-deriver.c
tests_unit_test_deriver_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_deriver_LDADD = libkeyplane.la $(CHECK_LIBS)

tests_unit_test_schedule_SOURCES = tests/unit/test-schedule.c
tests_unit_test_schedule_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS) $(JANSSON_CFLAGS)
tests_unit_test_schedule_LDADD = libkeyplane.la $(CHECK_LIBS) $(JANSSON_LIBS)

tests_unit_test_session_SOURCES = tests/unit/test-session.c
tests_unit_test_session_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_session_LDADD = libkeyplane.la $(CHECK_LIBS)

tests_unit_test_life_SOURCES = tests/unit/test-life.c
tests_unit_test_life_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_life_LDADD = libkeyplane.la $(CHECK_LIBS)

tests_unit_test_wipe_SOURCES = tests/unit/test-wipe.c
tests_unit_test_wipe_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_wipe_LDADD = libkeyplane.la $(CHECK_LIBS)

tests_unit_test_wrap_SOURCES = tests/unit/test-wrap.c tests/unit/outside-arena.h tests/unit/wrap-fixture.h
tests_unit_test_wrap_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_wrap_LDADD = libkeyplane.la $(CHECK_LIBS)

tests_unit_test_wrap_plain_SOURCES = tests/unit/test-wrap-plain.c tests/unit/wrap-fixture.h
tests_unit_test_wrap_plain_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_wrap_plain_LDADD = libkeyplane.la $(CHECK_LIBS)

tests_unit_test_wrapped_SOURCES = tests/unit/test-wrapped.c
tests_unit_test_wrapped_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_wrapped_LDADD = libkeyplane.la $(CHECK_LIBS)

tests_unit_test_channel_adopt_SOURCES = tests/unit/test-channel-adopt.c
tests_unit_test_channel_adopt_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_channel_adopt_LDADD = libclient/libframekey.la libkeyplane.la $(CHECK_LIBS)

tests_unit_test_data_plane_SOURCES = tests/unit/test-data-plane.c
tests_unit_test_data_plane_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_data_plane_LDADD = libclient/libframekey.la libkeyplane.la $(CHECK_LIBS)

tests_unit_test_transcrypt_SOURCES = tests/unit/test-transcrypt.c tests/unit/transcrypt-fixture.h
tests_unit_test_transcrypt_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_transcrypt_LDADD = libclient/libframekey.la libkeyplane.la $(CHECK_LIBS)

tests_unit_test_transcrypt_limits_SOURCES = tests/unit/test-transcrypt-limits.c tests/unit/transcrypt-fixture.h
tests_unit_test_transcrypt_limits_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_transcrypt_limits_LDADD = libclient/libframekey.la libkeyplane.la $(CHECK_LIBS) -lpthread

tests_unit_test_counted_SOURCES = tests/unit/test-counted.c
tests_unit_test_counted_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_counted_LDADD = libkeyplane.la $(CHECK_LIBS)

tests_unit_test_ledger_SOURCES = tests/unit/test-ledger.c
tests_unit_test_ledger_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_ledger_LDADD = libkeyplane.la $(CHECK_LIBS) -lpthread

tests_unit_test_counter_window_SOURCES = tests/unit/test-counter-window.c tests/unit/vector-file.h
tests_unit_test_counter_window_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS) $(JANSSON_CFLAGS)
tests_unit_test_counter_window_LDADD = libkeyplane.la $(CHECK_LIBS) $(JANSSON_LIBS)

tests_unit_test_dave_SOURCES = tests/unit/test-dave.c tests/unit/vector-file.h
tests_unit_test_dave_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS) $(JANSSON_CFLAGS)
tests_unit_test_dave_LDADD = libkeyplane.la $(CHECK_LIBS) $(JANSSON_LIBS)

tests_unit_test_dave_frames_SOURCES = tests/unit/test-dave-frames.c tests/unit/vector-file.h
tests_unit_test_dave_frames_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS) $(JANSSON_CFLAGS)
tests_unit_test_dave_frames_LDADD = libclient/libcodec.la libkeyplane.la $(CHECK_LIBS) $(JANSSON_LIBS)

# Bound at once as the daemon is, with sanitizers too: binding at a first call saves registers to the stack.
tests_unit_test_dave_schedule_SOURCES = tests/unit/test-dave-schedule.c tests/unit/vector-file.h tests/unit/outside-arena.h
tests_unit_test_dave_schedule_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS) $(JANSSON_CFLAGS)
tests_unit_test_dave_schedule_LDFLAGS = $(AM_LDFLAGS) -Wl,-z,now
tests_unit_test_dave_schedule_LDADD = libkeyplane.la $(CHECK_LIBS) $(JANSSON_LIBS)

tests_unit_test_sframe_SOURCES = tests/unit/test-sframe.c tests/unit/vector-file.h
tests_unit_test_sframe_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS) $(JANSSON_CFLAGS)
tests_unit_test_sframe_LDADD = libkeyplane.la $(CHECK_LIBS) $(JANSSON_LIBS)

tests_unit_test_sframe_schedule_SOURCES = tests/unit/test-sframe-schedule.c tests/unit/vector-file.h tests/unit/outside-arena.h
tests_unit_test_sframe_schedule_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS) $(JANSSON_CFLAGS)
tests_unit_test_sframe_schedule_LDFLAGS = $(AM_LDFLAGS) -Wl,-z,now
tests_unit_test_sframe_schedule_LDADD = libkeyplane.la $(CHECK_LIBS) $(JANSSON_LIBS)
endif
EXTRA_DIST += tests/vectors/livekit.json tests/vectors/realtimekit.json tests/vectors/jitsi.json \
	tests/vectors/sframe-rfc9605.json tests/vectors/sframe-extra.json tests/vectors/dave.json \
	tests/vectors/README.md tests/vectors/README-sframe.md
