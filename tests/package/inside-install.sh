#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What test-install.sh runs as root inside the container.
# shellcheck disable=SC2016,SC2317 # dpkg-query's format; called by claim
set -u

here=$(cd "$(dirname "$0")" && pwd)
failed=0
name=org.framekey1
packages=(framekeyd framekeyctl libframekey0 libframekey-bus0 libframekey-dev python3-framekey
        gstreamer1.0-framekey)

# claim TEXT COMMAND...: the command must succeed.
claim() {
        local text=$1

        shift
        if "$@" >/run/claim.log 2>&1; then
                echo "ok: $text"
        else
                cat /run/claim.log >&2
                echo "NOT OK: $text" >&2
                failed=1
        fi
}

equal() {
        [ "$1" = "$2" ] || {
                printf 'got      %s\nexpected %s\n' "$1" "$2"
                return 1
        }
}

# Every file and folder but what keeps changing: logs, caches, dpkg's own lists, and copies of the passwd files
# (the user stays, as Debian has it: its number must go to nobody else).
files() {
        find /etc /opt /usr /var -xdev \( -path /var/log -o -path /var/cache -o -path /var/tmp -o \
                -path /var/lib/dpkg -o -path /var/lib/systemd -prune \) -prune -o -print 2>/dev/null |
                grep -vE '^/etc/(passwd|group|shadow|gshadow|subuid|subgid)-?$|^/etc/\.pwd\.lock$' | sort
        find /var/lib/systemd -path '*deb-systemd*' | sort
        find /run/framekeyd 2>/dev/null
}

install_all() {
        dpkg -i "$here/$1"/*.deb
}

upgrade_restarted() {
        local pid

        pid=$(systemctl show -P MainPID framekeyd.service)
        [ "$pid" != 0 ] && [ "$pid" != "$1" ]
}

# The counter of an SFrame key goes on, so that the same frame is never sealed twice to the same bytes.
sealed_with_a_counter() {
        printf '{"codec":"opus","media":"audio","payload_hex":"f8fffe"}\n' |
                runuser -u nobody -- framekeyctl encrypt --profile=sframe --participant=alice \
                        --key-file=/run/test/key |
                sed -n 's/.*"payload_hex": *"\([^"]*\)".*/\1/p' >>/run/test/sealed
        [ "$(sort -u /run/test/sealed | grep -c .)" = "$1" ]
}

setup() {
        # Says on images for containers that no service may be started.
        rm -f /usr/sbin/policy-rc.d
        install -d -m 755 /run/test
        printf 0123456789abcdef >/run/test/key
        chmod 644 /run/test/key
        # For all that is done as nobody, so it is no remainder.
        # shellcheck source=debian/tests/allow-nobody
        . "$here/tests/allow-nobody"
        # The bus is under way on a machine that gets packages, and reads policies as they come.
        claim "the bus runs" busctl list
        files >/run/test/before
}

installation() {
        claim "the packages can be installed" install_all first
        claim "nothing is lacking" dpkg --audit
        claim "the service runs" equal "$(systemctl is-active framekeyd.service)" active
        claim "it starts at boot" equal "$(systemctl is-enabled framekeyd.service)" enabled
        claim "it can be called" busctl call $name /org/framekey1 $name.Manager ListSessions
        claim "an unprivileged user is served" "$here/tests/round-trip"
        claim "the example can be built and works" "$here/tests/build-example"
        claim "there is a page for the tool" man -w framekeyctl
        claim "and for the library" man -w 3 libframekey
        claim "the journal knows its messages" bash -c "journalctl --list-catalog | grep -q framekeyd"
        claim "a key with counters is used" sealed_with_a_counter 1
}

upgrade() {
        local pid

        pid=$(systemctl show -P MainPID framekeyd.service)
        echo "# ours" >>/etc/framekey/framekeyd.conf
        claim "the next version can be installed" install_all second
        dpkg-query -W -f '${Version}' framekeyd >/run/test/version
        claim "it is the next version" grep -q +next /run/test/version
        claim "the service runs again" equal "$(systemctl is-active framekeyd.service)" active
        claim "in a new process" upgrade_restarted "$pid"
        claim "and serves" "$here/tests/round-trip"
        claim "the configuration is still ours" grep -qx "# ours" /etc/framekey/framekeyd.conf
        claim "counters go on" sealed_with_a_counter 2
}

removal() {
        claim "the packages can be removed" dpkg -r "${packages[@]}"
        claim "the unit is gone" equal "$(systemctl show -P LoadState framekeyd.service)" not-found
        claim "its process too" bash -c '! pgrep -x framekeyd'
        claim "the name is gone from the bus" bash -c "! busctl status $name"
        claim "and nobody would start it" bash -c "! busctl --activatable --list --no-legend list | grep -q ^$name"
        claim "the configuration is kept" test -e /etc/framekey/framekeyd.conf
        claim "the names of used keys are kept" test -s /var/lib/framekeyd/sent-keys
        claim "the packages can be installed again" install_all second
        claim "they serve" "$here/tests/round-trip"
        claim "counters go on even now" sealed_with_a_counter 3
}

purge() {
        local left

        claim "the packages can be purged" dpkg -P "${packages[@]}"
        files >/run/test/after
        left=$(diff /run/test/before /run/test/after)
        claim "not a file is left" equal "$left" ""
        claim "nor a message in the catalog" bash -c "! journalctl --list-catalog | grep framekeyd"
        claim "nor a failed unit" equal "$(systemctl --failed --no-legend --plain list-units 'framekey*')" ""
}

setup
installation
upgrade
removal
purge
exit $failed
