#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# tests/bus/test-authority.c against a daemon of its own.
here=$(cd "$(dirname "$0")" && pwd) || exit 1
exec "$here/../with-daemon" "${abs_top_builddir:-$(dirname "$(dirname "$here")")}/tests/bus/test-authority"
