#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A recorder with a decrypt-only grant gets every frame, and can do nothing else.
daemons=(--two)
. "$(dirname "$0")/common.sh"
run_peers recorder.mjs
