#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Completion in real shells: every verb and option of --help, values, and the names of what is live.
. "$(dirname "$0")/common.sh"
source_dir=$here/../..

for program in python3 zsh fish; do
        command -v $program >/dev/null || { echo "$program is not installed" >&2; exit 77; }
done
[ -f /usr/share/bash-completion/bash_completion ] || { echo "bash-completion is not installed" >&2; exit 77; }
export PATH=$abs_top_builddir/cli:$PATH

# ---- what is to be offered ----
verbs=$("$framekeyctl" --help | sed -n '/^Options/q; s/^  \([a-z-]*\) .*/\1/p')
[ "$(wc -w <<<"$verbs")" -ge 19 ] || fail "--help lists too few verbs: $verbs"
{
        echo "framekeyctl "
        for verb in $verbs; do echo "framekeyctl $verb --"; done
} >lines.txt

# ---- what is live; a name that a shell must not run, and two that would draw on the terminal or begin a line ----
# shellcheck disable=SC2016 # that it is not expanded is the point
name='al ice$(touch pwned)`touch pwned`'
printf '0123456789abcdef' >key
start sender "$framekeyctl" encrypt --profile=livekit-bytes --key-file=key --participant="$name" -o exclusive=no
say sender "$(frame audio opus - f801)"
say sender '{"do":"join","participant":"bob"}'
say sender '{"do":"join","participant":"red\u001b[31m"}'
say sender '{"do":"join","participant":"two\nlines"}'
session=$("$framekeyctl" list --no-legend | cut -d ' ' -f 1)
cat >>lines.txt <<END
framekeyctl show 
framekeyctl show ${session:0:3}
framekeyctl --quiet stats framekeyctl 
framekeyctl revoke framekeyctl b
framekeyctl list --json=
framekeyctl list --json 
framekeyctl --json=sh
framekeyctl import framekeyctl --kdf=
framekeyctl encrypt --profile=livekit-
framekeyctl encrypt --suite AES_128_GCM_
framekeyctl encrypt --key-file=ke
framekeyctl encrypt --key-file ke
framekeyctl --address=unix:path=$scratch/absent show 
framekeyctl lock 
!framekeyctl -q stats framekeyctl al
!framekeyctl show ${session:0:3}
END

# answer LINE: what was offered for it, on one line
answer() {
        awk -v line="== $1" '$0 == line { found = 1; next } /^== / { found = 0 } found' offers.txt | sort -u | paste -sd ' '
}
# offered LINE EXPECTED: exactly this
offered() {
        equal "$shell: $1" "$2" "$(answer "$1")"
}

for shell in bash zsh fish; do
        timeout 100 python3 "$here/shell-complete.py" $shell "$source_dir/cli/completion/framekeyctl.$shell" \
                <lines.txt >offers.txt 2>err.txt || fail "$shell: $(tail -n 3 err.txt)"
        for verb in $verbs; do
                contains "$shell offers $verb" " $verb " " $(answer "framekeyctl ") "
                found=" $(answer "framekeyctl $verb --") "
                "$framekeyctl" "$verb" --help | sed -n 's/^  .. \(--[a-z-]*\)\(=\{0,1\}\).*/\1\2/p' >options.txt
                [ "$(wc -l <options.txt)" -ge 9 ] || fail "$verb --help lists too few options"
                while read -r option; do
                        contains "$shell offers $option of $verb" " $option " "$found"
                done <options.txt
        done
        # What is quoted differs by shell; that it is right is seen when it is run, below.
        contains "$shell: sessions" "$session" "$(answer "framekeyctl show ")"
        contains "$shell: labels" framekeyctl "$(answer "framekeyctl show ")"
        equal "$shell: a session's beginning" "$session" "$(answer "framekeyctl show ${session:0:3}")"
        participants=$(answer "framekeyctl --quiet stats framekeyctl ")
        contains "$shell: participants" bob "$participants"
        contains "$shell: a participant with spaces" "ice" "$participants"
        case $participants in *red* | *two* | *lines*) fail "$shell offers what a terminal would obey" ;; esac
        offered "framekeyctl revoke framekeyctl b" bob
        head=
        [ $shell = fish ] && head=--json= # the others replace what stands behind "="
        offered "framekeyctl list --json=" "${head}off ${head}pretty ${head}short"
        offered "framekeyctl list --json " "off pretty short"
        offered "framekeyctl --json=sh" "${head}short"
        contains "$shell: --kdf=" pbkdf2 "$(answer "framekeyctl import framekeyctl --kdf=")"
        contains "$shell: presets" livekit-bytes "$(answer "framekeyctl encrypt --profile=livekit-")"
        offered "framekeyctl encrypt --suite AES_128_GCM_" AES_128_GCM_SHA256_128
        head=
        [ $shell = fish ] && head=--key-file=
        offered "framekeyctl encrypt --key-file=ke" "${head}key"
        offered "framekeyctl encrypt --key-file ke" key
        offered "framekeyctl --address=unix:path=$scratch/absent show " ""
        offered "framekeyctl lock " ""
        contains "$shell: a name with spaces, run" "COUNTER" "$(answer "!framekeyctl -q stats framekeyctl al")"
        contains "$shell: a name with spaces, run" "status 0" "$(answer "!framekeyctl -q stats framekeyctl al")"
        contains "$shell: a session, run" "Session:" "$(answer "!framekeyctl show ${session:0:3}")"
        [ ! -e pwned ] || fail "$shell runs the name of a participant"
done

# ---- the tool itself: silent, and quick where nobody answers ----
kill -STOP "$FRAMEKEYD_PID"
before=$(date +%s%N)
status "no answer" 0 "$framekeyctl" __complete show ""
after=$(date +%s%N)
kill -CONT "$FRAMEKEYD_PID"
equal "no answer: nothing offered" ":words" "$out"
equal "no answer: nothing told" "" "$err"
[ $((after - before)) -lt 5000000000 ] || fail "a daemon that hangs keeps the shell waiting"
status "no bus" 0 "$framekeyctl" __complete --address=unix:path=/absent show ""
equal "no bus" ":words" "$out$err"
status "an unknown verb" 0 "$framekeyctl" __complete nonsense ""
equal "an unknown verb" "" "$out$err"
end sender 0
finish
