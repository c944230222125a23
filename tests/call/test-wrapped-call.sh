#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A key made in one daemon, used in another, stepped and rotated while frames flow: see wrapped-call.c.
here=$(cd "$(dirname "$0")" && pwd) || exit 1
exec "$here/../with-daemon" --two -- "${abs_top_builddir:-$(dirname "$(dirname "$here")")}/tests/call/wrapped-call" "$@"
