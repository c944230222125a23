#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Command lines and help: what needs no daemon, and what to say when there is none.
no_daemon=yes
. "$(dirname "$0")/common.sh"
source_dir=$here/../..

# refused WHAT STATUS PART ARGUMENT...
refused() {
        local what=$1 expected=$2 part=$3
        shift 3
        status "$what" "$expected" "$framekeyctl" "$@" </dev/null
        contains "$what" "$part" "$err"
        equal "$what: one sentence" 1 "$(wc -l <err.txt)"
        equal "$what: nothing on standard output" "" "$out"
}

# ---- help and version ----
status "help" 0 "$framekeyctl" --help
equal "help: nothing on standard error" "" "$err"
contains "help" "Exit status:" "$out"
verbs=$(sed -n '/^Options/q; s/^  \([a-z-]*\) .*/\1/p' <<<"$out")
for verb in status list show presets monitor stats doctor code transport-key encrypt decrypt import activate ratchet rotate retire \
        revoke close lock unlock inspect demo; do
        contains "help lists $verb" " $verb " " ${verbs//$'\n'/ } "
        grep -q "^\\*$verb\\*" "$source_dir/docs/framekeyctl.1.scd" || grep -q ", \\*$verb\\*" \
                "$source_dir/docs/framekeyctl.1.scd" || fail "framekeyctl(1) does not describe $verb"
        status "$verb --help" 0 "$framekeyctl" "$verb" --help
        contains "$verb --help" "$verb" "$out"
        [ "$verb" = demo ] && continue # its options are its own
        status "$verb -h" 0 "$framekeyctl" "$verb" -h
        # Every option of the verb's help is in the manual.
        sed -n 's/^  .. --\([a-z-]*\).*/\1/p' out.txt >options.txt
        while read -r option; do
                grep -q -- "--$option[*=]" "$source_dir/docs/framekeyctl.1.scd" ||
                        fail "framekeyctl(1) does not describe --$option of $verb"
        done <options.txt
        refused "$verb: unknown option" 2 "--nonsense" "$verb" --nonsense
        refused "$verb: too many arguments" 2 "too many arguments" "$verb" a b c
done
for verb in show monitor code import activate retire revoke close; do
        refused "$verb: too few arguments" 2 "too few arguments" "$verb"
done
status "version" 0 "$framekeyctl" --version
contains "version" "framekeyctl " "$out"
status "version behind a verb" 0 "$framekeyctl" list --version

status "the command help" 0 "$framekeyctl" help
equal "the command help" "$("$framekeyctl" --help)" "$out"
# What the statuses are is told in both places; that they are so is checked here (2, 3) and by all others (0, 1).
for number in 0 1 2 3; do
        contains "--help explains status $number" " $number " "$(grep '^Exit status:' <<<"$out")"
        sed -n '/^# EXIT STATUS/,/^# ENV/p' "$source_dir/docs/framekeyctl.1.scd" | grep -q "^\*$number\*$" ||
                fail "framekeyctl(1) does not explain status $number"
done

# ---- wrong command lines ----
refused "unknown verb" 2 "no command 'nonsense'" nonsense
refused "unknown option" 2 "--nonsense" --nonsense
refused "unknown letter" 2 "-Z" -Z
refused "missing value" 2 "needs a value" list --address
refused "wrong value" 2 "'short', 'pretty' or 'off'" --json=long
refused "ratchet of nothing" 2 "--all" ratchet
refused "ratchet of a session and all" 2 "--all" ratchet session --all
refused "rotate of nothing" 2 "--all" rotate
refused "rotate of a session and all" 2 "--all" rotate session --all
refused "activate after no number" 2 "--after-usec takes a number" activate session --key-index=1 --after-usec=soon
refused "activate of no key" 2 "--key-index" activate session
refused "key index is no number" 2 "--key-index takes a number" activate session --key-index=one
refused "key index is negative" 2 "--key-index takes a number" activate session --key-index=-1
refused "key index is too large" 2 "--key-index takes a number" activate session --key-index=4294967295
refused "key index is empty" 2 "--key-index takes a number" activate session --key-index=

# ---- no bus, no daemon ----
export DBUS_SYSTEM_BUS_ADDRESS=unix:path=$scratch/absent
refused "no bus" 3 "There is no bus to connect to" list
refused "no bus at an address" 3 "unix:path=/absent" --address=unix:path=/absent list
refused "option behind the verb" 3 "unix:path=/absent" list --address=unix:path=/absent
refused "no address" 3 "." --address=nonsense list
unset DBUS_SESSION_BUS_ADDRESS XDG_RUNTIME_DIR
refused "no user bus" 3 "user bus" --user list
refused "no such machine" 3 "." --machine=absent-machine list
if command -v dbus-daemon >/dev/null; then
        # A bus that nobody serves on.
        sed "s,@SCRATCH@,$scratch," >bus.conf <<'END'
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
        "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><listen>unix:path=@SCRATCH@/bus</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/></policy>
</busconfig>
END
        dbus-daemon --nofork --nosyslog --config-file=bus.conf 2>bus.log &
        bus=$!
        for _ in $(seq 200); do [ -S bus ] && break; sleep 0.05; done
        export DBUS_SYSTEM_BUS_ADDRESS=unix:path=$scratch/bus
        refused "no daemon" 3 "systemctl start framekeyd" list
        refused "no daemon at an address" 3 "framekeyd --address" --address="$DBUS_SYSTEM_BUS_ADDRESS" status
        printf key >key
        refused "no daemon for encrypt" 3 "framekeyd is not running" encrypt --profile=livekit --key-file=key
        stranger=(setpriv --reuid=64123 --regid=64123 --clear-groups "$framekeyctl")
        if "${stranger[@]}" --version >/dev/null 2>&1; then
                chmod 755 "$scratch"
                chmod 777 bus
                refused_user=$("${stranger[@]}" list 2>&1)
                equal "unknown user: status" 3 $?
                contains "unknown user" "no entry in the user database" "$refused_user"
        else
                echo "not checked: a user without an entry; this needs root and a build that others can run" >&2
        fi
        kill "$bus"
        wait "$bus" 2>/dev/null
fi

finish
