#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The examples of framekey-sframe(7) and framekey-dave(7) do what the pages say: each line that begins with "$ " is run,
# one after the other in one directory, and must print what stands below it.
set -u

here=$(cd "$(dirname "$0")" && pwd)
root=${abs_top_srcdir:-$(cd "$here/../.." && pwd)}
build=${abs_top_builddir:-$PWD}

if [ -z "${FRAMEKEYD_PID:-}" ]; then
        command -v dbus-daemon >/dev/null || { echo "dbus-daemon is not installed" >&2; exit 77; }
        abs_top_builddir=$build exec "$root/tests/with-daemon" -- "$0"
fi
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
PATH=$build/cli:$PATH
failed=0

# check PAGE COMMAND EXPECTED
check() {
        local found
        found=$(eval "$2" 2>&1)
        [ "$found" = "$3" ] && return
        printf '%s\n' "$1(7): $2" "prints:" "$found" "and should:" "$3" >&2
        failed=1
}

for page in framekey-sframe framekey-dave; do
        mkdir "$work/$page"
        cd "$work/$page" || exit 99
        n=0 command='' expected=''
        while IFS= read -r line; do
                case $line in
                "\$ "* | '```')
                        [ -z "$command" ] || check "$page" "$command" "${expected%$'\n'}"
                        command='' expected=''
                        [ "$line" = '```' ] || command=${line#??} n=$((n + 1))
                        ;;
                *) [ -z "$command" ] || expected+=$line$'\n' ;;
                esac
        done <"$root/docs/$page.7.scd"
        [ $n -ge 10 ] || { echo "$page(7) has $n examples" >&2; failed=1; }
done
exit $failed
