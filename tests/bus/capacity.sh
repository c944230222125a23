#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# tests/bus/test-capacity.c against a daemon with the options and the limits of the unit.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
build=${abs_top_builddir:-$(dirname "$(dirname "$here")")}
unit=${abs_top_srcdir:-$(dirname "$(dirname "$here")")}/systemd/framekeyd.service.in
# What --system takes without an option.
arena=$("$build/daemon/framekeyd" --help | sed -n 's/.*--arena-size=SIZE .*default: \([0-9]*M\) for the system bus,/\1/p')
[ -n "$arena" ] || {
        echo "capacity: framekeyd --help does not tell the size of the arena" >&2
        exit 1
}
args=(--daemon-arg=--arena-size="$arena")
read -ra options < <(sed -n 's/^ExecStart=[^ ]* --system//p' "$unit")
for option in "${options[@]}"; do
        args+=("--daemon-arg=$option")
done
memlock=$(sed -n 's/^LimitMEMLOCK=\([0-9]*\)M$/\1/p' "$unit")
nofile=$(sed -n 's/^LimitNOFILE=\([0-9]*\)$/\1/p' "$unit")
if [ -z "$memlock" ] || [ -z "$nofile" ]; then
        echo "capacity: the unit has no LimitMEMLOCK= or LimitNOFILE=" >&2
        exit 1
fi
# Root is not bound by the first of them; tests/bus/units.sh compares it with the size of the arena.
ulimit -l $((memlock * 1024)) -n "$nofile" 2>/dev/null || true
exec "$here/../with-daemon" "${args[@]}" "$build/tests/bus/test-capacity"
