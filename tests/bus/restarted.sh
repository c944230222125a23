#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# tests/bus/test-restarted.c on a bus without a daemon.
here=$(cd "$(dirname "$0")" && pwd) || exit 1
command -v dbus-run-session >/dev/null || {
        echo "dbus-run-session is not installed" >&2
        exit 77
}
exec dbus-run-session -- "${abs_top_builddir:-$(dirname "$(dirname "$here")")}/tests/bus/test-restarted"
