# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# What .nspawn tests share; sourced, in the container. A test makes claims and ends with "end".
set -u

failed=0
unit=framekeyd.service
name=org.framekey1
manager=("$name" /org/framekey1 "$name.Manager")

# claim TEXT COMMAND...: the command must succeed.
claim() {
        local text=$1

        shift
        if "$@" >/dev/null; then
                echo "ok: $text"
        else
                echo "NOT OK: $text" >&2
                failed=1
        fi
}

equal() {
        [ "$1" = "$2" ] || {
                printf 'got      %s\nexpected %s\n' "$1" "$2" >&2
                return 1
        }
}

different() {
        ! [ "$1" = "$2" ]
}

# fails COMMAND...: it does, whatever it says.
fails() {
        ! "$@" >/dev/null 2>&1
}

# within SECONDS COMMAND...: the command succeeds at some time until then.
within() {
        local i limit=$1

        shift
        for ((i = 0; i < limit * 20; i++)); do
                "$@" >/dev/null 2>&1 && return 0
                sleep 0.05
        done
        "$@"
}

as() {
        local user=$1

        shift
        runuser -u "$user" -- "$@"
}

# field NAME: the value of a string in a line of JSON.
field() {
        sed -n "s/.*\"$1\": *\"\\([^\"]*\\)\".*/\\1/p"
}

property() {
        busctl get-property "${manager[@]}" "$1"
}

property_is() {
        equal "$(property "$1")" "$2"
}

state_is() {
        equal "$(systemctl show -P "$1" $unit)" "$2"
}

# The journal's records that match these fields, as one of their fields.
records() {
        local field=$1

        shift
        journalctl -b -o cat --output-fields="$field" "$@"
}

# Where this build looks for what administrators write.
configuration_directory() {
        local directory

        for directory in /etc/framekey /usr/local/etc/framekey; do
                [ ! -e "$directory/framekeyd.conf" ] || echo "$directory/framekeyd.conf.d"
        done
}

# As the installation of a package does it.
setup() {
        ldconfig
        systemd-sysusers
        busctl call org.freedesktop.DBus / org.freedesktop.DBus ReloadConfig
        systemctl daemon-reload
        install -d -o ct-alice -m 700 /run/alice
        printf 'correct horse battery staple' >/run/alice/passphrase
        chown ct-alice /run/alice/passphrase
}

# Opens a session of ct-alice's with one participant and a key, which lasts until release_session.
hold_session() {
        mkfifo /run/hold
        as ct-alice framekeyctl encrypt --profile=livekit-passphrase --key-file=/run/alice/passphrase \
                --participant=alice </run/hold >/run/hold.out 2>/run/hold.err &
        holder=$!
        exec 9>/run/hold
        within 10 property_is Sessions "u 1"
        session=$(as ct-alice framekeyctl --json=short list | field id)
        within 10 property_is Keys "u 1"
}

release_session() {
        exec 9>&-
        wait "$holder"
        rm /run/hold
}

# One frame there and back under a session of its own.
round_trip() {
        local line='{"codec":"opus","media":"audio","ssrc":7,"rtp_timestamp":9,"payload_hex":"' plain=00112233 sealed
        local key=(--profile=livekit-passphrase --key-file=/run/alice/passphrase --participant=alice)

        sealed=$(echo "$line$plain\"}" | as ct-alice framekeyctl encrypt "${key[@]}" | field payload_hex)
        equal "$(echo "$line$sealed\"}" | as ct-alice framekeyctl decrypt "${key[@]}" | field payload_hex)" $plain
}

end() {
        if [ $failed -ne 0 ]; then
                journalctl -b -u $unit -u dbus.service --no-pager | tail -n 60 >&2
                systemctl status $unit --no-pager >&2
        fi
        exit $failed
}
