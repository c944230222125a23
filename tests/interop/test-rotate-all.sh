#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A line of framekey-admin(7) rotates the keys of a call between two daemons and of one with LiveKit's worker.
daemons=(--two)
. "$(dirname "$0")/common.sh"
run_peers rotate-all.mjs
