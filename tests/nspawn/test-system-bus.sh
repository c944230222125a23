#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# framekeyd as it is installed: in a container with a real systemd and a real system bus, as the hardened unit
# under its own user, used by two unprivileged users.
set -u

here=$(cd "$(dirname "$0")" && pwd)
build=${abs_top_builddir:-$(cd "$here/../.." && pwd)}

skip() {
        echo "$*" >&2
        exit 77
}

[ "$(id -u)" = 0 ] || skip "a container needs root"
# The unit's filters stand in the way of the sanitizers' runtimes.
[ "${enable_sanitizers:-no}" = no ] || skip "a sanitized build cannot run under the unit's filters"
prefix=$(sed -n 's/^prefix = //p' "$build/Makefile")
case $prefix in
/usr | /usr/local) ;;
*) skip "systemd and D-Bus do not look below the prefix of this build, $prefix" ;;
esac

stage=$(mktemp -d) || exit 99
trap 'rm -rf "$stage"' EXIT
if ! make -C "$build" install DESTDIR="$stage/root" >"$stage/log" 2>&1; then
        cat "$stage/log" >&2
        exit 1
fi
root=$stage/root
# D-Bus looks for policies in /usr/share and /etc only; configure has --sysconfdir for this, a default
# build has not been told.
policy=$(find "$root" -path '*/dbus-1/system.d/*.conf' -print -quit)
case $policy in
"") echo "no D-Bus policy is installed" >&2 && exit 1 ;;
"$root"/usr/share/* | "$root"/etc/*) ;;
*) install -D -m 644 "$policy" "$root/etc/dbus-1/system.d/${policy##*/}" ;;
esac
# polkit looks in /usr/share only, and asks users without a login for a password unless a rule lets them.
install -D -m 644 "$here/../../dbus/org.framekey1.policy" "$root/usr/share/polkit-1/actions/org.framekey1.policy"
install -D -m 644 "$(find "$root" -name 50-framekey.rules)" "$root/etc/polkit-1/rules.d/50-framekey.rules" || exit 1
mkdir -p "$root/usr/lib/sysusers.d"
cat >"$root/usr/lib/sysusers.d/ct-users.conf" <<END
g framekey - -
u ct-alice 64001 "a user of the test" /
u ct-bob 64002 "another user of the test" /
m ct-alice framekey
m ct-bob framekey
END
install -D -m 755 "$here/inside-system-bus.sh" "$root/opt/inside-system-bus.sh"

# Once with each implementation of the bus that is here; both are dbus.service.
mkdir -p "$root/etc/systemd/system"
failed=0 ran=0
for unit in dbus dbus-broker; do
        [ -e "/lib/systemd/system/$unit.service" ] || continue
        ln -sfn "/lib/systemd/system/$unit.service" "$root/etc/systemd/system/dbus.service"
        echo "with $unit.service:"
        "$here/ct-run" ${VERBOSE:+-v} -d "$root" -w 120 -- /bin/bash /opt/inside-system-bus.sh
        case $? in
        0) ran=1 ;;
        77) ;; # it has said why
        *) failed=1 ;;
        esac
done
[ $failed -eq 0 ] || exit 1
[ $ran -eq 1 ] || exit 77
