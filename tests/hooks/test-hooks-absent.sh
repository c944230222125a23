#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The daemon that gets installed has no way to pin an IV, a counter or the clock; the one for known-answer tests has.
set -u
build=${abs_top_builddir:-$(cd "$(dirname "$0")/../.." && pwd)}

symbols() {
        nm -a "$1" 2>/dev/null | grep -c framekeyd_pins
}

for program in daemon/framekeyd tests/framekeyd-hooked; do
        [ -x "$build/$program" ] || { echo "there is no $build/$program" >&2; exit 1; }
        nm -a "$build/$program" | grep -q ' main$' || { echo "$program is stripped: nm shows nothing" >&2; exit 77; }
done
[ "$(symbols "$build/tests/framekeyd-hooked")" -gt 0 ] || { echo "nm does not see the hooks where they are" >&2; exit 1; }
[ "$(symbols "$build/daemon/framekeyd")" -eq 0 ] || { echo "the daemon that gets installed has pins" >&2; exit 1; }
! grep -q FRAMEKEYD_PINS "$build/daemon/framekeyd" || { echo "the daemon reads FRAMEKEYD_PINS" >&2; exit 1; }
echo "no pins in daemon/framekeyd"
