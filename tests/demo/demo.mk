# SPDX-License-Identifier: LGPL-2.1-or-later
# The demo as a test; it starts its own buses and daemons.
dist_check_SCRIPTS += tests/demo/test-demo.sh
TESTS += tests/demo/test-demo.sh
