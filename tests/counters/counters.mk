# SPDX-License-Identifier: LGPL-2.1-or-later
# Counters of sending keys over the daemon's death.
check_PROGRAMS += tests/counters/kills
tests_counters_kills_SOURCES = tests/counters/kills.c $(call_side)
tests_counters_kills_CFLAGS = $(call_cflags) -pthread
tests_counters_kills_LDADD = $(call_libs) libkeyplane.la -lpthread
