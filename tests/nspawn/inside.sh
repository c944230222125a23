# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# What .nspawn tests share; sourced, in the container. A test makes claims and ends with "end"; one that does not get
# there has failed, unless it exits with 77.
set -u

failed=0
ended=no
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

# fails COMMAND...: it does, whatever it says; but it was there, ended in time, and by itself.
fails() {
        local status

        "$@" >/dev/null 2>&1
        status=$?
        [ $status -gt 0 ] && [ $status -lt 124 ]
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
        # Both ends, because one alone waits for somebody at the other, who may have failed.
        exec 9<>/run/hold
        as ct-alice framekeyctl encrypt --profile=livekit-passphrase --key-file=/run/alice/passphrase \
                --participant=alice </run/hold >/run/hold.out 2>/run/hold.err 9>&- &
        holder=$!
        if ! within 10 property_is Keys "u 1"; then
                cat /run/hold.err >&2
                exit 1
        fi
        session=$(as ct-alice framekeyctl --json=short list | field id)
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
        ended=yes
        exit $failed
}

# However the test ends.
at_exit() {
        local status=$?

        if [ $ended = no ] && [ $status -ne 77 ]; then
                echo "NOT OK: the test breaks off (exit status $status)" >&2
                status=1
        fi
        if [ $status -ne 0 ] && [ $status -ne 77 ]; then
                journalctl -b --no-pager --no-hostname | tail -n 80 >&2
                systemctl status $unit --no-pager >&2
        fi
        exit $status
}
trap at_exit EXIT
