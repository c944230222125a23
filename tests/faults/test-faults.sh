#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Every call that can fail fails once, in a daemon that serves: test-faults.sh [SEED [SAMPLES]], 0 samples: all.
# Or again what was found: test-faults.sh PROFILE KIND FIRST LAST.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
build=${abs_top_builddir:-$(dirname "$(dirname "$here")")}
[ $# -gt 2 ] || set -- "${1:-${FAULTS_SEED:-$RANDOM}}" "${2:-${FAULTS_SAMPLES:-4}}"

page=$(mktemp "${TMPDIR:-/tmp}/framekeyd-faults.XXXXXX")
trap 'rm -f "$page"' EXIT
head -c 4096 /dev/zero >"$page"
printf 'FLT1' | dd of="$page" conv=notrunc status=none
echo "fault-run $*"
FRAMEKEYD_FAULTS=$page FRAMEKEYD=$build/tests/framekeyd-faulty "$here/../with-daemon" --daemon-arg=--threads=2 --daemon-arg=--log-level=crit \
        --daemon-arg=--quota=sessions=6 --daemon-arg=--quota=participants=8 --daemon-arg=--quota=channels=6 \
        --daemon-arg=--quota=keys=40 --daemon-arg=--quota=operations=4 \
        "$build/tests/faults/fault-run" "$@"
