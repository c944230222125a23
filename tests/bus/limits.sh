#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# tests/bus/test-limits.c against a daemon that lets a user call a hundred times a second.
here=$(cd "$(dirname "$0")" && pwd) || exit 1
exec "$here/../with-daemon" --daemon-arg=--quota=calls=100 --daemon-arg=--log-level=warning -- \
        "${abs_top_builddir:-$(dirname "$(dirname "$here")")}/tests/bus/test-limits"
