# SPDX-License-Identifier: LGPL-2.1-or-later
# A service manager's descriptor store, for tests of restarts.
check_PROGRAMS += tests/restart/fd-store
tests_restart_fd_store_SOURCES = tests/restart/fd-store.c

TESTS += tests/restart/test-fd-store.py
dist_check_SCRIPTS += tests/restart/test-fd-store.py
