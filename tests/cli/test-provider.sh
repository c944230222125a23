#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The key providers of libframekey-bus against a daemon on a bus of its own.
. "$(dirname "$0")/common.sh"

[ -x "$abs_top_builddir/tests/cli/test-provider" ] ||
        { echo "test-provider was not built: check is missing" >&2; exit 77; }
"$abs_top_builddir/tests/cli/test-provider" || fail "test-provider"
finish
