#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The lines of framekey-gstreamer(7) that begin with "$ " run as they stand, one after the other in one directory, and
# print nothing: what was encrypted and decrypted is, compared by cmp, what it was before.
# shellcheck source=tests/gstreamer/common.sh
. "$(dirname "$0")/common.sh"
needs vp8enc vp9enc opusenc openh264enc av1enc av1parse gdppay

n=0 compared=0
while IFS= read -r line; do
        command=${line#"\$ "}
        [ "$command" != "$line" ] || continue
        n=$((n + 1))
        out=$(eval "timeout -k 5 60 bash -c $(printf %q "set -o pipefail; $command")" 2>&1 </dev/null)
        status=$?
        if [ $status -ne 0 ] || [ -n "$out" ]; then
                fail "framekey-gstreamer(7): $command: exit status $status: $out"
        fi
        case $command in "cmp "*) compared=$((compared + 1)) ;; esac
done <"$root/docs/framekey-gstreamer.7.scd"
[ $compared -eq 5 ] || fail "$compared codecs were compared, of $n lines"
for codec in vp8 vp9 opus h264 av1; do
        [ -s "$codec-opened.gdp" ] || fail "$codec: nothing came out"
        ! cmp -s "$codec.gdp" "$codec-sealed.gdp" || fail "$codec: was not encrypted"
done
finish
