#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What a terminal makes of the output: the tree of sessions, colours, the pager; and what it is elsewhere.
. "$(dirname "$0")/common.sh"

command -v python3 >/dev/null || { echo "python3 is not installed" >&2; exit 77; }
command -v less >/dev/null || { echo "less is not installed" >&2; exit 77; }
unset PAGER SYSTEMD_PAGER SYSTEMD_PAGERSECURE SYSTEMD_LESS SYSTEMD_COLORS LESS SUDO_UID PKEXEC_UID
export TERM=xterm
red=$'\033[31m' green=$'\033[32m'

# on_terminal STEP... -- ARGUMENT...: framekeyctl there; what was shown is in $out
on_terminal() {
        local steps=()
        while [ "$1" != -- ]; do steps+=("$1"); shift; done
        shift
        out=$(python3 "$here/on-terminal.py" "${steps[@]}" -- "$framekeyctl" "$@" 2>&1)
        contains "the terminal after $*" "terminal as before" "$out"
}
lacks() {
        case $3 in *"$2"*) fail "$1: '$2' is in '$3'" ;; esac
}

# ---- one who sends, one whose key is missing ----
printf '0123456789abcdef' >key
printf 'fedcba9876543210' >other
for n in 1 2 3 4 5 6 7 8; do frame audio opus - f8010$n; done |
        "$framekeyctl" encrypt --profile=livekit-bytes --key-file=other --key-index=2 >foreign.jsonl
start sender "$framekeyctl" encrypt --profile=livekit-bytes --key-file=key --participant=desk
say sender "$(frame audio opus - f801)"
start receiver "$framekeyctl" decrypt --profile=livekit-passphrase --key-file=key --participant=phone
say receiver '{"do":"import","key_file":"other","key_index":1}'
for n in 1 2 3 4 5 6 7 8; do say receiver "$(sed -n "${n}p" foreign.jsonl)"; done
# Whose frames do not come any more is idle after a while.
{
        while frame audio opus - f801 && sleep 0.5; do :; done >&"$sender_in" &
        while cat foreign.jsonl && sleep 0.5; do :; done >&"$receiver_in" &
        cat <&"$sender_out" >/dev/null &
        cat <&"$receiver_out" >/dev/null &
} 2>/dev/null

# ---- the tree ----
status "list as a tree" 0 "$framekeyctl" list --tree
contains "heading" "RATCHET" "$(head -n 1 out.txt)"
grep -q "^[a-z0-9]*  framekeyctl  livekit-bytes .* in [0-9]* min  *1  ● protected" out.txt || fail "no session: $out"
grep -q "└─desk  *key 0  *sending$" out.txt || fail "nobody sends: $out"
grep -q "livekit-passphrase .*◐ 1 of 1 failing" out.txt || fail "no session in trouble: $out"
grep -q "└─phone  *keys 0, 1  *missing-key$" out.txt || fail "no state: $out"
contains "the sentence" "phone: frames carry key 2, you hold 0, 1 (missing-key)" "$out"
status "list in a locale without symbols" 0 env LC_ALL=C "$framekeyctl" list --tree
lacks "a locale without symbols" "●" "$out"
contains "a locale without symbols" "protected" "$out"
status "list elsewhere" 0 "$framekeyctl" list --no-legend
equal "list elsewhere: a line a session" 2 "$(wc -l <out.txt)"
status "list as JSON" 0 "$framekeyctl" list --json=short
contains "list as JSON" '"trouble":"phone: frames carry key 2, you hold 0, 1 (missing-key)"' "$out"
status "lock" 0 "$framekeyctl" lock
status "list while locked" 0 "$framekeyctl" list --tree
contains "list while locked" "✖ locked" "$out"
status "unlock" 0 "$framekeyctl" unlock
# Streams are as their last frame was until the next one comes.
for _ in {1..50}; do
        "$framekeyctl" list --tree >unlocked.txt
        grep -q "● protected" unlocked.txt && grep -q missing-key unlocked.txt && break
        sleep 0.1
done

# ---- colours ----
on_terminal size:24x130 -- list
contains "a terminal: a tree" "└─" "$out"
contains "a terminal: green" "$green● protected" "$out"
contains "a terminal: red" "${red}missing-key" "$out"
contains "a terminal: status" "status 0" "$out"
NO_COLOR=1 on_terminal size:24x130 -- list
lacks "NO_COLOR" $'\033[3' "$out"
TERM=dumb on_terminal -- list
lacks "TERM=dumb" $'\033[3' "$out"
SYSTEMD_COLORS=0 on_terminal size:24x130 -- list
lacks "SYSTEMD_COLORS=0" $'\033[3' "$out"
lacks "a file" $'\033[' "$("$framekeyctl" list --tree)"
contains "SYSTEMD_COLORS=1 in a file" "$green" "$(NO_COLOR=1 SYSTEMD_COLORS=1 "$framekeyctl" list --tree)"

# ---- the pager ----
on_terminal size:6x80 expect:"lines 1-" type:q -- stats
contains "more than a page: less" "status 0" "$out"
on_terminal size:6x80 -- stats --no-pager
lacks "--no-pager" "lines 1-" "$out"
contains "--no-pager" "wrong" "wrong $out"
on_terminal size:60x80 -- stats
contains "a page: nothing to leave" "unknown-key" "$out"
on_terminal size:6x80 expect:"lines 1-" wait:0.5 type:'\x03' -- stats
contains "Ctrl-C in the pager" "terminal as before" "$out"
cat >shout <<'END'
#!/bin/sh
echo "the pager was called with $*"
tr a-z A-Z
END
chmod +x shout
PAGER="$scratch/shout one two" on_terminal -- stats
contains "PAGER" "called with one two" "$out"
contains "PAGER" "UNKNOWN-KEY" "$out"
SYSTEMD_PAGER=cat PAGER=$scratch/shout on_terminal size:6x80 -- stats
lacks "SYSTEMD_PAGER goes before" "was called" "$out"
SYSTEMD_PAGER='' on_terminal size:6x80 -- stats
lacks "an empty SYSTEMD_PAGER" "lines 1-" "$out"
PAGER=$scratch/absent on_terminal size:6x80 expect:"lines 1-" type:q -- stats
contains "a PAGER that is not there: less" "status 0" "$out"
# Elevated rights: the pager of whoever called sudo is not run, and less runs no commands.
if [ "$(id -u)" -eq 0 ] && [ ! -e "/run/systemd/sessions/$(cat /proc/self/sessionid)" ]; then
        SUDO_UID=1000 PAGER=$scratch/shout on_terminal size:6x80 expect:"lines 1-" type:"!touch broken\\n" wait:0.5 \
                type:q wait:0.3 type:q -- stats
        lacks "sudo: PAGER" "was called" "$out"
        [ ! -e broken ] || fail "sudo: less runs a command"
        SUDO_UID=1000 SYSTEMD_PAGERSECURE=0 PAGER=$scratch/shout on_terminal -- stats
        contains "sudo, and trusted" "was called" "$out"
fi
PAGER=$scratch/shout status "elsewhere: no pager" 0 "$framekeyctl" stats
lacks "elsewhere: no pager" "was called" "$out"
finish
