# SPDX-License-Identifier: LGPL-2.1-or-later
# framekeyd where it will live: below a systemd, on a system bus, on a user's bus.

nspawn_scripts = tests/nspawn/test-run-in-container.sh tests/nspawn/test-user-bus.sh
dist_check_SCRIPTS += $(nspawn_scripts)
TESTS += $(nspawn_scripts)
EXTRA_DIST += tests/nspawn/ct-run

# Scripts that run inside, each in a container of its own.
TEST_EXTENSIONS = .nspawn
NSPAWN_LOG_COMPILER = $(SHELL) $(srcdir)/tests/nspawn/run-in-container
# Before the tests, when all else is built. Whoever is not root needs none; a sanitized build cannot run there.
check_DATA += tests/nspawn/container/installed
tests/nspawn/container/installed: $(check_PROGRAMS) container-layer-may-be-old
	$(AM_V_GEN)if [ "$$(id -u)" = 0 ] && [ "$(enable_sanitizers)" = no ]; then \
		$(SHELL) $(srcdir)/tests/nspawn/install-layer '$(abs_builddir)' '$(abs_srcdir)' \
			'$(abs_builddir)/tests/nspawn/container' || [ $$? = 77 ]; fi
container-layer-may-be-old:
.PHONY: container-layer-may-be-old
clean-local: clean-container
clean-container:
	rm -rf tests/nspawn/container
.PHONY: clean-container
nspawn_tests = \
	tests/nspawn/admin.nspawn \
	tests/nspawn/boot.nspawn \
	tests/nspawn/credentials.nspawn \
	tests/nspawn/reload.nspawn \
	tests/nspawn/rotate.nspawn \
	tests/nspawn/tool.nspawn \
	tests/nspawn/users.nspawn
TESTS += $(nspawn_tests)
if HAVE_CHECK
# With a program of the tests of the bus.
TESTS += tests/nspawn/polkit.nspawn
endif
EXTRA_DIST += $(nspawn_tests) tests/nspawn/polkit.nspawn tests/nspawn/inside.sh tests/nspawn/install-layer \
	tests/nspawn/run-in-container
