#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The verbs that look and the verbs that change a session of somebody else's, as tables and as JSON.
. "$(dirname "$0")/common.sh"

command -v python3 >/dev/null || { echo "python3 is not installed" >&2; exit 77; }
printf '0123456789abcdef' >key
printf 'fedcba9876543210' >other

# json EXPRESSION FILE: prints a Python expression of the document d
json() {
        python3 -c 'import json, sys; d = json.load(open(sys.argv[2])); print(eval(sys.argv[1]))' "$1" "$2"
}
# as_json WHAT EXPECTED EXPRESSION VERB...: the same value must come in both forms of JSON
as_json() {
        local what=$1 expected=$2 expression=$3 form
        shift 3
        for form in short pretty; do
                status "$what ($form)" 0 "$framekeyctl" "$@" --json=$form
                equal "$what ($form)" "$expected" "$(json "$expression" out.txt)"
        done
        equal "$what: short is one line" 1 "$("$framekeyctl" "$@" --json=short | wc -l)"
        status "$what (-j)" 0 "$framekeyctl" "$@" -j
        equal "$what (-j)" "$expected" "$(json "$expression" out.txt)"
}
refused() {
        local what=$1 part=$2
        shift 2
        status "$what" 1 "$framekeyctl" "$@" </dev/null
        contains "$what" "$part" "$err"
        equal "$what: one sentence" 1 "$(wc -l <err.txt)"
}

# ---- nothing there ----
status "status" 0 "$framekeyctl"
contains "status" "Version" "$out"
contains "status" "Memory" "$out"
equal "status has no colours in a file" "" "$(grep -o $'\033' out.txt)"
as_json "status" "[0, 0, False]" "[d['Sessions'], d['Keys'], d['Locked']]" status
as_json "protection has a name" True "d['MemoryProtection'] in ('secretmem', 'mlock')" status
status "list" 0 "$framekeyctl" list
equal "list" "No sessions." "$out"
status "list without legend" 0 "$framekeyctl" list --no-legend
equal "list without legend" "" "$out"
as_json "list" "[]" d list
as_json "presets" "livekit" "[p['format'] for p in d if p['name'] == 'element-call'][0]" presets
as_json "presets" "pbkdf2 hkdf hkdf" \
        "' '.join(p['kdf'] for name in ('livekit-passphrase', 'livekit-bytes', 'sframe') for p in d if p['name'] == name)" presets
status "presets" 0 "$framekeyctl" presets
equal "presets has a heading" PRESET "$(head -n 1 out.txt | cut -d ' ' -f 1)"
n=$(wc -l <out.txt)
status "presets without legend" 0 "$framekeyctl" presets --no-legend
equal "presets without legend" $((n - 1)) "$(wc -l <out.txt)"
as_json "stats" "0" "d['ok']" stats
refused "show of no session" "no session of that name; 'framekeyctl list'" show absent
refused "stats of no session" "no session of that name" stats absent
refused "close of no session" "no session of that name" close absent
refused "import into no session" "no session of that name" import absent

# ---- a session without a channel ----
busctl --system call org.framekey1 /org/framekey1 org.framekey1.Manager OpenSession 'ssa{sv}' livekit bare 1 linger b true \
        >/dev/null
as_json "a session that has no channel yet" "['bare', []]" "[d['session']['Label'], d['streams']]" show bare
"$framekeyctl" close bare --quiet

# ---- a sender that waits, in a session others may attach to ----
coproc SENDER { exec "$framekeyctl" encrypt --profile=livekit-bytes --key-file=key -o exclusive=no -o grace-usec=3600000000 --participant='al ice'; }
sender=$SENDER_PID to=${SENDER[1]} from=${SENDER[0]}
# send EXPECTED...: one frame; verdict, key index and step must be these
send() {
        frame audio opus - f8010203 >&"$to"
        read -r -t 20 line <&"$from" || fail "the sender does not answer"
        equal "$1" "$2" "$(field verdict <<<"$line") $(field key_index <<<"$line") $(field step <<<"$line")"
}
send "first frame" "ok 0 0"
status "list" 0 "$framekeyctl" list --no-legend
session=$(cut -d ' ' -f 1 out.txt)
contains "list" livekit "$out"
as_json "list" "1 $session framekeyctl $(id -u)" \
        "'%d %s %s %d' % (len(d), d[0]['id'], d[0]['label'], d[0]['uid'])" list
