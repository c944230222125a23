#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Twenty days of a call (call-day), each with a seed of its own, two at a time; the first one twice, to show
# that a seed repeats a day exactly. Arguments go to call-day. CALL_DAY_SEEDS names other seeds.
set -u

build=${abs_top_builddir:-$(cd "$(dirname "$0")/../.." && pwd)}
program=$build/tests/sim/call-day
read -r -a seeds <<<"${CALL_DAY_SEEDS:-$(seq -s ' ' 1001 1020)}"

[ -x "$program" ] || { echo "call-day-long: $program is not built" >&2 && exit 77; }
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT

# day SEED NAME ARGUMENT...
day() {
        "$program" --seed="$1" "${@:3}" >"$dir/$2" 2>&1 || { cat "$dir/$2" >&2 && return 1; }
        echo "seed $1:" && cat "$dir/$2"
}
export -f day
export program dir

failed=no
# shellcheck disable=SC2016 # the inner shell expands it
{
        printf '%s\n' "${seeds[0]} again"
        printf '%s\n' "${seeds[@]}" | sed 's/.*/& &/'
} | xargs -P 2 -I {} bash -c 'read -r seed name <<<"$1" && day "$seed" "$name" "${@:2}"' call-day {} "$@" || failed=yes
if [ "$(grep -o 'digest .*' "$dir/again")" != "$(grep -o 'digest .*' "$dir/${seeds[0]}")" ]; then
        echo "call-day-long: seed ${seeds[0]} went another way the second time" >&2
        failed=yes
fi
[ $failed = no ]
