#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What test-system-bus.sh runs as root inside the container.
set -u

failed=0
name=org.framekey1
manager="$name /org/framekey1 $name.Manager"

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

as() {
        local user=$1

        shift
        runuser -u "$user" -- "$@"
}

# field NAME: the value of a string in a line of JSON that framekeyctl wrote.
field() {
        sed -n "s/.*\"$1\": *\"\\([^\"]*\\)\".*/\\1/p"
}

property() {
        # shellcheck disable=SC2086
        busctl get-property $manager "$1"
}

# As a package's installation does it.
setup() {
        ldconfig
        systemd-sysusers
        busctl call org.freedesktop.DBus / org.freedesktop.DBus ReloadConfig
        systemctl daemon-reload
        install -d -o ct-alice -m 700 /run/alice
        printf 'correct horse battery staple' >/run/alice/passphrase
        chown ct-alice /run/alice/passphrase
}

service_runs() {
        claim "the unit can be enabled" systemctl --quiet enable framekeyd.service
        claim "it starts" systemctl start framekeyd.service
        claim "it is active" equal "$(systemctl is-active framekeyd.service)" active
        claim "it runs as its own user" equal \
                "$(ps -o user= -p "$(systemctl show -P MainPID framekeyd.service)")" framekeyd
        claim "keys are in secret memory" equal "$(property MemoryProtection)" 's "secretmem"'
        claim "nothing is held yet" equal "$(property Sessions) $(property Keys)" "u 0 u 0"
}

round_trip() {
        local plain=10000000000000000000aabbccddeeff00112233445566778899 line sealed opened

        line='{"codec":"vp8","media":"video","frame_type":"key","ssrc":7,"rtp_timestamp":9,"payload_hex":"'
        sealed=$(echo "$line$plain\"}" | as ct-alice framekeyctl encrypt --profile=livekit-passphrase \
                --key-file=/run/alice/passphrase --participant=alice)
        claim "an unprivileged user encrypts" equal "$(field verdict <<<"$sealed")" ok
        sealed=$(field payload_hex <<<"$sealed")
        claim "the ciphertext is 30 bytes longer" equal ${#sealed} $((${#plain} + 60))
        claim "the clear bytes stay" equal "${sealed:0:20}" "${plain:0:20}"
        claim "the others do not" different "${sealed:20:32}" "${plain:20:32}"
        opened=$(echo "$line$sealed\"}" | as ct-alice framekeyctl decrypt --profile=livekit-passphrase \
                --key-file=/run/alice/passphrase --participant=alice)
        claim "and decrypts the same frame" equal "$(field verdict <<<"$opened") $(field payload_hex <<<"$opened")" \
                "ok $plain"
        # One bit of the tag.
        opened=$(echo "$line${sealed:0:-62}$(printf %02x $((0x${sealed: -62:2} ^ 1)))${sealed: -60}\"}" |
                as ct-alice framekeyctl decrypt --profile=livekit-passphrase --key-file=/run/alice/passphrase \
                        --participant=alice)
        claim "but no other" equal "$(field verdict <<<"$opened") $(field payload_hex <<<"$opened")" "forged "
}

# A session that stays open until its standard input is closed.
other_users_see_nothing() {
        local holder id nobody

        mkfifo /run/ct-hold
        as ct-alice framekeyctl encrypt --profile=livekit-passphrase --key-file=/run/alice/passphrase \
                --participant=alice </run/ct-hold >/run/ct-hold.out &
        holder=$!
        exec 9>/run/ct-hold
        for _ in {1..100}; do
                [ "$(property Sessions)" != "u 1" ] || break
                sleep 0.1
        done
        id=$(as ct-alice framekeyctl --json=short list | field id)
        claim "its owner sees the session" different "$id" ""
        claim "and its object" as ct-alice busctl get-property $name "$(as ct-alice busctl call $name /org/framekey1 \
                $name.Manager GetSession s "$id" | sed 's/^o "\(.*\)"$/\1/')" $name.Session Label
        # shellcheck disable=SC2086
        {
                claim "another user lists none" equal \
                        "$(as ct-bob busctl call $manager ListSessions)" "a(sosstu) 0"
                nobody=$(as ct-bob busctl call $manager GetSession s no-such-session 2>&1 |
                        sed "s/no-such-session/ID/g")
                claim "and gets the answer that an absent one gives" equal \
                        "$(as ct-bob busctl call $manager GetSession s "$id" 2>&1 | sed "s/$id/ID/g")" "$nobody"
                claim "and cannot end it" equal "$(as ct-bob busctl call $manager CloseSession ss "$id" x 2>&1 |
                        sed "s/$id/ID/g")" "$(as ct-bob busctl call $manager CloseSession ss no-such-session x 2>&1 |
                        sed "s/no-such-session/ID/g")"
                claim "nor find its object" equal "$(as ct-bob busctl tree --list $name | grep -c "session/.")" 0
        }
        claim "it is still there" equal "$(property Sessions)" "u 1"
        exec 9>&-
        wait $holder
        for _ in {1..100}; do
                [ "$(property Sessions)" != "u 0" ] || break
                sleep 0.1
        done
        claim "it ends with its owner" equal "$(property Sessions) $(property Keys)" "u 0 u 0"
}

