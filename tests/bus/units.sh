#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The unit keeps its sandbox: exposure at most 0.5 (of 10), no unknown directive.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
top=${abs_top_srcdir:-$(dirname "$(dirname "$here")")}
command -v systemd-analyze >/dev/null || {
        echo "units: systemd-analyze is not installed" >&2
        exit 77
}
directory=$(mktemp -d)
trap 'rm -rf -- "$directory"' EXIT

fail() {
        echo "units: $*" >&2
        exit 1
}

# A program that exists, so that nothing but the unit itself is judged.
sed -e 's|@sbindir@/framekeyd|/bin/true|g' "$top/systemd/framekeyd.service.in" >"$directory/framekeyd.service"
systemd-analyze security --offline=true --threshold=5 "$directory/framekeyd.service" >"$directory/report" ||
        fail "$(tail -n 1 "$directory/report")"
said=$(systemd-analyze verify --man=no "$directory/framekeyd.service" 2>&1 | grep framekeyd || true)
[ -z "$said" ] || fail "$said"

# Options in the unit are options of the program, and the user is the one of the bus policy and sysusers.
grep -q '^ExecStart=@sbindir@/framekeyd --system$' "$top/systemd/framekeyd.service.in" || fail "ExecStart"
grep -q '^ExecStart=@sbindir@/framekeyd --user$' "$top/systemd/user/framekeyd.service.in" || fail "ExecStart of the user unit"
grep -q '^User=framekeyd$' "$top/systemd/framekeyd.service.in" || fail "User"
grep -q '^u framekeyd ' "$top/systemd/framekeyd.sysusers" || fail "sysusers"
grep -q '<policy user="framekeyd">' "$top/dbus/org.framekey1.conf" || fail "bus policy"