status "status" 0 "$framekeyctl" status
contains "status shows the sessions" "$session" "$out"
status "show" 0 "$framekeyctl" show "$session"
contains "show" "al ice" "$out"
contains "show" "0 (active)" "$out"
as_json "show" "shared 16 8" "'%s %d %d' % tuple(d['session'][k] for k in ('KeyMode', 'RingSize', 'RatchetWindow'))" \
        show "$session"
# On a slow machine the frame may be longer ago than a stream takes to be idle.
as_json "show" "al ice local True 1 0" \
        "'%(Identity)s %(Role)s' % (p := d['participants'][0]) + ' %s %s %s' % (p['State'] in ('ok', 'idle'), p['FramesOk'], p['FramesFailed'])" \
        show "$session"
as_json "show" "[(0, 0, True)]" "[(k['index'], k['step'], k['active']) for k in d['participants'][0]['Keys']]" \
        show "$session"
as_json "a session by its label" "$session" "d['session']['Id']" show framekeyctl
as_json "stats of the session" "1 4" "'%d %d' % (d['ok'], d['bytes'])" stats "$session"
as_json "stats of the participant" "1" "d['ok']" stats "$session" 'al ice'
refused "stats of nobody" "." stats "$session" nobody

# ---- changes by another connection ----
status "import" 0 "$framekeyctl" import "$session" --key-index=2 <other
equal "import" "Imported the key under index 2." "$out"
send "not active yet" "ok 0 0"
status "activate" 0 "$framekeyctl" activate "$session" --key-index=2
send "active" "ok 2 0"
status "ratchet of one" 0 "$framekeyctl" ratchet "$session" --key-index=2
equal "ratchet of one" "The key is at step 1." "$out"
send "ratcheted" "ok 2 1"
status "ratchet of the session" 0 "$framekeyctl" ratchet "$session" --reason='time is up'
contains "ratchet of the session" "one step" "$out"
send "ratcheted again" "ok 2 2"
as_json "ratchet of all" True "d['ratcheted'] >= 1" ratchet --all
status "import with -q" 0 "$framekeyctl" -q import "$session" --key-index=2 --step=3 --activate <key
equal "import with -q says nothing" "" "$out$err"
send "imported at a step" "ok 2 3"
echo passphrase >newline
status "import of a line" 0 "$framekeyctl" import "$session" --key-index=5 <newline
contains "import of a line" "ends with a newline" "$err"
terminal=$(python3 "$here/terminal-import.py" "$framekeyctl" "$session" type)
contains "typed" "Imported the key under index 4." "$terminal"
contains "typed" "status 0" "$terminal"
contains "typed: echo is back" "echo on" "$terminal"
case $terminal in *hunter*) fail "the terminal shows the key" ;; esac
terminal=$(python3 "$here/terminal-import.py" "$framekeyctl" "$session" interrupt)
contains "interrupted" "status -2" "$terminal"
contains "interrupted: echo is back" "echo on" "$terminal"
status "retire" 0 "$framekeyctl" retire "$session" --key-index=4
status "retire" 0 "$framekeyctl" retire "$session" --key-index=5
as_json "retired" "[0, 2]" "[k['index'] for k in d['participants'][0]['Keys']]" show "$session"
refused "retire twice" "no key under this index" retire "$session" --key-index=5
refused "activate without a key" "no key under this index" activate "$session" --key-index=5
status "import outside the ring" 1 "$framekeyctl" import "$session" --key-index=99 <key
contains "import outside the ring" "outside the ring" "$err"
refused "import of nothing" "it is empty" import "$session"
status "import for a participant of a shared session" 1 "$framekeyctl" import "$session" 'al ice' <key
contains "import for a participant of a shared session" "key mode" "$err"
refused "revoke of nobody" "." revoke "$session" nobody
status "revoke" 0 "$framekeyctl" revoke "$session" 'al ice' --reason='lost laptop'
frame audio opus - f801 >&"$to"
read -r -t 20 line <&"$from"
equal "after revoke" refused "$(field verdict <<<"$line")"
status "close" 0 "$framekeyctl" close "$session"
refused "close twice" "no session of that name" close "$session"
exec {to}>&-
wait "$sender"

