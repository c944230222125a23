#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The Python package is what the libraries' headers say, and moves frames through a real daemon.
set -u

# shellcheck source=tests/adapters/python/common.sh
. "$(dirname "$0")/common.sh"

python_with ctypes,unittest
"$python" -W error::ResourceWarning "$here/test_abi.py" || exit
exec "$root/tests/with-daemon" -- timeout 120 "$python" "$here/test_frames.py"
