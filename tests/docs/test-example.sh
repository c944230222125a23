#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The example of README.md is the program that is built here, and what it makes can be decrypted.
set -u

here=$(cd "$(dirname "$0")" && pwd)
root=${abs_top_srcdir:-$(cd "$here/../.." && pwd)}
build=${abs_top_builddir:-$PWD}
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT

# Every line of the C block in README.md stands in the program, in this order.
sed -n '/^```c$/,/^```$/p' "$root/README.md" | grep -v '^```' | sed 's/^ *//' | grep . >"$work/quoted"
[ -s "$work/quoted" ] || { echo "README.md quotes no C" >&2; exit 1; }
sed 's/^ *//' "$root/examples/encrypt-one-frame.c" >"$work/program"
if diff "$work/quoted" "$work/program" | grep '^<' >&2; then
        echo "README.md quotes lines that are not in examples/encrypt-one-frame.c, or in another order" >&2
        exit 1
fi

command -v dbus-daemon >/dev/null || { echo "dbus-daemon is not installed" >&2; exit 77; }
printf 'correct horse battery staple' >"$work/passphrase"
export work build
# shellcheck disable=SC2016
"$root/tests/with-daemon" -- bash -euc '
        sealed=$(cat "$work/passphrase" | "$build/examples/encrypt-one-frame")
        opened=$(echo "{\"codec\":\"opus\",\"media\":\"audio\",\"payload_hex\":\"$sealed\"}" |
                "$build/cli/framekeyctl" decrypt --profile=livekit-passphrase --key-file="$work/passphrase")
        grep -q "\"payload_hex\": *\"f8fffe\"" <<<"$opened" || { echo "decrypted to $opened" >&2; exit 1; }
'
