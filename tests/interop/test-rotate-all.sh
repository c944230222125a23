#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A line of framekey-admin(7) rotates the keys of a call between two daemons and LiveKit's worker: see rotate-all.mjs.
daemons=(--two)
. "$(dirname "$0")/common.sh"

line=$(sed -n "s/^\\$ \(busctl call .* RotateKeys 'ssa{sv}' '' .*\)/\1/p" "$here/../../docs/framekey-admin.7.scd")
mkfifo "$FRAMEKEYD_DIR/told" "$FRAMEKEYD_DIR/said"
(run_peers rotate-all.mjs) <"$FRAMEKEYD_DIR/told" >"$FRAMEKEYD_DIR/said" &
exec 3>"$FRAMEKEYD_DIR/told" 4<"$FRAMEKEYD_DIR/said"
while read -r said <&4 && echo "$said" && [ "$said" != "the call is on" ]; do :; done
answer=$(eval "$line")
echo "$answer" | tee /dev/fd/3
cat <&4
wait $! || exit 1
[ "$answer" = "uu 1 1" ] || { echo "one key was to be rotated, and one requested" >&2; exit 1; }
grep -q 'audit: rotate .*reason="laptop lost" uid=0 pid=[0-9]* sender=":[^"]*" result="ok"$' "$FRAMEKEYD_LOG"
