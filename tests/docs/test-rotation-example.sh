#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The example of libframekey-bus(3) is the program that is built here, and it does what the page says.
set -u

here=$(cd "$(dirname "$0")" && pwd)
root=${abs_top_srcdir:-$(cd "$here/../.." && pwd)}
build=${abs_top_builddir:-$PWD}
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT

# Every line of the block under EXAMPLE stands in the program, in this order.
sed -n '/^# EXAMPLE/,/^# /p' "$root/docs/libframekey-bus.3.scd" | sed -n '/^```$/,/^```$/p' | grep -v '^```' |
        sed 's/^ *//' | grep . >"$work/quoted"
[ -s "$work/quoted" ] || { echo "libframekey-bus(3) quotes no C" >&2; exit 1; }
sed 's/^ *//' "$root/examples/answer-rotations.c" >"$work/program"
if diff "$work/quoted" "$work/program" | grep '^<' >&2; then
        echo "libframekey-bus(3) quotes lines that are not in examples/answer-rotations.c, or in another order" >&2
        exit 1
fi

command -v dbus-daemon >/dev/null || { echo "dbus-daemon is not installed" >&2; exit 77; }
"$root/tests/with-daemon" -- timeout 60 "$build/examples/answer-rotations" >"$work/out" || exit
printf '%s\n' "key 0, 16 bytes: first" "key 1, 16 bytes: member-left" >"$work/expected"
diff "$work/expected" "$work/out" >&2 || { echo "examples/answer-rotations does not tell of both keys" >&2; exit 1; }
