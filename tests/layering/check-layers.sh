#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The tree and what was built from it keep their layers: no libsystemd in the key plane, nothing but libc in
# libframekey, no header taken from above.
set -u
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "${srcdir:-$here/../..}" && pwd)

command -v python3 >/dev/null || { echo "python3 is not installed" >&2; exit 77; }
command -v readelf >/dev/null || { echo "binutils are not installed" >&2; exit 77; }
exec python3 "$root/build-aux/check-layers" --root "$root" --build "${abs_top_builddir:-$PWD}"
