#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The Python package's types hold: mypy, in its strictest mode, has nothing to say.
set -u

# shellcheck source=tests/adapters/python/common.sh
. "$(dirname "$0")/common.sh"

mypy=$(command -v /usr/bin/mypy || command -v mypy) || skip "mypy is not installed"
exec "$mypy" --strict --no-error-summary --ignore-missing-imports --cache-dir=/dev/null "$root/adapters/python/framekey"
