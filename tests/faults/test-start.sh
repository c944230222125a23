#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Every call that can fail fails once, in a daemon that starts: test-start.sh [SEED [SAMPLES]], 0 samples: all.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
build=${abs_top_builddir:-$(dirname "$(dirname "$here")")}
seed=${1:-${FAULTS_SEED:-$RANDOM}}
samples=${2:-${FAULTS_SAMPLES:-4}}

command -v dbus-daemon >/dev/null || {
        echo "dbus-daemon is not installed" >&2
        exit 77
}
work=$(mktemp -d "${TMPDIR:-/tmp}/framekeyd-faults.XXXXXX")
dbus-daemon --nofork --nosyslog --session --address="unix:path=$work/bus" 2>/dev/null &
bus=$!
trap 'kill "$bus"; rm -rf "$work"' EXIT
for ((i = 0; i < 200; i++)); do
        [ ! -S "$work/bus" ] || break
        sleep 0.025
done
head -c 4096 /dev/zero >"$work/page"
printf 'FLT1' | dd of="$work/page" conv=notrunc status=none
echo "seed $seed, $samples of each kind"
FRAMEKEYD_FAULTS=$work/page "$build/tests/faults/fault-start" "$seed" "$samples" "$build/tests/framekeyd-faulty" \
        --address="unix:path=$work/bus" --runtime-directory="$work/run" --state-directory="$work/state" --threads=2
