#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The bus policy: an ordinary user reaches the members that are meant for everybody, and no other.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
top=${abs_top_srcdir:-$(dirname "$(dirname "$here")")}
if [ "${1-}" != inside ]; then
        if [ "$(id -u)" -ne 0 ]; then
                echo "policy: needs root, to call as another user" >&2
                exit 77
        fi
        exec "$here/../with-daemon" --policy="$top/dbus/org.framekey1.conf" "$0" inside
fi

fail() {
        echo "policy: $*" >&2
        exit 1
}

as_nobody() {
        setpriv --reuid=65534 --regid=65534 --clear-groups busctl --system "$@" 2>&1
}

denied() {
        ! answer=$(as_nobody "$@") || fail "$* was let through"
        grep -qi 'access denied\|rejected send message\|not allowed to own' <<<"$answer" || fail "$*: $answer"
}

as_nobody get-property org.framekey1 /org/framekey1 org.framekey1.Manager Version >/dev/null || fail "reading Version"
as_nobody introspect org.framekey1 /org/framekey1 >/dev/null || fail "introspection"
as_nobody call org.framekey1 /org/framekey1 org.framekey1.Manager OpenSession 'ssa{sv}' livekit test 0 >/dev/null || fail "OpenSession"
# What concerns everybody arrives too, and the daemon refuses it: there is no polkit here that would allow it.
for call in 'Lock bs true x' 'RotateKeys ssa{sv} "" x 0' 'ListAllSessions'; do
        read -ra words <<<"$call"
        ! answer=$(as_nobody call org.framekey1 /org/framekey1 org.framekey1.Manager "${words[@]//\"\"/}") || fail "$call by nobody"
        grep -q 'make it as root' <<<"$answer" || fail "$call: $answer"
done
[ "$(busctl --system get-property org.framekey1 /org/framekey1 org.framekey1.Manager Locked)" = "b false" ] || fail "nobody has locked"
! as_nobody set-property org.framekey1 /org/framekey1 org.framekey1.Manager Locked b true >/dev/null || fail "Locked"
# Who may set what, the daemon says: a bus does not look into the call.
policy_value() {
        busctl --system get-property org.framekey1 /org/framekey1 org.framekey1.Manager "$1"
}
for property in DefaultRatchetIntervalUSec MinimumRatchetIntervalUSec MaximumKeyAgeUSec; do
        before=$(policy_value $property)
        ! as_nobody set-property org.framekey1 /org/framekey1 org.framekey1.Manager $property t 7200000000 >/dev/null ||
                fail "nobody has set $property"
        [ "$(policy_value $property)" = "$before" ] || fail "$property has changed"
        busctl --system set-property org.framekey1 /org/framekey1 org.framekey1.Manager $property t 7200000000 ||
                fail "root cannot set $property"
        [ "$(policy_value $property)" = "t 7200000000" ] || fail "$property has not changed"
done
! busctl --system set-property org.framekey1 /org/framekey1 org.framekey1.Manager AllowExport b true 2>/dev/null ||
        fail "AllowExport can be set"
denied call org.framekey1 /org/framekey1 org.framekey1.Manager Unheard
denied call org.freedesktop.DBus /org/freedesktop/DBus org.freedesktop.DBus RequestName su org.framekey1 0
busctl --system call org.framekey1 /org/framekey1 org.framekey1.Manager Lock bs false "by root" >/dev/null || fail "Lock by root"

# Every method of the interfaces has its line.
for file in "$top"/dbus/org.framekey1.*.xml; do
        name=$(basename "$file" .xml)
        for member in $(sed -n 's/.*<method name="\([A-Za-z]*\)".*/\1/p' "$file"); do
                grep -A1 "send_interface=\"$name\"" "$top/dbus/org.framekey1.conf" | grep -q "send_member=\"$member\"" ||
                        fail "the policy has no line for $name.$member"
        done
done
