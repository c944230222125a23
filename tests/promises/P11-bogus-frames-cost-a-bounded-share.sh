#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# 10,000 bogus frames a second at a receiver with a passphrase key, for five seconds: see flood.c.
here=$(cd "$(dirname "$0")" && pwd) || exit 1
exec "$here/../with-daemon" --two -- "${abs_top_builddir:-$(dirname "$(dirname "$here")")}/tests/call/flood" "$@"
