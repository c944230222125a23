#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The live view: its figures, what it does on a terminal, and that the terminal is given back whatever ends it.
. "$(dirname "$0")/common.sh"

command -v python3 >/dev/null || { echo "python3 is not installed" >&2; exit 77; }
export TERM=xterm
unset SYSTEMD_COLORS

# on_terminal STEP... -- ARGUMENT...: framekeyctl top there; what was shown is in $out
on_terminal() {
        local what="top with $*" steps=()
        while [ "$1" != -- ]; do steps+=("$1"); shift; done
        shift
        out=$(python3 "$here/on-terminal.py" "${steps[@]}" -- "$framekeyctl" top "$@" 2>&1)
        contains "the terminal after $what" "terminal as before" "$out"
        contains "the screen after $what" $'\033[?7h\033[?25h\033[?1049l' "$out"
}

# ---- one who sends at its pace, one who gets what it cannot open ----
printf '0123456789abcdef' >key
printf 'fedcba9876543210' >other
for n in 1 2 3 4 5 6 7 8; do frame audio opus - f8010$n; done |
        "$framekeyctl" encrypt --profile=livekit-bytes --key-file=other --key-index=2 >foreign.jsonl
start sender "$framekeyctl" encrypt --profile=livekit-bytes --key-file=key --participant=desk
start receiver "$framekeyctl" decrypt --profile=livekit-passphrase --key-file=key --participant=phone
{
        while frame audio opus - f801 && sleep 0.02; do :; done >&"$sender_in" &
        while cat foreign.jsonl && sleep 0.2; do :; done >&"$receiver_in" &
        cat <&"$sender_out" >/dev/null &
        cat <&"$receiver_out" >/dev/null &
} 2>/dev/null
for _ in $(seq 100); do "$framekeyctl" list --json=short | grep -q '"missing-key"' && break; sleep 0.1; done

# ---- figures ----
before=$(date +%s%N)
status "as JSON" 0 "$framekeyctl" top --json=short --iterations=2 --delay=1
contains "the delay is kept" yes "$([ $(($(date +%s%N) - before)) -ge 2000000000 ] && echo yes)"
equal "as JSON: a line a look" 2 "$(wc -l <out.txt)"
found=$(python3 - <<'END'
import json
desk, phone = None, None
for session in json.loads(open("out.txt").readlines()[1])["sessions"]:
    for participant in session["participants"]:
        if participant["identity"] == "desk":
            # No machine keeps the pace; none is faster than it either.
            print("desk", 1 < participant["encrypted_per_second"] <= 55, participant["refused_per_second"],
                  session["encrypted_per_second"] == participant["encrypted_per_second"])
        else:
            print("phone", participant["decrypted_per_second"], 1 < participant["refused_per_second"] <= 45,
                  participant["trouble"])
END
)
contains "what desk does" "desk True 0.0 True" "$found"
contains "what phone does" "phone 0.0 True phone: frames carry key 2, you hold 0 (missing-key)" "$found"
status "as a table" 0 "$framekeyctl" top --iterations=1 --delay=0.5
contains "as a table" "framekeyd " "$(head -n 1 out.txt)"
contains "as a table" "ENC/s" "$(sed -n 2p out.txt)"
contains "as a table: a sentence" "phone: frames carry key 2" "$out"
equal "by frames" desk "$(sed -n 's/^└─\([a-z]*\) .*/\1/p' out.txt | head -n 1)"
[ -z "$(tr -d -c '\033' <out.txt)" ] || fail "a table in a file has colours"
status "by refused" 0 "$framekeyctl" top --iterations=1 --delay=0.5 --sort=refused
equal "by refused" phone "$(sed -n 's/^└─\([a-z]*\) .*/\1/p' out.txt | head -n 1)"
status "without legend" 0 "$framekeyctl" top --iterations=1 --delay=0.5 --no-legend
case $out in *ENC/s* | *framekeyd*) fail "--no-legend has headings" ;; esac
status "by nonsense" 2 "$framekeyctl" top --sort=nonsense
status "too often" 2 "$framekeyctl" top --delay=0.01

# ---- on a terminal ----
on_terminal expect:"q: leave" expect:"█" type:q -- --delay=0.2
contains "q" "status 0" "$out"
contains "on a terminal: another screen" $'\033[?1049h' "$out"
contains "on a terminal: colours" $'\033[31m' "$out"
on_terminal expect:"by frames" type:s expect:"by refused" type:s expect:"by label" type:q -- --delay=30
on_terminal -- --delay=0.1 --iterations=3
contains "three looks" "status 0" "$out"
equal "three looks" 3 "$(grep -o 'q: leave' <<<"$out" | wc -l)"
on_terminal size:24x80 expect:$'\033[24;1H' size:9x40 expect:$'\033[9;1H' type:q -- --delay=30
on_terminal size:4x80 expect:$'\033[4;1H' type:q -- --delay=0.1
for name in INT TERM HUP QUIT; do
        on_terminal expect:"q: leave" signal:$name -- --delay=30
        contains "$name" "status -$(kill -l $name)" "$out"
done
on_terminal expect:"q: leave" type:'\x03' -- --delay=30
contains "Ctrl-C" "status -2" "$out"
on_terminal expect:"q: leave" type:'\x1a' stopped: signal:CONT expect:$'\033[?1049h' expect:"q: leave" type:q -- --delay=30
contains "Ctrl-Z" "stopped, as before" "$out"
contains "Ctrl-Z" "status 0" "$out"

# ---- a daemon that hangs, and goes on ----
kill -STOP "$FRAMEKEYD_PID"
status "a daemon that hangs" 1 timeout 20 "$framekeyctl" top --iterations=1
contains "a daemon that hangs" "within 2 s" "$err"
kill -CONT "$FRAMEKEYD_PID"
on_terminal expect:"q: leave" run:"kill -STOP $FRAMEKEYD_PID" expect:"framekeyctl: " run:"kill -CONT $FRAMEKEYD_PID" \
        expect:"q: leave" type:q -- --delay=0.2
contains "a daemon that hung" "status 0" "$out"
finish
