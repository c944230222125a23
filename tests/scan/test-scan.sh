#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# test-scan.sh                                  tests the crypto layer by scan-victim
# test-scan.sh PID PATTERNS none|found [STOPS]  scans a running process; PATTERNS is a file from key-patterns
#
# The claim: root reads no key out of a process whose arena is secret memory, while it works; and the
# same scan of the same program with the arena in plain locked memory finds them, every kind of them,
# so the scan is one that can find.
set -u

here=$(cd "$(dirname "$0")" && pwd)
bin=${abs_top_builddir:-$here/../..}/tests/scan
phrase='correct horse battery staple, told to nobody'

skip() {
        echo "test-scan: skipped: $*" >&2
        exit 77
}

fail() {
        echo "test-scan: FAILED: $*" >&2
        exit 1
}

# Scans; leaves the hits in $dir/hits. Status of scan-memory.
scan() { # PID PATTERNS STOPS
        "$bin/scan-memory" --stops="$3" "$1" <"$2" >"$dir/hits" 2>"$dir/errors"
        local status=$?
        cat "$dir/errors" >&2
        if [ "$status" -eq 2 ]; then
                grep -q 'are too many' "$dir/errors" && skip "a sanitizer's shadow memory cannot be scanned"
                grep -qE 'Permission denied|not permitted' "$dir/errors" && skip "may not read other processes here"
                fail "the scan did not work"
        fi
        return "$status"
}

check_pid() { # PID PATTERNS none|found [STOPS]
        scan "$1" "$2" "${4:-1}"
        local found=$?
        case $3 in
        none) [ "$found" -eq 0 ] || { cat "$dir/hits"; fail "found in process $1 what should not be there"; } ;;
        found) [ "$found" -eq 1 ] || fail "found nothing in process $1" ;;
        *) fail "say none or found, not $3" ;;
        esac
}

start_victim() { # OPTION...
        rm -f "$dir/in" "$dir/out" "$dir/secret"
        mkfifo -m 600 "$dir/in" "$dir/out" "$dir/secret" || fail "mkfifo"
        "$bin/scan-victim" "$@" <"$dir/in" >"$dir/out" 3<"$dir/secret" &
        victim=$!
        exec 8>"$dir/in" 9<"$dir/out"
        printf %s "$phrase" >"$dir/secret"
        read -r ready protection <&9 || true
        [ "${ready:-}" = ready ] || fail "the victim does not get ready: $*"
}

stop_victim() {
        local pid=$victim

        exec 8>&- 9<&-
        victim=
        wait "$pid" || fail "the victim failed at its work"
}

cleanup() {
        [ -z "$victim" ] || kill -KILL "$victim" 2>/dev/null
        rm -rf "$dir"
}

# Every kind of pattern that the arena holds all the time must be found, of every step.
check_kinds() { # KDF ROUNDS
        local step label labels='ghash-key-shifted key round-key-0 round-key-1'
        labels+=" round-key-$2"
        for step in 0 1 2; do
                for label in $labels; do
                        grep -q "^$label\\.$step+" "$dir/hits" || fail "the scan cannot find $label of step $step"
                done
                [ "$step" -eq 0 ] || grep -q "^material\\.$step+" "$dir/hits" || fail "the scan cannot find material $step"
        done
        grep -q '^secret\.0+' "$dir/hits" || fail "the scan cannot find the passphrase"
        # What lives while a key is derived, of whichever step it was at the stops.
        if [ "$1" = pbkdf2 ]; then
                grep -q '^material-[io]pad-state' "$dir/hits" || fail "the scan cannot find HMAC states"
        fi
}

# The known answers of FIPS 197, A.1, and of AES-256 under zeros: the patterns are the right ones.
check_patterns() {
        printf '\x2b\x7e\x15\x16\x28\xae\xd2\xa6\xab\xf7\x15\x88\x09\xcf\x4f\x3c' | "$bin/key-patterns" --kdf=raw |
                grep -qx 'round-key-10.0+0 d014f9a8c9ee2589e13f0cc8b6630ca6' || fail "AES-128 key expansion"
        head -c 32 /dev/zero | "$bin/key-patterns" --kdf=raw --key-bits=256 |
                grep -qx 'ghash-key.0+0 dc95c078a2408989ad48a21492842087' || fail "GHASH key"
}

check_variant() { # KDF KEY-BITS ROUNDS
        printf %s "$phrase" | "$bin/key-patterns" --kdf="$1" --key-bits="$2" --steps=2 >"$dir/patterns" ||
                fail "key-patterns"

        start_victim --kdf="$1" --key-bits="$2" --locked
        [ "$protection" = mlock ] || fail "--locked made $protection"
        check_pid "$victim" "$dir/patterns" found 20
        check_kinds "$1" "$3"
        stop_victim
        echo "$1 $2, mlock: $(tail -n 1 "$dir/hits")"

        start_victim --kdf="$1" --key-bits="$2"
        [ "$protection" = secretmem ] || skip "this kernel has no memfd_secret"
        check_pid "$victim" "$dir/patterns" none 60
        stop_victim
        echo "$1 $2, secretmem: $(tail -n 1 "$dir/hits")"
}

[ "${enable_sanitizers:-no}" = no ] || skip "a sanitizer's shadow memory cannot be scanned"
victim=
dir=$(mktemp -d) || exit 2
trap cleanup EXIT

if [ $# -ge 3 ]; then
        check_pid "$@"
        exit 0
fi
[ $# -eq 0 ] || fail "usage: test-scan.sh [PID PATTERNS none|found [STOPS]]"
[ "$(id -u)" -eq 0 ] || skip "only root may read the memory of other processes"
check_patterns
check_variant pbkdf2 128 10
check_variant pbkdf2 256 14
check_variant hkdf 128 10
