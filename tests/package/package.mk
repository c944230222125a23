# SPDX-License-Identifier: LGPL-2.1-or-later
# The Debian packages: built and looked at by lintian; then installed, used, upgraded, removed and purged.

dist_check_SCRIPTS += tests/package/test-build.sh tests/package/test-install.sh
TESTS += tests/package/test-build.sh tests/package/test-install.sh
EXTRA_DIST += tests/package/inside-install.sh
# By a variable: automake would take a rule by its name for one that replaces its own.
package_install_log = tests/package/test-install.sh.log
$(package_install_log): tests/package/test-build.sh.log

EXTRA_DIST += debian/changelog debian/control debian/copyright debian/rules debian/source/format \
	debian/framekeyctl.install debian/framekeyctl.lintian-overrides debian/framekeyctl.manpages \
	debian/framekeyd.install debian/framekeyd.lintian-overrides debian/framekeyd.manpages \
	debian/framekeyd.postinst debian/framekeyd.postrm \
	debian/libframekey0.install debian/libframekey0.lintian-overrides debian/libframekey0.symbols \
	debian/libframekey-bus0.install debian/libframekey-bus0.lintian-overrides debian/libframekey-bus0.symbols \
	debian/libframekey-dev.examples debian/libframekey-dev.install debian/libframekey-dev.lintian-overrides \
	debian/libframekey-dev.manpages debian/python3-framekey.docs debian/python3-framekey.examples \
	debian/python3-framekey.install debian/python3-framekey.lintian-overrides \
	debian/gstreamer1.0-framekey.install debian/gstreamer1.0-framekey.lintian-overrides \
	debian/gstreamer1.0-framekey.manpages debian/not-installed debian/source/lintian-overrides \
	debian/tests/allow-nobody debian/tests/build-example debian/tests/control debian/tests/round-trip

# The packages, in this folder.
clean-local: clean-packages
clean-packages:
	rm -rf tests/package/out
.PHONY: clean-packages
