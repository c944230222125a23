#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# RealtimeKit's own worker and framekeyd understand each other.
. "$(dirname "$0")/common.sh"
run_peers realtimekit.mjs