# What happened and who did it is in the log, the keys are not.
if [ -n "${FRAMEKEYD_LOG:-}" ]; then
        contains "log" "lost laptop" "$(cat "$FRAMEKEYD_LOG")"
        grep -qE '0123456789abcdef|fedcba9876543210' "$FRAMEKEYD_LOG" && fail "a key is in the log"
fi

# ---- a session that is its opener's alone ----
coproc "$framekeyctl" encrypt --profile=livekit-bytes --key-file=key
pid=$COPROC_PID to=${COPROC[1]} from=${COPROC[0]}
send "exclusive" "ok 0 0"
session=$("$framekeyctl" list --no-legend | cut -d ' ' -f 1)
for verb in "import $session" "activate $session --key-index=0" "retire $session --key-index=0" \
        "ratchet $session --key-index=0"; do
        # shellcheck disable=SC2086 # the words are arguments
        refused "$verb" "." $verb
done
send "exclusive, untouched" "ok 0 0"
if [ "$(id -u)" -eq 0 ] && runuser -u nobody -- "$framekeyctl" --version >/dev/null 2>&1; then
        # Another user learns nothing, not even that there is a session.
        other_user=$(runuser -u nobody -- env DBUS_SYSTEM_BUS_ADDRESS="$DBUS_SYSTEM_BUS_ADDRESS" \
                "$framekeyctl" list --json=short 2>&1)
        equal "another user's list" "[]" "$other_user"
        other_user=$(runuser -u nobody -- env DBUS_SYSTEM_BUS_ADDRESS="$DBUS_SYSTEM_BUS_ADDRESS" \
                "$framekeyctl" show "$session" 2>&1)
        contains "another user's show" "no session of that name" "$other_user"
else
        echo "not checked: what another user sees; this needs root and a build that others can run" >&2
fi
exec {to}>&-
wait "$pid"

# ---- two of one label ----
coproc TWO { exec "$framekeyctl" encrypt --profile=livekit-bytes --key-file=key; }
pid=$TWO_PID to=${TWO[1]} from=${TWO[0]}
send "one" "ok 0 0"
first=$("$framekeyctl" list --no-legend | cut -d ' ' -f 1)
start another "$framekeyctl" encrypt --profile=livekit-bytes --key-file=key
say another "$(frame audio opus - f801)"
refused "a label of two" "name one by its id" close framekeyctl
status "one by its id" 0 "$framekeyctl" close "$first"
status "now it is one's label" 0 "$framekeyctl" close framekeyctl
exec {to}>&-
wait "$pid"
end another 0

# ---- on a terminal ----
if command -v script >/dev/null; then
        on_terminal() {
                TERM=xterm script -qec "$1" /dev/null </dev/null
        }
        contains "colours on a terminal" $'\033[' "$(on_terminal "$framekeyctl status")"
        equal "NO_COLOR" "" "$(NO_COLOR=1 on_terminal "$framekeyctl status" | grep -o $'\033\\[')"
        contains "-j on a terminal" $'[\r' "$(on_terminal "$framekeyctl presets -j")"
fi
finish