# The files that administrators change, as the unit's sandbox lets the daemon read them.
configuration() {
        local file directory

        for directory in /etc/framekey /usr/local/etc/framekey; do
                [ ! -e $directory ] || file=$directory/framekeyd.conf.d/50-test.conf
        done
        claim "its configuration is installed" test -e "${file%.d/*}"
        mkdir -p "${file%/*}"
        printf '[Keys]\nMaximumAgeSec=1d\n' >"$file"
        claim "it reads it again" systemctl reload framekeyd.service
        claim "and keeps to it" equal "$(property MaximumKeyAgeUSec)" "t 86400000000"
        printf '[Keys]\nAllowExport=maybe\n' >"$file"
        claim "a reload of a wrong one fails" bash -c '! systemctl reload framekeyd.service 2>/dev/null'
        claim "and changes nothing" equal "$(property MaximumKeyAgeUSec)" "t 86400000000"
        claim "it is active as before" equal "$(systemctl is-active framekeyd.service)" active
        claim "its status tells what is wrong" equal "$(systemctl show -P StatusText framekeyd.service |
                grep -o 'REFUSED.*')" "REFUSED, what was read before applies: $file:2: AllowExport=maybe cannot be \
taken; write yes or no."
        claim "and the journal" bash -c "journalctl -b -o cat -u framekeyd.service -p err | grep -q '$file:2: AllowExport'"
        claim "with a wrong one it does not start" bash -c '! systemctl restart framekeyd.service 2>/dev/null'
        claim "and says so by its status" equal "$(systemctl show -P ExecMainStatus framekeyd.service)" 6
        claim "and is not tried again" equal "$(systemctl is-failed framekeyd.service)" failed
        rm "$file"
        systemctl reset-failed framekeyd.service
        claim "without that file it starts" systemctl start framekeyd.service
}

