#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# framekeyd.conf at the start, while the daemon runs, and against what is set on the bus.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
top=${abs_top_srcdir:-$(dirname "$(dirname "$here")")}
build=${abs_top_builddir:-$(dirname "$(dirname "$here")")}
daemon=${FRAMEKEYD:-$build/daemon/framekeyd}
if [ "${1-}" != inside ]; then
        CONFIG=$(mktemp)
        export CONFIG
        trap 'rm -f -- "$CONFIG"' EXIT
        chmod 644 "$CONFIG"
        printf '[Ratchet]\nDefaultIntervalSec=1h\nMinimumIntervalSec=2s\n[Keys]\nMaximumAgeSec=1d\nAllowExport=no\n' >"$CONFIG"
        "$here/../with-daemon" --daemon-arg=--config="$CONFIG" "$0" inside
        exit
fi

fail() {
        echo "configuration: $*" >&2
        exit 1
}

# expect STATUS PATTERN ARGUMENT...: framekeyd ends with this status and says something like this.
expect() {
        local wanted=$1 pattern=$2 status=0

        shift 2
        said=$("$daemon" "$@" 2>&1) || status=$?
        [ "$status" -eq "$wanted" ] || fail "framekeyd $* ended with $status, not $wanted: $said"
        grep -q -- "$pattern" <<<"$said" || fail "framekeyd $*: $said"
}

# ---- the command line ----

