#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# tests/bus/test-wrapped.c against two daemons that share nothing but what it forwards.
here=$(cd "$(dirname "$0")" && pwd) || exit 1
exec "$here/../with-daemon" --two "${abs_top_builddir:-$(dirname "$(dirname "$here")")}/tests/bus/test-wrapped"
