#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The installed unit stays hardened: exposure of at most 0.5, and nothing that systemd does not understand.
set -u
build=${abs_top_builddir:-$(cd "$(dirname "$0")/../.." && pwd)}

command -v systemd-analyze >/dev/null || { echo "systemd-analyze is not installed" >&2; exit 77; }
unit=$(find "$build/systemd" -maxdepth 2 -name framekeyd.service -not -path '*/user/*' -print -quit 2>/dev/null)
[ -n "$unit" ] || { echo "framekeyd.service was not built in $build/systemd" >&2; exit 1; }
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT

# exposed FILE: its exposure is over 0.5 (the threshold counts tenths).
exposed() {
        ! systemd-analyze security --offline=true --threshold=5 "$1" >"$work/out" 2>&1
}

if exposed "$unit"; then
        cat "$work/out" >&2
        exit 1
fi
# The check can fail: without its filter of system calls the same unit is over the threshold.
grep -v '^SystemCallFilter=' "$unit" >"$work/framekeyd.service"
if ! exposed "$work/framekeyd.service"; then
        echo "systemd-analyze does not notice a missing SystemCallFilter=" >&2
        exit 1
fi

# Its program is not installed yet: let the one of the build stand in for it.
sed "s#^ExecStart=[^ ]*#ExecStart=$(command -v true)#" "$unit" >"$work/framekeyd.service"
if ! systemd-analyze verify --man=no "$work/framekeyd.service" >"$work/out" 2>&1 || grep -q framekeyd "$work/out"; then
        cat "$work/out" >&2
        exit 1
fi
