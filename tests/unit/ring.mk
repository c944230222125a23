# SPDX-License-Identifier: LGPL-2.1-or-later
# The ring: an honest raw client, hostile ones, and two threads at once.
EXTRA_DIST += tests/unit/ring-fixture.h tests/unit/sanitizers.h tests/unit/step-killer.h
if HAVE_CHECK
ring_unit_tests = \
	tests/unit/test-crowd \
	tests/unit/test-ring \
	tests/unit/test-ring-doorbell \
	tests/unit/test-ring-lies \
	tests/unit/test-ring-race \
	tests/unit/test-ring-region \
	tests/unit/test-ring-restart \
	tests/unit/test-ring-uid \
	tests/unit/test-undo \
	tests/unit/test-seats
check_PROGRAMS += $(ring_unit_tests)
TESTS += $(ring_unit_tests)

tests_unit_test_crowd_SOURCES = tests/unit/test-crowd.c
tests_unit_test_crowd_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_crowd_LDADD = libkeyplane.la $(CHECK_LIBS)

tests_unit_test_ring_SOURCES = tests/unit/test-ring.c
tests_unit_test_ring_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_ring_LDADD = libkeyplane.la $(CHECK_LIBS)

tests_unit_test_ring_doorbell_SOURCES = tests/unit/test-ring-doorbell.c
tests_unit_test_ring_doorbell_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_ring_doorbell_LDADD = libkeyplane.la $(CHECK_LIBS) -lpthread

tests_unit_test_ring_lies_SOURCES = tests/unit/test-ring-lies.c
tests_unit_test_ring_lies_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_ring_lies_LDADD = libkeyplane.la $(CHECK_LIBS)

tests_unit_test_ring_race_SOURCES = tests/unit/test-ring-race.c
tests_unit_test_ring_race_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_ring_race_LDADD = libkeyplane.la $(CHECK_LIBS) -lpthread

tests_unit_test_ring_region_SOURCES = tests/unit/test-ring-region.c
tests_unit_test_ring_region_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_ring_region_LDADD = libkeyplane.la $(CHECK_LIBS)

tests_unit_test_ring_restart_SOURCES = tests/unit/test-ring-restart.c
tests_unit_test_ring_restart_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_ring_restart_LDADD = libkeyplane.la $(CHECK_LIBS)

tests_unit_test_ring_uid_SOURCES = tests/unit/test-ring-uid.c
tests_unit_test_ring_uid_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_ring_uid_LDADD = libkeyplane.la $(CHECK_LIBS)

tests_unit_test_undo_SOURCES = tests/unit/test-undo.c
tests_unit_test_undo_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_undo_LDADD = libkeyplane.la $(CHECK_LIBS)

tests_unit_test_seats_SOURCES = tests/unit/test-seats.c
tests_unit_test_seats_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_seats_LDADD = libkeyplane.la $(CHECK_LIBS)
endif
