#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A daemon with sessions, keys and channels, and nothing to do for them, does nothing: no thread of it wakes up.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
build=${abs_top_builddir:-$(dirname "$(dirname "$here")")}
[ "${1-}" = inside ] || exec "$here/../with-daemon" "$0" inside

# How often its threads have slept and woken up.
wakeups() {
        cat "/proc/$FRAMEKEYD_PID/task"/*/status | awk '/^voluntary_ctxt_switches/ { n += $2 } END { print n }'
}

read -r session _ <<<"$("$build/tests/bus/hold-objects" "$FRAMEKEYD_DIR/done")"
[ -n "$session" ] || {
        echo "idle: there is no session" >&2
        exit 1
}
sleep 2 # what the opening of a session leaves to do, the steps ahead among it
before=$(wakeups)
sleep 3
after=$(wakeups)
[ "$before" -eq "$after" ] || {
        echo "idle: the daemon woke up $((after - before)) times in 3 s" >&2
        exit 1
}
busctl --system call org.framekey1 /org/framekey1 org.framekey1.Manager GetStatistics >/dev/null
[ "$(wakeups)" -gt "$after" ] || {
        echo "idle: the count does not tell" >&2
        exit 1
}
