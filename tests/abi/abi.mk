# SPDX-License-Identifier: LGPL-2.1-or-later
# What programs that use the libraries rest on.

dist_check_SCRIPTS += tests/abi/test-abi.sh
TESTS += tests/abi/test-abi.sh
EXTRA_DIST += tests/abi/constants tests/abi/libframekey.abi tests/abi/libframekey-bus.abi
