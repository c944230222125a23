# SPDX-License-Identifier: LGPL-2.1-or-later
# libcontrol: layer 5, the daemon on the bus; and the daemon itself.

noinst_LTLIBRARIES += libcontrol.la
libcontrol_la_SOURCES = \
	daemon/control/audit.c daemon/control/audit.h \
	daemon/control/channel-bus.c \
	daemon/control/channel-object.c daemon/control/channel-object.h \
	daemon/control/daemon.c daemon/control/daemon.h \
	daemon/control/errors.c daemon/control/errors.h \
	daemon/control/key-options.c daemon/control/key-options.h \
	daemon/control/log.c daemon/control/log.h \
	daemon/control/manager-bus.c \
	daemon/control/object-tree.c daemon/control/object-tree.h \
	daemon/control/operation.c daemon/control/operation.h \
	daemon/control/options.c daemon/control/options.h \
	daemon/control/owner.c daemon/control/owner.h \
	daemon/control/participant-bus.c \
	daemon/control/participant-object.c daemon/control/participant-object.h \
	daemon/control/quota.c daemon/control/quota.h \
	daemon/control/request.c daemon/control/request.h \
	daemon/control/secret-fd.c daemon/control/secret-fd.h \
	daemon/control/session-bus.c \
	daemon/control/session-object.c daemon/control/session-object.h \
	daemon/control/statistics.c daemon/control/statistics.h \
	daemon/control/table.h \
	libclient/names.c
libcontrol_la_CFLAGS = $(AM_CFLAGS) $(LIBSYSTEMD_CFLAGS) $(LIBGCRYPT_CFLAGS)
libcontrol_la_LIBADD = $(LIBSYSTEMD_LIBS)

sbin_PROGRAMS += daemon/framekeyd
daemon_framekeyd_SOURCES = daemon/main.c
daemon_framekeyd_CFLAGS = $(AM_CFLAGS) $(LIBSYSTEMD_CFLAGS)
daemon_framekeyd_LDADD = libcontrol.la libkeyplane.la $(LIBSYSTEMD_LIBS) $(LIBGCRYPT_LIBS)