# A secret that systemd gives the service, one as a file and one encrypted in the drop-in itself.
credentials() {
        local dropin=/etc/systemd/system/framekeyd.service.d/50-credentials.conf directory=/run/credentials/framekeyd.service
        local session line

        install -d /etc/credstore "${dropin%/*}"
        printf 'correct horse battery staple' >/etc/credstore/standup
        chmod 600 /etc/credstore/standup
        {
                printf '[Service]\nLoadCredential=standup:/etc/credstore/standup\n'
                printf 'the second secret' | systemd-creds encrypt --with-key=host --name=second --pretty - -
        } >"$dropin"
        systemctl daemon-reload
        claim "with credentials it starts" systemctl restart framekeyd.service
        claim "nobody else reads them" equal "$(stat -c %a $directory/standup) $(as ct-alice cat $directory/standup \
                2>&1 | grep -c denied)" "400 1"
        exec 9> >(as ct-alice framekeyctl encrypt --profile=livekit --no-key --participant=alice >/run/ct-credential.out)
        for _ in {1..100}; do
                [ "$(property Sessions)" != "u 1" ] || break
                sleep 0.1
        done
        session=$(framekeyctl --json=short list | field id)
        claim "root imports one into a user's session" framekeyctl import "$session" --credential=standup
        claim "and the encrypted one" busctl call $name /org/framekey1/session/"$session" $name.Session \
                ImportCredential 'susa{sv}' "" 1 second 0
        claim "the user cannot" bash -c "! runuser -u ct-alice -- framekeyctl import $session --credential=standup 2>/dev/null"
        echo '{"codec":"opus","media":"audio","ssrc":1,"rtp_timestamp":2,"payload_hex":"00112233"}' >&9
        for _ in {1..100}; do
                [ ! -s /run/ct-credential.out ] || break
                sleep 0.1
        done
        claim "frames are encrypted with it" equal "$(field verdict </run/ct-credential.out)" ok
        exec 9>&-
        wait
        line=$(head -n 1 /run/ct-credential.out | field payload_hex)
        claim "as with the same passphrase by hand" equal "$(echo "{\"codec\":\"opus\",\"media\":\"audio\",\"ssrc\":1,\
\"rtp_timestamp\":2,\"payload_hex\":\"$line\"}" | as ct-alice framekeyctl decrypt --profile=livekit \
                --key-file=/run/alice/passphrase --participant=alice | field payload_hex)" 00112233
        claim "the journal tells which" equal "$(journalctl -b -o cat --output-fields=FK_CREDENTIAL \
                FK_ACTION=import-credential FK_RESULT=ok | paste -s -d' ')" "standup second"
        rm "$dropin"
        systemctl daemon-reload
        systemctl restart framekeyd.service
}

log_level() {
        claim "its log level can be set" systemctl service-log-level framekeyd.service debug
        claim "and read" equal "$(systemctl service-log-level framekeyd.service)" debug
        claim "its log target too" equal "$(systemctl service-log-target framekeyd.service)" journal
        claim "the journal tells who did it" equal "$(journalctl -b -o cat --output-fields=FK_SETTING \
                FK_ACTION=set-log FK_SENDER_UID=0)" "LogLevel=debug"
        claim "a user cannot" bash -c '! runuser -u ct-bob -- busctl set-property org.framekey1 \
                /org/freedesktop/LogControl1 org.freedesktop.LogControl1 LogLevel s emerg 2>/dev/null'
        systemctl service-log-level framekeyd.service info
}

service_ends() {
        claim "it was never restarted" equal "$(systemctl show -P NRestarts framekeyd.service)" 0
        claim "the journal tells who imported a key" equal "$(journalctl -b -o cat --output-fields=FK_SENDER_UID \
                FK_ACTION=import-key | sort -u)" 64001
        claim "but not which" bash -c '! journalctl -b -o export | grep -q "correct horse"'
        journalctl --update-catalog
        claim "the journal explains it" bash -c 'journalctl -b -x FK_ACTION=import-key |
                grep -q "Asked for by the user with the id 64001"'
        claim "and all else, with every field" bash -c "journalctl -b -x -u framekeyd.service _COMM=framekeyd |
                grep '^░░' >/run/ct-explained && ! grep -n '@FK' /run/ct-explained"
        claim "it stops cleanly" systemctl stop framekeyd.service
        claim "and says so" equal "$(systemctl show -P Result framekeyd.service)" success
        # shellcheck disable=SC2086
        claim "the bus starts it again when somebody calls" \
                as ct-alice busctl call $manager GetStatistics --quiet
        claim "it is active again" equal "$(systemctl is-active framekeyd.service)" active
}

setup
echo "the bus is $(ps -o comm= -p "$(systemctl show -P MainPID dbus.service)")"
service_runs
round_trip
other_users_see_nothing
configuration
log_level
credentials
service_ends
if [ $failed -ne 0 ]; then
        journalctl -b -u framekeyd.service -u dbus.service --no-pager | tail -n 60 >&2
        systemctl status framekeyd.service --no-pager >&2
fi
exit $failed
