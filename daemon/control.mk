# SPDX-License-Identifier: LGPL-2.1-or-later
# libcontrol: layer 5, the daemon on the bus; and the daemon itself.

noinst_LTLIBRARIES += libcontrol.la
libcontrol_la_SOURCES = \
	daemon/control/audit.c daemon/control/audit.h \
	daemon/control/authority.c daemon/control/authority.h \
	daemon/control/channel-bus.c \
	daemon/control/channel-object.c daemon/control/channel-object.h \
	daemon/control/config-file.c daemon/control/config-file.h \
	daemon/control/counters.c daemon/control/counters.h \
	daemon/control/credential.c daemon/control/credential.h \
	daemon/control/daemon.c daemon/control/daemon.h \
	daemon/control/errors.c daemon/control/errors.h \
	daemon/control/fingerprint.c daemon/control/fingerprint.h \
	daemon/control/gate.c daemon/control/gate.h \
	daemon/control/key-options.c daemon/control/key-options.h \
	daemon/control/log.c daemon/control/log.h \
	daemon/control/log-control-bus.c \
	daemon/control/manager-bus.c daemon/control/manager-bus.h \
	daemon/control/manager-policy.c \
	daemon/control/object-tree.c daemon/control/object-tree.h \
	daemon/control/operation.c daemon/control/operation.h \
	daemon/control/options.c daemon/control/options.h \
	daemon/control/owner.c daemon/control/owner.h \
	daemon/control/participant-bus.c \
	daemon/control/participant-object.c daemon/control/participant-object.h \
	daemon/control/policy.c daemon/control/policy.h \
	daemon/control/quota.c daemon/control/quota.h \
	daemon/control/reload.c daemon/control/reload.h \
	daemon/control/request.c daemon/control/request.h \
	daemon/control/secret-fd.c daemon/control/secret-fd.h \
	daemon/control/session-bus.c daemon/control/session-bus.h \
	daemon/control/session-channels.c \
	daemon/control/session-code.c \
	daemon/control/session-events.c \
	daemon/control/session-keys.c \
	daemon/control/session-limits.c daemon/control/session-limits.h \
	daemon/control/session-object.c daemon/control/session-object.h \
	daemon/control/session-options.c daemon/control/session-options.h \
	daemon/control/session-participants.c \
	daemon/control/session-properties.c \
	daemon/control/session-wrap.c \
	daemon/control/statistics.c daemon/control/statistics.h \
	daemon/control/status.c daemon/control/status.h \
	daemon/control/table.h \
	daemon/control/timespan.c daemon/control/timespan.h \
	daemon/control/watchers.c daemon/control/watchers.h \
	daemon/util/realtime.c daemon/util/realtime.h \
	libclient/names.c
libcontrol_la_CFLAGS = $(AM_CFLAGS) $(LIBSYSTEMD_CFLAGS) $(LIBGCRYPT_CFLAGS) $(INIH_CFLAGS)
libcontrol_la_LIBADD = $(LIBSYSTEMD_LIBS) $(INIH_LIBS)

sbin_PROGRAMS += daemon/framekeyd
daemon_framekeyd_SOURCES = daemon/main.c
daemon_framekeyd_CFLAGS = $(AM_CFLAGS) $(LIBSYSTEMD_CFLAGS)
daemon_framekeyd_LDADD = libcontrol.la libkeyplane.la $(LIBSYSTEMD_LIBS) $(LIBGCRYPT_LIBS)

# An administrator's changes survive an installation, and the removal of what was installed.
EXTRA_DIST += daemon/framekeyd.conf
framekeyconfdir = $(sysconfdir)/framekey
install-data-local:
	test -e '$(DESTDIR)$(framekeyconfdir)/framekeyd.conf' || { $(MKDIR_P) '$(DESTDIR)$(framekeyconfdir)' && \
	$(INSTALL_DATA) $(srcdir)/daemon/framekeyd.conf '$(DESTDIR)$(framekeyconfdir)/framekeyd.conf'; }
uninstall-local:
	! cmp -s $(srcdir)/daemon/framekeyd.conf '$(DESTDIR)$(framekeyconfdir)/framekeyd.conf' || \
	rm -f '$(DESTDIR)$(framekeyconfdir)/framekeyd.conf'
