#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# SFrame and DAVE by libframekey-bus, against a daemon on a bus of its own.
. "$(dirname "$0")/common.sh"

[ -x "$abs_top_builddir/tests/cli/test-formats" ] || { echo "test-formats was not built: check is missing" >&2; exit 77; }
"$abs_top_builddir/tests/cli/test-formats" || fail "test-formats"
finish
