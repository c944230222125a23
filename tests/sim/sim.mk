# SPDX-License-Identifier: LGPL-2.1-or-later
# A day of a call, simulated. "make check-long" runs it with many seeds.
check_PROGRAMS += tests/sim/call-day
tests_sim_call_day_SOURCES = \
	tests/sim/app.c \
	tests/sim/audit.c \
	tests/sim/call-day.c \
	tests/sim/call.c tests/sim/call.h \
	tests/sim/host.c tests/sim/host.h \
	tests/sim/model-internal.h \
	tests/sim/model-receiver.c \
	tests/sim/model-sender.c tests/sim/model.h \
	tests/sim/people.c \
	tests/sim/queue.c tests/sim/queue.h \
	tests/sim/random.h \
	tests/sim/report.c tests/sim/report.h \
	tests/sim/shared.c \
	tests/sim/traffic.c \
	tests/sim/world.c tests/sim/world.h
tests_sim_call_day_LDADD = libkeyplane.la libclient/libframekey.la
TESTS += tests/sim/call-day
dist_check_SCRIPTS += tests/sim/call-day-long.sh
