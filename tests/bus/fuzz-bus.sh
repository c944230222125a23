#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Random calls of everything on the bus, by seed: fuzz-bus.sh [SEED [CALLS]].
set -eu

here=$(cd "$(dirname "$0")" && pwd)
build=${abs_top_builddir:-$(dirname "$(dirname "$here")")}
seed=${1:-${FUZZ_SEED:-$RANDOM}}
calls=${2:-${FUZZ_CALLS:-1500}}

[ "$(id -u)" -eq 0 ] || {
        echo "calls of an administrator need root" >&2
        exit 77
}
echo "seed $seed"
exec "$here/../with-daemon" --daemon-arg=--threads=2 --daemon-arg=--log-level=err \
        "$build/tests/bus/fuzz-bus" "$seed" "$calls"
