#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Audio beside somebody who keeps 15 channels full of large frames, on one data thread. $FAIRNESS_SECONDS is the time for
# each scene (2).
set -u

here=$(cd "$(dirname "$0")" && pwd) || exit 1
build=${abs_top_builddir:-$(dirname "$(dirname "$here")")}
fairness=$build/tests/hostile/fairness

[ -x "$fairness" ] || {
        echo "there is no $fairness; build it first" >&2
        exit 1
}
exec "$here/../with-daemon" --daemon-arg=--threads=1 --daemon-arg=--log-level=warning -- "$fairness" "--seconds=${FAIRNESS_SECONDS:-2}"
