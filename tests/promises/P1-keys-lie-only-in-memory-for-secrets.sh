#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The running daemon under the eyes of root: while it derives, encrypts and decrypts, a scan of all
# its readable memory finds no passphrase, material, AES key, round key or GHASH key. The same scan of
# the same work with --no-secretmem finds every kind of them, so it is a scan that can find.
set -u

here=$(cd "$(dirname "$0")" && pwd)
build=${abs_top_builddir:-$here/../..}
export abs_top_builddir=$build
framekeyctl=$build/cli/framekeyctl
phrase='a passphrase that nobody was told'

skip() {
        echo "P1: skipped: $*" >&2
        exit 77
}

fail() {
        echo "P1: FAILED: $*" >&2
        exit 1
}

# Fills $dir/hits from a scan with this many stops.
scan() { # STOPS
        "$build/tests/scan/scan-memory" --stops="$1" "$FRAMEKEYD_PID" <"$dir/patterns" >>"$dir/hits" 2>"$dir/errors"
        [ $? -lt 2 ] && return
        cat "$dir/errors" >&2
        grep -q 'are too many' "$dir/errors" && skip "a sanitizer's shadow memory cannot be scanned"
        fail "the scan did not work"
}

expect() { # none|found LABEL...
        local expected=$1 label
        shift
        if [ "$expected" = none ]; then
                ! grep -vE '^0 hits$' "$dir/hits" || fail "found what should not be there"
                return
        fi
        for label; do
                grep -q "^$label" "$dir/hits" || fail "the scan cannot find $label"
        done
}

# Inside with-daemon: derive slowly, then encrypt and decrypt, and look all the time.
work() { # none|found
        local frame='{"codec":"opus","media":"audio","ssrc":1,"rtp_timestamp":2,"payload_hex":"78112233445566778899aabbccddeeff"}'
        dir=$FRAMEKEYD_DIR
        printf %s "$phrase" >"$dir/key"
        printf %s "$phrase" | "$build/tests/scan/key-patterns" --steps=2 >"$dir/patterns" || fail "key-patterns"
        : >"$dir/hits"

        # An import that takes about a second: the passphrase is in the daemon for that long.
        "$framekeyctl" encrypt --profile=livekit --key-file="$dir/key" --iterations=4000000 </dev/null &
        sleep 0.4
        scan 5
        wait $! || fail "the slow import failed"
        expect "$1" secret.0

        yes "$frame" | head -n 100000 | "$framekeyctl" encrypt --profile=livekit --key-file="$dir/key" |
                "$framekeyctl" decrypt --profile=livekit --key-file="$dir/key" >"$dir/out" &
        for _ in $(seq 300); do [ -s "$dir/out" ] && break; sleep 0.1; done
        scan 50
        [ -s "$dir/out" ] || fail "nothing was decrypted meanwhile"
        expect "$1" key.0 round-key-0.0 round-key-1.0 round-key-10.0 ghash-key material.1
        echo "$1: $(grep -c '^[a-z]' "$dir/hits") hits in $(grep -c . "$dir/out") frames' time"
        kill $! 2>/dev/null
        wait 2>/dev/null
        return 0
}

if [ "${1:-}" = --inside ]; then
        work "$2"
        exit
fi
[ "$(id -u)" -eq 0 ] || skip "only root may read the memory of other processes"
"$here/../with-daemon" --daemon-arg=--no-secretmem -- "$0" --inside found || exit
# shellcheck disable=SC2016
"$here/../with-daemon" -- bash -c '[ "$(busctl --system get-property org.framekey1 /org/framekey1 org.framekey1.Manager MemoryProtection)" = "s \"secretmem\"" ]' ||
        skip "this kernel has no memfd_secret"
exec "$here/../with-daemon" -- "$0" --inside none