nowhere=--address=unix:path=/nonexistent/bus
work=$FRAMEKEYD_DIR
defaults=$("$daemon" --check-config $nowhere)
[ "$defaults" = "[Ratchet]
# the default
DefaultIntervalSec=10min
# the default
MinimumIntervalSec=1s

[Sessions]
# the default
AllowedProfiles=livekit livekit-passphrase livekit-bytes livekit-native element-call realtimekit jitsi sframe dave

[Keys]
# the default
MaximumAgeSec=infinity
# the default
AllowImport=yes
# the default
AllowExport=yes
# the default
RequireSecretMemory=no" ] || fail "the defaults are: $defaults"
defaults=$(grep -v '^#' <<<"$defaults")

# The file that is installed sets nothing, and its comments show the defaults.
expect 0 '^DefaultIntervalSec=10min$' --config="$top/daemon/framekeyd.conf" --check-config
sed 's/^#\([A-Z][A-Za-z]*=\)/\1/' "$top/daemon/framekeyd.conf" >"$work/shown"
[ "$(grep -v -e '^#' -e '^$' "$work/shown")" = "$(grep . <<<"$defaults")" ] || fail "framekeyd.conf shows other defaults"
expect 0 "^# read: $work/shown\$" --config="$work/shown" --check-config
! grep -q 'framekeyd:' <<<"$said" || fail "framekeyd.conf: $said"

printf '[Keys]\nAllowExport=maybe\n' >"$work/wrong"
expect 6 "^framekeyd: $work/wrong:2: AllowExport=maybe cannot be taken; write yes or no\\.\$" --config="$work/wrong" --check-config
! grep -q '^MaximumAgeSec' <<<"$said" || fail "something applies: $said"
expect 6 "$work/wrong:2: " --config="$work/wrong" $nowhere
expect 6 "Cannot read $work/none: No such file" --config="$work/none" $nowhere
printf '[Keys]\nAllowExprot=no\n' >"$work/unknown"
expect 0 "$work/unknown:2: AllowExprot= is unknown" --config="$work/unknown" --check-config
expect 3 "$work/unknown:2: AllowExprot= is unknown" --config="$work/unknown" $nowhere

printf '[Sessions]\nAllowedProfiles=jitsi  zoom\n' >"$work/zoom"
expect 6 "$work/zoom:2: AllowedProfiles=jitsi  zoom cannot be taken; write names of profiles" --config="$work/zoom" --check-config
# A daemon that may not serve from locked memory does not.
printf '[Keys]\nRequireSecretMemory=yes\n' >"$work/secret"
expect 7 "because of RequireSecretMemory=yes ($work/secret:2)" --config="$work/secret" --no-secretmem $nowhere
if "$daemon" $nowhere 2>&1 | grep -q 'locked memory that root can read'; then
        expect 7 "because of RequireSecretMemory=yes" --config="$work/secret" $nowhere
else
        expect 3 "Cannot connect" --config="$work/secret" $nowhere
fi

# A user's own files, and no others with a bus by its address.
mkdir -p "$work/xdg/framekey/framekeyd.conf.d" "$work/home/.config/framekey"
printf '[Keys]\nMaximumAgeSec=3d\n' >"$work/xdg/framekey/framekeyd.conf"
printf '[Keys]\nAllowExport=no\n' >"$work/xdg/framekey/framekeyd.conf.d/50-local.conf"
printf '[Keys]\nMaximumAgeSec=4d\n' >"$work/home/.config/framekey/framekeyd.conf"
export XDG_CONFIG_HOME=$work/xdg
expect 0 '^MaximumAgeSec=3d$' --user --check-config
[ "$(grep '^# read:' <<<"$said")" = "# read: $work/xdg/framekey/framekeyd.conf
# read: $work/xdg/framekey/framekeyd.conf.d/50-local.conf" ] || fail "--user reads: $said"
# Each line has its place above it.
[ "$(grep -B1 -e '^MaximumAgeSec' -e '^AllowExport' <<<"$said" | grep '^#')" = "# $work/xdg/framekey/framekeyd.conf:2
# $work/xdg/framekey/framekeyd.conf.d/50-local.conf:2" ] || fail "--user reads from elsewhere: $said"
grep -q '^AllowExport=no$' <<<"$said" || fail "the drop-in is not read: $said"
expect 0 '^MaximumAgeSec=infinity$' $nowhere --check-config
unset XDG_CONFIG_HOME
HOME=$work/home expect 0 '^MaximumAgeSec=4d$' --user --check-config
if [ "$(id -u)" -eq 0 ] && setpriv --reuid=65534 --regid=65534 --clear-groups test -x "$daemon"; then
        chmod 700 "$work/home"
        said=$(HOME=$work/home setpriv --reuid=65534 --regid=65534 --clear-groups "$daemon" --user --check-config 2>&1) ||
                fail "somebody else's HOME: $said"
        grep -q 'Is HOME right' <<<"$said" || fail "$said"
        grep -q '^MaximumAgeSec=infinity' <<<"$said" || fail "$said"
fi

# ---- the running daemon ----

manager="org.framekey1 /org/framekey1 org.framekey1.Manager"
policy() {
        local property

        for property in DefaultRatchetIntervalUSec MinimumRatchetIntervalUSec MaximumKeyAgeUSec AllowExport; do
                # shellcheck disable=SC2086
                busctl --system get-property $manager $property
        done | cut -d' ' -f2 | paste -s -d' '
}
set_property() {
        # shellcheck disable=SC2086
        busctl --system set-property $manager "$@" 2>&1
}
applies() {
        [ "$(policy)" = "$1" ] || fail "the policy is $(policy), not $1"
}
# logged COUNT PATTERN: waits for that many lines.
logged() {
        for ((i = 0; i < 400; i++)); do
                [ "$(grep -c -- "$2" "$FRAMEKEYD_LOG")" -lt "$1" ] || return 0
                sleep 0.025
        done
        fail "the log has no $1 lines like: $2"
}
reload() {
        local line=$1 before

        before=$(grep -c "$line" "$FRAMEKEYD_LOG") || true
        kill -HUP "$FRAMEKEYD_PID"
        logged $((before + 1)) "$line"
}

applies "3600000000 2000000 86400000000 false"
[ "$(busctl --system --xml-interface introspect org.framekey1 /org/framekey1 | grep -c 'name="org.framekey1.Manager"')" -eq 1 ] ||
        fail "the Manager's interface is there more than once"

# What an administrator sets holds, is told, and is in the audit.
busctl --system --json=short monitor org.framekey1 >"$work/signals" 2>"$work/monitor.log" &
monitor=$!
trap 'kill $monitor 2>/dev/null || true' EXIT
for ((i = 0; i < 400; i++)); do
        ! grep -q 'Monitoring' "$work/monitor.log" || break
        sleep 0.025
done
# told PATTERN: waits for a signal.
told() {
        for ((i = 0; i < 400; i++)); do
                ! grep PropertiesChanged "$work/signals" | grep -q -- "$1" || return 0
                sleep 0.025
        done
        fail "no signal like $1 in: $(cat "$work/signals")"
}
set_property MaximumKeyAgeUSec t 7200000000
applies "3600000000 2000000 7200000000 false"
logged 1 'audit: set-policy setting="MaximumKeyAgeUSec=7200000000" uid=.* result="ok"'
told '"MaximumKeyAgeUSec":{"type":"t","data":7200000000}'
set_property DefaultRatchetIntervalUSec t 0
set_property MinimumRatchetIntervalUSec t 500000
applies "0 500000 7200000000 false"

# What makes no sense, and what only the file says, is refused.
! said=$(set_property MaximumKeyAgeUSec t 18446744073709551615) || fail "an age without end was taken"
grep -q '366d' <<<"$said" || fail "$said"
logged 1 'audit: set-policy setting="MaximumKeyAgeUSec=18446744073709551615".*result="InvalidArgs"'
! said=$(set_property AllowExport b true) || fail "AllowExport was set on the bus"
applies "0 500000 7200000000 false"

# Nobody else sets anything, and is told who can.
if [ "$(id -u)" -eq 0 ]; then
        as_nobody="setpriv --reuid=65534 --regid=65534 --clear-groups"
        # shellcheck disable=SC2086
        ! $as_nobody busctl --system set-property $manager MaximumKeyAgeUSec t 0 2>/dev/null || fail "nobody has set MaximumKeyAgeUSec"
        # busctl has a text of its own for this error.
        if command -v dbus-send >/dev/null; then
                # shellcheck disable=SC2086
                said=$($as_nobody dbus-send --system --print-reply --dest=org.framekey1 /org/framekey1 \
                        org.freedesktop.DBus.Properties.Set string:org.framekey1.Manager string:MaximumKeyAgeUSec \
                        variant:uint64:0 2>&1) && fail "nobody has set MaximumKeyAgeUSec"
                grep -q 'set it as root' <<<"$said" || fail "$said"
        fi
        logged 1 'audit: set-policy uid=65534 .*result="PolicyForbids"'
        applies "0 500000 7200000000 false"
fi

# The file again: it replaces what was set, and each change is told.
printf '[Ratchet]\nMinimumIntervalSec=500ms\n[Keys]\nAllowExport=yes\nMaximumAgeSec=2h\n' >"$CONFIG"
reload 'The configuration was read again'
applies "600000000 500000 7200000000 true"
logged 1 'audit: set-policy setting="DefaultRatchetIntervalUSec=600000000" reason="framekeyd.conf" owner=.* result="ok"'
logged 1 'audit: set-policy setting="AllowExport=1" reason="framekeyd.conf"'
[ "$(grep -c 'audit: set-policy setting=.*reason="framekeyd.conf"' "$FRAMEKEYD_LOG")" -eq 2 ] || fail "more is told than changed"
told '"DefaultRatchetIntervalUSec":{"type":"t","data":600000000},"AllowExport":{"type":"b","data":true}'

# A wrong file changes nothing, and who reloads by a call is told what is wrong.
printf '[Ratchet]\nDefaultIntervalSec=1d\n[Keys]\nAllowExport=perhaps\n' >"$CONFIG"
reload 'The configuration stays as it was'
logged 1 "$CONFIG:4: AllowExport=perhaps cannot be taken"
logged 1 'audit: reload reason="framekeyd.conf" owner=.* result="ConfigurationInvalid"'
applies "600000000 500000 7200000000 true"
# shellcheck disable=SC2086
said=$(busctl --system call $manager Reload 2>&1) && fail "a wrong file was taken"
[ "$said" = "Call failed: $CONFIG:4: AllowExport=perhaps cannot be taken; write yes or no. What was read before applies." ] ||
        fail "Reload: $said"
logged 1 'audit: reload reason="framekeyd.conf" uid=.* result="ConfigurationInvalid"'
applies "600000000 500000 7200000000 true"
if [ "$(id -u)" -eq 0 ]; then
        # shellcheck disable=SC2086
        ! setpriv --reuid=65534 --regid=65534 --clear-groups busctl --system call $manager Reload 2>/dev/null ||
                fail "nobody has reloaded"
        logged 1 'audit: reload uid=65534 .*result="PolicyForbids"'
fi
rm "$CONFIG"
reload 'The configuration stays as it was'
applies "600000000 500000 7200000000 true"
: >"$CONFIG"
reload 'The configuration was read again'
applies "600000000 1000000 0 true"

# What is not allowed is refused with the setting and its place, and is in the audit.
refused() {
        local pattern=$1

        shift
        ! said=$(busctl --system call org.framekey1 "$@" 2>&1) || fail "$* was let through"
        grep -qF -- "$pattern" <<<"$said" || fail "$*: $said"
}
open=(/org/framekey1 org.framekey1.Manager OpenSession 'ssa{sv}')
printf '[Sessions]\nAllowedProfiles=dave livekit\n[Keys]\n\nAllowImport=no\nMaximumAgeSec=1d\n[Ratchet]\nMinimumIntervalSec=5s\n' >"$CONFIG"
# shellcheck disable=SC2086
busctl --system call $manager Reload
logged 1 'audit: set-policy setting="AllowedProfiles=livekit dave" reason="framekeyd.conf" uid=.* result="ok"'
# shellcheck disable=SC2086
[ "$(busctl --system get-property $manager AllowedProfiles AllowImport RequireSecretMemory | paste -s -d' ')" = \
        'as 2 "livekit" "dave" b false b false' ] || fail "AllowedProfiles and the others are something else"
refused "'jitsi' are not allowed by AllowedProfiles=livekit dave ($CONFIG:2)" "${open[@]}" jitsi x 0
logged 1 'audit: open-session uid=.* result="PolicyForbids"'
refused "3s is below MinimumIntervalSec=5s ($CONFIG:8)" "${open[@]}" livekit x 1 ratchet-interval-usec t 3000000
refused "2d is above MaximumAgeSec=1d ($CONFIG:6)" "${open[@]}" livekit x 1 maximum-key-age-usec t 172800000000
printf 'a passphrase' >"$work/passphrase"
said=$("$build/cli/framekeyctl" encrypt --profile=livekit --key-file="$work/passphrase" --participant=me </dev/null 2>&1) &&
        fail "a key was brought"
grep -qF "may not bring keys: AllowImport=no ($CONFIG:5)" <<<"$said" || fail "$said"
logged 1 'audit: import-key session=.* result="PolicyForbids"'
set_property MaximumKeyAgeUSec t 3600000000
refused "2h is above MaximumAgeSec=1h (set on the bus in place of framekeyd.conf)" "${open[@]}" livekit x 1 \
        maximum-key-age-usec t 7200000000
busctl --system call org.framekey1 "${open[@]}" livekit x 0 >/dev/null || fail "what is allowed is refused"
: >"$CONFIG"
# shellcheck disable=SC2086
busctl --system call $manager Reload
"$build/cli/framekeyctl" encrypt --profile=livekit --key-file="$work/passphrase" --participant=me </dev/null ||
        fail "no key can be brought any more"
