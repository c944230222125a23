#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The header for libwebrtc moves frames through a real daemon, and compiles under the names of old and new versions.
set -u

here=$(cd "$(dirname "$0")" && pwd)
build=${abs_top_builddir:-$(cd "$here/../../.." && pwd)}

[ -x "$build/tests/adapters/webrtc/test-webrtc" ] || { echo "there is no compiler for C++17" >&2; exit 77; }
"$build/tests/adapters/webrtc/old-names" || exit
exec "$here/../../with-daemon" -- timeout 120 "$build/tests/adapters/webrtc/test-webrtc"
