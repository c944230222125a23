#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Programs that were built with the libraries as they were recorded here run with those of now: no function is gone, no
# argument, struct or constant of the public headers means another thing. New functions are no difference.
#
#   test-abi.sh            compares
#   test-abi.sh --record   writes the record anew: at a release, or with a new soname
set -u

here=$(cd "$(dirname "$0")" && pwd)
root=${abs_top_srcdir:-$(cd "$here/../.." && pwd)}
build=${abs_top_builddir:-$PWD}
failed=0

skip() {
        echo "$*" >&2
        exit 77
}

# Constants and macros: functions take many of them as plain integers, so that no function's type shows them.
constants() {
        cat "$root/libclient/framekey.h" "$root/libclient/framekey-bus.h" |
                sed 's|/\*.*\*/||; s|/\*.*||; s/^#define \(FRAMEKEY_[A-Z0-9_]*\) \(.*\)/\1 = \2,/' | tr -s '[:space:]' ' ' |
                grep -oE 'FRAMEKEY_[A-Z0-9_]+ = [^,]+' | sed 's/ *$//' | grep -v '^FRAMEKEY_VERDICT_MAX '
}

if [ "${1:-}" = --record ]; then
        constants >"$root/tests/abi/constants"
elif ! constants | grep -vxFf - "$root/tests/abi/constants" | sed 's/^/was: /' | { ! grep . >&2; }; then
        echo "constants of the public headers have changed, with which programs were built" >&2
        failed=1
fi

command -v abidiff >/dev/null || skip "abidiff (package abigail-tools) is not installed"
[ "$(uname -m)" = x86_64 ] || skip "the record is of x86-64"
[ "${enable_sanitizers:-no}" = no ] || skip "sanitizers change what a library is"

# A folder with the installed headers alone: a type that none of them describes is nobody's business.
headers=$(mktemp -d) || exit 99
trap 'rm -rf "$headers"' EXIT
cp "$root/libclient/framekey.h" "$root/libclient/framekey-bus.h" "$headers"
for name in framekey framekey-bus; do
        library=$build/libclient/.libs/lib$name.so
        record=$root/tests/abi/lib$name.abi
        [ -e "$library" ] || { echo "there is no $library" >&2; exit 1; }
        objdump -h "$library" | grep -q '\.debug_info' || skip "the libraries were built without -g"
        if [ "${1:-}" = --record ]; then
                abidw --short-locs --no-corpus-path --no-comp-dir-path --no-elf-needed --exported-interfaces-only \
                        --headers-dir "$headers" --drop-private-types --out-file "$record" "$library" || exit
                continue
        fi
        if ! abidiff --headers-dir1 "$headers" --headers-dir2 "$headers" --no-added-syms --no-show-locs \
                "$record" "$library"; then
                echo "lib$name is not what programs were built with: keep it so, or make it a new soname" >&2
                failed=1
        fi
done
exit $failed
