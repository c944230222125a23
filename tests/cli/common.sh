# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Sourced by the tests of framekeyctl: finds the program, runs the test under a private bus and daemon, compares.
# A test that needs no daemon sets no_daemon=yes before, one that needs two of them two_daemons=yes.
set -u
here=$(cd "$(dirname "$0")" && pwd)
abs_top_builddir=${abs_top_builddir:-$(cd "$here/../.." && pwd)}
framekeyctl=$abs_top_builddir/cli/framekeyctl
export abs_top_builddir LC_ALL=C.UTF-8
export SYSTEMD_PAGER=cat # nobody is there to leave one
unset NO_COLOR

[ -x "$framekeyctl" ] || { echo "cli/framekeyctl was not built" >&2; exit 77; }
if [ -z "${no_daemon:-}" ] && [ -z "${FRAMEKEYD_PID:-}" ]; then
        exec "$here/../with-daemon" ${two_daemons:+--two} "$0" "$@"
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

# start NAME COMMAND...: a program that is spoken to; NAME_in and NAME_out are our ends, NAME_pid its id. Not coproc: bash
# has one of these at a time.
spoken=()
# alone COMMAND...: without our ends. Who else holds the writing end of another's input keeps that one waiting. Ends the
# shell: for behind '&'.
alone() {
        local fd
        for fd in "${spoken[@]}"; do exec {fd}>&-; done 2>/dev/null
        exec "$@"
}
start() {
        local name=$1 in out
        shift
        mkfifo "$name.in" "$name.out"
        alone "$@" <"$name.in" >"$name.out" &
        printf -v "${name}_pid" %s $!
        exec {in}>"$name.in" {out}<"$name.out"
        printf -v "${name}_in" %s "$in"
        printf -v "${name}_out" %s "$out"
        spoken+=("$in" "$out")
        rm "$name.in" "$name.out"
}
# hear NAME: its next line in $line
hear() {
        local from=${1}_out
        read -r -t 20 line <&"${!from}" || { line=; fail "$1 says nothing"; }
}
# say NAME LINE: sends it; the answer is in $line
say() {
        local to=${1}_in
        (trap '' PIPE; printf '%s\n' "$2" >&"${!to}") 2>/dev/null # it may be gone: then it says nothing
        hear "$1"
}
# hear_event NAME EVENT PART: reads until that event; PART must be in it
hear_event() {
        local n=0
        hear "$1"
        while [ -n "$line" ] && [[ $line != "{\"event\":\"$2\""* ]] && [ $((n += 1)) -lt 50 ]; do
                hear "$1"
        done
        contains "$1: $2" "$3" "$line"
}
# end NAME STATUS: closes its input and waits for it
end() {
        local to=${1}_in pid=${1}_pid
        local fd=${!to}
        exec {fd}>&-
        wait "${!pid}"
        equal "status of $1" "$2" $?
}
