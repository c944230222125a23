#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Every bit of frames of all formats turned over, in front of a running daemon that receives what another one seals: see flip-bits.c.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
exec "$here/../with-daemon" --two -- "${abs_top_builddir:-$(dirname "$(dirname "$here")")}/tests/promises/flip-bits" "$@"
