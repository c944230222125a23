# SPDX-License-Identifier: LGPL-2.1-or-later
# Man pages. Release archives carry them ready; a git checkout needs scdoc, as it needs autoconf.

man_pages = \
	docs/framekey.7 \
	docs/framekey-admin.7 \
	docs/framekey-dave.7 \
	docs/framekey-embedding.7 \
	docs/framekey-gstreamer.7 \
	docs/framekey-migration.7 \
	docs/framekey-sframe.7 \
	docs/framekeyctl.1 \
	docs/framekeyd.8 \
	docs/framekeyd.conf.5 \
	docs/libframekey.3 \
	docs/libframekey-bus.3 \
	docs/org.framekey1.5
dist_man_MANS += $(man_pages)
EXTRA_DIST += $(man_pages:=.scd)
dist_doc_DATA = docs/security.md
MAINTAINERCLEANFILES = $(man_pages)

SCDOC = scdoc
# A page is only there when it is whole: make takes one that is cut short for done.
make_page = $(AM_V_GEN)$(MKDIR_P) docs && if $(SCDOC) >$@.new; then mv $@.new $@; else \
	rm -f $@.new; echo 'man pages are made with scdoc (package scdoc); release archives carry them' >&2; exit 1; fi

docs/framekey.7: docs/framekey.7.scd
	$(make_page) <$(srcdir)/docs/framekey.7.scd
docs/framekey-admin.7: docs/framekey-admin.7.scd
	$(make_page) <$(srcdir)/docs/framekey-admin.7.scd
docs/framekey-dave.7: docs/framekey-dave.7.scd
	$(make_page) <$(srcdir)/docs/framekey-dave.7.scd
docs/framekey-embedding.7: docs/framekey-embedding.7.scd
	$(make_page) <$(srcdir)/docs/framekey-embedding.7.scd
docs/framekey-gstreamer.7: docs/framekey-gstreamer.7.scd
	$(make_page) <$(srcdir)/docs/framekey-gstreamer.7.scd
docs/framekey-migration.7: docs/framekey-migration.7.scd
	$(make_page) <$(srcdir)/docs/framekey-migration.7.scd
docs/framekey-sframe.7: docs/framekey-sframe.7.scd
	$(make_page) <$(srcdir)/docs/framekey-sframe.7.scd
docs/framekeyctl.1: docs/framekeyctl.1.scd
	$(make_page) <$(srcdir)/docs/framekeyctl.1.scd
docs/framekeyd.8: docs/framekeyd.8.scd
	$(make_page) <$(srcdir)/docs/framekeyd.8.scd
docs/framekeyd.conf.5: docs/framekeyd.conf.5.scd
	$(make_page) <$(srcdir)/docs/framekeyd.conf.5.scd
docs/libframekey.3: docs/libframekey.3.scd
	$(make_page) <$(srcdir)/docs/libframekey.3.scd
docs/libframekey-bus.3: docs/libframekey-bus.3.scd
	$(make_page) <$(srcdir)/docs/libframekey-bus.3.scd
docs/org.framekey1.5: docs/org.framekey1.5.scd
	$(make_page) <$(srcdir)/docs/org.framekey1.5.scd

docs_tests = tests/docs/test-catalog.sh tests/docs/test-guide-pages.sh tests/docs/test-man-pages.sh
dist_check_SCRIPTS += $(docs_tests)
TESTS += $(docs_tests)
