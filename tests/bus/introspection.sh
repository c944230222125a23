#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What the running daemon says of its interfaces is what dbus/ says; no key travels in a message; and the
# tools an administrator has at hand (busctl tree, introspect, get-property, call) work.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
top=${abs_top_srcdir:-$(dirname "$(dirname "$here")")}
if [ "${1-}" != inside ]; then
        exec "$here/../with-daemon" "$0" inside
fi

fail() {
        echo "introspection: $*" >&2
        exit 1
}

# One interface, without comments and indentation, one element a line.
interface() {
        sed -e 's/<!--.*-->//' -e '/<!--/,/-->/d' -e 's/^ *//' | sed -n "/<interface name=\"$1\">/,/<\/interface>/p" | sed '/^$/d'
}

call() {
        busctl --system call org.framekey1 "$@"
}

session=$(call /org/framekey1 org.framekey1.Manager OpenSession 'ssa{sv}' livekit test 1 linger b true | cut -d'"' -f4)
[ -n "$session" ] || fail "no session"
compared=0
compare() {
        busctl --system --xml-interface introspect org.framekey1 "$2" | interface "org.framekey1.$1" >"$FRAMEKEYD_DIR/live"
        interface "org.framekey1.$1" <"$top/dbus/org.framekey1.$1.xml" >"$FRAMEKEYD_DIR/written"
        [ "$(wc -l <"$FRAMEKEYD_DIR/live")" -gt 5 ] || fail "the daemon says nothing of $1 at $2"
        diff -u "$FRAMEKEYD_DIR/written" "$FRAMEKEYD_DIR/live" >&2 || fail "dbus/org.framekey1.$1.xml is not what the daemon says"
        compared=$((compared + 1))
}
compare Manager /org/framekey1
compare Session "$session"

# Participants and channels belong to a connection that stays: the objects of a test client.
objects=$("${abs_top_builddir:-$top}/tests/bus/hold-objects" "$FRAMEKEYD_DIR/done")
read -r held participant channel <<<"$objects"
compare Participant "$participant"
compare Channel "$channel"
[ "$compared" -eq 4 ] || fail "compared $compared interfaces"

# Keys come by descriptor, never as bytes: the only `ay` are salts and trailers inside of options, and what is public of
# wrapped keys.
public='name="\(GetTransportKey key\|ExportWrapped recipient\|ExportWrapped package\|ImportWrapped package\)"'
for file in "$top"/dbus/org.framekey1.*.xml; do
        ! awk -F'"' '/<method/ { method = $2 }
                     /<arg type="(ay|a\(.*ay.*\))"/ { print "name=\"" method " " $4 "\"" }' "$file" |
                grep -v "$public" || fail "$file has an argument with bytes"
done
grep -q '<arg type="h" name="secret" direction="in"/>' "$top/dbus/org.framekey1.Session.xml" || fail "ImportKey takes no descriptor"

tree=$(busctl --system tree --list org.framekey1)
for path in /org/framekey1 /org/framekey1/session "$session" "$held" "$participant" "$channel"; do
        grep -qx "$path" <<<"$tree" || fail "busctl tree does not show $path: $tree"
done
[ "$(busctl --system get-property org.framekey1 /org/framekey1 org.framekey1.Manager Locked)" = "b false" ] || fail "Locked"
[ "$(busctl --system get-property org.framekey1 /org/framekey1 org.framekey1.Manager Sessions)" = "u 2" ] || fail "Sessions"
[ "$(busctl --system get-property org.framekey1 "$participant" org.framekey1.Participant Identity)" = 's "alice"' ] || fail "Identity"
[ "$(busctl --system get-property org.framekey1 "$channel" org.framekey1.Channel Frames)" = "t 0" ] || fail "Frames"
busctl --system --json=short call org.framekey1 /org/framekey1 org.framekey1.Manager GetStatistics | grep -q '"arena-bytes":{"type":"t","data":[1-9]' || fail "GetStatistics"
call /org/framekey1 org.framekey1.Manager Lock bs true "trying the switch"
[ "$(busctl --system get-property org.framekey1 /org/framekey1 org.framekey1.Manager Locked)" = "b true" ] || fail "Lock"
call /org/framekey1 org.framekey1.Manager Lock bs false "trying the switch"
[ "$(call /org/framekey1 org.framekey1.Manager RatchetKeys 'ssa{sv}' "" "somebody joined" 0)" = "u 1" ] || fail "RatchetKeys"
call /org/framekey1 org.framekey1.Manager CloseSession ss "${session##*/}" 'line one
line two" result="ok' >/dev/null
! call /org/framekey1 org.framekey1.Manager GetSession s "${session##*/}" 2>/dev/null || fail "the session is still there"
touch "$FRAMEKEYD_DIR/done"

# A reason cannot forge a line of the log.
grep -q 'audit: close-session.*reason="line one\\x0aline two\\x22 result=\\x22ok" uid=' "$FRAMEKEYD_LOG" || fail "the audit does not escape reasons"
[ "$(grep -c '^line two' "$FRAMEKEYD_LOG")" -eq 0 ] || fail "a reason made a line of its own"
