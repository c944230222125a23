#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The packages that test-build.sh has built are installed, used, upgraded, removed and purged, in a container with a real
# systemd and a real system bus.
set -u

here=$(cd "$(dirname "$0")" && pwd)
root=${abs_top_srcdir:-$(cd "$here/../.." && pwd)}
build=${abs_top_builddir:-$PWD}
out=$build/tests/package/out

skip() {
        echo "$*" >&2
        exit 77
}

[ "$(id -u)" = 0 ] || skip "a container needs root"
[ -n "$(find "$out/second" -name '*.deb' 2>/dev/null)" ] || skip "test-build.sh has built no packages"
stage=$(mktemp -d) || exit 99
trap 'rm -rf "$stage"' EXIT
mkdir -p "$stage/opt/packages/first" "$stage/opt/packages/second"
for round in first second; do
        find "$out/$round" -name '*.deb' -not -name '*-dbgsym_*' -exec cp -t "$stage/opt/packages/$round" {} +
done
cp -r "$root/debian/tests" "$stage/opt/packages/tests"
install -m 755 "$here/inside-install.sh" "$stage/opt/packages/inside-install.sh"
"$root/tests/nspawn/ct-run" ${VERBOSE:+-v} -d "$stage" -w 180 -- /bin/bash /opt/packages/inside-install.sh
