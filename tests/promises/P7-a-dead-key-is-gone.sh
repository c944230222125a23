#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The daemon's memory as root sees it (--no-secretmem) at each stage of a key's life, see key-life.c: a key and its
# secret are found while they live. After a step they are gone, at the sender at once, at the receiver the secret at
# once and the key with the grace time; so is all that begins with the old key. After a rotation nothing is left of the
# whole chain when the grace is over, and nothing after RetireKey.
set -u

here=$(cd "$(dirname "$0")" && pwd)
build=${abs_top_builddir:-$here/../..}
export abs_top_builddir=$build
# As many bytes as a byte key has, and more than a search could find by chance.
first='the first one, 32 bytes as a key'
second='another one that comes after it!'
# What belongs to step 0. The key of step 0 is the beginning of the material of step 1.
old='^[a-z0-9-]*\.0[+ ]|^material[a-z-]*\.1[+ ]'
old_material='^secret|^material[a-z-]*\.1\+16 '

skip() {
        echo "P7: skipped: $*" >&2
        exit 77
}

fail() {
        echo "P7: FAILED: $*" >&2
        exit 1
}

# The next line of key-life must be this stage, or one of these.
await() { # STAGE...
        read -r -t 120 reached <&9 || fail "key-life does not get to $1"
        case " $* " in
        *" $reached "*) ;;
        *) fail "key-life is at $reached, not at $1" ;;
        esac
}

go_on() {
        echo >&8
}

# Scans a daemon for what is in $dir/first and $dir/second.
scan() { # PID
        cat "$dir/first" "$dir/second" | "$build/tests/scan/scan-memory" --stops=5 "$1" >"$dir/hits" 2>"$dir/errors"
        [ $? -lt 2 ] && return
        cat "$dir/errors" >&2
        fail "the scan did not work"
}

# In the hits: lines of $1 whose label matches the rest.
none() { # WHO first|second REGEX
        ! sed -n "s/^$2-//p" "$dir/hits" | grep -E "$3" || fail "$reached: $1 still has it"
}

found() { # WHO first|second LABEL...
        local who=$1 key=$2 label
        shift 2
        for label; do
                grep -q "^$key-$label" "$dir/hits" || fail "$reached: the scan cannot find $label of the $key key at $who"
        done
}

patterns() { # KDF first|second SECRET
        printf %s "$3" | "$build/tests/scan/key-patterns" --kdf="$1" --info-zeros=128 --steps=10 >"$dir/$2.all" ||
                fail "key-patterns"
        sed "s/^/$2-/" "$dir/$2.all" >"$dir/$2"
}

work() { # PROFILE KDF
        local live_0='key.0 round-key-10.0 ghash-key material.1+0 material.1+16' step_1='key.1 material.2+0 material.2+16'
        dir=$FRAMEKEYD_DIR
        patterns "$2" first "$first"
        patterns "$2" second "$second"
        mkfifo "$dir/in" "$dir/out" || fail "mkfifo"
        "$build/tests/scan/key-life" "$1" "$first" "$second" <"$dir/in" >"$dir/out" &
        exec 8>"$dir/in" 9<"$dir/out"

        await installed
        sleep 1 # what is derived ahead, in idle time
        scan "$FRAMEKEYD_PID"
        # shellcheck disable=SC2086
        found "the sender" first $live_0 $step_1
        scan "$FRAMEKEYD_PID_2"
        # shellcheck disable=SC2086
        found "the receiver" first $live_0 $step_1
        go_on

        await stepped
        scan "$FRAMEKEYD_PID_2"
        none "the receiver" first "$old_material"
        cp "$dir/hits" "$dir/hits.receiver"
        scan "$FRAMEKEYD_PID"
        none "the sender" first "$old"
        # shellcheck disable=SC2086
        found "the sender" first $step_1
        go_on
        await late early-end
        if [ "$reached" = late ]; then
                cp "$dir/hits.receiver" "$dir/hits"
                # shellcheck disable=SC2086
                found "the receiver" first round-key-10.0 $step_1
        fi
        go_on

        await wiped
        scan "$FRAMEKEYD_PID_2"
        none "the receiver" first "$old"
        # shellcheck disable=SC2086
        found "the receiver" first $step_1
        scan "$FRAMEKEYD_PID"
        none "the sender" first "$old"
        go_on

        await superseded
        for pid in "$FRAMEKEYD_PID" "$FRAMEKEYD_PID_2"; do
                scan "$pid"
                none "one daemon" first .
                # shellcheck disable=SC2086
                found "one daemon" second $live_0
        done
        go_on

        await retired
        for pid in "$FRAMEKEYD_PID" "$FRAMEKEYD_PID_2"; do
                scan "$pid"
                none "one daemon" first .
                none "one daemon" second .
        done
        go_on
        exec 8>&-
        wait $! || fail "key-life failed"
        echo "$1: as it must be at six stages; $(tail -n 1 "$dir/errors")"
}

if [ "${1:-}" = --inside ]; then
        work "$2" "$3"
        exit
fi
[ "${enable_sanitizers:-no}" = no ] || skip "a sanitizer's shadow memory cannot be scanned"
[ "$(id -u)" -eq 0 ] || skip "only root may read the memory of other processes"
for variant in 'livekit-passphrase pbkdf2' 'element-call hkdf'; do
        # shellcheck disable=SC2086
        "$here/../with-daemon" --two --daemon-arg=--no-secretmem -- "$0" --inside $variant || exit
done
