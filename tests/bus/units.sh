#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The units keep their sandbox: exposure at most 0.5 (of 10) for the system's, no unknown directive, limits that fit.
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
mkdir "$directory/user"
sed -e 's|@sbindir@/framekeyd|/bin/true|g' "$top/systemd/user/framekeyd.service.in" >"$directory/user/framekeyd.service"
said=$(XDG_RUNTIME_DIR=$directory systemd-analyze --user verify --man=no "$directory/user/framekeyd.service" 2>&1 |
        grep framekeyd || true)
[ -z "$said" ] || fail "$said"
# A user's manager has no namespaces and groups of its own to give; what is left must not get less.
systemd-analyze security --offline=true --threshold=62 "$directory/user/framekeyd.service" >"$directory/report" ||
        fail "$(tail -n 1 "$directory/report")"

# The memory for secrets can be locked, with as much again for an administrator who raises it.
arena=$(sed -n 's/^#define ARENA_SIZE_SYSTEM *(UINT64_C(\([0-9]*\)) << 20)$/\1/p' "$top/daemon/main.c")
[ -n "$arena" ] || fail "daemon/main.c does not tell the size of the arena"
locked=$(sed -n 's/^LimitMEMLOCK=\([0-9]*\)M$/\1/p' "$top/systemd/framekeyd.service.in")
[ $((2 * arena)) -le "$locked" ] || fail "an arena of $arena MiB does not fit into LimitMEMLOCK=${locked}M twice"

# Options in the unit are options of the program, and the user is the one of the bus policy and sysusers.
grep -q '^ExecStart=@sbindir@/framekeyd --system ' "$top/systemd/framekeyd.service.in" || fail "ExecStart"
grep -q '^ExecStart=@sbindir@/framekeyd --user$' "$top/systemd/user/framekeyd.service.in" || fail "ExecStart of the user unit"
grep -q '^User=framekeyd$' "$top/systemd/framekeyd.service.in" || fail "User"
grep -q '^u framekeyd ' "$top/systemd/framekeyd.sysusers" || fail "sysusers"
grep -q '<policy user="framekeyd">' "$top/dbus/org.framekey1.conf" || fail "bus policy"
