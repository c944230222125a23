# SPDX-License-Identifier: LGPL-2.1-or-later
# Units of the system and of users, the system user, and what records of the journal mean.

systemdsystemunit_DATA = systemd/framekeyd.service
systemduserunit_DATA = systemd/user/framekeyd.service
dist_catalog_DATA = systemd/framekeyd.catalog
EXTRA_DIST += systemd/framekeyd.service.in systemd/user/framekeyd.service.in systemd/framekeyd.sysusers
CLEANFILES += systemd/framekeyd.service systemd/user/framekeyd.service systemd/framekeyd.conf

systemd/framekeyd.service: $(srcdir)/systemd/framekeyd.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) systemd && \
	$(SED) -e 's|@sbindir[@]|$(sbindir)|g' $(srcdir)/systemd/framekeyd.service.in > $@.tmp && mv $@.tmp $@
systemd/user/framekeyd.service: $(srcdir)/systemd/user/framekeyd.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) systemd/user && \
	$(SED) -e 's|@sbindir[@]|$(sbindir)|g' $(srcdir)/systemd/user/framekeyd.service.in > $@.tmp && mv $@.tmp $@

# systemd-sysusers reads only names that end in .conf.
sysusers_DATA = systemd/framekeyd.conf
systemd/framekeyd.conf: $(srcdir)/systemd/framekeyd.sysusers
	$(AM_V_GEN)$(MKDIR_P) systemd && cp $(srcdir)/systemd/framekeyd.sysusers $@
