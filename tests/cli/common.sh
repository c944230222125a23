# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Sourced by the tests of framekeyctl: finds the program, runs the test under a private bus and daemon, compares.
# A test that needs no daemon sets no_daemon=yes before.
set -u
here=$(cd "$(dirname "$0")" && pwd)
abs_top_builddir=${abs_top_builddir:-$(cd "$here/../.." && pwd)}
framekeyctl=$abs_top_builddir/cli/framekeyctl
export abs_top_builddir LC_ALL=C.UTF-8
unset NO_COLOR

[ -x "$framekeyctl" ] || { echo "cli/framekeyctl was not built" >&2; exit 77; }
if [ -z "${no_daemon:-}" ] && [ -z "${FRAMEKEYD_PID:-}" ]; then
        exec "$here/../with-daemon" "$0" "$@"
fi

scratch=$(mktemp -d)
cleanup() {
        # Sessions that a failed test left open; jobs are ours, by their ids.
        local job
        for job in $(jobs -p); do kill "$job" 2>/dev/null; done
        rm -rf "$scratch"
}
trap cleanup EXIT
cd "$scratch" || exit 1

failures=0
fail() {
        echo "FAIL: $*" >&2
        failures=$((failures + 1))
}
finish() {
        [ "$failures" -eq 0 ] || { echo "$failures checks failed" >&2; exit 1; }
        exit 0
}

# equal WHAT EXPECTED FOUND
equal() {
        [ "$2" = "$3" ] || fail "$1: expected '$2', found '$3'"
}
# contains WHAT PART TEXT
contains() {
        case $3 in
        *"$2"*) ;;
        *) fail "$1: expected '$2' in '$3'" ;;
        esac
}
# status WHAT EXPECTED COMMAND...: runs it; output in $out, errors in $err
status() {
        local what=$1 expected=$2 found
        shift 2
        "$@" >out.txt 2>err.txt
        found=$?
        out=$(cat out.txt) err=$(cat err.txt)
        [ "$found" -eq "$expected" ] || fail "$what: expected exit status $expected, found $found: $out $err"
}
# One field of a line of JSON.
field() {
        sed -n "s/.*\"$1\":\"\\{0,1\\}\\([^\",}]*\\).*/\\1/p"
}
# nothing_delivered WHAT LINE: an empty payload is a payload
nothing_delivered() {
        case $2 in
        *'"payload_hex"'*) fail "$1: expected no payload, found '$2'" ;;
        esac
}
# n_bytes N: so many bytes in hex, none of them zero, in a pattern that shows a shift
n_bytes() {
        awk -v n="$1" 'BEGIN { for (i = 0; i < n; i++) printf "%02x", 1 + i % 251 }'
}

# frame MEDIA CODEC TYPE HEX: a line of input; "-" leaves a field out
frame() {
        local line='{'
        [ "$1" = - ] || line+="\"media\":\"$1\","
        [ "$2" = - ] || line+="\"codec\":\"$2\","
        [ "$3" = - ] || line+="\"frame_type\":\"$3\","
        printf '%s\n' "$line\"ssrc\":305419896,\"rtp_timestamp\":90000,\"payload_hex\":\"$4\"}"
}
