# SPDX-License-Identifier: LGPL-2.1-or-later
# Interfaces, bus policy, what polkit is asked, and the files by which a bus starts the daemon.

dist_dbusinterface_DATA = \
	dbus/org.framekey1.Channel.xml \
	dbus/org.framekey1.Manager.xml \
	dbus/org.framekey1.Participant.xml \
	dbus/org.framekey1.Session.xml
dist_dbuspolicy_DATA = dbus/org.framekey1.conf
dist_polkitaction_DATA = dbus/org.framekey1.policy
dist_polkitexample_DATA = dbus/examples/50-framekey.rules
dist_dbussystemservice_DATA = dbus/system-services/org.framekey1.service

dbussessionservice_DATA = dbus/services/org.framekey1.service
EXTRA_DIST += dbus/services/org.framekey1.service.in
CLEANFILES += dbus/services/org.framekey1.service
dbus/services/org.framekey1.service: $(srcdir)/dbus/services/org.framekey1.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) dbus/services && \
	$(SED) -e 's|@sbindir[@]|$(sbindir)|g' $(srcdir)/dbus/services/org.framekey1.service.in > $@.tmp && mv $@.tmp $@
