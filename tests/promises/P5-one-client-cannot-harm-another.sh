#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Every attack there is, two seconds each, beside a well-behaved client: see tests/hostile/test-hostile.sh.
here=$(cd "$(dirname "$0")" && pwd) || exit 1
exec "$here/../hostile/test-hostile.sh" "$@"
