#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The examples of framekey-embedding(7) are programs that are built here. The first works, and goes on with another media
# process when one is killed.
set -u

here=$(cd "$(dirname "$0")" && pwd)
root=${abs_top_srcdir:-$(cd "$here/../.." && pwd)}
build=${abs_top_builddir:-$PWD}
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT

# Every line of the blocks of C, which are indented, stands in the program. They are in the page's order.
# shellcheck disable=SC2016
sed -n '/^```$/,/^```$/s/^        *//p' "$root/docs/framekey-embedding.7.scd" | sort -u >"$work/quoted"
[ "$(wc -l <"$work/quoted")" -ge 20 ] || { echo "framekey-embedding(7) quotes no C" >&2; exit 1; }
sed 's/^ *//' "$root/examples/media-process.c" "$root/examples/webrtc-transformers.cc" | sort -u >"$work/program"
if comm -23 "$work/quoted" "$work/program" | grep . >&2; then
        echo "framekey-embedding(7) quotes lines that are not in examples/" >&2
        exit 1
fi

command -v dbus-daemon >/dev/null || { echo "dbus-daemon is not installed" >&2; exit 77; }
printf 'correct horse battery staple' >"$work/passphrase"
export work build
# shellcheck disable=SC2016
"$root/tests/with-daemon" -- bash -euc '
        : >"$work/sealed"
        "$build/examples/media-process" 25 < <(cat "$work/passphrase") >"$work/sealed" 2>"$work/told" &
        app=$!
        for _ in {1..400}; do
                [ "$(wc -l <"$work/sealed")" -lt 3 ] || break
                sleep 0.01
        done
        kill -KILL "$(pgrep -P $app)"
        wait $app
        sed "s/.*/{\"codec\":\"opus\",\"media\":\"audio\",\"payload_hex\":\"&\"}/" "$work/sealed" |
                "$build/cli/framekeyctl" decrypt --profile=livekit-passphrase --key-file="$work/passphrase" |
                sed -n "s/.*\"payload_hex\": *\"\([0-9a-f]*\)\".*/\1/p" >"$work/opened"
' || exit
grep -q "The media process died" "$work/told" || { echo "no media process was killed" >&2; exit 1; }
hex() {
        printf 'frame %u' "$1" | od -An -v -tx1 | tr -d ' \n'
}
# What the first made, then all of the second.
[ "$(tail -n 25 "$work/opened")" = "$(for i in {0..24}; do hex "$i" && echo; done)" ] ||
        { echo "the second media process did not encrypt 25 frames in order:" >&2 && cat "$work/opened" >&2; exit 1; }
[ "$(wc -l <"$work/opened")" -ge 28 ] || { echo "the first media process encrypted nothing" >&2; exit 1; }
