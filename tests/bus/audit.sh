#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# tests/bus/test-audit.c: a record for each call. Then what the log must not have, and what it says of a flood.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
build=${abs_top_builddir:-$(dirname "$(dirname "$here")")}
export AUDIT_SECRET="correct horse battery staple"
if [ "${1-}" != inside ]; then
        directory=$(mktemp -d)
        trap 'rm -rf -- "$directory"' EXIT
        printf %s "$AUDIT_SECRET" >"$directory/standup"
        CREDENTIALS_DIRECTORY=$directory "$here/../with-daemon" --daemon-arg=--log-level=debug "$0" inside
        exit
fi

fail() {
        echo "audit: $*" >&2
        exit 1
}

"$build/tests/bus/test-audit"
hex=$(printf %s "$AUDIT_SECRET" | od -An -tx1 | tr -d ' \n')
base64=$(printf %s "$AUDIT_SECRET" | base64)
for secret in "$AUDIT_SECRET" "$hex" "${base64%=*}"; do
        ! grep -qiF -- "$secret" "$FRAMEKEYD_LOG" || fail "the secret is in the log: $secret"
done

# A flood of refusals of one user (bin: a bus wants users that there are): what was left out is counted, and told although
# nothing follows.
[ "$(id -u)" -eq 0 ] || exit 0
before=$(grep -c 'audit: .*uid=2 ' "$FRAMEKEYD_LOG" || true)
"$build/tests/bus/test-audit" flood 2 2300
for ((i = 0; i < 200; i++)); do
        told=$(($(grep -c 'audit: .*uid=2 ' "$FRAMEKEYD_LOG") - before))
        dropped=$(sed -n 's/.*: \([0-9]*\) audit records of uid 2 were dropped.*/\1/p' "$FRAMEKEYD_LOG" | paste -s -d+)
        [ $((told + ${dropped:-0})) -ne 2300 ] || break
        sleep 0.05
done
[ -n "$dropped" ] || fail "nobody is told that records were left out"
[ $((told + dropped)) -eq 2300 ] || fail "$told records are there and $dropped were left out, of 2300"
[ "$told" -ge 2000 ] || fail "only $told records of a user who asks for the first time"
# Others have their own budget, and root none.
"$build/tests/bus/test-audit" flood 3 1
[ "$(grep -c 'audit: find .*uid=3 ' "$FRAMEKEYD_LOG")" -eq 1 ] || fail "one user's flood silences another"
