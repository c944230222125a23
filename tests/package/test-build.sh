#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The packages can be built from these sources, hold everything that "make install" installs, and lintian has nothing to
# say. What test-install.sh takes is left in the build's tests/package/out: first/ and, one version up, second/.
set -u

here=$(cd "$(dirname "$0")" && pwd)
root=${abs_top_srcdir:-$(cd "$here/../.." && pwd)}
build=${abs_top_builddir:-$PWD}
out=$build/tests/package/out

skip() {
        echo "$*" >&2
        exit 77
}

fail() {
        echo "$*" >&2
        exit 1
}

# logged NAME COMMAND...: quiet, unless it fails.
logged() {
        local log=$out/$1.log

        shift
        "$@" >"$log" 2>&1 </dev/null || { tail -n 60 "$log" >&2 && fail "$* failed"; }
}

# As on a machine that builds nothing else: no settings of this build.
alone() {
        env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME="$out" LC_ALL=C.UTF-8 DEB_BUILD_OPTIONS="nocheck parallel=2" "$@"
}

# The build dependencies are those that bootstrap knows, under the same names.
names_agree() {
        local package known

        known=$(sed -n '/^packages_/,/)$/p' "$root/bootstrap" | tr -s ' ()=' '\n')
        while IFS= read -r package; do
                case $package in
                debhelper-compat | dh-sequence-*) package=debhelper ;;
                esac
                grep -qxF "$package" <<<"$known" || fail "bootstrap does not install $package, on which the packages depend"
        done < <(sed -n '/^Build-Depends:/,/^Standards/s/^\(Build-Depends:\| \) *\([a-z0-9+.-]*\).*/\2/p' \
                "$root/debian/control")
        [ "$(sed -n 's/^AC_INIT(\[[a-z]*\], \[\([0-9.]*\)\].*/\1/p' "$root/configure.ac")" = \
                "$(sed -n '1s/^framekeyd (\(.*\)-[0-9]*).*/\1/p' "$root/debian/changelog")" ] ||
                fail "debian/changelog is not of the version in configure.ac"
}

# What is in git, with what is about to be; of a release archive, all but its builds.
copy_sources() {
        mkdir -p "$out/first/framekeyd"
        if git -C "$root" rev-parse >/dev/null 2>&1; then
                git -C "$root" ls-files -co --exclude-standard -z | tar -C "$root" --null --ignore-failed-read -T - -c
        else
                tar -C "$root" --exclude=./build --exclude="./${out#"$root"/}" -c .
        fi | tar -C "$out/first/framekeyd" -x
        # Whatever its name says: compressing it well would take longer than to build.
        tar -C "$out/first" --exclude=framekeyd/debian -c framekeyd |
                gzip -1 >"$out/first/framekeyd_$(version).orig.tar.gz"
}

version() {
        sed -n '1s/^framekeyd (\(.*\)-[0-9]*).*/\1/p' "$root/debian/changelog"
}

# The same once more under the next version, without compiling again.
next_version() {
        cp -a "$out/first/framekeyd" "$out/second"
        sed -i '1s/(\(.*\))/(\1+next)/' "$out/second/debian/changelog"
        rm -f "$out/second/debian/files" # names what the first made
        (cd "$out/second" && logged second alone dpkg-buildpackage -us -uc -b -nc -d) || exit
        mkdir "$out/next"
        mv "$out"/*+next_*.deb "$out/next"
        rm -rf "$out/second"
        mv "$out/next" "$out/second"
}

# What "make install" put below DESTDIR, which is the packages' build's own: not that of this build, whose libraries are
# linked anew by an installation while other tests use them.
nothing_is_left_out() {
        local package

        (cd "$out/first/framekeyd/debian/tmp" && find . \( -type f -o -type l \) -not -name '*.la') | sort >"$out/wanted"
        for package in "$out"/first/*.deb; do
                dpkg-deb --fsys-tarfile "$package" | tar -t | sed 's/\.gz$//'
        done | sort -u >"$out/packed"
        [ -s "$out/wanted" ] || fail "make install installs nothing"
        ! comm -23 "$out/wanted" "$out/packed" | grep . >&2 || fail "make install installs this, and no package holds it"
}

# The interface files that are installed are those that tests/bus/introspection.sh compares with the daemon.
interfaces_are_the_same() {
        local file n=0

        for file in "$root"/dbus/org.framekey1*.xml; do
                n=$((n + 1))
                dpkg-deb --fsys-tarfile "$out"/first/framekeyd_*.deb |
                        tar -xO "./usr/share/dbus-1/interfaces/${file##*/}" | cmp - "$file" >&2 || fail "${file##*/} differs"
        done
        [ $n -gt 0 ] || fail "dbus/ holds no interface files"
}

[ "${enable_sanitizers:-no}" = no ] || skip "the packages are not built with sanitizers"
for program in dpkg-buildpackage dh lintian; do
        command -v $program >/dev/null || skip "$program is not installed"
done
[ -e "$root/debian/control" ] || skip "there is no debian/ here"
unset MAKEFLAGS MFLAGS MAKELEVEL
rm -rf "$out"
mkdir -p "$out"
names_agree
copy_sources
(cd "$out/first/framekeyd" && logged first alone dpkg-buildpackage -us -uc) || exit
nothing_is_left_out
interfaces_are_the_same
(cd "$out/first" && logged lintian lintian --allow-root --fail-on=error,warning,info,pedantic --pedantic -I ./*.changes) ||
        exit
next_version
rm -rf "$out/first/framekeyd"
[ -n "$(find "$out/second" -name 'framekeyd_*+next_*.deb')" ] || fail "there is no package to upgrade to"
