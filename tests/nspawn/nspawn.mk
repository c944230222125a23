# SPDX-License-Identifier: LGPL-2.1-or-later
# framekeyd where it will live: below a systemd, on a system bus, on a user's bus.

dist_check_SCRIPTS += tests/nspawn/test-system-bus.sh tests/nspawn/test-unit.sh tests/nspawn/test-user-bus.sh
TESTS += tests/nspawn/test-system-bus.sh tests/nspawn/test-unit.sh tests/nspawn/test-user-bus.sh
EXTRA_DIST += tests/nspawn/ct-run tests/nspawn/inside-system-bus.sh
